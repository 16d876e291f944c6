"""What a build leaves behind to go on from: finished shards, a record of each, and the lock.

    out/.posegen/lock               held by who builds; the kernel frees it when that process is gone
    out/.posegen/repair/            shards that `repair` is building again
    out/.posegen/<digest>/          of one configuration
        options.json                the configuration
        parts.json                  into how many parts it was cut last, if it was
        shard-00000-of-00064.json   a commit record, written after its shard
        lacking-00001-of-00064.json of a shard that lacks the samples that could not be built
        shards/                     finished shards until all are, which then move to out/
        part-3-of-16/               failures of a part

A record is believed only where everything it says still holds: the shard's bytes, the configuration, the annotations,
the pictures' sizes and times, the versions of the libraries and of the format. What lacks samples is built again by the
next run, and taken as it is by what finishes parts.

Several processes may write here at once, on several machines and without a lock, if they build parts: every file
appears whole, shards of the same name have the same bytes, and a record that belongs to other bytes is not believed.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from posegen.build.executors import available_cpus
from posegen.build.failures import Failure, from_record, to_record
from posegen.build.lock import STATE_NAME, take_lock
from posegen.build.occupied import OPTIONS_NAME, SHARD_FILE, refuse_foreign, refuse_other_options
from posegen.build.pictures import PictureIdentity, identify_picture
from posegen.build.plan import ShardTask
from posegen.build.store import Store, remove_tree
from posegen.config import BuildConfig
from posegen.errors import BuildError, ShardError
from posegen.files import canonical_json, write_atomically
from posegen.shards import FORMAT_VERSION, ShardRecord, library_versions
from posegen.shards.manifest import MANIFEST_NAME, Manifest
from posegen.storage import AnyPath, list_folder

_PARTS = "parts.json"
_FINISHED, _LACKING = "shard", "lacking"
_NOT_BUILT = "was not built"
_OTHERS = {
    "task": "annotations",
    "pictures": "pictures (their sizes or times)",
    "format": "format",
    "versions": "libraries",
}


class Built(NamedTuple):
    """What became of a shard in whatever run: its record, if a sample was left to write, and the samples it lacks."""

    record: ShardRecord | None
    failures: tuple[Failure, ...]


class BuildState:
    """The state of a build of one configuration; made by `open_state`, which holds the lock."""

    def __init__(self, out: AnyPath, config: BuildConfig) -> None:
        self.out = out
        self.home = out / STATE_NAME / config.digest[:16]
        self.store = Store(out, self.home)
        self.staged = self.store.staged
        self._versions = library_versions(config.labels)

    def has_record(self, file_name: str) -> bool:
        """Tell whether there is a record of a shard, be it what it may."""
        with contextlib.suppress(OSError):
            return self.store.has_any(self._record_path(file_name).name)
        return False

    def has_any_record(self, file_name: str) -> bool:
        """Tell whether there is a record of a shard, or of one that lacks samples."""
        with contextlib.suppress(OSError):
            return self.store.has_any(*(self._record_path(file_name, kind).name for kind in (_FINISHED, _LACKING)))
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
        found = self._examine(task, _FINISHED)
        return None if isinstance(found, str) else found.record

    def examine(self, task: ShardTask) -> Built | str:
        """Return what became of a task's shard, which may lack samples; or why it has to be built."""
        finished = self._examine(task, _FINISHED)
        lacking = self._examine(task, _LACKING) if isinstance(finished, str) else finished
        return finished if lacking == _NOT_BUILT else lacking

    def commit(
        self,
        task: ShardTask,
        shard: ShardRecord | None,
        failures: Sequence[Failure] = (),
        identities: Mapping[str, PictureIdentity | None] | None = None,
        *,
        digest: str | None = None,
    ) -> None:
        """Record what became of a task's shard. Raises `OSError` if that cannot be written.

        Parameters
        ----------
        task, shard, failures
            What was to be built, and what was.
        identities
            Of pictures' files by name, as they were when they were read; at others it is looked now.
        digest
            The task's, if it is known.
        """
        found = look_at_pictures(task, identities or {})
        record = {
            "of": self._identify(task, found, digest),
            "files": {name: identity for name, identity in found.items() if identity is not None},
            "shard": None if shard is None else dataclasses.asdict(shard),
            "tag": None if shard is None else self.store.note(shard),
            "failures": [to_record(failure) for failure in failures],
        }
        path = self._record_path(task.file_name, _LACKING if failures else _FINISHED)
        write_atomically(path, canonical_json(record).encode())
        self.store.wrote(path.name)

    @property
    def parts(self) -> int | None:
        """Into how many parts the build was cut last; None if it never was."""
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            return int(json.loads((self.home / _PARTS).read_bytes())["of"])
        return None

    def note_parts(self, count: int) -> None:
        """Note into how many parts the build is cut. Raises `OSError` if that cannot be written."""
        write_atomically(self.home / _PARTS, canonical_json({"of": count}).encode())

    def publish(self, manifest: Manifest) -> None:
        """Replace what is in `out` by the manifest's shards; while that lasts there is no manifest, and so no dataset.

        One that is there already stays as it is, so that parts that finish together do not take it from each other.

        Raises
        ------
        BuildError
            If a shard has gone since it was finished.
        OSError
            If a file cannot be moved or written.
        """
        places, shards = self._find_places(manifest), {shard.file: shard for shard in manifest.shards}
        stands = all(place.parent == self.out for place in places.values()) and self.find_dataset() == manifest
        if not stands:
            (self.out / MANIFEST_NAME).unlink(missing_ok=True)
        for old in list_folder(self.out):
            if SHARD_FILE.fullmatch(old.name) and old.name not in places:
                old.unlink(missing_ok=True)
        for name, place in places.items():
            if place.parent != self.out:
                self.store.move(place, shards[name])
        if not stands:
            manifest.write(self.out)
        for other in list_folder(self.home.parent):
            if other.is_dir() and other != self.home:
                remove_tree(other)

    def _find_places(self, manifest: Manifest) -> dict[str, AnyPath]:
        """Find the files of all shards by name; raises `BuildError` if one has gone since it was finished."""
        places = {}
        # All are read once more, and nothing else is left to do.
        with ThreadPoolExecutor(available_cpus()) as threads:
            found = list(threads.map(self.store.find, manifest.shards))
        for shard, place in zip(manifest.shards, found, strict=True):
            if place is None:
                raise BuildError(f"{self.out}: {shard.file} was changed or removed while others were built; run again")
            places[shard.file] = place
        return places

    def _record_path(self, file_name: str, kind: str = _FINISHED) -> AnyPath:
        return self.home / f"{Path(file_name).stem}.json".replace(_FINISHED, kind, 1)

    def _examine(self, task: ShardTask, kind: str) -> Built | str:
        """Return what a record of a kind says, if it is to be believed, or why not."""
        try:
            record = json.loads(self._record_path(task.file_name, kind).read_bytes())
            now = self._identify(task, look_at_pictures(task, {}))
            if others := [what for key, what in _OTHERS.items() if record["of"].get(key) != now[key]]:
                return f"was built from other {' and other '.join(others)}"
            failures = tuple(from_record(failure) for failure in record.get("failures", ()))
            shard = None if record["shard"] is None else ShardRecord.from_dict(record["shard"])
        except FileNotFoundError:
            return _NOT_BUILT
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return "has a record that cannot be read"
        if shard is not None and not self._stands(shard, record.get("tag")):
            return "was changed or removed since it was built"
        return Built(shard, failures)

    def _stands(self, shard: ShardRecord, tag: str | None) -> bool:
        self.store.recall(shard, tag)
        return self.store.find(shard) is not None

    def _identify(
        self, task: ShardTask, found: Mapping[str, PictureIdentity | None], digest: str | None = None
    ) -> dict[str, Any]:
        """Say what a shard is built from: its task, its pictures' identity, and the libraries."""
        pictures = hashlib.sha256()
        for name in task.file_names:
            identity = found[name]
            pictures.update(b"missing\n" if identity is None else f"{identity}\n".encode())
        return {
            "task": digest or task.digest,
            "pictures": pictures.hexdigest(),
            "versions": self._versions,
            "format": FORMAT_VERSION,
        }


def read_identities(directory: AnyPath, config: BuildConfig, shard: ShardRecord) -> dict[str, PictureIdentity] | None:
    """Read of what files the pictures of a dataset's shard were encoded, by name; None if that is not known."""
    home = directory / STATE_NAME / config.digest[:16]
    for kind in (_FINISHED, _LACKING):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
            path = home / f"{Path(shard.file).stem}.json".replace(_FINISHED, kind, 1)
            record = json.loads(path.read_bytes())
            if record["shard"]["sha256"] == shard.sha256:
                return {str(name): str(identity) for name, identity in record["files"].items()}
    return None


def look_at_pictures(task: ShardTask, known: Mapping[str, PictureIdentity | None]) -> dict[str, PictureIdentity | None]:
    """Find the identity of a task's pictures, by file name, if it is not known."""
    names = set(task.file_names)
    return {name: known[name] if name in known else identify_picture(task.images, name) for name in names}


@contextlib.contextmanager
def open_state(out: AnyPath, config: BuildConfig, *, overwrite: bool, shared: bool = False) -> Iterator[BuildState]:
    """Take possession of an output directory, which is made if it does not exist; `shared` with those who do so, too.

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
    refuse_foreign(out)
    with take_lock(out, shared=shared):
        if not overwrite:
            refuse_other_options(out, config)
        state = BuildState(out, config)
        state.store.make()
        if not shared or not (state.home / OPTIONS_NAME).exists():
            write_atomically(state.home / OPTIONS_NAME, canonical_json(config.to_dict()).encode())
        yield state
