"""From an annotation file to samples."""

from __future__ import annotations

import contextlib
import gc
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from posegen.annotations.audit import Audit
from posegen.annotations.coco.categories import choose_reading
from posegen.annotations.coco.checks import Problems
from posegen.annotations.coco.document import decode_document, load_document, parse_document, read_document
from posegen.annotations.coco.ids import Ids
from posegen.annotations.coco.images import Image, ImageReader
from posegen.annotations.coco.joining import People, join_same
from posegen.annotations.coco.people import AnnotationReader, Person
from posegen.annotations.coco.quick import read_quickly
from posegen.annotations.coco.turning import refuse_turned, turn_unstated
from posegen.annotations.sample import Annotations, Sample, Shape
from posegen.config import BuildConfig
from posegen.errors import AnnotationError
from posegen.skeleton import Skeleton
from posegen.storage import AnyPath


def read_coco(path: AnyPath, config: BuildConfig, images: AnyPath | None = None) -> Annotations:
    """Read a COCO keypoint annotation file.

    A person is drawn if at least `config.min_keypoints` of its keypoints are labelled (v > 0; `num_keypoints` is not
    asked), it is no crowd, and its area is at least `config.min_area`; everybody else is ignored.

    Parameters
    ----------
    path
        The annotation file.
    config
        Which categories and which skeleton, and who is drawn.
    images
        The image directory, which is asked for the size of pictures whose entries state none.

    Raises
    ------
    AnnotationError
        If the file is not JSON, not COCO, or has bad entries; up to 20 of them are named at once.
    ConfigError
        If `config.category` does not fit the file's categories.
    """
    with _no_search_for_cycles():
        return _read(path, config, images)


def read_skeleton(path: AnyPath, category: Sequence[str] = ()) -> Skeleton:
    """Read the keypoints and limbs that an annotation file's categories have; raises what `read_coco` does for them."""
    document = load_document(path)
    Ids(document)
    return choose_reading(path, document, category, None).skeleton


def _read(path: AnyPath, config: BuildConfig, images: AnyPath | None) -> Annotations:
    data = read_document(path)
    found = read_quickly(path, data, config, images)
    if found is not None:
        return found
    text = decode_document(path, data)
    del data  # or the file would be in memory three times
    return _read_entries(path, parse_document(path, text), config, images)


def _read_entries(path: AnyPath, document: dict[str, Any], config: BuildConfig, images: AnyPath | None) -> Annotations:
    """Read a file entry by entry, whatever it has, to say what is wrong with it."""
    ids = Ids(document)
    reading = choose_reading(path, document, config.category, config.skeleton)
    problems = Problems(path)
    image_reader = ImageReader(images, problems, ids, config.exif)
    entries = image_reader.read(document["images"])
    turned = turn_unstated(image_reader.undecided, entries, document["annotations"])
    reader = AnnotationReader(reading, config, problems, ids)
    audit = reader.audit
    audit.images = len(entries)
    people = reader.read(document["annotations"], entries)
    problems.raise_any()
    if audit.find_shares():
        raise AnnotationError(
            f"{path}: all keypoints lie from 0 to 1, in the first pixel of their images: they seem to be shares of the "
            "image's size. posegen reads pixels: multiply x by the image's width and y by its height"
        )
    refuse_turned(path, images, reader.suspects)
    audit.notes += [*reading.notes, *image_reader.notes]
    if turned:
        audit.notes.append(
            f"{len(turned)} of them lie on their side by their EXIF orientation, and their points fit only the picture "
            f"as it is shown, such as {turned[0]}; they are read as shown"
        )
    reader.note_unknown()
    audit.note_corners()
    join_same(entries, people, audit)
    samples = tuple(_make_samples(entries, people, config, audit, len(reading.names)))
    return Annotations(
        path=path,
        images=path.parent if images is None else images,
        names=reading.names,
        skeleton=reading.skeleton,
        samples=samples,
        audit=audit,
        missing=image_reader.names.missing,
        limbs_left_out=reading.limbs_left_out,
    )


def _make_samples(
    entries: Mapping[int, Image], people: People, config: BuildConfig, audit: Audit, keypoint_count: int
) -> Iterator[Sample]:
    for image_id, image in sorted(entries.items()):
        drawn, ignored = people.get(image_id, ((), ()))
        if not drawn and not config.keep_empty:
            audit.left_out["nobody is labelled on it" if ignored else "no people on it"] += 1
            continue
        sample = _sample(image_id, image, drawn, (*ignored, *image.ignored), keypoint_count)
        audit.check_people(sample.annotation_ids.tolist(), sample.keypoints, image.file_name)
        yield sample


@contextlib.contextmanager
def _no_search_for_cycles() -> Iterator[None]:
    """Keep Python from looking for cycles again and again, among millions of objects that have none."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _sample(
    image_id: int, image: Image, drawn: Sequence[Person], ignored: Sequence[Shape], keypoint_count: int
) -> Sample:
    none = (math.nan,) * 4
    unknown = None
    if any(person.unknown is not None for person in drawn):
        known = np.zeros(keypoint_count, np.uint8)
        unknown = np.array([known if person.unknown is None else person.unknown for person in drawn])
    return Sample(
        image_id=image_id,
        file_name=image.file_name,
        width=image.width,
        height=image.height,
        keypoints=np.array([p.keypoints for p in drawn]).reshape(-1, keypoint_count, 3),
        bboxes=np.array([p.shape.bbox or none for p in drawn], np.float64).reshape(-1, 4),
        annotation_ids=np.array([p.annotation_id for p in drawn], np.int64),
        ignored=tuple(ignored),
        drawn=tuple(p.shape for p in drawn) if ignored else (),
        unknown=unknown,
    )
