"""One sample a person: who becomes one, and which box its surroundings are cropped by."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from posegen.annotations import Sample
from posegen.annotations.audit import Audit
from posegen.annotations.columns import SampleColumns
from posegen.errors import ConfigError

_UNCROPPED = "their box is empty or outside the image, and their keypoints span none to crop by"

_BOXLESS = "no box in the image; that of the keypoints stands in"

Box = tuple[float, float, float, float]
"""x, y, width, height in image pixels."""


def split_people(samples: Sequence[Sample], audit: Audit) -> tuple[Sample, ...]:
    """Make a sample of each person that can be cropped; who cannot, or has no box, is counted in the audit.

    Those of one image share its shapes.
    """
    columns = SampleColumns.of(samples)
    found = find_croppable(columns, audit)
    return tuple(columns.make(*where) for where in zip(columns.images[found].tolist(), found.tolist(), strict=True))


def find_croppable(columns: SampleColumns, audit: Audit) -> NDArray[np.int64]:
    """Find the numbers of the people who can be cropped; who cannot, or has no box, is counted in the audit."""
    images = columns.images
    ends = columns.sizes[images, ::-1]
    first = columns.bboxes[:, :2]
    stated = _is_box(_clip(first, first + columns.bboxes[:, 2:], ends))
    labelled = (columns.keypoints[..., 2] > 0)[..., None]
    low = np.where(labelled, columns.keypoints[..., :2], np.inf).min(axis=1, initial=np.inf)
    high = np.where(labelled, columns.keypoints[..., :2], -np.inf).max(axis=1, initial=-np.inf)
    spanned = _is_box(_clip(low, high, ends))
    if count := int((~stated & ~spanned).sum()):
        audit.not_drawn[_UNCROPPED] += count
    audit.notice_all(_BOXLESS, ~stated & spanned, columns.annotation_ids, lambda _: "")
    found = np.flatnonzero(stated | spanned)
    if count := len(columns) - len(np.unique(images[found])):
        audit.left_out["nobody on it can be cropped"] += count
    return found


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


def _stated_box(person: Sample) -> Box | None:
    first = person.bboxes[0, :2]
    return _cut(first, first + person.bboxes[0, 2:], person)


def _box_of_keypoints(person: Sample) -> Box | None:
    labelled = person.keypoints[0, person.keypoints[0, :, 2] > 0, :2]
    return _cut(labelled.min(axis=0), labelled.max(axis=0), person) if len(labelled) else None


def _cut(first: NDArray[np.float64], last: NDArray[np.float64], person: Sample) -> Box | None:
    """Clip a box to the image; None if nothing is left, or it is not a number."""
    x, y, width, height = found = _clip(first, last, np.array([person.width, person.height]))
    return (float(x), float(y), float(width), float(height)) if _is_box(found) else None


def _clip(first: NDArray[np.float64], last: NDArray[np.float64], ends: NDArray[np.int64]) -> NDArray[np.float64]:
    """Clip boxes from a first to a last x, y (..., 2) to images whose width, height are `ends`: (..., 4)."""
    first = np.maximum(first, 0)
    return np.concatenate([first, np.minimum(last, ends) - first], axis=-1)


def _is_box(boxes: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell which of boxes (..., 4) are not empty."""
    size = boxes[..., 2:]
    return np.asarray((size >= 0).all(axis=-1) & size.any(axis=-1))
