"""Whole shards of datasets that lie elsewhere, kept on this disk for all processes of this machine.

    HOME/shards/shard-00000-of-00064-<sha256>.h5    a shard, by its content: whatever dataset it is of
    HOME/shards/.shard-...-<sha256>.h5.partial      one that is being fetched; it has its full size from the start
    HOME/shards/locks/<two digits of sha256>        held by who fetches, opens or removes such a shard
    HOME/shards/locks/room                          held by who makes room

The kernel frees the locks of a process that is killed; what it was fetching then belongs to nobody and is removed. A
shard that is removed while a process has it open stays on the disk until that closes it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections.abc import Iterator
from pathlib import Path

from posegen.errors import ConfigError, ShardError
from posegen.files import TEMPORARY_SUFFIX
from posegen.shards.record import ShardRecord
from posegen.shards.transfer import fetch_shard
from posegen.storage.kept import find_home
from posegen.storage.remote import RemotePath

CACHE_SIZE = 1 << 35
"""Bytes of shards that are kept unless asked otherwise: 32 GiB."""

_PAUSE = 0.05
_SHA_DIGITS = 32


class ShardCache:
    """Shards kept on this disk; the one not opened for the longest time goes first.

    Parameters
    ----------
    most_bytes
        How many bytes the shards kept may have.
    directory
        Where; by default in `posegen.storage.kept.find_home`.

    Raises
    ------
    ConfigError
        If `most_bytes` is no number from 1 on.
    """

    def __init__(self, most_bytes: int = CACHE_SIZE, directory: Path | None = None) -> None:
        if isinstance(most_bytes, bool) or not isinstance(most_bytes, int) or most_bytes < 1:
            raise ConfigError(f"cache_size must be a whole number of bytes from 1, not {most_bytes!r}")
        self.most_bytes = most_bytes
        self.directory = find_home() / "shards" if directory is None else directory

    @contextlib.contextmanager
    def hold(self, file: RemotePath, record: ShardRecord) -> Iterator[Path]:
        """Yield where a shard is on this disk, fetched if need be; within, nobody removes it.

        Raises
        ------
        ShardError
            If it is not there, is not the recorded bytes, cannot be read, or the disk refuses it.
        ConfigError
            If it is larger than all that is kept may be.
        """
        path = self.directory / f"{Path(record.file).stem}-{record.sha256[:_SHA_DIGITS]}.h5"
        try:
            (self.directory / "locks").mkdir(parents=True, exist_ok=True)
            with self._lock(record.sha256[:2]):
                if not _has_size(path, record.bytes):
                    self._fetch(file, record, path)
                os.utime(path)
                yield path
        except OSError as error:
            raise ShardError(f"{file}: cannot be kept in {path}: {error.strerror or error}") from error

    def _fetch(self, file: RemotePath, record: ShardRecord, path: Path) -> None:
        if record.bytes > self.most_bytes:
            raise ConfigError(
                f"{file}: has {record.bytes} bytes, but cache_size lets only {self.most_bytes} be kept; give it "
                "several shards' bytes"
            )
        temporary = path.with_name(f".{path.name}{TEMPORARY_SUFFIX}")
        while not self._reserve(temporary, record):
            time.sleep(_PAUSE)  # others fetch as much as there is room for; what they are done with can go
        fetch_shard(file, record, temporary, path)

    def _reserve(self, temporary: Path, record: ShardRecord) -> bool:
        """Make room for a shard by a file of its size, removing others; tell whether there is any."""
        with self._lock("room"):
            with contextlib.suppress(FileNotFoundError):
                temporary.unlink()  # of who was killed: this process holds the lock of it now
            held: list[tuple[float, int, Path]] = []
            total = 0
            for path in self.directory.glob("*.h5*"):
                with contextlib.suppress(FileNotFoundError):
                    status = path.stat()
                    held.append((0.0 if path.suffix == TEMPORARY_SUFFIX else status.st_mtime, status.st_size, path))
                    total += status.st_size
            for _, size, path in sorted(held):
                if total + record.bytes <= self.most_bytes and path.suffix != TEMPORARY_SUFFIX:
                    break
                if self._remove(path, record.sha256[:2]):
                    total -= size
            if total + record.bytes > self.most_bytes:
                return False
            with temporary.open("wb") as file:
                file.truncate(record.bytes)
            return True

    def _remove(self, path: Path, held: str) -> bool:
        """Remove a shard, or what is left of fetching one, unless somebody has its lock; `held` is this process's."""
        slot = path.name.removesuffix(TEMPORARY_SUFFIX).removesuffix(".h5").rpartition("-")[2][:2]
        with contextlib.suppress(BlockingIOError, FileNotFoundError):
            with contextlib.nullcontext() if slot == held else self._lock(slot, wait=False):
                path.unlink()
            return True
        return False

    @contextlib.contextmanager
    def _lock(self, name: str, *, wait: bool = True) -> Iterator[None]:
        """Hold a lock against other processes and threads; raises `BlockingIOError` if it is held and `wait` is not."""
        try:
            import fcntl
        except ModuleNotFoundError as error:
            raise OSError(
                errno.ENOTSUP, "shards are kept under Linux and macOS alone; posegen fetch copies them"
            ) from error
        descriptor = os.open(self.directory / "locks" / name, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            try:
                yield
            finally:
                # Not by closing: a process that was forked meanwhile has the same lock open.
                fcntl.flock(descriptor, fcntl.LOCK_UN)
        finally:
            os.close(descriptor)


def _has_size(path: Path, size: int) -> bool:
    try:
        return path.stat().st_size == size
    except FileNotFoundError:
        return False
