"""Batches made ahead of time by threads of the process that trains.

A batch is fetched from the files by one thread and unpacked by several, each into its part of the batch's memory:
decoding and inflating leave Python's lock to others.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from posegen.loader.batch import Packed

_MOST_THREADS = 8

Made = TypeVar("Made")


def count_threads() -> int:
    """Count the processors that this process may use, up to 8: more threads wait for Python's lock."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(count, _MOST_THREADS)


def make_ahead(
    batches: Sequence[Sequence[int]],
    *,
    fetch: Callable[[Sequence[int]], Packed],
    lay: Callable[[int], Made],
    fill: Callable[[Made, Packed, slice], None],
    threads: int,
    ahead: int,
) -> Generator[tuple[Packed, Made], None, None]:
    """Make batches in their order; the threads end with the iterator, whatever ends that.

    Parameters
    ----------
    batches
        The numbers of each batch's samples.
    fetch
        Reads a batch; called by a thread.
    lay
        Makes the memory of a batch of so many samples; called by whoever iterates.
    fill
        Unpacks a part of what was fetched into this part of the memory; called by threads.
    threads
        How many.
    ahead
        How many batches are made before the first of them is asked for.

    Yields
    ------
    What was fetched, and the memory. An error of a thread is raised in the place of its batch: of several that of the
    batch's first sample.
    """
    pool = ThreadPoolExecutor(threads, thread_name_prefix="posegen-loader")
    fetched: deque[Future[Packed]] = deque()
    made: deque[tuple[Future[Packed], Made, list[Future[None]]]] = deque()

    def start(number: int) -> None:
        """Start a batch. The next one is fetched before its parts are filled, for these never to wait for a fetch."""
        while len(fetched) < 2 and number + len(fetched) < len(batches):
            fetched.append(pool.submit(fetch, batches[number + len(fetched)]))
        packed, count = fetched.popleft(), len(batches[number])
        memory = lay(count)
        some = -(-count // threads)
        parts = [slice(first, min(first + some, count)) for first in range(0, count, some)]
        made.append((packed, memory, [pool.submit(_fill, fill, memory, packed, part) for part in parts]))

    try:
        for number in range(min(ahead, len(batches))):
            start(number)
        for number in range(ahead, len(batches) + ahead):
            packed, memory, parts = made.popleft()
            found = packed.result()
            for part in parts:
                part.result()
            if number < len(batches):
                start(number)
            del packed, parts
            yield found, memory
            del found, memory
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _fill(fill: Callable[[Made, Packed, slice], None], memory: Made, packed: Future[Packed], part: slice) -> None:
    fill(memory, packed.result().part(part), part)
