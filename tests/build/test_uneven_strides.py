"""Strides that are no whole numbers: the cells they give, the names of their arrays, and that these are read back."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import h5py
import hdf5plugin  # noqa: F401 (registers zstd)
import pytest
from conftest import Coco
from executors import InProcess

import posegen
from posegen.config import BuildConfig
from posegen.errors import ConfigError
from posegen.labels.base import without_stride
from posegen.labels.grid import count_cells
from posegen.shards import ShardReader

build, verify = (partial(function, executor=InProcess()) for function in (posegen.build, posegen.verify))


def test_a_stride_may_be_rounded_to_six_digits_and_no_further() -> None:
    for size, stride, cells in (
        ((64, 48), 2.666667, (24, 18)),
        ((64, 48), 8 / 3, (24, 18)),
        ((384, 288), 2.666667, (144, 108)),
        ((48, 80), 1.333333, (36, 60)),
        ((60, 100), 2.5, (24, 40)),
        ((64, 48), 64 / 3, None),  # 2.25 columns
        ((64, 48), 2.6667, None),
        ((64, 48), 2.66, None),
        ((64, 48), 96, None),
        ((64, 48), 0, None),
        ((64, 48), -8, None),
    ):
        if cells is not None:
            assert count_cells(size, stride) == cells
        else:
            with pytest.raises(ConfigError, match="does not divide the input size 48x64 into whole cells"):
                count_cells(size, stride)


def test_their_arrays_are_named_by_six_digits_and_the_names_are_taken_apart_again(corpus: Coco, tmp_path: Path) -> None:
    out = tmp_path / "out"
    config = BuildConfig(input_size=(64, 48), stride=(2.666667, 8, 1.6), labels=("heatmap", "mask", "weight"))
    build(corpus.root, out, config)
    cells = {"s2_66667": (24, 18), "s8": (8, 6), "s1_6": (40, 30)}
    with h5py.File(min(out.glob("*.h5"))) as file:
        found = {name: file[name].shape[2:] for name in file if name.startswith(("heatmap", "mask"))}
        assert found == {f"{label}_{suffix}": size for label in ("heatmap", "mask") for suffix, size in cells.items()}
    with ShardReader(min(out.glob("*.h5"))) as reader:
        assert {without_stride(label.spec.name) for label in reader.labels} == {"heatmap", "mask", "weight"}
        assert reader.config == config
    assert verify(out, deep=True, coco=corpus.root) == []
    sample = posegen.PoseDataset(out, flip=True)[0]
    assert sample["heatmap_s2_66667"].shape[1:] == (24, 18)
