"""Bounds that a shard's bytes do not show: what is written at once, who may write a lock, what is measured before."""

from __future__ import annotations

import errno
import os
import sys
import zlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import h5py
import numpy as np
import pytest
from hostile import find_error, put_chunk, write
from written import stored_labels

from posegen.config import BuildConfig
from posegen.errors import ConfigError, ShardError
from posegen.labels import ArraySpec
from posegen.shards import (
    COLUMNS,
    BuiltSample,
    Manifest,
    ShardReader,
    ShardRecord,
    StoredLabel,
    cache,
    checksum,
    choose_storage,
    chunks,
    fetch,
    reader,
    scene,
    transfer,
    writer,
)
from posegen.shards.ahead import Ahead
from posegen.shards.codecs import CODECS, measure_lzf, measure_zstd
from posegen.shards.ignored import pack_ignored
from posegen.shards.pool import ShardPool, _agree
from posegen.shards.record import parse_json

RECORD = ShardRecord(file="a.h5", samples=1, people=1, bytes=3, sha256="ab" * 32, keypoints=(1,))


def test_pictures_are_written_by_the_mebibyte() -> None:
    half, whole = 1 << 19, 1 << 20
    for sizes, groups in (
        ([], []), ([5], [(0, 1)]), ([half] * 5, [(0, 2), (2, 4), (4, 5)]), ([whole, whole], [(0, 1), (1, 2)]),
        ([whole - 1, 5, 7], [(0, 2), (2, 3)]), ([whole - 1, 1, 7], [(0, 2), (2, 3)]),
        ([3 * whole, 1], [(0, 1), (1, 2)]), ([0, 0, 1], [(0, 3)]),
    ):  # fmt: skip
        offsets = writer._offsets(sizes)
        assert (offsets.dtype, offsets.tolist()) == (np.int64, [sum(sizes[:i]) for i in range(len(sizes) + 1)])
        assert list(writer._group(offsets)) == groups
    assert (chunks._MOST_KEPT, reader._MOST_PIXEL_BYTES) == (32, 1100)


def test_what_a_stream_comes_to_is_told_from_its_head_or_not_at_all() -> None:
    frame = bytes.fromhex("28b52ffd 20 05 290000") + b"abcde"  # one piece of five bytes, the last (RFC 8878)
    assert measure_zstd(memoryview(frame), 5) == 5
    for wrong in (
        frame[:4], frame[:-1], frame + b"\0", b"\x29" + frame[1:], frame[:4] + b"\x00" + frame[5:],
        frame[:6] + b"\x28" + frame[7:],
    ):  # fmt: skip
        assert measure_zstd(memoryview(wrong), 5) == -1
    two = memoryview((b"\x1f" + bytes(32)) * 2)
    for limit, size in ((31, -1), (32, 64), (63, 64), (64, 64)):
        assert measure_lzf(two, limit) == size
    for data, size in ((b"\x00x\x20\x00", 4), (b"\xe0\x00\x00", 9), (b"\xe0\xff\x00", 264), (b"\xe0", -1), (b"", 0)):
        assert measure_lzf(memoryview(data), 999) == size
    bounds = {name: codec.most_inflated for name, codec in CODECS.items()}
    assert bounds == {"zstd": 33_000, "gzip": 1040, "lzf": 90, "none": 1}


def test_labels_agree_if_all_do() -> None:
    labels, halves = stored_labels(BuildConfig()), stored_labels(BuildConfig(label_dtype="float32"))
    assert _agree(labels, labels)
    assert _agree([], [])
    assert not _agree(labels, halves)
    assert not _agree(labels, [*labels[:-1], halves[-1]])
    assert not _agree(labels, labels[:-1])
    assert not _agree(labels[:-1], labels)


def test_how_values_are_stored_that_are_unknown_coarse_or_large() -> None:
    def store(how: Any, cells: tuple[int, ...] = (2, 3), **changes: Any) -> tuple[str, float, float, bool, bool]:
        found = choose_storage(how, ArraySpec(name="own", channels=("a",), cells=cells, **changes))  # type: ignore[arg-type]
        return found.dtype, found.scale, found.max_abs_error, found.whole, found.unknown

    step = (0.5 / 255 + 2.0**-22, 1 / 255)
    for how, changes, expected in (
        ("uint8", {"unknown": True}, ("float16", 1.0, 2.0**-12, False, True)),
        ("uint8", {"unknown": True, "high": 65504.0}, ("float16", 1.0, 16.0, False, True)),
        ("uint8", {"unknown": True, "high": 65505.0}, ("float32", 1.0, 0.0, False, True)),
        ("float16", {"high": 65504.0}, ("float16", 1.0, 16.0, False, False)),
        ("float16", {"coarse": True}, ("uint8", step[1], step[0], False, False)),
        ("float32", {"coarse": True}, ("uint8", step[1], step[0], False, False)),
        ("uint8", {"cells": ()}, ("float32", 1.0, 0.0, False, False)),
        ("uint8", {"cells": (), "unknown": True}, ("float32", 1.0, 0.0, False, True)),
        ("float16", {"dtype": "int16", "high": 9}, ("int16", 1.0, 0.0, True, False)),
        ("uint8", {"low": -2.0}, ("int8", 2 / 127, (0.5 / 127 + 2.0**-22) * 2, False, False)),
        ("float16", {"low": -2.0}, ("float16", 1.0, 2.0**-11, False, False)),
    ):
        assert store(how, **changes) == expected, changes
    with pytest.raises(ConfigError) as caught:
        store("float16", low=-65505.0)
    assert str(caught.value) == "own has values up to 65505; float16 ends at 65504: use float32"
    unknown = choose_storage("float16", ArraySpec(name="own", channels=("a",), cells=(2, 2), unknown=True))
    assert StoredLabel(spec=stored_labels(BuildConfig())[0].spec, storage=unknown, layout="chw").logical == 72
    values = np.array([[np.nan, 1], [65504, -65504]], np.float32)
    np.testing.assert_array_equal(unknown.decode(unknown.encode(values)), values)


def test_a_pool_that_was_forked_has_nothing_open(dataset: Path) -> None:
    pool: Any = ShardPool(dataset, Manifest.read(dataset), 2)
    with pool.use(0):
        assert len(pool) == 1
    closed: list[str] = []
    pool._open = {0: SimpleNamespace(close=lambda: closed.append("parent's"))}
    pool._process = -1
    assert len(pool) == 0
    with pool.use(1):
        assert (len(pool), closed, pool._process) == (1, ["parent's"], os.getpid())
    pool.close()
    assert len(pool) == 0


def test_files_that_all_may_write_are_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = cache.ShardCache(9, tmp_path / "home")
    (kept.directory / "locks").mkdir(parents=True)
    monkeypatch.setattr(transfer.Place, "identify", lambda _: "3 tag")
    before = os.umask(0)
    try:
        with kept._lock("ab"):
            pass
        file: Any = SimpleNamespace(read_range=lambda start, stop: b"abc"[start:stop])
        transfer.copy_file(file, tmp_path / "copy", 3)
    finally:
        os.umask(before)
    modes = [path.stat().st_mode & 0o777 for path in (kept.directory / "locks" / "ab", tmp_path / "copy")]
    assert modes == [0o666, 0o666]
    monkeypatch.setitem(sys.modules, "fcntl", None)
    with pytest.raises(ShardError) as caught, kept.hold(file, RECORD):
        pass
    assert isinstance(caught.value.__cause__, OSError)
    assert caught.value.__cause__.errno == errno.ENOTSUP


def test_where_a_chunk_is_is_looked_for_once_and_no_byte_behind_the_file(tmp_path: Path) -> None:
    path = write(tmp_path / "shard.h5")
    with h5py.File(path) as file:
        info = file["mask"].id.get_chunk_info(1)
    for size, sound in ((info.byte_offset + info.size, True), (info.byte_offset + info.size - 1, False)):
        with ShardReader(path) as opened:
            guarded: Any = opened._file
            mask = next(label for label in opened.labels if label.spec.name == "mask")
            opened.label(mask, 0)
            guarded.size = size
            if not sound:
                said = find_error(lambda: opened.label(mask, 1))  # noqa: B023
                assert said == f"{path}: is damaged: mask[1] cannot be read: it is not in the file"
                continue
            found = opened.label(mask, 1)
            guarded._find_chunk = None
            np.testing.assert_array_equal(opened.label(mask, 1), found)


def test_all_chunks_are_listed_once_many_are_read_and_those_that_are_bad_are_told(tmp_path: Path) -> None:
    path = write(tmp_path / "shard.h5", samples=48)
    put_chunk(path, "mask", 30, b"whatever", mask=2)
    with h5py.File(path) as file:
        infos = [file["mask"].id.get_chunk_info_by_coord((i, 0, 0, 0)) for i in range(48)]
    with ShardReader(path) as opened:
        guarded: Any = opened._file
        mask, known = next(label for label in opened.labels if label.spec.name == "mask"), []
        for index in [3, *range(8, 39), 5, 40]:
            if index == 30:
                assert find_error(lambda: opened.label(mask, 30)).endswith("its checksum is switched off")
            else:
                opened.label(mask, index)
            known.append(int((guarded._arrays["mask"].chunks[:, 1] > 0).sum()))
        # Thirty-two one by one, and with the next all but the one that is bad.
        assert known == [*range(1, 24), *range(23, 32), 32, 47]
        places = guarded._arrays["mask"].chunks.tolist()
    wanted = [[info.byte_offset, info.size, info.filter_mask] for info in infos]
    assert places == [*wanted[:30], [0, 0, 0], *wanted[31:]]


def test_what_every_column_is() -> None:
    plain: dict[str, Any] = {"shape": (), "of": "sample", "kind": "plain", "compared_as": ""}
    of_person = {**plain, "of": "person"}
    expected: dict[str, dict[str, Any]] = {
        "image_id": {**plain, "dtype": "int64"},
        "file_name": {**plain, "dtype": "S"},
        "width": {**plain, "dtype": "int32", "compared_as": "image"},
        "height": {**plain, "dtype": "int32", "compared_as": "image"},
        "affine": {**plain, "dtype": "float64", "shape": (2, 3), "kind": "affine", "compared_as": "affine"},
        "keypoints": {
            **of_person, "dtype": "float32", "shape": ("K", 3), "kind": "points", "compared_as": "keypoints",
        },
        "bbox": {**of_person, "dtype": "float32", "shape": (4,), "kind": "boxes", "compared_as": "bbox"},
        "annotation_id": {**of_person, "dtype": "int64"},
        "unknown": {**of_person, "dtype": "uint8", "shape": ("K",), "kind": "keypoints", "compared_as": "unknown"},
        "copy": {**plain, "dtype": "int32"},
        "view": {**plain, "dtype": "float64", "shape": (5,)},
        "source": {**plain, "dtype": "S"},
    }  # fmt: skip
    told = {column.name: {key: getattr(column, key) for key in expected["image_id"]} for column in COLUMNS}
    assert told == expected
    assert list(told) == list(expected)
    assert [column.path for column in COLUMNS] == [f"{of['of']}/{name}" for name, of in expected.items()]
    sample = BuiltSample(
        image_id=1, file_name="a", width=1, height=1, affine=np.eye(2, 3), image=b"", keypoints=np.zeros((0, 17, 3)),
        bboxes=np.zeros((0, 4)), annotation_ids=np.zeros(0),
    )  # type: ignore[arg-type]  # fmt: skip
    assert (sample.box, sample.ignored, sample.copy, sample.view, sample.unknown, sample.source) == (
        None, None, 0, None, None, "",
    )  # fmt: skip


def test_small_boxes_are_boxes_and_json_is_what_can_be_written_again() -> None:
    keypoints = np.zeros((3, 2, 3), np.float32)
    keypoints[:, :, 2], keypoints[:, 1, :2] = 2, (4, 9)
    boxes = np.array([[0, 0, 1, 64], [0, 0, 0, 64], [0, 0, 0.25, 4]], np.float32)
    assert scene._find_sizes(keypoints, boxes).tolist() == [8, 6, 1]
    assert (scene.BASE_SIZE, parse_json('{"a": [1, "\\u00e9"]}')) == (256, {"a": [1, "é"]})
    for text in ("NaN", "[Infinity]", '"\\ud800"', "{", b"\xff"):
        with pytest.raises(ValueError):  # noqa: PT011
            parse_json(text)


def test_what_is_set_and_seen_nowhere_else() -> None:
    assert (fetch._AT_ONCE, {name: codec.is_plugin for name, codec in CODECS.items()}) == (
        2, {"zstd": True, "gzip": False, "lzf": False, "none": False},
    )  # fmt: skip
    assert all(hasattr(checksum, name) for name in checksum.__all__)
    brought: list[int] = []
    Ahead(brought.append).reach(3)
    assert brought == []
    rows, columns = np.ogrid[:90, :120]
    ignored = (rows * columns // 7 % 11 < 5) & (rows + columns > 40)
    packed = np.packbits(ignored, axis=1).tobytes()
    assert pack_ignored(ignored) == zlib.compress(packed, 4)
    assert pack_ignored(np.zeros((3, 3), np.bool_)) == pack_ignored(None) == b""
