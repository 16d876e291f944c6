"""Files that appear whole or not at all, and the two text formats that are read by hand-written code."""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import json
import os
import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from posegen.errors import ConfigError

if TYPE_CHECKING:
    from posegen.storage import AnyPath

_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)

TEMPORARY_SUFFIX = ".partial"
"""What a file is called while it is written; one that is left over belongs to nobody."""


def write_atomically(path: AnyPath, data: bytes | memoryview) -> None:
    """Write `data` to `path` so that a reader finds the old file or the whole new one, even after a power cut.

    Behind a URL that is one upload, of which is asked back what arrived.

    Raises
    ------
    OSError
        If the file cannot be written; the temporary file is removed then.
    """
    if not isinstance(path, Path):
        path.write_bytes(data)
        return
    # Processes of several machines may write the same file, and have the same number.
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}{TEMPORARY_SUFFIX}")
    try:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    sync_directory(path.parent)


def refuse_target(path: Path, start: bytes) -> None:
    """Keep a result from being written where it cannot be, or in place of a file of another kind, as of a shard.

    Parameters
    ----------
    path
        Where to write.
    start
        What files of the result's kind begin with; one that is there is replaced, and so is one that is empty.

    Raises
    ------
    ConfigError
        If there is no directory, or a file of another kind, or a pipe or a device.
    """
    if not path.parent.is_dir():
        raise ConfigError(f"{path}: cannot be written: there is no directory {path.parent}; create it first")
    if path.exists() and not path.is_file() and not path.is_dir():  # a pipe would be read for ever
        raise ConfigError(f"{path}: is no file; choose another name")
    with contextlib.suppress(OSError), path.open("rb") as file:
        if (found := file.read(len(start))) and found != start:
            raise ConfigError(f"{path}: is another kind of file, which is not replaced; choose another name")


def sync_directory(directory: Path) -> None:
    """Make the names in a directory durable: a renamed file survives a power cut only after this."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def hash_file(path: AnyPath) -> str:
    """Return the sha256 of a file, hexadecimal."""
    hashed = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            hashed.update(block)
    return hashed.hexdigest()


def canonical_json(record: object) -> str:
    """Write JSON of which there is only one form: sorted keys, no spaces. What digests are taken of."""
    return _CANONICAL.encode(record)


def load_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises
    ------
    ConfigError
        If it cannot be read or is not TOML.
    """
    tomllib = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    try:
        table: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise ConfigError(f"{path}: is not TOML: {error}") from error
    return table


def quote_toml(text: str) -> str:
    """Write a TOML basic string, whose escapes are JSON's but for the delete character."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007F")
