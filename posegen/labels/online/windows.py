"""What the renderers on tensors share: a grid taken apart into its axes, and how far a Gaussian reaches on each.

A keypoint draws on a window of cells whose size depends on the configuration alone, so any number of keypoints is one
broadcast, and the people merge by one segmented maximum.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posegen.errors import ConfigError
from posegen.geometry import Size
from posegen.labels.gaussians import THRESHOLD
from posegen.labels.grid import Grid, GridKind, count_cells, make_grid

CUT = math.exp(-THRESHOLD)
"""Where a Gaussian is cut, as its value."""

FARTHEST = 1e15
"""Pixels: farther points are refused, as `posegen.render_heatmap` refuses them."""

_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Axis:
    """The rows or the columns of a grid, and the window that a Gaussian reaches among them.

    Attributes
    ----------
    positions
        (cells, t) float64: the taps of each cell, in input pixels.
    weights
        (cells, t) float32: how much each counts.
    pixels
        Of the input along this axis.
    stride
        Pixels a cell.
    before
        A Gaussian around c has its first cell at ceil((c - before) / stride), or later.
    reach
        How far a Gaussian reaches, in pixels.
    window
        How many cells, at the most, it reaches.
    """

    positions: NDArray[np.float64]
    weights: NDArray[np.float32]
    pixels: int
    stride: float
    before: float
    reach: float
    window: int

    @property
    def cells(self) -> int:
        """How many cells there are."""
        return len(self.positions)


def lay_axes(input_size: Size, stride: float, sigma: float, grid: GridKind) -> tuple[Axis, Axis]:
    """Lay the rows and the columns of a heatmap; the arguments are those of `posegen.render_heatmap`.

    Raises
    ------
    ConfigError
        If `sigma` is not positive, the grid unknown, or the stride leaves no whole grid.
    """
    if not 0 < sigma < math.inf:
        raise ConfigError(f"sigma must be above 0 input pixels, not {sigma}")
    height, width = input_size
    return lay_grid(make_grid(grid, (height, width), count_cells((height, width), stride)), sigma)


def lay_grid(made: Grid, sigma: float) -> tuple[Axis, Axis]:
    """Lay the rows and the columns of a grid, for Gaussians of `sigma` input pixels."""
    reach = math.sqrt(2 * THRESHOLD) * sigma
    windows = made.count_cells(2 * reach)

    def lay(i: int) -> Axis:
        cells, step = made.cells[i], float(made.stride[i, 0])
        return Axis(
            positions=np.ascontiguousarray(made.positions[:, i, :cells].T),
            weights=np.ascontiguousarray(made.weights[:, i, :cells].T),
            pixels=made.input_size[i],
            stride=step,
            before=reach + float(made.span[1, i, 0]) + _ROUNDING * step,
            reach=reach,
            window=windows[i],
        )

    return lay(0), lay(1)


def check_shapes(points: tuple[int | None, ...], drawn: tuple[int | None, ...], axes: str) -> None:
    """Refuse shapes that do not fit together; `axes` names those of `drawn`, as in "N, K". None fits everything."""
    expected = (*drawn, 2)
    fits = len(drawn) == len(axes.split(", ")) and len(points) == len(expected) and drawn[-1] != 0
    if not fits or any(a != b for a, b in zip(points, expected, strict=True) if None not in {a, b}):
        raise ConfigError(f"points must be ({axes}, 2) and drawn ({axes}), not {points} and {drawn}")
