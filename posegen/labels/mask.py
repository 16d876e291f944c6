"""The loss mask: 1 where the loss counts, 0 where people are that nobody labelled, and on padding.

Definition
----------
The share of each cell's area that shows the picture, and in it nothing to be ignored: the segmentations of people
without a labelled keypoint and of crowds, minus those of drawn people. Where a segmentation is missing the box stands
in. The share is exact; of a picture that is turned, S x S evenly spaced points of a cell are looked up, S twice the
stride but from 4 to 16, so that where one straight edge crosses a cell its share is right to within 1 / S. Where a
scene has what each pixel of the input shows, it is the mean of a cell's pixels.

Place of a cell
---------------
Cell i of w covers the input from i s - 0.5 to (i + 1) s - 0.5, with the stride s = W / w; y alike.

Source
------
The `mask_miss` of Cao et al. (arXiv:1611.08050), reduced as `cv2.resize` does with `INTER_AREA`.

Known differences
-----------------
It is sampled by area whatever the grid of the other labels, and the padding is 0, too.

Flipped
-------
Its channel stays.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from posegen.geometry import Affine, Size, overlap
from posegen.labels.base import ArraySpec
from posegen.labels.mirror import keep_channels
from posegen.labels.registry import LabelContext
from posegen.labels.scene import Scene

_MEASURED: WeakKeyDictionary[Scene, dict[MaskLabel, NDArray[np.float32]]] = WeakKeyDictionary()
"""The masks of the scenes that are about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskLabel:
    """The share of each cell's area that shows the picture, and in it nothing to be ignored.

    It is sampled by area whatever the grid of the other labels: a mask is a share of a surface, no function of points.
    This module's docstring defines it.

    Parameters
    ----------
    input_size, cells
        (H, W) in pixels and (h, w).
    """

    needs_ignored: ClassVar[bool] = True
    reads_shown: ClassVar[bool] = True

    input_size: Size
    cells: Size

    @property
    def spec(self) -> ArraySpec:
        """The array that `render` makes."""
        return ArraySpec(name="mask", channels=("mask",), cells=self.cells, mirror=keep_channels(1))

    def render(self, scene: Scene) -> NDArray[np.float32]:
        """Measure (1, h, w) float32 from 0 to 1."""
        return self.measure(scene).copy()

    def render_many(self, scenes: Sequence[Scene]) -> NDArray[np.float32]:
        """Measure (S, 1, h, w) of S scenes: what `render` gives, sooner."""
        out = np.empty((len(scenes), 1, *self.cells), np.float32)
        self.render_into(scenes, out)
        return out

    def render_into(self, scenes: Sequence[Scene], out: NDArray[np.float32]) -> None:
        """Measure what `render_many` does into an array."""
        shown = [scene.shown for scene in scenes if scene.shown is not None]
        if len(shown) == len(scenes):
            _reduce(shown, self.cells, out[:, 0])
            return
        for scene, mask in zip(scenes, out, strict=True):
            mask[...] = self.measure(scene)

    def measure(self, scene: Scene) -> NDArray[np.float32]:
        """Return what `render` does, not to be written to: for several labels of a scene it is measured once."""
        known = _MEASURED.setdefault(scene, {})
        if (found := known.get(self)) is None:
            found = known[self] = self._measure(scene)
            found.setflags(write=False)
        return found

    def _measure(self, scene: Scene) -> NDArray[np.float32]:
        if scene.shown is not None:
            reduced = np.empty((1, *self.cells), np.float32)
            _reduce([scene.shown], self.cells, reduced)
            return reduced
        affine = scene.affine
        if not affine.is_upright:
            return self._render_turned(scene)
        mask, ys, xs = _frame(scene.image_size, affine, self.input_size, self.cells)
        if scene.ignored is None:
            return mask.astype(np.float32)[None]
        area = scene.ignored.area(ys, xs) / ((ys[1] - ys[0]) * (xs[1] - xs[0]))
        return np.clip(mask - area, 0, 1).astype(np.float32)[None]

    def limits(self, scene: Scene) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return 0, and the mask (1, h, w) of a picture in which nothing is ignored."""
        largest = self.render(dataclasses.replace(scene, ignored=None))
        return np.zeros_like(largest), largest

    def _render_turned(self, scene: Scene) -> NDArray[np.float32]:
        """Measure the mask of a picture that is mirrored, which is exact, or turned, at points."""
        width = self.input_size[1]
        mirrored = scene.affine.then(Affine(-1.0, 0.0, width - 1.0, 0.0, 1.0, 0.0))
        if mirrored.is_upright:
            seen = self._measure(dataclasses.replace(scene, affine=mirrored))
            return np.ascontiguousarray(seen[..., ::-1])
        return _count_points(scene, self.input_size, self.cells).astype(np.float32)[None]


def create(context: LabelContext) -> tuple[MaskLabel]:
    """Make the label `mask`."""
    context.read_options()
    return (MaskLabel(input_size=context.grid.input_size, cells=context.grid.cells),)


def _reduce(shown: Sequence[NDArray[np.uint8]], cells: Size, out: NDArray[np.float32]) -> None:
    """Measure (S, h, w) of how much each pixel (H, W) of S inputs shows.

    Where an edge crosses a cell it is a guess of it.
    """
    import cv2  # which who lists labels need not wait for

    (height, width), (h, w) = shown[0].shape, cells
    if height % h == 0 and width % w == 0:
        # The sums of what a cell covers, whose differences are right even where they run over.
        edges = np.empty((len(shown), h + 1, w + 1), np.int32)
        for pixels, corners in zip(shown, edges, strict=True):
            corners[...] = cv2.integral(pixels)[:: height // h, :: width // w]
        rows = edges[:, 1:] - edges[:, :-1]
        np.divide(rows[:, :, 1:] - rows[:, :, :-1], np.float32(255 * height * width // (h * w)), out=out, dtype="f4")
        return
    if h <= height and w <= width:
        for pixels, mask in zip(shown, out, strict=True):
            mask[...] = cv2.resize(pixels.astype(np.float32), (w, h), interpolation=cv2.INTER_AREA)
    else:
        down, across = (overlap(n, 1.0, 0.0, m, n / m) for n, m in ((height, h), (width, w)))
        for pixels, mask in zip(shown, out, strict=True):
            mask[...] = down @ pixels @ across.T
    np.minimum(out / np.float32(255), np.float32(1), out=out)


def _count_points(scene: Scene, input_size: Size, cells: Size) -> NDArray[np.float64]:
    """Count which share of the points of each cell (h, w) lies in the picture, and in nothing to be ignored."""
    back, (height, width) = scene.affine.inverse(), scene.image_size
    points = [min(max(math.ceil(2 * size / count), 4), 16) for size, count in zip(input_size, cells, strict=True)]
    ys, xs = (
        (np.arange(count * n) + 0.5) * (size / (count * n)) - 0.5
        for size, count, n in zip(input_size, cells, points, strict=True)
    )
    x = back.xx * xs + (back.xy * ys + back.x0)[:, None]
    y = back.yx * xs + (back.yy * ys + back.y0)[:, None]
    counts = (x >= -0.5) & (x < width - 0.5) & (y >= -0.5) & (y < height - 0.5)
    if scene.ignored is not None:
        ignored = scene.ignored.paint(scene.image_size)
        row, column = (np.floor(at[counts] + 0.5).astype(np.intp) for at in (y, x))
        counts[counts] = ~ignored[row, column]
    return counts.reshape(cells[0], points[0], cells[1], points[1]).mean(axis=(1, 3))


@lru_cache(maxsize=256)
def _frame(
    image_size: Size, affine: Affine, input_size: Size, cells: Size
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Measure which share of each cell (h, w) shows the picture, and find the cells' edges in the picture's pixels."""
    shares, edges = [], []
    axes = ((affine.yy, affine.y0), (affine.xx, affine.x0))
    for (scale, offset), pixels, size, count in zip(axes, image_size, input_size, cells, strict=True):
        stride = size / count
        # The picture is one pixel that covers it all.
        shares.append(overlap(1, scale * pixels, offset + scale * (pixels - 1) / 2, count, stride)[:, 0])
        edges.append((np.arange(count + 1, dtype=np.float64) * stride - 0.5 - offset) / scale + 0.5)
    mask = np.clip(np.outer(*shares), 0, 1)
    mask.setflags(write=False)
    return mask, edges[0], edges[1]
