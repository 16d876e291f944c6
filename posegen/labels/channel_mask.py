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
from typing import Any, ClassVar, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from posegen.geometry import Size
from posegen.labels.base import Label, render_scenes
from posegen.labels.cells import Wanted
from posegen.labels.mask import MaskLabel
from posegen.labels.scene import Scene
from posegen.skeleton.unknown import OF_PERSON, OF_SOURCE

_MARGIN = 0.3
"""Of a box's side, by which it grows on each of its sides."""


class DrawnCells(Protocol):
    """A label that can tell on which cells it draws something, without drawing all."""

    def find_drawn(
        self, scenes: Sequence[Scene], wanted: Wanted
    ) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
        """List units, counted over all scenes, and cells, y w + x, on which the value of a wanted thing is not 0."""
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
        return self._draw(scenes, self._begin(scenes), 1)

    def draw_bytes(self, scenes: Sequence[Scene]) -> NDArray[np.uint8]:
        """Draw (S, C, h, w) uint8, 255ths."""
        return self._draw(scenes, np.rint(self._begin(scenes) * np.float32(255)).astype(np.uint8), 255)

    def limits(self, scene: Scene) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the least and the largest values (C, h, w), whatever is ignored in the picture."""
        largest = self._begin([dataclasses.replace(scene, ignored=None)])
        least, most = (self._draw([scene], planes, 1)[0] for planes in (np.zeros_like(largest), largest))
        return least, most

    def _begin(self, scenes: Sequence[Scene]) -> NDArray[np.float32]:
        return np.concatenate([self.mask.measure(scene) for scene in scenes])

    def _draw(self, scenes: Sequence[Scene], planes: NDArray[Any], one: int) -> NDArray[Any]:
        """Draw (S, C, h, w) of planes (S, h, w) that have `one` where everything is known."""
        count = len(self.units) * self.channels + self.background
        values = np.empty((len(planes), count, *planes.shape[1:]), planes.dtype)
        values[...] = planes[:, None]
        hidden = self._hide(scenes, values)
        self._show(scenes, planes != one, hidden, values, one)
        return values

    def _hide(self, scenes: Sequence[Scene], values: NDArray[Any]) -> NDArray[np.bool_]:
        """Write 0 where something is unknown, into (S, C, h, w); returns of which units (S, U)."""
        hidden = np.zeros((len(scenes), len(self.units)), bool)
        images = [i for i, scene in enumerate(scenes) if scene.unknown is not None and scene.unknown.any()]
        if not images:
            return hidden
        image = np.repeat(images, [len(scenes[i].drawn) for i in images])
        unknown = np.concatenate([scenes[i].unknown for i in images])
        of_units = unknown[:, np.array(self.units)].max(axis=2)
        np.logical_or.at(hidden, image, of_units > 0)
        parts = values[:, : hidden.shape[1] * self.channels].reshape(*hidden.shape, self.channels, *values.shape[2:])
        person, unit = np.nonzero(of_units == OF_SOURCE)
        parts[image[person], unit] = 0
        # A keypoint without limbs is no matter of theirs, but always one of the background.
        behind = (unknown == OF_PERSON).any(axis=1) | np.isin(image, image[(unknown == OF_SOURCE).any(axis=1)])
        some = np.flatnonzero((of_units == OF_PERSON).any(axis=1) | (behind & self.background))
        points, drawn = (np.concatenate([getattr(scenes[i], of) for i in images])[some] for of in ("points", "drawn"))
        boxes = find_boxes(points, drawn, self.mask.input_size, self.mask.cells)
        for n, (top, left, bottom, right) in zip(some.tolist(), boxes.tolist(), strict=True):
            parts[image[n], of_units[n] == OF_PERSON, :, top:bottom, left:right] = 0
            if self.background and behind[n]:
                values[image[n], -1, top:bottom, left:right] = 0
        return hidden

    def _show(
        self,
        scenes: Sequence[Scene],
        holes: NDArray[np.bool_],
        hidden: NDArray[np.bool_],
        values: NDArray[Any],
        one: int,
    ) -> None:
        """Write `one` where something is drawn: of hidden units, and of others where there are holes (S, h, w)."""
        import cv2  # not for those who only read

        (_, h, w), units = holes.shape, len(self.units)
        some = np.flatnonzero(hidden.any(axis=1) | holes.any(axis=(1, 2)))
        if not len(some):
            return
        sums = np.stack([cv2.integral(holes[image].view(np.uint8)) for image in some])
        of_some = hidden[some].ravel()

        def is_wanted(unit: NDArray[np.intp], first: NDArray[np.intp], stop: NDArray[np.intp]) -> NDArray[np.bool_]:
            image, bounds = unit // units, np.array([[h], [w]])
            (top, left), (bottom, right) = np.clip(first, 0, bounds), np.clip(stop, 0, bounds)
            within = sums[image, bottom, right] - sums[image, top, right]
            within += sums[image, top, left] - sums[image, bottom, left]
            return np.asarray((within > 0) | of_some[unit])

        flat, drawn = values.reshape(-1), [scenes[image] for image in some.tolist()]
        for unit, cell in _find_drawn(self.label, drawn, units, self.channels, is_wanted):
            image, unit_there = np.divmod(unit, units)
            place = some[image] * values[0].size + unit_there * (self.channels * h * w) + cell
            for channel in range(self.channels):
                flat[place + channel * h * w] = one


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
    shown, at = drawn[..., None], points[..., ::-1] / np.divide(input_size, cells)
    low, high = np.where(shown, at, np.inf).min(axis=1), np.where(shown, at, -np.inf).max(axis=1)
    somebody = drawn.any(axis=1)
    low[~somebody], high[~somebody] = 0, 0
    side = high - low
    side = np.maximum(side, side[:, ::-1] / 2)
    first = _round((high + low) / 2 - side / 2 - _MARGIN * side)
    stop = first + _round((1 + 2 * _MARGIN) * side)
    return np.concatenate([np.clip(edge, 0, cells) for edge in (first, stop)], axis=1).astype(np.intp)


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


def _round(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Round as C does: halves away from 0."""
    return np.copysign(np.floor(np.abs(values) + 0.5), values)


def _find_drawn(
    label: Label, scenes: Sequence[Scene], units: int, channels: int, wanted: Wanted
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """List units and cells on which something is drawn, at least of what is wanted."""
    if hasattr(label, "find_drawn"):
        yield from cast("DrawnCells", label).find_drawn(scenes, wanted)
        return
    drawn = np.asarray(render_scenes(label, scenes)) != 0
    drawn = drawn[:, : units * channels].reshape(-1, channels, drawn[0, 0].size)
    unit, cell = np.nonzero(drawn.any(axis=1))
    yield unit, cell
