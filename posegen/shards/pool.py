"""The shards of a dataset, opened when they are read, in the process that reads them, and never too many at once."""

from __future__ import annotations

import contextlib
import itertools
import os
import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posegen.errors import ConfigError, ShardError
from posegen.shards.ahead import AHEAD, Ahead
from posegen.shards.cache import ShardCache
from posegen.shards.manifest import Manifest
from posegen.shards.reader import ShardReader
from posegen.shards.record import ShardRecord
from posegen.shards.schema import StoredLabel
from posegen.shards.source import open_shard
from posegen.storage import AnyPath
from posegen.storage.remote import RemotePath


class ShardPool:
    """Keeps the readers used last; the one not used for the longest time is closed for a new one.

    It can be pickled and forked: what it has open stays with the process that opened it. Threads take turns.

    Parameters
    ----------
    directory, manifest
        Of the dataset.
    most
        How many shards may be open at once in a process.
    cache
        Where shards are kept if the dataset lies elsewhere; None for the usual place and size.

    Raises
    ------
    ConfigError
        If none may be open.
    """

    def __init__(self, directory: AnyPath, manifest: Manifest, most: int, cache: ShardCache | None = None) -> None:
        if most < 1:
            raise ConfigError(f"max_open must be at least 1, not {most}")
        self._directory = directory
        self._manifest = manifest
        self._most = most
        self._cache = cache
        self._labels: tuple[StoredLabel, ...] | None = None
        self._ends = list(itertools.accumulate(record.samples for record in manifest.shards))
        self._start()

    def __getstate__(self) -> dict[str, Any]:
        kept = ("_directory", "_manifest", "_most", "_cache", "_labels", "_ends")
        return {name: self.__dict__[name] for name in kept}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._start()

    def __len__(self) -> int:
        """How many shards this process has open."""
        return len(self._open) if self._process == os.getpid() else 0

    def read_labels(self) -> tuple[StoredLabel, ...]:
        """Read from the first shard how the labels of all of them are stored, and leave none open."""
        if self._labels is None and self._manifest.shards:
            with self.use(0) as reader:
                self._labels = reader.labels
            self.close()
        return self._labels or ()

    @contextlib.contextmanager
    def use(self, shard: int) -> Iterator[ShardReader]:
        """Open a shard by its number, unless it is open, and keep other threads from it.

        Raises
        ------
        ShardError
            If it is missing, damaged, or not the one that the manifest describes.
        """
        if self._process != os.getpid():
            self._leave_parent()
        if self._ahead is not None:
            self._ahead.reach(shard)
        with self._lock:
            reader = self._open.get(shard)
            if reader is None:
                reader = self._open[shard] = self._open_shard(shard)
                while len(self._open) > self._most:
                    self._open.popitem(last=False)[1].close()
            else:
                self._open.move_to_end(shard)
            yield reader

    def expect(self, samples: Sequence[int] | NDArray[np.int64]) -> None:
        """Say in which order samples will be read; of a dataset that lies elsewhere shards are fetched in that order.

        No more are fetched before they are read than there is room for twice.

        Parameters
        ----------
        samples
            (S,) their numbers, which count through the shards.
        """
        if self._process != os.getpid():
            self._leave_parent()
        if self._ahead is None or not self._manifest.shards:
            return
        cache = self._cache or ShardCache()
        largest = max(record.bytes for record in self._manifest.shards) or 1
        self._ahead.expect(self._find_shards(samples), min(AHEAD, cache.most_bytes // (2 * largest)))

    def reach(self, sample: int) -> None:
        """Say that a sample is read now, by another process."""
        if self._ahead is not None:
            self._ahead.reach(bisect_right(self._ends, sample))

    def _find_shards(self, samples: Sequence[int] | NDArray[np.int64]) -> list[int]:
        """Find the shards of some samples, each once, in the order in which they are read first."""
        shards = np.searchsorted(self._ends, np.asarray(samples, np.int64), side="right")
        found, first = np.unique(shards, return_index=True)
        return [int(shard) for shard in found[np.argsort(first)]]

    def close(self) -> None:
        """Close what is open; it opens again when it is used."""
        if self._process != os.getpid():
            self._leave_parent()
        with self._lock:
            while self._open:
                self._open.popitem()[1].close()

    def _start(self) -> None:
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._open: OrderedDict[int, ShardReader] = OrderedDict()
        self._ahead = self._make_ahead()

    def _make_ahead(self) -> Ahead | None:
        return Ahead(self._bring) if isinstance(self._directory, RemotePath) else None

    def _leave_parent(self) -> None:
        """Close this process's copies of what its parent had open; the lock may have been held by a thread of it."""
        inherited = self._open
        self._start()
        for reader in inherited.values():
            reader.close()

    def _open_shard(self, shard: int) -> ShardReader:
        record = self._manifest.shards[shard]
        reader = open_shard(self._directory, record, self._cache)
        try:
            self._compare(reader, record)
        except BaseException:
            reader.close()
            raise
        return reader

    def _bring(self, shard: int) -> None:
        """Fetch a shard of a dataset that lies elsewhere, unless it is kept."""
        record = self._manifest.shards[shard]
        if isinstance(self._directory, RemotePath):
            with (self._cache or ShardCache()).hold(self._directory / record.file, record):
                pass

    def _compare(self, reader: ShardReader, record: ShardRecord) -> None:
        """Make sure that a shard is the one that was built, as far as can be told without reading all of it."""
        found, recorded = (reader.size, len(reader)), (record.bytes, record.samples)
        if found != recorded:
            raise ShardError(
                f"{reader.path}: was changed after the build: it has {found[0]} bytes and {found[1]} samples, but the "
                f"manifest says {recorded[0]} and {recorded[1]}; `posegen verify --repair` builds it again"
            )
        if reader.format_version != self._manifest.format_version:
            raise ShardError(
                f"{reader.path}: has format version {reader.format_version}, but the manifest says "
                f"{self._manifest.format_version}; build the dataset again"
            )
        same = (reader.config, reader.skeleton) == (self._manifest.config, self._manifest.skeleton)
        if not same or (self._labels is not None and not _agree(reader.labels, self._labels)):
            raise ShardError(
                f"{reader.path}: was built with another configuration than the manifest's; "
                "`posegen verify --repair` builds it again"
            )


def _agree(labels: Sequence[StoredLabel], others: Sequence[StoredLabel]) -> bool:
    return len(labels) == len(others) and all(a.agrees(b) for a, b in zip(labels, others, strict=True))
