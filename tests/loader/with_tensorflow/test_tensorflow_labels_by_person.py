"""Labels of any shape in TensorFlow's batches: their shapes and dtypes are known before, and people are padded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from conftest import Coco, Install
from executors import InProcess
from shapes import BY_PERSON, CODE, NAMES

import posegen
from posegen.loader.tensorflow import tf_dataset
from posegen.skeleton import COCO_17


def test_batches_have_them_padded(corpus: Coco, tmp_path: Path, install: Install) -> None:
    install("pose-shapes", CODE, shapes="pose_shapes:create")
    config = posegen.BuildConfig(skeleton=COCO_17, input_size=(64, 96), labels=("shapes",), shard_size=3)
    posegen.build(corpus.root, tmp_path / "out", config, executor=InProcess())
    data = tf_dataset(tmp_path / "out", batch_size=4, shuffle=False, fields=NAMES)
    assert data.element_spec["shapes_places"].shape.as_list() == [None, None, 17, 2]
    assert data.element_spec["shapes_places"].dtype.name == "int64"
    assert data.element_spec["shapes_field"].shape.as_list() == [None, 17, 2, 8, 12]
    plain = posegen.PoseDataset(tmp_path / "out", fields=NAMES)
    start = 0
    for batch in data.as_numpy_iterator():
        for row, count in enumerate(batch["people"]):
            sample = plain[start + row]
            for name in NAMES:
                found = batch[name][row]
                if name in BY_PERSON:
                    assert not found[count:].any()
                    found = found[:count]
                assert found.dtype == sample[name].dtype
                np.testing.assert_array_equal(found, sample[name], name)
        start += len(batch["people"])
    assert start == len(plain)
