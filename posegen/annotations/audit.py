"""What was left out or noticed on the way from an annotation file to samples, counted by kind, with examples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posegen.geometry import Size

_EXAMPLES = 3
_OPTIONAL = ("area", "bbox", "iscrowd", "num_keypoints", "segmentation")
_BOX_TOLERANCE = 1.0
"""Pixels by which a box may leave its image unremarked: annotation tools round outwards."""


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
    notes
        What the user should know about how the file was read, in sentences.
    """

    images: int = 0
    annotations: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    not_drawn: Counter[str] = field(default_factory=Counter)
    noticed: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[int]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def notice(self, kind: str, annotation_id: int) -> None:
        """Count something odd about an annotation."""
        self.noticed[kind] += 1
        examples = self.examples.setdefault(kind, [])
        if len(examples) < _EXAMPLES:
            examples.append(annotation_id)

    def check(
        self, entry: Mapping[str, Any], keypoints: NDArray[np.float64], image: Size, counted: int | None = None
    ) -> None:
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
        """
        name, (height, width) = entry["id"], image
        for key in _OPTIONAL:
            if key not in entry:
                self.notice(f"no '{key}'", name)
        labelled = [(x, y) for x, y, v in keypoints.tolist() if v > 0]
        stated = len(labelled) if counted is None else int(np.count_nonzero(keypoints[:counted, 2] > 0))
        if entry.get("num_keypoints", stated) != stated:
            self.notice("num_keypoints disagrees with the keypoints; they were counted", name)
        if any(min(x, y) < -0.5 or x > width - 0.5 or y > height - 0.5 for x, y in labelled):
            self.notice("keypoint outside the image", name)
        if bbox := entry.get("bbox"):
            x, y, right, bottom = bbox[0], bbox[1], bbox[0] + bbox[2], bbox[1] + bbox[3]
            over = max(-x, -y, right - width, bottom - height)
            if over > _BOX_TOLERANCE:
                self.notice("box reaches out of the image", name)

    def check_pairs(self, annotation_id: int, keypoints: NDArray[np.float64], pairs: Sequence[tuple[int, int]]) -> None:
        """Notice a left and a right keypoint, labelled, at one point; `keypoints` is (K0, 3) x, y, v."""
        if not keypoints[:, 2].any():
            return
        points = keypoints.tolist()
        for a, b in pairs:
            if points[a][2] > 0 and points[b][2] > 0 and points[a][:2] == points[b][:2]:
                self.notice("left and right keypoint at one point", annotation_id)
                return

    def check_people(self, annotation_ids: Sequence[int], keypoints: NDArray[np.float64]) -> None:
        """Notice people of one image with the very same keypoints (N, K0, 3)."""
        seen: set[bytes] = set()
        for annotation_id, person in zip(annotation_ids, keypoints, strict=True):
            if person.tobytes() in seen:
                self.notice("person with the same keypoints as another", annotation_id)
            seen.add(person.tobytes())

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers and lists by name, for JSON."""
        counters = {"left_out": self.left_out, "not_drawn": self.not_drawn, "noticed": self.noticed}
        plain = {name: dict(sorted(counter.items())) for name, counter in counters.items()}
        examples = dict(sorted(self.examples.items()))
        counts = {"images": self.images, "annotations": self.annotations}
        return counts | plain | {"examples": examples, "notes": list(self.notes)}

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
        return lines

    def describe_noticed(self) -> list[str]:
        """Say what to know, and in a line for each kind what was noticed, how often, and where first."""
        return [f"note: {note}" for note in self.notes] + [
            f"noticed: {kind}: {count} annotation{'' if count == 1 else 's'}, such as "
            + ", ".join(map(str, self.examples[kind]))
            for kind, count in sorted(self.noticed.items())
        ]

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Audit:
        """Read what `to_dict` gave; raises `KeyError`, `TypeError` or `ValueError` where it is not that."""
        counters = {key: Counter(dict(record[key])) for key in ("left_out", "not_drawn", "noticed")}
        examples = {str(kind): [int(i) for i in ids] for kind, ids in record["examples"].items()}
        notes = [str(note) for note in record["notes"]]
        images, annotations = int(record["images"]), int(record["annotations"])
        return cls(images=images, annotations=annotations, examples=examples, notes=notes, **counters)
