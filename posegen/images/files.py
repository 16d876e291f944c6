"""Reading image files of a directory, an archive or a bucket, and their sizes."""

from __future__ import annotations

import contextlib
import errno
import stat
from collections.abc import Iterator
from pathlib import PurePath

from posegen.errors import ImageError
from posegen.geometry import Size
from posegen.images.codec import measure_decoded
from posegen.images.exif import find_orientation, is_sideways
from posegen.images.header import measure
from posegen.storage import AnyPath, Place
from posegen.storage import identify as identify_file

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
    with _opening(directory, name) as path:
        data = path.read_bytes()
    if not data:
        raise ImageError(f"{directory / name}: is empty")
    return data


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
    with _opening(directory, name) as path, path.open("rb") as file:
        size = measure(file)
    if size is None:
        size = measure_decoded(read_file(directory, name), str(directory / name))
    return size[::-1] if shown and is_sideways(read_turn(directory, name)) else size


def read_turn(directory: AnyPath, name: str) -> int:
    """Read by which EXIF orientation a picture is to be turned: 0 for none; raises what `read_file` does."""
    with _opening(directory, name) as path, path.open("rb") as file:
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


@contextlib.contextmanager
def _opening(directory: AnyPath, name: str) -> Iterator[AnyPath]:
    """Yield the path of a file inside a directory; what goes wrong with it there becomes an `ImageError`."""
    path = directory / name
    if PurePath(name).is_absolute() or ".." in PurePath(name).parts:
        raise ImageError(f"{path}: leads out of the image directory")
    try:
        if isinstance(path, Place):  # where asking takes as long as reading, and which has files and folders alone
            yield path
            return
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise ImageError(f"{path}: is no regular file")
        if status.st_size > _MOST_BYTES:
            raise ImageError(f"{path}: has {status.st_size} bytes, more than any picture")
        yield path
    except OSError as error:
        if error.errno in _EXHAUSTED:
            raise
        raise ImageError(f"{path}: cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise ImageError(f"{path}: is not the name of a file: {error}") from error
