"""How views are asked for: of which scale, turned, moved and mirrored by how much a sample is seen in which epoch."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from posegen.errors import ConfigError
from posegen.images.augment import Augmentation, View

Views = Augmentation | str | Mapping[str, Any] | Callable[[int, int], View]
"""How views are asked for: by ranges, as `posegen build --augment` has them, in a text, or in a table such as
`{"scale": (0.5, 1.1), "flip": 0.5}`; or by a function of the epoch and the sample's number."""

LabelsDrawn = Literal["here", "device"]
"""Where labels are drawn: where samples are read, or by the network's device."""


@dataclass(slots=True)
class RandomViews:
    """Draws views from ranges.

    Parameters
    ----------
    ranges
        Which.
    seed
        With one, a view depends on it, the epoch and the sample's number alone; without, every process draws anew.
    """

    ranges: Augmentation
    seed: int | None
    _process: int = dataclasses.field(default=-1, init=False)
    _random: np.random.Generator | None = dataclasses.field(default=None, init=False)

    def __call__(self, epoch: int, number: int) -> View:
        """Draw the view of a sample in an epoch, both counted from 0."""
        if self.seed is not None:
            return self.ranges.draw(self.seed, (epoch, number))
        if self._random is None or self._process != os.getpid():
            self._process, self._random = os.getpid(), np.random.default_rng()
        return self.ranges.draw(int(self._random.integers(1 << 63)), (epoch, number))


def read_views(views: Views, seed: int | None) -> Callable[[int, int], View]:
    """Make what draws views of what they were asked for by; raises `ConfigError` if it is no such thing."""
    if isinstance(views, str):
        views = Augmentation.parse(views)
    elif isinstance(views, Mapping):
        known = Augmentation.__slots__
        if unknown := [name for name in views if name not in known]:
            raise ConfigError(f"views have {', '.join(known)}, but no {unknown[0]!r}")
        ranges = dict(views)
        if isinstance(ranges.get("scale"), (list, tuple)):
            ranges["scale"] = tuple(ranges["scale"])
        views = Augmentation(**ranges)
    if isinstance(views, Augmentation):
        return RandomViews(views, seed)
    if not callable(views):
        raise ConfigError(f"views are written scale=0.5-1.1,rotate=40,shift=40,flip=0.5, not {views!r}")
    return views


def read_drawn(views: Views | None, seed: int | None, where: LabelsDrawn, *, raw: bool) -> Callable[[int, int], View]:
    """Make what draws views where labels are drawn; without views samples are seen as they are stored.

    Raises
    ------
    ConfigError
        As `read_views`, and if labels cannot be drawn there.
    """
    if where not in {"here", "device"}:
        raise ConfigError(f"labels are drawn 'here' or on the 'device', not {where!r}")
    if raw and where == "device":
        raise ConfigError("labels that are drawn on the device are not stored: raw does not go with them")
    return see_as_stored if views is None else read_views(views, seed)


def see_as_stored(epoch: int, number: int) -> View:  # noqa: ARG001 (what draws views is given these)
    """See a sample as it is stored, whichever it is."""
    return View()
