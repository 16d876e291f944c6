"""What each array of a shard has to be, which it is held against before a byte of it is read."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import h5py
import numpy as np

from posegen.config import BuildConfig
from posegen.shards.codecs import CODECS, NONE, Codec
from posegen.shards.schema import FORMAT_VERSION, StoredLabel, list_columns


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrayRule:
    """What an array has to be.

    Attributes
    ----------
    shape
        Its shape.
    dtype
        Its NumPy dtype; `S` is text of any fixed length.
    chunk
        The shape of a chunk; None for one that lies in one piece, without filters. Chunks have a checksum.
    codec
        How chunks are compressed.
    """

    shape: tuple[int, ...]
    dtype: str
    chunk: tuple[int, ...] | None = None
    codec: Codec = NONE

    def compare(self, array: h5py.Dataset) -> str | None:
        """Say in what the header of an array differs from the rule; None if in nothing."""
        found, plist = array.id.get_type(), array.id.get_create_plist()
        if self.dtype == "S":
            fits = found.get_class() == h5py.h5t.STRING and not found.is_variable_str()
        else:
            fits = found.equal(h5py.h5t.py_create(np.dtype(self.dtype)))
        if not fits:
            wanted = "text of fixed length" if self.dtype == "S" else self.dtype
            return f"has the dtype {array.dtype}, expected {wanted}"
        if array.shape != self.shape:
            return f"has the shape {array.shape}, expected {self.shape}"
        if plist.get_external_count() or plist.get_layout() == h5py.h5d.VIRTUAL:
            return "lies in another file"
        filters = [plist.get_filter(i) for i in range(plist.get_nfilters())]
        expected = [] if self.codec.filter_id is None else [self.codec.filter_id]
        expected += [] if self.chunk is None else [h5py.h5z.FILTER_FLETCHER32]
        layout = h5py.h5d.CONTIGUOUS if self.chunk is None else h5py.h5d.CHUNKED
        if plist.get_layout() != layout or array.chunks != self.chunk or [f[0] for f in filters] != expected:
            return "has other chunks or filters than a shard's"
        option = self.codec.size_option
        if option is not None and filters[0][2][option:] != (math.prod(array.chunks) * array.dtype.itemsize,):
            return f"has {self.codec.name.upper()} chunks of another size"
        return None


def lay_out(
    config: BuildConfig,
    labels: Sequence[StoredLabel],
    *,
    version: int = FORMAT_VERSION,
    samples: int,
    people: int,
    keypoints: int,
    picture_bytes: int,
    ignored_bytes: int = 0,
) -> dict[str, ArrayRule]:
    """Say what every array of a shard has to be, by name.

    Parameters
    ----------
    config, labels
        What the shard was built with, and how its labels are stored.
    version
        Of its format.
    samples, people, keypoints
        How many it holds, and how many keypoints a person has.
    picture_bytes
        Of its encoded pictures; not looked at where the encoding is `raw`.
    ignored_bytes
        Of the bitmaps of what is ignored.
    """

    def single(dtype: str, *shape: int) -> ArrayRule:
        return ArrayRule(shape=shape, dtype=dtype, chunk=shape if math.prod(shape) else None)

    rules = {"person/offsets": single("int64", samples + 1)}
    for column in list_columns(config):
        count = people if column.of == "person" else samples
        rules[column.path] = single(column.dtype, count, *column.element(keypoints))
    for label in labels:
        if label.spec.by_person:
            rules[label.spec.name] = single(label.storage.dtype, people, *label.shape)
            continue
        if version > 1:
            rules[f"checksum/{label.spec.name}"] = single("uint32", samples)
        rules[label.spec.name] = ArrayRule(
            shape=(samples, *label.shape),
            dtype=label.storage.dtype,
            chunk=(1, *label.shape),
            codec=CODECS[config.compression],
        )
    if version > 1:
        rules |= {
            "checksum/image": single("uint32", samples),
            "image/box": single("int32", samples, 4),
            "ignored/offsets": single("int64", samples + 1),
            "ignored/bytes": ArrayRule(shape=(ignored_bytes,), dtype="uint8"),
        }
    if config.image_encoding == "raw":
        return rules | {"image/pixels": ArrayRule(shape=(samples, *config.frame_size, 3), dtype="uint8")}
    return rules | {
        "image/offsets": single("int64", samples + 1),
        "image/bytes": ArrayRule(shape=(picture_bytes,), dtype="uint8"),
    }
