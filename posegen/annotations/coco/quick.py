"""From an annotation file as most are to samples, by columns: what `read` does of any file, in a tenth of its time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from posegen.annotations.audit import Audit
from posegen.annotations.coco.categories import Reading, choose_reading
from posegen.annotations.coco.checks import is_id
from posegen.annotations.coco.images import MOST_PIXELS, Image
from posegen.annotations.coco.names import Names
from posegen.annotations.coco.turning import refuse_turned
from posegen.annotations.columns import SampleColumns
from posegen.annotations.sample import Annotations
from posegen.config import BuildConfig
from posegen.errors import PosegenError
from posegen.storage import AnyPath

if TYPE_CHECKING:
    from msgspec import Raw

    from posegen.annotations.coco.judging import Judge
    from posegen.annotations.coco.typed import TypedFile, TypedImages, TypedPeople

_Number = TypeVar("_Number", np.int64, np.float64)


def read_quickly(path: AnyPath, data: bytes, config: BuildConfig, images: AnyPath | None) -> Annotations | None:
    """Read an annotation file whose values all have the types that COCO's own have, and that has no mistakes.

    Parameters
    ----------
    path, config, images
        As for `posegen.annotations.read_coco`.
    data
        What is in the file.

    Returns
    -------
    What `read_coco` returns; None for any other file, and where msgspec is not installed.
    """
    if config.exif == "shown":  # then each picture is asked for its size
        return None
    try:
        from posegen.annotations.coco.outlines import Unusual
    except ModuleNotFoundError as error:
        if error.name != "msgspec":
            raise
        return None
    try:
        return _read(path, data, config, images)
    except (Unusual, PosegenError):
        return None  # it is read again, for what is to be said of it


def _read(path: AnyPath, data: bytes, config: BuildConfig, images: AnyPath | None) -> Annotations:
    from posegen.annotations.coco.judging import Judge
    from posegen.annotations.coco.outlines import Unusual
    from posegen.annotations.coco.typed import TypedFile

    file = TypedFile(data)
    reading = _choose_reading(path, file, config)
    names = Names(images)
    file_names = _find_files(file.images, names)
    judge = Judge(reading.names, reading.skeleton, config, file_names)
    groups = _Groups(images=file.images, file_names=file_names)
    categories = reading.categories or frozenset()
    for people in file.read_people(len(reading.names), categories, reading.known, reading.only):
        groups.add(people, judge.judge(people))
    audit = judge.audit
    if audit.find_shares():
        raise Unusual
    refuse_turned(path, images, _find_suspects(judge, file.images, file_names))
    audit.images, audit.annotations = len(file_names), file.annotations
    if file.others:
        audit.not_drawn["of another category"] = file.others
    audit.notes += [*reading.notes, *names.describe()]
    audit.note_corners()
    samples = _make_samples(groups, config, audit, len(reading.names))
    _check_people(samples, audit)
    return Annotations(
        path=path,
        images=path.parent if images is None else images,
        names=reading.names,
        skeleton=reading.skeleton,
        samples=samples,
        audit=audit,
        missing=names.missing,
        limbs_left_out=reading.limbs_left_out,
    )


@dataclass(slots=True, eq=False)
class _Group:
    """People of all images, some at a time as they are read."""

    ids: list[NDArray[np.int64]] = field(default_factory=list)
    images: list[NDArray[np.int64]] = field(default_factory=list)
    bboxes: list[NDArray[np.float64]] = field(default_factory=list)
    keypoints: list[NDArray[np.float64]] = field(default_factory=list)
    raws: list[Raw | bytes | None] = field(default_factory=list)
    """Their segmentations: views of the whole file until `_make_samples` knows which are wanted."""


@dataclass(slots=True, eq=False)
class _Groups:
    """Who is drawn, and who is ignored, on which images."""

    images: TypedImages
    file_names: list[str]
    drawn: _Group = field(default_factory=_Group)
    ignored: _Group = field(default_factory=_Group)

    def add(self, people: TypedPeople, drawn: NDArray[np.bool_]) -> None:
        for group, chosen in ((self.drawn, drawn), (self.ignored, ~drawn)):
            group.ids.append(people.ids[chosen])
            group.images.append(people.images[chosen])
            group.bboxes.append(people.bboxes[chosen])
            group.raws += [people.segmentations[i] for i in np.flatnonzero(chosen).tolist()]
        self.drawn.keypoints.append(people.keypoints[drawn])


def _choose_reading(path: AnyPath, file: TypedFile, config: BuildConfig) -> Reading:
    from posegen.annotations.coco.outlines import Unusual

    if not all(is_id(category.get("id")) for category in file.categories):
        raise Unusual
    if not any(category.get("keypoints") for category in file.categories):
        raise Unusual  # then the annotations are asked how many there are
    # What it asks annotations for is asked of each of them when it is decoded.
    document = {"categories": file.categories, "annotations": []}
    return choose_reading(path, document, config.category, config.skeleton)


def _find_files(images: TypedImages, names: Names) -> list[str]:
    """Find the names of the images' files, all of them different, in the order of the ids."""
    from posegen.annotations.coco.outlines import Unusual

    sizes = images.sizes
    if len(sizes) and (sizes.min() < 1 or (sizes[:, 0].astype(float) * sizes[:, 1] > MOST_PIXELS).any()):
        raise Unusual
    try:
        found = [names.find(name) for name in images.file_names if name and "\0" not in name]
    except ValueError as error:
        raise Unusual from error
    if len(set(found)) != len(sizes) or any("./" in name or "//" in name for name in found):
        raise Unusual
    return [found[place] for place in images.order.tolist()]


def _find_suspects(judge: Judge, images: TypedImages, file_names: list[str]) -> dict[str, Image]:
    return {
        file_names[number]: Image(file_names[number], int(images.sizes[number, 1]), int(images.sizes[number, 0]))
        for number in judge.suspects
    }


def _make_samples(groups: _Groups, config: BuildConfig, audit: Audit, keypoints: int) -> SampleColumns:
    """Sort people by image, in the order of the file, and leave out the images that have none to draw."""
    from posegen.annotations.coco.outlines import TypedShapes

    images, count, drawn, ignored = groups.images, len(groups.file_names), groups.drawn, groups.ignored
    of_drawn, of_ignored = _sort(drawn, count), _sort(ignored, count)
    kept = np.ones(count, bool) if config.keep_empty else of_drawn.counts > 0
    for reason, found in (
        ("nobody is labelled on it", ~kept & (of_ignored.counts > 0)),
        ("no people on it", ~kept & (of_ignored.counts == 0)),
    ):
        if some := int(found.sum()):
            audit.left_out[reason] = some
    rows = of_ignored.order[kept[of_ignored.images]]
    masked = (kept & (of_ignored.counts > 0))[of_drawn.images].tolist()
    boxes, ignored_boxes = (
        _join(drawn.bboxes, (4,), np.float64)[of_drawn.order],
        _join(ignored.bboxes, (4,), np.float64)[rows],
    )
    starts = of_drawn.starts(kept)
    shapes = TypedShapes(
        sizes=images.sizes[kept],
        ignored_starts=of_ignored.starts(kept),
        drawn_starts=starts,
        ignored=[_copy(ignored.raws[row]) for row in rows.tolist()],
        drawn=[
            _copy(drawn.raws[row]) if wanted else None
            for row, wanted in zip(of_drawn.order.tolist(), masked, strict=True)
        ],
        ignored_boxes=ignored_boxes,
        drawn_boxes=boxes,
    )
    drawn.raws.clear()
    ignored.raws.clear()
    numbers = np.flatnonzero(kept)
    return SampleColumns(
        image_ids=images.ids[kept],
        file_names=[groups.file_names[number] for number in numbers.tolist()],
        sizes=images.sizes[kept],
        starts=starts,
        keypoints=_join(drawn.keypoints, (keypoints, 3), np.float64)[of_drawn.order],
        bboxes=boxes,
        annotation_ids=_join(drawn.ids, (), np.int64)[of_drawn.order],
        find_shapes=shapes,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Sorted:
    """How many people each image has, and which, by image; `images` are those of the sorted."""

    counts: NDArray[np.int64]
    order: NDArray[np.int64]
    images: NDArray[np.int64]

    def starts(self, kept: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Return where the people of each image that is kept begin, and where the last one's end."""
        return np.concatenate([[0], np.cumsum(self.counts[kept])])


def _sort(group: _Group, count: int) -> _Sorted:
    images = _join(group.images, (), np.int64)
    order = np.argsort(images, kind="stable")
    return _Sorted(np.bincount(images, minlength=count), order, images[order])


def _join(parts: list[NDArray[_Number]], shape: tuple[int, ...], dtype: type[_Number]) -> NDArray[_Number]:
    """Join arrays, which are given up; without any, return one of no rows."""
    joined: NDArray[_Number] = np.concatenate([np.zeros((0, *shape), dtype), *parts])
    parts.clear()
    return joined


def _copy(raw: Raw | bytes | None) -> bytes | None:
    """Copy the text of a segmentation out of the file, which can be forgotten then."""
    return None if raw is None else bytes(raw)


def _check_people(samples: SampleColumns, audit: Audit) -> None:
    """Notice people of one image with the very same keypoints, as `Audit.check_people` does where some may be."""
    words = (
        np.ascontiguousarray(samples.keypoints)
        .view(np.uint64)
        .reshape(len(samples.keypoints), 3 * samples.keypoints.shape[1])
    )
    odd = np.random.default_rng(0).integers(1 << 63, size=words.shape[1], dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    of = samples.images
    keys = words @ odd
    order = np.lexsort((keys, of))
    alike = (keys[order][1:] == keys[order][:-1]) & (of[order][1:] == of[order][:-1])
    for number in np.unique(of[order][1:][alike]).tolist():
        here = slice(samples.starts[number], samples.starts[number + 1])
        audit.check_people(samples.annotation_ids[here].tolist(), samples.keypoints[here], samples.file_names[number])
