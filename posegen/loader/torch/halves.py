"""Widening float16 labels with PyTorch, which uses the instructions that the processor has for it."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

_ONE_THREAD = 1 << 14
"""So many values PyTorch copies in the thread that asks: from 32,768 on it starts a team of threads each time."""


def widen_halves(stored: NDArray[np.float16], out: NDArray[np.float32]) -> None:
    """Write float16 values as float32 values. What `posegen.PoseDataset` takes for `widen`."""
    torch.from_numpy(out).copy_(torch.from_numpy(stored))


def widen_in_thread(stored: NDArray[np.float16], out: NDArray[np.float32]) -> None:
    """Write float16 values as float32 values without the help of other threads, which are busy with other samples."""
    halves, values = torch.from_numpy(stored).view(-1), torch.from_numpy(out).view(-1)
    for start in range(0, len(halves), _ONE_THREAD):
        values[start : start + _ONE_THREAD].copy_(halves[start : start + _ONE_THREAD])
