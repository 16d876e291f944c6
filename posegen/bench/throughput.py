"""Section `build`: a build against a plain loop of OpenCV over the same pictures, and against other builds.

These are one by a single worker, one with another sigma, which copies all but heatmaps, and one that copies pictures
alone.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from posegen.annotations import CocoPaths
from posegen.annotations.audit import counted
from posegen.bench.plain import run_plain_loop
from posegen.bench.source import PRESET, Source, replicate
from posegen.bench.turns import Notify, Spread, compare, take_in_turn
from posegen.build.pipeline import build
from posegen.build.worker import build_shard
from posegen.config import BuildConfig
from posegen.images.parallel import one_thread

FLOOR = "OpenCV's pictures alone"
"""What a build is compared with: pictures read, decoded, resized, padded, encoded, and appended to one file a process.

Nothing is drawn, checked or indexed, and the JPEG files have Huffman tables of their own, as a build's have.
"""

RUNS = {
    "build": "build",
    "floor": FLOOR,
    "one worker": "build, 1 worker",
    "sigma": "another sigma, pictures copied",
    "relabel": "all labels others, pictures copied",
}
"""What is built, by its key in the results, and what it is called."""

_SHARDS_A_WORKER = 2
"""Of ten seconds: about as large ones as a build has by default, as each takes its time to close."""

_OTHER_SIGMA: dict[str, Any] = {"sigma_px": 9.0}
_OTHER_LABELS: dict[str, Any] = {"layout": "hwc"}
"""What another dataset's heatmaps differ in, and what all of its labels differ in."""


def measure_build(
    source: Source, scratch: Path, rounds: int, notify: Notify, *, workers: int = 2, seconds: float = 10.0
) -> dict[str, Any]:
    """Build the source's samples, over and over, so that a build lasts.

    Parameters
    ----------
    source
        Whose samples.
    scratch
        Where to put them, and what is built of them.
    rounds
        How often each build is timed; they are timed in turn.
    notify
        Told what is measured.
    workers
        How many processes build, compared with one.
    seconds
        How long, about, a build should last; the number of samples follows.
    """
    notify("one shard, to see how many samples a build needs")
    shard_size = max(1, math.ceil(seconds / (_time_sample(source, scratch) * _SHARDS_A_WORKER)))
    samples = shard_size * _SHARDS_A_WORKER * workers
    config = dataclasses.replace(BuildConfig.preset(PRESET), shard_size=shard_size)
    paths, out = replicate(source, samples, scratch / "build"), scratch / "built"
    found = _Measured(paths=paths, out=out, old=scratch / "old", config=config, workers=workers)
    notify("a dataset to take pictures from")
    found.build_old()
    alternatives: dict[str, Callable[[], None]] = {
        "build": lambda: found.build("build", workers),
        "floor": found.run_floor,
        "one worker": lambda: found.build("one worker", 1),
        "sigma": lambda: found.build("sigma", workers, found.old),
        "relabel": lambda: found.build("relabel", workers, found.old, **_OTHER_LABELS),
    }
    taken = take_in_turn(
        alternatives,
        rounds=rounds,
        warm_up=0,
        notify=notify,
        before_each=lambda: shutil.rmtree(out, ignore_errors=True),
    )
    shutil.rmtree(out)
    shutil.rmtree(found.old)
    rates = {name: [samples / s for s in values] for name, values in taken.items()}
    team = counted(workers, "worker")
    measured = f"build, {team}", rates["build"]
    floor, one, sigma, relabel = ((RUNS[key], rates[key]) for key in ("floor", "one worker", "sigma", "relabel"))
    return {
        "comparisons": [
            compare("build", "samples/s", measured, floor, kind="share", samples=samples),
            compare("build", "samples/s", measured, one, kind="times", samples=samples),
            *(compare("build", "samples/s", of, measured, kind="times", samples=samples) for of in (sigma, relabel)),
        ],
        "workers": workers,
        "samples": samples,
        "shards": _SHARDS_A_WORKER * workers,
        "seconds": {name: Spread.of(values).to_dict() for name, values in taken.items()},
        "cpu_ms_sample": {
            name: Spread.of([1e3 * taken / samples for taken in of]).to_dict() for name, of in found.cpu_s.items()
        },
        "starting_s": Spread.of(found.starting_s).to_dict(),
    }


@dataclass(slots=True, kw_only=True, eq=False)
class _Measured:
    """What is built in turn, the seconds of the CPU by name, and those until the first sample of the builds."""

    paths: CocoPaths
    out: Path
    old: Path
    config: BuildConfig
    workers: int
    cpu_s: dict[str, list[float]] = field(default_factory=dict)
    starting_s: list[float] = field(default_factory=list)

    def build_old(self) -> None:
        """Build a dataset with the same pictures and another sigma."""
        time_build(self.paths, self.old, dataclasses.replace(self.config, **_OTHER_SIGMA), self.workers)

    def build(self, name: str, workers: int, pictures_from: Path | None = None, **changes: Any) -> None:
        timed = time_build(self.paths, self.out, dataclasses.replace(self.config, **changes), workers, pictures_from)
        self.cpu_s.setdefault(name, []).append(timed.cpu_s)
        if name == "build":
            self.starting_s.append(timed.starting_s)

    def run_floor(self) -> None:
        before, config = _cpu_s(), self.config
        pictures = sorted(Path(str(self.paths.images)).iterdir())
        run_plain_loop(pictures, self.out, config.input_size, config.jpeg_quality, self.workers)
        self.cpu_s.setdefault("floor", []).append(_cpu_s() - before)


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedBuild:
    """How long a build took.

    Attributes
    ----------
    seconds
        All of it.
    planning_s
        Until the plan stood.
    starting_s
        From then on until the first sample was done.
    cpu_s
        What it took of the CPUs, in this process and the workers: what other programs leave alone.
    """

    seconds: float
    planning_s: float
    starting_s: float
    cpu_s: float


def time_build(
    paths: CocoPaths, out: Path, config: BuildConfig, workers: int, pictures_from: Path | None = None
) -> TimedBuild:
    """Build a dataset and time it; pictures may be copied from another one."""
    moments: dict[str, float] = {}

    def progress(done: int, _total: int) -> None:
        tell("planned")
        if done:
            tell("first sample")

    def tell(what: str) -> None:
        moments.setdefault(what, time.perf_counter())

    start, cpu = time.perf_counter(), _cpu_s()
    # What a build has to say before it starts workers, it says when its plan stands.
    build(
        paths.annotations,
        out,
        config,
        images=paths.images,
        pictures_from=pictures_from,
        workers=workers,
        progress=progress,
        notify=lambda _: tell("planned"),
    )
    end = time.perf_counter()
    return TimedBuild(
        seconds=end - start,
        planning_s=moments["planned"] - start,
        starting_s=moments["first sample"] - moments["planned"],
        cpu_s=_cpu_s() - cpu,
    )


def _cpu_s() -> float:
    """Add up the CPU time of this process and of its children that have ended, in seconds."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def _time_sample(source: Source, scratch: Path) -> float:
    """Time what a worker does for one sample, in seconds."""
    counter = itertools.count()
    directory = scratch / "calibration"
    directory.mkdir()

    def build_one() -> None:
        task = dataclasses.replace(source.task, directory=directory, file_name=f"{next(counter)}.h5")
        build_shard(task, lambda _: None)

    with one_thread():
        taken = take_in_turn({"shard": build_one}, rounds=2)["shard"]
    shutil.rmtree(directory)
    return min(taken) / len(source.samples)
