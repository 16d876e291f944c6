"""A file behind a URL as Python's zipfile and tarfile read one: with a position, and reads of any size."""

from __future__ import annotations

import io

from posegen.storage.remote import RemotePath

_AHEAD = 1 << 20
"""Bytes that are asked for at once, if fewer are read."""


class RemoteStream(io.RawIOBase):
    """A file behind a URL, open for reading; keeps the last bytes it asked for.

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

    def read(self, size: int | None = -1) -> bytes:
        """Read so many bytes, or as many as there are; raises `OSError` if they do not come."""
        left = max(0, self._size - self._position)
        count = left if size is None or size < 0 else min(size, left)
        begin = self._position - self._start
        if not 0 <= begin <= begin + count <= len(self._held):
            stop = min(self._position + max(count, _AHEAD), self._size)
            self._held = self._path.read_range(self._position, stop) if stop > self._position else b""
            self._start, begin = self._position, 0
        self._position += count
        return self._held[begin : begin + count]
