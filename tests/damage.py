"""What is done to copies of built datasets, by whoever wants them to be found bad, or believed."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Protocol

import h5py
import hdf5plugin  # noqa: F401 (registers zstd)


def copy_of(dataset: Path, where: Path) -> Path:
    """Copy a dataset, without what a build could go on from."""
    return Path(shutil.copytree(dataset, where, ignore=shutil.ignore_patterns(".posegen")))


def shards_of(dataset: Path) -> list[Path]:
    return sorted(dataset.glob("shard-*.h5"))


def flip(path: Path, offset: int, bit: int = 0) -> None:
    data = bytearray(path.read_bytes())
    data[offset] ^= 1 << bit
    path.write_bytes(data)


def offset_of(path: Path, name: str, index: int) -> int:
    """Find a byte in the middle of a chunk."""
    with h5py.File(path) as file:
        chunk = file[name].id.get_chunk_info(index)
    return chunk.byte_offset + chunk.size // 2


def edit(dataset: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the manifest."""
    record = json.loads((dataset / "manifest.json").read_text(encoding="utf-8"))
    change(record)
    (dataset / "manifest.json").write_text(json.dumps(record), encoding="utf-8")


def accept(dataset: Path) -> None:
    """Make the manifest say of its shards what they are by now, as somebody would who wants them to be believed."""

    def change(record: dict[str, Any]) -> None:
        for shard in record["shards"]:
            data = (dataset / shard["file"]).read_bytes()
            shard |= {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}

    edit(dataset, change)


class Told(Protocol):
    """A problem: its file, and what is wrong."""

    file: str
    what: str


def said(problems: Iterable[Told]) -> dict[str, list[str]]:
    """Sort what is wrong by file."""
    found: dict[str, list[str]] = {}
    for problem in problems:
        found.setdefault(problem.file, []).append(problem.what)
    return found
