"""Checking that a dataset is what its manifest says.

Each shard is checked in a worker process, so that a file at which HDF5 crashes is one more problem and not the end.
Nothing that is read is trusted: not the manifest, not a shard, not where a symbolic link leads.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from posegen.annotations import Sample, Sources, find_recorded
from posegen.build.executors import Executor, Lost, Report, choose_executor
from posegen.build.plan import make_plan
from posegen.build.progress import Progress, count_up
from posegen.config import BuildConfig
from posegen.errors import ImageError, ShardError
from posegen.files import canonical_json, hash_file
from posegen.inspect.rerender import LabelComparison
from posegen.shards import FORMAT_VERSION, ShardReader, ShardRecord, compare_bytes, find_dataset
from posegen.shards.manifest import MANIFEST_NAME, Manifest
from posegen.shards.preview import compare_previews, make_preview
from posegen.shards.record import locate
from posegen.shards.source import borrow
from posegen.skeleton import Skeleton
from posegen.storage import AnyPath, Location, list_folder


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something about a dataset that is not as it was recorded.

    Attributes
    ----------
    file
        Its name in the dataset's directory.
    what
        What is wrong with it.
    """

    file: str
    what: str

    def __str__(self) -> str:
        return f"{self.file}: {self.what}"


def verify(
    directory: Location,
    *,
    deep: bool = False,
    coco: Sources | None = None,
    split: str | None = None,
    workers: int | None = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> list[Problem]:
    """Check a dataset: that its shards are there, are the recorded bytes, can be read, and hold what they should.

    Parameters
    ----------
    directory
        Of the dataset.
    deep
        Whether to render every label again from the stored keypoints and compare. Segmentations are not stored, so that
        without `coco` a label that needs them is only held against what it can be: a mask against its range and the
        padding.
    coco, split
        The annotations that it was built from, which is checked; with `deep` these labels are rendered from them, too.
        See `posegen.annotations.find_coco`.
    workers
        How many processes; by default as many as there are CPUs for this one.
    executor
        What runs the checks instead of processes on this machine; see `posegen.build.executors`.
    progress
        Called in this process after every sample.

    Returns
    -------
    All that is wrong, in the order of the manifest; an empty list for a dataset that is as recorded.

    Raises
    ------
    ConfigError
        If there is no such directory, or there are no such annotations.
    AnnotationError
        If the annotations are bad.
    """
    directory = find_dataset(directory)
    executor = choose_executor(executor, workers)
    try:
        manifest = Manifest.read(directory)
    except ShardError as error:
        return [Problem(file=MANIFEST_NAME, what=_without(directory, _without(directory / MANIFEST_NAME, error)))]
    samples: dict[str, Sequence[Sample]] | None = None
    others: list[Problem] = []
    if coco is not None:
        source = find_recorded(coco, manifest.config, manifest.source, split=split, need_images=False)
        others = [Problem(file=MANIFEST_NAME, what=what) for what in source.compare(manifest.source)]
    if deep and coco is not None:
        plan = make_plan(source.read(manifest.config), manifest.config)
        samples = {plan.file_name(i): shard for i, shard in enumerate(plan.shards)}
    checks = (
        ShardCheck(
            directory=directory,
            shard=shard,
            config=manifest.config,
            skeleton=manifest.skeleton,
            deep=deep,
            format_version=manifest.format_version,
            samples=None if samples is None else tuple(samples.get(shard.file, ())),
        )
        for shard in manifest.shards
    )
    found: dict[str, Sequence[str]] = {}
    for outcome in executor.run(check_shard, checks, count_up(progress, manifest.samples)):
        shard = outcome.task.shard
        if isinstance(outcome, Lost):
            found[shard.file] = [f"cannot be checked: the process that read it {outcome.reason}"]
        elif outcome.result:
            owner = _find_owner(directory, shard, manifest.shards)
            found[shard.file] = [f"is {owner}'s content"] if owner else outcome.result
    problems = [Problem(file=MANIFEST_NAME, what=what) for what in _check_sums(directory, manifest)] + others
    for shard in manifest.shards:
        problems += [Problem(file=shard.file, what=what) for what in found.get(shard.file, ())]
    named = {shard.file for shard in manifest.shards}
    foreign = sorted(path.name for path in list_folder(directory) if path.suffix == ".h5" and path.name not in named)
    return problems + [Problem(file=name, what="is not in the manifest") for name in foreign]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ShardCheck:
    """All that a worker needs to check one shard.

    Attributes
    ----------
    directory
        Of the dataset.
    shard, config, skeleton
        As the manifest has them.
    deep
        Whether to render the labels again.
    format_version
        What the manifest says.
    samples
        What the annotations give this shard; None if they are not at hand.
    """

    directory: AnyPath
    shard: ShardRecord
    config: BuildConfig
    skeleton: Skeleton
    deep: bool = False
    format_version: int = FORMAT_VERSION
    samples: tuple[Sample, ...] | None = None


def check_shard(check: ShardCheck, report: Report) -> tuple[str, ...]:
    """Say all that is wrong with one shard; `report` is called with how many more samples are done."""
    try:
        with borrow(check.directory, check.shard) as directory:
            return _check(dataclasses.replace(check, directory=directory), directory, report)
    except ShardError as error:
        report(check.shard.samples)
        return (_without(check.directory / check.shard.file, error),)


def _check(check: ShardCheck, directory: Path, report: Report) -> tuple[str, ...]:
    wrong = compare_bytes(directory, check.shard)
    found = dict.fromkeys([wrong] if wrong else [])
    path, done = directory / check.shard.file, 0
    try:
        if locate(directory, check.shard.file).is_file():
            with ShardReader(path) as reader:
                found |= dict.fromkeys(_compare_counts(reader, check))
                found |= dict.fromkeys(_check_preview(reader))
                comparison = LabelComparison(reader, check.samples) if check.deep else None
                for index in range(len(reader)):
                    found |= dict.fromkeys(_read_sample(reader, index, comparison))
                    if done < check.shard.samples:
                        report(1)
                        done += 1
    except ShardError as error:
        found[_without(path, error)] = None
    except MemoryError:
        found["cannot be checked: that needs more memory than there is"] = None
    if done < check.shard.samples:
        report(check.shard.samples - done)
    return tuple(found)


def _without(path: AnyPath | str, error: object) -> str:
    """Return what an error says but for the path it begins with."""
    return str(error).removeprefix(f"{path}: ")


def _find_owner(directory: AnyPath, shard: ShardRecord, shards: Sequence[ShardRecord]) -> str | None:
    """Find the shard whose content is in the file of another one."""
    path = directory / shard.file
    if not isinstance(path, Path) or not path.is_file():
        return None  # to hash what lies elsewhere it would be fetched again
    size = path.stat().st_size
    others = {s.sha256: s.file for s in shards if s.bytes == size and s.sha256 != shard.sha256}
    return others.get(hash_file(path)) if others else None


def _check_sums(directory: AnyPath, manifest: Manifest) -> Iterator[str]:
    """Compare what the manifest says of itself with what is in it."""
    record = json.loads((directory / MANIFEST_NAME).read_bytes())
    expected = {
        "samples": manifest.samples,
        "people": manifest.people,
        "keypoints": manifest.keypoints,
        "config_digest": hashlib.sha256(canonical_json(record["config"]).encode()).hexdigest(),
    }
    for key, value in expected.items():
        if record.get(key) != value:
            yield f"its {key} does not agree with the rest of it"


def _compare_counts(reader: ShardReader, check: ShardCheck) -> Iterator[str]:
    """Compare what a shard says of itself with the manifest."""
    now, recorded = reader.config.to_dict(), check.config.to_dict()
    if changed := [key for key in {**recorded, **now} if now.get(key) != recorded.get(key)]:
        yield f"was built with other options than the manifest says: {', '.join(changed)}"
    if reader.format_version != check.format_version:
        yield f"has format version {reader.format_version}, the manifest says {check.format_version}"
    if reader.skeleton != check.skeleton:
        yield "has another skeleton than the manifest"
    people = reader.people()
    for what, count, expected in (
        ("samples", len(reader), check.shard.samples),
        ("people", len(people), check.shard.people),
        ("labelled keypoints", tuple((people[..., 2] > 0).sum(axis=0).tolist()), check.shard.keypoints),
    ):
        if count != expected:
            yield f"has {count} {what}, the manifest says {expected}"


def _check_preview(reader: ShardReader) -> Iterator[str]:
    """Make sure that the preview shows the first sample, if there is one, and that can be read."""
    try:
        there = reader.preview()
    except ShardError as error:
        yield _without(reader.path, error)
        return
    if not there or not len(reader):
        return
    with contextlib.suppress(ShardError, ImageError):  # of the sample, which is told where it is read
        pixels = reader.picture(0).show(reader.config.input_size)
        plots = make_preview(reader.config, reader.labels, pixels, lambda label: reader.label(label, 0))
        if wrong := compare_previews(there, plots):
            yield wrong


def _read_sample(reader: ShardReader, index: int, comparison: LabelComparison | None) -> Iterator[str]:
    """Read all there is of a sample, and compare its labels if asked to."""
    values: dict[str, NDArray[Any]] = {}
    for label in reader.labels:
        try:
            values[label.spec.name] = reader.label(label, index)
        except ShardError as error:
            reason = _without(reader.path, error).removeprefix(f"is damaged: {label.spec.name}[{index}] ")
            yield f"damaged chunk: {label.spec.name} of sample {index}: {reason}"
    try:
        reader.picture(index)
        ignored, known = reader.ignored(index), reader.sample(index)
    except ShardError as error:
        yield _without(reader.path, error)
        return
    if comparison is not None:
        yield from comparison.compare(index, known, values, ignored)
