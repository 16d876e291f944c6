"""Files behind URLs, by the package fsspec and what it knows them by: s3fs, gcsfs, huggingface_hub, aiohttp.

Every request is tried several times. Listings are remembered only as far as they tell which files there are and whether
they have changed; nothing is taken from a cache of the package's, which may be older.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import importlib
import io
import random
import time
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

from posegen.errors import ConfigError, MissingExtraError
from posegen.storage.place import AnyPath, Entry, Place

if TYPE_CHECKING:
    from typing_extensions import Self

ATTEMPTS = 8
"""Times that a request is made before it counts as failed: within ten seconds a busy server answers again."""

_S3_CONFIG = {"connect_timeout": 10, "read_timeout": 30, "retries": {"total_max_attempts": 1}}
"""Of botocore, which would wait for a silent server for hours: a minute an attempt, of attempts within attempts."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0
"""Seconds between attempts, doubled each time."""

_FINAL = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError, FileExistsError)
"""Answers, not faults: the next attempt would have the same."""

_MISTAKES = (TypeError, AttributeError, NameError, ImportError, AssertionError, MissingExtraError, ConfigError)
"""Errors of code, not of a connection."""

_TAGS = ("ETag", "etag", "md5Hash", "blob_id", "LastModified", "last_modified", "mtime", "updated", "created")
"""What backends call what changes with a file, the best first."""

_AHEAD = 1 << 23
"""Bytes that a stream asks for at once, if fewer are read."""

_BUFFER = 1 << 16

_ONE_UPLOAD = 1 << 32
"""Bytes up to twice of which are sent by one request; S3 takes 5 GiB."""

_Result = TypeVar("_Result")

_listed: dict[str, Mapping[str, Entry | None]] = {}
"""What this process has listed last, by URL."""


class RemotePath(Place):
    """A file or folder behind a URL.

    Parameters
    ----------
    root
        The scheme, and for https:// the server, as in `s3://` and `https://host/`.
    inner
        What follows it.
    """

    def __init__(self, root: str, inner: str) -> None:
        super().__init__(inner)
        self.root = root

    def __str__(self) -> str:
        return f"{self.root}{self.inner}"

    @property
    def outer(self) -> AnyPath:
        """Itself: there is nothing around it."""
        return self

    def read_bytes(self) -> bytes:
        """Read the file; raises `OSError`."""
        # s3fs would ask for the size first, to read a large file in parts.
        options = {"max_concurrency": 1} if self.root == "s3://" else {}
        return bytes(self.attempt(lambda system, path: system.cat_file(path, **options)))

    def open(self, mode: str = "rb") -> BinaryIO:
        """Open the file for reading, of which a few megabytes are in memory at a time; raises `OSError`."""
        if mode != "rb":
            raise self._read_only()
        return io.BufferedReader(RemoteStream(self, int(Place.identify(self).split()[0])), _BUFFER)

    def read_checked(self) -> bytes:
        """Read a file that has no checksum of its own, and compare it with the server's, or else with a second reading.

        Raises
        ------
        OSError
            If it is not there, cannot be read, or is not twice the same.
        """
        for _ in range(ATTEMPTS):
            data = self.read_bytes()
            if Place.identify(self) == f"{len(data)} {hash_md5(data)}" or data == self.read_bytes():
                return data
        raise OSError(errno.EIO, f"never came twice as the same bytes (tried {ATTEMPTS} times)", str(self))

    def read_range(self, start: int, stop: int) -> bytes:
        """Read the bytes from `start` to before `stop`; raises `OSError`, also if there are fewer."""

        def read(system: Any, path: str) -> bytes:
            data = bytes(system.cat_file(path, start=start, end=stop))
            if len(data) != stop - start:
                raise OSError(errno.EIO, f"{len(data)} bytes came of {stop - start}", path)
            return data

        return self.attempt(read)

    def write_bytes(self, data: bytes | memoryview) -> None:
        """Write the file by one upload, and ask back what arrived: its size and MD5, or else all of it.

        A file that is there is replaced.

        Raises
        ------
        OSError
            If it cannot be written, or what arrived is not what was sent.
        """
        whole = bytes(data)
        # s3fs would cut what is large into parts, of which no MD5 is told.
        options = {"chunksize": _ONE_UPLOAD} if self.root == "s3://" else {}
        for _ in range(ATTEMPTS):
            self.attempt(lambda system, path: system.pipe_file(path, whole, **options))
            with contextlib.suppress(FileNotFoundError):
                if Place.identify(self) == f"{len(whole)} {hash_md5(whole)}" or self.read_bytes() == whole:
                    return
        raise OSError(errno.EIO, f"what arrived is not what was sent (tried {ATTEMPTS} times)", str(self))

    def copy(self, target: Place) -> None:
        """Copy the file by the server; raises `OSError`."""
        self.attempt(lambda system, path: system.cp_file(path, _open_system(str(target))[1]))

    def unlink(self, missing_ok: bool = False) -> None:
        """Remove the file; raises `OSError`."""
        try:
            self.attempt(lambda system, path: system.rm_file(path))
        except FileNotFoundError:
            if not missing_ok:
                raise

    def remove_tree(self) -> None:
        """Remove all that is in a folder; raises `OSError`."""
        with contextlib.suppress(FileNotFoundError):
            self.attempt(lambda system, path: [system.rm_file(name) for name in system.find(path)])

    def identify(self) -> str:
        """Say what changes when the file does; by the last listing of its folder, if there was one."""
        above, _, name = self.inner.rpartition("/")
        entry = _listed.get(f"{self.root}{above}", {}).get(name)
        return super().identify() if entry is None else f"{entry.size} {entry.tag}"

    def attempt(self, request: Callable[[Any, str], _Result]) -> _Result:
        """Make a request of the file system and its name of this file, several times if need be; raises `OSError`."""
        pause = _FIRST_PAUSE
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return request(*_open_system(str(self)))
            except (*_FINAL, *_MISTAKES):
                raise
            except Exception as error:  # of every backend's own classes, which have no other in common
                if attempt == ATTEMPTS:
                    what = f"{error or type(error).__name__!s:.300} (tried {ATTEMPTS} times)"
                    raise OSError(errno.EIO, what, str(self)) from error
            time.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(2 * pause, _LONGEST_PAUSE)
        raise AssertionError("unreachable")

    def _at(self, inner: str) -> Self:
        return type(self)(self.root, inner)

    def _find(self) -> Entry | None:
        try:
            found = self.attempt(lambda system, path: system.info(path))
        except FileNotFoundError:
            return None
        return None if found["type"] == "directory" else _read_entry(found)

    def _list(self) -> Collection[str]:
        try:
            found = self.attempt(lambda system, path: system.ls(path, detail=True))
        except (FileNotFoundError, NotADirectoryError):
            found = []
        last = self.inner.rpartition("/")[2]
        listed: dict[str, Entry | None] = {}
        for one in found:
            name = one["name"].rstrip("/").rpartition("/")[2]
            is_folder = one["type"] == "directory"
            if name and (len(found) > 1 or is_folder or name != last):  # a file lists itself
                listed[name] = None if is_folder else _read_entry(one)
        _listed[str(self)] = listed
        return listed


def hash_md5(data: bytes | memoryview) -> str:
    """Return the MD5 of some bytes, hexadecimal: what S3 tells of a file that came by one upload."""
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def _read_entry(found: Mapping[str, Any]) -> Entry:
    tag = next((str(found[key]) for key in _TAGS if found.get(key)), "")
    return Entry(int(found.get("size") or 0), tag.strip('"'))


def _open_system(url: str) -> tuple[Any, str]:
    """Return the file system that a URL is of and the name of the file there; both belong to this process."""
    try:
        core = importlib.import_module("fsspec.core")
    except ModuleNotFoundError as error:
        raise MissingExtraError("fsspec", "remote") from error
    try:
        options = {"config_kwargs": _S3_CONFIG} if url.startswith("s3://") else {}
        system, path = core.url_to_fs(url, use_listings_cache=False, **options)
    except ImportError as error:  # which says which package knows the scheme
        raise ConfigError(
            f"{url}: {error}; pip install 'posegen[remote]' brings those of s3:// and https://"
        ) from error
    except ValueError as error:
        raise ConfigError(f"{url}: {error}") from error
    if options:
        system.retries = 1  # of s3fs, as of botocore
    return system, path


class RemoteStream(io.RawIOBase):
    """A file behind a URL, open for reading at any position; keeps the last bytes that it asked for.

    Parameters
    ----------
    path, size
        Which, and how many bytes it has.
    """

    def __init__(self, path: RemotePath, size: int) -> None:
        self._path = path
        self._size = size
        self._position = 0
        self._start = 0
        self._held = b""

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def seekable(self) -> bool:
        """Tell that it has a position."""
        return True

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move the position."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer as far as there are bytes; raises `OSError` if they do not come."""
        count = min(len(buffer), max(0, self._size - self._position))
        begin = self._position - self._start
        if not 0 <= begin <= begin + count <= len(self._held):
            stop = min(self._position + max(count, _AHEAD), self._size)
            self._held = self._path.read_range(self._position, stop) if stop > self._position else b""
            self._start, begin = self._position, 0
        self._position += count
        buffer[:count] = self._held[begin : begin + count]
        return count
