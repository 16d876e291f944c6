"""Memory of batches that is filled again when training holds no tensor of it any more.

New memory for every batch has to be cleared and mapped by the system, page by page, which takes as long as reading it.
"""

from __future__ import annotations

import math
import threading
import weakref
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

_ALIGNMENT = 64

_MOST_IDLE = 24
"""Blocks that are kept though nobody uses them."""

_MOST_TIMES = 4
"""A block is not used for less than a quarter of its bytes: the last batch of an epoch may be a small one."""


@dataclass(slots=True, eq=False)
class _Block:
    """Memory for an array.

    Attributes
    ----------
    memory
        (B,) uint8, aligned.
    size
        B.
    used
        The array at the bottom of whatever was laid there last; it is gone when all tensors of it are.
    """

    memory: NDArray[np.uint8]
    size: int
    used: weakref.ref[NDArray[np.uint8]] | None = None

    @classmethod
    def make(cls, size: int) -> _Block:
        """Make one of so many bytes."""
        memory = np.empty(size + _ALIGNMENT, np.uint8)
        start = -memory.ctypes.data % _ALIGNMENT
        return cls(memory[start : start + size], size)

    @property
    def is_free(self) -> bool:
        """Whether no tensor is left of what was laid there."""
        return self.used is None or self.used() is None

    def lay(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> torch.Tensor:
        """Lay a tensor there, of any views of which the block stays in use."""
        # A view of an array keeps alive the array at the bottom of all views: here one that is not the block's own.
        bottom = np.frombuffer(self.memory.data, np.uint8)
        self.used = weakref.ref(bottom)
        data = bottom[: math.prod(shape) * dtype.itemsize]
        return torch.from_numpy(data.view(dtype).reshape(shape))


_BY_SIZE = attrgetter("size")


class Buffers:
    """Makes tensors, in memory that nobody uses any more where there is some. A copy of it starts with none.

    Parameters
    ----------
    pinned
        Whether memory is pinned. PyTorch itself recycles such memory, and knows when a copy to a device is done with
        it, which whoever counts tensors does not.
    """

    def __init__(self, *, pinned: bool = False) -> None:
        self._pinned = pinned
        self._blocks: list[_Block] = []
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(Buffers, pinned=self._pinned), ()

    def __len__(self) -> int:
        """How many blocks there are."""
        return len(self._blocks)

    def lay(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> torch.Tensor:
        """Make a tensor, whatever is in it."""
        size = math.prod(shape) * dtype.itemsize
        if self._pinned or not size:
            return torch.empty(shape, dtype=getattr(torch, dtype.name), pin_memory=self._pinned)
        with self._lock:
            best = self._choose(size)
            if best is None:
                best = _Block.make(size)
                self._blocks.append(best)
            return best.lay(shape, dtype)

    def _choose(self, size: int) -> _Block | None:
        """Choose the smallest block that nobody uses, and let go the smallest of too many."""
        idle = [block for block in self._blocks if block.is_free]
        fitting = [block for block in idle if size <= block.size <= size * _MOST_TIMES]
        best = min(fitting, key=_BY_SIZE) if fitting else None
        if len(idle) > _MOST_IDLE:
            # The smallest are of the least use.
            for block in sorted(idle, key=_BY_SIZE)[: len(idle) - _MOST_IDLE]:
                if block is not best:
                    self._blocks.remove(block)
        return best
