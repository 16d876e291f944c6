"""Who should be found: the annotated people of a dataset's samples, read from the annotations again."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posegen.annotations.read import AnnotationSource, JoinedSource, Sources, find_recorded
from posegen.config import BuildConfig, Source
from posegen.errors import AnnotationError
from posegen.shards.manifest import Manifest
from posegen.skeleton import COCO_17, Skeleton
from posegen.storage import AnyPath

Name = int | str
"""An image or an annotation: its number, and of several sources the source's name before it, as in `feet/17`."""

Key = tuple[Name, int]
"""An image, and which copy of it."""


def name_one(source: str, number: int) -> Name:
    """Return the name of an image or annotation; of one source alone, which has no name, that is its number."""
    return f"{source}/{number}" if source else number


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

    annotation_id: Name
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
    """What annotation files say.

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
    images: dict[Name, list[dict[str, Any]]]
    derived: dict[Name, NDArray[np.float64]]

    @classmethod
    def read(cls, coco: Sources, split: str | None, manifest: Manifest, wanted: set[Name]) -> Truth:
        """Read the annotations of the images `wanted`, whoever was drawn; raises what `build` raises for them."""
        config, skeleton = manifest.config, manifest.skeleton
        source, paths = _find(coco, split, manifest)
        read = source.read(BuildConfig(**_everybody(config)))
        single = {parents[0] for parents in skeleton.parents if len(parents) == 1}
        names = tuple(name for name in read.names if name in single)
        order = [read.names.index(name) for name in names]
        entries = {
            name_one(name, number): (name, entry)
            for name, path in paths.items()
            for number, entry in _read_entries(path).items()
        }
        images: dict[Name, list[dict[str, Any]]] = {}
        derived: dict[Name, NDArray[np.float64]] = {}
        for sample in read.samples:
            if (image := name_one(sample.source, sample.image_id)) not in wanted:
                continue
            own = skeleton.derive(sample.keypoints, read.names)
            for n, number in enumerate(sample.annotation_ids.tolist()):
                key = name_one(sample.source, number)
                derived[key] = own[n]
                _, stated = entries.get(key, ("", {}))
                images.setdefault(image, []).append(
                    _describe(key, sample.keypoints[n, order], stated, sample.bboxes[n])
                )
        for key, (name, entry) in entries.items():
            # Crowds and people without keypoints: whoever is found there is neither right nor wrong.
            if key in derived or not isinstance(entry.get("image_id"), int) or not entry.get("bbox"):
                continue
            if (image := name_one(name, entry["image_id"])) in wanted:
                bare = _describe(key, np.zeros((len(names), 3)), entry, np.array(entry["bbox"], np.float64))
                images.setdefault(image, []).append(bare)
        return cls(names=names, sigmas=_find_sigmas(names, skeleton), images=images, derived=derived)

    def area(self, image: Name, annotation: Name) -> float:
        """Return a person's area in the image's pixels."""
        return next(float(a["area"]) for a in self.images[image] if a["id"] == annotation)


def _find(
    coco: Sources, split: str | None, manifest: Manifest
) -> tuple[AnnotationSource | JoinedSource, dict[str, AnyPath]]:
    """Find what a dataset was built from, and by source the annotation files; one source alone is called ''."""
    found = find_recorded(coco, manifest.config, manifest.source, split=split, need_images=False)
    if isinstance(found, AnnotationSource):
        return found, {"": found.path}
    plain = tuple(Source(coco=source.coco, name=source.name) for source in found.rules)
    return dataclasses.replace(found, rules=plain), {name: one.path for name, one in found.found.items()}


def _everybody(config: BuildConfig) -> dict[str, Any]:
    """Return what reading annotations asks of a configuration, but for who is left out."""
    sources = tuple(dataclasses.replace(rules, limit=None) for rules in config.sources)
    return {"skeleton": config.skeleton, "sources": sources, "category": config.category, "labels": ()}


def _read_entries(path: AnyPath) -> dict[int, dict[str, Any]]:
    """Read the file's own entries by their numbers, those that have one."""
    try:
        listed: Iterable[Any] = json.loads(path.read_bytes())["annotations"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise AnnotationError(f"{path}: cannot be read: {error}") from error
    return {entry["id"]: entry for entry in listed if isinstance(entry, dict) and isinstance(entry.get("id"), int)}


def _describe(
    number: Name, keypoints: NDArray[np.float64], entry: dict[str, Any], bbox: NDArray[np.float64]
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
