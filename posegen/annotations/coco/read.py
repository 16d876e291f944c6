"""From an annotation file to samples."""

from __future__ import annotations

import contextlib
import gc
import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from posegen.annotations.coco.categories import choose_reading
from posegen.annotations.coco.checks import Problems
from posegen.annotations.coco.images import Image, read_images
from posegen.annotations.coco.people import AnnotationReader, Person
from posegen.annotations.sample import Annotations, Sample, Shape
from posegen.annotations.unknown import describe_unknown
from posegen.config import BuildConfig
from posegen.errors import AnnotationError


def read_coco(path: Path, config: BuildConfig, images: Path | None = None) -> Annotations:
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


def _read(path: Path, config: BuildConfig, images: Path | None) -> Annotations:
    document = _load(path)
    reading = choose_reading(path, document, config.category, config.skeleton)
    problems = Problems(path)
    entries, measured = read_images(document["images"], images, problems)
    reader = AnnotationReader(reading, config, problems)
    audit = reader.audit
    audit.images = len(entries)
    people = reader.read(document["annotations"], entries)
    problems.raise_any()
    audit.notes += reading.notes
    if measured:
        audit.notes.append(f"{measured} of {len(entries)} images state no size; it was read from their pictures")
    samples = []
    for image_id, image in sorted(entries.items()):
        drawn, ignored = people.get(image_id, ((), ()))
        if not drawn and not config.keep_empty:
            audit.left_out["nobody is labelled on it" if ignored else "no people on it"] += 1
            continue
        samples.append(_sample(image_id, image, drawn, ignored, len(reading.names)))
        audit.check_people(samples[-1].annotation_ids.tolist(), samples[-1].keypoints)
    if unknown := describe_unknown(samples, reading.names, reading.skeleton):
        audit.notes.append(unknown)
    return Annotations(
        path=path,
        images=path.parent if images is None else images,
        names=reading.names,
        skeleton=reading.skeleton,
        samples=tuple(samples),
        audit=audit,
    )


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


def _load(path: Path) -> dict[str, Any]:
    try:
        data = path.read_bytes()
        text = data.decode(json.detect_encoding(data), "surrogatepass")
        del data  # or the file would be in memory three times
        document = json.loads(text)
    except OSError as error:
        raise AnnotationError(f"{path}: cannot be read: {error.strerror or error}") from error
    except json.JSONDecodeError as error:
        raise AnnotationError(
            f"{path}: is not whole JSON: {error.msg} at line {error.lineno}, column {error.colno}; "
            "was the download cut short?"
        ) from error
    except (ValueError, RecursionError) as error:
        raise AnnotationError(f"{path}: is not JSON that can be read: {error}") from error
    if not isinstance(document, dict):
        raise AnnotationError(f"{path}: is not COCO: expected an object with images, annotations, categories; found a "
                              f"{type(document).__name__}")  # fmt: skip
    document.setdefault("categories", [])
    for key in ("images", "annotations", "categories"):
        if not isinstance(document.get(key), list):
            found = f"a {type(document[key]).__name__}" if key in document else "nothing"
            raise AnnotationError(f"{path}: is not COCO: expected a list '{key}', found {found}")
    return document


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
