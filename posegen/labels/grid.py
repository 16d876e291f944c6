"""At which input pixels a label is needed, and how the values there become cells.

A label is a function of input pixels; a network predicts it on a coarser grid of cells. Reducing a full-resolution map
by `cv2.resize(INTER_LINEAR)` at stride 8 reads 4 of every 64 pixels, and a `Grid` says which. A label renders at
`Grid.positions` and calls `Grid.reduce`: it never knows which sampling it serves, and no pixel is rendered that no cell
reads.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from posegen.errors import ConfigError
from posegen.geometry import Size, overlap

GridKind = Literal["bilinear", "area", "point"]

_ROUNDING = 1e-9
"""In cells: what the rounding of a quotient may not decide."""


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """h x w cells over an input of H x W pixels, each reading t x t positions ("taps").

    Attributes
    ----------
    kind
        `bilinear` reads two taps an axis as `cv2.resize(INTER_LINEAR)` does, `point` one, `area` all of the cell.
    input_size, cells
        (H, W) in pixels and (h, w).
    positions
        (t, 2, max(h, w)) float64: for each tap, the rows then the columns of the cells' taps, in input pixels. Taps
        come first so that one tap of all cells is one block of memory, and reducing is a sum of whole blocks. The
        shorter axis repeats its last cell, which nobody reads.
    weights
        (t, 2, max(h, w)) float32: how much each tap counts; a cell's add up to 1 along each axis.
    even
        Whether all taps count alike.
    stride
        (2, 1) float64: pixels a cell along y and x.
    span
        (2, 2, 1) float64: along y and x, how far after the start of its cell (its index times the stride) the first tap
        lies at the least, and the last at the most.
    """

    kind: GridKind
    input_size: Size
    cells: Size
    positions: NDArray[np.float64]
    weights: NDArray[np.float32]
    even: bool
    stride: NDArray[np.float64]
    span: NDArray[np.float64]

    @property
    def taps(self) -> int:
        """Positions a cell and axis (t)."""
        return self.positions.shape[0]

    def first_cell(self, pixels: NDArray[np.float64]) -> NDArray[np.intp]:
        """Find, for y and x (2, ...) in input pixels, the first cell that can have a tap at or after them."""
        return np.ceil((pixels - self.span[1]) / self.stride - _ROUNDING).astype(np.intp)

    def stop_cell(self, pixels: NDArray[np.float64]) -> NDArray[np.intp]:
        """Find, for y and x (2, ...) in input pixels, the first cell that can have no tap before them."""
        return np.ceil((pixels - self.span[0]) / self.stride + _ROUNDING).astype(np.intp)

    def count_cells(self, length: float) -> Size:
        """Count how many rows and columns, at the most, can have a tap in an interval of some pixels."""
        return _count_reached(self, length)

    def positions_at(self, cells: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return the taps (t, 2, ...), in input pixels, of the cells (2, ...), rows then columns, inside the grid."""
        index = cells.copy()
        index[1] += self.positions.shape[2]
        return self.positions.reshape(self.taps, -1).take(index, axis=1)

    def reduce(
        self,
        values: NDArray[np.float32],
        rows: NDArray[np.int64] | None = None,
        columns: NDArray[np.int64] | None = None,
    ) -> NDArray[np.float32]:
        """Reduce the values at the taps of some cells to the values of the cells.

        Parameters
        ----------
        values
            (t, t, ...) float32: for each tap of y and each of x, the values there.
        rows, columns
            Which cells these are, broadcasting against `...`; by default `...` ends in all h x w.

        Returns
        -------
        (...) float32.
        """
        taps = self.taps
        if taps == 1:
            return values[0, 0]
        if self.even:
            total = np.add.reduce(values.reshape(taps * taps, -1), axis=0)
            total *= np.float32(1 / taps**2)
            return total.reshape(values.shape[2:])
        if rows is None or columns is None:
            rows, columns = np.ogrid[: self.cells[0], : self.cells[1]]
        total = np.zeros(values.shape[2:], np.float32)
        if taps > 2:
            # Line by line, so that no sum is as long as a cell has pixels: in float32 these are off by more than 1e-6.
            shares = [self.weights[j, 1][columns] for j in range(taps)]
            for i in range(taps):
                line = values[i, 0] * shares[0]
                for j in range(1, taps):
                    line += values[i, j] * shares[j]
                total += line * self.weights[i, 0][rows]
            return total
        for i in range(taps):
            for j in range(taps):
                total += values[i, j] * (self.weights[i, 0][rows] * self.weights[j, 1][columns])
        return total


@lru_cache(maxsize=256)
def _count_reached(grid: Grid, length: float) -> Size:
    most = (length + grid.span[1] - grid.span[0]) / grid.stride + _ROUNDING
    return min(int(most[0, 0]) + 1, grid.cells[0]), min(int(most[1, 0]) + 1, grid.cells[1])


@lru_cache(maxsize=64)
def make_grid(kind: GridKind, input_size: Size, cells: Size) -> Grid:
    """Lay a grid of `cells` over an input of `input_size`, both (height, width).

    Raises
    ------
    ConfigError
        If `kind` is unknown, or there are no cells, or more cells than pixels.
    """
    if kind not in _AXES:
        raise ConfigError(f"grid must be one of {', '.join(_AXES)}, not '{kind}'")
    for name, pixels, count in zip(("rows", "columns"), input_size, cells, strict=True):
        if not 1 <= count <= pixels:
            raise ConfigError(f"a label grid of {count} {name} needs an input of at least as many pixels, not {pixels}")
    axes = [_AXES[kind](pixels, count) for pixels, count in zip(input_size, cells, strict=True)]
    shape = (max(len(taps) for taps, _ in axes), 2, max(cells))
    positions, weights = np.empty(shape), np.zeros(shape, np.float32)
    for axis, (taps, shares) in enumerate(axes):
        beyond = (0, shape[2] - taps.shape[1])
        positions[:, axis] = np.pad(taps, ((0, shape[0] - len(taps)), beyond), mode="edge")
        weights[: len(taps), axis] = np.pad(shares, ((0, 0), beyond), mode="edge")
    stride = np.divide(input_size, cells).reshape(2, 1)
    offsets = positions - stride * np.arange(shape[2])
    # The repeats of a shorter axis' last cell are no cells of it.
    used = [offsets[:, axis, : cells[axis]] for axis in (0, 1)]
    span = np.array([[taps.min() for taps in used], [taps.max() for taps in used]])[..., None]
    for array in (positions, weights, stride, span):
        array.setflags(write=False)
    even = bool((weights == weights[0, 0, 0]).all())
    return Grid(kind, input_size, cells, positions, weights, even, stride, span)


def count_cells(input_size: Size, stride: float) -> Size:
    """Return the (h, w) cells of an input of (H, W) pixels. Raises `ConfigError` unless both are whole."""
    cells = tuple(round(pixels / stride) if stride > 0 else 0 for pixels in input_size)
    if not all(n >= 1 and abs(n * stride - p) <= 1e-6 * p for n, p in zip(cells, input_size, strict=True)):
        raise ConfigError(
            f"a stride of {stride:g} does not divide the input size {input_size[1]}x{input_size[0]} into whole cells"
        )
    return cells[0], cells[1]


def _bilinear(pixels: int, cells: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Read source position f = (i + 0.5) (N/n) - 0.5 from floor(f) and floor(f) + 1, clamped at the border."""
    f = (np.arange(cells) + 0.5) * (pixels / cells) - 0.5
    low = np.floor(f)
    fraction = f - low
    if not fraction.any():
        return low[None], np.ones((1, cells))
    taps = np.clip(np.stack([low, low + 1]), 0, pixels - 1)
    return taps.astype(np.float64), np.stack([1 - fraction, fraction]).astype(np.float64)


def _area(pixels: int, cells: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Read every pixel that a cell covers, weighted by how much of it the cell covers."""
    shares = overlap(pixels, 1.0, 0.0, cells, pixels / cells)
    shares[shares < 1e-9] = 0
    counts = (shares > 0).sum(axis=1)
    steps = np.arange(counts.max())[:, None]
    # A cell that covers fewer pixels than others reads its last one again, with no weight.
    taps = (shares > 0).argmax(axis=1) + np.minimum(steps, counts - 1)
    weights = np.where(steps < counts, np.take_along_axis(shares.T, taps, axis=0), 0)
    return taps.astype(np.float64), weights / weights.sum(axis=0)


def _point(pixels: int, cells: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Read the cell's centre, i * stride + (stride - 1) / 2."""
    stride = pixels / cells
    centres = np.arange(cells, dtype=np.float64) * stride + (stride - 1) / 2
    return centres[None], np.ones((1, cells))


_AXES = {"bilinear": _bilinear, "area": _area, "point": _point}
