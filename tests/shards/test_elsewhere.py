"""Shards of datasets that lie elsewhere: kept on this disk up to a size, and fetched whole, or not at all."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import shutil
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from posegen.errors import ConfigError, ShardError
from posegen.shards import Manifest, transfer
from posegen.shards.cache import CACHE_SIZE, ShardCache
from posegen.shards.pool import ShardPool
from posegen.shards.record import ShardRecord
from posegen.shards.source import borrow, find_dataset, open_shard
from posegen.storage import find_place
from posegen.storage.remote import RemotePath

if TYPE_CHECKING:
    from bucket import Bucket

pytest_plugins = ("bucket",)
SCHEME = "pail"
URL = f"{SCHEME}://some/pose"


def put(bucket: Bucket, name: str, data: bytes) -> tuple[RemotePath, ShardRecord]:
    (bucket.root / "some").mkdir(exist_ok=True)
    (bucket.root / "some" / name).write_bytes(data)
    file = find_place(f"{SCHEME}://some/{name}")
    assert isinstance(file, RemotePath)
    digest = hashlib.sha256(data).hexdigest()
    return file, ShardRecord(file=name, samples=1, people=1, bytes=len(data), sha256=digest, keypoints=())


def kept(cache: ShardCache) -> list[str]:
    return sorted(path.name.partition("-")[0] for path in cache.directory.glob("*.h5"))


class TestKeeping:
    def test_a_shard_is_fetched_once_and_lies_under_its_name_and_hash(self, bucket: Bucket, tmp_path: Path) -> None:
        file, record = put(bucket, "a.h5", b"abc" * 1000)
        cache = ShardCache()
        assert (cache.most_bytes, cache.directory) == (CACHE_SIZE, tmp_path / "kept" / "shards")
        assert CACHE_SIZE == 32 * 1024**3
        for _ in range(2):
            with cache.hold(file, record) as path:
                assert path == cache.directory / f"a-{record.sha256[:32]}.h5"
                assert path.read_bytes() == b"abc" * 1000
        assert bucket.fetched() == ["a.h5"]
        assert sorted(p.name for p in cache.directory.iterdir()) == sorted(["locks", path.name])
        # One of another size is no such shard, whatever it is called.
        path.write_bytes(b"ab")
        with ShardCache(directory=cache.directory).hold(file, record) as path:
            assert path.read_bytes() == b"abc" * 1000
        assert bucket.fetched() == ["a.h5"] * 2

    def test_who_was_not_opened_for_the_longest_time_goes_when_there_is_no_room(
        self, bucket: Bucket, tmp_path: Path
    ) -> None:
        files = {name: put(bucket, f"{name}.h5", name.encode() * 100) for name in "abcd"}
        cache = ShardCache(300, tmp_path / "home")

        def hold(name: str, at: float) -> None:
            with cache.hold(*files[name]) as path:
                pass
            assert time.time() - path.stat().st_mtime < 60
            os.utime(path, (at, at))

        for at, name in enumerate("abcab", start=1):
            hold(name, at)
        assert (bucket.fetched(), kept(cache)) == (["a.h5", "b.h5", "c.h5"], ["a", "b", "c"])
        hold("d", 6)
        assert kept(cache) == ["a", "b", "d"]
        # A byte more than there is room for, two have to go.
        files["e"] = put(bucket, "e.h5", b"e" * 101)
        hold("e", 7)
        assert kept(cache) == ["d", "e"]
        file, record = put(bucket, "large.h5", b"x" * 301)
        with pytest.raises(ConfigError) as caught, cache.hold(file, record):
            pass
        assert str(caught.value) == (
            f"{file}: has 301 bytes, but cache_size lets only 300 be kept; give it several shards' bytes"
        )
        with cache.hold(*put(bucket, "whole.h5", b"x" * 300)):
            assert kept(cache) == ["whole"]

    def test_a_shard_that_somebody_opens_stays_and_one_waits_for_room(self, bucket: Bucket, tmp_path: Path) -> None:
        files = {name: put(bucket, f"{name}.h5", name.encode() * 100) for name in "abcdefgh"}
        first = files["a"]
        other = next(of for name, of in files.items() if of[1].sha256[:2] != first[1].sha256[:2])
        cache = ShardCache(150, tmp_path / "home")
        with cache.hold(*first) as path, ThreadPoolExecutor(1) as threads:

            def fetch_other() -> None:
                with cache.hold(*other):
                    pass

            waiting = threads.submit(fetch_other)
            time.sleep(0.2)
            assert path.exists()
            assert not waiting.done()
            path.unlink()
            waiting.result(timeout=30)
        assert bucket.fetched() == [first[1].file, other[1].file]

    def test_what_killed_processes_were_fetching_is_removed_and_takes_no_room(
        self, bucket: Bucket, tmp_path: Path
    ) -> None:
        file, record = put(bucket, "a.h5", b"a" * 100)
        cache = ShardCache(150, tmp_path / "home")
        cache.directory.mkdir()
        left = [cache.directory / f".a-{record.sha256[:32]}.h5.partial", cache.directory / f".b-{'7' * 32}.h5.partial"]
        for path in left:
            path.write_bytes(b"x" * 100)
        with cache.hold(file, record) as path:
            assert path.read_bytes() == b"a" * 100
        assert not any(path.exists() for path in left[:1])

    def test_what_is_being_fetched_has_its_full_size_from_the_start(self, bucket: Bucket, tmp_path: Path) -> None:
        file, record = put(bucket, "a.h5", b"a" * 100)
        cache = ShardCache(directory=tmp_path / "home")
        sizes: list[int] = []
        bucket.before = lambda path: sizes.extend(part.stat().st_size for part in cache.directory.glob(".*.partial"))
        with cache.hold(file, record):
            assert sizes == [100]

    def test_threads_fetch_a_shard_once(self, bucket: Bucket, tmp_path: Path) -> None:
        file, record = put(bucket, "a.h5", b"a" * 100)
        bucket.before = lambda path: time.sleep(0.1)
        cache = ShardCache(directory=tmp_path / "home")

        def hold(_: int) -> bytes:
            with cache.hold(file, record) as path:
                return path.read_bytes()

        with ThreadPoolExecutor(4) as threads:
            assert list(threads.map(hold, range(4))) == [b"a" * 100] * 4
        assert bucket.fetched() == ["a.h5"]

    def test_what_cannot_be_kept_is_said(self, bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        file, record = put(bucket, "a.h5", b"a" * 100)
        for size in (0, -1, 1.5, "9", True, None):
            with pytest.raises(ConfigError) as wrong:
                ShardCache(size)  # type: ignore[arg-type]
            assert str(wrong.value) == f"cache_size must be a whole number of bytes from 1, not {size!r}"
        assert ShardCache(1).most_bytes == 1
        (tmp_path / "file").touch()
        monkeypatch.setitem(sys.modules, "fcntl", None)
        for home, why in (
            (tmp_path / "file", "Not a directory"),
            (tmp_path / "new", "shards are kept under Linux and macOS alone; posegen fetch copies them"),
        ):
            with pytest.raises(ShardError) as caught, ShardCache(directory=home / "x").hold(file, record):
                pass
            path = home / "x" / f"a-{record.sha256[:32]}.h5"
            assert str(caught.value) == f"{file}: cannot be kept in {path}: {why}"


class TestFetching:
    def test_a_file_comes_in_blocks_a_few_of_them_at_once(
        self, bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert (transfer._BLOCK, transfer._REQUESTS) == (8 * 1024**2, 4)
        monkeypatch.setattr(transfer, "_BLOCK", 100)
        bucket.before = lambda path: time.sleep(0.01)
        for size in (0, 1, 99, 100, 101, 650, 1000):
            data = np.random.default_rng(size).bytes(size)
            file, record = put(bucket, "a.h5", data)
            path = tmp_path / "copy"
            path.write_bytes(b"x" * 700)
            bucket.asked.clear()
            assert transfer.copy_file(file, path, size) == transfer.copy_file(file, path) == record.sha256
            assert path.read_bytes() == data
            ranges = [(start, min(start + 100, size)) for start in range(0, size, 100)]
            assert sorted(part[1:] for part in bucket.asked) == sorted(ranges * 2)
        assert bucket.most_at_once == 4

    def test_bytes_that_are_not_as_recorded_are_asked_for_three_times(self, bucket: Bucket, tmp_path: Path) -> None:
        file, record = put(bucket, "a.h5", b"a" * 100)
        temporary, path = tmp_path / "temporary", tmp_path / "path"
        for bad in (0, 2, 3):
            bucket.asked.clear()
            bucket.spoil = lambda _, data, bad=bad: b"b" * len(data) if len(bucket.asked) <= bad else data
            if bad < 3:
                transfer.fetch_shard(file, record, temporary, path)
                assert path.read_bytes() == b"a" * 100
                assert len(bucket.asked) == bad + 1
                path.unlink()
                continue
            with pytest.raises(ShardError) as caught:
                transfer.fetch_shard(file, record, temporary, path)
            was = hashlib.sha256(b"b" * 100).hexdigest()
            assert str(caught.value) == (
                f"{file}: its bytes have changed (sha256 {was[:12]}..., the manifest says {record.sha256[:12]}...); "
                "fetched 3 times"
            )
            assert len(bucket.asked) == 3
        assert not temporary.exists()
        assert not path.exists()

    def test_a_file_that_is_not_there_or_has_another_size_is_named(self, bucket: Bucket, tmp_path: Path) -> None:
        file, record = put(bucket, "a.h5", b"a" * 100)
        larger = dataclasses.replace(record, bytes=101)
        gone = file.parent / "gone.h5"
        for of, like, why in (
            (file, larger, "has 100 bytes, the manifest says 101"),
            (gone, record, "cannot be read: No such file or directory"),
        ):
            with pytest.raises(ShardError) as caught:
                transfer.fetch_shard(of, like, tmp_path / "t", tmp_path / "p")  # type: ignore[arg-type]
            assert str(caught.value) == f"{of}: {why}"
        with pytest.raises(OSError, match=r"No such file or directory: .*nowhere/t"):
            transfer.fetch_shard(file, record, tmp_path / "nowhere" / "t", tmp_path / "p")


class TestReading:
    def test_a_dataset_elsewhere_is_read_as_on_the_disk(
        self, bucket: Bucket, elsewhere: Manifest, dataset: Path, tmp_path: Path
    ) -> None:
        place = find_dataset(URL)
        assert Manifest.read(place) == elsewhere
        pool, here = ShardPool(place, elsewhere, 2), ShardPool(dataset, elsewhere, 2)
        assert pool.read_labels() == here.read_labels()
        for shard in (0, 2, 1, 0):
            with pool.use(shard) as reader, here.use(shard) as other:
                assert str(reader.path) == f"{URL}/{elsewhere.shards[shard].file}"
                np.testing.assert_array_equal(reader.column("image_id", [0]), other.column("image_id", [0]))
            assert len(pool) <= 2
        pool.close()
        assert sorted(set(bucket.fetched())) == [record.file for record in elsewhere.shards]
        (bucket.root / "some/pose" / elsewhere.shards[1].file).unlink()
        with pytest.raises(ShardError, match=rf"^{URL}/.*: cannot be read: No such file or directory$"):
            open_shard(place, elsewhere.shards[1], ShardCache(directory=tmp_path / "new"))

    def test_a_shard_is_borrowed_as_it_is(self, bucket: Bucket, elsewhere: Manifest, dataset: Path) -> None:
        record, place = elsewhere.shards[1], find_dataset(URL)
        with borrow(dataset, record) as here:
            assert here == dataset
        for data in (b"spoilt", None):
            file = bucket.root / "some/pose" / record.file
            file.write_bytes(data) if data else file.unlink()
            with borrow(place, record) as there:
                assert [(p.name, p.read_bytes()) for p in there.iterdir()] == ([(record.file, data)] if data else [])
            assert not there.exists()
            assert there.name.startswith("posegen-")

    def test_what_is_no_dataset_or_in_an_archive_is_said(
        self, elsewhere: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        shutil.make_archive(str(tmp_path / "packed"), "zip", tmp_path / "bucket")
        packed = find_place(tmp_path / "packed.zip") / "some/pose"
        for read in (lambda: open_shard(packed, elsewhere.shards[0]), borrow(packed, elsewhere.shards[0]).__enter__):
            with pytest.raises(ShardError) as caught:
                read()
            assert str(caught.value) == f"{packed}: shards are not read from archives; unpack it"
        for nothing in (tmp_path / "nothing", f"{SCHEME}://some/nothing"):
            with pytest.raises(ConfigError) as wrong:
                find_dataset(nothing)
            assert str(wrong.value) == f"{nothing}: no such directory; expected that of a dataset"
        monkeypatch.setattr(Path, "is_dir", lambda self: Path("/nothing").stat())
        with pytest.raises(ConfigError) as refused:
            find_dataset(tmp_path)
        assert str(refused.value) == f"{tmp_path}: cannot be read: No such file or directory"
