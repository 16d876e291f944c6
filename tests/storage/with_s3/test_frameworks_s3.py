"""PyTorch and TensorFlow read a dataset in a bucket as they read one on the disk, with workers of their own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from builds import CONFIG, write_source
from executors import InProcess

from posegen.build.pipeline import build

if TYPE_CHECKING:
    from s3_server import Bucket

pytest_plugins = ("s3_server",)


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixteen samples in four shards."""
    root = tmp_path_factory.mktemp("local")
    build(write_source(root / "coco"), root / "pose", CONFIG, executor=InProcess())
    return root / "pose"


def test_pytorch_reads_it_in_threads_and_in_processes(bucket: Bucket, local: Path) -> None:
    torch = pytest.importorskip("torch")
    from posegen.adapters.torch import PoseLoader, ShardShuffleSampler, TorchPoseDataset, collate

    url = bucket.put_folder(local, "pose")
    expected = list(PoseLoader(local, batch_size=4, seed=3))
    for found, wanted in zip(PoseLoader(url, batch_size=4, seed=3, cache_size=1 << 20), expected, strict=True):
        for name, value in wanted.items():
            np.testing.assert_array_equal(found[name], value)
    data = TorchPoseDataset(url, cache_size=1 << 20)
    sampler = ShardShuffleSampler(data, seed=3)
    loader = torch.utils.data.DataLoader(data, 4, sampler=sampler, num_workers=2, collate_fn=collate)
    for found, wanted in zip(loader, expected, strict=True):
        for name, value in wanted.items():
            np.testing.assert_array_equal(found[name], value)


def test_tensorflow_reads_it(bucket: Bucket, local: Path) -> None:
    pytest.importorskip("tensorflow")
    from posegen.adapters.tensorflow import tf_dataset

    url = bucket.put_folder(local, "pose")
    for found, wanted in zip(tf_dataset(url, batch_size=4), tf_dataset(local, batch_size=4), strict=True):
        for name, value in wanted.items():
            np.testing.assert_array_equal(found[name], value)
