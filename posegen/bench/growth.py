"""Section `growth`: what becomes of time and memory when a dataset has many images."""

from __future__ import annotations

import multiprocessing
import shutil
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from posegen.annotations import CocoPaths
from posegen.bench.memory import list_children, read_peak
from posegen.bench.source import PRESET, Source, replicate
from posegen.bench.throughput import TimedBuild, time_build
from posegen.bench.turns import Notify, Spread
from posegen.build.pipeline import build
from posegen.config import BuildConfig
from posegen.errors import BuildError

IMAGES = (5_000, 50_000)

_LOOK_EVERY_S = 0.1
_PATIENCE_S = 60.0


def measure_growth(
    source: Source,
    scratch: Path,
    rounds: int,
    notify: Notify,
    *,
    workers: int = 2,
    images: Sequence[int] = IMAGES,
) -> dict[str, Any]:
    """Build datasets of few and of many images, in turn, each in a process of its own.

    Parameters
    ----------
    source
        Whose samples; the images are links to theirs.
    scratch
        Where to put them, and what is built of them.
    rounds
        How often each is built.
    notify
        Told what is measured.
    workers
        How many processes build.
    images
        How many images, from few to many.
    """
    datasets = {}
    for count in images:
        notify(f"linking {count} images")
        datasets[count] = replicate(source, count, scratch / f"growth-{count}")
    runs: dict[int, list[_Run]] = {count: [] for count in images}
    for turn in range(rounds):
        for count, paths in datasets.items():
            notify(f"build of {count} images, round {turn + 1} of {rounds}")
            out = scratch / "grown"
            runs[count].append(_build_apart(paths, out, workers))
            shutil.rmtree(out)
    few, many = (runs[count] for count in (images[0], images[-1]))
    ratios = [(b.times.seconds / images[-1]) / (a.times.seconds / images[0]) for a, b in zip(few, many, strict=True)]
    return {
        "workers": workers,
        "rows": [_describe(count, done) for count, done in runs.items()],
        "ratio": {"kind": "times", **Spread.of(ratios).to_dict()},
    }


@dataclass(slots=True)
class _Peaks:
    """The most memory that a process and its largest child had at any time, in bytes; 0 where nobody told."""

    parent: int = 0
    worker: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class _Run:
    times: TimedBuild
    again_s: float
    peaks: _Peaks = field(default_factory=_Peaks)


def _build_apart(paths: CocoPaths, out: Path, workers: int) -> _Run:
    """Build in a fresh process, so that what this one holds does not count."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_build_and_tell, args=(theirs, paths, out, workers))
    process.start()
    theirs.close()
    peaks, ended = _Peaks(), threading.Event()
    watcher = threading.Thread(target=_watch, args=(process.pid, peaks, ended), daemon=True)
    watcher.start()
    try:
        times, again_s = ours.recv()
    except EOFError as error:
        process.join(_PATIENCE_S)
        raise BuildError(f"the process that built {paths.annotations} ended with status {process.exitcode}") from error
    finally:
        ended.set()
        watcher.join()
        ours.close()
    process.join()
    return _Run(times, again_s, peaks)


def _build_and_tell(connection: Any, paths: CocoPaths, out: Path, workers: int) -> None:
    """Build, and build again, which finds that all is there."""
    config = BuildConfig.preset(PRESET)
    times, begun = time_build(paths, out, config, workers), time.perf_counter()
    build(paths.annotations, out, config, images=paths.images, workers=workers)
    connection.send((times, time.perf_counter() - begun))


def _watch(pid: int, peaks: _Peaks, ended: threading.Event) -> None:
    while not ended.wait(_LOOK_EVERY_S):
        peaks.parent = max(peaks.parent, read_peak(pid))
        peaks.worker = max([peaks.worker, *map(read_peak, list_children(pid))])


def _describe(images: int, runs: Sequence[_Run]) -> dict[str, Any]:
    times = [run.times for run in runs]
    return {
        "images": images,
        "seconds": Spread.of([t.seconds for t in times]).to_dict(),
        "ms_sample": Spread.of([1e3 * t.seconds / images for t in times]).to_dict(),
        "planning_share": Spread.of([t.planning_s / t.seconds for t in times]).to_dict(),
        "again_s": Spread.of([run.again_s for run in runs]).to_dict(),
        "parent_peak_bytes": max(run.peaks.parent for run in runs) or None,
        "worker_peak_bytes": max(run.peaks.worker for run in runs) or None,
    }
