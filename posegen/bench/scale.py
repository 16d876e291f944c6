"""Section `scale`: ten million samples in ten thousand shards, as far as they need no pictures.

Planning, the records that parts leave, the manifest and the order of training are those of a build and a loader; shards
are links to one of a single sample. Each step runs in a process of its own, so that its memory is known.
"""

from __future__ import annotations

import dataclasses
import multiprocessing
import os
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posegen.annotations import Annotations
from posegen.annotations.audit import Audit
from posegen.annotations.columns import SampleColumns, Shapes
from posegen.bench.memory import read_peak
from posegen.bench.source import PRESET, Source
from posegen.bench.turns import Notify
from posegen.build.checkpoint import open_state
from posegen.build.pipeline import build
from posegen.build.plan import ShardTask, make_plan
from posegen.config import BuildConfig
from posegen.errors import BuildError
from posegen.loader import PoseDataset
from posegen.loader.shuffle import shuffle_shards, take_share
from posegen.shards import Manifest, ShardRecord
from posegen.skeleton import Skeleton

SAMPLES = (1_000_000, 10_000_000)
SHARD_SIZE = 1000

_RANK, _RANKS = 3, 64
_SIZE = 480, 640
_NAMES = tuple(f"point_{k}" for k in range(2))

Step = Callable[[int, Path], float]
"""Does a step for so many samples, in a directory of its own that has a dataset of one sample; returns its seconds."""


def measure_scale(source: Source, scratch: Path, notify: Notify, *, samples: Sequence[int] = SAMPLES) -> dict[str, Any]:
    """Measure what becomes of the time and memory of each step when there are many samples.

    Parameters
    ----------
    source
        Whose first sample becomes the shard that all others are links to.
    scratch
        Where to put them.
    notify
        Told what is measured.
    samples
        How many, from few to many.
    """
    notify("building a shard of one sample")
    one = scratch / "scale-one"
    config = BuildConfig.preset(PRESET, limit=1, shard_size=1)
    build(source.paths.annotations, one, config, images=source.paths.images, workers=1)
    rows = []
    for name, (_, said) in STEPS.items():
        taken = []
        for count in samples:
            notify(f"{said}, {count:,} samples")
            home = scratch / "scale"
            shutil.copytree(one, home)
            taken.append(_run_apart(name, count, home))
            shutil.rmtree(home)
        few, many = taken[0], taken[-1]
        growth = samples[-1] / samples[0]
        rows.append(
            {
                "step": said,
                "runs": taken,
                "time_growth": many["seconds"] / max(few["seconds"], 1e-3) / growth,
                "memory_growth": many["bytes"] / max(few["bytes"], 1 << 20) / growth,
            }
        )
    return {"samples": list(samples), "shards": [count // SHARD_SIZE for count in samples], "rows": rows}


def _plan(count: int, _home: Path) -> float:
    """Put samples in order and cut them into shards."""
    config, annotations = _make_annotations(count)
    started = time.perf_counter()
    plan = make_plan(annotations, config)
    seconds = time.perf_counter() - started
    if len(plan.shards) != count // SHARD_SIZE:
        raise BuildError(f"{len(plan.shards)} shards were planned of {count} samples")
    return seconds


def _digest(count: int, home: Path) -> float:
    """Make the task of every shard, as parts and a build that goes on do."""
    config, annotations = _make_annotations(count)
    plan = make_plan(annotations, config)
    started = time.perf_counter()
    for index in range(len(plan.shards)):
        plan.task(index, directory=home)
    return time.perf_counter() - started


def _finish(count: int, home: Path) -> float:
    """Believe the records of all shards, put these in place, and write the manifest."""
    (record,), manifest = Manifest.read(home).shards, Manifest.read(home)
    shards = [dataclasses.replace(record, file=name) for name in _list_names(count)]
    tasks = [_make_task(manifest, shard.file, home) for shard in shards]
    out = home / "parts"
    with open_state(out, manifest.config, overwrite=False, shared=True) as state:
        for task, shard in zip(tasks, shards, strict=True):
            os.link(home / record.file, str(state.staged / shard.file))
            state.commit(task, shard)
        started = time.perf_counter()
        found = [built.record for built in map(state.examine, tasks) if not isinstance(built, str)]
        state.publish(dataclasses.replace(manifest, shards=tuple(one for one in found if one is not None)))
        seconds = time.perf_counter() - started
    if len(Manifest.read(out).shards) != count // SHARD_SIZE:
        raise BuildError("not all shards were finished")
    return seconds


def _open(count: int, home: Path) -> float:
    """Open the dataset."""
    _write_manifest(count, home)
    started = time.perf_counter()
    if len(PoseDataset(home)) != count:
        raise BuildError("the dataset has another number of samples")
    return time.perf_counter() - started


def _shuffle(count: int, _home: Path) -> float:
    """Draw the order of an epoch, and cut out what one of 64 ranks reads."""
    sizes = (SHARD_SIZE,) * (count // SHARD_SIZE)
    started = time.perf_counter()
    _order(sizes, epoch=1)
    return time.perf_counter() - started


def _resume(count: int, home: Path) -> float:
    """Open the dataset, draw the order again, and find the sample in the middle of it."""
    _write_manifest(count, home)
    started = time.perf_counter()
    data = PoseDataset(home)
    share = _order(data.shard_sizes, epoch=1)
    rest = share[len(share) // 2 :]
    data.pool.expect(rest)
    return time.perf_counter() - started


STEPS: dict[str, tuple[Step, str]] = {
    "plan": (_plan, "planned"),
    "digest": (_digest, "tasks made"),
    "finish": (_finish, "finished from parts"),
    "open": (_open, "opened"),
    "shuffle": (_shuffle, "shuffled by rank"),
    "resume": (_resume, "resumed in mid-epoch"),
}


def _order(sizes: Sequence[int], epoch: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    return take_share(shuffle_shards(sizes, seed=1, epoch=epoch), _RANK, _RANKS)


class _NoShapes:
    """The shapes of samples that have none."""

    def __call__(self, number: int) -> Shapes:  # noqa: ARG002 (of any)
        return (), ()

    def describe(self, number: int) -> bytes:  # noqa: ARG002 (of any)
        return b"[0,[]]"

    def take(self, numbers: NDArray[np.int64]) -> _NoShapes:  # noqa: ARG002 (of any)
        return self


def _make_annotations(count: int) -> tuple[BuildConfig, Annotations]:
    """Make annotations of images with a person each, who has two keypoints."""
    config = BuildConfig.preset("coco", labels=("heatmap",), shard_size=SHARD_SIZE)
    numbers = np.arange(count)
    samples = SampleColumns(
        image_ids=numbers,
        file_names=[f"{number:012d}.jpg" for number in range(count)],
        sizes=np.tile(np.array(_SIZE), (count, 1)),
        starts=np.arange(count + 1),
        keypoints=np.tile(np.array([[100.0, 100.0, 2.0], [200.0, 100.0, 2.0]]), (count, 1, 1)),
        bboxes=np.tile(np.array([90.0, 90.0, 120.0, 20.0]), (count, 1)),
        annotation_ids=numbers,
        find_shapes=_NoShapes(),
    )
    skeleton = Skeleton(name="two", keypoints=_NAMES, limbs=((0, 1),))
    annotations = Annotations(
        path=Path("none"), images=Path("none"), names=_NAMES, skeleton=skeleton, samples=samples, audit=Audit()
    )
    return config, annotations


def _list_names(count: int) -> list[str]:
    shards = count // SHARD_SIZE
    return [f"shard-{index:05d}-of-{shards:05d}.h5" for index in range(shards)]


def _make_task(manifest: Manifest, name: str, home: Path) -> ShardTask:
    return ShardTask(
        file_name=name,
        samples=(),
        names=manifest.skeleton.keypoints,
        skeleton=manifest.skeleton,
        config=manifest.config,
        images=home,
        directory=home,
    )


def _write_manifest(count: int, home: Path) -> None:
    """Write the manifest of a dataset of which one shard is there, and that has one sample of the thousand it tells of.

    Only its labels are read.
    """
    manifest = Manifest.read(home)
    (record,) = manifest.shards
    names = _list_names(count)
    rest = [_pretend(record, name) for name in names[1:]]
    first = dataclasses.replace(record, file=names[0])
    last = dataclasses.replace(rest[-1], samples=2 * SHARD_SIZE - 1)
    (home / record.file).rename(home / first.file)
    dataclasses.replace(manifest, shards=(first, *rest[:-1], last)).write(home)


def _pretend(record: ShardRecord, name: str) -> ShardRecord:
    return dataclasses.replace(record, file=name, samples=SHARD_SIZE)


def _run_apart(name: str, count: int, home: Path) -> dict[str, Any]:
    """Run a step in a fresh process; returns its seconds, and by how many bytes its most memory grew."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_run_and_tell, args=(theirs, name, count, home))
    process.start()
    theirs.close()
    try:
        seconds, grown = ours.recv()
    except EOFError as error:
        process.join()
        raise BuildError(f"the process that measured '{name}' ended with status {process.exitcode}") from error
    finally:
        ours.close()
    process.join()
    return {"samples": count, "seconds": seconds, "bytes": grown}


def _run_and_tell(connection: Any, name: str, count: int, home: Path) -> None:
    before = read_peak(os.getpid())
    seconds = STEPS[name][0](count, home)
    connection.send((seconds, read_peak(os.getpid()) - before))
