"""Two processes that train together on samples that do not divide by two: none waits, and each epoch is seen anew."""

import json
import multiprocessing

import numpy as np
import pytest
import torch
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader

from posegen import BuildConfig, PoseDataset
from posegen.build.pipeline import build
from posegen.loader.torch import PoseLoader, ShardShuffleSampler, TorchPoseDataset, collate

READ = {"fields": ["image", "image_id", "affine"], "seed": 5}
SEEN = {"by workers": {"flip": "random"}, "by threads": {"views": "scale=0.8-1.1,rotate=30,shift=9,flip=0.5"}}


def train(rank, dataset, directory):
    """Train two epochs with gradients that are averaged at every batch, and write what was read."""
    torch.distributed.init_process_group("gloo", init_method=f"file://{directory}/meet", rank=rank, world_size=2)
    network = DistributedDataParallel(torch.nn.Linear(1, 1))
    data = TorchPoseDataset(dataset, **READ, **SEEN["by workers"])
    sampler = ShardShuffleSampler(data, window=2)
    by_workers = DataLoader(
        data,
        2,
        sampler=sampler,
        collate_fn=collate,
        num_workers=1,
        persistent_workers=True,
        multiprocessing_context="spawn",
    )
    by_threads = PoseLoader(dataset, batch_size=2, window=2, threads=2, **READ, **SEEN["by threads"])
    assert len(by_workers) == len(by_threads)
    epochs = []
    for epoch in range(2):
        sampler.set_epoch(epoch)
        told = {}
        for name, batches in (("by workers", by_workers), ("by threads", by_threads.epoch(epoch))):
            told[name] = []
            for batch in batches:
                network(batch["image"].mean(dim=(1, 2, 3))[:, None]).sum().backward()
                ids, affines = batch["image_id"].tolist(), batch["affine"].tolist()
                told[name].append(list(zip(ids, affines, strict=True)))
        epochs.append(told)
    gradients = torch.stack([parameter.grad.flatten() for parameter in network.parameters()]).tolist()
    (directory / f"{rank}.json").write_text(json.dumps({"epochs": epochs, "gradients": gradients}))
    torch.distributed.destroy_process_group()


@pytest.mark.timeout(280)
def test_two_processes_train_two_epochs_on_seven_samples(corpus, tmp_path, monkeypatch):
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")
    dataset = tmp_path / "out"
    build(corpus.root, dataset, BuildConfig(input_size=(64, 96), limit=7, shard_size=3), workers=1)
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=train, args=(rank, dataset, tmp_path)) for rank in range(2)]
    try:
        for process in processes:
            process.start()
        for process in processes:
            process.join(240)
            assert process.exitcode == 0
    finally:
        for process in processes:
            process.kill()
    first, second = (json.loads((tmp_path / f"{rank}.json").read_text()) for rank in range(2))
    assert first["gradients"] == second["gradients"]
    for name, options in SEEN.items():
        expected, maps = PoseDataset(dataset, **READ, **options), []
        for epoch in range(2):
            shares = [told["epochs"][epoch][name] for told in (first, second)]
            # Four samples each, one of the seven twice.
            assert [[len(batch) for batch in share] for share in shares] == [[2, 2], [2, 2]]
            read = [sample for share in shares for batch in share for sample in batch]
            expected.epoch = epoch
            affines = {sample["image_id"]: sample["affine"] for sample in expected}
            assert {number for number, _ in read} == set(affines)
            assert len(affines) == 7
            for number, affine in read:
                np.testing.assert_array_equal(affine, affines[number])
            maps.append(dict(read))
        fresh = [number for number, affine in maps[0].items() if affine != maps[1][number]]
        assert len(fresh) == 7 if name == "by threads" else 0 < len(fresh) < 7
