"""Which samples of a shard are built together: first all their pictures, then all their labels."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TypeVar

import numpy as np

from posegen.labels import Label

_Item = TypeVar("_Item")

_MOST_TOGETHER = 16

_BATCH_BYTES = 1 << 22
"""Of the labels that are drawn together: more at once do not stay in the cache until they are packed."""


def cut_batches(
    samples: Sequence[_Item], labels: Sequence[Label], *, one_by_one: bool = False
) -> Iterator[Sequence[_Item]]:
    """Cut samples, or their scenes, into the batches whose labels are drawn together."""
    specs = [label.spec for label in labels]
    masks = sum(math.prod(spec.shape) for spec in specs if spec.coarse)
    rest = sum(math.prod(spec.shape) for spec in specs if not spec.coarse) * np.dtype(np.float32).itemsize
    # Not both together: masks must not cut others into smaller batches.
    step = 1 if one_by_one else max(1, min(_MOST_TOGETHER, _BATCH_BYTES // (1 + max(masks, rest))))
    for start in range(0, len(samples), step):
        yield samples[start : start + step]
