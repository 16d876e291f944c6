"""What a build leaves behind to go on from: finished shards, a record of each, and the lock.

    out/.posegen/lock               held by the process that builds; the kernel frees it when that process is gone
    out/.posegen/repair/            shards that `repair` is building again
    out/.posegen/<digest>/          of one configuration
        options.json                the configuration
        shard-00000-of-00064.json   a commit record, written after its shard
        shards/                     finished shards until all are, which then move to out/

A record is believed only where everything it says still holds: the shard's bytes, the configuration, the annotations,
the pictures' sizes and times, the versions of the libraries and of the format.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import hashlib
import json
import os
import platform
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from posegen.build.failures import FAILURES_NAME
from posegen.build.plan import ShardTask
from posegen.config import BuildConfig
from posegen.errors import BuildError, ConfigError, ShardError
from posegen.files import TEMPORARY_SUFFIX, canonical_json, write_atomically
from posegen.images.files import identify
from posegen.shards import FORMAT_VERSION, ShardRecord, hash_file, library_versions
from posegen.shards.manifest import MANIFEST_NAME, Manifest
from posegen.shards.record import locate

STATE_NAME = ".posegen"
REPAIR_NAME = "repair"

_SHARD_FILE = re.compile(r"shard-\d+-of-\d+\.h5")
_OPTIONS = "options.json"


class BuildState:
    """The state of a build of one configuration; made by `open_state`, which holds the lock."""

    def __init__(self, out: Path, config: BuildConfig) -> None:
        self.out = out
        self.home = out / STATE_NAME / config.digest[:16]
        self.staged = self.home / "shards"
        self._versions = library_versions(config.labels)

    def has_record(self, file_name: str) -> bool:
        """Tell whether there is a record of a shard, be it what it may."""
        with contextlib.suppress(OSError):
            return self._record_path(file_name).exists()
        return False

    def has_records(self) -> bool:
        """Tell whether any shard is finished."""
        with contextlib.suppress(OSError):
            return any(self.home.glob("shard-*.json"))
        return False

    def find_dataset(self) -> Manifest | None:
        """Find the dataset that is there."""
        with contextlib.suppress(ShardError):
            return Manifest.read(self.out)
        return None

    def find(self, task: ShardTask) -> ShardRecord | None:
        """Return the record of a task's shard if it stands, finished and unharmed."""
        try:
            record = json.loads(self._record_path(task.file_name).read_bytes())
            if record["of"] != self._identify(task):
                return None
            shard = ShardRecord.from_dict(record["shard"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return shard if self._place_of(shard) is not None else None

    def commit(self, task: ShardTask, shard: ShardRecord) -> None:
        """Record that a task's shard is finished. Raises `OSError` if that cannot be written."""
        record = {"of": self._identify(task), "shard": dataclasses.asdict(shard)}
        write_atomically(self._record_path(task.file_name), canonical_json(record).encode())

    def publish(self, manifest: Manifest) -> None:
        """Replace what is in `out` by the manifest's shards; while that lasts there is no manifest, and so no dataset.

        Raises
        ------
        BuildError
            If a shard has gone since it was finished.
        OSError
            If a file cannot be moved or written.
        """
        places = {}
        for shard in manifest.shards:
            place = self._place_of(shard)
            if place is None:
                raise BuildError(f"{self.out}: {shard.file} was changed or removed while others were built; run again")
            places[shard.file] = place
        (self.out / MANIFEST_NAME).unlink(missing_ok=True)
        for old in self.out.iterdir():
            if _SHARD_FILE.fullmatch(old.name) and places.get(old.name) != old:
                old.unlink()
        for name, place in places.items():
            if place.parent != self.out:
                place.replace(self.out / name)
        manifest.write(self.out)
        for other in self.home.parent.iterdir():
            if other.is_dir() and other != self.home:
                shutil.rmtree(other)

    def _record_path(self, file_name: str) -> Path:
        return self.home / f"{Path(file_name).stem}.json"

    def _place_of(self, shard: ShardRecord) -> Path | None:
        """Find the file whose bytes a record describes."""
        for directory in (self.staged, self.out):
            path = directory / shard.file
            with contextlib.suppress(OSError):
                if path.stat().st_size == shard.bytes and hash_file(path) == shard.sha256:
                    return path
        return None

    def _identify(self, task: ShardTask) -> dict[str, Any]:
        """Say what a shard is built from: its task, its pictures' identity, and the libraries."""
        pictures = hashlib.sha256()
        for sample in task.samples:
            try:
                pictures.update(f"{identify(task.images, sample.file_name)}\n".encode())
            except (OSError, ValueError):
                pictures.update(b"missing\n")
        identity = {"task": task.digest, "pictures": pictures.hexdigest(), "versions": self._versions}
        return identity | {"format": FORMAT_VERSION}


@contextlib.contextmanager
def open_state(out: Path, config: BuildConfig, *, overwrite: bool) -> Iterator[BuildState]:
    """Take possession of an output directory, which is made if it does not exist.

    Raises
    ------
    ConfigError
        If it holds something else, or a dataset or finished shards with other options and `overwrite` is not set. A
        larger limit, or none where there was one, is no other option.
    BuildError
        If another process is building there.
    ShardError
        If symbolic links in it lead out of it.
    OSError
        If it cannot be written.
    """
    _refuse_foreign(out)
    with hold_lock(out):
        if not overwrite:
            _refuse_other_options(out, config)
        state = BuildState(out, config)
        locate(out, str(state.staged.relative_to(out)))
        state.staged.mkdir(parents=True, exist_ok=True)
        write_atomically(state.home / _OPTIONS, canonical_json(config.to_dict()).encode())
        yield state


@contextlib.contextmanager
def hold_lock(out: Path) -> Iterator[None]:
    """Keep other processes from writing to an output directory, which is made if it does not exist.

    What killed processes were writing is removed, both what is found there and what this one leaves.

    Raises
    ------
    BuildError
        If another process is building there, or the file system has no locks.
    ShardError
        If symbolic links in it lead out of it.
    OSError
        If it cannot be written.
    """
    path = out / STATE_NAME / "lock"
    locate(out, f"{STATE_NAME}/lock").parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as lock:
        _lock(lock.fileno(), path, out)
        _remove_partial(out)
        try:
            yield
        finally:
            _remove_partial(out)


def _remove_partial(out: Path) -> None:
    """Remove files that nobody is writing any more, wherever a build or a repair puts them."""
    shutil.rmtree(out / STATE_NAME / REPAIR_NAME, ignore_errors=True)
    inside = (directory for directory, _, _ in os.walk(out / STATE_NAME))  # which follows no symbolic links
    for directory in (out, *map(Path, inside)):
        with contextlib.suppress(OSError):
            for path in directory.glob(f".*{TEMPORARY_SUFFIX}"):
                path.unlink()


def _refuse_foreign(out: Path) -> None:
    """Keep away from a directory that is not ours."""
    if not out.exists():
        return
    if not out.is_dir():
        raise ConfigError(f"{out}: is a file; the output must be a directory")
    ours = {MANIFEST_NAME, FAILURES_NAME, STATE_NAME}
    for path in sorted(out.iterdir()):
        if path.name not in ours and not _SHARD_FILE.fullmatch(path.name) and path.suffix != TEMPORARY_SUFFIX:
            raise ConfigError(
                f"{out}: holds {path.name}, which is no part of a dataset; choose an empty or new directory"
            )


def _lock(descriptor: int, path: Path, out: Path) -> None:
    try:
        _lock_file(descriptor)
    except BlockingIOError as error:
        holder = path.read_text().strip()
        raise BuildError(
            f"{out}: process {holder or '?'} is building here; wait for it, or choose another directory"
        ) from error
    except OSError as error:
        raise BuildError(
            f"{path}: cannot be locked: {error.strerror or error}; build on a file system with locks, and copy"
        ) from error
    os.ftruncate(descriptor, 0)
    # Network file systems hold locks against other machines, too.
    os.write(descriptor, f"{os.getpid()} on {platform.node()}\n".encode())


def _lock_file(descriptor: int) -> None:
    """Lock a file until it is closed; raises `BlockingIOError` if another process has, or else `OSError`."""
    try:
        import fcntl
    except ModuleNotFoundError as error:
        raise OSError(errno.ENOTSUP, "posegen builds under Linux and macOS, and reads anywhere") from error
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _refuse_other_options(out: Path, config: BuildConfig) -> None:
    """Compare the options with those of the dataset, or else of the finished shards, that are in `out`."""
    stored: list[dict[str, Any]] = []
    with contextlib.suppress(ShardError):
        stored.append(Manifest.read(out).config.to_dict())
    if not stored:
        for path in sorted((out / STATE_NAME).glob(f"*/{_OPTIONS}")):
            with contextlib.suppress(OSError, ValueError):
                if any(path.parent.glob("shard-*.json")):
                    stored.append(json.loads(path.read_bytes()))
    now = config.to_dict()
    for before in stored:
        changed = [key for key in {**before, **now} if before.get(key) != now.get(key)]
        if changed and not (changed == ["limit"] and _goes_further(before["limit"], config.limit)):
            both = ((key, _brief(key, before.get(key)), _brief(key, now.get(key))) for key in changed)
            lines = [f"{key}: was {was}, is now {value}" for key, was, value in both]
            raise ConfigError(
                f"{out}: was built with other options\n  " + "\n  ".join(lines) + "\n"
                "use the same options to go on, another directory, or --overwrite to replace what is there"
            )


def _goes_further(before: Any, now: int | None) -> bool:
    """Tell whether a limit lets through all that another did, and more: what was tried out is then built whole."""
    return isinstance(before, int) and (now is None or now > before)


def _brief(key: str, value: Any) -> str:
    if key == "input_size" and isinstance(value, list) and len(value) == 2:
        return f"{value[1]}x{value[0]}"
    return str(value.get("name", value)) if isinstance(value, dict) else str(value)
