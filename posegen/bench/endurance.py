"""Section `endurance`: what a loader holds after many samples in fresh views that it did not hold after a few.

The shards of a small dataset are linked to many, of which a loader has no more than 64 open at once. Each loader runs
in a process of its own, and is looked at from the outside, with its workers.
"""

from __future__ import annotations

import dataclasses
import multiprocessing
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from posegen.bench.loaders import RANGES
from posegen.bench.memory import list_children
from posegen.bench.source import PRESET, Source, replicate
from posegen.bench.turns import Notify
from posegen.build.pipeline import build
from posegen.config import BuildConfig
from posegen.errors import BuildError, MissingExtraError
from posegen.shards import Manifest

SAMPLES = 100_000

_SHARDS, _SHARD_SIZE = 4, 64
_BATCH = 16
_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Held:
    """What a process and its children hold: bytes of memory, what is shared counted once; open files, and processes."""

    bytes: int
    files: int
    processes: int


def measure_endurance(
    source: Source,
    scratch: Path,
    rounds: int,
    notify: Notify,
    *,
    workers: int = 2,
    samples: int = SAMPLES,
) -> dict[str, Any]:
    """Measure what `PoseLoader` holds, with threads and with workers, early in its first epoch and after each epoch.

    Parameters
    ----------
    source
        Whose samples.
    scratch
        Where to put them, and what is built of them.
    rounds
        How many epochs.
    notify
        Told what is measured.
    workers
        Threads of one loader, and processes of the other.
    samples
        Of an epoch.

    Raises
    ------
    MissingExtraError
        If PyTorch is not installed.
    BuildError
        If a loader's process ends early.
    """
    try:
        import torch  # noqa: F401 (whether it is there)
    except ModuleNotFoundError as error:
        raise MissingExtraError("PyTorch", "torch") from error
    config = dataclasses.replace(BuildConfig.preset(PRESET), shard_size=_SHARD_SIZE)
    few, out = min(samples, _SHARDS * _SHARD_SIZE), scratch / "endured"
    notify(f"building {few} samples")
    paths = replicate(source, few, scratch / "endurance")
    build(paths.annotations, out, config, images=paths.images, workers=workers)
    count = link_shards(out, samples)
    rows = []
    for name, threads, processes in (("threads", workers, 0), ("workers", 1, workers)):
        notify(f"{rounds} epochs of {count:,} samples by {name}")
        rows.append({"loader": name, "marks": _run_apart(partial(_read, out, rounds, threads, processes))})
    return {"samples": count, "epochs": rounds, "workers": workers, "batch": _BATCH, "rows": rows}


def link_shards(out: Path, samples: int) -> int:
    """Link the shards of a dataset, as often as it takes to have so many samples, and return how many these are."""
    manifest = Manifest.read(out)
    shards, count = list(manifest.shards), sum(shard.samples for shard in manifest.shards)
    while count < samples:
        record = manifest.shards[len(shards) % len(manifest.shards)]
        shards.append(dataclasses.replace(record, file=f"linked-{len(shards):05d}.h5"))
        os.link(out / record.file, out / shards[-1].file)
        count += record.samples
    dataclasses.replace(manifest, shards=tuple(shards)).write(out)
    return count


def look(pid: int) -> Held:
    """Look at what a process and its children hold; 0 where the system does not tell."""
    pids = [pid, *list_children(pid)]
    return Held(sum(map(_read_share, pids)), sum(map(_count_files, pids)), len(pids))


def _read(out: Path, rounds: int, threads: int, workers: int, tell: Callable[[int, float], None]) -> None:
    """Read epochs; tells of samples and seconds when a tenth of the first epoch is read, and after each epoch."""
    from posegen.loader.torch import PoseLoader

    loader = PoseLoader(out, batch_size=_BATCH, image_dtype="uint8", views=RANGES, threads=threads, workers=workers)
    early, done, started = max(1, len(loader) // 10), 0, time.perf_counter()
    for epoch in range(rounds):
        for number, batch in enumerate(loader.epoch(epoch), start=1):
            done += len(batch["image"])
            del batch
            if not epoch and number == early:
                tell(done, time.perf_counter() - started)
        tell(done, time.perf_counter() - started)


def _run_apart(read: Callable[[Callable[[int, float], None]], None]) -> list[dict[str, Any]]:
    """Read in a fresh process, and look at it whenever it tells of something; it waits meanwhile."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_read_and_tell, args=(theirs, read))
    process.start()
    theirs.close()
    marks: list[dict[str, Any]] = []
    try:
        while (told := ours.recv()) is not None:
            samples, seconds = told
            marks.append({"samples": samples, "seconds": seconds, **dataclasses.asdict(look(process.pid or 0))})
            ours.send(None)
    except EOFError as error:
        process.join()
        raise BuildError(f"the process that read ended with status {process.exitcode}") from error
    finally:
        ours.close()
    process.join()
    return marks


def _read_and_tell(connection: Any, read: Callable[[Callable[[int, float], None]], None]) -> None:
    def tell(samples: int, seconds: float) -> None:
        connection.send((samples, seconds))
        connection.recv()

    read(tell)
    connection.send(None)


def _read_share(pid: int) -> int:
    """Read how much memory a process has, with its share of what others have, too."""
    try:
        lines = (_PROC / str(pid) / "smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)


def _count_files(pid: int) -> int:
    try:
        return len(list((_PROC / str(pid) / "fd").iterdir()))
    except OSError:
        return 0
