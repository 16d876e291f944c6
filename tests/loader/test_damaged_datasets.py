"""What is wrong with a shard is said, with its name."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import h5py
import hdf5plugin  # noqa: F401 (registers the zstd filter)
import pytest
from by_hand import sum_again
from conftest import Build
from datasets_read import (
    shards,
)

import posegen
from posegen.errors import ShardError


class TestDamage:
    @pytest.fixture
    def copy(self, dataset: Path, tmp_path: Path) -> Path:
        return Path(shutil.copytree(dataset, tmp_path / "copy"))

    def test_a_directory_without_a_manifest_is_no_dataset(self, tmp_path: Path) -> None:
        with pytest.raises(ShardError, match="has no manifest"):
            posegen.PoseDataset(tmp_path)

    def test_a_missing_shard_is_named(self, copy: Path) -> None:
        shards(copy)[1].unlink()
        data = posegen.PoseDataset(copy)
        data[0], data[-1]
        with pytest.raises(ShardError, match=r"shard-00001-of-00003\.h5: no such shard"):
            data[3]

    def test_a_shard_that_is_cut_while_it_is_open_is_named(self, copy: Path) -> None:
        data = posegen.PoseDataset(copy, fields=["paf"])
        data[0]
        os.truncate(shards(copy)[0], 3000)
        with pytest.raises(ShardError, match=r"shard-00000-of-00003\.h5: is damaged: paf\[0\] .* bytes are there of"):
            data[0]

    def test_a_shard_that_was_cut_is_named(self, copy: Path) -> None:
        path = shards(copy)[2]
        os.truncate(path, path.stat().st_size - 1)
        with pytest.raises(ShardError, match=r"shard-00002-of-00003\.h5: "):
            posegen.PoseDataset(copy)[7]

    def test_a_shard_of_another_size_is_named(self, copy: Path) -> None:
        with shards(copy)[1].open("ab") as file:
            file.write(b"x")
        with pytest.raises(ShardError, match=r"shard-00001-of-00003\.h5: was changed after the build: it has"):
            posegen.PoseDataset(copy)[3]

    def test_shards_that_changed_places_are_named(self, copy: Path) -> None:
        first, second, _ = shards(copy)
        first.rename(copy / "x.h5")
        second.rename(first)
        (copy / "x.h5").rename(second)
        with pytest.raises(ShardError, match=r"shard-00000-of-00003\.h5: was changed after the build"):
            posegen.PoseDataset(copy)

    def test_a_shard_of_another_build_is_named(self, copy: Path, build: Build) -> None:
        path = copy / "manifest.json"
        record = json.loads(path.read_text())
        foreign = shards(build("raw"))[1]
        shutil.copy(foreign, shards(copy)[1])
        record["shards"][1]["bytes"] = foreign.stat().st_size
        path.write_text(json.dumps(record))
        with pytest.raises(ShardError, match=r"shard-00001-of-00003\.h5: was built with another configuration"):
            posegen.PoseDataset(copy)[3]

    def test_a_flipped_bit_in_a_label_is_named(self, copy: Path) -> None:
        path = shards(copy)[1]
        with h5py.File(path) as file:
            chunk = file["heatmap"].id.get_chunk_info(2)
        with path.open("r+b") as file:
            file.seek(chunk.byte_offset + chunk.size // 2)
            byte = file.read(1)[0]
            file.seek(-1, os.SEEK_CUR)
            file.write(bytes([byte ^ 16]))
        data = posegen.PoseDataset(copy)
        data[3], data[4]
        with pytest.raises(ShardError, match=r"shard-00001-of-00003\.h5.*heatmap\[2\].*its checksum is wrong"):
            data.batch([0, 5])

    def test_a_picture_that_is_none_is_named(self, copy: Path) -> None:
        path = shards(copy)[2]
        with h5py.File(path, "r+") as file:
            file["image/bytes"][: file["image/offsets"][1]] = 0
        sum_again(path)
        for options in ({}, {"views": "rotate=4"}, {"labels": "device"}):
            data = posegen.PoseDataset(copy, **options)  # type: ignore[arg-type]
            with pytest.raises(ShardError, match=r"shard-00002-of-00003\.h5: the picture of sample 0: is not an image"):
                data[6]
        assert posegen.PoseDataset(copy)[7]["image"].any()
