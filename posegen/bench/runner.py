"""The measurements as one call."""

from __future__ import annotations

import os
import platform
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from posegen.bench.endurance import measure_endurance
from posegen.bench.growth import measure_growth
from posegen.bench.labels import measure_heatmap, measure_labels, measure_paf
from posegen.bench.planning import IMAGES, measure_planning
from posegen.bench.presets import measure_presets
from posegen.bench.reading import measure_reading
from posegen.bench.scale import measure_scale
from posegen.bench.scaling import measure_scaling
from posegen.bench.source import Source, open_source
from posegen.bench.suspects import measure_suspects
from posegen.bench.throughput import measure_build
from posegen.bench.turns import Notify
from posegen.build.executors import available_cpus
from posegen.errors import ConfigError
from posegen.shards import library_versions

SECTIONS: Mapping[str, int] = {
    "heatmap": 15,
    "paf": 15,
    "labels": 15,
    "presets": 15,
    "scaling": 5,
    "build": 3,
    "growth": 1,
    "read": 5,
    "plan": 3,
    "suspects": 3,
    "scale": 1,
    "endurance": 2,
}
"""What can be measured, and in how many rounds if nobody says."""

DEFAULT_SECTIONS = ("heatmap", "paf", "labels", "presets", "scaling", "build")

_A_DAY_S = 86400


def run(
    coco: str | os.PathLike[str] | None = None,
    *,
    split: str | None = None,
    images: str | os.PathLike[str] | None = None,
    sections: Sequence[str] = DEFAULT_SECTIONS,
    repeats: int | None = None,
    workers: int = 2,
    build_seconds: float = 10.0,
    plan_images: int = IMAGES,
    notify: Notify | None = None,
) -> dict[str, Any]:
    """Measure.

    Parameters
    ----------
    coco
        A COCO root or an annotation file whose people and pictures are taken; by default the synthetic sample.
    split, images
        As in `posegen.build`.
    sections
        Which of `SECTIONS`.
    repeats
        Rounds a section; by default what `SECTIONS` says.
    workers
        How many processes `build` compares with one, `growth` builds with, and `read` and `endurance` read with.
    build_seconds
        How long, about, a build of `build` lasts.
    plan_images
        How many images `plan` plans.
    notify
        Called with what is being measured.

    Returns
    -------
    Plain numbers, words, lists and dicts for JSON, as `posegen.bench` describes them.

    Raises
    ------
    ConfigError
        If an argument is wrong, or nobody is labelled in the annotations.
    AnnotationError
        If they are bad.
    BuildError
        If a build fails.
    MissingExtraError
        If `read` or `endurance` is asked for, and PyTorch is not installed.
    """
    for name in sections:
        if name not in SECTIONS:
            raise ConfigError(f"there is no section '{name}' to measure; there are {', '.join(SECTIONS)}")
    if not sections:
        raise ConfigError(f"there is nothing to measure; name some of {', '.join(SECTIONS)}")
    for option, value in (("repeats", repeats), ("workers", workers), ("plan_images", plan_images)):
        if value is not None and value < 1:
            raise ConfigError(f"{option} must be at least 1, not {value}")
    if not 0 < build_seconds <= _A_DAY_S:
        raise ConfigError(f"a build must last more than 0 seconds and no more than a day, not {build_seconds:g}")
    tell = notify or _ignore
    with tempfile.TemporaryDirectory(prefix="posegen-bench-") as directory:
        scratch = Path(directory)
        tell("reading the annotations" if coco else "drawing the synthetic sample")
        source = open_source(
            scratch,
            None if coco is None else Path(coco),
            split=split,
            images=None if images is None else Path(images),
        )
        found = {}
        for name in SECTIONS:
            if name in sections:
                rounds, say = repeats or SECTIONS[name], partial(_tell_of, name, tell)
                if name == "plan":
                    found[name] = measure_planning(scratch, rounds, say, images=plan_images)
                    continue
                found[name] = _measure(name, source, scratch, rounds, say, workers=workers, seconds=build_seconds)
        return {"machine": describe_machine(), "source": source.to_dict(), "sections": found}


def describe_machine() -> dict[str, Any]:
    """Return what figures depend on: `processor`, `cpus` (that this process may use), `system` and `versions`."""
    return {
        "processor": _processor(),
        "cpus": available_cpus(),
        "system": f"{platform.system()} {platform.release()}",
        "versions": {"python": platform.python_version(), **library_versions()},
    }


def _measure(
    name: str, source: Source, scratch: Path, rounds: int, notify: Notify, *, workers: int, seconds: float
) -> dict[str, Any]:
    if name == "scaling":
        return measure_scaling(rounds, notify)
    if name == "build":
        return measure_build(source, scratch, rounds, notify, workers=workers, seconds=seconds)
    if name == "growth":
        return measure_growth(source, scratch, rounds, notify, workers=workers)
    if name == "suspects":
        return measure_suspects(None if source.synthetic else source.paths, scratch, rounds, notify)
    if name == "scale":
        return measure_scale(source, scratch, notify)
    if name == "endurance":
        return measure_endurance(source, scratch, rounds, notify, workers=workers)
    if name == "read":
        return measure_reading(source, scratch, rounds, notify, workers=workers)
    of_people = {"heatmap": measure_heatmap, "paf": measure_paf, "labels": measure_labels, "presets": measure_presets}
    return of_people[name](source, rounds, notify)


def _tell_of(section: str, notify: Notify, what: str) -> None:
    notify(f"{section}: {what}")


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())


def _ignore(_what: str) -> None:
    """Tell nobody."""
