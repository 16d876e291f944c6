"""Many shards in a bucket: files, memory and what is kept stay within their limits."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import TYPE_CHECKING

from builds import CONFIG, write_source
from executors import InProcess

from posegen import PoseDataset
from posegen.build.pipeline import build
from posegen.shards import Manifest

if TYPE_CHECKING:
    from s3_server import Bucket

pytest_plugins = ("s3_server",)

SHARDS = 1000 if int(os.environ.get("POSEGEN_FAULTS", "0")) >= 1000 else 200
"""A thousand where `make test-s3` has the time."""


def resident() -> int:
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def test_many_shards_are_read_within_the_limits(bucket: Bucket, tmp_path: Path) -> None:
    config = dataclasses.replace(CONFIG, limit=1, shard_size=1)
    manifest = build(write_source(tmp_path / "coco"), tmp_path / "one", config, executor=InProcess())
    (record,) = manifest.shards
    data = (tmp_path / "one" / record.file).read_bytes()
    shards = [dataclasses.replace(record, file=f"shard-{i:05d}-of-{SHARDS:05d}.h5") for i in range(SHARDS)]
    dataclasses.replace(manifest, shards=tuple(shards)).write(tmp_path)
    for shard in shards:
        bucket.put(f"pose/{shard.file}", data)
    bucket.put("pose/manifest.json", (tmp_path / "manifest.json").read_bytes())

    room, most_open = 40 * record.bytes, 8
    dataset = PoseDataset(f"{bucket.url}/pose", cache_size=room, max_open=most_open)
    assert len(Manifest.read(dataset.path).shards) == len(dataset) == SHARDS
    kept = tmp_path / "kept" / "shards"
    before, files = 0, len(list(Path("/proc/self/fd").iterdir()))
    for number, sample in enumerate(dataset):
        assert sample["image_id"] > 0
        if number == 100:
            before = resident()
        if number % 50 == 0:
            assert sum(path.stat().st_size for path in kept.glob("*.h5*")) <= room
            assert len(list(Path("/proc/self/fd").iterdir())) <= files + most_open + 30  # connections, too
    assert resident() - before < 64 << 20
    assert len(list((kept / "locks").iterdir())) <= 257
