"""The tool: from annotations to a dataset on disk, or to none."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

from posegen.annotations import CocoPaths, find_coco, read_coco
from posegen.audit import Audit
from posegen.config import BuildConfig
from posegen.errors import BuildError, ConfigError
from posegen.estimate import estimate_bytes
from posegen.executors import Done, Executor, LocalExecutor, Lost, available_cpus
from posegen.files import write_atomically
from posegen.labels.registry import require_labels
from posegen.manifest import Manifest
from posegen.plan import BuildPlan, ShardTask, make_plan
from posegen.shard import ShardRecord, library_versions
from posegen.state import FAILURES_NAME, BuildState, open_state
from posegen.worker import Failure, ShardResult, build_shard

Progress = Callable[[int, int], None]
"""Called with how many samples are done, and how many there are."""

Notify = Callable[[str], None]
"""Called with a line for the user: what was taken over, which worker died."""

_SHOWN_FAILURES = 10
_DEATHS_AT_ONE_IMAGE = 3
"""In a row: then it was not chance."""

_DEATHS_OF_ONE_SHARD = 20
"""Without an image to blame."""


def build(
    coco: str | os.PathLike[str],
    out: str | os.PathLike[str],
    config: BuildConfig | None = None,
    *,
    split: str | None = None,
    images: str | os.PathLike[str] | None = None,
    workers: int | None = None,
    max_failures: int | str = 0,
    overwrite: bool = False,
    progress: Progress | None = None,
    notify: Notify | None = None,
) -> Manifest:
    """Build a dataset, or go on building it.

    Shards are written beside their final place and moved there when all are whole; the manifest comes last. So `out`
    has either a complete dataset or none, and a dataset that is replaced stays until its successor stands. Shards that
    an earlier run finished are taken over if all they were made from is unchanged.

    Parameters
    ----------
    coco
        A COCO root or an annotation file; see `posegen.annotations.find_coco`.
    out
        The directory of the dataset; made if it does not exist.
    config
        What to build; by default the preset `tf-pose`.
    split, images
        Which split of the root, and where the images are, if that is not obvious.
    workers
        How many processes; by default as many as there are CPUs for this one. They change no byte.
    max_failures
        How many samples may fail: a number, or a share of them as in `"1%"`.
    overwrite
        Whether to replace what was built in `out` with other options.
    progress
        Called in this process after every sample.
    notify
        Called in this process with what the user should know meanwhile.

    Returns
    -------
    The dataset's manifest.

    Raises
    ------
    ConfigError
        If an argument is wrong, or `out` holds something else, or was built with other options.
    AnnotationError
        If the annotations are bad.
    BuildError
        If more samples failed than may, workers kept dying, or a file could not be written. What was finished stays for
        the next run.
    """
    config = config or BuildConfig()
    require_labels(config.labels)
    out = Path(out)
    executor = LocalExecutor(available_cpus() if workers is None else workers)
    allowed = _Allowance.parse(max_failures)
    paths = find_coco(Path(coco), split=split, images=None if images is None else Path(images))
    try:
        with open_state(out, config, overwrite=overwrite) as state:
            plan = make_plan(read_coco(paths.annotations, config, paths.images), config)
            if not plan.samples:
                raise BuildError(f"{paths.annotations}: there is nothing to build: {_why_empty(plan)}")
            run = _Run(plan, paths, state, progress or _ignore, notify or _ignore)
            run.take_over()
            run.announce()
            run.build(executor)
            failures = run.failures
            _write_failures(out, failures)
            if len(failures) > allowed.of(plan.samples) or not run.records:
                raise BuildError(_describe_failures(out, failures, plan.samples))
            manifest = Manifest(
                config=config,
                skeleton=plan.coco.skeleton,
                source={"annotations": paths.annotations.name, "images": paths.images.name},
                shards=run.records,
                failures=len(failures),
                audit=plan.coco.audit.to_dict(),
                versions=library_versions(config.labels),
            )
            state.publish(manifest)
            return manifest
    except OSError as error:
        raise BuildError(
            f"{error.filename or out}: {error.strerror or error}; finished shards stay, run again to go on"
        ) from error


def audit(
    coco: str | os.PathLike[str],
    config: BuildConfig | None = None,
    *,
    split: str | None = None,
    images: str | os.PathLike[str] | None = None,
) -> Audit:
    """Read and check annotations as `build` does, without building; raises what it raises for them.

    There need be no images, unless the annotations leave their sizes to them.
    """
    config = config or BuildConfig()
    require_labels(config.labels)
    images = None if images is None else Path(images)
    paths = find_coco(Path(coco), split=split, images=images, need_images=False)
    return make_plan(read_coco(paths.annotations, config, paths.images), config).coco.audit


class _Run:
    """One run of a build: which shards stand, which are to be built, what failed."""

    def __init__(
        self, plan: BuildPlan, paths: CocoPaths, state: BuildState, progress: Progress, notify: Notify
    ) -> None:
        self.plan = plan
        self.paths = paths
        self.state = state
        self.progress = progress
        self.notify = notify
        self.done = 0
        self.results: dict[str, ShardResult] = {}
        self.waiting = list(range(len(plan.shards)))
        self.quarantined: dict[int, dict[int, str]] = defaultdict(dict)
        self.deaths: dict[int, list[int | None]] = defaultdict(list)

    @property
    def failures(self) -> list[Failure]:
        """The samples that could not be built, by image id."""
        found = (failure for result in self.results.values() for failure in result.failures)
        return sorted(
            found, key=lambda failure: (failure.image_id, failure.annotation_id or 0, failure.copy or 0, failure.file)
        )

    @property
    def records(self) -> tuple[ShardRecord, ...]:
        """The finished shards, in the order of their numbers."""
        found = (result.record for result in self.results.values() if result.record is not None)
        return tuple(sorted(found, key=lambda record: record.file))

    def take_over(self) -> None:
        """Find the shards that stand from an earlier run."""
        missing = []
        for index in self.waiting:
            # The digest of a task takes longest: most often there is nothing to compare it with.
            stands = self.state.has_record(self.plan.file_name(index))
            record = self.state.find(self._task(index)) if stands else None
            if record is None:
                missing.append(index)
            else:
                self.results[record.file] = ShardResult(record=record, failures=())
                self._advance(record.samples)
        self.waiting = missing

    def announce(self) -> None:
        """Say what was noticed and taken over, what is to be done, and what that needs on disk."""
        shards = len(self.plan.shards)
        for line in self.plan.coco.audit.describe_noticed():
            self.notify(line)
        if self.results:
            rest = f"building {len(self.waiting)}" if self.waiting else "nothing is left to build"
            self.notify(f"{len(self.results)} of {shards} shards stand from an earlier run; {rest}")
        if not self.waiting:
            return
        needed = estimate_bytes(self.plan, self.paths.images) * sum(len(self.plan.shards[i]) for i in self.waiting)
        free = shutil.disk_usage(self.state.out).free
        short = "; warning: that may not be enough" if free < needed else ""
        self.notify(
            f"this will take about {max(needed / 1e6, 0.1):,.1f} MB on disk; {free / 1e6:,.0f} MB are free{short}"
        )

    def build(self, executor: Executor) -> None:
        """Build the shards that are missing. A task whose worker dies is tried again until an image is to blame."""
        index_of = {self.plan.file_name(index): index for index in self.waiting}
        while self.waiting:
            tasks, self.waiting = (self._task(index) for index in self.waiting), []
            for outcome in executor.run(build_shard, tasks, self._advance):
                if isinstance(outcome, Done):
                    self._finish(outcome.task, outcome.result)
                else:
                    self._mourn(index_of[outcome.task.file_name], outcome)

    def _task(self, index: int) -> ShardTask:
        return self.plan.task(
            index, images=self.paths.images, directory=self.state.staged, quarantined=self.quarantined[index]
        )

    def _advance(self, samples: int) -> None:
        self.done += samples
        self.progress(self.done, self.plan.samples)

    def _finish(self, task: ShardTask, result: ShardResult) -> None:
        # A shard with failures leaves no record: the next run tries them again.
        if result.record is not None and not result.failures:
            self.state.commit(task, result.record)
        self.results[task.file_name] = result

    def _mourn(self, index: int, lost: Lost[ShardTask]) -> None:
        """Decide what to do about a dead worker: try again, or without the image that killed several in a row.

        Workers report every image as its turn comes, so it is known at which one they died, and need not be searched.
        """
        deaths, samples = self.deaths[index], lost.task.samples
        at = lost.reported if lost.reported is not None and lost.reported < len(samples) else None
        deaths.append(at)
        self.waiting.append(index)
        if at is not None and deaths[-_DEATHS_AT_ONE_IMAGE:] == [at] * _DEATHS_AT_ONE_IMAGE:
            sample = samples[at]
            reason = f"{sample.file_name}: the worker that decodes it {lost.reason}, {_DEATHS_AT_ONE_IMAGE} times"
            self.quarantined[index][sample.image_id] = reason
            deaths.clear()
            self.notify(f"image {sample.image_id} is left out: {reason}")
        elif len(deaths) >= _DEATHS_OF_ONE_SHARD:
            raise BuildError(f"{lost.task.file_name}: its worker died {len(deaths)} times; the last {lost.reason}")
        else:
            self.notify(f"a worker {lost.reason} while building {lost.task.file_name}; trying again")


@dataclasses.dataclass(frozen=True, slots=True)
class _Allowance:
    """How many samples may fail: a number or a share."""

    number: int
    share: float

    @classmethod
    def parse(cls, text: int | str) -> _Allowance:
        match = re.fullmatch(r"(\d+)|(\d+(?:\.\d+)?)%", str(text))
        if match is None or (match[2] and float(match[2]) > 100):
            raise ConfigError(f"max_failures must be a number, as in 10, or a share, as in 1%, not {text!r}")
        return cls(int(match[1] or 0), float(match[2] or 0) / 100)

    def of(self, samples: int) -> int:
        return max(self.number, int(self.share * samples))


def _ignore(*_: object) -> None:
    """Tell nobody."""


def _why_empty(plan: BuildPlan) -> str:
    found = plan.coco.audit
    counts = ", ".join(f"{count} left out: {reason}" for reason, count in sorted(found.left_out.items()))
    return f"{found.images} images ({counts or 'none'})"


def _write_failures(out: Path, failures: Sequence[Failure]) -> None:
    path = out / FAILURES_NAME
    if failures:
        records = ({k: v for k, v in dataclasses.asdict(failure).items() if v is not None} for failure in failures)
        lines = [json.dumps(record, ensure_ascii=False) + "\n" for record in records]
        write_atomically(path, "".join(lines).encode())
    else:
        path.unlink(missing_ok=True)


def _describe_failures(out: Path, failures: Sequence[Failure], samples: int) -> str:
    lines = [f"{len(failures)} of {samples} samples could not be built; there is no dataset"]
    lines += [f"{failure.sample}: {failure.reason}" for failure in failures[:_SHOWN_FAILURES]]
    if len(failures) > _SHOWN_FAILURES:
        lines.append(f"... and {len(failures) - _SHOWN_FAILURES} more")
    advice = f"all are in {out / FAILURES_NAME}; mend the files and run again, or allow them with --max-failures"
    return "\n  ".join(lines) + "\n" + advice
