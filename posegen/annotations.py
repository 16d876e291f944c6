"""COCO keypoint annotations: found, read, checked and counted, once, at the border.

What leaves this module is trusted: ids are unique, numbers are finite, file names stay inside the image directory.
Problems are collected and reported together. pycocotools' own `COCO` class keeps the last of two equal ids, prints, and
asserts; it is what the tests compare this module with.
"""

from __future__ import annotations

import json
import math
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from posegen.audit import Audit
from posegen.config import BuildConfig
from posegen.errors import AnnotationError, ConfigError
from posegen.rle import run_lengths
from posegen.skeleton import Limb, Skeleton, find_flip_pairs

DEFAULT_SPLIT = "train2017"

_ANNOTATION_FILE = re.compile(r"person_keypoints_(.+)\.json")
_SHOWN_PROBLEMS = 20
_MOST_PIXELS = 1 << 28


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shape:
    """Where a person or a crowd is, as the file has it.

    Attributes
    ----------
    segmentation
        Polygons (a list of x, y, x, y ... lists), an RLE (a mapping with `counts` and `size`), or None.
    bbox
        x, y, width, height in image pixels, standing in for a missing segmentation; or None.
    """

    segmentation: list[list[float]] | dict[str, Any] | None
    bbox: tuple[float, float, float, float] | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sample:
    """One image and the N people that are drawn on it, in the image's own pixels.

    Attributes
    ----------
    image_id, file_name
        As in the file; the name is relative to the image directory.
    width, height
        What the file says, in pixels.
    keypoints
        (N, K0, 3) float64 x, y, v of the annotated keypoints; x and y are finite, v is 0 where not labelled.
    bboxes
        (N, 4) float64 x, y, width, height; NaN where the file has none.
    annotation_ids
        (N,) int64.
    ignored
        The shapes of the people and crowds nobody labelled.
    drawn
        The shapes of the drawn people, in their order; empty where nothing is ignored, as nobody asks then.
    """

    image_id: int
    file_name: str
    width: int
    height: int
    keypoints: NDArray[np.float64]
    bboxes: NDArray[np.float64]
    annotation_ids: NDArray[np.int64]
    ignored: tuple[Shape, ...] = ()
    drawn: tuple[Shape, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CocoKeypoints:
    """What `read_coco` found: the samples by image id, the annotated keypoints' names, the skeleton of the labels."""

    names: tuple[str, ...]
    skeleton: Skeleton
    samples: tuple[Sample, ...]
    audit: Audit


@dataclass(frozen=True, slots=True, kw_only=True)
class CocoPaths:
    """Where a COCO dataset lies: an annotation file and the directory its file names are relative to."""

    annotations: Path
    images: Path


def find_coco(
    path: Path, *, split: str | None = None, images: Path | None = None, need_images: bool = True
) -> CocoPaths:
    """Find the annotation file and the image directory.

    Parameters
    ----------
    path
        A COCO root, with `annotations/person_keypoints_<split>.json` beside `<split>/` or `images/<split>/`, or one
        annotation file.
    split
        Which split of a root; by default `train2017`, or else the only one there is.
    images
        The image directory, if it is not where COCO has it.
    need_images
        Whether it is an error that there are none; otherwise `images` is where they should be.

    Raises
    ------
    ConfigError
        If something does not exist, or several splits are there and none was named.
    """
    if not path.exists():
        raise ConfigError(f"{path}: no such file or directory; expected a COCO root or an annotation file")
    if path.is_dir():
        annotations, split = _find_split(path, split)
        root = path
    else:
        if split is not None:
            raise ConfigError(f"a split ({split}) goes with a COCO root, but {path} is one annotation file")
        annotations, root = path, path.parent.parent
        match = _ANNOTATION_FILE.fullmatch(path.name)
        split = match[1] if match else path.stem
    if images is not None:
        if not images.is_dir():
            raise ConfigError(f"{images}: no such image directory")
        return CocoPaths(annotations=annotations, images=images)
    candidates = [
        root / split,
        root / "images" / split,
        annotations.parent / split,
        annotations.parent / "images",
    ]
    for candidate in candidates:
        if candidate.is_dir():
            return CocoPaths(annotations=annotations, images=candidate)
    if not need_images:
        return CocoPaths(annotations=annotations, images=candidates[0])
    raise ConfigError(f"no directory of images for {annotations}: expected {candidates[0]}; name it with --images DIR")


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
    category = _choose_category(path, document["categories"], config.category)
    names, skeleton = _choose_skeleton(path, category, config.skeleton)
    problems = _Problems(path)
    images = _read_images(document["images"], problems)
    reader = _AnnotationReader(len(names), find_flip_pairs(names), config, problems)
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


@dataclass(frozen=True, slots=True, eq=False)
class _Image:
    file_name: str
    width: int
    height: int


@dataclass(frozen=True, slots=True, eq=False)
class _Person:
    annotation_id: int
    keypoints: NDArray[np.float64]
    shape: Shape


class _Problems:
    """Collects what is wrong with a file, to report it at once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.count = 0
        self.shown: list[str] = []

    def add(self, message: str) -> None:
        self.count += 1
        if len(self.shown) < _SHOWN_PROBLEMS:
            self.shown.append(message)

    def raise_any(self) -> None:
        if not self.count:
            return
        lines = [f"{self.path}: {self.count} bad {'entry' if self.count == 1 else 'entries'}", *self.shown]
        if self.count > len(self.shown):
            lines.append(f"... and {self.count - len(self.shown)} more")
        raise AnnotationError("\n  ".join(lines) + "\nmend or remove them and run again")


def _find_split(root: Path, split: str | None) -> tuple[Path, str]:
    folder = root / "annotations"
    found = sorted(m[1] for p in folder.glob("*.json") if (m := _ANNOTATION_FILE.fullmatch(p.name)))
    if not found:
        raise ConfigError(f"{root}: expected annotations/person_keypoints_<split>.json in it, found none")
    if split is None:
        if DEFAULT_SPLIT in found:
            split = DEFAULT_SPLIT
        elif len(found) == 1:
            split = found[0]
        else:
            raise ConfigError(f"{root} has several splits: {', '.join(found)}; choose one with --split")
    elif split not in found:
        raise ConfigError(f"{root} has no split '{split}'; it has {', '.join(found)}")
    return folder / f"person_keypoints_{split}.json", split


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


def _choose_category(path: Path, categories: list[Any], wanted: str | None) -> Mapping[str, Any]:
    posed = [c for c in categories if isinstance(c, dict) and c.get("keypoints") and _is_id(c.get("id"))]
    if not posed:
        names = ", ".join(str(c.get("name")) for c in categories if isinstance(c, dict)) or "none"
        raise AnnotationError(
            f"{path}: no category has keypoints (categories: {names}); expected a keypoint file such as "
            "person_keypoints_train2017.json"
        )
    listed = [str(c.get("name")) for c in posed]
    if wanted is not None:
        if wanted not in listed:
            raise ConfigError(f"{path}: no category '{wanted}' with keypoints; there is {', '.join(listed)}")
        return posed[listed.index(wanted)]
    if len(posed) > 1:
        raise ConfigError(f"{path}: several categories have keypoints: {', '.join(listed)}; choose one with --category")
    return posed[0]


def _choose_skeleton(
    path: Path, category: Mapping[str, Any], wanted: Skeleton | None
) -> tuple[tuple[str, ...], Skeleton]:
    """Return the names of the annotated keypoints, and the skeleton to derive from them."""
    try:
        own = Skeleton.from_category(category)
        skeleton = wanted or own
        skeleton.derive(np.zeros((0, len(own.keypoints), 3)), own.keypoints)
    except AnnotationError as error:
        raise AnnotationError(f"{path}: {error}") from error
    if not all(map(_is_text, (own.name, *own.keypoints))):
        raise AnnotationError(f"{path}: category {own.name!r}: its names must be text, but one has half a character")
    return own.keypoints, skeleton


def _read_images(entries: list[Any], problems: _Problems) -> dict[int, _Image]:
    images: dict[int, _Image] = {}
    for position, entry in enumerate(entries):
        if not isinstance(entry, dict) or not _is_id(entry.get("id")):
            problems.add(f"images[{position}]: expected an object with a whole number 'id'")
            continue
        image_id, name = entry["id"], entry.get("file_name")
        width, height = entry.get("width"), entry.get("height")
        if image_id in images:
            problems.add(f"image {image_id}: the id occurs more than once")
            continue
        # Its annotations are not to blame as well.
        images[image_id] = _Image("", 1, 1)
        if not _is_text(name) or not name or "\0" in name:
            problems.add(f"image {image_id}: 'file_name' must be a name, not {_brief(name)}")
        elif PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name.replace("\\", "/")).parts:
            problems.add(f"image {image_id}: file_name {name!r} leaves the image directory")
        elif not _is_size(width) or not _is_size(height):
            problems.add(f"image {image_id}: 'width' and 'height' must be whole numbers from 1 on, not {_brief(width)} "
                         f"and {_brief(height)}")  # fmt: skip
        elif width * height > _MOST_PIXELS:
            problems.add(f"image {image_id}: {width}x{height} pixels are more than the {_MOST_PIXELS} that are decoded")
        else:
            images[image_id] = _Image(name, int(width), int(height))
    return images


class _AnnotationReader:
    """Turns annotation entries into people, drawn or ignored, and counts what it meets."""

    def __init__(self, keypoint_count: int, pairs: tuple[Limb, ...], config: BuildConfig, problems: _Problems) -> None:
        self.keypoint_count = keypoint_count
        self.pairs = pairs
        self.config = config
        self.problems = problems
        self.audit = Audit()

    def read(
        self, entries: list[Any], category_id: int, images: Mapping[int, _Image]
    ) -> dict[int, tuple[list[_Person], list[Shape]]]:
        """Return the drawn people and the ignored shapes of each image that has any."""
        found: dict[int, tuple[list[_Person], list[Shape]]] = defaultdict(lambda: ([], []))
        seen: set[int] = set()
        for position, entry in enumerate(entries):
            if not isinstance(entry, dict) or not _is_id(entry.get("id")):
                self.problems.add(f"annotations[{position}]: expected an object with a whole number 'id'")
                continue
            self.audit.annotations += 1
            annotation_id, image_id = entry["id"], entry.get("image_id")
            if annotation_id in seen:
                self.problems.add(f"annotation {annotation_id}: the id occurs more than once")
            elif not _is_id(image_id) or image_id not in images:
                self.problems.add(f"annotation {annotation_id}: image_id {_brief(image_id)} is no image of this file")
            elif entry.get("category_id") != category_id:
                self.audit.not_drawn["of another category"] += 1
            elif (person := self._person(entry, images[image_id])) is not None:
                reason = self._why_ignored(entry, person)
                if reason is None:
                    found[image_id][0].append(person)
                else:
                    self.audit.not_drawn[reason] += 1
                    found[image_id][1].append(person.shape)
            seen.add(annotation_id)
        return found

    def _person(self, entry: Mapping[str, Any], image: _Image) -> _Person | None:
        where = f"annotation {entry['id']}"
        triplets = self._keypoints(where, entry.get("keypoints"))
        bbox = entry.get("bbox")
        if bbox is not None and not (_are_numbers(bbox) and len(bbox) == 4 and min(bbox[2:]) >= 0):
            self.problems.add(f"{where}: bbox must be x, y, width, height, not {_brief(bbox)}")
            return None
        if triplets is None:
            return None
        segmentation = entry.get("segmentation") or None
        if segmentation is not None and not is_segmentation(segmentation, (image.height, image.width)):
            self.audit.notice("segmentation that cannot be read; the box stands in", entry["id"])
            segmentation = None
        if isinstance(segmentation, dict):
            segmentation = {"size": [image.height, image.width], "counts": segmentation["counts"]}
        self.audit.check(entry, triplets, (image.height, image.width))
        self.audit.check_pairs(entry["id"], triplets, self.pairs)
        shape = Shape(
            segmentation=segmentation,
            bbox=None if bbox is None else (float(bbox[0]), float(bbox[1]), float(bbox[2]), float(bbox[3])),
        )
        return _Person(entry["id"], triplets, shape)

    def _keypoints(self, where: str, values: Any) -> NDArray[np.float64] | None:
        expected = 3 * self.keypoint_count
        if values is None or values == []:
            return np.zeros((self.keypoint_count, 3))
        if not isinstance(values, list) or len(values) != expected:
            found = f"{len(values)}" if isinstance(values, list) else _brief(values)
            self.problems.add(f"{where}: keypoints must be {expected} numbers (x, y, v for each of "
                              f"{self.keypoint_count}), not {found}")  # fmt: skip
            return None
        if not _are_numbers(values):
            self.problems.add(f"{where}: keypoints must be finite numbers")
            return None
        triplets = np.array(values, np.float64).reshape(-1, 3)
        if not np.isin(triplets[:, 2], (0, 1, 2)).all():
            wrong = triplets[~np.isin(triplets[:, 2], (0, 1, 2)), 2][0]
            self.problems.add(f"{where}: a keypoint's visibility must be 0, 1 or 2, not {wrong:g}")
            return None
        return triplets

    def _why_ignored(self, entry: Mapping[str, Any], person: _Person) -> str | None:
        labelled = int((person.keypoints[:, 2] > 0).sum())
        if entry.get("iscrowd"):
            reason = "crowd"
        elif not labelled:
            reason = "no keypoint is labelled"
        elif labelled < self.config.min_keypoints:
            reason = f"fewer than {self.config.min_keypoints} keypoints"
        elif self.config.min_area and _area(entry, person.shape) < self.config.min_area:
            reason = f"area below {self.config.min_area:g}"
        else:
            return None
        if person.shape.segmentation is None and person.shape.bbox is None:
            self.audit.notice("ignored person without segmentation and box; not masked", entry["id"])
        return reason


def is_segmentation(value: Any, size: tuple[int, int]) -> bool:
    """Tell whether a segmentation can be drawn on an image of (height, width): polygons, or an RLE of that size.

    Polygons may leave the image by its own size: pycocotools walks along all of their edges, and far enough out its
    numbers overflow.
    """
    if isinstance(value, list):
        reach = max(size)
        return all(
            _are_numbers(p) and len(p) >= 6 and len(p) % 2 == 0 and -reach <= min(p) and max(p) <= 2 * reach
            for p in value
        )
    if not isinstance(value, dict) or value.get("size") != list(size):
        return False
    counts = value.get("counts")
    if isinstance(counts, str):
        try:
            return int(run_lengths(counts.encode("ascii")).sum()) == size[0] * size[1]
        except ValueError:
            return False
    return (
        isinstance(counts, list)
        and all(isinstance(c, int) and not isinstance(c, bool) and c >= 0 for c in counts)
        and sum(counts) == size[0] * size[1]
    )


def _area(entry: Mapping[str, Any], shape: Shape) -> float:
    """Return the stated area, or else the box's, which is never smaller; without either, nothing speaks against it."""
    area = entry.get("area")
    if _is_number(area):
        return float(area)
    return shape.bbox[2] * shape.bbox[3] if shape.bbox else math.inf


def _sample(
    image_id: int, image: _Image, drawn: Sequence[_Person], ignored: Sequence[Shape], keypoint_count: int
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


def _is_id(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and -(1 << 63) <= value < 1 << 63


def _is_size(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _is_text(value: Any) -> TypeGuard[str]:
    """Tell whether a value is text that can be written: JSON allows halves of surrogate pairs, files do not."""
    return isinstance(value, str) and not re.search("[\ud800-\udfff]", value)


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e15


def _are_numbers(values: Any) -> TypeGuard[list[float]]:
    return isinstance(values, list) and all(map(_is_number, values))


def _brief(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
