"""Bringing a shard from a bucket or a server to this disk: whole, as its record says, or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from posegen.errors import ShardError
from posegen.shards.record import ShardRecord
from posegen.storage import Place
from posegen.storage.remote import RemotePath

_BLOCK = 1 << 23
"""Bytes of a request."""

_REQUESTS = 4
"""At once, of one file."""

_ATTEMPTS = 3
"""Times that a file is fetched whose bytes are not as recorded: what came may have been damaged on its way."""


def fetch_shard(file: RemotePath, record: ShardRecord, temporary: Path, path: Path) -> None:
    """Fetch a shard to `path`, by way of a temporary file beside it, and compare it with its record.

    Raises
    ------
    ShardError
        If it is not there, is not the recorded bytes, or cannot be read.
    OSError
        If it cannot be written.
    """
    try:
        _copy_recorded(file, record, temporary)
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def _copy_recorded(file: RemotePath, record: ShardRecord, path: Path) -> None:
    """Copy a shard until it is as recorded, a few times at the most."""
    found = ""
    for _ in range(_ATTEMPTS):
        found = copy_file(file, path, record.bytes)
        if found == record.sha256:
            return
    raise ShardError(
        f"{file}: its bytes have changed (sha256 {found[:12]}..., the manifest says {record.sha256[:12]}...); fetched "
        f"{_ATTEMPTS} times"
    )


def copy_file(file: RemotePath, path: Path, size: int | None = None) -> str:
    """Copy a file behind a URL to a disk, to be seen there after a power cut, too; returns its sha256, hexadecimal.

    Raises
    ------
    ShardError
        If there is no such file, it has another size than `size`, or cannot be read.
    OSError
        If it cannot be written.
    """
    try:
        found = int(Place.identify(file).split()[0])
        if size is not None and found != size:
            raise ShardError(f"{file}: has {found} bytes, the manifest says {size}")
        hashed = hashlib.sha256()
        # What is there is written over: its size keeps the room for it.
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT, 0o666), "wb") as written:
            for data in _read_blocks(file, found):
                hashed.update(data)
                written.write(data)
            written.truncate(found)
            written.flush()
            os.fsync(written.fileno())
    except OSError as error:
        if error.filename == str(file):
            raise ShardError(f"{file}: cannot be read: {error.strerror}") from error
        raise
    return hashed.hexdigest()


def _read_blocks(file: RemotePath, size: int) -> Iterator[bytes]:
    """Read a file block by block, a few of them at once."""
    ranges = [(start, min(start + _BLOCK, size)) for start in range(0, size, _BLOCK)]
    if len(ranges) == 1:
        yield file.read_range(*ranges[0])
        return
    with ThreadPoolExecutor(_REQUESTS) as threads:
        for i in range(0, len(ranges), _REQUESTS):
            yield from threads.map(lambda part: file.read_range(*part), ranges[i : i + _REQUESTS])
