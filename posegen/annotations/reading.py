"""From an annotation file to samples."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from posegen.annotations.categories import choose_category, choose_skeleton
from posegen.annotations.image_entries import Image, read_images
from posegen.annotations.people import AnnotationReader, Person
from posegen.annotations.sample import CocoKeypoints, Sample, Shape
from posegen.annotations.values import Problems
from posegen.config import BuildConfig
from posegen.errors import AnnotationError
from posegen.skeleton import find_flip_pairs


def read_coco(path: Path, config: BuildConfig) -> CocoKeypoints:
    """Read a COCO keypoint annotation file.

    A person is drawn if at least `config.min_keypoints` of its keypoints are labelled (v > 0; `num_keypoints` is not
    asked), it is no crowd, and its area is at least `config.min_area`; everybody else is ignored.

    Raises
    ------
    AnnotationError
        If the file is not JSON, not COCO, or has bad entries; up to 20 of them are named at once.
    ConfigError
        If `config.category` does not fit the file's categories.
    """
    document = _load(path)
    category = choose_category(path, document["categories"], config.category)
    names, skeleton = choose_skeleton(path, category, config.skeleton)
    problems = Problems(path)
    images = read_images(document["images"], problems)
    reader = AnnotationReader(len(names), find_flip_pairs(names), config, problems)
    audit = reader.audit
    audit.images = len(images)
    people = reader.read(document["annotations"], category["id"], images)
    problems.raise_any()
    samples = []
    for image_id, image in sorted(images.items()):
        drawn, ignored = people.get(image_id, ((), ()))
        if not drawn and not config.keep_empty:
            audit.left_out["nobody is labelled on it" if ignored else "no people on it"] += 1
            continue
        samples.append(_sample(image_id, image, drawn, ignored, len(names)))
        audit.check_people(samples[-1].annotation_ids.tolist(), samples[-1].keypoints)
    return CocoKeypoints(names=names, skeleton=skeleton, samples=tuple(samples), audit=audit)


def _load(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_bytes())
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
    for key in ("images", "annotations", "categories"):
        if not isinstance(document.get(key), list):
            found = f"a {type(document[key]).__name__}" if key in document else "nothing"
            raise AnnotationError(f"{path}: is not COCO: expected a list '{key}', found {found}")
    return document


def _sample(
    image_id: int, image: Image, drawn: Sequence[Person], ignored: Sequence[Shape], keypoint_count: int
) -> Sample:
    none = (math.nan,) * 4
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
    )
