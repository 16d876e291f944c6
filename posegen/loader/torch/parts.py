"""Which samples of a dataset lie together in a shard, also where PyTorch has cut or joined datasets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import ConcatDataset, Subset

from posegen.errors import ConfigError


class Sharded(Protocol):
    """What has samples in shards: a `TorchPoseDataset`, a `posegen.PoseDataset`."""

    @property
    def shard_sizes(self) -> tuple[int, ...]:
        """How many samples each shard has."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Parts:
    """The samples of a dataset, shard by shard.

    Attributes
    ----------
    sizes
        How many there are of each shard of which there are any.
    indices
        (samples,) int64, their numbers in the dataset.
    sources
        The datasets that have the shards.
    """

    sizes: tuple[int, ...]
    indices: NDArray[np.int64]
    sources: tuple[Sharded, ...]


def find_parts(dataset: Any) -> Parts:
    """Find the shards of a dataset, of a `Subset` of one, as `random_split` makes it, or of a `ConcatDataset`.

    Raises
    ------
    ConfigError
        If it is none of these.
    """
    sizes = getattr(dataset, "shard_sizes", None)
    if sizes is not None:
        return Parts(sizes=tuple(sizes), indices=np.arange(sum(sizes)), sources=(dataset,))
    if isinstance(dataset, ConcatDataset):
        parts = [find_parts(part) for part in dataset.datasets]
        starts = [0, *dataset.cumulative_sizes]
        return Parts(
            sizes=tuple(size for part in parts for size in part.sizes),
            indices=np.concatenate([part.indices + start for part, start in zip(parts, starts, strict=False)]),
            sources=tuple(source for part in parts for source in part.sources),
        )
    if isinstance(dataset, Subset):
        return _cut(find_parts(dataset.dataset), np.array(dataset.indices, np.int64))
    raise ConfigError(
        f"a {type(dataset).__name__} does not say which samples are in a shard together: ShardShuffleSampler takes a "
        "TorchPoseDataset, and Subset, random_split and ConcatDataset of some; give another dataset a property "
        "shard_sizes, the samples of each shard, or take PyTorch's RandomSampler, which reads in any order"
    )


def _cut(whole: Parts, chosen: NDArray[np.int64]) -> Parts:
    """Take some samples of a dataset, by their numbers in it, in any order and even twice."""
    place = np.empty(len(whole.indices), np.int64)
    place[whole.indices] = np.arange(len(place))
    places = place[chosen]
    order = np.argsort(places, kind="stable")
    shards = np.searchsorted(np.cumsum(whole.sizes), places, side="right")
    counts = np.bincount(shards, minlength=len(whole.sizes))
    return Parts(sizes=tuple(counts[counts > 0].tolist()), indices=order, sources=whole.sources)
