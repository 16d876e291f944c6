"""Images that stand in a file under several ids: one picture, of which each id has some of the people."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping

from posegen.annotations.audit import Audit, counted
from posegen.annotations.coco.images import Image
from posegen.annotations.coco.people import Person
from posegen.annotations.sample import Shape

People = dict[int, tuple[list[Person], list[Shape]]]
"""The drawn people and the ignored shapes of each image that has any."""


def join_same(images: dict[int, Image], people: People, audit: Audit) -> None:
    """Give all people of a picture to the first of its ids: in a sample of its own, each would lack the others.

    People who are the same under both ids, keypoint by keypoint, are kept once. Ids that state different sizes are left
    alone: one of them does not fit the picture, and the build says which.
    """
    first = _find_first(images)
    repeated = 0
    for image_id, kept in first.items():
        drawn, ignored = people.pop(image_id, ([], []))
        if drawn or ignored:
            others = people.setdefault(kept, ([], []))
            known = {person.keypoints.tobytes() for person in others[0]}
            fresh = [person for person in drawn if person.keypoints.tobytes() not in known]
            repeated += len(drawn) - len(fresh)
            others[0].extend(fresh)
            others[1].extend(ignored)
        audit.left_out["the same picture as another image, which has its people"] += 1
    if repeated:
        audit.not_drawn["the same person as under another id of the picture"] += repeated
    if first:
        image_id, kept = next(iter(first.items()))
        audit.notes.append(
            f"{counted(len(first), 'image')} of a picture that has another id as well, such as "
            f"{images[image_id].file_name} under {kept} and {image_id}: their people were joined under the first"
        )
    for image_id in first:
        del images[image_id]


def _find_first(images: Mapping[int, Image]) -> dict[int, int]:
    """Find the images whose picture another has, with the same size, and the smallest id of those."""
    kept: dict[tuple[str, int, int], int] = {}
    first = {}
    for image_id, image in sorted(images.items()):
        name = image.file_name
        name = posixpath.normpath(name) if "./" in name or "//" in name else name
        other = kept.setdefault((name, image.width, image.height), image_id)
        if other != image_id:
            first[image_id] = other
    return first
