"""The order in which training reads the samples of a dataset: shuffled, but only a few shards at a time.

Pure functions of the seed and the epoch: every process that calls them knows the whole order, and none has to be told.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from posegen.errors import ConfigError

Remainder = Literal["keep", "repeat", "drop"]


def shuffle_shards(sizes: Sequence[int], *, seed: int = 0, epoch: int = 0, window: int = 4) -> NDArray[np.int64]:
    """Shuffle the samples of a dataset so that they are read from `window` shards at a time.

    The shards are put into random order and taken `window` by `window`; the samples of those are shuffled together. A
    build spreads its samples over the shards at random, so these are themselves a random part of the dataset.

    Parameters
    ----------
    sizes
        Samples in each shard, in the order in which the dataset counts them.
    seed, epoch
        What the order is drawn from; each epoch has its own.
    window
        Shards read at a time, at least 1; as many as there are shards makes an ordinary shuffle.

    Returns
    -------
    (samples,) int64, the indices of all samples.

    Raises
    ------
    ConfigError
        If `seed` or `epoch` is negative, or `window` less than 1.
    """
    for name, value, least in (("seed", seed, 0), ("epoch", epoch, 0), ("window", window, 1)):
        if value < least:
            raise ConfigError(f"{name} must be a whole number from {least}, not {value}")
    random = np.random.default_rng((seed, epoch))
    starts = np.cumsum([0, *sizes])
    shards = random.permutation(len(sizes))
    groups = [np.zeros(0, np.int64)]
    for first in range(0, len(shards), window):
        members = [np.arange(starts[shard], starts[shard + 1]) for shard in shards[first : first + window]]
        groups.append(random.permutation(np.concatenate(members)))
    return np.concatenate(groups).astype(np.int64)


def take_share(order: NDArray[np.int64], rank: int, ranks: int, *, remainder: Remainder = "keep") -> NDArray[np.int64]:
    """Cut out the part of an order that one of several processes reads: a run of it, to read few shards.

    Parameters
    ----------
    order
        (samples,) as `shuffle_shards` makes it, the same in all processes.
    rank, ranks
        Which process this is, from 0, and how many there are.
    remainder
        What happens where the samples do not divide by `ranks`. `keep`: some processes read one more, so together they
        read each sample once. `repeat`: the first samples of the order are read once more to make all shares equal.
        `drop`: the last samples of the order are left out, in each epoch others.

    Raises
    ------
    ConfigError
        If there is no such rank or remainder.
    """
    if not 0 <= rank < ranks:
        raise ConfigError(f"rank must be from 0 to {ranks - 1} for {ranks} processes, not {rank}")
    if remainder not in get_args(Remainder):
        raise ConfigError(f"remainder must be one of {', '.join(get_args(Remainder))}, not {remainder!r}")
    total = len(order)
    if remainder == "repeat":
        total += -total % ranks
        order = np.resize(order, total)
    elif remainder == "drop":
        total -= total % ranks
    return order[rank * total // ranks : (rank + 1) * total // ranks]
