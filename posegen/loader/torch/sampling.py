"""The order of `posegen.loader.shuffle` as a sampler for PyTorch's `DataLoader`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from zlib import crc32

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset, DistributedSampler

from posegen.errors import ConfigError
from posegen.loader.ahead import follow
from posegen.loader.shuffle import Remainder, shuffle_shards, take_share
from posegen.loader.torch.parts import Sharded, find_parts


class ShardShuffleSampler(DistributedSampler):
    """Shuffles the samples of a few shards at a time, split over the processes of `torch.distributed`.

    It is a `DistributedSampler` by name alone: who splits what samplers give over processes, as Lightning does, leaves
    one of these as it is, instead of splitting it twice.

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
        What to sample: a `TorchPoseDataset`, which hears of epochs from here, a `Subset` of one, as `random_split`
        makes it, or a `ConcatDataset`.
    shuffle
        False reads in the order of the dataset, still split over the processes.
    seed, window
        As in `posegen.loader.shuffle.shuffle_shards`.
    rank, ranks
        Which process this is and how many there are; by default as `torch.distributed` says at the time
        of each pass, if it is initialized by then.
    remainder
        What happens where the samples do not divide by `ranks`; see `posegen.loader.shuffle.take_share`. With `repeat`,
        the default where it shuffles, and `drop` all processes have equally many. With `keep`, the default where it
        does not, each sample is read once, and one process may have a batch more than another, for which
        `DistributedDataParallel` waits in vain outside its `join`: measure with it.

    Raises
    ------
    ConfigError
        If there is no such rank or remainder, a value is out of range, or the dataset does not tell its shards.
    """

    def __init__(
        self,
        dataset: Sharded | Dataset,
        *,
        shuffle: bool = True,
        seed: int = 0,
        window: int = 4,
        rank: int | None = None,
        ranks: int | None = None,
        remainder: Remainder | None = None,
    ) -> None:
        # Without the constructor of DistributedSampler, which wants to know the processes now.
        self._parts = find_parts(dataset)
        self._subset = _name_subset(self._parts.indices)
        self.sizes = self._parts.sizes
        self.shuffle = shuffle
        self.seed = seed
        self.window = window
        self._rank = rank
        self._ranks = ranks
        self.remainder: Remainder = remainder or ("repeat" if shuffle else "keep")
        self.epoch = 0
        self._start = 0
        self._handed_out = 0
        self._indices()  # which refuses what cannot be

    @property
    def rank(self) -> int:
        """Which process this is."""
        return (torch.distributed.get_rank() if _are_together() else 0) if self._rank is None else self._rank

    @property
    def ranks(self) -> int:
        """How many processes there are."""
        return (torch.distributed.get_world_size() if _are_together() else 1) if self._ranks is None else self._ranks

    def __len__(self) -> int:
        """Count this process's samples of a whole epoch."""
        return len(self._take(np.arange(sum(self.sizes))))

    def __iter__(self) -> Iterator[int]:
        """Iterate over this process's samples of the epoch; after `load_state_dict` over those that are left, once."""
        start, self._start = self._start, 0
        self._handed_out = start
        for index in follow(self._parts.sources, self._indices()[start:]):
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
        """Say to the datasets which epoch it is, if they ask."""
        for source in self._parts.sources:
            tell = getattr(source, "set_epoch", None)
            if tell is not None:
                tell(epoch)

    def _identity(self) -> dict[str, Any]:
        """Say what determines the order and its split; a rank's name is left out, so that ranks can share a state."""
        names = ("shuffle", "seed", "window", "ranks", "remainder")
        found = {"sizes": list(self.sizes)} | {name: getattr(self, name) for name in names}
        return found | self._subset

    def _indices(self) -> list[int]:
        order = np.arange(sum(self.sizes))
        if self.shuffle:
            order = shuffle_shards(self.sizes, seed=self.seed, epoch=self.epoch, window=self.window)
            order = self._parts.indices[order]
        return self._take(order).tolist()

    def _take(self, order: NDArray[np.int64]) -> NDArray[np.int64]:
        return take_share(order, self.rank, self.ranks, remainder=self.remainder)


def _name_subset(indices: NDArray[np.int64]) -> dict[str, int]:
    """Say which samples there are, if not all of them in their order."""
    is_whole = np.array_equal(indices, np.arange(len(indices)))
    return {} if is_whole else {"subset": crc32(indices.tobytes())}


def _are_together() -> bool:
    return torch.distributed.is_available() and torch.distributed.is_initialized()
