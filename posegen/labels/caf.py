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

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from posegen.labels.base import ArraySpec
from posegen.labels.cells import Indices
from posegen.labels.composite import MOST_SCALE, CompositeLabel, create_people
from posegen.labels.decode import Peaks
from posegen.labels.decode.composite import join_associations
from posegen.labels.decode.limbs import find_joinable
from posegen.labels.registry import LabelContext
from posegen.skeleton.flip_pairs import Limb

SIDE = 3
"""Cells across a limb."""

_LEAST_MARGIN, _MOST_MARGIN = 0.25, 0.4
_MOST_POINTS = 1 << 13
_GRIDS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class CafLabel(CompositeLabel):
    """Composite association fields; this module's docstring defines them.

    Parameters
    ----------
    people
        How people become cells.
    limbs, names
        E pairs of keypoints, and what they are called.
    """

    side: ClassVar[int] = SIDE
    last_of_equals: ClassVar[bool] = True

    limbs: tuple[Limb, ...]
    names: tuple[str, ...]

    @property
    def spec(self) -> ArraySpec:
        """The array that `render` makes: (E, 9, h, w) float32 of intensity, x1, y1, x2, y2, b1, b2, scale 1 and 2."""
        return self._spec("caf", self.names, 9, low=-self._far, high=max(self._far, MOST_SCALE))

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

    def _reach(
        self, points: NDArray[np.float32], drawn: NDArray[np.bool_]
    ) -> tuple[Indices, Indices, Indices, NDArray[np.float64]]:
        """List the cells of a person's limbs, and how far these lines are."""
        (h, w), (a, b) = self.people.cells, np.array(self.limbs).T
        within = np.asarray(((points >= 0) & (points <= (w - 1, h - 1))).all(axis=-1))
        limb = np.flatnonzero(drawn[a] & drawn[b] & (within[a] | within[b]))
        start, way = points[a[limb]], points[b[limb]] - points[a[limb]]
        length = np.sqrt(way[:, 0] * way[:, 0] + way[:, 1] * way[:, 1])
        which, column, row = _list_cells(start, way, length)
        x, y = column - start[which, 0].astype(np.float64), row - start[which, 1].astype(np.float64)
        cross = np.abs(way[which, 1].astype(np.float64) * x - way[which, 0].astype(np.float64) * y)
        return limb[which], column, row, cross / (length + np.float32(0.01))[which]

    def _find_values(
        self,
        person: Indices,
        channel: Indices,
        cell: Indices,
        points: NDArray[np.float64],
        scales: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        ends = np.array(self.limbs)[channel].T
        ways = np.concatenate([points[person, end] - cell for end in ends], axis=1)
        spread = np.full((len(cell), 2), self.people.bmin)
        return np.column_stack([ways.clip(-self._far, self._far), spread, *(scales[person, end] for end in ends)])


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
    with np.errstate(divide="ignore"):  # of no length, whose points are all the same
        margin = np.clip((SIDE / 2) / length.astype(np.float64), _LEAST_MARGIN, _MOST_MARGIN)
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
