"""What a doctor of annotations suspects: of whom, why, how sure it is, and what would mend it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["sides", "limbs", "outside", "twice", "pictures", "visibility"]

KINDS: dict[Kind, str] = {
    "sides": "left and right swapped",
    "limbs": "limbs out of proportion",
    "outside": "keypoints far outside the box or the mask",
    "twice": "the same person twice",
    "pictures": "the same picture twice",
    "visibility": "visibility misused",
}
"""What can be wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mend:
    """A change of annotations that is certainly right.

    Attributes
    ----------
    what
        `swap` pairs of keypoints, `remove` the annotation, or say that keypoints are `unlabelled`.
    keypoints
        Indices into the annotation's keypoints: of pairs, one after the other, or of those that are unlabelled.
    """

    what: Literal["swap", "remove", "unlabelled"]
    keypoints: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspicion:
    """Something that is probably wrong.

    Attributes
    ----------
    kind
        One of `KINDS`.
    image_id, file_name
        The image.
    annotation_id
        The person; None where it is about a picture.
    score
        From 0 to 1: by which all are ranked, the surest first.
    says
        What is odd, in a sentence without an end.
    keypoints
        The indices of those that it is about.
    other
        The id of the other annotation or image where two are the same.
    mend
        What mends it, where that is certain.
    """

    kind: Kind
    image_id: int
    file_name: str
    annotation_id: int | None
    score: float
    says: str
    keypoints: tuple[int, ...] = ()
    other: int | None = None
    mend: Mend | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers and words, for JSON."""
        mend = None if self.mend is None else {"what": self.mend.what, "keypoints": list(self.mend.keypoints)}
        return {
            "kind": self.kind,
            "image_id": self.image_id,
            "file_name": self.file_name,
            "annotation_id": self.annotation_id,
            "score": round(self.score, 3),
            "says": self.says,
            "keypoints": list(self.keypoints),
            "other": self.other,
            "mend": mend,
        }


@dataclass(slots=True, kw_only=True)
class Examination:
    """What was found in annotations.

    Attributes
    ----------
    images, people
        How many were examined, of those that have people with labelled keypoints.
    pictures
        How many pictures were compared.
    suspicions
        The surest first.
    notes
        What the user should know, in sentences.
    """

    images: int
    people: int
    pictures: int = 0
    suspicions: list[Suspicion] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def of(self, kind: Kind) -> list[Suspicion]:
        """Return those of one kind."""
        return [suspicion for suspicion in self.suspicions if suspicion.kind == kind]

    def to_dict(self) -> dict[str, Any]:
        """Return plain numbers and words, for JSON."""
        return {
            "images": self.images,
            "people": self.people,
            "pictures": self.pictures,
            "counts": {kind: len(self.of(kind)) for kind in KINDS},
            "notes": list(self.notes),
            "suspicions": [suspicion.to_dict() for suspicion in self.suspicions],
        }
