"""Datasets of before labels told how they mirror: they are read, flipped, checked and repaired as ever."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import h5py
import hdf5plugin  # noqa: F401 (registers the compressor)
import numpy as np
import pytest

import posegen
from posegen.annotations import read_annotations
from posegen.build.plan import make_plan
from posegen.build.progress import ignore
from posegen.build.worker import build_shard

if TYPE_CHECKING:
    from conftest import Coco

CONFIG = posegen.BuildConfig(input_size=(64, 96), labels=("heatmap", "paf", "mask"), shard_size=1)


def make_older(coco: Coco, out: Path, *, shards: int) -> None:
    """Build a dataset whose first shards do not tell it, and a manifest that has their hashes."""
    posegen.build(coco.write(), out, CONFIG, workers=1)
    plan = make_plan(read_annotations(coco.root, CONFIG), CONFIG)
    manifest = json.loads((out / "manifest.json").read_text())
    for index in range(shards):
        record = build_shard(plan.task(index, directory=out, tells_mirrors=False), ignore).record
        manifest["shards"][index] |= {"bytes": record.bytes, "sha256": record.sha256}
        with h5py.File(out / record.file) as file:
            assert all("mirror" not in file[name].attrs for name in CONFIG.labels)
            assert "channels" in file["mask"].attrs
    (out / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize("shards", [1, 2])
def test_they_are_checked_and_flipped_like_new_ones_also_beside_these(tmp_path: Path, coco: Coco, shards: int) -> None:
    make_older(coco, tmp_path / "old", shards=shards)
    posegen.build(coco.root, tmp_path / "new", CONFIG, workers=1)
    assert posegen.verify(tmp_path / "old", deep=True, coco=coco.root, workers=1) == []
    old, new = (posegen.PoseDataset(tmp_path / name, flip=True) for name in ("old", "new"))
    for one, other in zip(old, new, strict=True):
        for name in CONFIG.labels:
            np.testing.assert_array_equal(one[name], other[name])
    assert posegen.compare(tmp_path / "old", tmp_path / "new", workers=1).equal


def test_they_are_repaired_to_the_recorded_byte(tmp_path: Path, coco: Coco) -> None:
    make_older(coco, tmp_path / "old", shards=1)
    paths = sorted((tmp_path / "old").glob("*.h5"))
    kept = [path.read_bytes() for path in paths]
    for path, data in zip(paths, kept, strict=True):
        path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    seen: list[tuple[int, int]] = []
    repaired = posegen.repair(tmp_path / "old", coco.root, workers=1, progress=lambda *now: seen.append(now))
    assert repaired == [path.name for path in paths]
    assert [path.read_bytes() for path in paths] == kept
    assert seen[-1] == (2, 2)
    assert max(done for done, _ in seen) == 2


def test_a_shard_of_neither_kind_is_refused_once(tmp_path: Path, coco: Coco) -> None:
    make_older(coco, tmp_path / "old", shards=1)
    first, _ = sorted((tmp_path / "old").glob("*.h5"))
    first.write_bytes(first.read_bytes()[:-1] + b"?")
    manifest = json.loads((tmp_path / "old" / "manifest.json").read_text())
    manifest["shards"][0]["sha256"] = "0" * 64
    (tmp_path / "old" / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(posegen.PosegenError, match="1 of 1 bad shards cannot be built as they were") as error:
        posegen.repair(tmp_path / "old", coco.root, workers=1)
    assert str(error.value).count(first.name) == 1
    assert not list((tmp_path / "old").rglob("repair/*.h5"))
