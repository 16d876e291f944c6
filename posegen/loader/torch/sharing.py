"""Memory that a DataLoader's worker shares with the process that trains, and fills again.

A batch has 10 MB and more. PyTorch makes new memory for each, which the system has to clear and to map, page by page,
in both processes: that takes longer than reading the batch. Here a worker keeps the memory it has shared, and fills it
again when nobody uses it any more; the process that gets a batch says so in a byte in front of each array.

A process that is forked while it has tensors of a batch does not count among their users.
"""

from __future__ import annotations

import itertools
import math
import multiprocessing
import os
import shutil
import threading
import uuid
import weakref
from dataclasses import dataclass
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import get_worker_info

from posegen.errors import ConfigError

_FRONT = 64
"""Bytes before an array: the first one is 0 if it is free; so many keep the array aligned."""

_LITTLE = 1 << 16
"""Bytes that are sent sooner than they are shared."""

_SHARED = Path("/dev/shm")  # noqa: S108 (where the system keeps shared memory, not a place for files of ours)

_WAYS_OUT = (
    "give a container more of it (docker run --shm-size=8g, or --ipc=host), take fewer workers, smaller batches, "
    "prefetch_factor=1, fewer fields or image_dtype='uint8', or read with posegen.loader.torch.PoseLoader, whose "
    "threads need none"
)

_MOST_IDLE = 24
"""Blocks that a worker keeps though nobody uses them."""

_DTYPES = frozenset(
    {torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.float16, torch.float32}
    | {torch.float64}
)

_LOCK = threading.RLock()


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


def _refuse_full(size: int) -> None:
    """Refuse an array that there is no room for: the system would kill the process that writes to it, by SIGBUS."""
    if not _SHARED.is_dir():
        return
    usage = shutil.disk_usage(_SHARED)
    if usage.free < _FRONT + size:
        raise ConfigError(
            f"{_SHARED} is full: an array of a batch takes {size / 1e6:,.1f} MB, and of {usage.total / 1e6:,.0f} MB "
            f"{usage.free / 1e6:,.1f} are free; {_WAYS_OUT}"
        )


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

    @classmethod
    def make(cls, size: int) -> _Block:
        """Make one for an array of so many bytes. Raises `ConfigError` if there is no room for it."""
        empty = torch.empty(0, dtype=torch.uint8)
        _refuse_full(size)
        try:
            storage = empty.untyped_storage()._new_shared(_FRONT + size, device="cpu")  # noqa: SLF001
        except RuntimeError as error:
            raise ConfigError(f"shared memory for an array of a batch cannot be had: {error}; {_WAYS_OUT}") from error
        return cls(empty.set_(storage, 0, (_FRONT + size,)))

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

    @property
    def is_free(self) -> bool:
        """Whether the block can be lent again."""
        return self.is_over and not self.block.is_used

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
    """Where a tensor lies, and in which shape; `memory` comes along when a block is used for the first time."""

    number: int
    shape: tuple[int, ...]
    dtype: torch.dtype
    channels_last: bool
    memory: torch.Tensor | None


class _Lender:
    """The blocks of this process, which is a worker."""

    def __init__(self) -> None:
        maker = multiprocessing.parent_process()
        self.worker = _Worker(uuid.uuid4().hex, os.getpid(), None if maker is None else maker.pid)
        self._loans: dict[int, _Loan] = {}
        """The last of each block, by the block's number."""

        self._numbers = itertools.count()
        self._shown: set[int] = set()
        self._dropped: list[int] = []

    def lend(self, shape: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
        size = math.prod(shape) * dtype.itemsize
        with _LOCK:
            idle = sorted((old for old in self._loans.values() if old.is_free), key=lambda old: old.block.size)
            best = next((old for old in idle if old.block.size >= size), None)
            loan = _Loan(next(self._numbers), _Block.make(size)) if best is None else _Loan(best.number, best.block)
            self._loans[loan.number] = loan
            loan.block.is_used = True
            for old in idle[: max(0, len(idle) - _MOST_IDLE)]:
                if old is not best:
                    del self._loans[old.number]
                    self._dropped.append(old.number)
        tensor, bottom = loan.block.lay(shape, dtype)
        weakref.finalize(bottom, loan.end, os.getpid()).atexit = False
        return tensor

    def hand_over(self, batch: SharedBatch) -> tuple[list[int], dict[str, Any]]:
        """Return the numbers of blocks that are no longer used, and what has to be sent of a batch."""
        with _LOCK:
            dropped, self._dropped = self._dropped, []
            return dropped, {name: self._address(value) for name, value in batch.items()}

    def _address(self, value: Any) -> Any:
        """Replace a tensor that was lent by its address, and another little one by what is in it."""
        if not _is_plain(value):
            return value
        channels_last = not value.is_contiguous()
        place = value.data_ptr() - _FRONT
        rows = value.permute(0, 2, 3, 1) if channels_last else value
        loan = next((loan for loan in self._loans.values() if loan.block.memory.data_ptr() == place), None)
        if loan is None or loan.is_handed_over:
            return _Little(rows.numpy(), channels_last) if value.nbytes <= _LITTLE else value
        loan.is_handed_over = True
        memory = None if loan.number in self._shown else loan.block.memory
        self._shown.add(loan.number)
        return _Address(loan.number, tuple(rows.shape), value.dtype, channels_last, memory)


def _is_plain(value: Any) -> bool:
    """Tell whether a value is a tensor like an array of NumPy's, and nothing else that PyTorch knows to send."""
    return (
        type(value) is torch.Tensor
        and value.layout is torch.strided
        and value.dtype in _DTYPES
        and value.device.type == "cpu"
        and not (value.requires_grad or value.is_nested or value.is_neg())
        and (value.is_contiguous() or (value.ndim == 4 and value.is_contiguous(memory_format=torch.channels_last)))
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Little:
    """A tensor that comes along as it is."""

    array: NDArray[Any]
    channels_last: bool


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
    return _open, (lender.worker, *lender.hand_over(batch))


def _open(worker: _Worker, dropped: list[int], values: dict[str, Any]) -> dict[str, Any]:
    """Make the batch again in the process that gets it."""
    with _LOCK:
        if worker not in _BORROWED:
            # What workers that have ended have shared is let go.
            alive = {child.pid for child in multiprocessing.active_children()}
            for old in [old for old in _BORROWED if old.maker == os.getpid() and old.process not in alive]:
                del _BORROWED[old]
        blocks = _BORROWED.setdefault(worker, {})
        for number in dropped:
            blocks.pop(number, None)
        return {name: _restore(value, blocks) for name, value in values.items()}


def _restore(value: Any, blocks: dict[int, _Block]) -> Any:
    if isinstance(value, _Little):
        tensor = torch.from_numpy(value.array)
    elif isinstance(value, _Address):
        if value.memory is not None:
            blocks[value.number] = _Block(value.memory)
        block = blocks[value.number]
        tensor, bottom = block.lay(value.shape, value.dtype)
        weakref.finalize(bottom, _give_back, block, os.getpid()).atexit = False
    else:
        return value
    return tensor.permute(0, 3, 1, 2) if value.channels_last else tensor


def _give_back(block: _Block, process: int) -> None:
    if process == os.getpid():
        block.is_used = False


def _start_child() -> None:
    """Forget whatever thread of the parent had the lock."""
    global _LOCK  # noqa: PLW0603
    _LOCK = threading.RLock()
    _BORROWED.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_child)

# Only what goes from process to process is reduced so: a copy of a batch is a copy.
ForkingPickler.register(SharedBatch, _reduce)
