"""Labels that are drawn as they are stored, in halves or bytes, with no float32 in between."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from posegen.labels.base import Label, PlacedLabel, unwrap
from posegen.labels.scene import Scene


class HalfLabel(PlacedLabel, Protocol):
    """A label whose `render_into` draws into float16, too: what float32 values become there, and no -0."""

    @property
    def draws_halves(self) -> bool:
        """Whether it does."""
        ...


class ByteLabel(Label, Protocol):
    """A label that draws what is stored of it as uint8, sooner than as float32."""

    def render_bytes(self, scenes: Sequence[Scene]) -> NDArray[np.uint8]:
        """Draw S scenes, at least one: uint8 (S, ...), 255ths of `high`, rounded to the nearest."""
        ...


def draw_stored(label: Label, dtype: str, scenes: Sequence[Scene]) -> NDArray[Any] | None:
    """Draw a label of S scenes, at least one, in the dtype it is stored in: (S, *shape); None if it cannot do that."""
    drawn = unwrap(label)
    if dtype == "uint8" and hasattr(drawn, "render_bytes"):
        return cast("ByteLabel", drawn).render_bytes(scenes)
    if dtype == "float16" and getattr(drawn, "draws_halves", False):
        out = np.empty((len(scenes), *drawn.spec.shape), np.float16)
        cast("HalfLabel", drawn).render_into(scenes, out)
        return out
    return None
