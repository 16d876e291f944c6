"""The example that reads a dataset without posegen finds what posegen finds."""

import json
import runpy
import shutil
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from posegen import Manifest, PoseDataset, ShardReader

EXAMPLE = Path(__file__).parents[2] / "examples" / "read_shard.py"


@pytest.fixture
def read(monkeypatch):
    """Run the example on a dataset: what it has at its end is of the last sample."""

    def run_example(dataset):
        monkeypatch.setattr(sys, "argv", [str(EXAMPLE), str(dataset)])
        return runpy.run_path(str(EXAMPLE))

    return run_example


def check(found, sample, reader, index):
    """Compare what the example has with what posegen reads of a sample; return whether anything of it is ignored."""
    np.testing.assert_array_equal(found["image"], sample["image"])
    names = [label.spec.name for label in reader.labels]
    assert list(found["labels"]) == names
    for name in names:
        np.testing.assert_allclose(found["labels"][name], sample[name], rtol=0, atol=1e-6)
    ignored = reader.ignored(index)
    np.testing.assert_array_equal(found["ignored"], np.zeros(sample["image"].shape[:2]) if ignored is None else ignored)
    return ignored is not None


def test_the_example_finds_the_picture_the_labels_and_what_is_ignored(build, read):
    for dataset in (build("plain"), build("packed")):
        with ShardReader(dataset / Manifest.read(dataset).shards[-1].file) as reader:
            check(read(dataset), PoseDataset(dataset)[-1], reader, len(reader) - 1)


def test_the_example_shrinks_pictures_that_are_stored_larger(corpus, tmp_path, run, read):
    options = ["--input-size", "100x60", "--picture-size", "200x120", "--stride", 4, "--shard-size", 1, "--workers", 1]
    assert run("build", "--coco", corpus.root, "--out", tmp_path / "large", *options).status == 0
    data, manifest = PoseDataset(tmp_path / "large"), tmp_path / "large" / "manifest.json"
    record, ignored = json.loads(manifest.read_text()), 0
    for sample, shard in zip(list(data), record["shards"], strict=True):
        manifest.write_text(json.dumps(record | {"shards": [shard]}))  # the example reads this shard alone
        with ShardReader(tmp_path / "large" / shard["file"]) as reader:
            ignored += check(read(tmp_path / "large"), sample, reader, 0)
    assert 0 < ignored < len(data)


def test_the_example_names_a_damaged_picture(dataset, tmp_path, read):
    damaged = tmp_path / "damaged"
    shutil.copytree(dataset, damaged)
    name = Manifest.read(damaged).shards[0].file
    with h5py.File(damaged / name, "r+") as file:
        middle = int(file["image/offsets"][1] + file["image/offsets"][2]) // 2
        file["image/bytes"][middle] ^= 1
    with pytest.raises(SystemExit, match=f"{name}: the picture of sample 1 is damaged"):
        read(damaged)
