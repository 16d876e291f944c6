"""The sizes of arrays, told without a reader: those that a reader tells, or none."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import h5py
import pytest

from posegen.errors import ShardError
from posegen.inspect.summary import describe
from posegen.shards import Manifest, ShardReader
from posegen.shards.outline import Outline

if TYPE_CHECKING:
    from conftest import Build


@pytest.mark.parametrize("variant", ["plain", "packed", "raw"])
def test_it_tells_what_a_reader_does(build: Build, variant: str) -> None:
    directory = build(variant)
    manifest = Manifest.read(directory)
    with ShardReader(directory / manifest.shards[0].file) as reader:
        outline = Outline(reader)
    assert len(manifest.shards) > 1
    for record in manifest.shards:
        path = directory / record.file
        with ShardReader(path) as reader:
            expected = list(reader.arrays())
        assert outline.measure(path, samples=record.samples, people=record.people, size=record.bytes) == expected


def test_a_shard_that_is_another_is_not_measured(dataset: Path, build: Build, tmp_path: Path) -> None:
    manifest = Manifest.read(dataset)
    record = manifest.shards[1]
    with ShardReader(dataset / manifest.shards[0].file) as reader:
        outline = Outline(reader)
    other = build("packed") / Manifest.read(build("packed")).shards[1].file
    assert outline.measure(other, samples=3, people=record.people, size=other.stat().st_size) is None
    path = dataset / record.file
    for samples, people, size in ((2, 0, 0), (0, 1, 0), (0, 0, 1)):
        counts = record.samples - samples, record.people - people, record.bytes - size
        assert outline.measure(path, samples=counts[0], people=counts[1], size=counts[2]) is None
    assert outline.measure(tmp_path / "nothing.h5", samples=3, people=3, size=3) is None


def test_what_is_wrong_with_a_later_shard_is_said(dataset: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(dataset, tmp_path / "copy", ignore=shutil.ignore_patterns(".posegen")))
    path = max(copy.glob("*.h5"))
    with h5py.File(path, "r+") as file:
        del file["person/bbox"]
        file["person/bbox"] = h5py.ExternalLink("elsewhere.h5", "/x")
    with pytest.raises(ShardError, match=path.name):
        describe(copy)
    path.write_bytes(b"")
    with pytest.raises(ShardError, match=path.name):
        describe(copy)
