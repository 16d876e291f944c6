"""Gaussians on the cells that they can reach, of many keypoints at once."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from posegen.labels.grid import Grid

THRESHOLD = 4.6052
"""Half squared distance in sigmas beyond which a Gaussian is cut, where it has fallen to 1 %."""

CUT = math.exp(-THRESHOLD)
REACH = math.sqrt(2 * THRESHOLD)
"""In sigmas."""

BLOCK = 256
"""Keypoints drawn at once: enough to spread the cost of a NumPy call, few enough to stay in the cache."""

_FEW_VALUES = 1 << 10
"""Of a keypoint that has fewer values, so many times more are drawn at once: it takes less time."""


class Gaussians:
    """M Gaussians on a grid, each on the n x m cells that the widest of them can reach.

    Parameters
    ----------
    grid
        Where they lie.
    channel
        (M,) the channel of each, counted over all scenes, in order.
    centre
        (2, M) y and x in input pixels.
    sigma
        (M,) in input pixels.
    """

    def __init__(
        self, grid: Grid, channel: NDArray[np.intp], centre: NDArray[np.float64], sigma: NDArray[np.float64]
    ) -> None:
        self.grid, self.channel, self.centre, self.sigma = grid, channel, centre, sigma
        self.reach = REACH * sigma
        self.extent = grid.count_cells(2 * self.reach.max(initial=0))
        most = np.array([[cells - n] for cells, n in zip(grid.cells, self.extent, strict=True)])
        self.first = np.minimum(np.maximum(grid.first_cell(centre - self.reach), 0), most)

    def blocks(self) -> Iterator[slice]:
        """Cut them into blocks, each of which ends with the channel in which it becomes full; crowds have their own."""
        if len(self.channel) <= BLOCK:
            # As those of one image are.
            yield from [slice(0, len(self.channel))][: len(self.channel)]
            return
        most = BLOCK * max(1, _FEW_VALUES // (self.grid.taps**2 * math.prod(self.extent) or 1))
        ends = np.flatnonzero(np.diff(self.channel, append=-1)) + 1
        crowd = np.diff(ends, prepend=0) > BLOCK
        cut = crowd | (np.diff(ends // most, append=-1) != 0)
        cut[:-1] |= crowd[1:]
        start = 0
        for stop in ends[cut].tolist():
            yield slice(start, stop)
            start = stop

    def draw(self, some: slice) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
        """Draw some of them.

        Returns
        -------
        The rows (n, 1, M) and columns (1, m, M) of the cells, and the values (t, t, n * m * M) at their taps. Gaussians
        are the last axis, for NumPy's inner loops to be long.
        """
        grid, (n, m) = self.grid, self.extent
        first, centre, reach = self.first[:, some], self.centre[:, some], self.reach[some]
        # Both axes at once: the shorter one is drawn as far as the longer one and cut afterwards.
        cells = first[:, None] + np.arange(max(n, m))[:, None]
        if n != m:
            cells = np.minimum(cells, np.array(grid.cells)[:, None, None] - 1)
        at = grid.positions_at(cells)
        # exp(-d) is the product of one factor an axis, in float64, where it tells d < THRESHOLD as well as d does.
        factors = at - centre[:, None]
        factors *= factors
        factors *= -0.5 / self.sigma[some] ** 2
        np.exp(factors, out=factors)
        # On the near side the Gaussian ends before its box does; on the far side int() cuts into it.
        size = np.array(grid.input_size)[:, None]
        factors *= at < np.trunc(np.minimum(centre + reach, size))[:, None]
        values = factors[:, None, 0, :n, None] * factors[None, :, 1, None, :m]
        values *= values > CUT
        return cells[0, :n, None], cells[1, None, :m], values.reshape(*values.shape[:2], -1).astype(np.float32)
