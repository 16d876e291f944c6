"""Sampling what PyTorch cut out of datasets or joined: read by shards as before, or refused with what to do."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.utils.data import ConcatDataset, DataLoader, Dataset, Subset, random_split

from posegen.errors import ConfigError
from posegen.loader.torch import ShardShuffleSampler, TorchPoseDataset, collate

SIZES = (5, 3, 8, 1, 6, 2)
TOTAL = sum(SIZES)
SHARD_OF = np.repeat(np.arange(len(SIZES)), SIZES)


class Numbers(Dataset):
    shard_sizes = SIZES

    def __len__(self):
        return TOTAL

    def __getitem__(self, index):
        return index


def check_few_at_a_time(shards, window):
    """Check that no shard is read before or after the few that it is read with, in order of first use."""
    order = list(dict.fromkeys(shards))
    groups = [set(order[i : i + window]) for i in range(0, len(order), window)]
    place = 0
    for shard in shards:
        if shard not in groups[place]:
            place += 1
        assert shard in groups[place]


def test_a_subset_is_read_by_shards_each_sample_once():
    drawn = np.random.default_rng(1)
    for count in (1, 7, 20, TOTAL):
        chosen = drawn.permutation(TOTAL)[:count].tolist()
        subset = Subset(Numbers(), chosen)
        sampler = ShardShuffleSampler(subset, seed=2, window=2)
        found = list(sampler)
        assert sorted(found) == list(range(count)) == sorted(range(len(sampler)))
        check_few_at_a_time([SHARD_OF[subset[i]] for i in found], window=2)


def test_a_subset_without_shuffling_comes_in_its_own_order():
    assert list(ShardShuffleSampler(Subset(Numbers(), [7, 3, 20]), shuffle=False)) == [0, 1, 2]


def test_parts_of_a_random_split_together_are_the_whole():
    parts = random_split(Numbers(), [0.7, 0.3], generator=torch.Generator().manual_seed(3))
    found = [part[i] for part in parts for i in ShardShuffleSampler(part, seed=4)]
    assert sorted(found) == list(range(TOTAL))


def test_joined_datasets_and_parts_of_parts_are_read_by_shards():
    joined = ConcatDataset([Numbers(), Subset(Numbers(), [24, 0, 9, 10]), Numbers()])
    inner = Subset(joined, list(range(len(joined) - 1, -1, -2)))
    for data in (joined, inner):
        found = list(ShardShuffleSampler(data, seed=5, window=3))
        assert sorted(found) == list(range(len(data)))
    shard_of = [*SHARD_OF, *(10 + SHARD_OF[[24, 0, 9, 10]]), *(20 + SHARD_OF)]
    check_few_at_a_time([shard_of[inner.indices[i]] for i in ShardShuffleSampler(inner, window=1)], window=1)


def test_another_dataset_is_refused_with_what_to_do():
    for data in (list(range(5)), Subset(list(range(5)), [1]), ConcatDataset([Numbers(), [1, 2]])):
        with pytest.raises(ConfigError, match=r"a list does not say .*RandomSampler"):
            ShardShuffleSampler(data)


def test_a_state_of_another_subset_is_refused():
    state = ShardShuffleSampler(Subset(Numbers(), [0, 1, 5])).state_dict(1)
    for chosen in ([1, 0, 5], [0, 5, 1]):
        with pytest.raises(ConfigError, match="subset was"):
            ShardShuffleSampler(Subset(Numbers(), chosen)).load_state_dict(state)


def test_a_real_dataset_is_split_and_read(dataset):
    data = TorchPoseDataset(dataset, fields=["image_id"])
    parts = random_split(data, [5, len(data) - 5])
    found = []
    for part in (*parts, ConcatDataset(parts)):
        loader = DataLoader(part, 2, sampler=ShardShuffleSampler(part), collate_fn=collate)
        found.append(sorted(number for batch in loader for number in batch["image_id"].tolist()))
    assert sorted(found[0] + found[1]) == found[2] == sorted(data[i]["image_id"] for i in range(len(data)))


def test_ranks_are_asked_for_when_it_is_iterated(monkeypatch):
    sampler = ShardShuffleSampler(SimpleNamespace(shard_sizes=(6, 5)), seed=1)
    alone = list(sampler)
    monkeypatch.setattr("torch.distributed.is_initialized", lambda: True)
    monkeypatch.setattr("torch.distributed.get_world_size", lambda: 2)
    shares = []
    for rank in (0, 1):
        monkeypatch.setattr("torch.distributed.get_rank", lambda rank=rank: rank)
        shares.append(list(sampler))
        assert (sampler.rank, sampler.ranks, len(sampler)) == (rank, 2, 6)
    # Of eleven samples one is read twice: otherwise one process would wait for the other's last batch for ever.
    assert shares[0] + shares[1] == [*alone, alone[0]]
