"""The bad shards of a dataset, built again to the recorded byte, and no others."""

from __future__ import annotations

import os
from pathlib import Path

from posegen.annotations import Sources, find_recorded
from posegen.build.executors import Executor, Lost, Report, choose_executor
from posegen.build.failures import read_failures
from posegen.build.lock import REPAIR_NAME, STATE_NAME, hold_lock
from posegen.build.plan import BuildPlan, ShardTask, make_plan
from posegen.build.progress import Notify, Progress, count_up
from posegen.build.worker import ShardResult, build_shard
from posegen.errors import BuildError, ConfigError, ShardError
from posegen.files import sync_directory
from posegen.shards import FORMAT_VERSION, find_dataset, library_versions
from posegen.shards.hdf5 import GuardedFile
from posegen.shards.manifest import Manifest
from posegen.shards.record import compare_bytes, locate
from posegen.storage import Location

_ATTEMPTS = 3


def repair(
    directory: str | os.PathLike[str],
    coco: Sources,
    *,
    split: str | None = None,
    images: Location | None = None,
    workers: int | None = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
    notify: Notify | None = None,
) -> list[str]:
    """Build those shards again whose bytes are not the recorded ones.

    A new shard takes its place only if its sha256 is the one in the manifest. Files that the manifest does not name are
    left alone.

    Parameters
    ----------
    directory
        Of the dataset.
    coco, split, images
        What it was built from; see `posegen.annotations.find_coco`.
    workers, executor, progress
        As for `posegen.build.pipeline.build`.
    notify
        Called in this process with a line for each bad shard.

    Returns
    -------
    The names of the shards that were built again.

    Raises
    ------
    ConfigError
        If there is no such directory, or there are no such annotations.
    AnnotationError
        If the annotations are bad.
    ShardError
        If the manifest cannot be read.
    BuildError
        If a shard cannot become what it was, because the annotations, the pictures or the libraries are others now; the
        rest is repaired all the same. Also if the shards are of an older format, another process writes there, or a
        file cannot be written.
    """
    directory = _find_here(directory)
    executor = choose_executor(executor, workers)
    manifest = Manifest.read(directory)
    staging = locate(directory, STATE_NAME) / REPAIR_NAME
    try:
        with hold_lock(directory):
            bad = {shard.file: what for shard in manifest.shards if (what := compare_bytes(directory, shard))}
            if not bad:
                return []
            _refuse_older(directory, manifest, list(bad))
            for name, what in bad.items():
                if notify is not None:
                    notify(f"{name}: {what}; building it again")
            source = find_recorded(coco, manifest.config, manifest.source, split=split, images=images)
            annotations = source.read(manifest.config)
            plan = make_plan(annotations, manifest.config)
            staging.mkdir()
            repairing = _Repairing(directory, manifest, plan, list(bad))
            repairing.run(executor, staging, progress)
    except OSError as error:
        raise BuildError(f"{error.filename or directory}: {error.strerror or error}") from error
    return list(bad)


class _Repairing:
    """The shards that are to be built again, and why some could not be."""

    def __init__(self, directory: Path, manifest: Manifest, plan: BuildPlan, bad: list[str]) -> None:
        self.directory = directory
        self.plan = plan
        self.versions = manifest.versions
        self.index_of = {plan.file_name(index): index for index in range(len(plan.shards))}
        self.records = {shard.file: shard for shard in manifest.shards if shard.file in bad}
        self.left_out = {failure.key: failure.reason for failure in read_failures(directory, manifest)}
        self.refused: dict[str, str] = {}

    def run(self, executor: Executor, staging: Path, progress: Progress | None) -> None:
        """Build them and put them in place; raises `BuildError` if some cannot be what they were."""
        for name in self.records.keys() - self.index_of.keys():
            self.refused[name] = "the annotations do not give such a shard: they are others"
        planned = [name for name in self.records if name in self.index_of]
        advance = count_up(progress, sum(self.records[name].samples for name in planned))
        self._build(executor, staging, planned, advance)
        if self.refused:
            lines = [f"{name}: {why}" for name, why in sorted(self.refused.items())]
            raise BuildError(
                f"{self.directory}: {len(lines)} of {len(self.records)} bad shards cannot be built as they were\n  "
                + "\n  ".join(lines)
                + "\nrepair with what the dataset was built from, or build it anew: posegen build --overwrite"
            )

    def _build(self, executor: Executor, staging: Path, names: list[str], advance: Report) -> None:
        """Build some shards, those of lost workers several times."""
        lost: dict[str, str] = {}
        for _ in range(_ATTEMPTS):
            tasks = (
                self.plan.task(self.index_of[name], directory=staging, quarantined=self.left_out) for name in names
            )
            lost = {}
            for outcome in executor.run(build_shard, tasks, advance):
                if isinstance(outcome, Lost):
                    lost[outcome.task.file_name] = f"its worker {outcome.reason}"
                else:
                    self._finish(outcome.task, outcome.result, staging)
            names = list(lost)
        self.refused |= lost

    def _finish(self, task: ShardTask, result: ShardResult, staging: Path) -> None:
        """Put a shard in its place if it is the recorded one."""
        name = task.file_name
        if result.record is None or result.record.sha256 != self.records[name].sha256:
            self.refused[name] = self._explain(task, result)
            (staging / name).unlink(missing_ok=True)
            return
        (staging / name).replace(self.directory / name)
        sync_directory(self.directory)

    def _explain(self, task: ShardTask, result: ShardResult) -> str:
        """Say why a shard is not what it was, as far as that can be told."""
        if failures := [failure for failure in result.failures if failure.key not in self.left_out]:
            return f"{failures[0].key} cannot be built: {failures[0].reason}"
        now = library_versions(self.plan.config.labels)
        if others := [f"{key} {now[key]}, not {was}" for key, was in self.versions.items() if now.get(key, was) != was]:
            return f"the libraries are others: {', '.join(others)}"
        digest = _read_digest(self.directory / task.file_name)
        if digest == task.digest:
            return "its pictures are others"
        planned = {self.plan.task(index, directory=task.directory).digest for index in range(len(self.plan.shards))}
        return f"its {'annotations or pictures' if digest is None or digest in planned else 'annotations'} are others"


def _find_here(directory: str | os.PathLike[str]) -> Path:
    """Return the path of a dataset's directory; raises `ConfigError` if there is none on this disk."""
    path = find_dataset(directory)
    if not isinstance(path, Path):
        raise ConfigError(f"{path}: shards are repaired in a directory on this disk: posegen fetch {path} DIR")
    return path


def _refuse_older(directory: Path, manifest: Manifest, bad: list[str]) -> None:
    """Refuse what cannot be built to the recorded byte any more: this version writes one format alone."""
    if manifest.format_version != FORMAT_VERSION:
        raise BuildError(
            f"{directory}: {', '.join(bad)} cannot be built as recorded: they have format version "
            f"{manifest.format_version}, and this posegen writes {FORMAT_VERSION}\nrepair with posegen "
            f"{manifest.versions.get('posegen', 'of before')}, or build the dataset anew: posegen build --overwrite"
        )


def _read_digest(path: Path) -> str | None:
    """Read from a bad shard what it was built from, if it can still say so."""
    try:
        file = GuardedFile(path)
    except ShardError:
        return None
    try:
        digest = file.attribute("task_digest")
    except ShardError:
        return None
    finally:
        file.close()
    return digest if isinstance(digest, str) else None
