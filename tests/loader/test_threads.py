"""Batches that threads make: whole, in their order, so many ahead, and an error in the place of its batch."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from posegen.loader.batch import Packed
from posegen.loader.threads import count_threads, cut, make_ahead, start_threads


class Making:
    """Batches of three samples: each is fetched as its numbers, and filled part by part with these."""

    def __init__(
        self, batches: int, *, threads: int = 2, ahead: int = 2, fails: Callable[[int], bool] = lambda number: False
    ) -> None:
        self.requests = [SimpleNamespace(numbers=range(3 * i, 3 * i + 3), epoch=0) for i in range(batches)]
        self.threads, self.ahead, self.fails = threads, ahead, fails
        self.started: list[str] = []
        self.fetched: list[int] = []
        self.laid: list[int] = []
        self.parts: list[slice] = []

    def fetch(self, request: Any) -> Any:
        self.fetched.append(request.numbers[0] // 3)
        return SimpleNamespace(numbers=list(request.numbers))

    def lay(self, count: int) -> list[int]:
        assert threading.current_thread() is threading.main_thread()
        self.laid.append(count)
        return [-1] * count

    def fill(self, memory: list[int], packed: Any, part: slice) -> None:
        self.parts.append(part)
        for place in range(part.start, part.stop):
            if self.fails(packed.numbers[place]):
                raise ValueError(f"sample {packed.numbers[place]}")
            memory[place] = packed.numbers[place]

    def start_thread(self) -> None:
        self.started.append(threading.current_thread().name)

    def run(self) -> Iterator[tuple[Packed, list[int]]]:
        return make_ahead(
            self.requests,  # type: ignore[arg-type]
            fetch=self.fetch,
            lay=self.lay,
            fill=self.fill,
            start_thread=self.start_thread,
            threads=self.threads,
            ahead=self.ahead,
        )


def test_every_batch_is_whole_and_in_its_place() -> None:
    for batches in (0, 1, 2, 5):
        for threads in (1, 2, 3, 4):
            for ahead in (1, 2, 7):
                making = Making(batches, threads=threads, ahead=ahead)
                made = list(making.run())
                assert [packed.numbers for packed, _ in made] == [list(r.numbers) for r in making.requests]
                assert [memory for _, memory in made] == [list(r.numbers) for r in making.requests]
                assert making.fetched == list(range(batches))
                assert making.laid == [3] * batches
                assert sorted((p.start, p.stop) for p in making.parts) == sorted(
                    (p.start, p.stop) for p in cut(3, -(-threads // ahead)) * batches
                )
                assert len(making.started) == len(set(making.started)) <= threads
                assert all(name.startswith("posegen-loader") for name in making.started)


def test_so_many_batches_are_made_before_the_first_is_asked_for_and_as_many_stay_ahead() -> None:
    for ahead in (1, 3):
        making = Making(8, ahead=ahead)
        iterator = making.run()
        for taken in range(1, 9):
            next(iterator)
            assert len(making.laid) == min(ahead + taken, 8)
        assert next(iterator, None) is None


def test_a_batch_is_fetched_before_the_parts_of_the_one_before_it_are_filled() -> None:
    making = Making(3, threads=1, ahead=1)
    said: list[str] = []
    fetch, fill = making.fetch, making.fill
    making.fetch = lambda request: (said.append(f"fetch {request.numbers[0] // 3}"), fetch(request))[1]  # type: ignore[method-assign]
    making.fill = lambda *of: (said.append(f"fill {of[1].numbers[0] // 3}"), fill(*of))[1]  # type: ignore[method-assign]
    list(making.run())
    assert said == ["fetch 0", "fetch 1", "fill 0", "fetch 2", "fill 1", "fill 2"]


def test_an_error_comes_in_the_place_of_its_batch_and_is_that_of_the_first_sample() -> None:
    making = Making(4, threads=3, fails=lambda number: number >= 7)
    iterator = making.run()
    assert [next(iterator)[1], next(iterator)[1]] == [[0, 1, 2], [3, 4, 5]]
    with pytest.raises(ValueError, match="sample 7"):
        next(iterator)


def test_threads_end_with_the_iterator() -> None:
    before = threading.active_count()
    iterator = Making(6, threads=3, ahead=4).run()
    next(iterator)
    assert threading.active_count() > before
    iterator.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before
    with start_threads(2, lambda: None) as pool:
        assert pool._max_workers == 2


def test_samples_are_cut_into_parts_of_about_one_size() -> None:
    for count in range(1, 12):
        for parts in range(1, 6):
            found = cut(count, parts)
            assert [i for part in found for i in range(part.start, part.stop)] == list(range(count))
            assert len(found) <= parts
            assert all(part.stop - part.start == -(-count // parts) for part in found[:-1])


def test_processors_are_shared_out_up_to_eight_each(monkeypatch: pytest.MonkeyPatch) -> None:
    for have in ({"sched_getaffinity": 6, "cpu_count": 99}, {"cpu_count": 6}):
        monkeypatch.delattr(os, "sched_getaffinity", raising=False)
        if "sched_getaffinity" in have:
            monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0: range(6)}[pid], raising=False)
        monkeypatch.setattr(os, "cpu_count", lambda have=have: have["cpu_count"])
        assert [count_threads(), *map(count_threads, (1, 2, 4, 6, 7))] == [6, 6, 3, 1, 1, 1]
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    assert [count_threads(), count_threads(8), count_threads(9)] == [8, 8, 7]
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert count_threads() == 1
