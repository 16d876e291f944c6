"""Several samples at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import hdf5plugin  # noqa: F401 (registers the zstd filter)
import numpy as np
import pytest
from conftest import Build
from datasets_read import (
    LABELS,
    SIZES,
    opened_by,
)
from each import each

import posegen


class TestBatches:
    @each(variant=[*SIZES], indices=[[4], [7, 0, 3], [5, 5, -1, 0, 5], list(range(8))])
    def test_a_batch_has_its_samples_in_the_order_asked_for(
        self, build: Build, variant: str, indices: list[int]
    ) -> None:
        data = posegen.PoseDataset(build(variant))
        batch = data.batch(np.array(indices))
        assert list(batch) == list(data.fields)
        for place, index in enumerate(indices):
            for name, value in data[index].items():
                np.testing.assert_array_equal(batch[name][place], value, name)
        for name in ("image", *LABELS[variant], "affine", "image_id", "width"):
            assert isinstance(batch[name], np.ndarray)
            assert len(batch[name]) == len(indices)

    @each(variant=[*SIZES], samples=[0, 1, 3])
    def test_a_batch_is_the_same_however_many_samples_are_read_and_unpacked_at_once(
        self, build: Build, variant: str, samples: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        indices = [7, 0, 3, 3, 6, 1, 2]
        expected = posegen.PoseDataset(build(variant), flip="random", seed=1).batch(indices)
        data = posegen.PoseDataset(build(variant), flip="random", seed=1)
        largest = max(data[:1][name].nbytes for name in LABELS[variant])
        with monkeypatch.context() as patch:
            patch.setattr("posegen.loader.reading._HELD_BYTES", samples * largest)
            patch.setattr("posegen.loader.batch._CACHED_BYTES", samples * largest // 4)
            found = data.batch(indices)
        for name, values in expected.items():
            for a, b in zip(found[name], values, strict=True):
                np.testing.assert_array_equal(a, b, name)

    def test_a_slice_is_a_batch(self, dataset: Path) -> None:
        data = posegen.PoseDataset(dataset)
        numbers = [sample["image_id"] for sample in data]
        for part in (slice(2, 7), slice(None, None, -1), slice(-3, None), slice(1, 100, 3)):
            np.testing.assert_array_equal(data[part]["image_id"], numbers[part])
            assert len(data[part]["image"]) == len(numbers[part])

    def test_an_empty_one_has_empty_arrays(self, dataset: Path) -> None:
        batch = posegen.PoseDataset(dataset).batch([])
        assert batch["image"].shape == (0, 368, 368, 3)
        assert batch["heatmap"].shape == (0, 19, 46, 46)
        assert batch["affine"].shape == (0, 2, 3)
        assert batch["keypoints"] == []

    def test_its_arrays_can_lie_where_the_caller_wants(self, dataset: Path) -> None:
        data = posegen.PoseDataset(dataset, fields=["image", "mask", "image_id"])
        memory: list[np.ndarray] = []

        def allocate(shape: tuple[int, ...], dtype: np.dtype[Any]) -> np.ndarray:
            memory.append(np.full(shape, 3, dtype))
            return memory[-1]

        batch = data.batch([1, 6], allocate)
        assert {id(array) for array in memory} == {id(batch["image"]), id(batch["mask"])}
        np.testing.assert_array_equal(batch["image"][1], data[6]["image"])

    def test_every_shard_is_opened_once(self, dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        data = posegen.PoseDataset(dataset, max_open=1)
        opened = []
        monkeypatch.setattr(data.pool, "_open_shard", opened_by(data.pool._open_shard, opened))
        data.batch([7, 0, 3, 6, 1, 4])
        data.close()
        assert opened == [0, 1, 2]
