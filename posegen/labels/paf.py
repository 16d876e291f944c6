"""Part affinity fields: along every limb the unit vector from its first keypoint to its second."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posegen.grid import Grid
from posegen.labels.base import ArraySpec, Scene
from posegen.labels.registry import LabelContext

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
        return ArraySpec(name="paf", channels=channels, cells=self.grid.cells, low=-1.0)

    def render(self, scene: Scene) -> NDArray[np.float32]:
        """Draw (2E, h, w) float32 from -1 to 1; channel 2e is the x and 2e + 1 the y of limb e."""
        (h, w), (a, b) = self.grid.cells, np.array(self.limbs, np.intp).reshape(-1, 2).T
        out = np.zeros(len(self.limbs) * 2 * h * w, np.float32)
        kind, person = np.nonzero((scene.drawn[:, a] & scene.drawn[:, b]).T)
        start = scene.points[person, a[kind], ::-1].T
        stop = scene.points[person, b[kind], ::-1].T
        long = (start != stop).any(axis=0)
        # Limbs that several people have come first: their taps have to be counted before they are averaged.
        crowded = np.bincount(kind, weights=long, minlength=len(self.limbs)) > 1
        order = np.argsort(~crowded[kind], kind="stable")
        order = order[long[order]]
        limbs = _Limbs(self.grid, kind[order], start[:, order], stop[:, order], self.half_width_px)
        for block in limbs.blocks(_BLOCK // self.grid.taps**2):
            block.draw(crowded, out)
        return out.reshape(-1, h, w)


def create(context: LabelContext) -> tuple[PafLabel, ...]:
    """Make the label `paf`, unless there are no limbs."""
    context.read_options()
    skeleton = context.skeleton
    label = PafLabel(
        grid=context.grid,
        limbs=skeleton.limbs,
        limb_names=skeleton.limb_names,
        half_width_px=context.half_width_px,
    )
    return (label,) if skeleton.limbs else ()


class _Limbs:
    """L limbs on a grid, those of a kind together.

    Parameters
    ----------
    grid
        Where they lie.
    kind
        (L,) which of the skeleton's limbs they are.
    start, stop
        (2, L) y and x of their ends, in input pixels.
    half_width
        In input pixels.
    """

    def __init__(
        self,
        grid: Grid,
        kind: NDArray[np.intp],
        start: NDArray[np.float64],
        stop: NDArray[np.float64],
        half_width: float,
    ) -> None:
        self.grid, self.kind, self.start, self.stop, self.half_width = grid, kind, start, stop, half_width
        self.along = stop - start
        # From which y and x on, and up to which, the pixels of each limb lie; and the cells that can touch these.
        size = np.array([grid.input_size, grid.cells])[..., None]
        self.low = np.maximum(np.trunc(np.minimum(start, stop) - half_width), 0)
        self.high = np.minimum(np.trunc(np.maximum(start, stop) + half_width), size[0])
        self.first = np.maximum(grid.first_cell(self.low), 0)
        self.count = np.maximum(np.minimum(grid.stop_cell(self.high), size[1]) - self.first, 0)

    def blocks(self, limit: int) -> Iterator[_Limbs]:
        """Cut into runs of at most `limit` cells that keep all limbs of a kind together."""
        sizes = self.count[0] * self.count[1]
        if sizes.sum() <= limit:
            yield self
            return
        total = np.concatenate([[0], np.cumsum(sizes)])
        start = stop = 0
        for end in (np.flatnonzero(np.diff(self.kind, append=-1)) + 1).tolist():
            if stop > start and total[end] - total[start] > limit:
                yield self._take(slice(start, stop))
                start = stop
            stop = end
        if stop > start:
            yield self._take(slice(start, stop))

    def draw(self, crowded: NDArray[np.bool_], out: NDArray[np.float32]) -> None:
        """Add the fields to `out` (2E * h * w); the kinds that several people have, `crowded` (E,), come first."""
        grid, (h, w) = self.grid, self.grid.cells
        limb, row, column = self._cells()
        share = self._near(limb, row, column).astype(np.float32)
        cell, kind = row * w + column, self.kind[limb]
        several = int(np.count_nonzero(crowded[kind]))
        if several:
            index = cell[:several] + (np.cumsum(crowded) - 1)[kind[:several]] * (h * w)
            for tap in np.ndindex(share.shape[:2]):
                people = np.bincount(index, weights=share[tap][:several])
                share[tap][:several] /= np.maximum(people.take(index), 1)
        unit = (self.along / np.hypot(self.along[0], self.along[1])).astype(np.float32)
        y, x = unit[:, limb] * grid.reduce(share, row, column)
        target = cell + kind * (2 * h * w)
        np.add.at(out, target, x)
        np.add.at(out, target + h * w, y)

    def _take(self, some: slice) -> _Limbs:
        return _Limbs(self.grid, self.kind[some], self.start[:, some], self.stop[:, some], self.half_width)

    def _cells(self) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
        """List the cells that each limb's pixels can touch: which limb, in which row, in which column, each (T,)."""
        sizes = self.count[0] * self.count[1]
        limb = np.repeat(np.arange(len(sizes)), sizes)
        within = np.arange(len(limb)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        row, column = np.divmod(within, self.count[1].take(limb))
        row += self.first[0].take(limb)
        column += self.first[1].take(limb)
        return limb, row, column

    def _near(self, limb: NDArray[np.intp], row: NDArray[np.intp], column: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Tell at which taps (t, t, T) of the listed cells the field is."""
        grid, longest = self.grid, self.grid.positions.shape[2]
        # The cross product with the limb itself, not its unit vector: whole coordinates stay exact. It is the
        # difference of a term of the columns and one of the rows, which outside the box is not a number: near nothing.
        at = grid.positions[:, :, None]
        terms = (at - self.start[:, :, None]) * self.along[::-1, :, None]
        np.putmask(terms, (at < self.low[..., None]) | (at >= self.high[..., None]), np.nan)
        terms = terms.reshape(grid.taps, 2, -1)
        of_row = terms[:, 0].take(limb * longest + row, axis=1)
        of_column = terms[:, 1].take(limb * longest + column, axis=1)
        cross = of_column - of_row[:, None]
        reach = self.half_width * np.hypot(self.along[0], self.along[1])
        return np.abs(cross, out=cross) <= reach.take(limb)
