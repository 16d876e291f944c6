"""People's centres: a heatmap of them, and around each the way to the person's keypoints.

Definition
----------
Four arrays.

- `center`: a keypoint's Gaussian, of the kind `gaussian` of the label `heatmap`, at the centre of every person of whom
  something is drawn. Where sigmas differ, that of a centre follows the mean of the person's keypoints'.
- `center_offset`: with the centre c and a keypoint mu in cells, the cells x in [max(0, int(c_x - radius_cells)), min(w,
  int(c_x + radius_cells))), y likewise, have the way mu - cell, x in channel 2k and y in 2k + 1, in cells.
- `center_weight`: on these cells 1 / max(1, D), D the diagonal in cells of the box around the person's drawn keypoints,
  and 0 where no way is given.

- `center_heatmap_weights`: 1 where `center` is above 0, and `background_weight` elsewhere.

People whose D is below `min_diagonal`, compared in float32, have no centre and no ways.

Only centres and keypoints that lie in the grid (0 <= x < w) count; where windows overlap the person of the smaller D
does.

Options
-------
root
    What the centre is: the `mean` of a person's drawn keypoints, or the middle of the `box` around them.
sigma_factor
    Of the other heatmaps' sigma, the centres' Gaussian.
radius_cells
    Of the windows around a centre.
min_diagonal
    In cells; smaller people are left out. MMPose leaves them out below 5, DEKR's configurations below 32 ** 0.5.
background_weight
    Of the cells on which no centre is drawn.

Place of a cell
---------------
Cell i of w lies at input pixel x = (i + 0.5) s - 0.5, with the stride s = W / w; y alike.

Decoded
-------
A person is a peak of `center`: a cell above 0.1 that is highest of its 3 x 3, of equal ones the first. Its keypoints
lie where `center_offset` points to from that cell, and have its score; where it is 0, 0 there is none.

Source
------
DEKR, Geng et al. (arXiv:2104.02300), MMPose's `SPR`. CenterNet, Zhou et al. (arXiv:1904.07850), reads the ways at the
cell int(c) alone, for which 8 bits are too coarse.

Known differences
-----------------
- CenterNet takes the middle of the annotated box.
- Gaussians, and weights of 1, end here where they fall below 0.01; theirs fill a square of 3 sigma on all sides.
- DEKR's own code has the way cell - mu. Where windows overlap it compares with whoever wrote a cell last, for any
  keypoint: a larger person's way can replace a smaller one's.

Flipped
-------
Keypoints change places, and x its sign. int() rounds the windows down on both sides: flipped, they lie up to two cells
to the right of those of mirrored annotations, with the same ways on the cells that both have. Of what is within a cell
of the left or the right border only one of the two may count. With `radius_cells` below 2 ways and weights cannot be
flipped: the windows would miss the centre's own cell.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from posegen.errors import ConfigError
from posegen.geometry import Size
from posegen.labels.base import ArraySpec, Label
from posegen.labels.cells import Indices, choose_least, list_cells, to_cells
from posegen.labels.decode import Peaks
from posegen.labels.heatmap import HeatmapLabel
from posegen.labels.mirror import UNSAID, ChannelMirror, keep_channels, mirror_keypoints
from posegen.labels.registry import LabelContext
from posegen.labels.scene import Scene

Root = Literal["mean", "box"]

_LEAST_FLIPPED_CELLS = 2.0
"""Windows of a smaller radius, which lie to the left of a centre, miss its cell when they are flipped."""

_TOO_NARROW = (
    f"its windows would miss the centres' own cells; with radius_cells from {_LEAST_FLIPPED_CELLS:g} on it can be"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CenterLabel:
    """A Gaussian, as `HeatmapLabel` draws it, at the centre of every person of whom something is drawn.

    Where sigmas differ, that of a centre follows the mean of the person's keypoints'.

    Parameters
    ----------
    heatmap
        How to draw one keypoint.
    root
        What the centre is: the `mean` of a person's drawn keypoints, or the middle of the `box` around them.
    min_diagonal
        In cells: who is smaller has no centre.
    """

    heatmap: HeatmapLabel
    root: Root
    min_diagonal: float = 0.0

    @property
    def spec(self) -> ArraySpec:
        """The array that `render` makes."""
        return dataclasses.replace(self.heatmap.spec, name="center")

    def render(self, scene: Scene) -> NDArray[np.float32]:
        """Draw (1, h, w) float32 from 0 to 1."""
        people = _choose_people(scene, self.heatmap.grid.input_size, self.heatmap.grid.cells, self.min_diagonal)
        roots = find_roots(people.points, people.drawn, self.root)
        spread = None if people.spread is None else people.spread.mean(axis=1)[:, None]
        drawn = np.ones((len(roots), 1), bool)
        centres = dataclasses.replace(people, points=roots[:, None], drawn=drawn, spread=spread)
        return self.heatmap.render(centres)

    @property
    def decoder(self) -> str:
        """How a prediction is read."""
        return self.heatmap.decoder

    def find_peaks(self, values: NDArray[np.float32]) -> Peaks:
        """Find the centres of the people in a sample."""
        return self.heatmap.find_peaks(values)


@dataclass(frozen=True, slots=True, kw_only=True)
class CenterOffsetLabel:
    """Around each person's centre the way to each of its keypoints, in cells; or, with it, how much that counts.

    This module's docstring defines them.

    Parameters
    ----------
    input_size, cells
        (H, W) in pixels and (h, w).
    keypoints
        The names of the K keypoints.
    root
        As for `CenterLabel`.
    radius_cells
        Of the windows.
    min_diagonal
        As for `CenterLabel`.
    weights
        Whether to draw the weights instead of the ways.
    mirror
        Of its channels.
    """

    input_size: Size
    cells: Size
    keypoints: tuple[str, ...]
    root: Root
    radius_cells: float
    min_diagonal: float = 0.0
    weights: bool = False
    mirror: ChannelMirror | str = UNSAID

    @property
    def spec(self) -> ArraySpec:
        """The array that `render` makes."""
        cells, mirror = self.cells, self.mirror
        if self.weights:
            return ArraySpec(name="center_weight", channels=self.keypoints, cells=cells, mirror=mirror)
        channels = tuple(f"{name}:{axis}" for name in self.keypoints for axis in "xy")
        # What lies in the grid is less than a grid away.
        far = float(max(cells))
        return ArraySpec(name="center_offset", channels=channels, cells=cells, low=-far, high=far, mirror=mirror)

    @property
    def decoder(self) -> str:
        """How a prediction is read."""
        return "the ways from a centre's cell"

    @property
    def joins(self) -> str:
        """The array of the centres; '' for weights, which say nothing."""
        return "" if self.weights else "center"

    def join(self, values: NDArray[np.float32], peaks: Peaks) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Make people of centres: (n, K, 3) x, y in input pixels, score; and (n,) scores."""
        row, column = peaks.cells.T
        ways = values[:, row, column].T.astype(np.float64).reshape(len(row), -1, 2)
        stride = np.divide(self.input_size, self.cells)[::-1]
        points = (peaks.cells[:, None, ::-1] + ways + 0.5) * stride - 0.5
        people = np.concatenate([points, np.broadcast_to(peaks.scores[:, None, None], (*ways.shape[:2], 1))], axis=-1)
        people[(ways == 0).all(axis=-1)] = 0
        return people, peaks.scores

    def joinable(self, drawn: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Tell of which of N people something is drawn."""
        return np.asarray(drawn.any(axis=1))

    def render(self, scene: Scene) -> NDArray[np.float32]:
        """Draw (2K, h, w) float32, channel 2k along x and 2k + 1 along y; or (K, h, w) weights from 0 to 1."""
        out = np.zeros(self.spec.shape, np.float32)
        people = _choose_people(scene, self.input_size, self.cells, self.min_diagonal)
        # Keypoints that are drawn count for the centre and the size, wherever they are.
        points = to_cells(people.points, self.input_size, self.cells)
        roots = find_roots(points, people.drawn, self.root)
        low, high = _bounds(points, people.drawn)
        size = np.maximum(np.hypot(*(high - low).T), 1)
        inside = self._contain(np.where(people.drawn[..., None], points, -1)) & self._contain(roots)[:, None]
        person, keypoint = np.nonzero(inside)
        index, row, column = self._windows(roots[person])
        person, keypoint = person[index], keypoint[index]
        x, y = points[person, keypoint, 0] - column, points[person, keypoint, 1] - row
        place = (keypoint * self.cells[0] + row) * self.cells[1] + column
        chosen = choose_least(place, size[person], x, y)
        keypoint, row, column = keypoint[chosen], row[chosen], column[chosen]
        if self.weights:
            out[keypoint, row, column] = 1 / size[person[chosen]]
        else:
            out[2 * keypoint, row, column] = x[chosen]
            out[2 * keypoint + 1, row, column] = y[chosen]
        return out

    def _contain(self, points: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Tell which points (..., 2) in cells lie in the grid."""
        return np.asarray(((points >= 0) & (points < self.cells[::-1])).all(axis=-1))

    def _windows(self, roots: NDArray[np.float64]) -> tuple[Indices, Indices, Indices]:
        """List the cells around M roots (M, 2): of which root, in which row, in which column."""
        at, bounds = roots[:, ::-1].T, np.array(self.cells)[:, None]
        first = np.maximum(np.trunc(at - self.radius_cells), 0).astype(np.intp)
        end = np.minimum(np.trunc(at + self.radius_cells), bounds).astype(np.intp)
        return list_cells(first, np.maximum(end - first, 0))


@dataclass(frozen=True, slots=True, kw_only=True)
class CenterHeatmapWeightsLabel:
    """How much the loss of each cell of `center` counts: 1 where something is drawn, and less elsewhere.

    Parameters
    ----------
    center
        Of which label.
    background_weight
        Where nothing is drawn.
    """

    center: CenterLabel
    background_weight: float = 0.1

    @property
    def spec(self) -> ArraySpec:
        """The array that `render` makes."""
        return dataclasses.replace(self.center.spec, name="center_heatmap_weights")

    def render(self, scene: Scene) -> NDArray[np.float32]:
        """Draw (1, h, w) float32, 1 or the background's weight."""
        return np.where(self.center.render(scene) > 0, 1, self.background_weight).astype(np.float32)


def find_roots(points: NDArray[np.float64], drawn: NDArray[np.bool_], root: Root) -> NDArray[np.float64]:
    """Find the centres (N, 2) of people (N, K, 2), of each of whom something is drawn."""
    if root == "box":
        low, high = _bounds(points, drawn)
        return (low + high) / 2
    return np.where(drawn[..., None], points, 0).sum(axis=1) / drawn.sum(axis=1)[:, None]


def create(context: LabelContext) -> tuple[Label, ...]:
    """Make the arrays `center`, `center_offset`, `center_weight` and `center_heatmap_weights`."""
    options = context.read_options(
        root="mean", sigma_factor=2.0, radius_cells=4.0, min_diagonal=0.0, background_weight=0.1
    )
    root, radius = options["root"], options["radius_cells"]
    if root not in {"mean", "box"}:
        raise ConfigError(f"root must be mean or box, not '{root}'")
    if not 0 < options["sigma_factor"] <= 100 or not 1 <= radius <= max(context.grid.cells):
        raise ConfigError("sigma_factor must be above 0 and at most 100, radius_cells from 1 to the longer side")
    if not 0 <= options["min_diagonal"] < math.inf or not 0 <= options["background_weight"] <= 1:
        raise ConfigError("min_diagonal must be 0 cells or more, background_weight from 0 to 1")
    sigma, whole = options["sigma_factor"] * context.sigma_px, radius >= _LEAST_FLIPPED_CELLS
    heatmap = HeatmapLabel(
        grid=context.grid, keypoints=("center",), sigma_px=sigma, background=False, mirror=keep_channels(1)
    )
    offset = CenterOffsetLabel(
        input_size=context.grid.input_size,
        cells=context.grid.cells,
        keypoints=context.skeleton.keypoints,
        root=root,
        radius_cells=radius,
        min_diagonal=options["min_diagonal"],
        mirror=mirror_keypoints(context.skeleton, channels=2, negated=[0]) if whole else _TOO_NARROW,
    )
    mirror = mirror_keypoints(context.skeleton) if whole else _TOO_NARROW
    weight = dataclasses.replace(offset, weights=True, mirror=mirror)
    center = CenterLabel(heatmap=heatmap, root=root, min_diagonal=options["min_diagonal"])
    heat_weight = CenterHeatmapWeightsLabel(center=center, background_weight=options["background_weight"])
    return center, offset, weight, heat_weight


def _choose_people(scene: Scene, input_size: Size, cells: Size, min_diagonal: float) -> Scene:
    """Choose the people of whom something is drawn, in a box of at least such a diagonal in cells."""
    people = scene.take(np.flatnonzero(scene.drawn.any(axis=1)))
    if not min_diagonal:
        return people
    low, high = _bounds(people.points, people.drawn)
    diagonal = np.hypot(*((high - low) / np.divide(input_size, cells)[::-1]).T)
    # In float32, in which MMPose compares: 32 ** 0.5 is no smaller than itself.
    return people.take(np.flatnonzero(diagonal.astype(np.float32) >= np.float32(min_diagonal)))


def _bounds(points: NDArray[np.float64], drawn: NDArray[np.bool_]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Find the corners (N, 2) of the boxes around what is drawn of N people."""
    shown = drawn[..., None]
    return np.where(shown, points, np.inf).min(axis=1), np.where(shown, points, -np.inf).max(axis=1)
