"""What a build says before it begins: how much it takes, what stands, and what becomes of the dataset that is there."""

from __future__ import annotations

import dataclasses
import shutil
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from builds import CONFIG, change_annotations
from executors import InProcess

import posegen
from posegen.annotations import read_annotations
from posegen.build import run, store
from posegen.build.estimate import estimate_bytes
from posegen.build.executors import Lost
from posegen.build.plan import make_plan
from posegen.errors import BuildError

pytest_plugins = ("built",)

build = partial(posegen.build, executor=InProcess())


def test_how_much_a_build_takes_is_said_and_warned_of_where_there_is_less(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needed = 16 * estimate_bytes(make_plan(read_annotations(source, CONFIG), CONFIG))
    takes = f"this will take about {needed / 1e6:,.1f} MB on disk; "
    for free, said in (
        (5_600_000_000, "5,600 MB are free"), (needed, f"{needed / 1e6:,.0f} MB are free"),
        (needed - 1, f"{needed / 1e6:,.0f} MB are free; warning: that may not be enough"),
    ):  # fmt: skip
        usage = SimpleNamespace(free=free)
        monkeypatch.setattr(
            store, "shutil", SimpleNamespace(disk_usage=lambda _, usage=usage: usage, rmtree=shutil.rmtree)
        )
        told: list[str] = []
        build(source, tmp_path / str(free), CONFIG, notify=told.append)
        assert [line for line in told if line.startswith("this will take")] == [takes + said]
    monkeypatch.setattr(run, "estimate_bytes", lambda plan: 10)
    told = []
    build(source, tmp_path / "small", CONFIG, notify=told.append)
    assert any(line.startswith("this will take about 0.1 MB on disk; ") for line in told)


def test_what_becomes_of_the_dataset_that_is_there_is_said(source: Path, tmp_path: Path) -> None:
    out, coco = tmp_path / "out", shutil.copytree(source, tmp_path / "coco")

    def say(limit: int | None) -> list[str]:
        told: list[str] = []
        build(coco, out, dataclasses.replace(CONFIG, limit=limit), notify=told.append)
        return [line for line in told if line.startswith(("what is there", "the annotations"))]

    assert say(5) == say(5) == []
    there = "what is there are the first 5 samples: "
    assert say(9) == [f"{there}the first 9 are built, and then take their place"]
    assert say(None) == [f"{there.replace('5', '9')}all are built, and then take their place"]
    for annotation, changed in ((0, "1 of 4 shards change"), (-1, "1 of 4 shards change")):
        change_annotations(coco, lambda document, i=annotation: document["annotations"][i]["bbox"].reverse())
        (said,) = say(None)
        assert said == (
            f"the annotations are others than those of the dataset that is there: {changed}; the old ones stay until "
            "all are built"
        )
    assert say(None) == []


def test_an_image_is_blamed_at_the_third_death_in_a_row_and_a_shard_is_given_up_at_the_twentieth(
    source: Path, tmp_path: Path
) -> None:
    # Of the first death it is not known where it was: from then on workers tell of each sample.
    for places, blamed in (
        ((1, 1, 1), False), ((1, 1, 1, 1), True), ((1, 1, 1, 2, 1, 1), False), ((1, 1, None, 1, 1), False),
    ):  # fmt: skip
        told: list[str] = []
        out, executor = tmp_path / f"{places}", Vague(iter(places))
        manifest = build(source, out, CONFIG, executor=executor, max_failures=1, notify=told.append)
        assert manifest.failures == int(blamed), places
        lines = [line for line in told if " is left out: " in line]
        said = "the worker that decodes it was killed by SIGKILL, 3 times"
        assert [line.endswith(said) for line in lines] == [True] * blamed
    with pytest.raises(BuildError) as caught:
        build(source, tmp_path / "never", CONFIG, executor=Vague(iter([None] * 100)))
    assert str(caught.value) == "shard-00000-of-00004.h5: its worker died 20 times; the last was killed by SIGKILL"
    assert run.HOPELESS == 100


class Vague(InProcess):
    """Loses the first shard as often as it is told to, and says at which sample, or not."""

    def __init__(self, places: Any) -> None:
        self.places = places

    def run(self, function: Any, tasks: Any, on_progress: Any) -> Any:
        for task in tasks:
            place = next(self.places, "none") if task.file_name.startswith("shard-00000") else "none"
            if place == "none":
                yield from super().run(function, [task], on_progress)
            else:
                yield Lost(task, place, "was killed by SIGKILL")
