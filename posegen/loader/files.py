"""What the files of a dataset have of samples by their numbers, which count through the shards in their order."""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from posegen.shards import ShardReader, StoredLabel
from posegen.shards.pool import ShardPool


class SampleFiles:
    """Reads what is stored of samples, and unpacks none of it.

    Parameters
    ----------
    pool
        The shards.
    sizes
        How many samples each has.
    labels
        Those that can be asked for.
    """

    def __init__(self, pool: ShardPool, sizes: Sequence[int], labels: Sequence[StoredLabel]) -> None:
        self._pool = pool
        self._labels = {label.spec.name: label for label in labels}
        self._starts = [0, *itertools.accumulate(sizes)]

    def __len__(self) -> int:
        return self._starts[-1]

    def collect(
        self, numbers: Sequence[int], names: Sequence[str], columns: Sequence[str]
    ) -> tuple[dict[str, list[Any]], dict[str, list[Any]]]:
        """Read some samples, shard by shard, in the order in which they are asked for.

        Parameters
        ----------
        numbers
            B of them, from 0; one may come more than once.
        names
            Of labels, `image`, and `ignored` for the bitmap of what is.
        columns
            Of `posegen.shards.COLUMNS`.

        Returns
        -------
        By name B pictures, bitmaps, chunks of a label, or rows of one by person as they are stored; and by column B
        values.
        """
        held: dict[str, list[Any]] = {name: [None] * len(numbers) for name in names}
        told: dict[str, list[Any]] = {name: [None] * len(numbers) for name in columns}
        in_order = sorted(range(len(numbers)), key=numbers.__getitem__)
        for shard, group in itertools.groupby(in_order, lambda place: self._find_shard(numbers[place])):
            places = list(group)
            positions = [numbers[place] - self._starts[shard] for place in places]
            with self._pool.use(shard) as reader:
                for name, of_all in held.items():
                    for place, value in zip(places, self._read(reader, name, positions), strict=True):
                        of_all[place] = value
                for name, values in told.items():
                    for place, value in zip(places, reader.column(name, positions), strict=True):
                        values[place] = value
        return held, told

    def _read(self, reader: ShardReader, name: str, positions: Sequence[int]) -> Sequence[Any]:
        """Read pictures, bitmaps or a label at positions of a shard, without unpacking them."""
        if name == "image":
            return reader.pictures(positions)
        if name == "ignored":
            return [reader.ignored(position) for position in positions]
        label = self._labels[name]
        if label.spec.by_person:
            return [reader.rows(label, position) for position in positions]
        return reader.chunks(label, positions)

    def _find_shard(self, number: int) -> int:
        """Find the shard of a sample."""
        return bisect_right(self._starts, number) - 1
