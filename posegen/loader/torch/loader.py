"""Batches for training, made by threads of the process that trains."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import Any, Literal

import torch

from posegen.errors import ConfigError
from posegen.images.parallel import one_thread
from posegen.loader.batch import Request
from posegen.loader.dataset import PoseDataset
from posegen.loader.fields import list_plain
from posegen.loader.shuffle import Remainder
from posegen.loader.threads import count_threads, make_ahead
from posegen.loader.torch.buffers import Buffers
from posegen.loader.torch.halves import keep_to_one_thread, widen_halves
from posegen.loader.torch.making import BatchMaker
from posegen.loader.torch.pictures import ImageDtype, Transform, choose_normalization
from posegen.loader.torch.sampling import ShardShuffleSampler
from posegen.loader.torch.workers import Workers
from posegen.loader.views import LabelsDrawn, Views
from posegen.shards.cache import CACHE_SIZE
from posegen.storage import Location

_AHEAD = 3
"""Batches."""


class PoseLoader:
    """The batches of a dataset, epoch by epoch.

    >>> loader = PoseLoader("out/", batch_size=16, flip="random")
    >>> for epoch in range(100):
    ...     for batch in loader.epoch(epoch):
    ...         ...

    A batch is what a `DataLoader` of a `TorchPoseDataset` gives with `collate`: a dict of tensors, people padded with
    zeros, text in lists. `image` is (B, 3, H, W) in PyTorch's memory format `channels_last`. Order and values depend on
    the seed and the epoch, not on the threads.

    Its memory is filled again as soon as nobody holds a tensor of it, or a view of one, any more; until then it stays
    as it is. An error is raised at its batch, and names the sample. A loop that is left, however, leaves no thread.

    Where others count epochs, iterate over the loader itself: every pass is the next epoch, from its first batch on.
    `set_epoch` says which one; Lightning calls it, and saves and loads the loader's state.

    Parameters
    ----------
    path
        The directory of the dataset.
    batch_size
        Samples a batch; the last one of an epoch may have less.
    fields, mean, std, image_dtype
        As in `TorchPoseDataset`.
    raw, flip, views, cache_size
        As in `posegen.PoseDataset`.
    labels
        `device` leaves labels to `DeviceViews`; pictures come as bytes.
    transform
        As in `TorchPoseDataset`; called by several threads.
    shuffle, seed, window
        As in `ShardShuffleSampler`; flips and views are drawn from the seed, too.
    drop_last
        Whether a last batch that is smaller is left out.
    threads
        How many unpack samples, in each process that does; by default all together as many as this process may use
        processors, up to 8 in each.
    workers
        How many processes make batches, where the threads of one wait for each other. As many as processors, of one
        thread each, draw a quarter to a third more fresh views than threads do, from two processors on. They hand
        batches over in shared memory, and stay from one epoch to the next; a loop that is left, `close`, and the end of
        the loader end them. 0 makes batches in threads of this process, which is ready sooner.
    ahead
        How many batches are made before they are asked for; of each of the workers at least 2.
    pin_memory
        Whether tensors lie in pinned memory, from which they are copied to a GPU sooner.
    rank, ranks
        Which process this is and how many there are; by default as `torch.distributed` says when an epoch begins.
    remainder
        As in `ShardShuffleSampler`, but by default all ranks have equally many batches.

    Raises
    ------
    ShardError
        If there is no dataset, or it is damaged.
    ConfigError
        If there is no such field or option, or a value is out of range.
    """

    def __init__(
        self,
        path: Location,
        *,
        batch_size: int = 16,
        fields: Sequence[str] | None = None,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        image_dtype: ImageDtype = "float32",
        raw: bool = False,
        flip: bool | Literal["random"] = False,
        views: Views | None = None,
        labels: LabelsDrawn = "here",
        transform: Transform | None = None,
        shuffle: bool = True,
        seed: int = 0,
        window: int = 4,
        drop_last: bool = False,
        threads: int | None = None,
        workers: int = 0,
        ahead: int = _AHEAD,
        pin_memory: bool = False,
        rank: int | None = None,
        ranks: int | None = None,
        remainder: Remainder = "repeat",
        cache_size: int = CACHE_SIZE,
    ) -> None:
        self.batch_size = batch_size
        self.drop_last = drop_last
        self.workers = workers
        self.threads = count_threads(workers or 1) if threads is None else threads
        self.ahead = ahead
        for name, least in (("batch_size", 1), ("threads", 1), ("workers", 0), ("ahead", 1)):
            if getattr(self, name) < least:
                raise ConfigError(f"{name} must be at least {least}, not {getattr(self, name)}")
        normalization = choose_normalization(labels, image_dtype, mean, std)
        self.data = PoseDataset(
            path,
            fields=list_plain if fields is None else fields,
            raw=raw,
            flip=flip,
            views=views,
            labels=labels,
            seed=seed,
            widen=widen_halves,
            cache_size=cache_size,
        )
        self._order: dict[str, Any] = {
            "shuffle": shuffle, "seed": seed, "window": window, "rank": rank, "ranks": ranks, "remainder": remainder
        }  # fmt: skip
        self._maker = BatchMaker(self.data, normalization, transform)
        pinned = pin_memory and _can_pin()
        self._buffers = Buffers(pinned=pinned)
        shares: dict[str, Any] = {"workers": workers, "threads": self.threads, "ahead": ahead, "pin_memory": pinned}
        self._workers = Workers(self._maker, **shares) if workers else None
        self._next, self._resumed = 0, 0
        self._state: dict[str, Any] | None = None
        self._sampler(0)  # raises what is wrong with the order

    def __len__(self) -> int:
        """Count this process's batches of a whole epoch."""
        return self._count_batches(len(self._sampler(self._next)))

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Iterate over the next epoch; after `load_state_dict` over what is left of that one.

        Which one that is turns out when the first batch is asked for: who only tries whether this can be iterated over
        has had no pass.
        """
        yield from self._begin()

    def _begin(self) -> Iterator[dict[str, Any]]:
        """Begin the next pass."""
        epoch, start = self._next, self._resumed
        self._next, self._resumed = epoch + 1, 0
        sampler = self._sampler(epoch)
        self._state = sampler.state_dict(start)
        return self._iterate(sampler, start)

    def epoch(self, number: int) -> Iterator[dict[str, Any]]:
        """Iterate over an epoch, counted from 0; after `load_state_dict` over what is left, if it is that one."""
        self.set_epoch(number)
        return self._begin()

    @property
    def sampler(self) -> PoseLoader:
        """Itself: Lightning looks for `set_epoch` there."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch the next pass is."""
        if epoch < 0:
            raise ConfigError(f"epochs count from 0, not {epoch}")
        if epoch != self._next:
            self._next, self._resumed, self._state = epoch, 0, None

    def state_dict(self) -> dict[str, Any]:
        """Return where training stands, in numbers and words: behind the batch that was handed out last.

        The state of one process holds for all.
        """
        return dict(self._state or self._sampler(self._next).state_dict(self._resumed))

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state_dict` stood: the next pass is the rest of that epoch.

        Raises
        ------
        ConfigError
            If that was another dataset, or its order was drawn or split in another way.
        """
        sampler = self._sampler(0)
        sampler.load_state_dict(state)
        self._next, self._resumed, self._state = sampler.epoch, int(state["done"]), None

    def close(self) -> None:
        """End the `workers` that wait for the next epoch; another pass starts them anew."""
        if self._workers is not None:
            self._workers.close()

    def _iterate(self, sampler: ShardShuffleSampler, start: int) -> Iterator[dict[str, Any]]:
        epoch, numbers = sampler.epoch, list(sampler)
        stop = min(len(numbers), self._count_batches(len(numbers)) * self.batch_size)
        left, done = numbers[start:stop], start
        self.data.pool.expect(left)
        firsts = range(0, len(left), self.batch_size)
        requests = [Request(left[first : first + self.batch_size], epoch) for first in firsts]
        made = self._make(requests) if self._workers is None else self._workers.make(requests)
        try:
            for batch in made:
                done = min(done + self.batch_size, stop)
                # Behind the last batch is before the first one of the next epoch.
                self._state = sampler.state_dict(done) if done < stop else self._sampler(epoch + 1).state_dict(0)
                yield batch
                del batch
        finally:
            made.close()

    def _make(self, requests: Sequence[Request]) -> Generator[dict[str, Any], None, None]:
        """Make batches in threads of this process."""
        made = make_ahead(
            requests,
            fetch=self._maker.fetch,
            lay=lambda count: self._maker.lay(count, self._buffers.lay),
            fill=self._maker.fill,
            start_thread=keep_to_one_thread,
            threads=self.threads,
            ahead=self.ahead,
        )
        with one_thread(), contextlib.closing(made):
            for packed, laid in made:
                batch = self._maker.finish(packed, laid)
                del packed, laid
                yield batch
                del batch

    def _count_batches(self, samples: int) -> int:
        return samples // self.batch_size if self.drop_last else -(-samples // self.batch_size)

    def _sampler(self, epoch: int) -> ShardShuffleSampler:
        """Make what says the order, and which part of it is this process's as of now."""
        sampler = ShardShuffleSampler(self.data, **self._order)
        sampler.set_epoch(epoch)
        return sampler


def _can_pin() -> bool:
    """Tell whether there is a device that pinned memory is for."""
    if getattr(torch, "accelerator", torch.cuda).is_available():
        return True
    warnings.warn("pin_memory has no effect: PyTorch finds no accelerator here", stacklevel=3)
    return False
