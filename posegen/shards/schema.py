"""What lies in a shard: the names of its format, the columns of its samples and people, how a label is stored."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Literal

import h5py
import numpy as np
from numpy.typing import NDArray

from posegen.config import BuildConfig
from posegen.errors import ConfigError
from posegen.geometry import Box
from posegen.labels import ArraySpec
from posegen.labels.base import Drawn
from posegen.shards.quantize import Storage

FORMAT = "posegen-shard"

FORMAT_VERSION = 3
"""Which is written. Of those that are read 2 has no preview, and 1 whole inputs for pictures and no ignored regions."""

READABLE = (1, 2, 3)
READABLE_TEXT = f"{', '.join(map(str, READABLE[:-1]))} and {READABLE[-1]}"

GROUPS = ("checksum", "ignored", "image", "person", "sample")
"""Of an HDF5 file; labels lie beside them."""

PREVIEW = "preview"
"""The group of what viewers show, which shards before format 3 do not have."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BuiltSample:
    """One sample as it is stored.

    Attributes
    ----------
    image_id, file_name, width, height
        As in the annotations.
    affine
        (2, 3) float64, image pixels to input pixels.
    image
        The encoded picture of the box; where the encoding is `raw` R, G, B of all of the frame's pixels.
    box
        Where in its frame the picture lies; None where it fills that.
    ignored
        (H, W) bool, of which pixels of the input the middle is ignored; None if of none.
    keypoints
        (n, K, 3) float32 x, y in input pixels, v.
    bboxes
        (n, 4) float32 x, y, width, height in input pixels.
    annotation_ids
        (n,) int64.
    unknown
        (n, K) uint8, which keypoints are unknown, as `posegen.skeleton.unknown` counts; None where no label reads it.
    copy, view
        Which of the image's copies it is, and (5,) float64 how that is seen; see `posegen.images.augment.View`.
    source
        Which of several sources it is of, by name.
    """

    image_id: int
    file_name: str
    width: int
    height: int
    affine: NDArray[np.float64]
    image: bytes
    keypoints: NDArray[np.float32]
    bboxes: NDArray[np.float32]
    annotation_ids: NDArray[np.int64]
    box: Box | None = None
    ignored: NDArray[np.bool_] | None = None
    copy: int = 0
    view: NDArray[np.float64] | None = None
    unknown: NDArray[np.uint8] | None = None
    source: str = ""


def _always(_: BuildConfig) -> bool:
    return True


def _draws_views(config: BuildConfig) -> bool:
    return config.augment is not None


def _has_sources(config: BuildConfig) -> bool:
    return bool(config.sources)


def _reads_unknown(config: BuildConfig) -> bool:
    return config.reads_unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One thing that a shard tells of every sample, or of every person, besides picture and labels.

    Whoever writes, reads, describes, mirrors, compares or pads columns takes them from `COLUMNS`.

    Attributes
    ----------
    name
        Of the field of a sample, and of the array in the group of what it is told of.
    dtype
        As it is stored; `S` is UTF-8, of a sample alone.
    take
        Takes it from a sample: a value of `shape`, or of people (n, *shape).
    shape
        Of one element; `K` stands for the number of keypoints.
    of
        What has an element each.
    kind
        What its numbers are, by which a mirror changes them and `posegen.inspect.diff` names them: `points` x, y in
        input pixels and v, of every keypoint; `keypoints` one of every keypoint; `boxes` x, y, width, height in input
        pixels; `affine` a map to input pixels; `plain` is what a mirror leaves as it is.
    compared_as
        What `posegen.inspect.diff` says where it differs, which several columns may share; '' if it does not look.
    is_there
        Tells of a configuration whether shards built with it have the column. One that joins the format later says
        here which shards are older, for they are read without it.
    """

    name: str
    dtype: str
    take: Callable[[BuiltSample], Any]
    shape: tuple[int | Literal["K"], ...] = ()
    of: Literal["sample", "person"] = "sample"
    kind: Literal["points", "keypoints", "boxes", "affine", "plain"] = "plain"
    compared_as: str = ""
    is_there: Callable[[BuildConfig], bool] = _always

    @property
    def path(self) -> str:
        """The name of its array in a shard."""
        return f"{self.of}/{self.name}"

    @property
    def is_text(self) -> bool:
        """Whether it is text."""
        return self.dtype == "S"

    @property
    def is_array(self) -> bool:
        """Whether an element is read as an array and not as a number or text."""
        return self.of == "person" or bool(self.shape)

    @property
    def read_dtype(self) -> str:
        """The NumPy dtype of what is read: that of Python's numbers where it is one number a sample; `str` for text."""
        if self.is_text:
            return "str"
        return self.dtype if self.is_array or np.dtype(self.dtype).kind != "i" else "int64"

    def element(self, keypoints: int) -> tuple[int, ...]:
        """Return the shape of an element where people have so many keypoints."""
        return tuple(keypoints if isinstance(side, str) else side for side in self.shape)

    def gather(self, samples: list[BuiltSample], keypoints: int) -> NDArray[Any]:
        """Take it from all samples of a shard, or from all people, (N, *shape)."""
        taken = [self.take(sample) for sample in samples]
        if self.is_text:
            encoded = [text.encode() for text in taken]
            return np.array(encoded, h5py.string_dtype("utf-8", max([1, *map(len, encoded)])))
        element = self.element(keypoints)
        if self.of == "person":
            return np.concatenate([np.zeros((0, *element), self.dtype), *taken]).astype(self.dtype, copy=False)
        return np.array(taken, self.dtype).reshape(len(taken), *element)


COLUMNS = (
    Column(name="image_id", dtype="int64", take=attrgetter("image_id")),
    Column(name="file_name", dtype="S", take=attrgetter("file_name")),
    Column(name="width", dtype="int32", take=attrgetter("width"), compared_as="image"),
    Column(name="height", dtype="int32", take=attrgetter("height"), compared_as="image"),
    Column(
        name="affine",
        dtype="float64",
        shape=(2, 3),
        take=attrgetter("affine"),
        kind="affine",
        compared_as="affine",
    ),
    Column(
        name="keypoints",
        dtype="float32",
        shape=("K", 3),
        of="person",
        take=attrgetter("keypoints"),
        kind="points",
        compared_as="keypoints",
    ),
    Column(
        name="bbox",
        dtype="float32",
        shape=(4,),
        of="person",
        take=attrgetter("bboxes"),
        kind="boxes",
        compared_as="bbox",
    ),
    Column(name="annotation_id", dtype="int64", of="person", take=attrgetter("annotation_ids")),
    Column(
        name="unknown",
        dtype="uint8",
        shape=("K",),
        of="person",
        take=attrgetter("unknown"),
        kind="keypoints",
        compared_as="unknown",
        is_there=_reads_unknown,
    ),
    Column(name="copy", dtype="int32", take=attrgetter("copy"), is_there=_draws_views),
    Column(name="view", dtype="float64", shape=(5,), take=attrgetter("view"), is_there=_draws_views),
    Column(name="source", dtype="S", take=attrgetter("source"), is_there=_has_sources),
)
"""Every column that a shard may have, in the order in which a sample has them."""


def list_columns(config: BuildConfig | None = None) -> tuple[Column, ...]:
    """List the columns that shards built with a configuration have; without one, all there are."""
    return tuple(column for column in COLUMNS if config is None or column.is_there(config))


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredLabel:
    """How one label lies in a shard."""

    spec: ArraySpec
    storage: Storage
    layout: str

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one sample, or of one person where it is by person, in the layout's axis order."""
        spec = self.spec
        return (*spec.cells, len(spec.channels), *spec.inner) if self._cells_first else spec.shape

    @property
    def channel_axis(self) -> int:
        """Which axis of `shape` the channels are."""
        return 2 if self._cells_first else 0

    @property
    def logical(self) -> int:
        """The bytes of one sample, or person, before compression."""
        return math.prod(self.shape) * np.dtype(self.storage.dtype).itemsize

    @property
    def _cells_first(self) -> bool:
        return self.layout == "hwc" and bool(self.spec.cells)

    def agrees(self, other: StoredLabel) -> bool:
        """Tell whether another shard's label lies there as this one; a shard of before need not say how it mirrors."""
        if None in {self.spec.mirror, other.spec.mirror}:
            mine, theirs = (dataclasses.replace(label.spec, mirror=None) for label in (self, other))
            return (mine, self.storage, self.layout) == (theirs, other.storage, other.layout)
        return self == other

    def arrange(self, drawn: Drawn) -> Drawn:
        """Turn what was rendered of S samples, (S, *spec.shape) or S arrays by person, into what is stored.

        Raises
        ------
        ConfigError
            If it is of another shape or dtype.
        """
        if self.spec.by_person:
            return [self._arrange(rows) for rows in drawn]
        return self._arrange(np.asarray(drawn))

    def _arrange(self, values: NDArray[Any]) -> NDArray[Any]:
        spec = self.spec
        if values.shape[1:] != spec.shape or values.dtype != spec.dtype:
            raise ConfigError(
                f"label '{spec.name}' was drawn as {values.dtype} {values.shape[1:]}, but its specification says "
                f"{spec.dtype} {spec.shape}"
            )
        return self.arrange_stored(self.storage.encode(values))

    def arrange_stored(self, stored: NDArray[Any]) -> NDArray[Any]:
        """Lay out what is stored of S samples, (S, *spec.shape) of the storage's dtype."""
        return np.ascontiguousarray(self.lay_out(stored))

    def lay_out(self, values: NDArray[Any]) -> NDArray[Any]:
        """Show an array (S, *spec.shape), or of people, in the axis order of the layout."""
        return np.moveaxis(values, (-2, -1), (1, 2)) if self._cells_first else values

    def restore(self, values: NDArray[Any]) -> NDArray[Any]:
        """Bring values, (*shape) or by person (N, *shape), into the axis order of the specification."""
        if not self._cells_first:
            return values
        first = values.ndim - len(self.shape)
        return np.ascontiguousarray(np.moveaxis(values, (first, first + 1), (-2, -1)))
