"""The order of samples under PyTorch: split over processes, and gone on with in the middle of an epoch."""

import json
import multiprocessing
from types import SimpleNamespace

import pytest
import torch
from torch.utils.data import DataLoader, WeightedRandomSampler

import posegen
from posegen.config import Source
from posegen.errors import ConfigError
from posegen.loader.shuffle import shuffle_shards
from posegen.loader.torch import ShardShuffleSampler, TorchPoseDataset

SHARDED = SimpleNamespace(shard_sizes=(5, 3, 8, 1, 6, 2))


def test_an_epoch_is_the_order_of_the_shuffle():
    sampler = ShardShuffleSampler(SHARDED, seed=3, window=2)
    assert list(sampler) == list(sampler) == shuffle_shards(SHARDED.shard_sizes, seed=3, window=2).tolist()
    sampler.set_epoch(7)
    assert list(sampler) == shuffle_shards(SHARDED.shard_sizes, seed=3, epoch=7, window=2).tolist()
    assert len(sampler) == 25


def test_without_shuffling_the_samples_come_as_they_lie():
    assert list(ShardShuffleSampler(SHARDED, shuffle=False)) == list(range(25))
    assert list(ShardShuffleSampler(SHARDED, shuffle=False, rank=1, ranks=2)) == list(range(12, 25))


@pytest.mark.parametrize(("remainder", "lengths"), [("keep", {8, 9}), ("repeat", {9}), ("drop", {8})])
def test_ranks_share_an_epoch(remainder, lengths):
    samplers = [ShardShuffleSampler(SHARDED, rank=r, ranks=3, remainder=remainder) for r in range(3)]
    shares = [list(sampler) for sampler in samplers]
    assert [len(sampler) for sampler in samplers] == [len(share) for share in shares]
    assert {len(share) for share in shares} == lengths
    found = sorted(index for share in shares for index in share)
    assert len(set(found)) == min(25, 3 * max(lengths))
    assert remainder != "keep" or found == list(range(25))


@pytest.mark.parametrize("workers", [0, 2])
def test_a_saved_state_goes_on_with_what_was_not_trained_on(workers):
    loader = DataLoader(range(25), batch_size=4, sampler=ShardShuffleSampler(SHARDED, seed=1), num_workers=workers)
    loader.sampler.set_epoch(5)
    batches = iter(loader)
    trained = [next(batches).tolist() for _ in range(3)]
    state = json.loads(json.dumps(loader.sampler.state_dict(3 * 4)))
    left = [batch.tolist() for batch in batches]

    sampler = ShardShuffleSampler(SHARDED, seed=1)
    sampler.load_state_dict(state)
    assert sampler.epoch == 5
    sampler.set_epoch(5)
    assert [b.tolist() for b in DataLoader(range(25), batch_size=4, sampler=sampler, num_workers=workers)] == left
    assert sorted(index for batch in trained + left for index in batch) == list(range(25))
    # The next pass is a whole one.
    assert sorted(sampler) == list(range(25))


def test_a_state_counts_what_was_handed_out_unless_it_is_told():
    sampler = ShardShuffleSampler(SHARDED)
    indices = iter(sampler)
    handed_out = [next(indices) for _ in range(7)]
    other = ShardShuffleSampler(SHARDED)
    other.load_state_dict(sampler.state_dict())
    assert [*handed_out, *other] == list(ShardShuffleSampler(SHARDED))


def test_another_epoch_starts_at_its_beginning():
    sampler = ShardShuffleSampler(SHARDED)
    sampler.load_state_dict(sampler.state_dict(20))
    sampler.set_epoch(1)
    assert len(list(sampler)) == 25


def test_one_ranks_state_holds_for_the_others():
    first, second = (ShardShuffleSampler(SHARDED, rank=r, ranks=2, remainder="drop") for r in range(2))
    whole = list(second)
    second.load_state_dict(first.state_dict(5))
    assert list(second) == whole[5:]


@pytest.mark.parametrize(
    "change",
    [{"seed": 1}, {"window": 3}, {"ranks": 2, "rank": 0}, {"shuffle": False}, {"remainder": "drop"}, {"sizes": [25]}],
)
def test_a_state_of_another_order_is_refused_by_what_differs(change):
    state = ShardShuffleSampler(SHARDED).state_dict(4)
    sizes = change.pop("sizes", SHARDED.shard_sizes)
    name = next(iter(change), "sizes")
    with pytest.raises(ConfigError, match=f"{name} was"):
        ShardShuffleSampler(SimpleNamespace(shard_sizes=sizes), **change).load_state_dict(state)


def read_epochs(rank, dataset, directory):
    """One of two processes that train together: write the image ids of all batches of three epochs."""
    torch.distributed.init_process_group("gloo", init_method=f"file://{directory}/meet", rank=rank, world_size=2)
    data = TorchPoseDataset(dataset, fields=["image_id"])
    sampler = ShardShuffleSampler(data, window=2)
    loader = DataLoader(data, batch_size=2, sampler=sampler, num_workers=1, multiprocessing_context="spawn")
    epochs = []
    for epoch in range(3):
        sampler.set_epoch(epoch)
        mine = [number for batch in loader for number in batch["image_id"].tolist()]
        both = [None, None]
        torch.distributed.all_gather_object(both, mine)
        epochs.append(both)
    if rank == 0:
        (directory / "epochs.json").write_text(json.dumps(epochs))
    torch.distributed.destroy_process_group()


def test_two_processes_that_train_together_read_every_sample_once(dataset, corpus, tmp_path, monkeypatch):
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=read_epochs, args=(rank, dataset, tmp_path)) for rank in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
        assert process.exitcode == 0
    ids = sorted({a["image_id"] for a in corpus.document["annotations"] if any(a["keypoints"]) and not a["iscrowd"]})
    epochs = json.loads((tmp_path / "epochs.json").read_text())
    for first, second in epochs:
        assert sorted(first + second) == ids
        assert len(first) == len(second) == len(ids) / 2
    assert epochs[0] != epochs[1]


def test_samples_are_drawn_by_the_weights_of_their_sources(make_coco, tmp_path):
    roots = []
    for name, images in (("few", 2), ("many", 6)):
        coco = make_coco(tmp_path / name)
        for _ in range(images):
            coco.person(coco.image(40, 30))
        roots.append(coco.write())
    config = posegen.BuildConfig(labels=(), input_size=(32, 32), shard_size=3)
    posegen.build([Source(coco=roots[0], weight=9), roots[1]], tmp_path / "out", config, workers=1)
    data = TorchPoseDataset(tmp_path / "out", fields=["image_id", "source"])
    weights = data.sample_weights()
    assert weights.dtype == torch.float64
    sampler = WeightedRandomSampler(weights, 4000, generator=torch.Generator().manual_seed(0))
    drawn = [name for batch in DataLoader(data, batch_size=500, sampler=sampler) for name in batch["source"]]
    # Two samples of weight 9 and six of weight 1: three quarters; of 4000, 0.04 are six standard deviations.
    assert abs(drawn.count("few") / 4000 - 0.75) < 0.04
    assert data.sample_weights({"few": 1}).tolist() == [1.0] * 8
