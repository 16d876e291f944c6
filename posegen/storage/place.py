"""What a file or folder that is not on a disk can do: as much of `pathlib.Path` as posegen reads by."""

from __future__ import annotations

import errno
import fnmatch
import io
import os
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, BinaryIO, Union

if TYPE_CHECKING:
    from typing_extensions import Self


@dataclass(frozen=True, slots=True)
class Entry:
    """What a listing says of a file.

    Attributes
    ----------
    size
        In bytes.
    tag
        What changes when the file does, beside its size.
    """

    size: int
    tag: str


class Place(ABC):
    """A file or folder in an archive or behind a URL, in words of `pathlib.Path`.

    It can be pickled, and what it has open stays with its process.

    Parameters
    ----------
    inner
        Where it is in the archive or bucket, with slashes and without one at either end; nothing for all of it.
    """

    def __init__(self, inner: str) -> None:
        self.inner = inner

    @abstractmethod
    def __str__(self) -> str:
        """Write it as the user would."""

    @abstractmethod
    def _at(self, inner: str) -> Self:
        """Return another place of the same archive or bucket."""

    @abstractmethod
    def _find(self) -> Entry | None:
        """Find the file; None if there is none, as of a folder there is none. Raises `OSError`."""

    @abstractmethod
    def _list(self) -> Collection[str]:
        """List the names in a folder; nothing if it is none. Raises `OSError`."""

    @abstractmethod
    def read_bytes(self) -> bytes:
        """Read the file.

        Raises
        ------
        OSError
            If it is not there, cannot be read, or is damaged.
        """

    def read_checked(self) -> bytes:
        """Read a file that has no checksum of its own as surely as can be; raises `OSError`."""
        return self.read_bytes()

    @property
    @abstractmethod
    def outer(self) -> AnyPath:
        """The folder that the archive is in, or the uppermost one behind a URL."""

    def __truediv__(self, name: str) -> Self:
        return self._at("/".join(part for part in (self.inner, str(PurePosixPath(name))) if part not in {"", "."}))

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and str(self) == str(other)

    def __lt__(self, other: object) -> bool:
        return str(self) < str(other)

    def __hash__(self) -> int:
        return hash(str(self))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    @property
    def name(self) -> str:
        """The last part of it, which for an archive is what that is called without its suffix."""
        return PurePosixPath(self.inner).name or PurePosixPath(str(self)).stem

    @property
    def stem(self) -> str:
        """Its name without what stands behind the last dot."""
        return PurePosixPath(self.name).stem

    @property
    def suffix(self) -> str:
        """What stands in its name behind the last dot, with the dot."""
        return PurePosixPath(self.name).suffix

    @property
    def parent(self) -> AnyPath:
        """The folder it is in."""
        if not self.inner:
            return self.outer
        return self._at(self.inner.rpartition("/")[0])

    def is_file(self) -> bool:
        """Tell whether it is a file."""
        return self._find() is not None

    def is_dir(self) -> bool:
        """Tell whether it is a folder with something in it."""
        return len(self._list()) > 0

    def exists(self) -> bool:
        """Tell whether it is a file or a folder."""
        return self.is_file() or self.is_dir()

    def list_names(self) -> frozenset[str]:
        """List what there is in a folder; nothing if it is none."""
        return frozenset(self._list())

    def iterdir(self) -> Iterator[Self]:
        """Yield what there is in a folder."""
        return (self / name for name in sorted(self._list()))

    def glob(self, pattern: str) -> Iterator[Self]:
        """Yield what there is under names of a pattern, as in `*/*.json`."""
        first, _, rest = pattern.partition("/")
        for name in sorted(fnmatch.filter(self._list(), first)):
            if rest:
                yield from (self / name).glob(rest)
            else:
                yield self / name

    def open(self, mode: str = "rb") -> BinaryIO:
        """Read it into memory, and open that for reading."""
        if mode != "rb":
            raise self._read_only()
        return io.BytesIO(self.read_bytes())

    def identify(self) -> str:
        """Say what changes when the file does: its size, and its CRC, tag or time. Raises `OSError`."""
        entry = self._find()
        if entry is None:
            raise self._missing()
        return f"{entry.size} {entry.tag}"

    def write_bytes(self, data: bytes | memoryview) -> None:  # noqa: ARG002 (for those that can)
        """Write the file, whole or not at all; raises `OSError`, also where it is not as it was sent."""
        raise self._read_only()

    def copy(self, target: Place) -> None:  # noqa: ARG002 (for those that can)
        """Copy the file to another place of the same bucket; raises `OSError`."""
        raise self._read_only()

    def unlink(self, missing_ok: bool = False) -> None:  # noqa: ARG002 (as pathlib has it)
        """Remove the file; raises `OSError`."""
        raise self._read_only()

    def remove_tree(self) -> None:
        """Remove a folder and all in it; raises `OSError`."""
        raise self._read_only()

    def absolute(self) -> Self:
        """Return itself."""
        return self

    def resolve(self) -> Self:
        """Return itself."""
        return self

    def as_posix(self) -> str:
        """Write it as the user would."""
        return str(self)

    def is_relative_to(self, other: AnyPath) -> bool:
        """Tell whether it lies in another one."""
        return f"{self}/".startswith(f"{other}/")

    def relative_to(self, other: AnyPath) -> str:
        """Write how it is named from another one on, in which it lies."""
        return str(self)[len(str(other)) + 1 :]

    def _read_only(self) -> OSError:
        return OSError(errno.EROFS, "is read only", str(self))

    def _missing(self) -> FileNotFoundError:
        return FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self))


AnyPath = Union[Path, Place]  # noqa: UP007 (of a name that is not defined before)
"""A file or folder, wherever it is."""

Location = Union[str, "os.PathLike[str]", Place]
"""Where something is, as a caller names it: a path or a URL."""


def identify(path: AnyPath) -> str:
    """Say what changes when a file does: its size, and its time, CRC or tag. Raises `OSError` if it is not there."""
    if isinstance(path, Place):
        return path.identify()
    return identify_status(path.stat())


def identify_status(status: os.stat_result) -> str:
    """Say the same of a file on a disk, by its status."""
    return f"{status.st_size} {status.st_mtime_ns}"


def list_names(folder: AnyPath) -> frozenset[str]:
    """List the names in a folder, by one request: of 100,000 files, too. Raises `OSError` or `ValueError`."""
    return folder.list_names() if isinstance(folder, Place) else frozenset(os.listdir(folder))  # noqa: PTH208


def list_folder(folder: AnyPath) -> list[AnyPath]:
    """List what is in a folder, by name. Raises `OSError`."""
    return [folder / name for name in sorted(list_names(folder))]


def read_checked(path: AnyPath) -> bytes:
    """Read a file that has no checksum of its own; one behind a URL is held against the server's. Raises `OSError`."""
    return path.read_checked() if isinstance(path, Place) else path.read_bytes()
