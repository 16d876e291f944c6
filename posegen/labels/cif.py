"""Composite intensity fields: on the cells around each keypoint the way to it, and how large its person is.

Definition
----------
An array (K, 5, h, w) of intensity, x, y, b and scale for each of K keypoints, in cells of the stride s = W / w. A drawn
keypoint lies at k / s, in float32. Its patch are the 4 x 4 cells from round(k / s - 1.5) on, halves to the even number.
In each cell of patches the person counts whose keypoint is nearest: one after the other, each takes the cells that it
is nearer to, in float64, than what float32 has kept of the nearest distance before. The intensity is 1, x, y the way k
/ s - cell, b = 0.1 / s, and the scale sqrt(A) sigma_k, of the box around the drawn keypoints of the person, whose area
is A, and the skeleton's sigma of the keypoint, 1 if it has none. All other cells have the intensity 0.

Unknown (NaN) are

- all values but the intensity where no patch is;
- the scale of people of whom less than 3 keypoints are drawn, or whose sqrt(A) is below 0.1 cells; a scale is at most
  100 cells;
- the intensity in the boxes of people without a labelled keypoint and of crowds, but on cells that are nearer than 1 to
  a keypoint: the cells from int(x / s - 1.5) to before ceil((x + w) / s + 1.5) + 1, of at least one.

Options
-------
selfhidden
    Whether a keypoint that is labelled, but hidden (v = 1), is left out where a visible one (v = 2) of the same kind of
    another person lies within 32 input pixels of it along both axes.
pose
    `coco` takes A for that of the whole person: sqrt(A) is multiplied by what a standing person's box is larger than
    that of these keypoints of it, or by what it is turned by 45 degrees, the less of them, at most by 5. `none` leaves
    it.
valid_area
    Whether nothing is drawn on cells beyond the picture, on which the intensity is 0.

Decoded
-------
Each cell votes with its intensity for the place where its way points to, if that is above 0.1. Where most votes come
together, within half a cell or the scale if that is more, is a keypoint, at their mean; its score is the sum of votes
by 16, at most 1. Votes that are spent are taken away, until no score is above 0.1.

Place of a cell
---------------
A place x in cells, as cell + x is, lies at input pixel x s; y alike.

Source
------
PifPaf, Kreiss et al. (arXiv:1903.06593), OpenPifPaf (arXiv:2103.02440): `encoder/cif.py` and `encoder/annrescaler.py`.

Known differences
-----------------
- openpifpaf's `cocokp` has the options pose=coco and valid_area=true. Its inputs are 385 x 385, of 25 x 25 cells at the
  stride 16; here 384 x 384 has 24 x 24, which are those that openpifpaf makes of this size, too.
- openpifpaf stops where a scale is 100 cells or more.
- Whoever is not drawn for another reason than having no labelled keypoint, as for a least number of them, has its box
  unknown here; there is no such choice in openpifpaf.

Flipped
-------
It cannot be: cells are counted from the middle of the first pixel, and W - 1 is no multiple of the stride.
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
from posegen.labels.decode.composite import find_intensity_peaks
from posegen.labels.registry import LabelContext

_FAR = 2.0
"""Cells: how far a keypoint is from its patch's outermost cells at the most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CifLabel(CompositeLabel):
    """Composite intensity fields; this module's docstring defines them.

    Parameters
    ----------
    people
        How people become cells.
    keypoints
        The names of the K keypoints.
    """

    side: ClassVar[int] = 4

    keypoints: tuple[str, ...]

    @property
    def spec(self) -> ArraySpec:
        """The array that `render` makes: (K, 5, h, w) float32 of intensity, x, y, b, scale."""
        return self._spec("cif", self.keypoints, 5, low=-_FAR, high=MOST_SCALE)

    @property
    def decoder(self) -> str:
        """How a prediction is read."""
        return "places to which cells point, at x s"

    def find_peaks(self, values: NDArray[np.float32]) -> Peaks:
        """Find the keypoints of many people in the values (K, 5, h, w) of a sample."""
        return find_intensity_peaks(values, self.people.stride)

    def _reach(
        self, points: NDArray[np.float32], drawn: NDArray[np.bool_]
    ) -> tuple[Indices, Indices, Indices, NDArray[np.float64]]:
        """List the cells of the patches around a person's keypoints, and how far these are."""
        keypoint = np.flatnonzero(drawn)
        at, steps = points[keypoint, :, None, None], np.arange(self.side)
        first = np.rint(at - np.float32((self.side - 1) / 2)).astype(np.intp)
        column, row = np.broadcast_arrays(first[:, 0] + steps, first[:, 1] + steps[:, None])
        x, y = at[:, 0] - column, at[:, 1] - row
        return keypoint.repeat(self.side**2), column.ravel(), row.ravel(), np.sqrt(x * x + y * y).ravel()

    def _find_values(
        self,
        person: Indices,
        channel: Indices,
        cell: Indices,
        points: NDArray[np.float64],
        scales: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        spread = np.full(len(cell), self.people.bmin)
        return np.column_stack([points[person, channel] - cell, spread, scales[person, channel]])


def create(context: LabelContext) -> tuple[CifLabel]:
    """Make the label `cif`."""
    return (CifLabel(people=create_people(context), keypoints=context.skeleton.keypoints),)
