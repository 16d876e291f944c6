"""A dataset that is built into a bucket: the bytes of one on the disk, gone on with by the tags of what is there."""

from __future__ import annotations

import dataclasses
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from builds import CONFIG
from executors import InProcess

import posegen
from posegen.build import parts
from posegen.build.store import Store, find_output, remove_tree
from posegen.errors import BuildError, ConfigError
from posegen.shards import Manifest, ShardRecord
from posegen.storage import find_place

if TYPE_CHECKING:
    from bucket import Bucket

pytest_plugins = ("bucket", "built")
build = partial(posegen.build, executor=InProcess())
URL = "pail://some/pose"


@pytest.fixture(scope="module")
def expected(source: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    out = tmp_path_factory.mktemp("expected") / "out"
    build(source, out, CONFIG)
    return contents(out)


def contents(path: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in path.iterdir() if file.is_file()}


def test_its_files_are_those_of_a_dataset_on_the_disk(bucket: Bucket, source: Path, expected: dict[str, bytes]) -> None:
    manifest = build(source, URL, CONFIG)
    assert contents(bucket.root / "some/pose") == expected
    assert manifest == Manifest.read(find_place(URL))
    bucket.written.clear()
    bucket.asked.clear()
    assert build(source, URL, CONFIG) == manifest
    assert not [path for path in bucket.written if path.endswith(".h5")]
    with pytest.raises(ConfigError, match="was built with other options\n  shard_size: was 4, is now 5"):
        build(source, URL, dataclasses.replace(CONFIG, shard_size=5))
    other = build(source, URL, dataclasses.replace(CONFIG, shard_size=8), overwrite=True)
    assert len(other.shards) == 2
    assert sorted(p.name for p in (bucket.root / "some/pose").glob("*.h5")) == [record.file for record in other.shards]


def test_a_build_that_was_broken_off_goes_on_and_sends_no_shard_twice(
    bucket: Bucket, source: Path, expected: dict[str, bytes]
) -> None:
    shards = [name for name in sorted(expected) if name.endswith(".h5")]

    def break_off(path: str) -> None:
        if path.endswith(shards[2]):
            raise PermissionError(13, "Permission denied", f"pail://{path}")

    bucket.before = break_off
    with pytest.raises(BuildError) as caught:
        build(source, URL, CONFIG)
    assert "Permission denied" in str(caught.value)
    assert str(caught.value).endswith("; finished shards stay, run again to go on")
    assert not (bucket.root / "some/pose/manifest.json").exists()
    bucket.before = lambda path: None
    bucket.written.clear()
    bucket.asked.clear()
    build(source, URL, CONFIG)
    assert sorted(path.rpartition("/")[2] for path in bucket.written if path.endswith(".h5")) == shards[2:]
    assert contents(bucket.root / "some/pose") == expected


def test_parts_build_what_a_whole_build_does(bucket: Bucket, source: Path, expected: dict[str, bytes]) -> None:
    for part in ("2/2", "1/2"):
        parts.build_part(source, URL, CONFIG, part=part, executor=InProcess())
    parts.finish_parts(source, URL, CONFIG)
    assert contents(bucket.root / "some/pose") == expected


def test_a_shard_is_known_by_its_tag_or_else_by_its_bytes(bucket: Bucket, expected: dict[str, bytes]) -> None:
    place = find_output(URL)
    assert find_output(place) is place
    assert find_output("some/pose") == Path("some/pose")
    store = Store(place, place / ".posegen/abc")
    store.make()
    assert store.free() is None
    name = min(name for name in expected if name.endswith(".h5"))
    record = next(r for r in Manifest.read(_put(bucket, expected)).shards if r.file == name)
    staged = bucket.root / "some/pose/.posegen/abc/shards" / name
    staged.parent.mkdir(parents=True)
    (bucket.root / "some/pose" / name).rename(staged)
    assert store.find(record) == store.staged / name
    short = dataclasses.replace(record, bytes=record.bytes - 1)
    with pytest.raises(OSError, match=f"has {record.bytes} bytes, {record.bytes - 1} were written"):
        store.note(short)
    assert store.find(short) is None
    tag = store.note(record)
    assert tag is not None
    assert tag.split()[0] == str(record.bytes)
    bucket.asked.clear()
    assert store.find(record) == store.staged / name
    assert bucket.asked == [], "its tag is enough"
    # Other bytes, of the same size and with the tag that was told.
    other = Store(place, place / ".posegen/abc")
    staged.write_bytes(bytes(record.bytes))
    assert other.find(record) is None
    other.recall(record, None)
    assert other.find(record) is None
    with pytest.raises(OSError, match="is not what was copied there"):
        other.move(store.staged / name, record)
    assert staged.exists()
    staged.write_bytes(expected[name])
    other.move(store.staged / name, record)
    assert not staged.exists()
    assert (bucket.root / "some/pose" / name).read_bytes() == expected[name]
    other.move(store.staged / name, record)  # as another process may have done
    with pytest.raises(OSError, match="cannot be moved there"):
        other.move(Path("here.h5"), record)
    remove_tree(place / ".posegen")
    remove_tree(place)
    assert bucket.find("some") == []


def test_a_folder_on_the_disk_that_another_process_has_removed_is_no_trouble(tmp_path: Path) -> None:
    (tmp_path / "state/abc").mkdir(parents=True)
    for _ in range(2):
        remove_tree(tmp_path / "state")
        assert not (tmp_path / "state").exists()
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="Not a directory"):
        remove_tree(tmp_path / "file")


def _put(bucket: Bucket, files: dict[str, bytes]) -> Path:
    folder = bucket.root / "some/pose"
    folder.mkdir(parents=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


def test_a_listing_is_believed_for_a_few_seconds(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = bucket.root / "some/pose/home"
    folder.mkdir(parents=True)
    (folder / "a").touch()
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    store = Store(find_place(URL), find_place(URL) / "home")
    assert store.has_any("a", "b")
    (folder / "b").touch()
    assert not store.has_any("b")
    store.wrote("c")
    assert store.has_any("c")
    now[0] = 104.9
    assert not store.has_any("b")
    now[0] = 105.1
    assert store.has_any("b")
    assert not store.has_any("c")


def test_on_a_disk_a_file_is_read_once_while_nothing_was_done_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    monkeypatch.setattr("posegen.build.store.hash_file", lambda path: (read.append(path.name), "a" * 64)[1])
    monkeypatch.setattr("posegen.build.store._SETTLED_NS", -1)
    store = Store(tmp_path, tmp_path / "home")
    store.make()
    record = ShardRecord(file="s.h5", samples=1, people=1, bytes=3, sha256="a" * 64, keypoints=())
    assert store.find(record) is None
    (store.staged / "s.h5").write_bytes(b"abc")
    assert [store.find(record), store.find(record)] == [store.staged / "s.h5"] * 2
    assert store.find(dataclasses.replace(record, bytes=4)) is None
    assert store.find(dataclasses.replace(record, sha256="b" * 64)) is None
    assert read == ["s.h5"]
    (store.staged / "s.h5").write_bytes(b"xyz")
    store.find(record)
    assert read == ["s.h5"] * 2
    monkeypatch.setattr("posegen.build.store._SETTLED_NS", 10**18)
    fresh = Store(tmp_path, tmp_path / "home")
    fresh.find(record)
    fresh.find(record)
    assert read == ["s.h5"] * 4
    assert fresh.note(record) is None
    assert fresh.free() == pytest.approx(__import__("shutil").disk_usage(tmp_path).free, rel=0.1)
