"""One sample a person: who becomes one, and which box its surroundings are cropped by."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from posegen.annotations import Sample
from posegen.annotations.audit import Audit
from posegen.errors import ConfigError

_UNCROPPED = "their box is empty or outside the image, and their keypoints span none to crop by"

Box = tuple[float, float, float, float]
"""x, y, width, height in image pixels."""


def split_people(samples: Sequence[Sample], audit: Audit) -> tuple[Sample, ...]:
    """Make a sample of each person that can be cropped; who cannot, or has no box, is counted in the audit.

    Those of one image share its shapes.
    """
    found: list[Sample] = []
    for sample in samples:
        people = [person for person in _one_by_one(sample) if _keep(person, audit)]
        if not people:
            audit.left_out["nobody on it can be cropped"] += 1
        found += people
    return tuple(found)


def find_box(person: Sample) -> Box:
    """Return the box to crop a sample of one person by.

    It is the annotation's, clipped to the image; where that is missing or empty, that of the labelled keypoints.

    Raises
    ------
    ConfigError
        If there is neither.
    """
    found = _stated_box(person) or _box_of_keypoints(person)
    if found is None:
        raise ConfigError(f"annotation {person.annotation_ids[0]} has no box to crop by")
    return found


def _one_by_one(sample: Sample) -> Iterator[Sample]:
    for n in range(len(sample.keypoints)):
        here = slice(n, n + 1)
        yield dataclasses.replace(
            sample,
            keypoints=sample.keypoints[here],
            bboxes=sample.bboxes[here],
            annotation_ids=sample.annotation_ids[here],
            unknown=None if sample.unknown is None else sample.unknown[here],
        )


def _keep(person: Sample, audit: Audit) -> bool:
    if _stated_box(person) is not None:
        return True
    if _box_of_keypoints(person) is None:
        audit.not_drawn[_UNCROPPED] += 1
        return False
    audit.notice("no box in the image; that of the keypoints stands in", int(person.annotation_ids[0]))
    return True


def _stated_box(person: Sample) -> Box | None:
    x, y, width, height = person.bboxes[0]
    return _clip(np.array([[x, y], [x + width, y + height]]), person)


def _box_of_keypoints(person: Sample) -> Box | None:
    labelled = person.keypoints[0, person.keypoints[0, :, 2] > 0, :2]
    if not len(labelled):
        return None
    return _clip(np.array([labelled.min(axis=0), labelled.max(axis=0)]), person)


def _clip(corners: NDArray[np.float64], person: Sample) -> Box | None:
    """Clip a box, (2, 2) first and last x, y, to the image; None if nothing is left, or it is not a number."""
    first = np.maximum(corners[0], 0)
    size = np.minimum(corners[1], (person.width, person.height)) - first
    if not (size >= 0).all() or not size.any():
        return None
    return float(first[0]), float(first[1]), float(size[0]), float(size[1])
