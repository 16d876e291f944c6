"""What PyTorch's users get wrong, and what is said then."""

import shutil
from types import SimpleNamespace

import pytest
import torch
from torch.utils.data import DataLoader

from posegen.errors import ConfigError, ShardError
from posegen.loader.torch import TorchPoseDataset, collate, sharing


def test_a_directory_that_is_not_there_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ShardError, match=r"typo: no such directory; expected that of a dataset"):
        TorchPoseDataset("typo")


def test_means_and_deviations_are_three_numbers(dataset):
    for wrong in (0.5, (0.5,), "abc", (0.1, 0.2, None), [[0.1, 0.2, 0.3]], (0.1, 0.2, float("nan"))):
        for name in ("mean", "std"):
            with pytest.raises(ConfigError, match=f"{name} must be three numbers, for R, G and B, not"):
                TorchPoseDataset(dataset, **{name: wrong})


def test_full_shared_memory_names_the_ways_out(dataset, monkeypatch):
    usage = shutil.disk_usage
    full = SimpleNamespace(total=64_000_000, used=64_000_000, free=1_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: full if str(path) == "/dev/shm" else usage(path))
    data = TorchPoseDataset(dataset, fields=["image"])
    loader = DataLoader(data, 4, num_workers=1, collate_fn=collate, multiprocessing_context="fork")
    with pytest.raises(ConfigError, match=r"/dev/shm is full.*64 MB.*--shm-size=8g.*fewer workers.*PoseLoader"):
        list(loader)


def test_memory_that_pytorch_is_refused_is_told_alike(monkeypatch):
    def refuse(*_, **__):
        raise RuntimeError("unable to allocate shared memory(shm) for file </torch_1>: No space left on device (28)")

    monkeypatch.setattr(torch.UntypedStorage, "_new_shared", refuse)
    with pytest.raises(ConfigError, match=r"No space left on device \(28\); give a container more"):
        sharing._Block.make(100)
