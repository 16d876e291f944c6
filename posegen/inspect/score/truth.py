"""Who should be found: the annotated people of a dataset's samples, read from the annotations again."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posegen.annotations.read import find_annotations
from posegen.config import BuildConfig
from posegen.errors import AnnotationError, ConfigError
from posegen.skeleton import COCO_17, Skeleton
from posegen.storage import AnyPath, Location

Key = tuple[int, int]
"""An image, and which copy of it."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Person:
    """An annotated person in a sample.

    Attributes
    ----------
    annotation_id
        Of the person.
    sample
        The number of the sample in the dataset.
    affine
        (2, 3) from the image's pixels to the sample's input.
    keypoints
        (K, 3) the skeleton's keypoints x, y, v in the image's pixels.
    drawn
        (K,) which of them the labels have.
    area
        In the image's pixels.
    """

    annotation_id: int
    sample: int
    affine: NDArray[np.float64]
    keypoints: NDArray[np.float64]
    drawn: NDArray[np.bool_]
    area: float

    @property
    def scale(self) -> float:
        """Input pixels an image pixel."""
        return float(np.sqrt(abs(np.linalg.det(self.affine[:, :2]))))

    @property
    def points(self) -> NDArray[np.float64]:
        """(K, 2) the keypoints in input pixels."""
        return self.keypoints[:, :2] @ self.affine[:, :2].T + self.affine[:, 2]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Truth:
    """What an annotation file says.

    Attributes
    ----------
    names
        The annotated keypoints that the skeleton has.
    sigmas
        (K0,) how far annotators differ at these.
    images
        By image its annotations, as COCO's evaluation reads them, with these keypoints.
    derived
        By annotation the skeleton's keypoints (K, 3) x, y, v.
    """

    names: tuple[str, ...]
    sigmas: NDArray[np.float64]
    images: dict[int, list[dict[str, Any]]]
    derived: dict[int, NDArray[np.float64]]

    @classmethod
    def read(
        cls, coco: Location, split: str | None, config: BuildConfig, skeleton: Skeleton, wanted: set[int]
    ) -> Truth:
        """Read the annotations of the images `wanted`, whoever was drawn; raises what `build` raises for them."""
        source = find_annotations(coco, split=split, need_images=False)
        if config.sources:
            listed = ", ".join(rules.name for rules in config.sources)
            raise ConfigError(f"several sources ({listed}) cannot be scored at once: build and score each alone")
        read = source.read(BuildConfig(**_everybody(config)))
        single = {parents[0] for parents in skeleton.parents if len(parents) == 1}
        names = tuple(name for name in read.names if name in single)
        order = [read.names.index(name) for name in names]
        entries = _read_entries(source.path)
        images: dict[int, list[dict[str, Any]]] = {}
        derived: dict[int, NDArray[np.float64]] = {}
        for sample in (sample for sample in read.samples if sample.image_id in wanted):
            own = skeleton.derive(sample.keypoints, read.names)
            for n, number in enumerate(sample.annotation_ids.tolist()):
                derived[number] = own[n]
                stated = entries.get(number, {})
                of_image = images.setdefault(sample.image_id, [])
                of_image.append(_describe(number, sample.keypoints[n, order], stated, sample.bboxes[n]))
        for number, entry in entries.items():
            # Crowds and people without keypoints: whoever is found there is neither right nor wrong.
            if number not in derived and entry.get("image_id") in wanted and entry.get("bbox"):
                bare = _describe(number, np.zeros((len(names), 3)), entry, np.array(entry["bbox"], np.float64))
                images.setdefault(entry["image_id"], []).append(bare)
        return cls(names=names, sigmas=_find_sigmas(names, skeleton), images=images, derived=derived)

    def area(self, image_id: int, annotation_id: int) -> float:
        """Return a person's area in the image's pixels."""
        return next(float(a["area"]) for a in self.images[image_id] if a["id"] == annotation_id)


def _everybody(config: BuildConfig) -> dict[str, Any]:
    """Return what reading annotations asks of a configuration, but for who is left out."""
    return {"skeleton": config.skeleton, "category": config.category, "labels": ()}


def _read_entries(path: AnyPath) -> dict[int, dict[str, Any]]:
    """Read the file's own entries by their numbers, those that have one."""
    try:
        listed: Iterable[Any] = json.loads(path.read_bytes())["annotations"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise AnnotationError(f"{path}: cannot be read: {error}") from error
    return {entry["id"]: entry for entry in listed if isinstance(entry, dict) and isinstance(entry.get("id"), int)}


def _describe(
    number: int, keypoints: NDArray[np.float64], entry: dict[str, Any], bbox: NDArray[np.float64]
) -> dict[str, Any]:
    """Write an annotation as COCO's evaluation reads it; a missing box is that of the keypoints, a missing area its."""
    labelled = keypoints[keypoints[:, 2] > 0, :2]
    if not np.isfinite(bbox).all():
        low, high = (labelled.min(axis=0), labelled.max(axis=0)) if len(labelled) else (np.zeros(2), np.zeros(2))
        bbox = np.concatenate([low, high - low])
    area = entry.get("area")
    return {
        "id": number,
        "category_id": 1,
        "iscrowd": int(bool(entry.get("iscrowd", 0))),
        "area": float(area) if isinstance(area, (int, float)) and area > 0 else float(bbox[2] * bbox[3]),
        "bbox": bbox.tolist(),
        "keypoints": keypoints.ravel().tolist(),
        "num_keypoints": len(labelled),
    }


def _find_sigmas(names: tuple[str, ...], skeleton: Skeleton) -> NDArray[np.float64]:
    """Find the keypoints' sigmas: the skeleton's, or COCO's of that name; others get COCO's mean."""
    known = dict(zip(COCO_17.keypoints, COCO_17.sigmas, strict=True))
    for parents, sigma in zip(skeleton.parents, skeleton.sigmas, strict=False):
        if len(parents) == 1:
            known[parents[0]] = sigma
    return np.array([known.get(name, float(np.mean(COCO_17.sigmas))) for name in names])
