"""Files are opened late, in the process that reads, and few at a time; memory does not grow."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import hdf5plugin  # noqa: F401 (registers the zstd filter)
import numpy as np
import pytest
from conftest import Build
from datasets_read import (
    count_open,
    digest,
    needs_proc,
    opened_by,
    send_digest,
)
from each import each

import posegen


class TestProcesses:
    @needs_proc
    def test_nothing_is_open_before_the_first_sample_is_read(self, dataset: Path) -> None:
        data = posegen.PoseDataset(dataset)
        assert count_open(dataset) == 0
        data[0]
        assert count_open(dataset) == 1
        data.close()
        assert count_open(dataset) == 0
        data[0]
        data.close()

    @needs_proc
    @each(most=[1, 2, 64])
    def test_no_more_shards_are_open_than_allowed(self, dataset: Path, most: int) -> None:
        data = posegen.PoseDataset(dataset, max_open=most)
        for i in (0, 7, 3, 1, 6, 4, 0):
            data[i]
            assert count_open(dataset) <= most
        assert count_open(dataset) == min(most, 3)
        data.close()

    def test_the_shard_used_longest_ago_is_closed_first(self, dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        data = posegen.PoseDataset(dataset, max_open=2)
        opened: list[int] = []
        monkeypatch.setattr(data.pool, "_open_shard", opened_by(data.pool._open_shard, opened))
        for i in (0, 3, 1, 7, 2, 4):
            data[i]
        data.close()
        assert opened == [0, 1, 2, 1]

    @pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
    @pytest.mark.parametrize("method", ["fork", "spawn"])
    def test_another_process_reads_what_this_one_has_open(self, dataset: Path, method: str) -> None:
        data = posegen.PoseDataset(dataset)
        expected = digest(data)
        context = multiprocessing.get_context(method)
        pipes = [context.Pipe(duplex=False) for _ in range(2)]
        processes = [context.Process(target=send_digest, args=(pipe[1], data)) for pipe in pipes]
        for process in processes:
            process.start()
        assert digest(data) == expected, "while others read"
        for process, (ours, theirs) in zip(processes, pipes, strict=True):
            theirs.close()
            assert ours.recv() == expected
            process.join()
            assert process.exitcode == 0
        assert digest(data) == expected, "after others closed their files"

    @needs_proc
    def test_a_pickle_has_no_open_files_in_it(self, dataset: Path) -> None:
        data = posegen.PoseDataset(dataset, fields=["image", "paf"], flip="random", seed=3, raw=True, max_open=2)
        expected = digest(data)
        data.close()
        copy = pickle.loads(pickle.dumps(data))
        assert count_open(dataset) == 0
        assert (repr(copy), digest(copy)) == (repr(data), expected)
        assert count_open(dataset) == 2
        copy.close()

    def test_threads_can_share_it(self, dataset: Path) -> None:
        data = posegen.PoseDataset(dataset, max_open=1)
        expected = [sample["paf"].sum() + sample["image"].sum() for sample in data]

        def read(i: int) -> bool:
            sample = data[i % 8]
            return bool(sample["paf"].sum() + sample["image"].sum() == expected[i % 8])

        with ThreadPoolExecutor(4) as threads:
            assert all(threads.map(read, range(64)))

    @pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="only Linux tells memory there")
    def test_memory_does_not_grow_from_epoch_to_epoch(self, build: Build) -> None:
        data = posegen.PoseDataset(build("raw"), max_open=2)

        def resident() -> int:
            return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

        def read(epochs: int) -> int:
            for _ in range(epochs):
                for i in (0, 7, 3, 1, 6, 4, 2, 5):
                    data[i]
            return resident()

        before = read(10)
        assert read(40) - before < 4 << 20

    def test_what_is_held_of_a_batch_does_not_grow_with_it(self, build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("posegen.loader.reading._HELD_BYTES", 1 << 20)
        data = posegen.PoseDataset(build("raw"), raw=True)
        data.batch([0, 3, 6])
        tracemalloc.start()
        try:
            found = data.batch([*range(8)] * 40)
            now, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert sum(values.nbytes for values in found.values() if isinstance(values, np.ndarray)) > 40 << 20
        assert peak - now < 4 << 20

    def test_its_name_says_how_it_reads(self, dataset: Path) -> None:
        assert repr(posegen.PoseDataset(dataset, fields=["mask", "image"], flip=True)) == (
            f"PoseDataset({str(dataset)!r}, fields=['image', 'mask'], flip=True)"
        )
