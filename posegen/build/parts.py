"""A build in parts that know nothing of each other: on any machine, in any order, again and again, at the same time.

    posegen build ... --part 3/16    builds every sixteenth shard, from the third on; finishes if it is the last
    posegen build ... --finish       checks that all are there, and writes the manifest

No process has to live while others work, and none waits for another: a shard is written whole and then its record, and
what two of them build twice has the same bytes. So have the datasets that two of them finish at once.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from posegen.annotations import Sources
from posegen.build.checkpoint import Built
from posegen.build.executors import Executor, choose_executor
from posegen.build.failures import Allowance, describe_failures, write_failures
from posegen.build.part import Part
from posegen.build.prepare import Prepared, prepare
from posegen.build.progress import Notify, Progress, ignore
from posegen.build.relabel import find_old_pictures
from posegen.build.run import Run
from posegen.config import BuildConfig
from posegen.errors import BuildError, UnfinishedError
from posegen.shards import Manifest
from posegen.storage import Location

_SHOWN_SHARDS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class PartReport:
    """What became of a part.

    Attributes
    ----------
    part
        Which it is.
    shards, samples
        How many it has, samples that failed not counted.
    failures
        How many of its samples could not be built.
    built, of
        How many shards of the whole dataset are built, by whomever, and how many there will be.
    manifest
        Of the dataset, if it was the last part and has finished it.
    """

    part: Part
    shards: int
    samples: int
    failures: int
    built: int
    of: int
    manifest: Manifest | None = None


def build_part(
    coco: Sources,
    out: Location,
    config: BuildConfig | None = None,
    *,
    part: str | Part,
    split: str | None = None,
    images: Location | None = None,
    workers: int | None = None,
    executor: Executor | None = None,
    max_failures: int | str = 0,
    overwrite: bool = False,
    pictures_from: str | os.PathLike[str] | None = None,
    finish: bool = False,
    preset: str | None = None,
    description: str = "",
    progress: Progress | None = None,
    notify: Notify | None = None,
) -> PartReport:
    """Build one part of the shards of a dataset, or go on building it. `finish_parts` makes a dataset of all.

    The parts may be built anywhere that sees the pictures, the annotations and `out`; what other parts, or the same one
    run twice, or another number of parts build changes no byte.

    Parameters
    ----------
    part
        Which of how many, as in `3/16`.
    finish
        Whether to do what `finish_parts` does as soon as the shards of all parts are built. Two parts that end at once
        both do. What keeps them from it is told by `notify`, and no error of this part.
    coco, out, config, split, images, workers, executor, max_failures, overwrite, pictures_from, progress, notify
        As for `posegen.build.pipeline.build`, and so are `preset` and `description`; raised is what that raises.
    """
    part = part if isinstance(part, Part) else Part.parse(part)
    executor = choose_executor(executor, workers)
    allowance = Allowance.parse(max_failures)
    with prepare(coco, out, config, split=split, images=images, overwrite=overwrite, shared=True) as prepared:
        plan, state = prepared.plan, prepared.state
        state.note_parts(part.of)
        old = find_old_pictures(pictures_from, state.out if overwrite else None, plan.config)
        run = Run(plan, state, progress or ignore, notify or ignore, prepared.source["sha256"], part=part, old=old)
        run.complete(executor, allowance)
        built, manifest = sum(state.has_any_record(plan.file_name(index)) for index in range(len(plan.shards))), None
        if finish and built == len(plan.shards):
            try:
                manifest = _finish(prepared, allowance, ignore, preset=preset, description=description)
            except BuildError as error:
                run.notify(str(error))
        return PartReport(
            part=part,
            shards=run.shards,
            samples=sum(record.samples for record in run.records),
            failures=len(run.failures),
            built=built,
            of=len(plan.shards),
            manifest=manifest,
        )


def finish_parts(
    coco: Sources,
    out: Location,
    config: BuildConfig | None = None,
    *,
    split: str | None = None,
    images: Location | None = None,
    max_failures: int | str = 0,
    overwrite: bool = False,
    preset: str | None = None,
    description: str = "",
    progress: Progress | None = None,
) -> Manifest:
    """Make a dataset of parts that are all built. It is the same to the byte as if it was built at once.

    Every shard's bytes are read and held against its record, and that against the annotations, pictures and libraries
    as they are now.

    Parameters
    ----------
    coco, out, config, split, images, max_failures, overwrite, preset, description
        As for `posegen.build.pipeline.build`, and as the parts were built with.
    progress
        Called after every shard.

    Returns
    -------
    The dataset's manifest.

    Raises
    ------
    UnfinishedError
        If a shard is missing, or is not what it has to be; the dataset that is there stays.
    ConfigError, AnnotationError, BuildError
        As by `posegen.build.pipeline.build`.
    """
    allowance = Allowance.parse(max_failures)
    with prepare(coco, out, config, split=split, images=images, overwrite=overwrite, shared=True) as prepared:
        return _finish(prepared, allowance, progress or ignore, preset=preset, description=description)


def _finish(
    prepared: Prepared, allowance: Allowance, progress: Progress, *, preset: str | None, description: str
) -> Manifest:
    """Make a dataset of shards that are all built; raises `BuildError` if they are not, or lack too many samples."""
    built = _collect(prepared, progress)
    plan, state = prepared.plan, prepared.state
    failures = sorted((failure for one in built for failure in one.failures), key=lambda failure: failure.key)
    records = [one.record for one in built if one.record is not None]
    write_failures(state.out, failures)
    if len(failures) > allowance.of(plan.samples) or not records:
        raise BuildError(describe_failures(state.out, failures, plan.samples))
    return prepared.publish(records, len(failures), preset=preset, description=description)


def _collect(prepared: Prepared, progress: Progress) -> list[Built]:
    """Find what became of every shard; raises `UnfinishedError` if that is not known of one."""
    plan, state = prepared.plan, prepared.state
    built: list[Built] = []
    missing: dict[int, str] = {}
    done = 0
    for index, samples in enumerate(plan.shards):
        found = state.examine(plan.task(index, directory=state.staged))
        if isinstance(found, str):
            missing[index] = found
        else:
            built.append(found)
        done += len(samples)
        progress(done, plan.samples)
    if missing:
        raise _describe_missing(prepared, missing)
    return built


def _describe_missing(prepared: Prepared, missing: dict[int, str]) -> UnfinishedError:
    """Say which shards are missing, why, and which parts build them."""
    plan, of = prepared.plan, prepared.state.parts
    lines = [f"{prepared.state.out}: {len(missing)} of {len(plan.shards)} shards are missing, so there is no dataset"]
    for index, why in list(missing.items())[:_SHOWN_SHARDS]:
        of_part = "" if of is None else f" (part {Part.having(index, of)})"
        lines.append(f"  {plan.file_name(index)}{of_part} {why}")
    if len(missing) > _SHOWN_SHARDS:
        lines.append(f"  ... and {len(missing) - _SHOWN_SHARDS} more")
    parts = () if of is None else tuple(sorted({Part.having(index, of).number for index in missing}))
    return UnfinishedError("\n".join(lines), parts=parts, of=of or 1)
