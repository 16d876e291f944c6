"""Opening a shard's file, and saying why that fails: that there is none, what the system refuses, or damage."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import h5py

from posegen.errors import ShardError


def open_file(path: Path) -> tuple[h5py.File, int]:
    """Open an HDF5 file for reading; returns it and its size in bytes.

    Raises
    ------
    ShardError
        If it is missing, cannot be opened, or is no HDF5.
    """
    if not hasattr(os, "pread"):  # which would be told as damage
        raise ShardError(f"{path}: cannot be read here: posegen works under Linux and macOS")
    size = _find_size(path)
    try:
        return _open(path), size
    except (OSError, RuntimeError, ValueError) as error:
        if isinstance(error, OSError) and error.errno:
            raise _fail_to_open(path, error) from error
        raise ShardError(f"{path}: is not an HDF5 file, or is damaged: {error}") from error


def _find_size(path: Path) -> int:
    """Return how many bytes a file has."""
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:  # ValueError: a path with a zero
        raise ShardError(f"{path}: no such shard") from error
    except OSError as error:
        raise _fail_to_open(path, error) from error
    if not stat.S_ISREG(status.st_mode):
        raise ShardError(f"{path}: no such shard")
    return status.st_size


def _open(path: Path) -> h5py.File:
    """Open a file for reading, with a lock or without.

    Shards appear whole and do not change, so that none is needed, and not every file system has locks. But HDF5 opens a
    file a second time in a process only as it did the first time: without a lock from the start, nobody here could open
    a shard by plain h5py while it is read.
    """
    options = {"driver": "sec2", "rdcc_nbytes": 0}  # every chunk is read once: a cache would only grow
    try:
        return h5py.File(path, "r", **options)
    except OSError:
        return h5py.File(path, "r", locking=False, **options)


def _fail_to_open(path: Path, error: OSError) -> ShardError:
    """Make the error that says why the system does not open a file, which may be sound."""
    what = f"{path}: cannot be opened: {os.strerror(error.errno or 0)}"
    if "unable to lock file" not in str(error):
        return ShardError(what)
    return ShardError(f"{what}: HDF5 locks files because of HDF5_USE_FILE_LOCKING, which must be FALSE or not set here")
