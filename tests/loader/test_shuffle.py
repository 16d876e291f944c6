"""The order in which training reads samples."""

import itertools

import numpy as np
import pytest
from each import each

from posegen.errors import ConfigError
from posegen.loader.shuffle import shuffle_shards, take_share

SIZES = (5, 3, 0, 8, 1, 6, 2)
SHARD_OF = np.repeat(np.arange(len(SIZES)), SIZES)


@each(window=[1, 2, 3, 7, 100], epoch=range(3))
def test_every_sample_comes_once(window, epoch):
    assert sorted(shuffle_shards(SIZES, epoch=epoch, window=window)) == list(range(25))


@each(window=[1, 2, 3, 7])
def test_a_shard_is_finished_before_the_window_moves_on(window):
    for epoch in range(5):
        shards = SHARD_OF[shuffle_shards(SIZES, epoch=epoch, window=window)].tolist()
        spans = {s: (shards.index(s), len(shards) - shards[::-1].index(s)) for s in set(shards)}
        most = max(sum(start <= at < end for start, end in spans.values()) for at in range(25))
        assert most <= window


def test_the_samples_of_a_window_are_mixed():
    shards = np.repeat([0, 1, 2, 3], 100)[shuffle_shards([100] * 4, window=4)]
    counts = np.stack([np.bincount(part, minlength=4) for part in np.split(shards, 4)])
    assert counts.min() > 10


def test_seeds_and_epochs_have_orders_of_their_own_and_the_same_one_again():
    orders = {(s, e): tuple(shuffle_shards(SIZES, seed=s, epoch=e)) for s, e in itertools.product(range(3), range(3))}
    assert len(set(orders.values())) == 9
    assert all(tuple(shuffle_shards(SIZES, seed=s, epoch=e)) == order for (s, e), order in orders.items())


def test_every_sample_comes_at_every_place():
    places = np.array([np.argsort(shuffle_shards([3, 3, 3], epoch=epoch, window=2)) for epoch in range(600)])
    # 600 throws of a die with nine faces: 66.7 each, standard deviation 7.7.
    counts = np.stack([np.bincount(column, minlength=9) for column in places.T])
    assert np.abs(counts - 600 / 9).max() < 5 * 7.7


def test_a_dataset_without_samples_has_an_order_without_any():
    assert shuffle_shards([]).tolist() == shuffle_shards([0, 0]).tolist() == []


@each(ranks=[1, 2, 3, 5, 25, 30])
def test_processes_share_all_samples_without_overlap(ranks):
    order = shuffle_shards(SIZES)
    shares = [take_share(order, rank, ranks) for rank in range(ranks)]
    assert np.concatenate(shares).tolist() == order.tolist()
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


@each(ranks=[1, 2, 3, 4, 30])
def test_equal_shares_repeat_or_drop_less_than_one_sample_a_process(ranks):
    order = shuffle_shards(SIZES)
    more, less = (
        [take_share(order, rank, ranks, remainder=way).tolist() for rank in range(ranks)] for way in ("repeat", "drop")
    )
    for shares in (more, less):
        assert len(set(map(len, shares))) == 1
    assert {index for share in more for index in share} == set(range(25))
    assert 0 <= sum(map(len, more)) - 25 < ranks
    assert len({index for share in less for index in share}) == sum(map(len, less)) == 25 - 25 % ranks


def test_processes_read_shards_of_their_own():
    order = shuffle_shards([10] * 8, window=2)
    shards = [np.unique(take_share(order, rank, 4) // 10) for rank in range(4)]
    assert sorted(np.concatenate(shards)) == list(range(8))


@each("rank, ranks", [(2, 2), (-1, 2), (0, 0)])
def test_a_rank_that_is_none_is_refused(rank, ranks):
    with pytest.raises(ConfigError, match="rank must be"):
        take_share(np.arange(3), rank, ranks)


def test_values_out_of_range_are_refused_by_name():
    with pytest.raises(ConfigError, match="window must be a whole number from 1, not 0"):
        shuffle_shards([1], window=0)
    with pytest.raises(ConfigError, match="seed must be"):
        shuffle_shards([1], seed=-1)
    with pytest.raises(ConfigError, match="epoch must be"):
        shuffle_shards([1], epoch=-1)
    with pytest.raises(ConfigError, match="keep, repeat, drop"):
        take_share(np.arange(3), 0, 2, remainder="pad")
