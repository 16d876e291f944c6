"""Which samples are flipped by chance."""

from __future__ import annotations

import os

import numpy as np

_WIDEST = (1 << 64) - 1


class Chance:
    """Tosses a coin for a sample.

    Parameters
    ----------
    seed
        With one, what comes up depends on it, the epoch and the sample alone; without, every process tosses anew.
    """

    def __init__(self, seed: int | None) -> None:
        self._seed = seed
        self._process = -1
        self._random = np.random.default_rng(0)

    def toss(self, epoch: int, index: int) -> bool:
        """Toss it for a sample in an epoch, both counted from 0."""
        if self._seed is None:
            if self._process != os.getpid():
                self._process, self._random = os.getpid(), np.random.default_rng()
            return bool(self._random.integers(2))
        return bool(_mix(_mix(_mix(self._seed) ^ epoch) ^ index) & 1)


def _mix(value: int) -> int:
    """Scramble 64 bits (SplitMix64, Steele et al., doi:10.1145/2660193.2660195)."""
    value = value + 0x9E3779B97F4A7C15 & _WIDEST
    value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9 & _WIDEST
    value = (value ^ value >> 27) * 0x94D049BB133111EB & _WIDEST
    return value ^ value >> 31
