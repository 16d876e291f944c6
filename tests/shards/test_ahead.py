"""Shards that lie elsewhere are fetched a few before the one that is read, in the order in which they will be."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from posegen.errors import ShardError
from posegen.shards import Manifest
from posegen.shards.ahead import AHEAD, Ahead
from posegen.shards.cache import CACHE_SIZE, ShardCache
from posegen.shards.pool import ShardPool
from posegen.shards.source import find_dataset

if TYPE_CHECKING:
    from bucket import Bucket

pytest_plugins = ("bucket",)
URL = "pail://some/pose"


def wait_for(condition: Callable[[], bool], *, seconds: float = 20) -> None:
    until = time.monotonic() + seconds
    while not condition() and time.monotonic() < until:
        time.sleep(0.005)
    assert condition()


def test_so_many_are_fetched_before_the_one_that_is_read_in_their_order_each_once() -> None:
    for most in (1, 3):
        brought: list[int] = []
        ahead = Ahead(brought.append)
        order = [5, 2, 5, 9, 0, 2, 7, 1]
        once = [5, 2, 9, 0, 7, 1]
        ahead.expect(order, most)
        for place, shard in enumerate([None, *once]):
            if shard is not None:
                ahead.reach(shard)
            expected = [s for i, s in enumerate(once) if i < place + most]
            wait_for(lambda: ahead._thread is None and len(brought) >= len(expected))  # noqa: B023
            assert brought == expected
        ahead.reach(3)
        ahead.reach(5)
        assert brought == once


def test_who_reads_what_is_not_fetched_yet_fetches_it() -> None:
    brought: list[int] = []
    ahead = Ahead(brought.append)
    ahead.expect(range(10), 0)
    ahead.expect([*range(10)], 1)
    ahead.reach(6)
    wait_for(lambda: 7 in brought and ahead._thread is None)
    assert set(brought) <= {0, 7}


def test_one_that_fails_is_left_and_a_new_order_begins_anew() -> None:
    brought: list[int] = []

    def bring(shard: int) -> None:
        assert threading.current_thread().daemon
        assert threading.current_thread().name == "posegen-ahead"
        brought.append(shard)
        if shard == 1:
            raise ShardError("gone")

    ahead = Ahead(bring)
    for order in ([0, 1, 2, 3], [2, 0, 1]):
        brought.clear()
        ahead.expect(order, 3)
        wait_for(lambda: ahead._thread is None and len(brought) == 3)
        assert brought == order[:3]
    ahead.expect([4, 5], 0)
    assert ahead._thread is None


def test_a_pool_fetches_no_more_than_there_is_room_for_twice(
    elsewhere: Manifest, dataset: Path, bucket: Bucket, tmp_path: Path
) -> None:
    largest = max(record.bytes for record in elsewhere.shards)
    for bytes_, most in ((CACHE_SIZE, AHEAD), (2 * largest, 1), (2 * largest - 1, 0)):
        pool = ShardPool(find_dataset(URL), elsewhere, 2, ShardCache(bytes_, tmp_path / str(bytes_)))
        said: list[object] = []
        assert pool._ahead is not None
        pool._ahead.expect = lambda *of: said.append(of)  # type: ignore[method-assign] # noqa: B023
        pool._ahead.reach = said.append  # type: ignore[method-assign]
        pool.expect([7, 6, 0, 3, 1])
        assert said == [([2, 0, 1], most)]
        for sample in (0, 2, 3, 5, 6, 7):
            pool.reach(sample)
        assert said[1:] == [0, 0, 1, 1, 2, 2]
    assert AHEAD == 4
    bucket.asked.clear()
    pool = ShardPool(find_dataset(URL), elsewhere, 2, ShardCache(directory=tmp_path / "home"))
    pool.expect([3, 0, 7])
    wait_for(lambda: len(list((tmp_path / "home").glob("*.h5"))) == 3)
    assert bucket.fetched() == [elsewhere.shards[i].file for i in (1, 0, 2)]
    local = ShardPool(dataset, elsewhere, 2)
    local.expect([0])
    local.reach(0)
    assert local._ahead is None
