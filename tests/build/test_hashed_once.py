"""A build that goes on reads each finished shard once, however often it asks for it, and again where it was changed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from conftest import Coco

from posegen.build import store
from posegen.build.pipeline import build
from posegen.build.store import Store
from posegen.config import BuildConfig
from posegen.shards import Manifest

CONFIG = BuildConfig(labels=("heatmap",), shard_size=4)


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often the shards of each name were read for their hashes."""
    counts: Counter[str] = Counter()
    whole = store.hash_file

    def count(path: Path) -> str:
        counts[path.name] += 1
        return whole(path)

    monkeypatch.setattr(store, "hash_file", count)
    return counts


def test_a_run_with_nothing_to_do_reads_each_shard_once(
    corpus: Coco, tmp_path: Path, read: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "_SETTLED_NS", -1)
    out = tmp_path / "out"
    manifest = build(corpus.root, out, CONFIG, workers=1)
    read.clear()
    assert build(corpus.root, out, CONFIG, workers=1) == manifest
    assert read == {shard.file: 1 for shard in manifest.shards}


def test_what_was_changed_or_has_just_been_written_is_read_again(
    corpus: Coco, tmp_path: Path, read: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    build(corpus.root, out, CONFIG, workers=1)
    shard = Manifest.read(out).shards[0]
    kept = Store(out, tmp_path / "home")
    read.clear()
    assert kept.find(shard) == kept.find(shard) == out / shard.file
    assert read[shard.file] == 2
    monkeypatch.setattr(store, "_SETTLED_NS", -1)
    assert kept.find(shard) == kept.find(shard) == out / shard.file
    assert read[shard.file] == 3
    data = bytearray((out / shard.file).read_bytes())
    data[-1] ^= 1
    (out / shard.file).write_bytes(data)
    assert kept.find(shard) is None
    assert read[shard.file] == 4
