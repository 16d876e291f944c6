"""An annotation file as typed columns, by msgspec: of a file whose values all have the types that COCO's own have.

It imports msgspec, of the extra `fast`; who imports this module asks before whether that is there. What has other types
is refused as a whole, by `Unusual`, without saying why: `posegen.annotations.coco.read` reads all there is, and says
what is wrong.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any, Literal

import msgspec
import numpy as np
from msgspec import UNSET, Raw, Struct, UnsetType
from numpy.typing import NDArray

from posegen.annotations.coco.outlines import Unusual, check_segmentations, decode_all

_TOGETHER = 4096
"""Entries that are objects at a time."""

_LARGEST = 1e15
_PIECE = 1 << 20


_Nothing = Literal["\0"]
"""What no field has: one that is there is refused."""


class _Image(Struct, gc=False):
    id: int
    file_name: str
    width: int
    height: int
    ignore_regions_x: _Nothing | UnsetType = UNSET
    ignore_regions_y: _Nothing | UnsetType = UNSET


class _Document(Struct, gc=False):
    images: list[_Image]
    annotations: list[Raw]
    categories: list[dict[str, Any]]


class _Annotation(Struct, gc=False):
    id: int
    image_id: int
    category_id: int | None = None
    keypoints: Raw | UnsetType = UNSET
    bbox: list[float] | UnsetType | None = UNSET
    segmentation: Raw | UnsetType = UNSET
    num_keypoints: int | float | UnsetType | None = UNSET
    area: int | float | UnsetType | None = UNSET
    iscrowd: int | bool | UnsetType | None = UNSET
    foot_kpts: _Nothing | UnsetType = UNSET
    face_kpts: _Nothing | UnsetType = UNSET
    lefthand_kpts: _Nothing | UnsetType = UNSET
    righthand_kpts: _Nothing | UnsetType = UNSET


_decode_keypoints = msgspec.json.Decoder(list[float] | None).decode
_decode_annotation = msgspec.json.Decoder(_Annotation).decode


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TypedImages:
    """The image entries.

    Attributes
    ----------
    ids, sizes
        (M,) int64, and (M, 2) int64 height, width in pixels, in the order of the ids.
    file_names
        In the order of the file.
    order
        (M,) the places in the file, in the order of the ids.
    """

    ids: NDArray[np.int64]
    sizes: NDArray[np.int64]
    file_names: list[str]
    order: NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TypedPeople:
    """Some annotation entries of categories that are read, in the order of the file.

    Attributes
    ----------
    ids, images
        (n,) int64: their own, and the numbers of their images, in the order of `TypedImages`.
    sizes
        (n, 2) int64 height, width of these.
    keypoints
        (n, K0, 3) float64 x, y, v; v is 0, 1 or 2.
    bboxes
        (n, 4) float64 x, y, width, height; NaN where there is none.
    area, stated
        (n,) float64 `area` and `num_keypoints`; NaN where they are no number.
    crowd
        (n,) bool.
    has
        (n,) bool by key of what an annotation may lack.
    segmentations
        As the file has them; None where there is none that can be drawn.
    refused
        (n,) bool: which have one that cannot be.
    """

    ids: NDArray[np.int64]
    images: NDArray[np.int64]
    sizes: NDArray[np.int64]
    keypoints: NDArray[np.float64]
    bboxes: NDArray[np.float64]
    area: NDArray[np.float64]
    stated: NDArray[np.float64]
    crowd: NDArray[np.bool_]
    has: dict[str, NDArray[np.bool_]]
    segmentations: list[Raw | None]
    refused: NDArray[np.bool_]


class TypedFile:
    """A file whose entries are decoded some at a time.

    Attributes
    ----------
    images
        All image entries.
    categories
        The category entries.
    annotations, others
        How many annotations were decoded, and how many of them are of categories that are not read.
    """

    def __init__(self, data: bytes) -> None:
        if not data.isascii():
            check_utf8(data)
        (document,) = decode_all(msgspec.json.Decoder(_Document).decode, [data])
        self._entries = document.annotations
        self.categories = document.categories
        self.images = _take_images(document.images)
        self.annotations = self.others = 0

    def read_people(
        self, keypoints: int, categories: frozenset[int], known: frozenset[int], only: int | None
    ) -> Iterator[TypedPeople]:
        """Yield the people of some categories, some at a time.

        Parameters
        ----------
        keypoints
            How many each has.
        categories, known, only
            As `Reading` has them.
        """
        all_ids = np.zeros(len(self._entries), np.int64)
        for start in range(0, len(self._entries), _TOGETHER):
            entries = decode_all(_decode_annotation, self._entries[start : start + _TOGETHER])
            self.annotations += len(entries)
            all_ids[start : start + len(entries)] = _whole([entry.id for entry in entries])
            images = self._find_images(_whole([entry.image_id for entry in entries]))
            of = [only if entry.category_id is None else entry.category_id for entry in entries]
            if not known.issuperset(of):
                raise Unusual
            taken = [i for i, category in enumerate(of) if category in categories]
            self.others += len(entries) - len(taken)
            if taken:
                chosen = images[taken]
                yield _take_people([entries[i] for i in taken], chosen, self.images.sizes[chosen], keypoints)
        all_ids.sort()
        if (all_ids[1:] == all_ids[:-1]).any():
            raise Unusual

    def _find_images(self, image_ids: NDArray[np.int64]) -> NDArray[np.int64]:
        ids = self.images.ids
        found = np.searchsorted(ids, image_ids)
        if not len(ids) or not (ids[np.minimum(found, len(ids) - 1)] == image_ids).all():
            raise Unusual
        return found


def check_utf8(data: bytes) -> None:
    """Raise `Unusual` where a file is not in UTF-8: msgspec looks only at the text that it takes."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for start in range(0, len(data), _PIECE):
            decoder.decode(data[start : start + _PIECE], final=start + _PIECE >= len(data))
    except UnicodeDecodeError as error:
        raise Unusual from error


def _whole(values: list[int]) -> NDArray[np.int64]:
    try:
        return np.array(values, np.int64)
    except OverflowError as error:
        raise Unusual from error


def _take_images(entries: list[_Image]) -> TypedImages:
    ids = _whole([entry.id for entry in entries])
    sizes = np.array([_whole([entry.height for entry in entries]), _whole([entry.width for entry in entries])]).T
    order = np.argsort(ids, kind="stable")
    ids = ids[order]
    if (ids[1:] == ids[:-1]).any():
        raise Unusual
    return TypedImages(ids=ids, sizes=sizes[order], file_names=[entry.file_name for entry in entries], order=order)


def _take_people(
    entries: list[_Annotation], images: NDArray[np.int64], sizes: NDArray[np.int64], count: int
) -> TypedPeople:
    crowd = [0 if entry.iscrowd is UNSET or entry.iscrowd is None else entry.iscrowd for entry in entries]
    if not {0, 1}.issuperset(crowd):
        raise Unusual
    raws = [None if entry.segmentation is UNSET else entry.segmentation for entry in entries]
    segmentations, refused = check_segmentations(raws, sizes)
    return TypedPeople(
        ids=_whole([entry.id for entry in entries]),
        images=images,
        sizes=sizes,
        keypoints=_take_keypoints(entries, count),
        bboxes=_take_boxes(entries),
        area=_take_numbers([entry.area for entry in entries]),
        stated=_take_numbers([entry.num_keypoints for entry in entries]),
        crowd=np.array(crowd, bool),
        has={
            "area": np.array([entry.area is not UNSET for entry in entries]),
            "bbox": np.array([entry.bbox is not UNSET for entry in entries]),
            "iscrowd": np.array([entry.iscrowd is not UNSET for entry in entries]),
            "num_keypoints": np.array([entry.num_keypoints is not UNSET for entry in entries]),
            "segmentation": np.array([raw is not None for raw in raws]),
        },
        segmentations=segmentations,
        refused=refused,
    )


def _take_keypoints(entries: list[_Annotation], count: int) -> NDArray[np.float64]:
    """Lay keypoints side by side; those of a person none of which is labelled are 0, as `read_triplets` gives them."""
    texts = [b"null" if entry.keypoints is UNSET else bytes(entry.keypoints) for entry in entries]
    # Nearly half of COCO's people have no keypoints but zeros, all in one text.
    zeros = {text for text in set(texts) if _are_zeros(text, count)}
    labelled = [i for i, text in enumerate(texts) if text not in zeros]
    none = [0.0] * (3 * count)
    lists = [values or none for values in decode_all(_decode_keypoints, [texts[i] for i in labelled])]
    if not {3 * count}.issuperset(map(len, lists)):
        raise Unusual
    some = np.fromiter(chain.from_iterable(lists), np.float64, 3 * count * len(lists)).reshape(len(lists), count, 3)
    v = some[..., 2]
    if not (np.abs(some) < _LARGEST).all() or not ((v == 0) | (v == 1) | (v == 2)).all():
        raise Unusual
    some[~v.any(axis=1)] = 0
    found = np.zeros((len(entries), count, 3))
    found[labelled] = some
    return found


def _are_zeros(text: bytes, count: int) -> bool:
    """Tell of JSON whether it is one list of 3 `count` zeros."""
    flat = text.count(b",") == 3 * count - 1 and text.count(b"[") == 1
    return flat and not text.translate(None, b"0.,[] \n\r\t")


def _take_boxes(entries: list[_Annotation]) -> NDArray[np.float64]:
    none = [np.nan] * 4
    boxes = [entry.bbox or none for entry in entries]
    if {*map(len, boxes)} != {4}:
        raise Unusual
    found = np.fromiter(chain.from_iterable(boxes), np.float64, 4 * len(boxes)).reshape(-1, 4)
    if (np.abs(found) >= _LARGEST).any() or (found[:, 2:] < 0).any():
        raise Unusual
    return found


def _take_numbers(values: list[Any]) -> NDArray[np.float64]:
    try:
        found = np.array([np.nan if value is UNSET or value is None else value for value in values], np.float64)
    except OverflowError as error:
        raise Unusual from error
    found[np.abs(found) >= _LARGEST] = np.nan
    return found
