"""Section `plan`: from an annotation file to the tasks of a build, beside what pycocotools takes to read it alone."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from posegen.annotations import read_annotations
from posegen.bench.drawn_up import write_annotations
from posegen.bench.memory import read_peak
from posegen.bench.source import PRESET
from posegen.bench.turns import Notify, Spread, compare
from posegen.build.plan import make_plan
from posegen.config import BuildConfig
from posegen.errors import BuildError

IMAGES = 118_287
"""As many as COCO's train2017 has."""

_PATIENCE_S = 60.0


def measure_planning(scratch: Path, rounds: int, notify: Notify, *, images: int = IMAGES) -> dict[str, Any]:
    """Plan a build, and read the same file by `pycocotools.COCO`, in turn, each in a process of its own.

    Parameters
    ----------
    scratch
        Where to put the annotation file: one that is drawn up, without pictures.
    rounds
        How often each is timed.
    notify
        Told what is measured.
    images
        How many images the file has.
    """
    path = scratch / "planned.json"
    notify(f"writing annotations of {images} images")
    annotations = write_annotations(path, images)
    runs: dict[str, list[tuple[float, float, int]]] = {"plan": [], "pycocotools": []}
    calls: Sequence[tuple[str, Callable[[Path], object]]] = (("plan", _plan), ("pycocotools", _read_by_pycocotools))
    for turn in range(rounds):
        for name, call in calls:
            notify(f"{name}, round {turn + 1} of {rounds}")
            runs[name].append(_time_apart(call, path))
    size = path.stat().st_size
    path.unlink()
    seconds = {name: [taken for taken, _, _ in values] for name, values in runs.items()}
    peaks = {name: max(peak for _, _, peak in values) or None for name, values in runs.items()}
    measured, compared = ("read and planned", seconds["plan"]), ("pycocotools.COCO(file)", seconds["pycocotools"])
    return {
        "comparisons": [compare("plan", "s", measured, compared, kind="share", images=images)],
        "images": images,
        "annotations": annotations,
        "file_bytes": size,
        "cpu_s": {name: Spread.of([cpu for _, cpu, _ in values]).to_dict() for name, values in runs.items()},
        "peak_bytes": peaks,
    }


def _plan(path: Path) -> object:
    config = BuildConfig.preset(PRESET)
    return make_plan(read_annotations(path, config, need_images=False), config)


def _read_by_pycocotools(path: Path) -> object:
    import contextlib
    import io

    from pycocotools.coco import COCO

    with contextlib.redirect_stdout(io.StringIO()):
        return COCO(str(path))


def _time_apart(call: Callable[[Path], object], path: Path) -> tuple[float, float, int]:
    """Time a call in a fresh process: seconds, seconds of the CPU, and the most memory that the process had."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_time_and_tell, args=(theirs, call, path))
    process.start()
    theirs.close()
    try:
        found: tuple[float, float, int] = ours.recv()
    except EOFError as error:
        process.join(_PATIENCE_S)
        raise BuildError(f"the process that read {path} ended with status {process.exitcode}") from error
    finally:
        ours.close()
    process.join()
    return found


def _time_and_tell(connection: Any, call: Callable[[Path], object], path: Path) -> None:
    start, cpu = time.perf_counter(), time.process_time()
    kept = call(path)
    taken = time.perf_counter() - start, time.process_time() - cpu, read_peak(os.getpid())
    connection.send(taken)
    del kept  # what is held counts until here
