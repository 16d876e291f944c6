"""What composite fields have in common: people in cells as openpifpaf prepares them, who counts where, what is unknown.

It is a helper of `posegen.labels.cif` and `posegen.labels.caf`, which define the labels. Numbers are float32 or float64
where they are so in openpifpaf's `AnnRescaler`: that decides on which side of a half a keypoint lies.
"""

from __future__ import annotations

import dataclasses
import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from posegen.errors import ConfigError
from posegen.geometry import Size
from posegen.labels.base import ArraySpec
from posegen.labels.cells import Indices
from posegen.labels.mirror import LOPSIDED
from posegen.labels.registry import LabelContext
from posegen.labels.scene import Scene

BMIN_PX = 0.1
"""The least spread that a network has to predict, in input pixels."""

MOST_SCALE = 100.0
"""In cells; openpifpaf stops at a larger one."""

_HIDDEN_PX = 32.0
_LEAST_KEYPOINTS, _LEAST_SCALE, _LEAST_AREA, _MOST_FACTOR = 3, 0.1, 0.1, 5.0
_FARTHEST = 1e6
"""Cells: beyond it does not matter where."""

_COCO_NAMES = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
    "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle",
    "right_ankle",
)  # fmt: skip
_UPRIGHT = np.array([
    (0.0, 9.3), (-0.35, 9.7), (0.35, 9.7), (-0.7, 9.5), (0.7, 9.5), (-1.4, 8.0), (1.4, 8.0), (-1.75, 6.0), (1.75, 6.2),
    (-1.75, 4.0), (1.75, 4.2), (-1.26, 4.0), (1.26, 4.0), (-1.4, 2.0), (1.4, 2.1), (-1.4, 0.0), (1.4, 0.1),
])  # fmt: skip
"""Where COCO's keypoints are of a person who stands, by which openpifpaf's `cocokp` finds how much of one is seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompositePeople:
    """How people become cells.

    Parameters
    ----------
    input_size, cells
        (H, W) in pixels and (h, w).
    sigmas
        The K keypoints' sigmas; none where all are 1.
    pose
        Where the K keypoints of a whole person are, to scale people up who are seen in part; none leaves them.
    selfhidden
        Whether a keypoint that is hidden is left out near a visible one of somebody else.
    valid_area
        Whether nothing is drawn beyond the picture.
    """

    input_size: Size
    cells: Size
    sigmas: tuple[float, ...] = ()
    pose: tuple[tuple[float, float], ...] = ()
    selfhidden: bool = True
    valid_area: bool = False

    @property
    def stride(self) -> NDArray[np.float64]:
        """Input pixels a cell along x and y."""
        return np.divide(self.input_size, self.cells)[::-1]

    @property
    def bmin(self) -> float:
        """The least spread in cells."""
        return BMIN_PX / float(self.stride[0])

    def place(self, scene: Scene) -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.float64]]:
        """Place people: (N, K, 2) x, y in cells, (N, K) which of them are drawn, (N, K) their scales, perhaps NaN."""
        points = np.where(scene.drawn[..., None], scene.points, 0).astype(np.float32)
        drawn = scene.drawn & ~self._find_selfhidden(scene, points)
        # A point at infinity would make numbers overflow that are never looked at.
        at = np.clip(points / self.stride.astype(np.float32), -_FARTHEST, _FARTHEST).astype(np.float32)
        scales = np.array([self._measure(*one) for one in zip(at, drawn, strict=True)]).reshape(-1, 1)
        sigmas = np.array(self.sigmas or (1.0,) * drawn.shape[1])
        return at, drawn, np.minimum(scales * sigmas, MOST_SCALE)

    def find_known(self, scene: Scene, margin: float) -> NDArray[np.bool_]:
        """Tell which cells (h, w) lie in no box of ignored people and crowds, enlarged by a margin in cells."""
        known = np.ones(self.cells, np.bool_)
        boxes = np.zeros((0, 4)) if scene.ignored_boxes is None else scene.ignored_boxes
        boxes = boxes[np.isfinite(boxes).all(axis=1)].astype(np.float32)
        (h, w), stride = self.cells, np.tile(self.stride, 2).astype(np.float32)
        for box in np.clip(boxes / stride, -_FARTHEST, _FARTHEST).astype(np.float32):
            first, end = box[:2] - np.float32(margin), box[:2] + box[2:] + np.float32(margin)
            left, top = (min(max(int(at), 0), n - 1) for at, n in zip(first.tolist(), (w, h), strict=True))
            right, bottom = (
                min(max(math.ceil(at) + 1, start + 1), n)
                for at, start, n in zip(end.tolist(), (left, top), (w, h), strict=True)
            )
            known[top:bottom, left:right] = False
        return known

    def find_outside(self, scene: Scene) -> NDArray[np.bool_]:
        """Tell which cells (h, w) lie beyond the picture, if that matters."""
        outside = np.zeros(self.cells, np.bool_)
        if not self.valid_area:
            return outside
        height, width = scene.image_size
        corners = scene.affine.apply(np.array([[0, 0], [width - 1, 0], [0, height - 1], [width - 1, height - 1.0]]))
        low, high = corners.min(axis=0) / self.stride, corners.max(axis=0) / self.stride
        for axis, (start, stop) in enumerate(zip(low.tolist(), high.tolist(), strict=True)):
            view = outside if axis else outside.T
            view[: int(start) if start >= 1 else 0] = True
            end = math.ceil(stop) + 1
            view[end if end > 0 else len(view) :] = True
        return outside

    def _find_selfhidden(self, scene: Scene, points: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Tell which keypoints (N, K) are hidden, within 32 pixels along both axes of another's visible one."""
        if not self.selfhidden or scene.visible is None:
            return np.zeros(scene.drawn.shape, np.bool_)
        visible = scene.drawn & scene.visible
        near = (np.abs(points[:, None] - points[None]) <= _HIDDEN_PX).all(axis=-1)
        return np.asarray(scene.drawn & ~visible & (near & visible[None]).any(axis=1))

    def _measure(self, points: NDArray[np.float32], drawn: NDArray[np.bool_]) -> float:
        """Measure a person (K, 2): the root of the area of the box around what is drawn of it, or NaN."""
        if drawn.sum() < _LEAST_KEYPOINTS:
            return math.nan
        sides = np.ptp(points[drawn], axis=0)
        scale = np.sqrt(sides[0] * sides[1])
        if self.pose:
            factor = _find_factor(np.array(self.pose), drawn)
            if math.isinf(factor):
                return math.nan
            scale = scale * min(_MOST_FACTOR, factor)
        return math.nan if scale < _LEAST_SCALE else float(scale)


@dataclass(frozen=True, slots=True, kw_only=True)
class CompositeLabel(ABC):
    """Fields of C channels with V values each, the first of which says whether someone's thing is at a cell.

    What is drawn of a channel's thing, on which cells and with which values, says who inherits it.

    Parameters
    ----------
    people
        How people become cells.
    """

    needs_ignored: ClassVar[bool] = True
    needs_ignored_boxes: ClassVar[bool] = True

    side: ClassVar[int]
    """Cells that a thing covers around each of its points, along each axis."""
    last_of_equals: ClassVar[bool] = False
    """Whether of people who are as near to a cell the last counts, and not the first."""

    people: CompositePeople

    @property
    @abstractmethod
    def spec(self) -> ArraySpec:
        """The array that `render` makes."""

    def render(self, scene: Scene) -> NDArray[np.float32]:
        """Draw (C, V, h, w) float32: the intensity, and the other values that this module's docstring defines."""
        known = self.people.find_known(scene, (self.side - 1) / 2)
        points, drawn, scales = self.people.place(scene)
        winner = self._find_winners(points, drawn, known)
        channel, row, column = np.nonzero(winner >= 0)
        person = winner[channel, row, column]
        out = np.full(self.spec.shape, np.nan, np.float32)
        out[:, 0] = np.where(known, 0, np.nan)
        out[channel, 0, row, column] = 1
        cell = np.stack([column, row], axis=-1)
        out[channel, 1:, row, column] = self._find_values(person, channel, cell, points.astype(np.float64), scales)
        outside = self.people.find_outside(scene)
        out[:, 0, outside], out[:, 1:, outside] = 0, np.nan
        return out

    def limits(self, scene: Scene) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return twice what it is where nothing is ignored: what is known is the same whoever is."""
        known = self.render(dataclasses.replace(scene, ignored_boxes=None))
        return known, known

    @abstractmethod
    def _reach(
        self, points: NDArray[np.float32], drawn: NDArray[np.bool_]
    ) -> tuple[Indices, Indices, Indices, NDArray[np.float64]]:
        """List the T cells of one person's things: channel, column and row, which may be outside, and how near it is.

        Parameters
        ----------
        points, drawn
            (K, 2) x, y in cells, and (K,).
        """

    @abstractmethod
    def _find_values(
        self,
        person: Indices,
        channel: Indices,
        cell: Indices,
        points: NDArray[np.float64],
        scales: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        """Find the values but the intensity (T, V - 1) of T cells (T, 2) x, y, of whom and of which channel each is."""

    def _spec(self, name: str, channels: tuple[str, ...], values: int, *, low: float, high: float) -> ArraySpec:
        return ArraySpec(
            name=name,
            channels=channels,
            cells=self.people.cells,
            low=low,
            high=high,
            mirror=LOPSIDED,
            inner=(values,),
            axes=("channel", "value", "y", "x"),
            unknown=True,
        )

    def _find_winners(
        self, points: NDArray[np.float32], drawn: NDArray[np.bool_], known: NDArray[np.bool_]
    ) -> NDArray[np.intp]:
        """Find the person who counts in each cell (C, h, w), or -1."""
        (h, w), count = self.people.cells, len(self.spec.channels)
        winner = np.full((count, h, w), -1, np.intp)
        distance = np.repeat(np.where(known, np.inf, 1).astype(np.float32)[None], count, axis=0)
        for n, (at, shown) in enumerate(zip(points, drawn, strict=True)):
            channel, column, row, apart = self._reach(at, shown)
            inside = np.flatnonzero((column >= 0) & (column < w) & (row >= 0) & (row < h))
            place, apart = (channel[inside], row[inside], column[inside]), apart[inside]
            # In float64, and held against what float32 has left of the nearest one before.
            nearer = apart <= distance[place] if self.last_of_equals else apart < distance[place]
            place = place[0][nearer], place[1][nearer], place[2][nearer]
            distance[place], winner[place] = apart[nearer], n
        return winner


def create_people(context: LabelContext) -> CompositePeople:
    """Make it with the options of a label of composite fields.

    Raises
    ------
    ConfigError
        If there is no such pose, or it is not that of the skeleton.
    """
    options, skeleton = context.read_options(pose="none", selfhidden=True, valid_area=False), context.skeleton
    if options["pose"] not in {"none", "coco"}:
        raise ConfigError(f"pose must be none or coco, not '{options['pose']}'")
    whole = options["pose"] == "coco"
    if whole and skeleton.keypoints != _COCO_NAMES:
        raise ConfigError(f"pose coco goes with COCO's 17 keypoints, in their order, not with '{skeleton.name}'")
    return CompositePeople(
        input_size=context.grid.input_size,
        cells=context.grid.cells,
        sigmas=skeleton.sigmas,
        pose=tuple((float(x), float(y)) for x, y in _UPRIGHT) if whole else (),
        selfhidden=options["selfhidden"],
        valid_area=options["valid_area"],
    )


def _find_factor(pose: NDArray[np.float64], drawn: NDArray[np.bool_]) -> float:
    """Find how much larger a whole person is than what is drawn of it: the less of upright and turned by 45 degrees."""
    half = math.sqrt(0.5)
    turned = pose @ np.array([[half, half], [-half, half]])
    found = []
    for of in (pose, turned):
        seen = float(np.ptp(of[drawn], axis=0).prod())
        found.append(float(np.ptp(of, axis=0).prod()) / seen if seen > _LEAST_AREA else math.inf)
    return math.sqrt(min(found))
