"""The tool: from annotations to a dataset on disk, or to none."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from posegen.annotations import CocoPaths, find_coco, read_coco
from posegen.config import BuildConfig
from posegen.errors import BuildError, ConfigError
from posegen.executors import LocalExecutor, available_cpus
from posegen.files import write_atomically
from posegen.manifest import MANIFEST_NAME, Manifest
from posegen.plan import BuildPlan, make_plan
from posegen.shard import library_versions
from posegen.worker import Failure, ShardResult, build_shard

Progress = Callable[[int, int], None]
"""Called with how many samples are done, and how many there are."""

FAILURES_NAME = "failures.jsonl"

_STATE_NAME = ".posegen"
_SHARD_FILE = re.compile(r"shard-\d+-of-\d+\.h5")
_SHOWN_FAILURES = 10


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
) -> Manifest:
    """Build a dataset.

    Shards are written beside their final place and moved there when all are whole; the manifest comes last. So `out`
    has either a complete dataset or none, and a dataset that is overwritten stays until its successor stands.

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
        Whether a dataset that is already in `out` is replaced.
    progress
        Called in this process after every sample.

    Returns
    -------
    The dataset's manifest.

    Raises
    ------
    ConfigError
        If an argument is wrong, or `out` holds something else.
    AnnotationError
        If the annotations are bad.
    BuildError
        If more samples failed than may, a worker died, or a file could not be written. There is no dataset then.
    """
    config = config or BuildConfig()
    out = Path(out)
    executor = LocalExecutor(available_cpus() if workers is None else workers)
    allowed = _Allowance.parse(max_failures)
    paths = find_coco(Path(coco), split=split, images=None if images is None else Path(images))
    _check_output(out, overwrite=overwrite)
    plan = make_plan(read_coco(paths.annotations, config), config)
    if not plan.samples:
        raise BuildError(f"{paths.annotations}: there is nothing to build: {_why_empty(plan)}")
    try:
        with _exclusive(out) as state:
            results = list(_run(executor, plan, paths, state, progress or _ignore))
            failures = sorted((f for r in results for f in r.failures), key=lambda f: (f.image_id, f.file))
            _write_failures(out, failures)
            if len(failures) > allowed.of(plan.samples):
                raise BuildError(_describe_failures(out, failures, plan.samples))
            records = sorted((r.record for r in results if r.record is not None), key=lambda r: r.file)
            manifest = Manifest(
                config=config,
                skeleton=plan.coco.skeleton,
                source={"annotations": paths.annotations.name, "images": paths.images.name},
                shards=tuple(records),
                failures=len(failures),
                audit=plan.coco.audit.to_dict(),
                versions=library_versions(),
            )
            _publish(manifest, state, out)
            return manifest
    except OSError as error:
        raise BuildError(f"{error.filename or out}: cannot be written: {error.strerror or error}") from error


def _ignore(_done: int, _total: int) -> None:
    """Show no progress."""


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


def _check_output(out: Path, *, overwrite: bool) -> None:
    if out.exists() and not out.is_dir():
        raise ConfigError(f"{out}: is a file; the output must be a directory")
    if (out / MANIFEST_NAME).exists() and not overwrite:
        raise ConfigError(f"{out}: already holds a dataset; choose another directory, or replace it with --overwrite")
    known = {MANIFEST_NAME, FAILURES_NAME, _STATE_NAME}
    if out.exists():
        other = [p.name for p in sorted(out.iterdir()) if p.name not in known and not _SHARD_FILE.fullmatch(p.name)]
        if other:
            raise ConfigError(
                f"{out}: holds {other[0]}, which is no part of a dataset; choose an empty or a new directory"
            )


def _why_empty(plan: BuildPlan) -> str:
    audit = plan.coco.audit
    counts = ", ".join(f"{count} left out: {reason}" for reason, count in sorted(audit.left_out.items()))
    return f"{audit.images} images ({counts or 'none'})"


@contextlib.contextmanager
def _exclusive(out: Path) -> Iterator[Path]:
    """Keep other builds out of a directory; yields the directory of the build's own files, which is removed at the end.

    The lock is the kernel's, so that it is gone when its process is.
    """
    state = out / _STATE_NAME
    state.mkdir(parents=True, exist_ok=True)
    with (state / "lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            raise BuildError(f"{out}: process {lock.read().strip() or '?'} is building here; wait for it") from error
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        try:
            yield state
        finally:
            with contextlib.suppress(OSError):
                shutil.rmtree(state)


def _run(
    executor: LocalExecutor, plan: BuildPlan, paths: CocoPaths, state: Path, progress: Progress
) -> Iterator[ShardResult]:
    staged = state / "shards"
    shutil.rmtree(staged, ignore_errors=True)
    staged.mkdir()
    done = 0

    def advance(samples: int) -> None:
        nonlocal done
        done += samples
        progress(done, plan.samples)

    tasks = (plan.task(i, images=paths.images, directory=staged) for i in range(len(plan.shards)))
    progress(0, plan.samples)
    yield from executor.run(build_shard, tasks, advance)


def _write_failures(out: Path, failures: Sequence[Failure]) -> None:
    path = out / FAILURES_NAME
    if failures:
        lines = [json.dumps(dataclasses.asdict(failure), ensure_ascii=False) + "\n" for failure in failures]
        write_atomically(path, "".join(lines).encode())
    else:
        path.unlink(missing_ok=True)


def _describe_failures(out: Path, failures: Sequence[Failure], samples: int) -> str:
    lines = [f"{len(failures)} of {samples} samples could not be built; there is no dataset"]
    lines += [f"image {failure.image_id}: {failure.reason}" for failure in failures[:_SHOWN_FAILURES]]
    if len(failures) > _SHOWN_FAILURES:
        lines.append(f"... and {len(failures) - _SHOWN_FAILURES} more")
    advice = f"all are in {out / FAILURES_NAME}; mend the files and run again, or allow them with --max-failures"
    return "\n  ".join(lines) + "\n" + advice


def _publish(manifest: Manifest, state: Path, out: Path) -> None:
    """Replace what is in `out` by the staged shards; while that lasts there is no manifest, and so no dataset."""
    (out / MANIFEST_NAME).unlink(missing_ok=True)
    for old in out.iterdir():
        if _SHARD_FILE.fullmatch(old.name):
            old.unlink()
    for shard in manifest.shards:
        (state / "shards" / shard.file).replace(out / shard.file)
    manifest.write(out)
