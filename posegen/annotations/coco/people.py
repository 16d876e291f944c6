"""The annotation entries: people, drawn or ignored, and what is odd about them."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posegen.annotations.audit import Audit
from posegen.annotations.coco.categories import Reading
from posegen.annotations.coco.checks import Problems, are_numbers, brief, is_id, is_number
from posegen.annotations.coco.images import Image
from posegen.annotations.coco.keypoints import is_nested, is_whole, read_parts, read_triplets
from posegen.annotations.coco.segmentation import is_segmentation
from posegen.annotations.sample import Shape
from posegen.config import BuildConfig
from posegen.skeleton import find_flip_pairs


@dataclass(frozen=True, slots=True, eq=False)
class Person:
    """An annotation entry that could be read; keypoints are (K0, 3) x, y, v, `unknown` (K0,) as `Sample.unknown`."""

    annotation_id: int
    keypoints: NDArray[np.float64]
    shape: Shape
    unknown: NDArray[np.uint8] | None = None


class AnnotationReader:
    """Turns annotation entries into people, drawn or ignored, and counts what it meets."""

    def __init__(self, reading: Reading, config: BuildConfig, problems: Problems) -> None:
        self.reading = reading
        self.pairs = find_flip_pairs(reading.names)
        self.config = config
        self.problems = problems
        self.audit = Audit()

    def read(self, entries: list[Any], images: Mapping[int, Image]) -> dict[int, tuple[list[Person], list[Shape]]]:
        """Return the drawn people and the ignored shapes of each image that has any."""
        found: dict[int, tuple[list[Person], list[Shape]]] = defaultdict(lambda: ([], []))
        seen: set[int] = set()
        for position, entry in enumerate(entries):
            if not isinstance(entry, dict) or not is_id(entry.get("id")):
                self.problems.add(f"annotations[{position}]: expected an object with a whole number 'id'")
                continue
            self.audit.annotations += 1
            annotation_id, image_id = entry["id"], entry.get("image_id")
            if annotation_id in seen:
                self.problems.add(f"annotation {annotation_id}: the id occurs more than once")
            elif not is_id(image_id) or image_id not in images:
                self.problems.add(f"annotation {annotation_id}: image_id {brief(image_id)} is no image of this file")
            elif not self.reading.takes(entry):
                self.audit.not_drawn["of another category"] += 1
            elif (person := self._person(entry, images[image_id])) is not None:
                reason = self._why_ignored(entry, person)
                if reason is None:
                    found[image_id][0].append(person)
                else:
                    self.audit.not_drawn[reason] += 1
                    found[image_id][1].append(person.shape)
            seen.add(annotation_id)
        return found

    def _person(self, entry: Mapping[str, Any], image: Image) -> Person | None:
        where = f"annotation {entry['id']}"
        triplets, unknown = self._keypoints(where, entry)
        bbox = entry.get("bbox") or None
        if bbox is not None and not (are_numbers(bbox) and len(bbox) == 4 and min(bbox[2:]) >= 0):
            self.problems.add(f"{where}: bbox must be x, y, width, height, not {brief(bbox)}")
            return None
        if triplets is None:
            return None
        segmentation = entry.get("segmentation") or None
        if segmentation is not None and not is_segmentation(segmentation, (image.height, image.width)):
            self.audit.notice("segmentation that cannot be read; the box stands in", entry["id"])
            segmentation = None
        if isinstance(segmentation, dict):
            segmentation = {"size": [image.height, image.width], "counts": segmentation["counts"]}
        self.audit.check(entry, triplets, (image.height, image.width), self.reading.listed)
        self.audit.check_pairs(entry["id"], triplets, self.pairs)
        shape = Shape(
            segmentation=segmentation,
            bbox=None if bbox is None else (float(bbox[0]), float(bbox[1]), float(bbox[2]), float(bbox[3])),
        )
        return Person(entry["id"], triplets, shape, unknown)

    def _keypoints(
        self, where: str, entry: Mapping[str, Any]
    ) -> tuple[NDArray[np.float64] | None, NDArray[np.uint8] | None]:
        values, unknown = entry.get("keypoints"), None
        try:
            triplets = read_triplets(values, self.reading.listed)
            if self.reading.listed < len(self.reading.names):
                parts, invalid, of_parts = read_parts(entry)
                if of_parts.any():
                    unknown = np.concatenate([np.zeros(len(triplets), np.uint8), of_parts])
                triplets = np.concatenate([triplets, parts])
                for part in invalid:
                    self.audit.notice(f"{part} that are said not to be valid; not drawn", entry["id"])
        except ValueError as error:
            self.problems.add(f"{where}: {error}")
            return None, None
        if is_nested(values):
            self.audit.notice("keypoints in a list for each", entry["id"])
        if not is_whole(triplets[:, 2].tolist()):
            fractions = triplets[:, 2] % 1 > 0
            self.audit.notice("visibility between 0 and 2 that is no whole number; taken for 1", entry["id"])
            triplets[fractions, 2] = 1
        return triplets, unknown

    def _why_ignored(self, entry: Mapping[str, Any], person: Person) -> str | None:
        labelled = np.count_nonzero(person.keypoints[:, 2] > 0)
        if entry.get("iscrowd"):
            reason = "crowd"
        elif not labelled:
            reason = "no keypoint is labelled"
        elif labelled < self.config.min_keypoints:
            reason = f"fewer than {self.config.min_keypoints} keypoints"
        elif self.config.min_area and _area(entry, person.shape) < self.config.min_area:
            reason = f"area below {self.config.min_area:g}"
        else:
            return None
        if person.shape.segmentation is None and person.shape.bbox is None:
            self.audit.notice("ignored person without segmentation and box; not masked", entry["id"])
        return reason


def _area(entry: Mapping[str, Any], shape: Shape) -> float:
    """Return the stated area, or else the box's, which is never smaller; without either, nothing speaks against it."""
    area = entry.get("area")
    if is_number(area):
        return float(area)
    return shape.bbox[2] * shape.bbox[3] if shape.bbox else math.inf
