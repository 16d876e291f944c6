"""The loss mask: 1 where the loss counts, 0 where people are that nobody labelled, and on padding."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from posegen.errors import ConfigError
from posegen.geometry import Size, overlap
from posegen.labels.base import ArraySpec, Region, Scene


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
        stride = self.input_size[0] / self.cells[0], self.input_size[1] / self.cells[1]
        axes = ((affine.yy, affine.y0), (affine.xx, affine.x0))
        # The picture is one pixel that covers it all.
        inside = [
            overlap(1, scale * pixels, offset + scale * (pixels - 1) / 2, cells, step)[:, 0]
            for (scale, offset), pixels, cells, step in zip(axes, scene.image_size, self.cells, stride, strict=True)
        ]
        mask = np.outer(*inside)
        if scene.ignored is not None:
            ys, xs = (
                np.asarray((np.arange(cells + 1) * step - 0.5 - offset) / scale + 0.5, np.float64)
                for (scale, offset), cells, step in zip(axes, self.cells, stride, strict=True)
            )
            mask -= _area(scene.ignored, ys, xs) * (affine.xx * affine.yy / (stride[0] * stride[1]))
        return np.clip(mask, 0, 1, dtype=np.float32, casting="same_kind")[None]


def _area(region: Region, ys: NDArray[np.float64], xs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Measure the region's area in each cell of a grid with edges `ys` (h + 1,) and `xs` (w + 1,), in image pixels.

    A summed-area table (Crow, "Summed-area tables for texture mapping", SIGGRAPH 1984) gives the area above and left of
    every pixel's corner; between the corners that area is bilinear, so that cutting pixels is exact.

    Returns
    -------
    (h, w) in pixels.
    """
    table = cv2.integral(region.pixels).astype(np.float64)
    rows = _interpolate(table, ys - region.y)
    corners = _interpolate(np.ascontiguousarray(rows.T), xs - region.x).T
    return np.diff(np.diff(corners, axis=0), axis=1)


def _interpolate(table: NDArray[np.float64], at: NDArray[np.float64]) -> NDArray[np.float64]:
    """Read rows of a table between its rows, linearly."""
    at = np.clip(at, 0, len(table) - 1)
    low = np.minimum(at.astype(np.intp), len(table) - 2)
    fraction = (at - low)[:, None]
    return table[low] * (1 - fraction) + table[low + 1] * fraction
