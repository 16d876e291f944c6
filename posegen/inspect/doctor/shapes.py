"""Limbs that are out of proportion, and keypoints that lie far outside their person's box or mask."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from posegen.inspect.bodies import measure_limbs
from posegen.inspect.doctor.suspicion import Suspicion
from posegen.inspect.people import People

_LONG = 2.2
"""So many times as long as usual is out of proportion; perspective makes limbs shorter, hardly ever longer."""
_DEVIATIONS = 3.5
_LEAST_SPREAD = 0.12
_LEAST_SEEN = 20
_FAR = 0.3
"""So far outside, in shares of the square root of the box's area."""
_FAR_OCCLUDED = 1.5
_LEAST_PX = 4.0
_UPPER = 0.6745
"""The third quartile of a normal distribution, in standard deviations."""


def find_long_limbs(people: People) -> Iterator[Suspicion]:
    """Find people of whom a limb is far too long for the rest of the body."""
    ratios = measure_limbs(people).ratios
    if not ratios.size:
        return
    logs = np.log(ratios)
    spread = np.full(logs.shape[1], np.inf)
    for e, column in enumerate(logs.T):
        seen = column[np.isfinite(column)]
        if len(seen) >= _LEAST_SEEN:
            spread[e] = max(float(np.quantile(seen, 0.75)) / _UPPER, _LEAST_SPREAD)
    far = np.nan_to_num(logs / spread)
    long = (np.nan_to_num(ratios) > _LONG) & (far > _DEVIATIONS)
    names = people.skeleton.limb_names
    for person in np.flatnonzero(long.any(axis=1)).tolist():
        which = np.flatnonzero(long[person])
        worst = int(which[far[person, which].argmax()])
        points = sorted({k for e in which.tolist() for k in people.skeleton.limbs[e]})
        said = f"{names[worst]} is {ratios[person, worst]:.1f} times as long as usual for a body of this size"
        said += f", and {len(which) - 1} more" if len(which) > 1 else ""
        yield suspect(people, person, "limbs", 1 - _DEVIATIONS / (2 * far[person, worst]), said, tuple(points))


def find_outside(people: People, entries: Mapping[int, Mapping[str, Any]]) -> Iterator[Suspicion]:
    """Find people with labelled keypoints far outside the box, or visible ones far outside the outline.

    Parameters
    ----------
    people
        Of annotated images.
    entries
        The annotations as the file has them, by id, for their boxes and outlines.
    """
    size = np.sqrt(people.boxes[:, 2] * people.boxes[:, 3])
    x, y, w, h = np.moveaxis(people.boxes[:, None], -1, 0)
    px, py = people.keypoints[..., 0] + 0.5, people.keypoints[..., 1] + 0.5
    beyond = np.hypot(np.maximum.reduce([x - px, px - x - w, 0 * px]), np.maximum.reduce([y - py, py - y - h, 0 * py]))
    # A box goes around what is seen of a person: an occluded keypoint may well lie beyond it.
    seen = people.keypoints[..., 2] >= min(2.0, float(people.keypoints[..., 2].max(initial=0)))
    beyond *= np.where(seen, 1, _FAR / _FAR_OCCLUDED) * people.labelled
    for person in range(len(people)):
        if not size[person] > 0:
            continue
        away, what = beyond[person], "box"
        if not _is_far(away, size[person]).any():
            entry = entries.get(int(people.ids[person]), {})
            away, what = _measure_mask(people, person, entry, away), "outline"
        far = _is_far(away, size[person])
        if far.any():
            worst = int(away.argmax())
            name = people.skeleton.keypoints[worst]
            said = f"{name} lies far outside the {what}"
            said += f", and {far.sum() - 1} more do" if far.sum() > 1 else ""
            score = 1 - _FAR / (2 * away[worst] / size[person])
            yield suspect(people, person, "outside", score, said, tuple(np.flatnonzero(far).tolist()))


def suspect(  # noqa: PLR0917 (in the order in which one says it)
    people: People, person: int, kind: Any, score: float, said: str, keypoints: tuple[int, ...] = (), **more: Any
) -> Suspicion:
    """Make a suspicion about a person."""
    sample = int(people.owner[person])
    return Suspicion(
        kind=kind,
        image_id=int(people.image_ids[sample]),
        file_name=people.file_names[sample],
        annotation_id=int(people.ids[person]),
        score=float(np.clip(score, 0, 1)),
        says=said,
        keypoints=keypoints,
        **more,
    )


def _is_far(away: NDArray[np.float64], size: float) -> NDArray[np.bool_]:
    return np.asarray((away > _FAR * size) & (away > _LEAST_PX))


def _measure_mask(
    people: People, person: int, entry: Mapping[str, Any], away: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Measure how far visible keypoints lie outside the outline; those that lie in or near the box are asked."""
    shape, found = entry.get("segmentation"), np.zeros_like(away)
    visible = np.flatnonzero(people.keypoints[person, :, 2] >= 2)
    if not shape or not len(visible):
        return found
    points = people.keypoints[person, visible, :2] + 0.5
    try:
        if isinstance(shape, list):
            rings = [np.array(ring, np.float32).reshape(-1, 1, 2) for ring in shape if len(ring) >= 6]
            if rings:
                inner = [[cv2.pointPolygonTest(ring, (float(x), float(y)), True) for x, y in points] for ring in rings]
                found[visible] = np.maximum(-np.max(inner, axis=0), 0)
        else:
            found[visible] = _measure_pixels(shape, points)
    except (TypeError, ValueError, cv2.error):
        return found  # an outline that cannot be read is the audit's to name
    return found


def _measure_pixels(shape: Mapping[str, Any], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Measure how far points lie outside a mask that is given as run lengths."""
    encoded = coco_mask.frPyObjects(shape, *shape["size"]) if isinstance(shape["counts"], list) else shape
    pixels = coco_mask.decode(encoded)
    if not pixels.any():
        return np.zeros(len(points))
    distance = cv2.distanceTransform(1 - pixels, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    rows, columns = pixels.shape
    x, y = (points[:, axis].astype(int).clip(0, side - 1) for axis, side in ((0, columns), (1, rows)))
    return np.asarray(distance[y, x], np.float64)
