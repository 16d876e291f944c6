"""The order of `posegen.loader.shuffle` as a sampler for PyTorch's `DataLoader`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import numpy as np
import torch
from torch.utils.data import Sampler

from posegen.errors import ConfigError
from posegen.loader.shuffle import Remainder, shuffle_shards, take_share


class Sharded(Protocol):
    """What has samples in shards: a `TorchPoseDataset`, a `posegen.PoseDataset`."""

    @property
    def shard_sizes(self) -> tuple[int, ...]:
        """How many samples each shard has."""


class ShardShuffleSampler(Sampler):
    """Shuffles the samples of a few shards at a time, split over the processes of `torch.distributed`.

    >>> sampler = ShardShuffleSampler(dataset, seed=1)
    >>> loader = DataLoader(dataset, batch_size=16, sampler=sampler, num_workers=4)
    >>> for epoch in range(100):
    ...     sampler.set_epoch(epoch)
    ...     for done, batch in enumerate(loader, start=1):
    ...         ...
    ...         checkpoint = sampler.state_dict(done * 16)

    To go on in the middle of an epoch, `load_state_dict(checkpoint)` and start the loop at `sampler.epoch`: the first
    pass is the rest of that epoch.

    Parameters
    ----------
    dataset
        What to sample; a `TorchPoseDataset` hears of epochs from here.
    shuffle
        False reads in the order of the dataset, still split over the processes.
    seed, window
        As in `posegen.loader.shuffle.shuffle_shards`.
    rank, ranks
        Which process this is and how many there are; by default as `torch.distributed` says, if it is initialized.
    remainder
        What happens where the samples do not divide by `ranks`; see `posegen.loader.shuffle.take_share`. By default
        `keep` a process may have one batch more than another, for which `DistributedDataParallel` waits in vain
        outside its `join`; train with `repeat` or `drop`, measure with `keep`.

    Raises
    ------
    ConfigError
        If there is no such rank or remainder, or a value is out of range.
    """

    def __init__(
        self,
        dataset: Sharded,
        *,
        shuffle: bool = True,
        seed: int = 0,
        window: int = 4,
        rank: int | None = None,
        ranks: int | None = None,
        remainder: Remainder = "keep",
    ) -> None:
        together = torch.distributed.is_available() and torch.distributed.is_initialized()
        self._dataset = dataset
        self.sizes = dataset.shard_sizes
        self.shuffle = shuffle
        self.seed = seed
        self.window = window
        self.rank = (torch.distributed.get_rank() if together else 0) if rank is None else rank
        self.ranks = (torch.distributed.get_world_size() if together else 1) if ranks is None else ranks
        self.remainder: Remainder = remainder
        self.epoch = 0
        self._start = 0
        self._handed_out = 0
        self._length = len(self._indices())

    def __len__(self) -> int:
        """Count this process's samples of a whole epoch."""
        return self._length

    def __iter__(self) -> Iterator[int]:
        """Iterate over this process's samples of the epoch; after `load_state_dict` over those that are left, once."""
        start, self._start = self._start, 0
        self._handed_out = start
        for index in self._indices()[start:]:
            self._handed_out += 1
            yield index

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of the next pass. Without it every pass has the order of the first.

        A dataset that draws flips or views hears it, too, as far as its workers.
        """
        self._tell(epoch)
        if epoch != self.epoch:
            self.epoch, self._start, self._handed_out = epoch, 0, 0

    def state_dict(self, done: int | None = None) -> dict[str, Any]:
        """Return where the epoch stands, as numbers and strings; one process's holds for all.

        Parameters
        ----------
        done
            How many samples of this epoch the process has trained on. By default those that were handed out, which are
            more: a `DataLoader` with workers asks for batches ahead of time.
        """
        return {"epoch": self.epoch, "done": self._handed_out if done is None else done, **self._identity()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state_dict` stood.

        Raises
        ------
        ConfigError
            If that was another dataset, or its order was drawn or split in another way.
        """
        for name, mine in self._identity().items():
            if state.get(name) != mine:
                raise ConfigError(
                    f"the sampler cannot go on: {name} was {state.get(name)!r} and is {mine!r};"
                    " make it as it was, or start a new epoch with set_epoch"
                )
        self.epoch, self._start = int(state["epoch"]), int(state["done"])
        self._tell(self.epoch)
        self._handed_out = self._start

    def _tell(self, epoch: int) -> None:
        """Say to the dataset which epoch it is, if it asks."""
        tell = getattr(self._dataset, "set_epoch", None)
        if tell is not None:
            tell(epoch)

    def _identity(self) -> dict[str, Any]:
        """Say what determines the order and its split; a rank's name is left out, so that ranks can share a state."""
        names = ("shuffle", "seed", "window", "ranks", "remainder")
        return {"sizes": list(self.sizes)} | {name: getattr(self, name) for name in names}

    def _indices(self) -> list[int]:
        order = np.arange(sum(self.sizes))
        if self.shuffle:
            order = shuffle_shards(self.sizes, seed=self.seed, epoch=self.epoch, window=self.window)
        return take_share(order, self.rank, self.ranks, remainder=self.remainder).tolist()
