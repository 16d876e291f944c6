"""Part affinity fields: along every limb the unit vector from its first keypoint to its second.

Definition
----------
Two channels a limb: 2e is x and 2e + 1 is y of limb e. A limb from a to b is drawn if both of its keypoints are and a
is not b; u is its unit vector. Where several people's limbs cover a pixel or a cell, their mean counts.

- drawn on the `pixels`: the pixels x in [max(0, int(min(ax, bx) - half_width)), min(W, int(max(ax, bx) + half_width))),
  y likewise, with |cross(p - a, u)| <= half_width have the value u; then the grid reduces them to cells.
- drawn on the `cells`: points are divided by the stride, without the half cell by which a cell's middle lies from its
  edge; the cells x in [round(min(ax, bx) - half_width), round(max(ax, bx) + half_width)), y likewise, with |cross(p -
  a, u)| <= half_width have the value u, half_width in cells. round() takes halves to the even number.

Place of a cell
---------------
On the pixels, cell i of w lies at input pixel x = (i + 0.5) s - 0.5, with the stride s = W / w; y alike. On the cells
it lies at x = i s.

Decoded
-------
Peaks of the heatmaps are joined to people; see `posegen.labels.decode.limbs`. Both kinds of fields are read at the
place of a heatmap's cells, as OpenPose reads them. Those on the cells do not lie quite there: at stride 8 the middle of
a limb of COCO's people is between one and two pixels to the left of its field's, and half a pixel to a pixel above it,
since points are divided without the half cell, and boxes end before their last cell.

Source
------
Cao et al., Realtime Multi-Person 2D Pose Estimation using Part Affinity Fields (arXiv:1611.08050). On the pixels as
tf-pose-estimation draws them; on the cells as OpenPose's training code does (`putVectorMaps` in its Caffe's
oPDataTransformer.cpp).

Known differences
-----------------
- Where limbs of several people meet, tf-pose-estimation divides the last one's vector by their number, which halves two
  that agree. Here is the mean.
- C, and so OpenPose, rounds halves away from 0. Here they become even.

Flipped
-------
On the pixels limbs change places, and x its sign; where the skeleton has a limb's mirror image the other way round, y
does instead. A limb's box is rounded down on both sides, so that two columns of pixels at its ends are not their own
mirror images. On the cells it cannot be: they are counted from the left edge of the first pixel, not from its middle.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posegen.geometry import Size
from posegen.labels.base import ArraySpec, Label
from posegen.labels.cells import count_up, divide_shared, find_shared, to_cells
from posegen.labels.decode.limbs import LimbJoiner
from posegen.labels.grid import Grid, make_grid
from posegen.labels.mirror import LOPSIDED, UNSAID, ChannelMirror, mirror_limbs
from posegen.labels.registry import LabelContext
from posegen.labels.scene import Scene

_BLOCK = 1 << 14
"""Positions drawn at once: enough to spread the cost of a NumPy call, few enough to stay in the cache."""

_FLAT = 1e-6
"""How little a limb may rise, for its length, to be taken as level."""

_ROUNDING_PX = 1e-3
"""What rounding may not take from a strip whose pixels are looked at one by one later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PafLabel(LimbJoiner):
    """Unit vectors on all pixels near a limb; where several people's limbs cover a pixel, their mean.

    This module's docstring defines them.

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
    round_box
        Whether the edges of the limb's box are rounded to pixels, and not cut off as int() does.
    mirror
        Of its channels.
    """

    grid: Grid
    limbs: tuple[tuple[int, int], ...]
    limb_names: tuple[str, ...]
    half_width_px: float
    round_box: bool = False
    mirror: ChannelMirror | str = UNSAID

    @property
    def spec(self) -> ArraySpec:
        """The array that `render` makes."""
        channels = tuple(f"{name}:{axis}" for name in self.limb_names for axis in "xy")
        return ArraySpec(name="paf", channels=channels, cells=self.grid.cells, low=-1.0, mirror=self.mirror)

    def render(self, scene: Scene) -> NDArray[np.float32]:
        """Draw (2E, h, w) float32 from -1 to 1."""
        return self.render_many([scene])[0]

    def render_many(self, scenes: Sequence[Scene]) -> NDArray[np.float32]:
        """Draw (S, 2E, h, w) float32 of S scenes: what `render` gives, sooner."""
        grid, (h, w) = self.grid, self.grid.cells
        out = np.zeros((len(scenes), 2 * len(self.limbs), h, w), np.float32)
        flat = out.reshape(-1)
        limbs = self._list_limbs(scenes)
        for limb, row, column, near in limbs.blocks(max(1, _BLOCK // grid.taps**2)):
            share, place = near.astype(np.float32), row * w + column + limbs.kind.take(limb) * (2 * h * w)
            last, earlier = find_shared(place, flat.view(np.int32))
            if len(earlier):
                divide_shared(share, last, earlier)
            y, x = limbs.unit.take(limb, axis=1) * grid.reduce(share, row, column)
            # What is written last to a cell stays; where limbs of a kind meet, the others are added to it.
            for channel, values in ((place, x), (place + h * w, y)):
                flat[channel] = values
                np.add.at(flat, channel[earlier], values[earlier])
        return out

    def to_field(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Map input pixels (..., 2) x, y to the field's cells."""
        return to_cells(points, self.grid.input_size, self.grid.cells)

    def _list_limbs(self, scenes: Sequence[Scene]) -> _Limbs:
        """List the limbs to draw, those of no length left out, kind by kind."""
        a, b = np.array(self.limbs, np.intp).reshape(-1, 2).T
        drawn = np.concatenate([scene.drawn for scene in scenes])
        points = np.concatenate([scene.points for scene in scenes])[..., ::-1]
        image = np.repeat(np.arange(len(scenes)), [len(scene.drawn) for scene in scenes])
        person, limb = np.nonzero(drawn[:, a] & drawn[:, b])
        kind = image[person] * len(self.limbs) + limb
        order = np.argsort(kind, kind="stable")
        person, limb = person[order], limb[order]
        start, stop = points[person, a[limb]].T, points[person, b[limb]].T
        long = np.flatnonzero((start != stop).any(axis=0))
        whole = np.rint if self.round_box else np.trunc
        return _Limbs(self.grid, kind[order][long], start[:, long], stop[:, long], self.half_width_px, whole=whole)


@dataclass(frozen=True, slots=True, kw_only=True)
class CellPafLabel(LimbJoiner):
    """The part affinity fields of OpenPose's training code, drawn on the cells; this module's docstring defines them.

    Parameters
    ----------
    input_size, cells
        (H, W) in pixels and (h, w).
    limbs
        E pairs of keypoint indices (from, to).
    limb_names
        Their E names.
    half_width_cells
        How far from the limb's line the field reaches, in cells.
    """

    input_size: Size
    cells: Size
    limbs: tuple[tuple[int, int], ...]
    limb_names: tuple[str, ...]
    half_width_cells: float

    @property
    def spec(self) -> ArraySpec:
        """The array that `render` makes."""
        return self._on_cells.spec

    def render(self, scene: Scene) -> NDArray[np.float32]:
        """Draw (2E, h, w) float32 from -1 to 1; channel 2e is the x and 2e + 1 the y of limb e."""
        return self.render_many([scene])[0]

    def render_many(self, scenes: Sequence[Scene]) -> NDArray[np.float32]:
        """Draw (S, 2E, h, w) float32 of S scenes: what `render` gives, sooner."""
        stride = np.divide(self.input_size, self.cells)[::-1]
        return self._on_cells.render_many([dataclasses.replace(s, points=s.points / stride) for s in scenes])

    def to_field(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Map input pixels (..., 2) x, y to the field's cells."""
        return to_cells(points, self.input_size, self.cells)

    @property
    def _on_cells(self) -> PafLabel:
        """The label whose pixels are these cells."""
        return PafLabel(
            grid=make_grid("point", self.cells, self.cells),
            limbs=self.limbs,
            limb_names=self.limb_names,
            half_width_px=self.half_width_cells,
            round_box=True,
            mirror=LOPSIDED,
        )


def create(context: LabelContext) -> tuple[Label, ...]:
    """Make the label `paf`, unless there are no limbs."""
    context.read_options()
    skeleton, grid, half_width = context.skeleton, context.grid, context.half_width_px
    limbs, names = skeleton.limbs, skeleton.limb_names
    if not limbs:
        return ()
    if context.paf == "pixels":
        mirror = mirror_limbs(skeleton, vectors=True)
        return (PafLabel(grid=grid, limbs=limbs, limb_names=names, half_width_px=half_width, mirror=mirror),)
    of_cells = half_width * grid.cells[1] / grid.input_size[1]
    label = CellPafLabel(
        input_size=grid.input_size, cells=grid.cells, limbs=limbs, limb_names=names, half_width_cells=of_cells
    )
    return (label,)


class _Limbs:
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
