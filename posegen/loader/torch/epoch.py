"""The number of the epoch, where workers of any kind see it change."""

from __future__ import annotations

from typing import Any

import torch


class SharedEpoch:
    """A number that a process sets, and that the processes it gives this to, forked or spawned, see from then on.

    A `DataLoader` with `persistent_workers` hands its dataset over once, before the first epoch. What is pickled for
    another end than that is a copy with a number of its own.
    """

    def __init__(self) -> None:
        self._memory = torch.zeros((), dtype=torch.int64).share_memory_()

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._memory.share_memory_()

    @property
    def number(self) -> int:
        """The epoch, from 0."""
        return int(self._memory)

    @number.setter
    def number(self, epoch: int) -> None:
        self._memory.fill_(epoch)
