"""Good shards of a few samples, and what somebody who means harm can do to one by h5py or by hand."""

from __future__ import annotations

import contextlib
import json
import re
import struct
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import h5py
import numpy as np
from by_hand import sum_again

from posegen.config import BuildConfig
from posegen.errors import ShardError
from posegen.geometry import Affine
from posegen.inspect.rerender import LabelComparison
from posegen.labels import Scene
from posegen.shards import BuiltSample, ShardReader, ShardWriter, StoredLabel
from posegen.shards.quantize import choose_storage
from posegen.skeleton import Skeleton

Attack = TypeVar("Attack")

TWO = Skeleton(name="two", keypoints=("a", "b"), limbs=((0, 1),))
PEOPLE = (2, 0, 1)
LABELS = {"heatmap", "paf", "mask"}
COMPRESSIONS = ["zstd", "gzip", "lzf", "none"]


def write(path: Path, samples: int = 3, **changes: Any) -> Path:
    """Write a good shard of three samples with labels of 8x6 cells."""
    config = BuildConfig(**{"skeleton": TWO, "input_size": (48, 64), "stride": 8} | changes)
    labels = config.create_labels(TWO)
    stored = [
        StoredLabel(spec=label.spec, storage=choose_storage(config.label_dtype, label.spec), layout=config.layout)
        for label in labels
    ]
    source = np.random.default_rng(3)
    height, width = config.input_size
    writer = ShardWriter(samples, stored, config=config, skeleton=TWO, task_digest="0" * 64)
    for i in range(samples):
        keypoints = source.uniform(0, 48, (PEOPLE[i % 3], 2, 3)).astype(np.float32)
        keypoints[..., 2] = 2
        scene = Scene(
            points=keypoints[..., :2].astype(np.float64),
            drawn=keypoints[..., 2] > 0,
            image_size=config.input_size,
            affine=Affine.from_matrix(np.eye(2, 3)),
        )
        sample = BuiltSample(
            image_id=i,
            file_name=f"{i}.jpg",
            width=width,
            height=height,
            affine=np.eye(2, 3),
            image=source.bytes(height * width * 3 if config.image_encoding == "raw" else 300 + i),
            keypoints=keypoints,
            bboxes=np.zeros((len(keypoints), 4), np.float32),
            annotation_ids=np.arange(len(keypoints)),
        )
        values = {s.spec.name: s.arrange(label.render(scene)[None]) for label, s in zip(labels, stored, strict=True)}
        writer.append([sample], values)
    writer.finish(path)
    return path


def read(path: Path, *, deep: bool = False) -> dict[tuple[str, int], Any]:
    """Read all there is in a shard; returns the labels."""
    found = {}
    with ShardReader(path) as reader:
        list(reader.arrays())
        reader.people()
        comparison = LabelComparison(reader, None) if deep else None
        for i in range(len(reader)):
            values = {label.spec.name: reader.label(label, i) for label in reader.labels}
            found |= {(name, i): array for name, array in values.items()}
            reader.picture(i)
            ignored, sample = reader.ignored(i), reader.sample(i)
            if comparison is not None:
                list(comparison.compare(i, sample, values, ignored))
    return found


def replace(path: Path, name: str, values: Any, **options: Any) -> None:
    """Put another array in an array's place, with its attributes and, unless told otherwise, in one checked chunk."""
    with h5py.File(path, "r+") as file:
        attributes = {key: (file[name].attrs[key], file[name].attrs.get_id(key).dtype) for key in file[name].attrs}
        del file[name]
        if isinstance(values, np.ndarray):
            options = {"data": values, "chunks": values.shape, "fletcher32": True} | options
        new = file.create_dataset(name, **options)
        for key, (value, dtype) in attributes.items():
            new.attrs.create(key, value, dtype=dtype)


def describe_by(path: Path, **attributes: Any) -> None:
    """Change attributes of the file; text gets a fixed length."""
    with h5py.File(path, "r+") as file:
        for key, value in attributes.items():
            file.attrs[key] = np.bytes_(value) if isinstance(value, (str, bytes)) else value


def configure(path: Path, **changes: Any) -> None:
    with h5py.File(path) as file:
        config = json.loads(file.attrs["config"])
    describe_by(path, config=json.dumps(config | changes))


def fletcher32(data: bytes) -> int:
    """The checksum by its definition (Fletcher 1982) over big-endian words, as HDF5 has it."""
    low = high = 0
    for (word,) in struct.iter_unpack(">H", data + b"\0" * (len(data) % 2)):
        low = (low + word) % 65535
        high = (high + low) % 65535
    return high << 16 | low


def put_chunk(path: Path, name: str, index: int, data: bytes, mask: int = 0, *, checked: bool = True) -> None:
    """Put bytes in a chunk's place, with a right checksum."""
    with h5py.File(path, "r+") as file:
        array = file[name]
        whole = data + struct.pack("<I", fletcher32(data)) if checked else data
        array.id.write_direct_chunk((index, *[0] * (array.ndim - 1)), whole, mask)
    if name in LABELS:
        sum_again(path)


@contextlib.contextmanager
def little_memory(limit: int) -> Iterator[None]:
    """Make sure that NumPy and Python take fewer bytes."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < limit, "memory was taken for what is not there"
    finally:
        tracemalloc.stop()


def each(path: Path, attacks: Iterable[Attack]) -> Iterator[Attack]:
    """Give one attack after the other, each with the shard as it was."""
    good = path.read_bytes()
    for attack in attacks:
        path.write_bytes(good)
        yield attack


def assert_refused(path: Path, said: str, attack: object = "") -> None:
    """Make sure that a shard cannot be read, and that the error says why."""
    error = find_error(lambda: read(path))
    assert re.search(said, error), f"{attack}: {error}"


def find_error(action: Callable[[], object]) -> str:
    """Return the words of the error that something ends with."""
    try:
        action()
    except ShardError as error:
        return str(error)
    return "there was no error"


BLOCKS = (b"\x89HDF\r\n\x1a\n", b"OHDR", b"OCHK", b"FAHD", b"FADB")
Block = tuple[int, int]


def lookup3(data: bytes) -> int:
    """Bob Jenkins' hash (lookup3.c, hashlittle), the checksum of HDF5's metadata."""
    mask = 0xFFFFFFFF
    a = b = c = (0xDEADBEEF + len(data)) & mask
    if not data:
        return c
    words = struct.unpack(f"<{(len(data) + 11) // 12 * 3}I", data.ljust((len(data) + 11) // 12 * 12, b"\0"))
    for i in range(0, len(words), 3):
        a, b, c = (a + words[i]) & mask, (b + words[i + 1]) & mask, (c + words[i + 2]) & mask
        if i + 3 == len(words):
            break
        for k in (4, 6, 8, 16, 19, 4):
            a = ((a - c) & mask) ^ ((c << k | c >> 32 - k) & mask)
            c = (c + b) & mask
            a, b, c = b, c, a
    for k in (14, 11, 25, 16, 4, 14, 24):
        c = ((c ^ b) - ((b << k | b >> 32 - k) & mask)) & mask
        a, b, c = b, c, a
    return b


def find_blocks(data: bytes) -> list[Block]:
    """Find the pieces of metadata and where their checksums are."""
    found = []
    for signature in BLOCKS:
        start = data.find(signature)
        while start >= 0:
            for end in range(start + 16, min(start + 1200, len(data) - 3)):
                if lookup3(data[start:end]) == int.from_bytes(data[end : end + 4], "little"):
                    found.append((start, end))
                    break
            start = data.find(signature, start + 1)
    return found


def mend_checksums(data: bytearray, blocks: list[Block]) -> None:
    for start, end in blocks:
        struct.pack_into("<I", data, end, lookup3(bytes(data[start:end])))
