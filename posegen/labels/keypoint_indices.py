"""Where each person's keypoints are, as numbers of cells: what a loss of associative embedding reads tags by.

Definition
----------
An array by person, (N, K, 2) int64: y w + x and 1 for a drawn keypoint k whose cell (x, y) lies in the grid of h x w
cells; 0, 0 for all others. With the stride s = W / w along x and H / h along y, and for heatmaps of the kind `udp` with
s = (W - 1) / (w - 1), the cell is

- `nearest`: floor(k / s + 0.5), computed in float32, as MMPose does;
- `inside`: int(k / s), which cuts off fractions, as HigherHRNet does: of a cell before the first one it is the first;
- `middle`: floor((k + 0.5) / s), which is the highest cell of a heatmap of the kind `gaussian`.

Options
-------
cell
    Which cell: `nearest`, `inside` or `middle`; `auto` is `inside` beside heatmaps of the kind `higherhrnet`, and
    `nearest` beside all others.

Decoded
-------
Of what a network predicts in its place: tags, K maps or several times K, with the channels k, k + K, ... of keypoint k.
Of each channel of the heatmap the 30 highest peaks, the trunk's first, are given to the people that have been begun, so
that 100 times the rounded distance of their tags to a person's mean tag, less their scores, is least of all together;
what is not nearer than 1 begins a person. A person's score is the mean of its keypoints', as many as the skeleton has.

Place of a cell
---------------
As of the heatmap beside it: cell i of w lies at input pixel i s for `nearest`, at (i + 0.5) s for `inside`, and at (i +
0.5) s - 0.5 for `middle`; y alike.

Source
------
Associative embedding, Newell et al. (arXiv:1611.05424); HigherHRNet, Cheng et al. (arXiv:1908.10357),
`JointsGenerator` and `match_by_tag`; MMPose's `AssociativeEmbedding`.

Known differences
-----------------
- MMPose cuts off where `nearest` rounds down: what lies up to 1.5 cells before the first cell counts there as in it. Of
  what does not count it keeps a number, with 0 beside it.
- HigherHRNet has 30 rows whatever there are of people, and lists a person's keypoints in the grid first; here each has
  its own place.
- Its decoder also looks for keypoints that a person lacks where its tag is, however little the heatmap is there.

Flipped
-------
It cannot be: y w + x becomes another number.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from posegen.errors import ConfigError
from posegen.geometry import Size
from posegen.labels.base import ArraySpec
from posegen.labels.decode import Peaks
from posegen.labels.decode.tags import group_tags
from posegen.labels.registry import LabelContext
from posegen.labels.scene import Scene

Cell = Literal["nearest", "inside", "middle"]

_CELLS = ("nearest", "inside", "middle")

_MIRROR = "y w + x becomes y w + w - 1 - x, which is more than a change of places and signs"

_APART = 10.0
"""Between the tags of two people, as they are painted to be decoded: what belongs together is nearer than 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeypointIndicesLabel:
    """The cell of each person's keypoints, and whether it counts; this module's docstring defines it.

    Parameters
    ----------
    input_size, cells
        (H, W) in pixels and (h, w).
    keypoints
        The names of the K keypoints.
    cell
        How a keypoint's cell is found.
    aligned
        Whether the outermost cells lie on the outermost pixels, as of the heatmap `udp`.

    Raises
    ------
    ConfigError
        If there is no such way, or a single row or column of cells is to be aligned.
    """

    input_size: Size
    cells: Size
    keypoints: tuple[str, ...]
    cell: Cell = "nearest"
    aligned: bool = False

    def __post_init__(self) -> None:
        if self.cell not in _CELLS:
            raise ConfigError(f"cell must be auto, {', '.join(_CELLS[:-1])} or {_CELLS[-1]}, not '{self.cell}'")
        if self.aligned and min(self.cells) < 2:
            raise ConfigError(f"udp needs two cells along each axis, not {self.cells[1]}x{self.cells[0]}")

    @property
    def spec(self) -> ArraySpec:
        """The array that `render` makes."""
        return ArraySpec(
            name="keypoint_indices",
            channels=self.keypoints,
            cells=(),
            high=float(max(1, self.cells[0] * self.cells[1] - 1)),
            mirror=_MIRROR,
            inner=(2,),
            axes=("channel", "value"),
            dtype="int64",
            by_person=True,
        )

    @property
    def predicted(self) -> ArraySpec:
        """What a network predicts in its place: tags, of which there may be several times as many channels."""
        return ArraySpec(name="keypoint_indices", channels=self.keypoints, cells=self.cells)

    def render(self, scene: Scene) -> NDArray[np.int64]:
        """Return (N, K, 2) int64: the number of the cell, and 1; or 0, 0."""
        points = np.where(scene.drawn[..., None], scene.points, -1e9)
        at = self._find(points)
        seen = scene.drawn & ((at >= 0) & (at < self.cells[::-1])).all(axis=-1)
        column, row = np.moveaxis(np.where(seen[..., None], at, 0).astype(np.int64), -1, 0)
        return np.stack([row * self.cells[1] + column, seen.astype(np.int64)], axis=-1)

    @property
    def decoder(self) -> str:
        """How a prediction is read."""
        return "people grouped by their tags"

    @property
    def joins(self) -> str:
        """The array of the keypoints' heatmaps."""
        return "heatmap"

    def join(self, values: NDArray[Any], peaks: Peaks) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Group peaks by the tags (C, h, w): people (n, K, 3) x, y in input pixels, score; and (n,) scores.

        What was drawn itself, (N, K, 2), will do as well: it is painted as tags.
        """
        if values.ndim == 3 and values.shape[1:] == self.spec.shape and values.dtype == np.int64:
            values = self._paint(values)
        tags = values.reshape(-1, len(self.keypoints), *self.cells)[
            :, peaks.channel, peaks.cells[:, 0], peaks.cells[:, 1]
        ]
        return group_tags(peaks, np.asarray(tags.T, np.float64), len(self.keypoints))

    def joinable(self, drawn: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Tell of which of N people something is drawn."""
        return np.asarray(drawn.any(axis=1))

    def _paint(self, drawn: NDArray[np.int64]) -> NDArray[np.float32]:
        """Paint the tags (K, h, w) that a network without faults predicts where (N, K, 2) was drawn."""
        tags = np.zeros((len(self.keypoints), self.cells[0] * self.cells[1]), np.float32)
        person, keypoint = np.nonzero(drawn[..., 1])
        tags[keypoint, drawn[person, keypoint, 0]] = person * _APART
        return tags.reshape(-1, *self.cells)

    def _find(self, points: NDArray[np.float64]) -> NDArray[np.floating]:
        """Find the columns and rows (N, K, 2) of points (N, K, 2), which may lie outside."""
        less = int(self.aligned)
        stride = np.subtract(self.input_size, less) / np.subtract(self.cells, less)
        if self.cell == "inside":
            return np.trunc(points / stride[::-1])
        if self.cell == "middle":
            return np.floor((points + 0.5) / stride[::-1])
        return np.floor(points.astype(np.float32) / stride[::-1].astype(np.float32) + np.float32(0.5))


def create(context: LabelContext) -> tuple[KeypointIndicesLabel]:
    """Make the label `keypoint_indices`."""
    cell = context.read_options(cell="auto")["cell"]
    if cell == "auto":
        cell = "inside" if context.heatmap == "higherhrnet" else "nearest"
    label = KeypointIndicesLabel(
        input_size=context.grid.input_size,
        cells=context.grid.cells,
        keypoints=context.skeleton.keypoints,
        cell=cell,
        aligned=context.heatmap == "udp",
    )
    return (label,)
