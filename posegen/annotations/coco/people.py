"""The annotation entries: people, drawn or ignored, and what is odd about them."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posegen.annotations.audit import Audit, counted
from posegen.annotations.coco.categories import Reading
from posegen.annotations.coco.checks import Problems, are_numbers, as_flag, brief, is_id, is_number
from posegen.annotations.coco.ids import Ids
from posegen.annotations.coco.images import Image
from posegen.annotations.coco.keypoints import is_nested, is_whole, read_parts, read_triplets
from posegen.annotations.coco.segmentation import is_segmentation
from posegen.annotations.coco.turning import fit_only_turned
from posegen.annotations.sample import Shape
from posegen.config import BuildConfig
from posegen.skeleton import Skeleton, find_flip_pairs

_LISTED = 10
_LEAST = 1e-9
"""A visibility above 0: fractions were taken for 1 before."""
UNDRAWABLE = "segmentation that cannot be read; the box stands in"
UNMASKED = "ignored person without segmentation and box; not masked"


@dataclass(frozen=True, slots=True, eq=False)
class Person:
    """An annotation entry that could be read; keypoints are (K0, 3) x, y, v, `unknown` (K0,) as `Sample.unknown`."""

    annotation_id: int
    keypoints: NDArray[np.float64]
    shape: Shape
    unknown: NDArray[np.uint8] | None = None


class AnnotationReader:
    """Turns annotation entries into people, drawn or ignored, and counts what it meets."""

    def __init__(self, reading: Reading, config: BuildConfig, problems: Problems, ids: Ids) -> None:
        self.reading = reading
        self.pairs = find_flip_pairs(reading.names)
        self.parents = index_parents(reading.skeleton, reading.names)
        # Then who has one labelled keypoint shows it.
        self.all_count = config.visibility == "labelled" and {*range(len(reading.names))} <= {
            parents[0] for parents in self.parents if len(parents) == 1
        }
        self.config = config
        self.reasons = name_reasons(config)
        self.problems = problems
        self.ids = ids
        self.audit = Audit()
        self.unknown: Counter[str] = Counter()
        self.suspects: dict[str, Image] = {}

    def read(self, entries: list[Any], images: Mapping[int, Image]) -> dict[int, tuple[list[Person], list[Shape]]]:
        """Return the drawn people and the ignored shapes of each image that has any."""
        found: dict[int, tuple[list[Person], list[Shape]]] = defaultdict(lambda: ([], []))
        seen: set[int] = set()
        for position, entry in enumerate(entries):
            if not isinstance(entry, dict) or not is_id(entry.get("id")):
                self.problems.add(
                    f"annotations[{position}]: expected an object with a whole number 'id', {describe_id(entry)}"
                )
                continue
            self.audit.annotations += 1
            annotation_id, image_id = entry["id"], entry.get("image_id")
            if annotation_id in seen:
                self._refuse(entry, "the id occurs more than once")
            elif not is_id(image_id) or image_id not in images:
                self._refuse(entry, f"image_id {brief(self.ids.show(image_id))} is no image of this file")
            elif not self.reading.takes(entry):
                self._leave_out(entry.get("category_id"))
            elif (person := self._person(entry, images[image_id])) is not None:
                reason = self._why_ignored(entry, person, images[image_id])
                if reason is None:
                    found[image_id][0].append(person)
                else:
                    self.audit.not_drawn[reason] += 1
                    found[image_id][1].append(person.shape)
            seen.add(annotation_id)
        return found

    def note_unknown(self) -> None:
        """Note which categories annotations name that the file does not have."""
        if self.unknown:
            listed = ", ".join(f"{name} ({count})" for name, count in self.unknown.most_common(_LISTED))
            known = ", ".join(str(self.ids.show(number)) for number in sorted(self.reading.known)[:_LISTED])
            count = counted(sum(self.unknown.values()), "annotation")
            self.audit.notes.append(
                f"{count} not drawn, as the file has no such category: category_id {listed}; its categories are {known}"
            )

    def _leave_out(self, category: Any) -> None:
        self.audit.not_drawn["of another category"] += 1
        if not is_id(category) or category not in self.reading.known:
            self.unknown[brief(self.ids.show(category))] += 1

    def _person(self, entry: Mapping[str, Any], image: Image) -> Person | None:
        triplets, unknown = self._keypoints(entry, image)
        bbox = entry.get("bbox") or None
        if bbox is not None and not (are_numbers(bbox) and len(bbox) == 4 and min(bbox[2:]) >= 0):
            self._refuse(entry, f"bbox must be x, y, width, height, a list of four numbers, not {brief(bbox)}")
            return None
        if triplets is None:
            return None
        segmentation = entry.get("segmentation") or None
        if segmentation is not None and not is_segmentation(segmentation, (image.height, image.width)):
            self._notice(UNDRAWABLE, entry, image)
            segmentation = None
        if isinstance(segmentation, dict):
            segmentation = {"size": [image.height, image.width], "counts": segmentation["counts"]}
        size = image.height, image.width
        outside = self.audit.check(entry, triplets, size, self.reading.listed, image.file_name)
        if outside and self.config.exif == "auto" and fit_only_turned(triplets, image):
            self.suspects[image.file_name] = image
        if self.config.origin == "unlabelled":
            triplets[(triplets[:, :2] == 0).all(axis=1), 2] = 0
        self.audit.check_pairs(entry["id"], triplets, self.pairs, image.file_name)
        shape = Shape(
            segmentation=segmentation,
            bbox=None if bbox is None else (float(bbox[0]), float(bbox[1]), float(bbox[2]), float(bbox[3])),
        )
        return Person(entry["id"], triplets, shape, unknown)

    def _keypoints(
        self, entry: Mapping[str, Any], image: Image
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
                    self._notice(f"{part} that are said not to be valid; not drawn", entry, image)
        except ValueError as error:
            self._refuse(entry, str(error))
            return None, None
        if is_nested(values):
            self._notice("keypoints in a list for each", entry, image)
        if not is_whole(triplets[:, 2].tolist()):
            if (below := triplets[:, 2] < 0).any():
                self._notice("visibility below 0; taken for not labelled", entry, image)
                triplets[below] = 0
            if (fractions := triplets[:, 2] % 1 > 0).any():
                self._notice("visibility between 0 and 2 that is no whole number; taken for 1", entry, image)
                triplets[fractions, 2] = 1
        return triplets, unknown

    def _why_ignored(self, entry: Mapping[str, Any], person: Person, image: Image) -> str | None:
        labelled = np.count_nonzero(person.keypoints[:, 2] > 0)
        crowd, nothing, few, small, hidden = self.reasons
        if self._is_crowd(entry, image):
            reason = crowd
        elif not labelled:
            reason = nothing
        elif labelled < self.config.min_keypoints:
            reason = few
        elif self.config.min_area and _area(entry, person.shape) < self.config.min_area:
            reason = small
        elif not self._shows(person.keypoints[:, 2]):
            reason = hidden
        else:
            return None
        if person.shape.segmentation is None and person.shape.bbox is None:
            self._notice(UNMASKED, entry, image)
        return reason

    def _is_crowd(self, entry: Mapping[str, Any], image: Image) -> bool:
        flag = entry.get("iscrowd")
        if flag.__class__ is int and flag == 0:  # as nearly all are
            return False
        crowd = as_flag(flag)
        if crowd is None:
            self._refuse(entry, f"iscrowd must be 0 or 1, not {brief(flag)}")
        elif isinstance(flag, str):
            self._notice("iscrowd is text; '0' and 'false' are taken for 0", entry, image)
        return bool(crowd)

    def _shows(self, visibility: NDArray[np.float64]) -> bool:
        """Tell whether anything of a person is drawn whose annotated keypoints have these v (K0,)."""
        if self.all_count:
            return True
        least = 2 if self.config.visibility == "visible" else _LEAST
        v = visibility.tolist()
        return any(min([v[parent] for parent in parents]) >= least for parents in self.parents)

    def _refuse(self, entry: Mapping[str, Any], why: str) -> None:
        self.problems.add(f"annotation {self.ids.show(entry['id'])}: {why}")

    def _notice(self, kind: str, entry: Mapping[str, Any], image: Image) -> None:
        self.audit.notice(kind, entry["id"], image.file_name)


def describe_id(entry: Any) -> str:
    """Say what stands where an entry with an id was expected."""
    return f"not {brief(entry.get('id'))}" if isinstance(entry, dict) else f"not {brief(entry)}"


def name_reasons(config: BuildConfig) -> tuple[str, str, str, str, str]:
    """Name why a person is not drawn: the first that holds, of these."""
    visible = " as visible" if config.visibility == "visible" else ""
    return (
        "crowd",
        "no keypoint is labelled",
        f"fewer than {config.min_keypoints} keypoints",
        f"area below {config.min_area:g}",
        f"none of the skeleton's keypoints is labelled{visible}",
    )


def index_parents(skeleton: Skeleton, names: Sequence[str]) -> list[list[int]]:
    """Find for each keypoint of a skeleton which of the annotated ones it is the mean of."""
    index = {name: i for i, name in enumerate(names)}
    return [[index[parent] for parent in parents] for parents in skeleton.parents]


def _area(entry: Mapping[str, Any], shape: Shape) -> float:
    """Return the stated area, or else the box's, which is never smaller; without either, nothing speaks against it."""
    area = entry.get("area")
    if is_number(area):
        return float(area)
    return shape.bbox[2] * shape.bbox[3] if shape.bbox else math.inf
