"""Telling datasets that lie elsewhere which shards come next, while the order of their samples is handed out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from posegen.loader.dataset import PoseDataset


def follow(sources: Sequence[Any], indices: Sequence[int]) -> Iterator[int]:
    """Yield samples' numbers; of the dataset they are of, shards are fetched ahead of them.

    Parameters
    ----------
    sources
        The datasets that the numbers count through, or what wraps them as `data`. Where they are several, or parts,
        shards are fetched when they are read.
    indices
        The numbers, in the order in which other processes will read them.
    """
    data = getattr(sources[0], "data", sources[0]) if len(sources) == 1 else None
    if not isinstance(data, PoseDataset) or isinstance(data.path, Path) or max(indices, default=0) >= len(data):
        yield from indices
        return
    data.pool.expect(indices)
    for index in indices:
        data.pool.reach(index)
        yield index
