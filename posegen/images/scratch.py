"""Memory for what is made on the way to something else, which a thread uses again."""

from __future__ import annotations

import math
import threading
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray


class Scratch(threading.local):
    """Lends each thread one array at a time, in memory that it keeps: new memory the system clears and maps first."""

    def __init__(self) -> None:
        self._memory = np.empty(0, np.uint8)

    def lend(self, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """Lend an array, contiguous, whatever is in it, until the thread asks for the next one."""
        kind = np.dtype(dtype)
        size = math.prod(shape) * kind.itemsize
        if len(self._memory) < size:
            self._memory = np.empty(size, np.uint8)
        return self._memory[:size].view(kind).reshape(shape)
