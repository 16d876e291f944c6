"""Batches made by processes beside the one that trains, each with some threads; a `DataLoader` hands them over."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from posegen.errors import PosegenError
from posegen.loader.batch import Request
from posegen.loader.threads import cut, start_threads
from posegen.loader.torch.halves import keep_to_one_thread
from posegen.loader.torch.making import BatchMaker
from posegen.loader.torch.sharing import SharedBatch, make_tensor

_LEAST_AHEAD = 2
"""Batches of each process: it makes one while another waits to be taken."""


class Workers:
    """Makes batches in processes.

    They stay for the next epoch when one was read to its end; when it was left before that they end, as they do with
    this object. A pass that begins while another one goes on has processes of its own. A copy has none yet.

    Parameters
    ----------
    maker
        Makes the batches; it is pickled where processes are not forked.
    workers, threads
        How many processes, of how many threads each.
    ahead
        How many batches are made, in all, before they are asked for.
    pin_memory
        Whether batches come in pinned memory.
    """

    def __init__(self, maker: BatchMaker, *, workers: int, threads: int, ahead: int, pin_memory: bool) -> None:
        self._again = partial(Workers, maker, workers=workers, threads=threads, ahead=ahead, pin_memory=pin_memory)
        self._idle: list[DataLoader] = []
        self._lock = threading.Lock()
        self._reach = maker.data.pool.reach
        self._make = partial(
            DataLoader,
            _Batches(maker, threads),
            num_workers=workers,
            persistent_workers=True,
            prefetch_factor=max(_LEAST_AHEAD, -(-ahead // workers)),
            pin_memory=pin_memory,
            collate_fn=_hand_over,
            generator=torch.Generator(),  # that of training is left as it is
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return self._again, ()

    def make(self, requests: Sequence[Request]) -> Generator[dict[str, Any], None, None]:
        """Make batches in their order. An error of a process is raised in the place of its batch."""
        with self._lock:
            loader = self._idle.pop() if self._idle else self._make(batch_sampler=_Requests(self._reach))
        loader.batch_sampler.requests = requests
        is_done = False
        try:
            for batch in loader:
                if isinstance(batch, PosegenError):
                    raise batch
                yield batch
                del batch
            is_done = True
        finally:
            with self._lock:
                if is_done and not self._idle:
                    self._idle.append(loader)
                else:
                    _end(loader)

    def close(self) -> None:
        """End the processes that wait for the next epoch."""
        with self._lock:
            while self._idle:
                _end(self._idle.pop())


def _end(loader: DataLoader) -> None:
    """End the processes of a `DataLoader` now; left alone it does so when no traceback has hold of it any more."""
    iterator: Any = getattr(loader, "_iterator", None)
    if iterator is not None:
        iterator._shutdown_workers()  # noqa: SLF001 (there is no other way)


class _Requests(Sampler):
    """The batches of the pass that is about to begin; `reach` is told of a sample of each that is handed out."""

    def __init__(self, reach: Callable[[int], None]) -> None:
        self.requests: Sequence[Request] = ()
        self._reach = reach

    def __iter__(self) -> Iterator[Request]:
        for request in self.requests:
            self._reach(request.numbers[0])
            yield request

    def __len__(self) -> int:
        return len(self.requests)


class _Batches(Dataset):
    """What a `DataLoader` takes for a dataset, and its processes ask for batches."""

    def __init__(self, maker: BatchMaker, threads: int) -> None:
        self._maker, self._threads = maker, threads
        self._pool: ThreadPoolExecutor | None = None

    def __getitems__(self, request: Request) -> dict[str, Any] | PosegenError:
        """Make a batch, or say why there is none: as an error itself, which a `DataLoader` would quote."""
        try:
            packed = self._maker.fetch(request)
            laid = self._maker.lay(len(request.numbers), _allocate)
            fill = partial(self._maker.fill, laid, packed)
            parts = cut(len(request.numbers), self._threads)
            if len(parts) == 1:
                fill(*parts)
            else:
                if self._pool is None:
                    self._pool = start_threads(self._threads, keep_to_one_thread)
                list(self._pool.map(fill, parts))
            return self._maker.finish(packed, laid)
        except PosegenError as error:
            return error.with_traceback(None)


def _allocate(shape: tuple[int, ...], dtype: np.dtype[Any]) -> torch.Tensor:
    return make_tensor(shape, getattr(torch, dtype.name))


def _hand_over(made: dict[str, Any] | PosegenError) -> SharedBatch | PosegenError:
    return made if isinstance(made, PosegenError) else SharedBatch(made)
