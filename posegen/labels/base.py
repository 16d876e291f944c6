"""What every label is: a frozen description that renders one scene into one array."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from posegen.geometry import Size
from posegen.labels.scene import Scene


@dataclass(frozen=True, slots=True, kw_only=True)
class ArraySpec:
    """What array a label makes.

    Attributes
    ----------
    name
        Of the label and of its dataset in a shard.
    channels
        The names of its C channels.
    cells
        (h, w) of its grid; () for an array that has none, one value a channel.
    low, high
        Between which its values lie.
    """

    name: str
    channels: tuple[str, ...]
    cells: Size | tuple[()]
    low: float = 0.0
    high: float = 1.0

    @property
    def shape(self) -> tuple[int, ...]:
        """(C, h, w), or (C,)."""
        return len(self.channels), *self.cells

    @property
    def signed(self) -> bool:
        """Whether values may be below 0."""
        return self.low < 0


class Label(Protocol):
    """One kind of training target. Implementations are frozen and picklable, and `render` is a pure function."""

    @property
    def spec(self) -> ArraySpec:
        """The array that `render` makes."""
        ...

    def render(self, scene: Scene) -> NDArray[np.float32]:
        """Draw the label of a scene: float32 of the specification's shape."""
        ...


class BatchLabel(Label, Protocol):
    """A label that draws several scenes in less time than one after the other."""

    def render_many(self, scenes: Sequence[Scene]) -> NDArray[np.float32]:
        """Draw S scenes, at least one: float32 (S, ...), the very values that `render` gives."""
        ...


def render_scenes(label: Label, scenes: Sequence[Scene]) -> NDArray[np.float32]:
    """Draw the label of S scenes, at least one: float32 (S, ...)."""
    if hasattr(label, "render_many"):
        return cast("BatchLabel", label).render_many(scenes)
    return np.stack([label.render(scene) for scene in scenes])


@dataclass(frozen=True, slots=True, kw_only=True)
class StridedLabel:
    """A label on one of several grids, which its array's name tells, as in `heatmap_s4`.

    Parameters
    ----------
    label
        What is drawn.
    stride
        Input pixels a cell of the grid it is drawn on.
    """

    label: Label
    stride: float

    @property
    def spec(self) -> ArraySpec:
        """The array that `render` makes."""
        suffix = f"{self.stride:g}".replace(".", "_")
        return dataclasses.replace(self.label.spec, name=f"{self.label.spec.name}_s{suffix}")

    def render(self, scene: Scene) -> NDArray[np.float32]:
        """Draw the label of a scene."""
        return self.label.render(scene)

    def render_many(self, scenes: Sequence[Scene]) -> NDArray[np.float32]:
        """Draw the label of S scenes, at least one."""
        return render_scenes(self.label, scenes)


def without_stride(name: str) -> str:
    """Return the name that an array would have if there were but one grid."""
    return re.sub(r"_s\d+(_\d+)?$", "", name)
