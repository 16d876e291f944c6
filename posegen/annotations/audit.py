"""What was left out or noticed on the way from an annotation file to samples, counted by kind, with examples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posegen.geometry import Size

_EXAMPLES = 3
_SHOWN_PICTURES = 10
OPTIONAL = ("area", "bbox", "iscrowd", "num_keypoints", "segmentation")
OUTSIDE = "keypoint outside the image"
ORIGIN = "keypoint labelled at exactly 0,0"
OVER = "box reaches out of the image"
BESIDE = "most keypoints lie outside the person's box"
ONE_POINT = "left and right keypoint at one point"
_TWICE = "person with the same keypoints as another"
DISAGREES = "num_keypoints disagrees with the keypoints; they were counted"
REACHING_OUT, PEOPLE, IN_FIRST_PIXEL = "boxes that reach out", "people", "people within one pixel"
BOXES, AS_CORNERS = "boxes", "boxes that fit as corners"
_FOLLOWS = {
    "no 'area'": "that of the box stands in",
    "no 'bbox'": "that of the keypoints stands in where one is needed",
    "no 'iscrowd'": "taken for 0",
    "no 'num_keypoints'": "they were counted",
    "no 'segmentation'": "the box stands in where it is masked",
    OUTSIDE: "drawn where it is said to be",
    ORIGIN: "drawn there, unless by --origin unlabelled",
    OVER: "cut at the edge",
    BESIDE: "crops by it miss them",
    ONE_POINT: "both are drawn",
    _TWICE: "both are drawn",
}
"""What follows from a kind that is noticed, where its name does not say it."""
BOX_TOLERANCE = 1.0
"""Pixels by which a box may leave its image unremarked: annotation tools round outwards."""
MARGIN = 0.1
"""Share of a box's sides by which keypoints may lie beside it."""


def counted(count: int, noun: str) -> str:
    """Write a number and what it counts, as in `1 image` and `2 images`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


@dataclass(slots=True, kw_only=True)
class Audit:
    """Counts of images and annotations, and of what became of them.

    Attributes
    ----------
    images, annotations
        How many the file has.
    left_out
        Images that become no samples, by reason.
    not_drawn
        Annotations that are not drawn, by reason.
    noticed
        Annotations that are odd in some way and used all the same, by kind.
    examples
        The ids of the first few annotations of each kind noticed.
    pictures
        The file names of their images, as far as they are known.
    notes
        What the user should know about how the file was read, in sentences.
    bad_pictures
        What is wrong with pictures, by the names of their files.
    sources
        What became of each of several sources, by name; its images and annotations are among those counted here.
    """

    images: int = 0
    annotations: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    not_drawn: Counter[str] = field(default_factory=Counter)
    noticed: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[int]] = field(default_factory=dict)
    pictures: dict[str, list[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    bad_pictures: dict[str, str] = field(default_factory=dict)
    sources: dict[str, Audit] = field(default_factory=dict)
    tallies: Counter[str] = field(default_factory=Counter, compare=False, repr=False)
    """What `describe_whole` judges all people together by."""

    def notice(self, kind: str, annotation_id: int, picture: str = "") -> None:
        """Count something odd about an annotation, on an image whose file has that name."""
        self.noticed[kind] += 1
        examples = self.examples.setdefault(kind, [])
        if len(examples) < _EXAMPLES:
            examples.append(annotation_id)
            if picture:
                self.pictures.setdefault(kind, []).append(picture)

    def notice_all(
        self, kind: str, found: NDArray[np.bool_], annotation_ids: NDArray[np.int64], picture: Callable[[int], str]
    ) -> None:
        """Notice something odd about those of many annotations that were found.

        Parameters
        ----------
        kind
            What it is.
        found
            (n,) of which annotations.
        annotation_ids
            (n,) of all.
        picture
            Returns the file name of one's image, by its place among them.
        """
        places = np.flatnonzero(found).tolist()
        for place in places[:_EXAMPLES]:
            self.notice(kind, int(annotation_ids[place]), picture(place))
        if len(places) > _EXAMPLES:
            self.noticed[kind] += len(places) - _EXAMPLES

    def check(
        self,
        entry: Mapping[str, Any],
        keypoints: NDArray[np.float64],
        image: Size,
        counted: int | None = None,
        picture: str = "",
    ) -> bool:
        """Notice what is odd about one annotation.

        Parameters
        ----------
        entry
            The annotation as the file has it; its bbox is known to be four numbers, or nothing.
        keypoints
            (K0, 3) x, y, v.
        image
            (height, width) of its image in pixels.
        counted
            How many of the keypoints, the first, its `num_keypoints` is about; by default all.
        picture
            The name of its image's file.

        Returns
        -------
        Whether a labelled keypoint lies outside the image.
        """
        name, (height, width) = entry["id"], image
        for key in OPTIONAL:
            if key not in entry:
                self.notice(f"no '{key}'", name, picture)
        labelled = [(x, y) for x, y, v in keypoints.tolist() if v > 0]
        whole = counted is None or counted == len(keypoints)
        stated = len(labelled) if whole else int(np.count_nonzero(keypoints[:counted, 2] > 0))
        if entry.get("num_keypoints", stated) != stated:
            self.notice(DISAGREES, name, picture)
        bbox = entry.get("bbox")
        if bbox:
            over = max(-bbox[0], -bbox[1], bbox[0] + bbox[2] - width, bbox[1] + bbox[3] - height)
            if over > BOX_TOLERANCE:
                self.notice(OVER, name, picture)
                self.tallies[REACHING_OUT] += 1
        return bool(labelled) and self._check_points(name, picture, labelled, image, bbox or None)

    def _check_points(
        self,
        name: int,
        picture: str,
        labelled: Sequence[tuple[float, float]],
        image: Size,
        bbox: Sequence[float] | None,
    ) -> bool:
        """Notice where the labelled points of one person lie, to the image and to the person's box."""
        xs, ys = zip(*labelled, strict=True)
        left, top, right, bottom = min(xs), min(ys), max(xs), max(ys)
        outside = min(left, top) < -0.5 or right > image[1] - 0.5 or bottom > image[0] - 0.5
        if outside:
            self.notice(OUTSIDE, name, picture)
        if left <= 0 and top <= 0 and (0.0, 0.0) in labelled:
            self.notice(ORIGIN, name, picture)
        self.tallies[PEOPLE] += 1
        if min(left, top) >= 0 and max(right, bottom) <= 1 and (right > left or bottom > top):
            self.tallies[IN_FIRST_PIXEL] += 1
        if bbox is None:
            return outside
        x, y, wide, high = bbox
        self.tallies[BOXES] += 1
        if wide > x and high > y and x - 1 <= left and y - 1 <= top and right <= wide + 1 and bottom <= high + 1:
            self.tallies[AS_CORNERS] += 1
        beside_x, beside_y = 1 + MARGIN * wide, 1 + MARGIN * high
        low_x, low_y, high_x, high_y = x - beside_x, y - beside_y, x + wide + beside_x, y + high + beside_y
        if left < low_x or top < low_y or right > high_x or bottom > high_y:
            beside = sum(not (low_x <= px <= high_x and low_y <= py <= high_y) for px, py in labelled)
            if len(labelled) > 1 and 2 * beside > len(labelled):
                self.notice(BESIDE, name, picture)
        return outside

    def find_shares(self) -> bool:
        """Tell whether all people's keypoints lie in the first pixel, as shares of the image's size do."""
        return 0 < self.tallies[PEOPLE] == self.tallies[IN_FIRST_PIXEL]

    def note_corners(self) -> None:
        """Note it if boxes look like x, y of two corners: each fits so, and some reach out of their image otherwise."""
        count = self.tallies[BOXES]
        if count > 1 and count == self.tallies[AS_CORNERS] and self.tallies[REACHING_OUT]:
            self.notes.append(
                f"all {count} boxes look as if they were x, y of two corners, where COCO has x, y, width, height; "
                "crops and masks by them are too large: mend them if so"
            )

    def check_pairs(
        self, annotation_id: int, keypoints: NDArray[np.float64], pairs: Sequence[tuple[int, int]], picture: str = ""
    ) -> None:
        """Notice a left and a right keypoint, labelled, at one point; `keypoints` is (K0, 3) x, y, v."""
        points = keypoints.tolist()
        for a, b in pairs:
            if points[a][2] > 0 and points[b][2] > 0 and points[a][:2] == points[b][:2]:
                self.notice(ONE_POINT, annotation_id, picture)
                return

    def check_people(self, annotation_ids: Sequence[int], keypoints: NDArray[np.float64], picture: str = "") -> None:
        """Notice people of one image with the very same keypoints (N, K0, 3)."""
        seen: set[bytes] = set()
        for annotation_id, person in zip(annotation_ids, keypoints, strict=True):
            if person.tobytes() in seen:
                self.notice(_TWICE, annotation_id, picture)
            seen.add(person.tobytes())

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers and lists by name, for JSON."""
        counters = {"left_out": self.left_out, "not_drawn": self.not_drawn, "noticed": self.noticed}
        plain = {name: dict(sorted(counter.items())) for name, counter in counters.items()}
        examples = dict(sorted(self.examples.items()))
        counts = {"images": self.images, "annotations": self.annotations}
        pictures = dict(sorted(self.pictures.items()))
        found = counts | plain | {"examples": examples, "pictures": pictures, "notes": list(self.notes)}
        if self.sources:
            found["sources"] = {name: audit.to_dict() for name, audit in self.sources.items()}
        return found | ({"bad_pictures": dict(self.bad_pictures)} if self.bad_pictures else {})

    def describe_left_out(self) -> list[str]:
        """Say in a line each which images were left out and which annotations are not drawn, if there are any."""
        lines = []
        for verb, counter, total, what in (
            ("left out", self.left_out, self.images, "images"),
            ("not drawn", self.not_drawn, self.annotations, "annotations"),
        ):
            if counter:
                reasons = "; ".join(f"{count} {reason}" for reason, count in sorted(counter.items()))
                lines.append(f"{sum(counter.values())} of {total} {what} {verb}: {reasons}")
        return lines + [f"{name}: {line}" for name, audit in self.sources.items() for line in audit.describe_left_out()]

    def describe(self) -> list[str]:
        """Say all, in lines."""
        lines = [*self.describe_left_out(), *self.describe_noticed()]
        if count := len(self.bad_pictures):
            lines.append(f"{counted(count, 'picture')} cannot be used:")
            lines += [f"  {reason}" for reason in list(self.bad_pictures.values())[:_SHOWN_PICTURES]]
            if count > _SHOWN_PICTURES:
                lines.append(f"  ... and {count - _SHOWN_PICTURES} more")
        return lines or ["nothing to remark"]

    def describe_noticed(self) -> list[str]:
        """Say what to know, and in a line for each kind what was noticed, what follows, how often, and where first."""
        lines = [f"note: {note}" for note in self.notes]
        for kind, count in sorted(self.noticed.items()):
            follows = f"; {_FOLLOWS[kind]}" if kind in _FOLLOWS else ""
            examples = ", ".join(map(str, self.examples[kind]))
            if pictures := self.pictures.get(kind):
                first, comma, others = examples.partition(",")
                examples = f"{first} ({pictures[0]}){comma}{others}"
            lines.append(f"noticed: {kind}{follows}: {counted(count, 'annotation')}, such as {examples}")
        return lines + [f"{name}: {line}" for name, audit in self.sources.items() for line in audit.describe_noticed()]

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Audit:
        """Read what `to_dict` gave; raises `KeyError`, `TypeError` or `ValueError` where it is not that."""
        counters: dict[str, Counter[str]] = {
            key: Counter(dict(record[key])) for key in ("left_out", "not_drawn", "noticed")
        }
        return cls(
            images=int(record["images"]),
            annotations=int(record["annotations"]),
            left_out=counters["left_out"],
            not_drawn=counters["not_drawn"],
            noticed=counters["noticed"],
            examples={str(kind): [int(i) for i in ids] for kind, ids in record["examples"].items()},
            # Datasets that were built before have no names of pictures here.
            pictures={str(kind): [str(name) for name in names] for kind, names in record.get("pictures", {}).items()},
            notes=[str(note) for note in record["notes"]],
            bad_pictures={str(name): str(why) for name, why in record.get("bad_pictures", {}).items()},
            # A source has none of its own, whatever a record says.
            sources={str(k): cls.from_dict({**of, "sources": {}}) for k, of in record.get("sources", {}).items()},
        )
