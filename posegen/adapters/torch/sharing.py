"""Memory that a DataLoader's worker shares with the process that trains, and fills again.

A batch has 10 MB and more. PyTorch makes new memory for each, which the system has to clear and to map, page by page,
in both processes: that takes longer than reading the batch. Here a worker keeps the memory it has shared, and fills it
again when nobody uses it any more; the process that gets a batch says so in a byte in front of each array.
"""

from __future__ import annotations

import math
import multiprocessing
import os
import uuid
import weakref
from dataclasses import dataclass
from multiprocessing.reduction import ForkingPickler
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import get_worker_info

_FRONT = 64
"""Bytes before an array: the first one is 0 if it is free; so many keep the array aligned."""

_LITTLE = 1 << 16
"""Bytes that are sent sooner than they are shared."""


class SharedArrays:
    """Makes the arrays of a batch, and finds their tensors again; outside of a worker they are ordinary ones."""

    def __init__(self) -> None:
        self._tensors: dict[int, torch.Tensor] = {}

    def allocate(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
        """Make an array, whatever is in it; what `posegen.PoseDataset.batch` takes."""
        tensor = make_tensor(shape, getattr(torch, dtype.name))
        array = tensor.numpy()
        self._tensors[array.ctypes.data] = tensor
        return array

    def tensor(self, array: NDArray[Any]) -> torch.Tensor:
        """Return the tensor of an array; of one that was made elsewhere, too."""
        made = self._tensors.get(array.ctypes.data)
        return torch.from_numpy(array) if made is None else made


class SharedBatch(dict[str, Any]):
    """A batch that a worker hands over: the process that gets it has a dict, whose tensors lie where they were made."""


def make_tensor(shape: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
    """Make a tensor, whatever is in it; in a worker, in shared memory."""
    if get_worker_info() is None or not math.prod(shape):
        return torch.empty(shape, dtype=dtype)
    return _lender().lend(shape, dtype)


class _Block:
    """A piece of shared memory for an array.

    Parameters
    ----------
    memory
        (B,) uint8, shared; the first `_FRONT` bytes are not for the array.
    """

    def __init__(self, memory: torch.Tensor) -> None:
        self.memory = memory
        self.size = len(memory) - _FRONT
        self._front = memory.numpy()[:1]

    @property
    def is_used(self) -> bool:
        """Whether one of the processes uses it."""
        return bool(self._front[0])

    @is_used.setter
    def is_used(self, value: bool) -> None:
        self._front[0] = value

    def lay(self, shape: tuple[int, ...], dtype: torch.dtype) -> tuple[torch.Tensor, NDArray[np.uint8]]:
        """Make a tensor that lies there, and the array that lives until the last view of the tensor is gone."""
        # An array keeps alive the array at the bottom of all that it is a view of.
        bottom = self.memory.numpy()
        data = bottom[_FRONT : _FRONT + math.prod(shape) * dtype.itemsize]
        return torch.from_numpy(data).view(dtype).view(shape), bottom


@dataclass(slots=True, eq=False)
class _Loan:
    """A worker's use of a block, from when a tensor is laid there until the worker has no view of it left."""

    number: int
    block: _Block
    is_over: bool = False
    is_handed_over: bool = False

    def end(self, process: int) -> None:
        # A child that was forked meanwhile has a copy of the tensor, and no say.
        if process == os.getpid():
            self.is_over = True
            if not self.is_handed_over:
                self.block.is_used = False


@dataclass(frozen=True, slots=True)
class _Worker:
    """Who lends: a name that no other has, its process and the one that made it."""

    name: str
    process: int
    maker: int | None


@dataclass(frozen=True, slots=True, eq=False)
class _Address:
    """Where a tensor lies; `memory` comes along when a block is used for the first time."""

    number: int
    shape: tuple[int, ...]
    dtype: torch.dtype
    memory: torch.Tensor | None


class _Lender:
    """The blocks of this process, which is a worker."""

    def __init__(self) -> None:
        maker = multiprocessing.parent_process()
        self.worker = _Worker(uuid.uuid4().hex, os.getpid(), None if maker is None else maker.pid)
        self._loans: list[_Loan] = []
        """The last of each block."""

        self._shown: set[int] = set()

    def lend(self, shape: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
        size = math.prod(shape) * dtype.itemsize
        free = [old for old in self._loans if old.is_over and not old.block.is_used and old.block.size >= size]
        if free:
            best = min(free, key=lambda old: old.block.size)
            loan = self._loans[best.number] = _Loan(best.number, best.block)
        else:
            storage = torch.empty(0, dtype=torch.uint8).untyped_storage()._new_shared(_FRONT + size, device="cpu")  # noqa: SLF001
            memory = torch.empty(0, dtype=torch.uint8).set_(storage, 0, (_FRONT + size,))
            loan = _Loan(len(self._loans), _Block(memory))
            self._loans.append(loan)
        loan.block.is_used = True
        tensor, bottom = loan.block.lay(shape, dtype)
        weakref.finalize(bottom, loan.end, os.getpid()).atexit = False
        return tensor

    def hand_over(self, value: Any) -> Any:
        """Replace a tensor that was lent by its address, and another little one by what is in it."""
        if not isinstance(value, torch.Tensor) or value.device.type != "cpu" or not value.is_contiguous():
            return value
        loan = next((loan for loan in self._loans if loan.block.memory.data_ptr() + _FRONT == value.data_ptr()), None)
        if loan is None or loan.is_handed_over:
            return _Little(value.numpy()) if value.nbytes <= _LITTLE and not value.requires_grad else value
        loan.is_handed_over = True
        memory = None if loan.number in self._shown else loan.block.memory
        self._shown.add(loan.number)
        return _Address(loan.number, tuple(value.shape), value.dtype, memory)


@dataclass(frozen=True, slots=True, eq=False)
class _Little:
    """A tensor that comes along as it is."""

    array: NDArray[Any]


_LENDERS: dict[int, _Lender] = {}
"""By process: a child that is forked starts anew."""

_BORROWED: dict[_Worker, dict[int, _Block]] = {}
"""The blocks of this process's workers, by their numbers."""


def _lender() -> _Lender:
    if os.getpid() not in _LENDERS:
        _LENDERS.clear()
        _LENDERS[os.getpid()] = _Lender()
    return _LENDERS[os.getpid()]


def _reduce(batch: SharedBatch) -> tuple[Any, ...]:
    lender = _lender()
    return _open, (lender.worker, {name: lender.hand_over(value) for name, value in batch.items()})


def _open(worker: _Worker, values: dict[str, Any]) -> dict[str, Any]:
    """Make the batch again in the process that gets it."""
    if worker not in _BORROWED:
        # What workers that have ended have shared is let go.
        alive = {child.pid for child in multiprocessing.active_children()}
        for old in [old for old in _BORROWED if old.maker == os.getpid() and old.process not in alive]:
            del _BORROWED[old]
    blocks = _BORROWED.setdefault(worker, {})
    return {name: _restore(value, blocks) for name, value in values.items()}


def _restore(value: Any, blocks: dict[int, _Block]) -> Any:
    if isinstance(value, _Little):
        return torch.from_numpy(value.array)
    if not isinstance(value, _Address):
        return value
    if value.memory is not None:
        blocks[value.number] = _Block(value.memory)
    block = blocks[value.number]
    tensor, bottom = block.lay(value.shape, value.dtype)
    weakref.finalize(bottom, _give_back, block, os.getpid()).atexit = False
    return tensor


def _give_back(block: _Block, process: int) -> None:
    if process == os.getpid():
        block.is_used = False


# Only what goes from process to process is reduced so: a copy of a batch is a copy.
ForkingPickler.register(SharedBatch, _reduce)
