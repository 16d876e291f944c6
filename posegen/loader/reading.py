"""Reading samples step by step: fetched from the files, unpacked into arrays, and put together to batches."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posegen.config import BuildConfig
from posegen.loader.batch import Packed
from posegen.loader.fields import Field
from posegen.loader.samples import Samples
from posegen.shards.schema import StoredLabel, list_columns

Allocate = Callable[[tuple[int, ...], np.dtype[Any]], NDArray[Any]]
"""Makes an array of a shape and dtype, contiguous, whatever is in it."""

_HELD_BYTES = 1 << 25
"""Before compression, of the samples that are read before they are unpacked."""


class BatchReader:
    """Reads batches of one dataset; each step by itself, for loaders that have other threads do the next one.

    Parameters
    ----------
    samples
        How samples are read.
    fields, labels
        What is wanted of them, by name, and the labels among it.
    config
        What the dataset was built with.
    """

    def __init__(
        self, samples: Samples, fields: Mapping[str, Field], labels: Sequence[StoredLabel], config: BuildConfig
    ) -> None:
        self._samples, self._fields = samples, dict(fields)
        columns = (*(column.name for column in list_columns(config)), "views")
        self._columns = [name for name in columns if name in fields]
        self._listed = (*self._columns, *(label.spec.name for label in labels if label.spec.by_person))
        self.array_fields: Mapping[str, Field] = {
            name: field for name, field in fields.items() if name not in self._listed
        }
        """Of the fields, pictures and labels: what `make_arrays` makes arrays of."""

        self._shapes = [(name, field.stack(1)[1:], np.dtype(field.dtype)) for name, field in self.array_fields.items()]
        picture = math.prod(config.input_size) * 3 if "image" in fields else 0
        self._logical = picture + sum(label.logical for label in labels if not label.spec.by_person) or 1

    def make_arrays(self, count: int, allocate: Allocate = np.empty) -> dict[str, NDArray[Any]]:
        """Make the arrays of pictures and labels of so many samples, whatever is in them."""
        return {name: allocate((count, *shape), dtype) for name, shape, dtype in self._shapes}

    def fetch(self, numbers: Sequence[int], epoch: int) -> Packed:
        """Read what the files have of some samples, shard by shard: the first step.

        Parameters
        ----------
        numbers
            B of them, from 0.
        epoch
            Which one random flips and views are drawn for.
        """
        return self._samples.fetch(numbers, epoch)

    def unpack(self, packed: Packed, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Unpack pictures and labels into arrays of `make_arrays`, kind by kind: the second step.

        Most of the time of a batch goes here. Threads may unpack parts of one batch: no shard is used.
        """
        self._samples.unpack(packed, arrays)

    def stack_columns(self, found: dict[str, Any], count: int) -> None:
        """Replace the lists of what so many samples have one of each by arrays: the third step."""
        for name in self._columns:
            field = self._fields[name]
            if field.is_stacked:
                found[name] = np.array(found[name], field.dtype).reshape(field.stack(count))

    def read(self, numbers: Sequence[int], epoch: int, arrays: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
        """Read pictures and labels of samples into `arrays`, and other fields as lists; return all of them."""
        few = max(1, _HELD_BYTES // self._logical)
        if 0 < len(numbers) <= few:
            packed = self.fetch(numbers, epoch)
            self.unpack(packed, arrays)
            return {**packed.columns, **arrays}
        found: dict[str, Any] = {name: [] for name in self._listed}
        for start in range(0, len(numbers), few):
            part = slice(start, start + few)
            some = self.read(numbers[part], epoch, {name: values[part] for name, values in arrays.items()})
            for name in self._listed:
                found[name] += some[name]
        return found | dict(arrays)

    def read_affines(self, numbers: Sequence[int], epoch: int) -> NDArray[np.float64]:
        """Read the maps (B, 2, 3) of image pixels to those of the input, wanted or not."""
        return self._samples.read_affines(numbers, epoch)
