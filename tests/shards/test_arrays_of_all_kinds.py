"""Labels of every shape, in both layouts: by person, with inner axes, of whole numbers; and what a header must say."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from written import CELLS, SMALL, text, write

from posegen.errors import ConfigError, ShardError
from posegen.labels import ArraySpec
from posegen.shards import BuiltSample, ShardReader, ShardWriter, StoredLabel
from posegen.shards.outline import Outline
from posegen.shards.quantize import choose_storage
from posegen.skeleton import COCO_17

SPECS = (
    ArraySpec(name="heatmap_rows", channels=("x", "y"), cells=(), by_person=True, low=-2, high=30, unknown=True),
    ArraySpec(
        name="heatmap_people", channels=("a", "b"), cells=CELLS, by_person=True, inner=(2,),
        axes=("channel", "part", "y", "x"),
    ),
    ArraySpec(
        name="heatmap_inner", channels=("a", "b", "c"), cells=CELLS, inner=(5,), axes=("channel", "part", "y", "x")
    ),
    ArraySpec(name="heatmap_table", channels=("a",), cells=(), inner=(4, 2), axes=("row", "slot", "xy"), dtype="int16",
              low=-9, high=99),
    ArraySpec(name="heatmap_flat", channels=("a", "b"), cells=(), high=50),
    ArraySpec(name="heatmap_coarse", channels=("a", "b"), cells=CELLS, coarse=True),
)  # fmt: skip
PEOPLE = (2, 0, 3)


def write_all(path: Path, layout: str) -> list[dict[str, Any]]:
    config = dataclasses.replace(SMALL, layout=layout, label_dtype="float32", labels=("heatmap",))
    labels = [StoredLabel(spec=spec, storage=choose_storage(config.label_dtype, spec), layout=layout) for spec in SPECS]
    random = np.random.default_rng(3)
    writer = ShardWriter(len(PEOPLE), labels, config=config, skeleton=COCO_17, task_digest="0123abcd")
    samples, drawn = [], []
    for i, count in enumerate(PEOPLE):
        one = {
            spec.name: random.integers(0, 2, (count, *spec.shape) if spec.by_person else spec.shape).astype(spec.dtype)
            for spec in SPECS
        }
        drawn.append(one)
        samples.append(
            BuiltSample(
                image_id=i, file_name=f"{i}.jpg", width=9, height=9, affine=np.eye(3)[:2], image=b"x" * 99,
                keypoints=np.zeros((count, 17, 3), np.float32), bboxes=np.zeros((count, 4), np.float32),
                annotation_ids=np.arange(count), box=None, ignored=None,
            )
        )  # fmt: skip
    arranged = {
        label.spec.name: label.arrange(
            [one[label.spec.name] for one in drawn]
            if label.spec.by_person
            else np.stack([one[label.spec.name] for one in drawn])
        )
        for label in labels
    }
    short = arranged | {"heatmap_rows": [*arranged["heatmap_rows"][:2], np.zeros((2, 2), np.float32)]}
    other = ShardWriter(len(PEOPLE), labels, config=config, skeleton=COCO_17, task_digest="0123abcd")
    with pytest.raises(ConfigError) as caught:
        other.append(samples, short)
    assert str(caught.value) == "label 'heatmap_rows' has 2 rows for 3 people"
    other.close()
    writer.append(samples, arranged)
    writer.finish(path)
    return drawn


@pytest.mark.parametrize("layout", ["chw", "hwc"])
def test_arrays_of_every_shape_come_back_as_they_were_drawn(layout: str, tmp_path: Path) -> None:
    path = tmp_path / "shard.h5"
    drawn = write_all(path, layout)
    with ShardReader(path) as reader:
        assert {label.spec.name: label.spec for label in reader.labels} == {spec.name: spec for spec in SPECS}
        for label in reader.labels:
            spec, name = label.spec, label.spec.name
            cells_first = layout == "hwc" and bool(spec.cells)
            assert label.shape == ((*CELLS, len(spec.channels), *spec.inner) if cells_first else spec.shape)
            assert label.channel_axis == (2 if cells_first else 0)
            assert label.logical == int(np.prod(spec.shape)) * (1 if spec.coarse else 2 if spec.is_whole else 4)
            for i, one in enumerate(drawn):
                found = reader.label(label, i)
                assert (found.dtype, found.shape) == (np.dtype(spec.dtype), one[name].shape)
                np.testing.assert_array_equal(found, one[name], name)
                if spec.by_person:
                    stored = np.moveaxis(one[name], (-2, -1), (1, 2)) if cells_first else one[name]
                    np.testing.assert_array_equal(reader.rows(label, i), stored)
        arrays = list(reader.arrays())
        outline = Outline(reader)
    with h5py.File(path) as file:
        assert file["heatmap_rows"].shape == (5, 2)
        assert "checksum/heatmap_rows" not in file
        assert file["checksum/heatmap_inner"].shape == (3,)
    size = path.stat().st_size
    assert outline.measure(path, samples=3, people=5, size=size) == arrays
    for wrong in ({"samples": 4}, {"people": 4}, {"size": size + 1}):
        assert outline.measure(path, **{"samples": 3, "people": 5, "size": size, **wrong}) is None
    # One that says something else of itself is not measured as if it were alike.
    with h5py.File(path, "r+") as file:
        config = text(file.attrs["config"])
        file.attrs["config"] = np.bytes_(config.replace("0.85", "0.86").replace('"seed":0', '"seed":1'))
        assert text(file.attrs["config"]) != config
    assert outline.measure(path, samples=3, people=5, size=path.stat().st_size) is None


def test_a_shard_that_was_closed_reads_no_other_file(tmp_path: Path) -> None:
    path = write(tmp_path / "shard.h5").path
    reader = ShardReader(path)
    label = reader.labels[0]
    reader.label(label, 0)
    reader.pictures([0])
    reader.close()
    with (tmp_path / "other").open("wb"), ShardReader(path):  # which take the numbers of files that are free
        for read in (lambda: reader.label(label, 0), lambda: reader.pictures([0])):
            with pytest.raises(ShardError, match="Bad file descriptor"):
                read()


HEADERS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "labels": (
        lambda v: ["heatmap", "heatmap", "paf", "mask"],
        "its list of labels is ['heatmap', 'heatmap', 'paf', 'mask']",
    ),
    "channels": (lambda v: ["nose", "nose", "neck"], "heatmap has 3 channels, 2 of different names"),
    "cells": (lambda v: [3, 33], "heatmap: an input of (24, 32) cannot have the cells [3, 33]"),
    "by_person": (lambda v: 2, "heatmap: it must say by 0 or 1 whether it is by person, and may be unknown"),
    "unknown": (lambda v: -1, "heatmap: it must say by 0 or 1 whether it is by person, and may be unknown"),
    "coarse": (lambda v: 3, "heatmap: it must say by 0 or 1 whether it is by person, and may be unknown"),
    "low": (lambda v: 0.5, "heatmap: its values cannot lie between 0.5 and 1.0"),
    "high": (lambda v: 2e9, "heatmap: its values cannot lie between 0.0 and 2000000000.0"),
    "layout": (lambda v: "hwc", "heatmap is not laid out as its configuration says"),
    "scale": (lambda v: 2.0, "heatmap is not laid out as its configuration says"),
    "max_abs_error": (lambda v: 1.0, "heatmap is not laid out as its configuration says"),
    "dtype": (lambda v: "int16", "heatmap has the dtype float16, expected int16"),
    "mirror": (lambda v: {"order": [0]}, "heatmap: {'order': [0]} does not say how it mirrors"),
}


def test_a_header_that_contradicts_itself_is_refused_in_a_whole_sentence(tmp_path: Path) -> None:
    for key, (change, why) in HEADERS.items():
        path = write(tmp_path / "shard.h5").path
        with h5py.File(path, "r+") as file:
            owner = file if key == "labels" else file["heatmap"]
            value = owner.attrs.get(key)
            changed = change(value)
            plain = isinstance(value, (str, bytes)) and key != "layout"
            changed = json.dumps(changed) if plain else changed
            owner.attrs[key] = np.bytes_(changed) if isinstance(changed, str) else changed
        with pytest.raises(ShardError) as caught:
            ShardReader(path)
        assert str(caught.value) == f"{path}: is damaged: {why}", key
        path.unlink()
