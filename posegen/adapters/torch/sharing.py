"""Arrays in memory that a DataLoader's worker shares with the process that trains: handing them over copies nothing."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import get_worker_info


class SharedArrays:
    """Makes arrays for a batch, and finds their tensors again; outside of a worker they are ordinary ones."""

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


def make_tensor(shape: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
    """Make a tensor, whatever is in it, as `torch.utils.data.default_collate` does for what it stacks."""
    empty = torch.empty(0, dtype=dtype)
    if get_worker_info() is None or not math.prod(shape):
        return empty.new_empty(shape)
    storage = empty.untyped_storage()._new_shared(math.prod(shape) * dtype.itemsize, device="cpu")  # noqa: SLF001
    return empty.set_(storage, 0, shape)
