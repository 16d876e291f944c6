"""A dataset that lies elsewhere, copied whole to a directory."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from posegen.errors import ConfigError, ShardError
from posegen.files import TEMPORARY_SUFFIX, sync_directory, write_atomically
from posegen.shards.manifest import MANIFEST_NAME, Manifest
from posegen.shards.record import ShardRecord, compare_bytes
from posegen.shards.source import find_dataset
from posegen.shards.transfer import fetch_shard
from posegen.storage import Location
from posegen.storage.remote import RemotePath

_FAILURES_NAME = "failures.jsonl"
_AT_ONCE = 2
"""Shards; of each several parts are fetched at once."""


def fetch(
    url: Location, directory: str | os.PathLike[str], *, progress: Callable[[int, int], None] | None = None
) -> Manifest:
    """Copy a dataset from behind a URL to a directory; what an earlier call has brought there is kept.

    Every shard is compared with the manifest, which comes last: a directory without one is no dataset.

    Parameters
    ----------
    url
        Of the dataset.
    directory
        Where to; made if it does not exist.
    progress
        Called after every shard with how many of its bytes, and of all, are there.

    Returns
    -------
    The dataset's manifest.

    Raises
    ------
    ConfigError
        If there is no such dataset, or the directory holds another one, or something else.
    ShardError
        If a shard is missing, is not the recorded bytes, or cannot be fetched or written. What was fetched stays.
    """
    source, out = find_dataset(url), Path(directory)
    if not isinstance(source, RemotePath):
        raise ConfigError(f"{source}: is on this disk; fetch copies from a URL, as in s3://bucket/pose")
    manifest = Manifest.read(source)
    try:
        out.mkdir(parents=True, exist_ok=True)
        text = (source / MANIFEST_NAME).read_checked()
        _refuse_other(out, manifest, text)
        total, done = manifest.bytes, 0
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            fetched = threads.map(lambda shard: _fetch(source, out, shard), manifest.shards)
            for shard in fetched:
                done += shard.bytes
                if progress is not None:
                    progress(done, total)
        with contextlib.suppress(FileNotFoundError):
            write_atomically(out / _FAILURES_NAME, (source / _FAILURES_NAME).read_checked())
        sync_directory(out)
        write_atomically(out / MANIFEST_NAME, text)
    except OSError as error:
        raise ShardError(
            f"{error.filename or out}: {error.strerror or error}; what was fetched stays, run again to go on"
        ) from error
    return manifest


def _fetch(source: RemotePath, out: Path, shard: ShardRecord) -> ShardRecord:
    if compare_bytes(out, shard) is not None:
        temporary = out / f".{shard.file}.{os.getpid()}{TEMPORARY_SUFFIX}"
        fetch_shard(source / shard.file, shard, temporary, out / shard.file)
    return shard


def _refuse_other(out: Path, manifest: Manifest, text: bytes) -> None:
    """Keep away from a directory that holds something else; what killed processes left is removed."""
    for path in out.glob(f".*{TEMPORARY_SUFFIX}"):
        path.unlink()
    known = {shard.file for shard in manifest.shards} | {MANIFEST_NAME, _FAILURES_NAME}
    for path in sorted(out.iterdir()):
        if path.name not in known:
            raise ConfigError(f"{out}: holds {path.name}, which is no part of this dataset; choose a new directory")
    if (out / MANIFEST_NAME).exists() and (out / MANIFEST_NAME).read_bytes() != text:
        raise ConfigError(f"{out}: holds another dataset than is behind the URL now; choose a new directory")
