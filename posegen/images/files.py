"""Reading image files of a directory, an archive or a bucket, and their sizes."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path, PurePath

from posegen.errors import ImageError
from posegen.geometry import Size
from posegen.images.codec import measure_decoded
from posegen.images.exif import find_orientation, is_sideways
from posegen.images.header import measure
from posegen.storage import AnyPath, Place
from posegen.storage import identify as identify_file
from posegen.storage.place import identify_status

_MOST_BYTES = 1 << 30
"""Of an encoded picture: more than the largest takes that is decoded."""

_EXIF_BYTES = 1 << 17
"""In which a JPEG's EXIF block is found: it stands at the start, and has at most half as many."""
_CHUNKED = (b"\x89PNG", b"RIFF")

_EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOMEM}
"""Troubles of this process, not of a picture."""


def read_file(directory: AnyPath, name: str) -> bytes:
    """Read an image file of a directory.

    Raises
    ------
    ImageError
        If it does not exist, is no regular file, cannot be read, is empty, or its name leads out of the directory.
        Symbolic links are followed, wherever they lead: stores of data sets are full of them.
    OSError
        If the process has no files or memory left.
    """
    return _read(directory, name, identified=False)[0]


def read_identified(directory: AnyPath, name: str) -> tuple[bytes, str]:
    """Read an image file, and say what `identify` said of it before; raises what `read_file` does."""
    return _read(directory, name, identified=True)


def read_size(directory: AnyPath, name: str, *, shown: bool = False) -> Size:
    """Read the (height, width) of a picture as it is stored: from its header, or else by decoding it.

    Parameters
    ----------
    directory, name
        Where it is.
    shown
        Whether to read it as it is shown, with its EXIF orientation.

    Raises
    ------
    ImageError, OSError
        As `read_file` does, and if it is no image.
    """
    with _opening(directory, name) as (path, _), path.open("rb") as file:
        size = measure(file)
    if size is None:
        size = measure_decoded(read_file(directory, name), str(directory / name))
    return size[::-1] if shown and is_sideways(read_turn(directory, name)) else size


def read_turn(directory: AnyPath, name: str) -> int:
    """Read by which EXIF orientation a picture is to be turned: 0 for none; raises what `read_file` does."""
    with _opening(directory, name) as (path, _), path.open("rb") as file:
        start = file.read(_EXIF_BYTES)
        if start.startswith(_CHUNKED):  # where it may stand behind the pixels
            start += file.read()
    orientation = find_orientation(start)
    return 0 if orientation == 1 else orientation


def identify(directory: AnyPath, name: str) -> str:
    """Say what changes when an image file does: its size, and its time, CRC or tag.

    Raises
    ------
    OSError, ValueError
        If it cannot be found.
    """
    return identify_file(directory / name)


def _read(directory: AnyPath, name: str, *, identified: bool) -> tuple[bytes, str]:
    """Read an image file; of one in an archive or bucket it is only found out what it is where that is asked."""
    with _opening(directory, name) as (path, status):
        if isinstance(path, Path) and status is not None:
            identity, data = identify_status(status), _read_at_once(path, status.st_size)
        else:
            identity, data = identify_file(path) if identified else "", path.read_bytes()
    if not data:
        raise ImageError(f"{directory / name}: is empty")
    return data, identity


def _read_at_once(path: Path, size: int) -> bytes:
    """Read a file of about that size, asking the system as little as can be: Python's own files ask twice as often."""
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0))
    try:
        data = os.read(descriptor, size + 1)
        while len(data) != size and (more := os.read(descriptor, size + 1)):
            data += more
    finally:
        os.close(descriptor)
    return data


@contextlib.contextmanager
def _opening(directory: AnyPath, name: str) -> Iterator[tuple[AnyPath, os.stat_result | None]]:
    """Yield the path of a file inside a directory, and its status on a disk.

    What goes wrong with it there becomes an `ImageError`.
    """
    path = directory / name
    pure = PurePath(name)
    if pure.is_absolute() or ".." in pure.parts:
        raise ImageError(f"{path}: leads out of the image directory")
    try:
        if isinstance(path, Place):  # where asking takes as long as reading, and which has files and folders alone
            yield path, None
            return
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise ImageError(f"{path}: is no regular file")
        if status.st_size > _MOST_BYTES:
            raise ImageError(f"{path}: has {status.st_size} bytes, more than any picture")
        yield path, status
    except OSError as error:
        if error.errno in _EXHAUSTED:
            raise
        raise ImageError(f"{path}: cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise ImageError(f"{path}: is not the name of a file: {error}") from error
