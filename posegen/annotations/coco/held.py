"""The bytes of an annotation file in an archive or a bucket, which are unpacked or fetched once for all who look at it.

Who finds annotations looks at the first names in them, who chooses a preset at the last, then they are read, and the
manifest has their sha256. A file on a disk is opened for each; for any other the bytes are held until they are read.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
from typing import BinaryIO

from posegen.files import hash_file
from posegen.storage import AnyPath, Place, identify

_MOST_BYTES = 1 << 29
"""Of files that are held to be read; of several sources one lies beside the other."""

_held: dict[tuple[str, str], bytes] = {}
_hashes: dict[tuple[str, str], str] = {}


def open_held(path: AnyPath) -> BinaryIO:
    """Open a file to look at it; raises `OSError`."""
    return io.BytesIO(hold(path)) if isinstance(path, Place) else path.open("rb")


def hold(path: AnyPath) -> bytes:
    """Return what is in a file, to look at it; raises `OSError`."""
    if not isinstance(path, Place):
        return path.read_bytes()
    key = str(path), identify(path)
    data = _held.get(key)
    if data is None:
        data = path.read_bytes()
        _held[key] = data
        while len(_held) > 1 and sum(map(len, list(_held.values()))) > _MOST_BYTES:
            _held.pop(next(iter(_held)), None)
    return data


def take(path: AnyPath) -> bytes:
    """Return what is in a file, which is not held any longer; its sha256 is known from then on. Raises `OSError`."""
    if not isinstance(path, Place):
        return path.read_bytes()
    key = str(path), identify(path)
    data = _held.pop(key, None)
    if data is None:
        data = path.read_bytes()
    _hashes[key] = hashlib.sha256(data).hexdigest()
    return data


def hash_annotations(path: AnyPath) -> str:
    """Return the sha256 of a file, hexadecimal: of what was read, if it is the same yet. Raises `OSError`."""
    if isinstance(path, Place):
        with contextlib.suppress(OSError):
            if (known := _hashes.get((str(path), identify(path)))) is not None:
                return known
    return hash_file(path)
