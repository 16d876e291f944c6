"""Where a dataset's shards are opened: in its directory, or where they are kept of one that lies elsewhere."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from posegen.errors import ConfigError, ShardError
from posegen.shards.cache import ShardCache
from posegen.shards.manifest import MANIFEST_NAME
from posegen.shards.reader import ShardReader
from posegen.shards.record import ShardRecord, locate
from posegen.shards.transfer import copy_file
from posegen.storage import AnyPath, Location, Place, find_place
from posegen.storage.find import is_url, strip_file
from posegen.storage.remote import RemotePath


def find_directory(path: Location) -> AnyPath:
    """Return what the path or the URL of a dataset or a shard means; raises `ConfigError` for an unknown scheme."""
    if isinstance(path, Place):
        return path
    # Nobody looks into an archive here: shards are not read from one.
    return find_place(path) if is_url(str(path)) else strip_file(path)


def find_dataset(directory: Location) -> AnyPath:
    """Return the path of a dataset's directory. Raises `ConfigError` if there is none."""
    path = find_directory(directory)
    try:
        if is_directory(path):
            return path
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror or error}") from error
    raise ConfigError(f"{path}: no such directory; expected that of a dataset")


def is_directory(path: AnyPath) -> bool:
    """Tell whether a path is that of a directory; on a server that lists none, of one that has a manifest."""
    return path.is_dir() or (isinstance(path, Place) and (path / MANIFEST_NAME).is_file())


def open_shard(directory: AnyPath, record: ShardRecord, cache: ShardCache | None = None) -> ShardReader:
    """Open a shard of a dataset; one that lies elsewhere is fetched, if it is not kept yet.

    Parameters
    ----------
    directory
        Of the dataset.
    record
        What the manifest says of the shard.
    cache
        Where shards that lie elsewhere are kept; None for the usual place and size.

    Raises
    ------
    ShardError
        If it is missing, damaged, not the recorded one, or cannot be fetched.
    ConfigError
        If it is too large to be kept.
    """
    if isinstance(directory, RemotePath):
        file = directory / record.file
        with (cache or ShardCache()).hold(file, record) as path:
            return ShardReader(path, shown=str(file))
    if isinstance(directory, Place):
        raise ShardError(f"{directory}: shards are not read from archives; unpack it")
    return ShardReader(locate(directory, record.file))


@contextlib.contextmanager
def borrow(directory: AnyPath, record: ShardRecord) -> Iterator[Path]:
    """Yield a directory on this disk with a shard's file as it is now, whether or not that is as recorded.

    That of a dataset that lies elsewhere is a temporary one, in which nothing is if there is no such shard.

    Raises
    ------
    ShardError
        If the shard cannot be fetched.
    """
    if not isinstance(directory, RemotePath):
        if isinstance(directory, Place):
            raise ShardError(f"{directory}: shards are not read from archives; unpack it")
        yield directory
        return
    with tempfile.TemporaryDirectory(prefix="posegen-") as scratch:
        file = directory / record.file
        try:
            if file.is_file():
                copy_file(file, Path(scratch) / record.file)
        except OSError as error:
            raise ShardError(f"{file}: cannot be read: {error.strerror or error}") from error
        yield Path(scratch)
