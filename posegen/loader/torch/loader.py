"""Batches for training, made by threads of the process that trains."""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from posegen.errors import ConfigError
from posegen.loader.batch import Packed
from posegen.loader.dataset import PoseDataset
from posegen.loader.fields import list_plain
from posegen.loader.shuffle import Remainder
from posegen.loader.threads import count_threads, make_ahead
from posegen.loader.torch.buffers import Buffers
from posegen.loader.torch.dataset import pad_people
from posegen.loader.torch.halves import widen_in_thread
from posegen.loader.torch.pictures import ImageDtype, Transform, choose_normalization, recolour, show_channels
from posegen.loader.torch.sampling import ShardShuffleSampler
from posegen.loader.views import LabelsDrawn, Views

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

    Where others count epochs, as Lightning does, iterate over the loader itself: every pass is the next epoch,
    `set_epoch` says which one.

    Parameters
    ----------
    path
        The directory of the dataset.
    batch_size
        Samples a batch; the last one of an epoch may have less.
    fields, mean, std, image_dtype
        As in `TorchPoseDataset`.
    raw, flip, views
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
        How many unpack samples; by default as many as this process may use processors, up to 8.
    ahead
        How many batches are made before they are asked for.
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
        path: str | os.PathLike[str],
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
        ahead: int = _AHEAD,
        pin_memory: bool = False,
        rank: int | None = None,
        ranks: int | None = None,
        remainder: Remainder = "repeat",
    ) -> None:
        self.batch_size = batch_size
        self.drop_last = drop_last
        self.threads = count_threads() if threads is None else threads
        self.ahead = ahead
        for name in ("batch_size", "threads", "ahead"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be at least 1, not {getattr(self, name)}")
        self._normalization = choose_normalization(labels, image_dtype, mean, std)
        wanted = list_plain(PoseDataset(path).fields) if fields is None else fields
        self._transform = transform
        self.data = PoseDataset(
            path, fields=wanted, raw=raw, flip=flip, views=views, labels=labels, seed=seed, widen=widen_in_thread
        )
        self._order: dict[str, Any] = {
            "shuffle": shuffle, "seed": seed, "window": window, "rank": rank, "ranks": ranks, "remainder": remainder
        }  # fmt: skip
        self._buffers = Buffers(pinned=pin_memory and _can_pin())
        self._next, self._resumed = 0, 0
        self._state: dict[str, Any] | None = None
        self._sampler(0)  # raises what is wrong with the order

    def __len__(self) -> int:
        """Count this process's batches of a whole epoch."""
        return self._count_batches(len(self._sampler(self._next)))

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Iterate over the next epoch; after `load_state_dict` over what is left of that one."""
        epoch, start = self._next, self._resumed
        self._next, self._resumed = epoch + 1, 0
        sampler = self._sampler(epoch)
        self._state = sampler.state_dict(start)
        return self._iterate(sampler, start)

    def epoch(self, number: int) -> Iterator[dict[str, Any]]:
        """Iterate over an epoch, counted from 0; after `load_state_dict` over what is left, if it is that one."""
        self.set_epoch(number)
        return iter(self)

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

    def _iterate(self, sampler: ShardShuffleSampler, start: int) -> Iterator[dict[str, Any]]:
        epoch, numbers = sampler.epoch, list(sampler)
        stop = min(len(numbers), self._count_batches(len(numbers)) * self.batch_size)
        left, done = numbers[start:stop], start
        made = make_ahead(
            [left[first : first + self.batch_size] for first in range(0, len(left), self.batch_size)],
            fetch=lambda some: self.data.fetch(some, epoch),
            lay=self._lay,
            fill=partial(self._fill, threading.local()),
            threads=self.threads,
            ahead=self.ahead,
        )
        try:
            for packed, tensors in made:
                done += len(packed.numbers)
                # Behind the last batch is before the first one of the next epoch.
                self._state = sampler.state_dict(done) if done < stop else self._sampler(epoch + 1).state_dict(0)
                batch = self._finish(packed, tensors)
                del packed, tensors
                yield batch
                del batch
        finally:
            made.close()

    def _lay(self, count: int) -> dict[str, torch.Tensor]:
        """Make the tensors of pictures and labels of so many samples."""
        fields = {name: (field.stack(count), np.dtype(field.dtype)) for name, field in self.data.array_fields.items()}
        if "image" in fields:
            fields["image"] = fields["image"][0], self._normalization.dtype
        return {name: self._buffers.lay(*field) for name, field in fields.items()}

    def _fill(self, local: threading.local, tensors: dict[str, torch.Tensor], packed: Packed, part: slice) -> None:
        """Unpack a part of a batch into its place; `local` is where each thread keeps memory for pictures."""
        arrays: dict[str, NDArray[Any]] = {name: tensor[part].numpy() for name, tensor in tensors.items()}
        numbers = arrays.get("image")
        if numbers is not None and numbers.dtype != np.uint8:
            scratch = getattr(local, "pixels", None)
            if scratch is None or len(scratch) < len(numbers):
                scratch = local.pixels = np.empty(numbers.shape, np.uint8)
            arrays["image"] = scratch[: len(numbers)]
        self.data.unpack(packed, arrays)
        if numbers is None:
            return
        if self._transform is not None:
            recolour(arrays["image"], self._transform)
        if numbers.dtype != np.uint8:
            self._normalization.convert(arrays["image"], numbers)

    def _finish(self, packed: Packed, tensors: dict[str, torch.Tensor]) -> dict[str, Any]:
        """Put everything that a batch has together."""
        found: dict[str, Any] = {name: list(values) for name, values in packed.columns.items()}
        self.data.stack_columns(found, len(packed.numbers))
        found |= tensors
        if "image" in found:
            found["image"] = show_channels(found["image"])
        return pad_people({name: _to_tensor(found[name]) for name in self.data.fields})

    def _count_batches(self, samples: int) -> int:
        return samples // self.batch_size if self.drop_last else -(-samples // self.batch_size)

    def _sampler(self, epoch: int) -> ShardShuffleSampler:
        """Make what says the order, and which part of it is this process's as of now."""
        sampler = ShardShuffleSampler(self.data, **self._order)
        sampler.set_epoch(epoch)
        return sampler


def _to_tensor(value: Any) -> Any:
    """Make tensors of arrays, and lists of them of lists."""
    if isinstance(value, np.ndarray):
        return torch.from_numpy(value)
    return [_to_tensor(item) for item in value] if isinstance(value, list) else value


def _can_pin() -> bool:
    """Tell whether there is a device that pinned memory is for."""
    if getattr(torch, "accelerator", torch.cuda).is_available():
        return True
    warnings.warn("pin_memory has no effect: PyTorch finds no accelerator here", stacklevel=3)
    return False
