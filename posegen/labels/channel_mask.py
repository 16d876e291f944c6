"""Masks with a channel for each keypoint or limb: also 0 where nobody knows whether there is something to be seen.

`posegen.labels.heatmap_mask` and `posegen.labels.paf_mask` define them; what both do is done here, for S scenes.
A unit is what has channels of its own: a keypoint, or a limb, which is as unknown as the less known of its ends.

Legend: N people of all S scenes together, K keypoints, U units, h x w cells.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar, NamedTuple, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from posegen.geometry import Size
from posegen.labels.base import Label, render_scenes
from posegen.labels.kept import recall_or_find
from posegen.labels.mask import MaskLabel
from posegen.labels.scene import Scene
from posegen.skeleton.unknown import OF_SOURCE

_MARGIN = 0.3
"""Of a box's side, by which it grows on each of its sides."""


class SparseLabel(Protocol):
    """A label that can tell on which cells it draws something, without drawing all."""

    def find_drawn(self, scenes: Sequence[Scene]) -> Iterator[NDArray[np.intp]]:
        """Find where the value of a unit is not 0: indices of its first channel's cells in all values (S, C, h, w)."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelMask:
    """How masks of a label's channels are drawn.

    Parameters
    ----------
    mask
        What every channel begins as.
    label
        Whose channels.
    units
        For each of its U units the keypoints it is of.
    channels
        How many channels a unit has.
    background
        Whether one more channel is the background.
    """

    mask: MaskLabel
    label: Label
    units: tuple[tuple[int, ...], ...]
    channels: int = 1
    background: bool = False

    def draw(self, scenes: Sequence[Scene]) -> NDArray[np.float32]:
        """Draw (S, C, h, w) float32 from 0 to 1."""
        return self._draw(scenes, self._begin(scenes), 1, _find_people(scenes, self.mask))

    def draw_bytes(self, scenes: Sequence[Scene]) -> NDArray[np.uint8]:
        """Draw (S, C, h, w) uint8, 255ths."""
        planes, people = recall_or_find(scenes, ("masks in bytes", self.mask), lambda: self._begin_bytes(scenes))
        return self._draw(scenes, planes, 255, people)

    def limits(self, scene: Scene) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the least and the largest values (C, h, w), whatever is ignored in the picture."""
        largest = self._begin([dataclasses.replace(scene, ignored=None)])
        people = _find_people([scene], self.mask)
        least, most = (self._draw([scene], planes, 1, people)[0] for planes in (np.zeros_like(largest), largest))
        return least, most

    def _begin(self, scenes: Sequence[Scene]) -> NDArray[np.float32]:
        return np.concatenate([self.mask.measure(scene) for scene in scenes])

    def _begin_bytes(self, scenes: Sequence[Scene]) -> tuple[NDArray[np.uint8], _People | None]:
        """Find what other masks of these scenes need, too."""
        planes = np.rint(self._begin(scenes) * np.float32(255)).astype(np.uint8)
        return planes, _find_people(scenes, self.mask)

    def _draw(self, scenes: Sequence[Scene], planes: NDArray[Any], one: int, people: _People | None) -> NDArray[Any]:
        """Draw (S, C, h, w) of planes (S, h, w) that have `one` where everything is known."""
        count = len(self.units) * self.channels + self.background
        values = np.empty((len(planes), count, *planes.shape[1:]), planes.dtype)
        values[...] = planes[:, None]
        if people is not None:
            self._hide(people, values)
        if people is not None or (planes != one).any():
            flat, cells = values.reshape(-1), planes[0].size
            for place in self._find_drawn(scenes):
                for channel in range(self.channels):
                    flat[place + channel * cells] = one
        return values

    def _hide(self, people: _People, values: NDArray[Any]) -> None:
        """Write 0 where something is unknown, into (S, C, h, w)."""
        units, image, boxes = len(self.units), people.image.tolist(), people.boxes.tolist()
        first, *others = _index(self.units)
        of_units = people.unknown.take(first, axis=1)
        for other in others:
            np.maximum(of_units, people.unknown.take(other, axis=1), out=of_units)
        parts = values[:, : units * self.channels].reshape(len(values), units, self.channels, *values.shape[2:])
        if (of_source := of_units == OF_SOURCE).any():
            person, unit = np.nonzero(of_source)
            parts[people.image[person], unit] = 0
            of_units[of_source] = 0
        for n, u in zip(*map(np.ndarray.tolist, np.nonzero(of_units)), strict=True):
            top, left, bottom, right = boxes[n]
            parts[image[n], u, :, top:bottom, left:right] = 0
        if self.background:
            for i, (top, left, bottom, right) in zip(image, boxes, strict=True):
                values[i, -1, top:bottom, left:right] = 0

    def _find_drawn(self, scenes: Sequence[Scene]) -> Iterator[NDArray[np.intp]]:
        """Find where the label draws a unit, as `SparseLabel` does."""
        if hasattr(self.label, "find_drawn"):
            yield from cast("SparseLabel", self.label).find_drawn(scenes)
            return
        drawn = np.asarray(render_scenes(self.label, scenes)) != 0
        count, units = drawn.shape[1], len(self.units)
        parts = drawn[:, : units * self.channels].reshape(len(drawn), units, self.channels, -1)
        image, unit, cell = np.nonzero(parts.any(axis=2))
        yield (image * count + unit * self.channels) * parts.shape[3] + cell


class _People(NamedTuple):
    """The P people in whose boxes the background is not known: who they are, and what else is not, differs by unit.

    Attributes
    ----------
    image
        (P,) in which scene each is.
    unknown
        (P, K) as scenes have it.
    boxes
        (P, 4) as `find_boxes` finds them.
    """

    image: NDArray[np.intp]
    unknown: NDArray[np.uint8]
    boxes: NDArray[np.intp]


def _find_people(scenes: Sequence[Scene], mask: MaskLabel) -> _People | None:
    """Find the people of S scenes of whom something is unknown, and all with whom there is one that has no label of it.

    None if there is nobody.
    """
    unknown = np.concatenate([np.zeros_like(s.drawn, np.uint8) if s.unknown is None else s.unknown for s in scenes])
    most = unknown.max(axis=1, initial=0)
    if not most.any():
        return None
    image = np.repeat(np.arange(len(scenes)), [len(scene.drawn) for scene in scenes])
    some = most > 0
    if (of_source := most == OF_SOURCE).any():
        nobody_labels = np.zeros(len(scenes), bool)
        nobody_labels[image[of_source]] = True
        some |= nobody_labels[image]
    some = np.flatnonzero(some)
    points, drawn = (np.concatenate([getattr(s, of) for s in scenes]).take(some, axis=0) for of in ("points", "drawn"))
    return _People(image.take(some), unknown.take(some, axis=0), find_boxes(points, drawn, mask.input_size, mask.cells))


def find_boxes(
    points: NDArray[np.float64], drawn: NDArray[np.bool_], input_size: Size, cells: Size
) -> NDArray[np.intp]:
    """Find the cells that people are on, whatever of them is drawn.

    The box of the drawn keypoints, in cells (k / stride); the shorter side, if it is less than half of the longer, is
    made half of it, and 0.3 of each side is added at both of its ends. What a box has of cells is rounded as OpenPose
    does, halves away from 0 (`maskOutIfVisibleIs3` of openpose_caffe_train's `oPDataTransformer.cpp`).

    Parameters
    ----------
    points, drawn
        (N, K, 2) in input pixels, and (N, K).
    input_size, cells
        (H, W) and (h, w).

    Returns
    -------
    (N, 4) from which row and column on, and to before which, inside the grid; of nobody, and of a single point, none.
    """
    at = np.where(drawn[..., None], points[..., ::-1] / np.divide(input_size, cells), np.nan)
    low, high = np.fmin.reduce(at, axis=1), np.fmax.reduce(at, axis=1)
    side = high - low
    side = np.maximum(side, side[:, ::-1] / 2)
    begin = _round((high + low) / 2 - side / 2 - _MARGIN * side)
    edges = np.concatenate([begin, begin + _round((1 + 2 * _MARGIN) * side)], axis=1)
    # Of nobody they are not a number, of which fmax() makes 0.
    return np.minimum(np.fmax(edges, 0), (*cells, *cells)).astype(np.intp)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelMaskLabel(ABC):
    """A label that is a mask for each channel of another label; how it is drawn, `_masks` says.

    Parameters
    ----------
    mask
        What every channel begins as.
    """

    needs_ignored: ClassVar[bool] = True
    reads_shown: ClassVar[bool] = True

    mask: MaskLabel

    @property
    @abstractmethod
    def _masks(self) -> ChannelMask: ...

    def render(self, scene: Scene) -> NDArray[np.float32]:
        """Draw (C, h, w) float32 from 0 to 1."""
        return self._masks.draw([scene])[0]

    def render_many(self, scenes: Sequence[Scene]) -> NDArray[np.float32]:
        """Draw (S, C, h, w) float32 of S scenes: what `render` gives, sooner."""
        return self._masks.draw(scenes)

    def render_bytes(self, scenes: Sequence[Scene]) -> NDArray[np.uint8]:
        """Draw (S, C, h, w) uint8 of S scenes, in 255ths."""
        return self._masks.draw_bytes(scenes)

    def limits(self, scene: Scene) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the least and the largest values (C, h, w), whatever is ignored in the picture."""
        return self._masks.limits(scene)


@lru_cache(maxsize=64)
def _index(units: tuple[tuple[int, ...], ...]) -> NDArray[np.intp]:
    """Index the keypoints that units (U,) begin with, and those that they end with."""
    return np.array(units, np.intp).T


def _round(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Round as C does: halves away from 0."""
    return np.trunc(values + np.copysign(0.5, values))
