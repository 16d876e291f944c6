"""The cells near limbs: bands along lines between keypoints, of many people at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from posegen.labels.cells import count_up
from posegen.labels.grid import Grid

_FLAT = 1e-6
"""How little a limb may rise, for its length, to be taken as level."""

_ROUNDING_PX = 1e-3
"""What rounding may not take from a strip whose pixels are looked at one by one later."""


class Limbs:
    """L limbs on a grid.

    Parameters
    ----------
    grid
        Where they lie.
    kind
        (L,) which limb of the skeleton each is, counted over all scenes, in order.
    start, stop
        (2, L) y and x of their ends, in input pixels.
    half_width
        In input pixels.
    whole
        Takes the edges of the limbs' boxes to whole pixels.
    """

    def __init__(
        self,
        grid: Grid,
        kind: NDArray[np.intp],
        start: NDArray[np.float64],
        stop: NDArray[np.float64],
        half_width: float,
        *,
        whole: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    ) -> None:
        self.grid, self.kind, self.start, self.half_width = grid, kind, start, half_width
        self.along = stop - start
        length = np.hypot(self.along[0], self.along[1])
        self.unit = (self.along / length).astype(np.float32)
        # The cross product with the limb itself, not its unit vector: whole coordinates stay exact.
        self.reach = half_width * length
        # From which y and x on, and up to which, the pixels of each limb lie; and the cells that can touch these.
        size = np.array([grid.input_size, grid.cells])[..., None]
        self.low = np.maximum(whole(np.minimum(start, stop) - half_width), 0)
        self.high = np.minimum(whole(np.maximum(start, stop) + half_width), size[0])
        self.begin = np.maximum(grid.first_cell(self.low), 0)
        self.end = np.maximum(np.minimum(grid.stop_cell(self.high), size[1]), self.begin)

    def blocks(
        self, limit: int
    ) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp], NDArray[np.bool_]]]:
        """List the cells that the limbs can touch, in blocks of about `limit` cells that keep a kind together.

        Yields
        ------
        Which limb, in which row and in which column (T,), and at which taps of them (t, t, T) the field is.
        """
        longest = self.grid.positions.shape[2]
        limb, row = count_up(self.begin[0], self.end[0])
        begin, end = self._find_strips(limb, row)
        of_row, of_column = self._find_terms(limb, row)
        stops = np.cumsum(end - begin)
        # A block ends with the kind in which it becomes full.
        last = np.flatnonzero(np.diff(self.kind[limb], append=-1))
        cuts = last[np.flatnonzero(np.diff(stops[last] // limit, append=-1))] + 1
        start = 0
        for stop in cuts.tolist():
            strip, column = count_up(begin[start:stop], end[start:stop])
            strip += start
            start = stop
            which = limb.take(strip)
            cross = of_column.take(which * longest + column, axis=1) - of_row.take(strip, axis=1)[:, None]
            yield which, row.take(strip), column, np.abs(cross, out=cross) <= self.reach.take(which)

    def _find_strips(self, limb: NDArray[np.intp], row: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Find, for rows of cells (R,) of limbs, from which column on and up to which the field can be."""
        rise, run = self.along
        steep = np.abs(rise) * self.half_width > _FLAT * self.reach
        slope = np.divide(run, rise, out=np.zeros_like(run), where=steep)
        spread = np.divide(self.reach, np.abs(rise), out=np.full_like(run, np.inf), where=steep) + _ROUNDING_PX
        middle = (self.grid.positions[:, 0].take(row, axis=1)[[0, -1]] - self.start[0, limb]) * slope[limb]
        middle += self.start[1, limb]
        edges = np.stack([middle.min(axis=0) - spread[limb], middle.max(axis=0) + spread[limb]])
        edges = np.clip(edges, self.low[1, limb], self.high[1, limb])
        begin = np.maximum(self.grid.first_cell(edges[[0, 0]])[1], self.begin[1, limb])
        end = np.minimum(self.grid.stop_cell(edges[[1, 1]])[1], self.end[1, limb])
        return begin, np.maximum(begin, end)

    def _find_terms(
        self, limb: NDArray[np.intp], row: NDArray[np.intp]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Compute the two terms whose difference is the cross product (p - a) x (b - a).

        Returns
        -------
        That of the taps (t, R) in rows of limbs, and that of the taps (t, L * longest) in all columns of each limb. Out
        of a limb's box they are not a number: near nothing.
        """
        y = self.grid.positions[:, 0].take(row, axis=1)
        of_row = (y - self.start[0, limb]) * self.along[1, limb]
        np.putmask(of_row, (y < self.low[0, limb]) | (y >= self.high[0, limb]), np.nan)
        x = self.grid.positions[:, 1, None]
        of_column = (x - self.start[1, :, None]) * self.along[0, :, None]
        np.putmask(of_column, (x < self.low[1, :, None]) | (x >= self.high[1, :, None]), np.nan)
        return of_row, of_column.reshape(len(x), -1)
