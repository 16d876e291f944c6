"""What CenterNet's labels of a scene are made of: its people in slots, their boxes, centres and radii, in cells.

It is a helper of `posegen.labels.centernet`, which defines the labels. Numbers are rounded to float32 where CenterNet's
own code does.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from posegen.geometry import Size
from posegen.labels.scene import Scene

SLOTS = 32
"""People of whom an image has labels."""

_OVERLAP = 0.7


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SlottedPeople:
    """The people of a scene that have a slot, M of them, in the order of the slots.

    Attributes
    ----------
    shown
        (M,) bool, whose box has an area in the grid; of others there is nothing else.
    counted
        (M,) bool, of whom a keypoint is drawn.
    size
        (M, 2) float32, width and height of the box in the grid, in cells.
    centre, cell
        (M, 2) float32 and int64 x, y: the box's middle, and the cell it lies in.
    radius
        (M,) of the Gaussians, in cells.
    points
        (M, K, 2) float32 x, y in cells; 0 where nothing is drawn.
    inside
        (M, K) bool, which of them are drawn and in the grid.
    left_out
        How many more people have a box in the grid.
    """

    shown: NDArray[np.bool_]
    counted: NDArray[np.bool_]
    size: NDArray[np.float32]
    centre: NDArray[np.float32]
    cell: NDArray[np.int64]
    radius: NDArray[np.int64]
    points: NDArray[np.float32]
    inside: NDArray[np.bool_]
    left_out: int


_FOUND: WeakKeyDictionary[Scene, dict[tuple[Size, Size], SlottedPeople]] = WeakKeyDictionary()
"""Those of the scenes that are about: a scene's arrays are made of the same."""


def find_people(scene: Scene, input_size: Size, cells: Size) -> SlottedPeople:
    """Find the people of a scene on h x w cells, for several labels once; they are not to be written to."""
    known = _FOUND.setdefault(scene, {})
    if (input_size, cells) not in known:
        known[input_size, cells] = _find(scene, input_size, cells)
    return known[input_size, cells]


def find_radius(height: int, width: int) -> int:
    """Find by how much a box's corners can be off, in cells, for both boxes to overlap by 0.7 of their union.

    Of CornerNet (arXiv:1808.01244): the least of three, of a box inside of the other, around it, and beside it. The
    roots of the second and third equation are divided by 2 a, as in CenterNet's code.
    """
    total, area = height + width, height * width
    equations = (
        (1, total, area * (1 - _OVERLAP) / (1 + _OVERLAP), -1),
        (4, 2 * total, (1 - _OVERLAP) * area, -1),
        (4 * _OVERLAP, -2 * _OVERLAP * total, (_OVERLAP - 1) * area, 1),
    )
    return max(0, int(min((b + sign * math.sqrt(b * b - 4 * a * c)) / (2 * a) for a, b, c, sign in equations)))


def _find(scene: Scene, input_size: Size, cells: Size) -> SlottedPeople:
    stride = np.divide(input_size, cells)[::-1]
    scene = scene.take(np.flatnonzero(scene.drawn.any(axis=1)))
    corners = np.concatenate([_corners(scene), _ignored_corners(scene)]) / np.tile(stride, 2)
    counted = np.arange(len(corners)) < len(scene.drawn)
    last = np.tile(np.array(cells, np.float32)[::-1] - 1, 2)
    boxes = np.clip(corners.astype(np.float32), 0, last)
    size = boxes[:, 2:] - boxes[:, :2]
    shown = (size > 0).all(axis=1)
    area = np.where(shown, size[:, 0] * size[:, 1], 0)
    chosen = _choose(area, len(scene.drawn), shown)
    boxes, size = boxes[chosen], size[chosen]
    centre = (boxes[:, :2] + boxes[:, 2:]) / np.float32(2)
    centre[~shown[chosen]] = 0
    points = np.zeros((len(chosen), scene.drawn.shape[1], 2), np.float32)
    drawn = np.zeros(points.shape[:2], bool)
    people = chosen[chosen < len(scene.drawn)]
    drawn[: len(people)] = scene.drawn[people] & shown[people, None]
    at = np.where(scene.drawn[people][..., None], scene.points[people], 0) / stride
    points[: len(people)] = np.clip(at, -1e9, 1e9)
    return SlottedPeople(
        shown=shown[chosen],
        counted=counted[chosen] & shown[chosen],
        size=np.where(shown[chosen][:, None], size, np.float32(0)),
        centre=centre,
        cell=centre.astype(np.int64),
        radius=np.array([find_radius(math.ceil(h), math.ceil(w)) for w, h in size.tolist()], np.int64),
        points=points,
        inside=drawn & ((points >= 0) & (points < np.array(cells, np.float32)[::-1])).all(axis=-1),
        left_out=int(shown.sum() - shown[chosen].sum()),
    )


def _choose(area: NDArray[np.float32], people: int, shown: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Choose who has a slot, in their order: the largest drawn people, then the largest that are ignored."""
    drawn = np.arange(people)
    if people > SLOTS:
        drawn = np.sort(np.argsort(-area[:people], kind="stable")[:SLOTS])
    ignored = people + np.flatnonzero(shown[people:])
    largest = ignored[np.argsort(-area[ignored], kind="stable")[: SLOTS - len(drawn)]]
    return np.concatenate([drawn, np.sort(largest)]).astype(np.intp)


def _corners(scene: Scene) -> NDArray[np.float64]:
    """Find the corners (N, 4) of people's boxes in input pixels, or of what is drawn of them."""
    boxes = np.full((len(scene.drawn), 4), np.nan) if scene.boxes is None else scene.boxes
    found = np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)
    without = ~np.isfinite(found).all(axis=1)
    points, shown = scene.points[without], scene.drawn[without][..., None]
    found[without, :2] = np.where(shown, points, np.inf).min(axis=1)
    found[without, 2:] = np.where(shown, points, -np.inf).max(axis=1)
    return np.clip(found, -1e9, 1e9)


def _ignored_corners(scene: Scene) -> NDArray[np.float64]:
    boxes = np.zeros((0, 4)) if scene.ignored_boxes is None else scene.ignored_boxes
    corners = np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)
    return np.clip(corners[np.isfinite(corners).all(axis=1)], -1e9, 1e9)
