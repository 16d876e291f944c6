"""A dataset behind a URL, copied whole: compared shard by shard, gone on with, and never on top of something else."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from posegen.errors import ConfigError, ShardError
from posegen.shards import Manifest
from posegen.shards.fetch import fetch

if TYPE_CHECKING:
    from bucket import Bucket

pytest_plugins = ("bucket",)
URL = "pail://some/pose"


def contents(path: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in path.iterdir() if file.is_file()}


def test_a_copy_has_the_files_of_the_dataset_and_tells_how_far_it_is(
    bucket: Bucket, elsewhere: Manifest, tmp_path: Path
) -> None:
    source, out = bucket.root / "some/pose", tmp_path / "new" / "copy"
    (source / "failures.jsonl").write_text("{}\n")
    told: list[tuple[int, int]] = []
    assert fetch(URL, out, progress=lambda *of: told.append(of)) == elsewhere
    assert contents(out) == contents(source)
    sizes = [record.bytes for record in elsewhere.shards]
    assert told == [(sum(sizes[: i + 1]), sum(sizes)) for i in range(3)]
    assert bucket.most_at_once <= 2


def test_what_is_there_is_kept_and_what_is_not_as_recorded_comes_again(
    bucket: Bucket, elsewhere: Manifest, tmp_path: Path
) -> None:
    out, names = tmp_path / "copy", [record.file for record in elsewhere.shards]
    fetch(URL, out)
    assert not (out / "failures.jsonl").exists()
    (out / names[1]).write_bytes(bytes(elsewhere.shards[1].bytes))
    (out / f".{names[2]}.1.partial").touch()
    (out / "manifest.json").unlink()
    bucket.asked.clear()
    fetch(str(URL), str(out))
    assert bucket.fetched() == [names[1]]
    assert contents(out) == contents(bucket.root / "some/pose")


def test_a_shard_that_does_not_come_leaves_no_dataset_and_what_came_stays(
    bucket: Bucket, elsewhere: Manifest, tmp_path: Path
) -> None:
    out, names = tmp_path / "copy", [record.file for record in elsewhere.shards]
    bucket.spoil = lambda path, data: data[:-1] + b"x" if path.endswith(names[2]) else data
    with pytest.raises(ShardError, match=f"^{URL}/{names[2]}: its bytes have changed"):
        fetch(URL, out)
    assert sorted(contents(out)) == names[:2]
    bucket.spoil = lambda path, data: data
    assert fetch(URL, out) == elsewhere


def test_a_directory_of_something_else_is_left_alone(bucket: Bucket, elsewhere: Manifest, tmp_path: Path) -> None:
    out, text = tmp_path / "copy", (bucket.root / "some/pose/manifest.json").read_bytes()
    out.mkdir()
    for name, data, why in (
        ("thesis.txt", b"", "holds thesis.txt, which is no part of this dataset; choose a new directory"),
        ("manifest.json", text + b" ", "holds another dataset than is behind the URL now; choose a new directory"),
    ):
        (out / name).write_bytes(data)
        bucket.asked.clear()
        with pytest.raises(ConfigError) as caught:
            fetch(URL, out)
        assert str(caught.value) == f"{out}: {why}"
        assert contents(out) == {name: data}
        assert bucket.fetched() == []
        (out / name).unlink()
    (out / "failures.jsonl").write_bytes(b"old")
    (out / "manifest.json").write_bytes(text)
    assert fetch(URL, out) == elsewhere


def test_what_is_on_this_disk_is_not_fetched_and_a_disk_that_refuses_is_named(
    elsewhere: Manifest, dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError) as caught:
        fetch(dataset, tmp_path / "copy")
    assert str(caught.value) == f"{dataset}: is on this disk; fetch copies from a URL, as in s3://bucket/pose"
    (tmp_path / "file").touch()
    with pytest.raises(ShardError) as refused:
        fetch(URL, tmp_path / "file" / "copy")
    assert str(refused.value) == (f"{tmp_path}/file/copy: Not a directory; what was fetched stays, run again to go on")
    with pytest.raises(ConfigError, match="no such directory; expected that of a dataset"):
        fetch(f"{URL}/nothing", tmp_path / "copy")
    assert not (tmp_path / "copy").exists()
