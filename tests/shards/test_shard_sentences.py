"""What is wrong with a shard, a manifest or a file of either, told word by word."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hostile import describe_by, each, find_error, put_chunk, read, replace, write
from written import stored_labels

from posegen.config import BuildConfig
from posegen.errors import ConfigError, ShardError
from posegen.shards import ShardReader, StoredLabel
from posegen.shards.codecs import CODECS
from posegen.shards.hdf5 import GuardedFile
from posegen.shards.ignored import unpack_ignored
from posegen.shards.opening import _fail_to_open
from posegen.shards.writer import _text

SHA = "0123456789ab" + "c" * 52


@pytest.fixture
def shard(tmp_path: Path) -> Path:
    return write(tmp_path / "shard.h5")


def edit(change: Callable[[h5py.File], object]) -> Callable[[Path], None]:
    def apply(path: Path) -> None:
        with h5py.File(path, "r+") as file:
            change(file)

    return apply


def describe_mask(**attributes: Any) -> Callable[[Path], None]:
    def change(file: h5py.File) -> None:
        for key, value in attributes.items():
            file["mask"].attrs[key] = np.bytes_(value) if isinstance(value, str) else value
        if "channels" in attributes:
            del file["mask"].attrs["mirror"]

    return edit(change)


def put(name: str, value: Any) -> Callable[[Path], None]:
    def change(file: h5py.File) -> None:
        del file[name]
        file[name] = value

    return edit(change)


def remove(name: str, of: str = "/") -> Callable[[Path], None]:
    return edit(lambda file: file[of].attrs.__delitem__(name))


def test_what_a_shard_says_of_itself_and_cannot_be_is_told(shard: Path) -> None:
    wrong: list[tuple[Callable[[Path], Any], str]] = [
        (lambda path: describe_by(path, format="posegen"), "is HDF5, but no posegen shard"),
        (
            lambda path: describe_by(path, format_version=4),
            ("has format version 4, this posegen reads 1, 2 and 3; use the posegen that wrote it, or build the dataset "
            "again"),
        ),
        (
            lambda path: describe_by(path, config="["),
            "is damaged: its description: Expecting value: line 1 column 2 (char 1)",
        ),
        (remove("config"), "is damaged: it has no text config"),
        (lambda path: describe_by(path, skeleton=3), "is damaged: it has no text skeleton"),
        (remove("channels", "mask"), "is damaged: it has no text channels of mask"),
        (
            lambda path: describe_by(path, versions="x" * 70_000),
            "is damaged: attribute versions must be one number or one short text of fixed length",
        ),
        (
            describe_mask(layout=np.zeros(2)),
            "is damaged: attribute layout of mask must be one number or one short text of fixed length",
        ),
        (
            lambda path: describe_by(path, labels='["heatmap", "eyes", "mask"]'),
            "is damaged: its list of labels: eyes is none of heatmap, paf, mask",
        ),
        (
            lambda path: describe_by(path, labels='["mask", "mask"]'),
            "is damaged: its list of labels is ['mask', 'mask']",
        ),
        (
            lambda path: describe_by(path, labels='{"mask": 1}'),
            "is damaged: its list of labels is {'mask': 1}",
        ),
        (describe_mask(channels='["a", "a"]'), "is damaged: mask has 2 channels, 1 of different names"),
        (describe_mask(channels="[]"), "is damaged: mask has 0 channels, 0 of different names"),
        (describe_mask(scale=0.5), "is damaged: mask is not laid out as its configuration says"),
        (describe_mask(max_abs_error=1.0), "is damaged: mask is not laid out as its configuration says"),
        (describe_mask(low=0.5), "is damaged: mask: its values cannot lie between 0.5 and 1.0"),
        (describe_mask(high=-0.5), "is damaged: mask: its values cannot lie between 0.0 and -0.5"),
        (describe_mask(high=0.0), "is damaged: mask: its values cannot lie between 0.0 and 0.0"),
        (describe_mask(high=1.001e9), "is damaged: mask: its values cannot lie between 0.0 and 1001000000.0"),
        (describe_mask(low=-1.001e9), "is damaged: mask: its values cannot lie between -1001000000.0 and 1.0"),
        (
            describe_mask(high=1e9),
            "is damaged: mask: mask has values up to 1e+09; float16 ends at 65504: use float32",
        ),
        (
            describe_mask(low=-1e9),
            "is damaged: mask: mask has values up to 1e+09; float16 ends at 65504: use float32",
        ),
        (
            describe_mask(by_person=2),
            "is damaged: mask: it must say by 0 or 1 whether it is by person, and may be unknown",
        ),
        (
            describe_mask(coarse=2),
            "is damaged: mask: it must say by 0 or 1 whether it is by person, and may be unknown",
        ),
        (describe_mask(cells="[6, 65]"), "is damaged: mask: an input of (48, 64) cannot have the cells [6, 65]"),
        (describe_mask(cells="[49, 8]"), "is damaged: mask: an input of (48, 64) cannot have the cells [49, 8]"),
        (describe_mask(cells="[6, 0]"), "is damaged: mask: an input of (48, 64) cannot have the cells [6, 0]"),
        (describe_mask(cells="[6.0, 8]"), "is damaged: mask: an input of (48, 64) cannot have the cells [6.0, 8]"),
        (describe_mask(mirror="3"), "is damaged: mask: 3 does not say how it mirrors"),
    ]  # fmt: skip
    for change, said in each(shard, wrong):
        change(shard)
        assert find_error(lambda: ShardReader(shard)) == f"{shard}: {said}"
    write(shard)
    describe_mask(max_abs_error=0.125)(shard)
    with ShardReader(shard) as reader:
        assert [label.storage.max_abs_error == 0.125 for label in reader.labels] == [False, False, True]


def test_what_is_in_the_place_of_an_array_is_told(shard: Path) -> None:
    with h5py.File(shard) as file:
        names, count = file["sample/file_name"][...], len(file["image/bytes"])
    names[1] = b"\xff"
    size = len(names)
    wrong: list[tuple[Callable[[Path], Any], str]] = [
        (put("checksum", [1]), "is damaged: its list of arrays: 'h5py.h5d.DatasetID' object is not iterable"),
        (put("sample/image_id", 3), "is damaged: sample/image_id is no array"),
        (
            edit(lambda file: file.pop("mask") and file.create_group("mask").attrs),
            "is damaged: it has no text channels of mask",
        ),
        (edit(lambda file: file.__delitem__("image/bytes")), "is damaged: it has no image/bytes"),
        (put("person", h5py.SoftLink("/sample")), "is damaged: person is a link, not an array"),
        (put("ignored/bytes", h5py.SoftLink("/image/bytes")), "is damaged: ignored/bytes is a link, not an array"),
        (
            edit(lambda file: file.create_dataset("image/more", data=[1])),
            "is damaged: 'image/more' is no part of a shard",
        ),
        (
            lambda path: replace(path, "sample/width", np.zeros(4, np.int32)),
            "is damaged: sample/width has the shape (4,), expected (3,)",
        ),
        (
            lambda path: replace(path, "sample/width", np.zeros(3, np.float32)),
            "is damaged: sample/width has the dtype float32, expected int32",
        ),
        (
            lambda path: replace(path, "sample/file_name", np.zeros(3, np.int8)),
            "is damaged: sample/file_name has the dtype int8, expected text of fixed length",
        ),
        (
            lambda path: replace(path, "sample/width", np.zeros(3, np.int32), fletcher32=False),
            "is damaged: sample/width has other chunks or filters than a shard's",
        ),
        (
            lambda path: replace(path, "sample/file_name", names),
            "is damaged: sample/file_name: 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte",
        ),
        (lambda path: put_chunk(path, "mask", 1, b""), "is damaged: mask[1] cannot be read: 4 bytes are stored of 96"),
        (
            lambda path: put_chunk(path, "mask", 1, bytes(96 + 1 + 1024 + 1)),
            "is damaged: mask[1] cannot be read: 1126 bytes are stored of 96",
        ),
    ]  # fmt: skip
    assert size == 3
    for change, said in each(shard, wrong):
        change(shard)
        assert find_error(lambda: read(shard)) == f"{shard}: {said}"
    replace(shard, "image/bytes", None, shape=(count,), dtype=np.uint8)
    assert find_error(lambda: read(shard)) == (
        f"{shard}: is damaged: image/bytes claims {count} bytes, but of it 0 are stored in {shard.stat().st_size}"
    )


def test_a_file_that_is_no_hdf5_or_begins_with_something_else_is_told(tmp_path: Path, shard: Path) -> None:
    later = tmp_path / "later.h5"
    with h5py.File(later, "w", userblock_size=512) as file:
        file["x"] = [1]
    assert find_error(lambda: GuardedFile(later)) == (
        f"{later}: is damaged: it does not start with the file's first byte"
    )
    assert find_error(lambda: GuardedFile(later, "its name")) == (
        "its name: is damaged: it does not start with the file's first byte"
    )
    none = tmp_path / "none.h5"
    none.write_bytes(b"no HDF5")
    with pytest.raises(OSError, match="signature") as raised:
        h5py.File(none, "r")
    assert find_error(lambda: GuardedFile(none)) == f"{none}: is not an HDF5 file, or is damaged: {raised.value}"
    for path in (tmp_path, tmp_path / "nothing"):
        assert find_error(lambda path=path: GuardedFile(path)) == f"{path}: no such shard"  # type: ignore[misc]
    locked = OSError(11, "Unable to open file (unable to lock file, errno = 11)")
    assert str(_fail_to_open(shard, locked)) == (
        f"{shard}: cannot be opened: {os.strerror(11)}: HDF5 locks files because of HDF5_USE_FILE_LOCKING, which must "
        "be FALSE or not set here"
    )
    assert str(_fail_to_open(shard, OSError(13, "no"))) == f"{shard}: cannot be opened: Permission denied"
    assert str(_fail_to_open(shard, OSError("no"))) == f"{shard}: cannot be opened: {os.strerror(0)}"


def test_what_h5py_raises_is_told_in_one_line_and_not_too_long(shard: Path) -> None:
    file = GuardedFile(shard)
    for error, said in (
        (KeyError("it\n has   quotes"), "is damaged: x: it has quotes"), (KeyError(), "is damaged: x: KeyError"),
        (ValueError(), "is damaged: x: ValueError"), (ValueError("y" * 301), f"is damaged: x: {'y' * 300}"),
        (ValueError("y" * 300), f"is damaged: x: {'y' * 300}"), (OSError(5, "?"), "x: Input/output error"),
        (OSError("?"), "is damaged: x: ?"), (OverflowError(3), "is damaged: x: 3"),
    ):  # fmt: skip
        assert str(file.wrap_error("x", error)) == f"{shard}: {said}"
        with pytest.raises(ShardError) as caught, file.wrap_errors("x"):
            raise error
        assert str(caught.value) == f"{shard}: {said}"
    file.close()


def test_what_does_not_inflate_is_told() -> None:
    out = np.empty(4, np.uint8)
    for codec, data, said in (
        ("gzip", b"no stream", "zlib says: Error -3 while decompressing data: incorrect header check"),
        ("gzip", bytes.fromhex("789c636060600000000400017878"), "2 bytes follow its stream"),
        ("none", b"abc", "it inflates to 3 bytes, not to 4"),
    ):
        inflate = CODECS[codec].inflate
        assert inflate is not None
        with pytest.raises(ValueError) as caught:  # noqa: PT011
            inflate(memoryview(data), out)
        assert str(caught.value) == said
    for data, said in (
        (b"no stream", "zlib says: Error -3 while decompressing data: incorrect header check"),
        (bytes.fromhex("789c63606060000000040001"), "it does not inflate to the 6 bytes of 9x3 bits"),
    ):
        with pytest.raises(ValueError) as caught:  # noqa: PT011
            unpack_ignored(data, (3, 9))
        assert str(caught.value) == said
    assert unpack_ignored(b"", (3, 9)) is None


def test_what_a_label_must_not_be_drawn_as_and_what_a_shard_cannot_describe_is_told() -> None:
    heatmap = stored_labels(BuildConfig())[0]
    assert isinstance(heatmap, StoredLabel)
    for drawn, dtype, shape in (
        (np.zeros((2, 3, 3, 4)), "float64", (3, 3, 4)), (np.zeros((2, 3, 3, 5), np.float32), "float32", (3, 3, 5)),
    ):  # fmt: skip
        with pytest.raises(ConfigError) as caught:
            heatmap.arrange(drawn)
        assert str(caught.value) == (
            f"label 'heatmap' was drawn as {dtype} {shape}, but its specification says float32 (3, 3, 4)"
        )
    assert _text("x" * 64512).itemsize == 64512
    with pytest.raises(ConfigError) as caught:
        _text("x" * 64513)
    assert str(caught.value) == "a skeleton of 64513 bytes is too large: a shard can describe 64512"
