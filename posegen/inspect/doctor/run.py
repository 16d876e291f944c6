"""Examining annotations: read them, ask each detector, rank what they suspect."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from posegen.annotations import Annotations, read_annotations
from posegen.annotations.audit import counted
from posegen.annotations.coco.document import load_document
from posegen.annotations.coco.ids import read_id
from posegen.config import BuildConfig
from posegen.errors import AnnotationError
from posegen.inspect.doctor.pictures import Prints, find_twins, take_prints
from posegen.inspect.doctor.shapes import find_long_limbs, find_outside, suspect
from posegen.inspect.doctor.sides import find_swapped
from posegen.inspect.doctor.suspicion import Examination, Mend, Suspicion
from posegen.inspect.doctor.twice import find_misplaced, find_misused, find_twice, note_visibility
from posegen.inspect.people import People, Progress, tabulate
from posegen.storage import AnyPath, Location


def examine(
    path: Location,
    config: BuildConfig | None = None,
    *,
    split: str | None = None,
    images: Location | None = None,
    against: Location | None = None,
    progress: Progress | None = None,
) -> Examination:
    """Look for annotations that are probably wrong, and pictures that are there twice.

    Parameters
    ----------
    path, split, images
        As for `posegen.build`. Pictures are compared if there are any.
    config
        Which categories and which skeleton; by default what the file has.
    against
        Another dataset that must not share a picture with this one, such as the other split.
    progress
        Called after every picture.

    Raises
    ------
    ConfigError
        If something does not exist.
    AnnotationError
        If annotations are not what they have to be.
    """
    config = config or BuildConfig.preset("coco")
    found = read_annotations(path, config, split=split, images=images, need_images=False)
    people = tabulate(found)
    other = None if against is None else read_annotations(against, config, need_images=False)
    examination = Examination(images=people.samples, people=len(people))
    suspicions = examine_people(people, read_entries(found.path))
    if found.names != people.skeleton.keypoints:  # what mends these keypoints is no change of those in the file
        suspicions = (dataclasses.replace(suspicion, mend=None) for suspicion in suspicions)
    examination.suspicions += suspicions
    examination.notes += note_visibility(people)
    _compare_pictures(found, other, examination, progress or _ignore)
    examination.suspicions.sort(key=lambda suspicion: -suspicion.score)
    return examination


def read_entries(path: AnyPath) -> Mapping[int, Mapping[str, Any]]:
    """Read the annotations of a file as they are written, by the number of their id; none if it is no COCO file."""
    try:
        document = load_document(path)
    except AnnotationError:
        return {}
    entries = ((read_id(entry.get("id")), entry) for entry in document["annotations"] if isinstance(entry, dict))
    return {number: entry for number, entry in entries if number is not None}


def examine_people(people: People, entries: Mapping[int, Mapping[str, Any]]) -> Iterator[Suspicion]:
    """Look at people alone, not at their pictures; `entries` are their annotations as the file has them, by id."""
    yield from find_misused(people, entries)
    keypoints = people.keypoints.copy()
    keypoints[find_misplaced(people), 2] = 0  # which says enough of them
    people = dataclasses.replace(people, keypoints=keypoints)
    yield from _suspect_sides(people)
    yield from find_long_limbs(people)
    yield from find_outside(people, entries)
    yield from find_twice(people)


def _suspect_sides(people: People) -> Iterator[Suspicion]:
    names = people.skeleton.keypoints
    for found in find_swapped(people):
        points = tuple(k for pair in found.pairs for k in pair)
        listed = ", ".join(f"{names[a]} and {names[b]}" for a, b in found.pairs)
        what = "left and right" if len(found.pairs) > 3 else listed
        said = f"{what} seem to be swapped, at odds of {np.exp(min(found.odds, 12)):.0f} to 1"
        mend = Mend(what="swap", keypoints=points) if found.certain else None
        score = float(1 / (1 + np.exp(-found.odds)))
        yield suspect(people, found.person, "sides", score, said, points, mend=mend)


def _compare_pictures(
    found: Annotations, other: Annotations | None, examination: Examination, progress: Progress
) -> None:
    """Compare the pictures among each other, and with those of the other dataset."""
    total = len(found.samples) + (len(other.samples) if other else 0)

    def take(annotations: Annotations, before: int) -> Prints | None:
        if not annotations.images.is_dir():
            examination.notes.append(f"there is no directory {annotations.images}, so its pictures were not compared")
            return None
        names = [sample.file_name for sample in annotations.samples]
        prints = take_prints(annotations.images, names, lambda done, _: progress(before + done, total))
        if prints.missing:
            examination.notes.append(f"{counted(prints.missing, 'picture')} could not be read, and not compared")
        return prints

    mine = take(found, 0)
    if mine is None:
        return
    examination.pictures = len(mine.names) - mine.missing
    theirs = None if other is None else take(other, len(found.samples))
    for whose, prints, where in ((found, None, ""), (other, theirs, " of the other dataset")):
        if whose is None or (where and prints is None):
            continue
        for twins in find_twins(mine, prints):
            sample, second = found.samples[twins.first], whose.samples[twins.second]
            examination.suspicions.append(
                Suspicion(
                    kind="pictures",
                    image_id=sample.image_id,
                    file_name=sample.file_name,
                    annotation_id=None,
                    score=twins.alike,
                    says=f"{twins.how} {second.file_name}{where}",
                    other=second.image_id,
                )
            )


def _ignore(_done: int, _total: int) -> None:
    """Show nothing."""
