"""One run of a build, or of a part of it: which shards stand, which are to be built, what failed."""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import NoReturn

from posegen.annotations.audit import counted
from posegen.build.checkpoint import BuildState
from posegen.build.decoding import describe_unturned
from posegen.build.estimate import estimate_bytes
from posegen.build.executors import Done, Executor, Lost
from posegen.build.failures import Allowance, Failure, describe_failures, write_failures
from posegen.build.part import Part
from posegen.build.plan import BuildPlan, ShardTask, find_key
from posegen.build.progress import Notify, Progress
from posegen.build.relabel import OldPictures
from posegen.build.worker import ShardResult, build_shard
from posegen.errors import BuildError
from posegen.shards import FORMAT_VERSION, SampleKey, ShardRecord

HOPELESS = 100
"""Samples that fail one after the other from the first on: then all will."""

_DEATHS_AT_ONE_IMAGE = 3
"""In a row: then it was not chance."""

_DEATHS_OF_ONE_SHARD = 20
"""Without an image to blame."""


class Run:
    """One run of a build, or of a part of it: which shards stand, which are to be built, what failed.

    Parameters
    ----------
    plan, state
        What to build, and what is there.
    progress, notify
        As for `posegen.build.pipeline.build`.
    source
        The sha256 of the annotation file.
    part
        Which shards are this run's to build; None if all are. Others may then be building, too.
    old
        The dataset that pictures are copied from, if there is one.
    """

    def __init__(
        self,
        plan: BuildPlan,
        state: BuildState,
        progress: Progress,
        notify: Notify,
        source: str,
        *,
        part: Part | None = None,
        old: OldPictures | None = None,
    ) -> None:
        self.plan = plan
        self.state = state
        self.progress = progress
        self.notify = notify
        self.source = source
        self.part = part
        self.old = old
        self.done = 0
        self.built = 0
        self.results: dict[str, ShardResult] = {}
        self.waiting = list(range(len(plan.shards)) if part is None else part.choose(len(plan.shards)))
        self.shards = len(self.waiting)
        self.samples = sum(len(plan.shards[index]) for index in self.waiting)
        self.lists_failures = state.out if part is None else state.home / part.name
        self.first: int | None = None
        self.quarantined: dict[int, dict[SampleKey, str]] = defaultdict(dict)
        self.deaths: dict[int, list[int | None]] = defaultdict(list)

    @property
    def failures(self) -> list[Failure]:
        """The samples that could not be built, by key."""
        found = (failure for result in self.results.values() for failure in result.failures)
        return sorted(found, key=lambda failure: failure.key)

    @property
    def records(self) -> tuple[ShardRecord, ...]:
        """The finished shards, in the order of their numbers."""
        found = (result.record for result in self.results.values() if result.record is not None)
        return tuple(sorted(found, key=lambda record: record.file))

    def complete(self, executor: Executor, allowance: Allowance) -> None:
        """Take over what stands and build the rest, in the order in which the user wants to hear of it.

        Raises
        ------
        BuildError
            If more samples fail than may, or shards cannot be built.
        """
        allowed = allowance.of(self.plan.samples)
        self.take_over()
        self.announce()
        self.check_files(allowed)
        self.build(executor)
        self.check_failures(allowed)

    def take_over(self) -> None:
        """Find the shards that stand from an earlier run."""
        self.waiting = [index for index in self.waiting if not self._stands(index)]
        self.first = self.waiting[0] if self.waiting else None

    def _stands(self, index: int) -> bool:
        """Take a shard over that was built by another run, if there is one."""
        # The digest of a task takes longest: most often there is nothing to compare it with.
        stands = self.state.has_record(self.plan.file_name(index))
        record = self.state.find(self._task(index)) if stands else None
        if record is not None:
            self.results[record.file] = ShardResult(record=record, failures=())
            self._advance(record.samples)
        return record is not None

    def announce(self) -> None:
        """Say what was noticed and taken over, what is to be done, and what that needs on disk."""
        for line in self.plan.annotations.audit.describe_noticed():
            self.notify(line)
        if self.results:
            rest = f"building {len(self.waiting)}" if self.waiting else "nothing is left to build"
            whose = f"{len(self.results)} of {'' if self.part is None else 'the '}{self.shards} shards"
            whose += "" if self.part is None else f" of part {self.part}"
            self.notify(f"{whose} stand from an earlier run; {rest}")
        if not self.waiting:
            return
        self._tell_replaced()
        needed = estimate_bytes(self.plan) * sum(len(self.plan.shards[i]) for i in self.waiting)
        free = self.state.store.free()
        takes = f"this will take about {max(needed / 1e6, 0.1):,.1f} MB"
        short = "; warning: that may not be enough" if free is not None and free < needed else ""
        self.notify(takes if free is None else f"{takes} on disk; {free / 1e6:,.0f} MB are free{short}")

    def _tell_replaced(self) -> None:
        """Say what becomes of the dataset that is there, if that is not what is built now."""
        there = self.state.find_dataset()
        if there is None:
            return
        if (version := there.format_version) != FORMAT_VERSION:
            self.notify(f"what is there has format version {version}: it is built again, in version {FORMAT_VERSION}")
        limit, now = there.config.limit, self.plan.config.limit
        if limit is not None and limit != now:
            what = "all" if now is None else f"the first {now}"
            self.notify(f"what is there are the first {limit} samples: {what} are built, and then take their place")
        elif there.config == self.plan.config and there.source.get("sha256", self.source) != self.source:
            self.notify(
                f"the annotations are others than those of the dataset that is there: {len(self.waiting)} of "
                f"{counted(len(self.plan.shards), 'shard')} change; the old ones stay until all are built"
            )

    def check_files(self, allowed: int) -> None:
        """Raise `BuildError` before the first shard, if more pictures are missing than samples may fail."""
        missing = self.plan.annotations.missing
        if not missing:
            return
        config, images = self.plan.config, self.plan.annotations.images
        why = "cannot be read: No such file or directory"
        failures = [
            Failure(
                key=find_key(sample, config),
                file=sample.file_name,
                reason=f"{images / sample.file_name}: {why}{missing[sample.file_name]}",
            )
            for index in self.waiting
            for sample in self.plan.shards[index].select(missing)
        ]
        if len(failures) > allowed:
            failures.sort(key=lambda failure: failure.key)
            self._refuse(failures)

    def build(self, executor: Executor) -> None:
        """Build the shards that are missing. A task whose worker dies is tried again until an image is to blame."""
        index_of = {self.plan.file_name(index): index for index in self.waiting}
        while self.waiting:
            tasks, self.waiting = self._list_tasks(self.waiting), []
            for outcome in executor.run(build_shard, tasks, self._advance):
                if isinstance(outcome, Done):
                    self._finish(index_of[outcome.task.file_name], outcome.task, outcome.result)
                else:
                    self._try_again(index_of[outcome.task.file_name], outcome)
        self._tell_unturned()
        self._tell_copied()

    def _list_tasks(self, indices: list[int]) -> Iterator[ShardTask]:
        """Make the tasks of shards, as they are asked for; without those that others have built meanwhile."""
        for index in indices:
            if self.part is None or not self._stands(index):
                task = self._task(index)
                yield task if self.old is None else dataclasses.replace(task, pictures=self.old.choose(task.samples))

    def check_failures(self, allowed: int) -> None:
        """List the failures, and raise `BuildError` if more samples failed than may, or nothing was built.

        A part may have nothing: whether the dataset has anything is seen when it is finished.
        """
        failures = self.failures
        if len(failures) > allowed or (self.part is None and self.shards and not self.records):
            self._refuse(failures)
        write_failures(self.lists_failures, failures)

    def _refuse(self, failures: list[Failure], said: str = "") -> NoReturn:
        """List failures, and raise `BuildError`."""
        write_failures(self.lists_failures, failures)
        raise BuildError(said + describe_failures(self.lists_failures, failures, self.samples))

    def _tell_unturned(self) -> None:
        """Say which EXIF orientations were not applied."""
        found = {name: value for result in self.results.values() for name, value in result.unturned.items()}
        for value, count in sorted(Counter(found.values()).items()):
            name = min(name for name, of in found.items() if of == value)
            self.notify(f"note: {describe_unturned(value, count, name)}")

    def _tell_copied(self) -> None:
        """Say how many pictures were copied, and why the others were not."""
        if self.old is None:
            return
        copied = sum(result.copied for result in self.results.values())
        afresh = sum((Counter(result.afresh) for result in self.results.values()), Counter[str]())
        why = ", ".join(f"{count} {reason}" for reason, count in sorted(afresh.items()))
        same = {name: None for result in self.results.values() for name in result.unchanged}
        labels = f", with the labels that stay as they were: {', '.join(same)}" if same else ""
        rest = f"; {afresh.total()} not: {why}" if afresh else ""
        if copied or afresh:
            self.notify(f"{counted(copied, 'picture')} copied from {self.old.directory}{labels}{rest}")

    def _give_up(self) -> None:
        """Raise `BuildError` where the first samples of a run have all failed: so will the others."""
        failures = self.failures
        if len(failures) >= HOPELESS and not self.built and len(failures) < self.samples:
            self._refuse(failures, f"the first {len(failures)} samples all failed, so the build stopped early\n  ")

    def _task(self, index: int) -> ShardTask:
        return self.plan.task(
            index,
            directory=self.state.staged,
            quarantined=self.quarantined[index],
            hopeless=HOPELESS if index == self.first else None,
            careful=bool(self.deaths[index]),
        )

    def _advance(self, samples: int) -> None:
        self.done += samples
        self.progress(self.done, self.samples)

    def _finish(self, index: int, task: ShardTask, result: ShardResult) -> None:
        if result.record is not None or len(result.failures) == len(task.samples):  # or else it was given up
            self.state.commit(task, result.record, result.failures, result.identities, digest=result.digest)
        self.results[task.file_name] = result
        self.built += len(task.samples) - len(result.failures) if result.record is not None else 0
        if result.record is None:
            self._give_up()
            if len(result.failures) < len(task.samples):  # others were built: the rest of this one may be, too
                self.first = None
                self.waiting.append(index)

    def _try_again(self, index: int, lost: Lost[ShardTask]) -> None:
        """Decide what to do about a dead worker: try again, or without the image that killed several in a row.

        Careful workers, as all are that try again, report every image as its turn comes, so it is known at which one
        they died, and need not be searched.
        """
        deaths, samples, left_out = self.deaths[index], lost.task.samples, self.quarantined[index]
        known = lost.task.careful and lost.reported is not None and lost.reported < len(samples)
        at = lost.reported if known else None
        if at is not None and find_key(samples[at], self.plan.config) in left_out:
            at = None  # it was not touched: something else is to blame
        deaths.append(at)
        self.waiting.append(index)
        if at is not None and deaths[-_DEATHS_AT_ONE_IMAGE:] == [at] * _DEATHS_AT_ONE_IMAGE:
            sample = samples[at]
            reason = f"{sample.file_name}: the worker that decodes it {lost.reason}, {_DEATHS_AT_ONE_IMAGE} times"
            of_image = (other for other in samples if other.file_name == sample.file_name)
            left_out |= dict.fromkeys((find_key(other, self.plan.config) for other in of_image), reason)
            deaths.clear()
            self.notify(f"image {sample.image_id} is left out: {reason}")
        elif len(deaths) >= _DEATHS_OF_ONE_SHARD:
            raise BuildError(f"{lost.task.file_name}: its worker died {len(deaths)} times; the last {lost.reason}")
        else:
            self.notify(f"a worker {lost.reason} while building {lost.task.file_name}; trying again")
