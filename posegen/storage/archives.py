"""Files inside of zip and tar archives, which are read where they lie, by their offsets.

A process lists an archive once. Python's zipfile and tarfile find what is in it, but do not read it: they share one
position in the file among all threads, and take several reads where one does.
"""

from __future__ import annotations

import errno
import functools
import os
import struct
import tarfile
import threading
import zipfile
import zlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from posegen.storage.kept import recall
from posegen.storage.place import AnyPath, Entry, Place, identify
from posegen.storage.remote import RemotePath

if TYPE_CHECKING:
    from typing_extensions import Self

SUFFIXES = (".zip", ".tar")
"""Of the archives that are read."""

_LOCAL_HEADER = struct.Struct("<4s22xHH")
"""Of a file in a zip archive: signature, length of its name, length of what else stands there (APPNOTE.TXT 4.3.7)."""

_SLACK = 1 << 8
"""Bytes by which a local header may be longer than the central directory tells."""

_ENCRYPTED = -1
_MOST_INDICES = 8
_MOST_BYTES = 1 << 32


@dataclass(frozen=True, slots=True)
class _Member:
    """A file in an archive.

    Attributes
    ----------
    offset, header
        Where it starts, and how many bytes its header has there at the most; 0 where it lies bare, as in a tar.
    packed, size
        Its bytes in the archive, and those that it has.
    stamp
        Its CRC-32; in a tar, which has none, its time.
    method
        By which it is packed, as zip has it.
    """

    offset: int
    header: int
    packed: int
    size: int
    stamp: float
    method: int


class _Index:
    """What an archive has, and the file itself, open in this process where it is on a disk."""

    def __init__(self, identity: str, members: Mapping[str, _Member], descriptor: int | None) -> None:
        self.identity = identity
        self.members = members
        self.descriptor = descriptor
        self.process = os.getpid()

    @functools.cached_property
    def folders(self) -> dict[str, dict[str, None]]:
        """The names in each folder, in the order of the archive."""
        found: dict[str, dict[str, None]] = {}
        for name in self.members:
            above, _, last = name.rpartition("/")
            known = above in found
            found.setdefault(above, {})[last] = None
            while above and not known:
                above, _, last = above.rpartition("/")
                known = above in found
                found.setdefault(above, {})[last] = None
        return found

    def close(self) -> None:
        """Close the file."""
        if self.descriptor is not None:
            os.close(self.descriptor)


_indices: dict[str, _Index] = {}
_listing = threading.RLock()


class ArchivePath(Place):
    """A file or folder in an archive.

    Parameters
    ----------
    file
        The archive.
    inner
        Where it is in that.
    identity
        Of the archive, as `posegen.storage.identify` gives it; by default what it is now.

    Raises
    ------
    OSError
        Here, if there is no such archive. In every method, if it is none, is damaged or has changed.
    """

    def __init__(self, file: AnyPath, inner: str = "", identity: str | None = None) -> None:
        super().__init__(inner)
        self.file = file
        self._identity = identify(file) if identity is None else identity

    def __str__(self) -> str:
        return f"{self.file}/{self.inner}" if self.inner else str(self.file)

    @property
    def outer(self) -> AnyPath:
        """The folder that the archive is in."""
        return self.file.parent

    def read_bytes(self) -> bytes:
        """Read the file and compare its CRC; raises `OSError`."""
        index = self._index()
        member = index.members.get(self.inner)
        if member is None:
            raise self._missing()
        if member.size > _MOST_BYTES:
            raise self._fail(f"has {member.size} bytes, more than are read into memory")
        if member.header == 0:  # a tar has no CRC, and its files lie as they are
            return self._read(index, member.offset, member.packed)
        data = self._read(index, member.offset, member.header + member.packed, at_least=_LOCAL_HEADER.size)
        try:
            signature, name, extra = _LOCAL_HEADER.unpack_from(data)
        except struct.error as error:
            raise self._fail("its header in the archive is cut off") from error
        start = _LOCAL_HEADER.size + name + extra
        if signature != b"PK\x03\x04":
            raise self._fail("is not where the archive's directory says: the archive is damaged")
        if len(data) < start + member.packed:
            data = self._read(index, member.offset, start + member.packed)
        return self._unpack(member, data[start : start + member.packed])

    def _at(self, inner: str) -> Self:
        return type(self)(self.file, inner, self._identity)

    def _find(self) -> Entry | None:
        member = self._index().members.get(self.inner)
        if member is None:
            return None
        return Entry(member.size, f"{'crc' if member.header else 'time'} {member.stamp}")

    def _list(self) -> Collection[str]:
        return self._index().folders.get(self.inner, {})

    def _unpack(self, member: _Member, data: bytes) -> bytes:
        if member.method == zipfile.ZIP_DEFLATED:
            try:
                data = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, member.size + 1)
            except zlib.error as error:
                raise self._fail(f"is damaged in the archive: {error}") from error
        elif member.method != zipfile.ZIP_STORED:
            raise self._fail("is encrypted, or packed by another method than deflate; unpack the archive")
        if len(data) != member.size or zlib.crc32(data) != member.stamp:
            raise self._fail("is damaged in the archive: its CRC-32 is wrong")
        return data

    def _read(self, index: _Index, start: int, count: int, *, at_least: int | None = None) -> bytes:
        """Read bytes of the archive; `at_least` so many, where its end may come before."""
        if index.descriptor is None:
            size = int(self._identity.split()[0])
            return self._remote.read_range(start, min(start + count, size) if at_least else start + count)
        data = os.pread(index.descriptor, count, start)
        while len(data) < count and (more := os.pread(index.descriptor, count - len(data), start + len(data))):
            data += more
        if len(data) < (count if at_least is None else at_least):
            raise self._fail("is cut off: the archive ends before")
        return data

    @property
    def _remote(self) -> RemotePath:
        if not isinstance(self.file, RemotePath):
            raise self._fail("lies in an archive within an archive; unpack the outer one")
        return self.file

    def _index(self) -> _Index:
        """Return what the archive has, listed by this process."""
        key = str(self.file)
        index = _indices.get(key)
        if index is not None and index.process == os.getpid() and index.identity == self._identity:
            return index
        with _listing:
            return self._renew(key)

    def _renew(self, key: str) -> _Index:
        """List the archive, unless another thread just has."""
        index = _indices.get(key)
        if index is not None and (index.process != os.getpid() or index.identity != self._identity):
            _indices.pop(key).close()
            index = None
        if index is None:
            while len(_indices) >= _MOST_INDICES:
                _indices.pop(next(iter(_indices))).close()
            index = _indices[key] = self._list_archive()
        return index

    def _list_archive(self) -> _Index:
        if identify(self.file) != self._identity:
            raise OSError(errno.ESTALE, "the archive was changed while it was read; run again", str(self.file))
        try:
            # Once for all processes: a zip of 100,000 files takes seconds, a tar has their names all over it.
            rows = recall(f"{self.file} {self._identity}", self._read_list)
        except (zipfile.BadZipFile, tarfile.TarError, ValueError, zlib.error, EOFError) as error:
            raise OSError(errno.EIO, f"is no whole zip or tar archive: {error}", str(self.file)) from error
        members = {name: _Member(*rest) for name, *rest in rows if not {"", ".."} & set(name.split("/"))}
        descriptor = os.open(self.file, os.O_RDONLY) if isinstance(self.file, Path) else None
        return _Index(self._identity, members, descriptor)

    def _read_list(self) -> list[Any]:
        with self.file.open("rb") as file:
            is_zip = file.read(2) == b"PK"
            file.seek(0)
            return _list_zip(file) if is_zip else _list_tar(file)

    def _fail(self, what: str) -> OSError:
        return OSError(errno.EIO, what, str(self))


def _list_zip(file: Any) -> list[Any]:
    """List the files by name and what `_Member` has of them; of a name that comes twice the last one counts."""
    with zipfile.ZipFile(file) as archive:
        return [
            [
                one.filename.removeprefix("./"),
                one.header_offset,
                _LOCAL_HEADER.size + len(one.filename.encode()) + len(one.extra) + _SLACK,
                one.compress_size,
                one.file_size,
                one.CRC,
                # What is encrypted no method unpacks.
                _ENCRYPTED if one.flag_bits & 1 else one.compress_type,
            ]
            for one in archive.infolist()
            if not one.is_dir()
        ]


def _list_tar(file: Any) -> list[Any]:
    """List the files as `_list_zip` does; a hard link is the file it is of."""
    found: dict[str, list[Any]] = {}
    links: dict[str, str] = {}
    with tarfile.open(fileobj=file, mode="r:") as archive:
        while (one := archive.next()) is not None:
            name = os.path.normpath(one.name)
            if one.isreg() and not one.issparse():
                found[name] = [one.offset_data, 0, one.size, one.size, one.mtime, zipfile.ZIP_STORED]
            elif one.islnk():
                links[name] = os.path.normpath(one.linkname)
            archive.members = []  # type: ignore[attr-defined]  # or it keeps all that it has passed
    found |= {name: found[target] for name, target in links.items() if target in found}
    return [[name, *rest] for name, rest in found.items()]
