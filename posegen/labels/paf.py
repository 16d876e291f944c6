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

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from posegen.geometry import Size
from posegen.labels.bands import Limbs
from posegen.labels.base import ArraySpec, Label
from posegen.labels.cells import divide_shared, find_shared, to_cells
from posegen.labels.decode.limbs import LimbJoiner
from posegen.labels.drawn_cells import DrawnCells, recall_drawn
from posegen.labels.grid import Grid, make_grid
from posegen.labels.mirror import LOPSIDED, UNSAID, ChannelMirror, mirror_limbs
from posegen.labels.registry import LabelContext
from posegen.labels.scene import Scene

_BLOCK = 1 << 16
"""Positions drawn at once: enough to spread the cost of a NumPy call, few enough to stay in the cache."""


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
    shrink
        By what points are divided, along x and y, before they are drawn.
    mirror
        Of its channels.
    """

    draws_halves: ClassVar[bool] = True

    grid: Grid
    limbs: tuple[tuple[int, int], ...]
    limb_names: tuple[str, ...]
    half_width_px: float
    round_box: bool = False
    shrink: tuple[float, float] = (1.0, 1.0)
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
        out = np.zeros((len(scenes), 2 * len(self.limbs), *self.grid.cells), np.float32)
        self._draw(scenes, out.reshape(-1))
        return out

    def render_into(self, scenes: Sequence[Scene], out: NDArray[np.floating]) -> None:
        """Draw what `render_many` does into an array, float32 or float16."""
        out.fill(0)
        self._draw(scenes, out.reshape(-1))

    def _draw(self, scenes: Sequence[Scene], flat: NDArray[np.floating]) -> None:
        """Draw S scenes into `flat` (S * 2E * h * w,), which is 0."""
        grid, (h, w) = self.grid, self.grid.cells
        limbs, cells = self._list_limbs(scenes), DrawnCells(self, scenes, flat.size)
        for limb, row, column, near in limbs.blocks(max(1, _BLOCK // grid.taps**2)):
            share, place = near.astype(np.float32), row * w + column + limbs.kind.take(limb) * (2 * h * w)
            last, earlier = find_shared(place, flat)
            if len(earlier):
                divide_shared(share, last, earlier)
            reduced = grid.reduce(share, row, column)
            cells.note(place, reduced)
            vectors = limbs.unit.take(limb, axis=1) * reduced
            vectors += 0.0  # nothing has no sign
            # What is written last to a cell stays; where limbs of a kind meet, the others are added to it before.
            for values in vectors if len(earlier) else ():
                np.add.at(values, last[earlier], values[earlier])
            y, x = vectors
            flat[place], flat[place + h * w] = x, y
        cells.keep()

    def to_field(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Map input pixels (..., 2) x, y to the field's cells."""
        return to_cells(points, self.grid.input_size, self.grid.cells)

    def find_drawn(self, scenes: Sequence[Scene]) -> Iterator[NDArray[np.intp]]:
        """Find where limbs are, in their first channels; see `posegen.labels.channel_mask.SparseLabel`."""
        if (kept := recall_drawn(self, scenes)) is not None:
            yield from kept
            return
        grid, (h, w) = self.grid, self.grid.cells
        limbs = self._list_limbs(scenes)
        for limb, row, column, near in limbs.blocks(max(1, _BLOCK // grid.taps**2)):
            place = row * w + column + limbs.kind.take(limb) * (2 * h * w)
            yield place[grid.reduce(near.astype(np.float32), row, column) > 0]

    def _list_limbs(self, scenes: Sequence[Scene]) -> Limbs:
        """List the limbs to draw, those of no length left out, kind by kind."""
        a, b = np.array(self.limbs, np.intp).reshape(-1, 2).T
        drawn = np.concatenate([scene.drawn for scene in scenes])
        points = (np.concatenate([scene.points for scene in scenes]) / self.shrink)[..., ::-1]
        image = np.repeat(np.arange(len(scenes)), [len(scene.drawn) for scene in scenes])
        person, limb = np.nonzero(drawn[:, a] & drawn[:, b])
        kind = image[person] * len(self.limbs) + limb
        order = np.argsort(kind, kind="stable")
        person, limb = person[order], limb[order]
        start, stop = points[person, a[limb]].T, points[person, b[limb]].T
        long = np.flatnonzero((start != stop).any(axis=0))
        whole = np.rint if self.round_box else np.trunc
        return Limbs(self.grid, kind[order][long], start[:, long], stop[:, long], self.half_width_px, whole=whole)


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

    draws_halves: ClassVar[bool] = True

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
        return self._on_cells.render_many(scenes)

    def render_into(self, scenes: Sequence[Scene], out: NDArray[np.floating]) -> None:
        """Draw what `render_many` does into an array, float32 or float16."""
        self._on_cells.render_into(scenes, out)

    def find_drawn(self, scenes: Sequence[Scene]) -> Iterator[NDArray[np.intp]]:
        """Find where limbs are, in their first channels; see `posegen.labels.channel_mask.SparseLabel`."""
        return self._on_cells.find_drawn(scenes)

    def to_field(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Map input pixels (..., 2) x, y to the field's cells."""
        return to_cells(points, self.input_size, self.cells)

    @property
    def _on_cells(self) -> PafLabel:
        """The label whose pixels are these cells."""
        (height, width), (h, w) = self.input_size, self.cells
        return PafLabel(
            grid=make_grid("point", self.cells, self.cells),
            limbs=self.limbs,
            limb_names=self.limb_names,
            half_width_px=self.half_width_cells,
            round_box=True,
            shrink=(width / w, height / h),
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
