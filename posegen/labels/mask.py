"""The loss mask: 1 where the loss counts, 0 where people are that nobody labelled, and on padding."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from posegen.errors import ConfigError
from posegen.geometry import Affine, Size, overlap
from posegen.labels.base import ArraySpec, Scene
from posegen.labels.registry import LabelContext


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskLabel:
    """The share of each cell's area that shows the picture, and in it nothing to be ignored.

    It is sampled by area whatever the grid of the other labels: a mask is a share of a surface, no function of points.

    Parameters
    ----------
    input_size, cells
        (H, W) in pixels and (h, w).
    """

    input_size: Size
    cells: Size

    @property
    def spec(self) -> ArraySpec:
        """The array that `render` makes."""
        return ArraySpec(name="mask", channels=("mask",), cells=self.cells)

    def render(self, scene: Scene) -> NDArray[np.float32]:
        """Measure (1, h, w) float32 from 0 to 1."""
        affine = scene.affine
        if affine.xy or affine.yx:
            raise ConfigError("the mask of a rotated picture is not defined")
        mask, ys, xs = _frame(scene.image_size, affine, self.input_size, self.cells)
        if scene.ignored is None:
            return mask.astype(np.float32)[None]
        area = scene.ignored.area(ys, xs) / ((ys[1] - ys[0]) * (xs[1] - xs[0]))
        return np.clip(mask - area, 0, 1).astype(np.float32)[None]


def create(context: LabelContext) -> tuple[MaskLabel]:
    """Make the label `mask`."""
    context.read_options()
    return (MaskLabel(input_size=context.grid.input_size, cells=context.grid.cells),)


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
