"""Batches made ahead of time by threads of the process that trains.

A batch is fetched from the files by one thread and unpacked by as many as are needed for all to have something to do,
each into its part of the batch's memory: what takes most time leaves Python's lock to others, and is done in few
pieces: taking it back is waiting for it.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from posegen.loader.batch import Packed, Request

_MOST_THREADS = 8

Made = TypeVar("Made")


def count_threads(processes: int = 1) -> int:
    """Share out the processors that this process may use, up to 8 each: more threads wait for Python's lock."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(count // processes, _MOST_THREADS))


def start_threads(count: int, start: Callable[[], None]) -> ThreadPoolExecutor:
    """Start threads, each of which calls `start` before anything else."""
    return ThreadPoolExecutor(count, thread_name_prefix="posegen-loader", initializer=start)


def cut(count: int, parts: int) -> list[slice]:
    """Cut so many samples into parts of about one size."""
    some = -(-count // parts)
    return [slice(first, min(first + some, count)) for first in range(0, count, some)]


def make_ahead(
    requests: Sequence[Request],
    *,
    fetch: Callable[[Request], Packed],
    lay: Callable[[int], Made],
    fill: Callable[[Made, Packed, slice], None],
    start_thread: Callable[[], None],
    threads: int,
    ahead: int,
) -> Generator[tuple[Packed, Made], None, None]:
    """Make batches in their order; the threads end with the iterator, whatever ends that.

    Parameters
    ----------
    requests
        One for each batch.
    fetch
        Reads a batch; called by a thread.
    lay
        Makes the memory of a batch of so many samples; called by whoever iterates.
    fill
        Unpacks a part of what was fetched into this part of the memory; called by threads.
    start_thread
        Called by each thread before anything else.
    threads
        How many.
    ahead
        How many batches are made before the first of them is asked for.

    Yields
    ------
    What was fetched, and the memory. An error of a thread is raised in the place of its batch: of several that of the
    batch's first sample.
    """
    pool = start_threads(threads, start_thread)
    fetched: deque[Future[Packed]] = deque()
    pieces = -(-threads // ahead)  # so many of each of the batches that are made at once
    made: deque[tuple[Future[Packed], Made, list[Future[None]]]] = deque()

    def start(number: int) -> None:
        """Start a batch. The next one is fetched before its parts are filled, for these never to wait for a fetch."""
        while len(fetched) < 2 and number + len(fetched) < len(requests):
            fetched.append(pool.submit(fetch, requests[number + len(fetched)]))
        packed, count = fetched.popleft(), len(requests[number].numbers)
        memory = lay(count)
        parts = [pool.submit(_fill, fill, memory, packed, part) for part in cut(count, pieces)]
        made.append((packed, memory, parts))

    try:
        for number in range(min(ahead, len(requests))):
            start(number)
        for number in range(ahead, len(requests) + ahead):
            packed, memory, parts = made.popleft()
            found = packed.result()
            for part in parts:
                part.result()
            if number < len(requests):
                start(number)
            del packed, parts
            yield found, memory
            del found, memory
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _fill(fill: Callable[[Made, Packed, slice], None], memory: Made, packed: Future[Packed], part: slice) -> None:
    fill(memory, packed.result(), part)
