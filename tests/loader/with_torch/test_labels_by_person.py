"""Labels of any shape as tensors: whole numbers stay whole, rows of people are padded, what is unknown stays so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import Coco, Install
from executors import InProcess
from shapes import BY_PERSON, CODE, NAMES
from torch.utils.data import DataLoader

import posegen
from posegen.loader.torch import PoseLoader, TorchPoseDataset, collate
from posegen.skeleton import COCO_17


@pytest.fixture
def out(corpus: Coco, tmp_path: Path, install: Install) -> Path:
    install("pose-shapes", CODE, shapes="pose_shapes:create")
    config = posegen.BuildConfig(skeleton=COCO_17, input_size=(64, 96), labels=("shapes",), shard_size=3)
    posegen.build(corpus.root, tmp_path / "out", config, executor=InProcess())
    return tmp_path / "out"


def assert_batch(batch: dict[str, torch.Tensor], samples: list[dict[str, np.ndarray]]) -> None:
    """Hold a batch against samples that were read one by one."""
    counts = [len(sample["shapes_places"]) for sample in samples]
    assert batch["people"].tolist() == counts
    for name in NAMES:
        found = batch[name].numpy()
        assert found.dtype == samples[0][name].dtype, name
        for values, sample in zip(found, samples, strict=True):
            expected = sample[name]
            if name in BY_PERSON:
                assert len(values) == max(counts)
                assert not values[len(expected) :].any()
                values = values[: len(expected)]  # noqa: PLW2901 (those who are there)
            np.testing.assert_array_equal(values, expected, name)
    assert torch.isnan(batch["shapes_field"]).any()


def test_batches_have_them_padded(out: Path) -> None:
    plain = posegen.PoseDataset(out, fields=NAMES)
    data = TorchPoseDataset(out, fields=NAMES)
    samples = [plain[i] for i in range(len(plain))]
    (batch,) = DataLoader(data, len(data), collate_fn=collate)
    assert_batch(batch, samples)
    assert_batch(collate([data[i] for i in range(len(data))]), samples)
    assert data[0]["shapes_places"].dtype == torch.int64


def test_by_default_there_is_nothing_to_pad(out: Path) -> None:
    data = TorchPoseDataset(out)
    assert set(data[0]) == {"image", "image_id", *NAMES} - set(BY_PERSON)
    (batch,) = DataLoader(data, len(data))
    assert batch["shapes_counts"].dtype == torch.uint8


def test_the_loader_gives_the_same_batches(out: Path) -> None:
    plain = posegen.PoseDataset(out, fields=[*NAMES, "image_id"])
    by_image = {sample["image_id"]: sample for sample in plain}
    loader = PoseLoader(out, batch_size=4, threads=2, seed=3, fields=[*NAMES, "image_id"])
    for batch in loader.epoch(0):
        assert_batch(batch, [by_image[image] for image in batch["image_id"].tolist()])
