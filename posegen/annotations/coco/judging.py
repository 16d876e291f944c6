"""Who of many people is drawn, and what is odd about them: what `people` and `Audit.check` say of each, at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posegen.annotations.audit import (
    AS_CORNERS,
    BESIDE,
    BOX_TOLERANCE,
    BOXES,
    DISAGREES,
    IN_FIRST_PIXEL,
    MARGIN,
    ONE_POINT,
    ORIGIN,
    OUTSIDE,
    OVER,
    PEOPLE,
    REACHING_OUT,
    Audit,
)
from posegen.annotations.coco.people import UNDRAWABLE, UNMASKED, index_parents, name_reasons
from posegen.annotations.coco.turning import MARGIN as TURNED_MARGIN
from posegen.annotations.coco.typed import TypedPeople
from posegen.config import BuildConfig
from posegen.skeleton import Skeleton, find_flip_pairs

_Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class _Points:
    """The keypoints of n people, each (K, n), and the box around those that are labelled: without any, of no points.

    NumPy takes a tenth of the time along the people of what it takes along the few keypoints of each.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    labelled: _Mask
    any: _Mask
    left: NDArray[np.float64]
    top: NDArray[np.float64]
    right: NDArray[np.float64]
    bottom: NDArray[np.float64]

    @classmethod
    def of(cls, keypoints: NDArray[np.float64]) -> _Points:
        x, y, v = np.ascontiguousarray(keypoints.transpose(2, 1, 0))
        labelled = np.asarray(v > 0)
        low = (np.where(labelled, along, np.inf).min(axis=0) for along in (x, y))
        high = (np.where(labelled, along, -np.inf).max(axis=0) for along in (x, y))
        return cls(x, y, labelled, np.asarray(labelled.any(axis=0)), *low, *high)


class Judge:
    """Judges people, and counts what is odd about them.

    Parameters
    ----------
    names, skeleton
        Of the annotated keypoints, and what is derived from them.
    config
        Who is drawn.
    file_names
        Of all images, by number.

    Attributes
    ----------
    audit
        What was counted.
    suspects
        The images whose people fit them only on their side.
    """

    def __init__(
        self, names: Sequence[str], skeleton: Skeleton, config: BuildConfig, file_names: Sequence[str]
    ) -> None:
        self.audit = Audit()
        self.suspects: list[int] = []
        self._config = config
        self._pairs = find_flip_pairs(names)
        self._parents = index_parents(skeleton, names)
        self._reasons = name_reasons(config)
        self._file_names = file_names

    def judge(self, people: TypedPeople) -> _Mask:
        """Tell who of n people is drawn; keypoints at 0, 0 lose their v here, if they are to be taken so."""
        notice = self._notice(people)
        notice(UNDRAWABLE, people.refused)
        points, keypoints = _Points.of(people.keypoints), people.keypoints
        outside = self._check(people, points, notice)
        if self._config.exif == "auto" and outside.any():
            self.suspects += people.images[outside & _fit_only_turned(points, people.sizes)].tolist()
        if self._config.origin == "unlabelled":
            keypoints[(keypoints[..., :2] == 0).all(axis=2), 2] = 0
        x, y, labelled = points.x, points.y, np.ascontiguousarray(keypoints[..., 2].T) > 0
        same = np.zeros(len(keypoints), bool)
        for a, b in self._pairs:
            same |= labelled[a] & labelled[b] & (x[a] == x[b]) & (y[a] == y[b])
        notice(ONE_POINT, same)
        return self._choose(people, notice)

    def _notice(self, people: TypedPeople) -> Callable[[str, _Mask], None]:
        names, images = self._file_names, people.images

        def notice(kind: str, found: _Mask) -> None:
            self.audit.notice_all(kind, found, people.ids, lambda place: names[images[place]])

        return notice

    def _check(self, people: TypedPeople, points: _Points, notice: Callable[[str, _Mask], None]) -> _Mask:
        """Notice what `Audit.check` does; returns of whom a labelled keypoint lies outside the image."""
        for key, has in people.has.items():
            notice(f"no '{key}'", ~has)
        stated = points.labelled.sum(axis=0)
        notice(DISAGREES, people.has["num_keypoints"] & (people.stated != stated))
        height, width = people.sizes.T
        x, y, wide, high = people.bboxes.T
        over = np.maximum.reduce([-x, -y, x + wide - width, y + high - height]) > BOX_TOLERANCE
        notice(OVER, over)
        tallies = self.audit.tallies
        tallies[REACHING_OUT] += int(over.sum())
        some, left, top = points.any, points.left, points.top
        right, bottom = points.right, points.bottom
        outside = some & ((np.minimum(left, top) < -0.5) | (right > width - 0.5) | (bottom > height - 0.5))
        notice(OUTSIDE, outside)
        notice(ORIGIN, (points.labelled & (points.x == 0) & (points.y == 0)).any(axis=0))
        tallies[PEOPLE] += int(some.sum())
        first = some & (np.minimum(left, top) >= 0) & (np.maximum(right, bottom) <= 1)
        tallies[IN_FIRST_PIXEL] += int((first & ((right > left) | (bottom > top))).sum())
        boxed = some & ~np.isnan(x)
        tallies[BOXES] += int(boxed.sum())
        corners = (wide > x) & (high > y) & (x - 1 <= left) & (y - 1 <= top) & (right <= wide + 1)
        tallies[AS_CORNERS] += int((boxed & corners & (bottom <= high + 1)).sum())
        notice(BESIDE, boxed & _lie_beside(people, points))
        return outside

    def _choose(self, people: TypedPeople, notice: Callable[[str, _Mask], None]) -> _Mask:
        """Tell who is drawn, and count by reason who is not: of several, the first."""
        config, v = self._config, np.ascontiguousarray(people.keypoints[..., 2].T)
        labelled = (v > 0).sum(axis=0)
        counts = v == 2 if config.visibility == "visible" else v > 0
        shown = np.zeros(len(people.ids), bool)
        for parents in self._parents:
            shown |= counts[parents].all(axis=0)
        boxes = people.bboxes[:, 2] * people.bboxes[:, 3]
        areas = np.where(np.isnan(people.area), np.where(np.isnan(boxes), np.inf, boxes), people.area)
        small = areas < config.min_area if config.min_area else np.zeros(len(shown), bool)
        drawn = np.ones(len(shown), bool)
        whys = (people.crowd, labelled == 0, labelled < config.min_keypoints, small, ~shown)
        for reason, why in zip(self._reasons, whys, strict=True):
            if count := int((drawn & why).sum()):
                self.audit.not_drawn[reason] += count
            drawn &= ~why
        bare = np.array([raw is None for raw in people.segmentations]) & np.isnan(people.bboxes[:, 0])
        notice(UNMASKED, ~drawn & bare)
        return drawn


def _lie_beside(people: TypedPeople, points: _Points) -> _Mask:
    """Tell of whom most labelled keypoints lie beside the box."""
    x, y, wide, high = people.bboxes.T
    beside_x, beside_y = 1 + MARGIN * wide, 1 + MARGIN * high
    low_x, low_y, high_x, high_y = x - beside_x, y - beside_y, x + wide + beside_x, y + high + beside_y
    px, py = points.x, points.y
    within = (low_x <= px) & (px <= high_x) & (low_y <= py) & (py <= high_y)
    count = points.labelled.sum(axis=0)
    beside = (points.labelled & ~within).sum(axis=0)
    return np.asarray((count > 1) & (2 * beside > count))


def _fit_only_turned(points: _Points, sizes: NDArray[np.int64]) -> _Mask:
    """Tell what `posegen.annotations.coco.turning.fit_only_turned` does."""
    height, width = sizes.T
    left, top, right, bottom = points.left, points.top, points.right, points.bottom
    within = points.any & (np.minimum(left, top) >= -TURNED_MARGIN)
    leaves = (right > width + TURNED_MARGIN) | (bottom > height + TURNED_MARGIN)
    fits = (right <= height + TURNED_MARGIN) & (bottom <= width + TURNED_MARGIN)
    return np.asarray(within & leaves & fits)
