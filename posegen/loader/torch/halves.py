"""Widening float16 labels with PyTorch, which uses the instructions that the processor has for it."""

from __future__ import annotations

import threading

import numpy as np
import torch
from numpy.typing import NDArray


def widen_halves(stored: NDArray[np.float16], out: NDArray[np.float32]) -> None:
    """Write float16 values as float32 values. What `posegen.PoseDataset` takes for `widen`."""
    torch.from_numpy(out).copy_(torch.from_numpy(stored))


def keep_to_one_thread() -> None:
    """Have PyTorch do what this thread asks it for without the help of others, which are busy with other samples.

    From 32,768 values on it starts a team of threads each time, also for a thread that is one of many.
    """
    count = torch.get_num_threads()
    if count == 1 or not torch.backends.openmp.is_available():
        return
    torch.set_num_threads(1)
    # With OpenMP that holds for this thread, and for those that start later: for these another thread takes it back.
    other = threading.Thread(target=torch.set_num_threads, args=(count,), name="posegen-loader-start")
    other.start()
    other.join()
