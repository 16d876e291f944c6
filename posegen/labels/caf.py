"""Composite association fields: on the cells along each limb the ways to both of its ends, and how large these are.

Definition
----------
An array (E, 9, h, w) of intensity, x1, y1, x2, y2, b1, b2, scale 1 and scale 2 for each of E limbs, in cells of the
stride s = W / w, with keypoints at k / s in float32. A limb is drawn if both its ends are, and one of them at least is
in the grid, 0 <= x <= w - 1. With its length d in cells, ceil(d) points, but at least 2, are spread evenly along the
limb from m to 1 - m of it, m = 1.5 / d, but at least 0.25 and at most 0.4; its cells are those that are nearest to the
3 x 3 points that are a cell apart around each of them, halves to the even number.

In each cell the limb counts whose line is nearest, compared as for `cif`, but that equal ones take a cell, too: the
distance is |cross(b - a, cell - a)| / (d + 0.01), with the ends a and b. Its intensity is 1, x1, y1 and x2, y2 the ways
from the cell to a and b, b1 = b2 = 0.1 / s, and the scales are those of both keypoints as the label `cif` has them. All
other cells have the intensity 0.

Unknown (NaN) are all values but the intensity where no limb is, scales as of `cif`, and the intensity in the boxes of
people without a labelled keypoint and of crowds, but for cells within 1 of a limb's line: the cells from int(x / s - 1)
to before ceil((x + w) / s + 1) + 1. A way is at most 8 grids long along each axis.

Options
-------
selfhidden
    As of `cif`.
pose
    As of `cif`.
valid_area
    As of `cif`.

Decoded
-------
With the peaks of `cif`: a cell votes with its intensity, if that is above 0.1, for pairs of peaks, the more the nearer
its ends are to them: by a Gaussian each, of one cell or, if that is more, the scale. A pair's score is the sum of votes
over that of the best pair of the limb, if it has 1 of them at least; pairs are taken from the best on, each peak once.

Place of a cell
---------------
As of `cif`.

Source
------
PifPaf, Kreiss et al. (arXiv:1903.06593), OpenPifPaf (arXiv:2103.02440): `encoder/caf.py`.

Known differences
-----------------
- As of `cif`.
- openpifpaf under NumPy 1 multiplies the points along a limb in float32, by which some halves are rounded otherwise.
- Limbs that are longer than 8192 cells have so many points.

Flipped
-------
It cannot be, as `cif`.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from posegen.labels.base import ArraySpec
from posegen.labels.composite import MOST_SCALE, CompositePeople, create_people
from posegen.labels.decode import Peaks
from posegen.labels.decode.composite import join_associations
from posegen.labels.decode.limbs import find_joinable
from posegen.labels.mirror import LOPSIDED
from posegen.labels.registry import LabelContext
from posegen.labels.scene import Scene
from posegen.skeleton.flip_pairs import Limb

SIDE = 3
"""Cells across a limb."""

_LEAST_MARGIN, _MOST_MARGIN = 0.25, 0.4
_MOST_POINTS = 1 << 13
_GRIDS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class CafLabel:
    """Composite association fields; this module's docstring defines them.

    Parameters
    ----------
    people
        How people become cells.
    limbs, names
        E pairs of keypoints, and what they are called.
    """

    needs_ignored: ClassVar[bool] = True
    needs_ignored_boxes: ClassVar[bool] = True

    people: CompositePeople
    limbs: tuple[Limb, ...]
    names: tuple[str, ...]

    @property
    def spec(self) -> ArraySpec:
        """The array that `render` makes."""
        far = self._far
        return ArraySpec(
            name="caf",
            channels=self.names,
            cells=self.people.cells,
            low=-far,
            high=max(far, MOST_SCALE),
            mirror=LOPSIDED,
            inner=(9,),
            axes=("channel", "value", "y", "x"),
            unknown=True,
        )

    def render(self, scene: Scene) -> NDArray[np.float32]:
        """Draw (E, 9, h, w) float32: intensity, x1, y1, x2, y2, b1, b2, scale 1, scale 2."""
        known = self.people.find_known(scene, (SIDE - 1) / 2)
        points, drawn, scales = self.people.place(scene)
        winner = self._find_winners(points, drawn, known)
        out = np.full(self.spec.shape, np.nan, np.float32)
        out[:, 0] = np.where(known, 0, np.nan)
        limb, row, column = np.nonzero(winner >= 0)
        person = winner[limb, row, column]
        start, stop = np.array(self.limbs)[limb].T
        cell = np.stack([column, row], axis=-1)
        ways = [points[person, end].astype(np.float64) - cell for end in (start, stop)]
        spread = np.full((len(row), 2), self.people.bmin)
        sizes = [scales[person, end] for end in (start, stop)]
        out[limb, :, row, column] = np.column_stack(
            [np.ones(len(row)), np.clip(np.concatenate(ways, axis=1), -self._far, self._far), spread, *sizes]
        )
        outside = self.people.find_outside(scene)
        out[:, 0, outside], out[:, 1:, outside] = 0, np.nan
        return out

    def limits(self, scene: Scene) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return twice what it is where nothing is ignored: what is known is the same whoever is."""
        known = self.render(dataclasses.replace(scene, ignored_boxes=None))
        return known, known

    @property
    def decoder(self) -> str:
        """How a prediction is read."""
        return "people joined by the ends to which cells point"

    @property
    def joins(self) -> str:
        """The array of the keypoints."""
        return "cif"

    def join(self, values: NDArray[np.float32], peaks: Peaks) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Join peaks by the values (E, 9, h, w): people (n, K, 3) x, y in input pixels, score; and (n,) scores."""
        return join_associations(values, peaks.points / self.people.stride, peaks, self.limbs)

    def joinable(self, drawn: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Tell of which of N people limbs join enough keypoints."""
        return find_joinable(drawn, self.limbs)

    @property
    def _far(self) -> float:
        return float(_GRIDS * max(self.people.cells))

    def _find_winners(
        self, points: NDArray[np.float32], drawn: NDArray[np.bool_], known: NDArray[np.bool_]
    ) -> NDArray[np.intp]:
        """Find the person whose limb counts in each cell (E, h, w), or -1."""
        (h, w), (a, b) = self.people.cells, np.array(self.limbs).T
        winner = np.full((len(a), h, w), -1, np.intp)
        distance = np.repeat(np.where(known, np.inf, 1).astype(np.float32)[None], len(a), axis=0)
        within = np.asarray(((points >= 0) & (points <= (w - 1, h - 1))).all(axis=-1))
        for n in range(len(points)):
            e = np.flatnonzero(drawn[n, a] & drawn[n, b] & (within[n, a] | within[n, b]))
            if not len(e):
                continue
            start, way = points[n, a[e]], points[n, b[e]] - points[n, a[e]]
            length = np.sqrt(way[:, 0] * way[:, 0] + way[:, 1] * way[:, 1])
            which, column, row = _list_cells(start, way, length)
            inside = (column >= 0) & (column < w) & (row >= 0) & (row < h)
            which, column, row = which[inside], column[inside], row[inside]
            x, y = column - start[which, 0].astype(np.float64), row - start[which, 1].astype(np.float64)
            cross = np.abs(way[which, 1].astype(np.float64) * x - way[which, 0].astype(np.float64) * y)
            apart = cross / (length + np.float32(0.01))[which]
            place = e[which], row, column
            nearer = np.flatnonzero(np.asarray(apart <= distance[place]))
            place = place[0][nearer], row[nearer], column[nearer]
            distance[place], winner[place] = apart[nearer], n
        return winner


def create(context: LabelContext) -> tuple[CafLabel, ...]:
    """Make the label `caf`; none where the skeleton has no limbs."""
    people, skeleton = create_people(context), context.skeleton
    if not skeleton.limbs:
        return ()
    return (CafLabel(people=people, limbs=skeleton.limbs, names=skeleton.limb_names),)


def _list_cells(
    start: NDArray[np.float32], way: NDArray[np.float32], length: NDArray[np.float32]
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """List the cells of E limbs, some of them several times: of which limb, column and row."""
    count = np.clip(np.ceil(length), 2, _MOST_POINTS).astype(np.intp)
    margin = np.clip((SIDE / 2) / (length.astype(np.float64) + np.spacing(1.0)), _LEAST_MARGIN, _MOST_MARGIN)
    which = np.repeat(np.arange(len(count)), count)
    number = np.arange(len(which)) - np.repeat(np.cumsum(count) - count, count)
    # As NumPy's linspace: the last point is where it ends, and not where its steps lead to.
    step = (1 - margin - margin) / (count - 1)
    share = number * step[which] + margin[which]
    share[np.cumsum(count) - 1] = 1 - margin
    centre = start[which] + share[:, None] * way[which].astype(np.float64)
    around = np.arange(SIDE) - (SIDE - 1) / 2
    columns = np.rint(centre[:, 0, None, None] + around)
    rows = np.rint(centre[:, 1, None, None] + around[:, None])
    shape = (len(which), SIDE, SIDE)
    column, row = (np.broadcast_to(of, shape).reshape(-1).astype(np.intp) for of in (columns, rows))
    return np.repeat(which, SIDE * SIDE), column, row
