"""Part affinity fields: along every limb the unit vector from its first keypoint to its second."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posegen.grid import Grid
from posegen.labels.base import ArraySpec, Scene

_BLOCK = 1 << 17
"""Positions drawn at once: enough to spread the cost of a NumPy call, few enough to stay in the cache."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PafLabel:
    """Unit vectors on all pixels near a limb; where several people's limbs cover a pixel, their mean.

    The part affinity fields of Cao et al. (arXiv:1611.08050): for a limb from a to b with unit vector u, the pixels x
    in [max(0, int(min(ax, bx) - half_width)), min(W, int(max(ax, bx) + half_width))), y likewise, with
    |cross(p - a, u)| <= half_width have the value u.

    Parameters
    ----------
    grid
        Where to draw.
    limbs
        E pairs of keypoint indices (from, to).
    limb_names
        Their E names.
    half_width_px
        How far from the limb's line the field reaches, in input pixels.
    """

    grid: Grid
    limbs: tuple[tuple[int, int], ...]
    limb_names: tuple[str, ...]
    half_width_px: float

    @property
    def spec(self) -> ArraySpec:
        """The array that `render` makes."""
        channels = tuple(f"{name}:{axis}" for name in self.limb_names for axis in "xy")
        return ArraySpec(name="paf", channels=channels, cells=self.grid.cells, signed=True)

    def render(self, scene: Scene) -> NDArray[np.float32]:
        """Draw (2E, h, w) float32 from -1 to 1; channel 2e is the x and 2e + 1 the y of limb e."""
        (h, w), (a, b) = self.grid.cells, np.array(self.limbs, np.intp).reshape(-1, 2).T
        out = np.zeros(len(self.limbs) * 2 * h * w, np.float32)
        limb, person = np.nonzero((scene.drawn[:, a] & scene.drawn[:, b]).T)
        start = scene.points[person, a[limb], ::-1].T
        along = scene.points[person, b[limb], ::-1].T - start
        if not along.any(axis=0).all():
            long = along.any(axis=0)
            limb, start, along = limb[long], start[:, long], along[:, long]
        # Limbs that several people have come first: their taps have to be counted before they are averaged.
        crowded = np.bincount(limb, minlength=len(self.limbs)) > 1
        order = np.argsort(~crowded[limb], kind="stable")
        limb, start, along = limb[order], start[:, order], along[:, order]
        boxes = self._boxes(start, along)
        first, count = _windows(self.grid, boxes)
        for block in _blocks(limb, count[0] * count[1], _BLOCK // self.grid.taps**2):
            cells = _cells_of(first[:, block], count[:, block])
            self._draw(limb[block], start[:, block], along[:, block], boxes[..., block], cells, crowded, out)
        return out.reshape(-1, h, w)

    def _boxes(self, start: NDArray[np.float64], along: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (2, 2, L): from which y and x on, and up to which, the pixels of each limb lie."""
        stop, frame = start + along, np.array(self.grid.input_size)[:, None]
        low = np.maximum(np.trunc(np.minimum(start, stop) - self.half_width_px), 0)
        high = np.minimum(np.trunc(np.maximum(start, stop) + self.half_width_px), frame)
        return np.stack([low, high])

    def _draw(
        self,
        limb: NDArray[np.intp],
        start: NDArray[np.float64],
        along: NDArray[np.float64],
        boxes: NDArray[np.float64],
        cells: tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]],
        crowded: NDArray[np.bool_],
        out: NDArray[np.float32],
    ) -> None:
        """Add the fields of L limbs, all those of a kind together, to `out` (2E * h * w)."""
        grid, (h, w) = self.grid, self.grid.cells
        item, row, column = cells
        length = np.hypot(along[0], along[1])
        # The cross product with the limb itself, not its unit vector: whole coordinates stay exact. It is the difference
        # of a term of the columns and one of the rows, which outside the box is not a number and so near nothing.
        at = grid.positions[:, :, None]
        terms = (at - start[:, :, None]) * along[::-1, :, None]
        np.copyto(terms, np.nan, where=(at < boxes[0, :, :, None]) | (at >= boxes[1, :, :, None]))
        terms = terms.reshape(grid.taps, 2, -1)
        longest = grid.positions.shape[2]
        of_row = terms[:, 0].take(item * longest + row, axis=1)
        of_column = terms[:, 1].take(item * longest + column, axis=1)
        cross = of_column - of_row[:, None]
        share = (np.abs(cross, out=cross) <= (self.half_width_px * length)[item]).astype(np.float32)
        cell, limb_of = row * w + column, limb[item]
        split = int(np.searchsorted(~crowded[limb_of], True))
        if split:
            _average(share[..., :split], cell[:split], limb_of[:split], crowded, h * w)
        unit = (along / length).astype(np.float32)
        value = unit[:, item] * grid.reduce(share, row, column)
        target = cell + limb_of * (2 * h * w)
        np.add.at(out, target, value[1])
        np.add.at(out, target + h * w, value[0])


def _windows(grid: Grid, boxes: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the first (2, L) row and column of the cells that boxes of pixels can touch, and how many of each."""
    cells = np.array(grid.cells)[:, None]
    first = np.maximum(grid.cell_of(boxes[0]) - grid.slack, 0)
    stop = np.minimum(grid.cell_of(boxes[1]) + 1 + grid.slack, cells)
    return first, np.maximum(np.where(boxes[0] < boxes[1], stop - first, 0), 0)


def _blocks(limb: NDArray[np.intp], sizes: NDArray[np.intp], limit: int) -> Iterator[slice]:
    """Cut L limbs of some `sizes` into runs of at most `limit` cells that keep all those of a kind together."""
    total = np.concatenate([[0], np.cumsum(sizes)])
    start = stop = 0
    for end in (np.flatnonzero(np.diff(limb, append=-1)) + 1).tolist():
        if stop > start and total[end] - total[start] > limit:
            yield slice(start, stop)
            start = stop
        stop = end
    if stop > start:
        yield slice(start, stop)


def _cells_of(
    first: NDArray[np.intp], count: NDArray[np.intp]
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """List all cells of L windows (2, L): of which window, in which row, in which column, each (T,)."""
    sizes = count[0] * count[1]
    item = np.repeat(np.arange(len(sizes)), sizes)
    within = np.arange(len(item)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    row, column = np.divmod(within, count[1].take(item))
    row += first[0].take(item)
    column += first[1].take(item)
    return item, row, column


def _average(
    share: NDArray[np.float32],
    cell: NDArray[np.intp],
    limb: NDArray[np.intp],
    crowded: NDArray[np.bool_],
    cells: int,
) -> None:
    """Divide `share` (t, t, T), in place, by the number of people whose limb covers each tap."""
    index = cell + (np.cumsum(crowded) - 1)[limb] * cells
    for tap in np.ndindex(share.shape[:2]):
        count = np.bincount(index, weights=share[tap])
        share[tap] /= np.maximum(count.take(index), 1)
