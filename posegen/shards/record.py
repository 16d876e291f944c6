"""What the manifest says of a shard's file, and whether the file still is that."""

from __future__ import annotations

import json
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

from posegen.errors import ShardError
from posegen.files import hash_file
from posegen.storage import AnyPath, Place


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardRecord:
    """What the manifest says of a shard.

    Attributes
    ----------
    file
        Its name.
    samples, people
        How many it holds.
    bytes, sha256
        Its size and hash.
    keypoints
        How often each of the K keypoints is labelled in it.
    """

    file: str
    samples: int
    people: int
    bytes: int
    sha256: str
    keypoints: tuple[int, ...]

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> ShardRecord:
        """Read what `dataclasses.asdict` gave; raises `KeyError`, `TypeError` or `ValueError` where it is not that."""
        name, sha256, people = str(record["file"]), str(record["sha256"]), read_count(record, "people")
        if Path(name).name != name or not name.isprintable() or not name.endswith(".h5") or name.startswith("."):
            raise ValueError(f"{name!r} is not a file name of a shard")
        if not re.fullmatch("[0-9a-f]{64}", sha256):
            raise ValueError(f"{sha256!r} is not a sha256 of {name}")
        keypoints = record["keypoints"]
        return cls(
            file=name,
            samples=read_count(record, "samples"),
            people=people,
            bytes=read_count(record, "bytes"),
            sha256=sha256,
            keypoints=tuple(read_count(keypoints, k, people) for k in range(len(keypoints))),
        )


def compare_bytes(directory: Path, shard: ShardRecord) -> str | None:
    """Say in what a shard's file differs from its record; None if in nothing."""
    try:
        path = locate(directory, shard.file)
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            return "is no regular file"
        if status.st_size != shard.bytes:
            return f"has {status.st_size} bytes, the manifest says {shard.bytes}"
        sha256 = hash_file(path)
    except ShardError as error:
        return str(error).removeprefix(f"{directory / shard.file}: ")
    except FileNotFoundError:
        return "missing"
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"
    if sha256 == shard.sha256:
        return None
    return f"its bytes have changed (sha256 {sha256[:12]}..., the manifest says {shard.sha256[:12]}...)"


@overload
def locate(directory: Path, name: str) -> Path: ...
@overload
def locate(directory: AnyPath, name: str) -> AnyPath: ...
def locate(directory: AnyPath, name: str) -> AnyPath:
    """Return the path of a file of a dataset, which may be missing.

    Raises
    ------
    ShardError
        If symbolic links lead out of the directory.
    """
    path = directory / name
    if isinstance(path, Place):
        return path
    try:
        real = path.resolve()
        inside = real.is_relative_to(str(directory.resolve()))
    except (OSError, RuntimeError) as error:
        raise ShardError(f"{path}: cannot be found: {error}") from error
    if real.is_symlink():  # which Python leaves as it is from 3.13 on
        raise ShardError(f"{path}: cannot be found: its symbolic links lead in a circle")
    if not inside:
        raise ShardError(f"{path}: leads out of its directory, to {real}")
    return path


def parse_json(text: str | bytes) -> Any:
    """Parse JSON; raises `ValueError` or `RecursionError` if it is none, or holds what cannot be written again."""
    value = json.loads(text)
    json.dumps(value, ensure_ascii=False, allow_nan=False).encode()  # no half characters, no infinity
    return value


def read_count(record: Any, key: Any, most: int = (1 << 63) - 1) -> int:
    """Return a count of a stored record; raises `KeyError`, `TypeError` or `ValueError` where it is none."""
    value = record[key]
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
        raise ValueError(f"{key} must be a whole number from 0 to {most}, not {value!r}")
    return value
