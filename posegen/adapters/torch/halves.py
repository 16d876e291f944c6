"""Widening float16 labels with PyTorch, which uses the instructions that the processor has for it."""

from __future__ import annotations

import warnings

import numpy as np
import torch
from numpy.typing import NDArray


def widen_halves(stored: NDArray[np.float16], out: NDArray[np.float32]) -> None:
    """Write float16 values as float32 values; `out` is contiguous. What `posegen.PoseDataset` takes for `widen`."""
    torch.from_numpy(out).copy_(torch.from_numpy(np.ascontiguousarray(stored)))


# PyTorch says once in a process that writing to a tensor of an array that may not be written to would be bad.
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    torch.from_numpy(np.frombuffer(bytes(2), np.float16))
