"""What tells samples apart: the same of a sample that is planned and of one that is stored."""

from __future__ import annotations

import shutil
from pathlib import Path

import h5py
import hdf5plugin  # noqa: F401 (registers zstd)
import numpy as np
import pytest
from conftest import Coco
from executors import InProcess

import posegen
from posegen.annotations import read_annotations
from posegen.build.plan import find_key, make_plan
from posegen.config import BuildConfig
from posegen.errors import ShardError
from posegen.images.augment import Augmentation
from posegen.shards import SampleKey, ShardReader


def test_they_are_named_by_what_tells_them_apart() -> None:
    for key, name, parts in (
        (SampleKey(5), "image 5", {"image": 5}),
        (SampleKey(5, 7), "image 5, person 7", {"image": 5, "person": 7}),
        (SampleKey(5, copy=0), "image 5, copy 0", {"image": 5, "copy": 0}),
        (SampleKey(5, 7, 1), "image 5, person 7, copy 1", {"image": 5, "person": 7, "copy": 1}),
    ):
        assert (str(key), key.parts) == (name, parts)


def test_they_are_ordered_by_image_then_person_then_copy() -> None:
    mixed = [SampleKey(2, 3, 1), SampleKey(2, 8, 0), SampleKey(1, 9, 1), SampleKey(2, 3, 0)]
    assert sorted(mixed) == [SampleKey(1, 9, 1), SampleKey(2, 3, 0), SampleKey(2, 3, 1), SampleKey(2, 8, 0)]
    assert sorted([SampleKey(3), SampleKey(-1)]) == [SampleKey(-1), SampleKey(3)]


def test_stored_samples_have_the_keys_that_they_were_planned_with(corpus: Coco, tmp_path: Path) -> None:
    views = {"copies": 2, "augment": Augmentation(flip=0.5)}
    for number, options in enumerate(({}, views, {"unit": "person"}, {"unit": "person", **views})):
        config = BuildConfig(input_size=(64, 64), labels=("heatmap",), shard_size=4, **options)
        plan = make_plan(read_annotations(corpus.root, config), config)
        planned = [[find_key(sample, config) for sample in shard] for shard in plan.shards]
        out = tmp_path / str(number)
        posegen.build(corpus.root, out, config, executor=InProcess())
        stored = []
        for path in sorted(out.glob("*.h5")):
            with ShardReader(path) as reader:
                stored.append([reader.key(i) for i in range(len(reader))])
        assert stored == planned
        every = [key for shard in stored for key in shard]
        assert len(set(every)) == len(every) > 0
        expected = {"image", *(["person"] if "unit" in options else []), *(["copy"] if "copies" in options else [])}
        assert all(set(key.parts) == expected for key in every)


def test_a_sample_that_is_to_be_one_person_and_is_two_is_damage(corpus: Coco, tmp_path: Path) -> None:
    out = tmp_path / "out"
    posegen.build(
        corpus.root,
        out,
        BuildConfig(input_size=(64, 64), labels=("heatmap",), unit="person"),
        executor=InProcess(),
    )
    (path,) = out.glob("*.h5")
    shutil.copy(path, tmp_path / "moved.h5")
    with h5py.File(tmp_path / "moved.h5", "r+") as file:
        offsets = file["person/offsets"][...]
        assert np.array_equal(np.diff(offsets), np.ones(len(offsets) - 1))
        offsets[1] = 2
        file["person/offsets"][...] = offsets
    with ShardReader(tmp_path / "moved.h5") as reader:
        for index, count in ((0, 2), (1, 0)):
            with pytest.raises(ShardError, match=f"sample {index} has {count} people, and is to be one person"):
                reader.key(index)
        assert reader.key(2).annotation_id is not None
