"""Where a build puts its shards and finds them again: a directory, or a prefix of a bucket.

On a disk a shard is known by its sha256, for which it is read. In a bucket that would be a download, so it is known by
the tag that the server gave it when it arrived and was compared: the record of a shard has it.
"""

from __future__ import annotations

import contextlib
import errno
import shutil
import time
from pathlib import Path

from posegen.errors import ShardError
from posegen.files import hash_file
from posegen.shards import ShardRecord
from posegen.shards.record import compare_bytes, locate
from posegen.storage import AnyPath, Location, Place, find_place, list_names
from posegen.storage.find import is_url, strip_file

_SETTLED_NS = 2_000_000_000
"""What was written so long ago would have another time of change if it were written again: clocks tick coarsely."""

_FRESH_S = 5.0
"""So long a listing of a bucket is believed when nothing depends on it but which records are read."""


def find_output(out: Location) -> AnyPath:
    """Return where a dataset is to be built; raises `ConfigError` for a URL of no known scheme."""
    if isinstance(out, Place):
        return out
    return find_place(out) if is_url(out) else strip_file(out)


class Store:
    """Where one build puts its shards.

    Parameters
    ----------
    out, home
        Where the dataset will be, and where there is what the build goes on from.
    """

    def __init__(self, out: AnyPath, home: AnyPath) -> None:
        self.out = out
        self.home = home
        self.staged = home / "shards"
        self._tags: dict[str, str] = {}
        self._hashes: dict[Path, tuple[tuple[int, ...], str]] = {}
        self._names: frozenset[str] = frozenset()
        self._listed = float("-inf")

    def make(self) -> None:
        """Make the directories. Raises `OSError`; `ShardError` if symbolic links lead out of them."""
        if isinstance(self.staged, Path):
            locate(self.out, self.staged.relative_to(str(self.out)).as_posix())
            self.staged.mkdir(parents=True, exist_ok=True)

    def has_any(self, *names: str) -> bool:
        """Tell whether a file of one of these names is in `home`, as of a few seconds ago. Raises `OSError`."""
        if isinstance(self.home, Path):
            return any((self.home / name).exists() for name in names)
        if time.monotonic() - self._listed > _FRESH_S:
            self._names, self._listed = list_names(self.home), time.monotonic()
        return not self._names.isdisjoint(names)

    def wrote(self, name: str) -> None:
        """Say that a file of that name was written to `home`."""
        self._names |= {name}

    def free(self) -> int | None:
        """Return how many bytes are free; None where that has no end. Raises `OSError`."""
        return shutil.disk_usage(self.out).free if isinstance(self.out, Path) else None

    def note(self, shard: ShardRecord) -> str | None:
        """Return the tag of a shard that was just written; None on a disk. Raises `OSError` if it is not there."""
        if isinstance(self.staged, Path):
            return None
        place = self.staged / shard.file
        tag = Place.identify(place)
        if int(tag.split()[0]) != shard.bytes:
            raise OSError(errno.EIO, f"has {tag.split()[0]} bytes, {shard.bytes} were written", str(place))
        self._tags[shard.file] = tag
        return tag

    def recall(self, shard: ShardRecord, tag: str | None) -> None:
        """Take the tag of a shard from its record."""
        if tag is not None:
            self._tags[shard.file] = tag

    def find(self, shard: ShardRecord) -> AnyPath | None:
        """Find the file that has a shard's bytes."""
        for directory in (self.staged, self.out):
            with contextlib.suppress(OSError, ShardError):
                path = directory / shard.file
                if isinstance(path, Path):
                    if path.stat().st_size == shard.bytes and self._hash(path) == shard.sha256:
                        return path
                elif self._is_stored(path, shard):
                    return path
        return None

    def _hash(self, path: Path) -> str:
        """Return the sha256 of a file, which is read once while nothing was done to it."""
        status = path.stat()
        now = status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
        before, known = self._hashes.get(path, ((), ""))
        if before == now:
            return known
        found = hash_file(path)
        if time.time_ns() - status.st_ctime_ns > _SETTLED_NS:
            self._hashes[path] = now, found
        return found

    def move(self, place: AnyPath, shard: ShardRecord) -> None:
        """Move a shard to `out`. Another process that finishes the same build may have done so: then it is there.

        Raises
        ------
        OSError
            If it cannot be moved, or is not in its place then.
        """
        if isinstance(place, Path) and isinstance(self.out, Path):
            try:
                place.replace(self.out / shard.file)
            except FileNotFoundError:
                if compare_bytes(self.out, shard) is not None:
                    raise
            return
        target = self.out / shard.file
        if isinstance(place, Path) or isinstance(target, Path):
            raise OSError(errno.EIO, "cannot be moved there", str(target))
        with contextlib.suppress(FileNotFoundError):
            place.copy(target)
        if not self._is_stored(target, shard):
            raise OSError(errno.EIO, "is not what was copied there", str(target))
        place.unlink(missing_ok=True)

    def _is_stored(self, path: Place, shard: ShardRecord) -> bool:
        """Tell whether an object is a shard: by its tag, or, as copies may have another, by its bytes."""
        found = Place.identify(path)
        if found == self._tags.get(shard.file):
            return True
        return int(found.split()[0]) == shard.bytes and hash_file(path) == shard.sha256


def remove_tree(folder: AnyPath) -> None:
    """Remove a folder and all in it, which another process may be removing, too. Raises `OSError`."""
    if isinstance(folder, Place):
        folder.remove_tree()
        return
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(folder)
