"""Section `endurance` of the benchmarks: it sees what is held, and what is no longer."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import pytest

from posegen.bench import endurance
from posegen.bench.source import open_source
from posegen.errors import BuildError
from posegen.loader import PoseDataset
from posegen.shards import Manifest
from posegen.synthetic import write_sample_coco

needs_proc = pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="only Linux tells")


@needs_proc
def test_loaders_are_looked_at_early_and_after_every_epoch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endurance, "_SHARDS", 2)
    monkeypatch.setattr(endurance, "_SHARD_SIZE", 4)
    source = open_source(tmp_path, write_sample_coco(tmp_path / "sample", images=4))
    found = endurance.measure_endurance(source, tmp_path, 2, lambda _: None, workers=1, samples=30)
    assert (found["samples"], found["epochs"]) == (32, 2)
    assert [row["loader"] for row in found["rows"]] == ["threads", "workers"]
    for row in found["rows"]:
        assert [mark["samples"] for mark in row["marks"]] == [16, 32, 64]
        assert all(mark["bytes"] > 10e6 and mark["files"] > 3 for mark in row["marks"])
        assert len({mark["processes"] for mark in row["marks"]}) == 1
    by_threads, by_workers = (row["marks"][0]["processes"] for row in found["rows"])
    assert by_workers > by_threads
    out = tmp_path / "endured"
    assert len(PoseDataset(out)) == 32
    assert len({(out / shard.file).stat().st_ino for shard in Manifest.read(out).shards}) == 2


@needs_proc
def test_what_is_held_is_seen_and_what_is_let_go(tmp_path: Path) -> None:
    gc.collect()  # what tests before this one have left is not to be let go in the middle of it
    before = endurance.look(os.getpid())
    files = [(tmp_path / f"{i}").open("wb") for i in range(20)]
    memory = bytearray(os.urandom(1 << 16)) * (100 << 4)
    held = endurance.look(os.getpid())
    assert held.files == before.files + 20
    assert held.bytes > before.bytes + 90e6
    for file in files:
        file.close()
    del memory
    gc.collect()
    after = endurance.look(os.getpid())
    assert after.files <= before.files
    assert after.bytes < before.bytes + 50e6


def test_a_reader_that_ends_early_is_named() -> None:
    with pytest.raises(BuildError, match="ended with status 3"):
        endurance._run_apart(_end)


def _end(_tell: object) -> None:
    os._exit(3)
