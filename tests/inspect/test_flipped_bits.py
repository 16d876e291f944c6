"""Bits of a shard, flipped one by one: each is found, and none gives a wrong label."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin  # noqa: F401 (registers zstd)
import numpy as np
import pytest
from conftest import Coco
from damage import shards_of
from executors import InProcess

import posegen
from posegen.config import BuildConfig
from posegen.errors import PosegenError, ShardError
from posegen.inspect.verify import ShardCheck, check_shard
from posegen.shards import ShardReader
from posegen.shards.manifest import Manifest


@pytest.fixture(scope="module")
def small(corpus: Coco, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The corpus with labels of 8x6 cells, for tests that read a shard hundreds of times."""
    out = tmp_path_factory.mktemp("small") / "out"
    config = BuildConfig(shard_size=4, input_size=(48, 64), jpeg_quality=30)
    posegen.build(corpus.root, out, config, executor=InProcess())
    return out


class TestFlippedBits:
    """Random bits of a shard, flipped one at a time in a copy whose other bytes stay."""

    FLIPS = 250

    @pytest.fixture
    def shard(self, small: Path, tmp_path: Path) -> Path:
        return shards_of(Path(shutil.copytree(small, tmp_path / "flipped")))[0]

    def flips(self, shard: Path) -> Iterator[tuple[int, int]]:
        """Flip bits anywhere, and as many more among the labels, and put each right again."""
        random = np.random.default_rng(4)
        size = shard.stat().st_size
        with h5py.File(shard) as file:
            chunks = [file[name].id.get_chunk_info(i) for name in ("heatmap", "paf", "mask") for i in range(4)]
        anywhere = random.integers(size, size=self.FLIPS).tolist()
        labels = [
            int(c.byte_offset + random.integers(c.size))
            for c in map(chunks.__getitem__, random.integers(len(chunks), size=200))
        ]
        descriptor = os.open(shard, os.O_RDWR)
        try:
            for offset in [*anywhere, *labels]:
                (byte,), bit = os.pread(descriptor, 1, offset), int(random.integers(8))
                os.pwrite(descriptor, bytes([byte ^ 1 << bit]), offset)
                yield offset, bit
                os.pwrite(descriptor, bytes([byte]), offset)
        finally:
            os.close(descriptor)

    def test_all_are_found(self, shard: Path) -> None:
        manifest = Manifest.read(shard.parent)
        check = ShardCheck(
            directory=shard.parent, shard=manifest.shards[0], config=manifest.config, skeleton=manifest.skeleton
        )
        missed = [at for at in self.flips(shard) if not check_shard(check, lambda _: None)]
        assert missed == []
        assert check_shard(check, lambda _: None) == ()

    def test_none_gives_a_wrong_label_or_an_error_that_is_not_ours(self, shard: Path) -> None:
        def read() -> dict[tuple[str, int], Any]:
            found: dict[tuple[str, int], Any] = {}
            try:
                with ShardReader(shard) as reader:
                    for label in reader.labels:
                        for i in range(len(reader)):
                            try:
                                found[label.spec.name, i] = reader.label(label, i).tobytes()
                            except ShardError:
                                refused.add(at)
            except PosegenError:
                refused.add(at)
            return found

        refused: set[object] = set()
        at: object = None
        expected = read()
        assert len(expected) == 12
        for at in self.flips(shard):
            for key, values in read().items():
                assert values == expected[key], (at, key)
        assert len(refused) >= 100, "those among the labels at least"
        assert None not in refused
