"""Reading image files of a directory, and their sizes."""

from __future__ import annotations

import contextlib
import errno
import stat
from collections.abc import Iterator
from pathlib import Path

from posegen.errors import ImageError
from posegen.geometry import Size
from posegen.images.codec import measure_decoded
from posegen.images.header import measure

_MOST_BYTES = 1 << 30
"""Of an encoded picture: more than the largest takes that is decoded."""

_EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOMEM}
"""Troubles of this process, not of a picture."""


def read_file(directory: Path, name: str) -> bytes:
    """Read an image file of a directory.

    Raises
    ------
    ImageError
        If it does not exist, is no regular file, cannot be read, is empty, or lies outside the directory by way of a
        symbolic link.
    OSError
        If the process has no files or memory left.
    """
    with _opening(directory, name) as path:
        data = path.read_bytes()
    if not data:
        raise ImageError(f"{directory / name}: is empty")
    return data


def read_size(directory: Path, name: str) -> Size:
    """Read the (height, width) of a picture as it is stored: from its header, or else by decoding it.

    Raises
    ------
    ImageError, OSError
        As `read_file` does, and if it is no image.
    """
    with _opening(directory, name) as path, path.open("rb") as file:
        size = measure(file)
    if size is not None:
        return size
    return measure_decoded(read_file(directory, name), str(directory / name))


@contextlib.contextmanager
def _opening(directory: Path, name: str) -> Iterator[Path]:
    """Yield the real path of a file inside a directory; what goes wrong with it there becomes an `ImageError`."""
    path = directory / name
    try:
        real = path.resolve()
        if not real.is_relative_to(directory.resolve()):
            raise ImageError(f"{path}: leads out of the image directory, to {real}")
        status = real.stat()
        if not stat.S_ISREG(status.st_mode):
            raise ImageError(f"{path}: is no regular file")
        if status.st_size > _MOST_BYTES:
            raise ImageError(f"{path}: has {status.st_size} bytes, more than any picture")
        yield real
    except OSError as error:
        if error.errno in _EXHAUSTED:
            raise
        raise ImageError(f"{path}: cannot be read: {error.strerror or error}") from error
    except RuntimeError as error:  # pathlib's word for symbolic links in a circle, before Python 3.13
        raise ImageError(f"{path}: cannot be read: {error}") from error
    except ValueError as error:
        raise ImageError(f"{path}: is not the name of a file: {error}") from error
