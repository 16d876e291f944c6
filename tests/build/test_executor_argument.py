"""`executor=` of `build`, `verify`, `compare` and `repair`: what is passed runs the work, and no process is started."""

from __future__ import annotations

import multiprocessing.process
import multiprocessing.util
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Build, Coco
from executors import InProcess, Threads

import posegen
from posegen.build.executors import Executor
from posegen.config import BuildConfig
from posegen.errors import ConfigError
from posegen.inspect.diff import compare

CONFIG = BuildConfig(shard_size=3)


class Counting:
    """Passes work on, and counts the tasks."""

    def __init__(self, executor: Executor) -> None:
        self.executor = executor
        self.tasks = 0

    def run(self, function: Any, tasks: Any, on_progress: Any) -> Any:
        for outcome in self.executor.run(function, tasks, on_progress):
            self.tasks += 1
            yield outcome


@pytest.fixture
def no_processes(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on no process can be started, neither a worker nor what keeps an eye on them."""

    def refuse(*_: object) -> None:
        pytest.fail("a process was started")

    monkeypatch.setattr(multiprocessing.process.BaseProcess, "start", refuse)
    monkeypatch.setattr(multiprocessing.util, "spawnv_passfds", refuse)


def shards(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(out.glob("*.h5"))}


@pytest.mark.usefixtures("no_processes")
def test_an_executor_that_has_only_the_protocol_does_all_the_work_to_the_same_byte(
    dataset: Path, corpus: Coco, tmp_path: Path
) -> None:
    for i, inner in enumerate((InProcess(), Threads(2))):
        executor, out, steps = Counting(inner), tmp_path / str(i), []
        manifest = posegen.build(
            corpus.root, out, CONFIG, executor=executor, progress=lambda *step, steps=steps: steps.append(step)
        )
        assert executor.tasks == len(manifest.shards) == 3
        assert steps[-1] == (manifest.samples, manifest.samples)
        assert shards(out) == shards(dataset)

        executor.tasks = 0
        assert posegen.verify(out, deep=True, coco=corpus.root, executor=executor) == []
        assert executor.tasks == 3

        executor.tasks = 0
        assert compare(out, dataset, executor=executor).equal
        assert executor.tasks == 3

        executor.tasks = 0
        bad = sorted(out.glob("*.h5"))[1]
        bad.write_bytes(bad.read_bytes()[:-1])
        assert posegen.repair(out, corpus.root, executor=executor) == [bad.name]
        assert executor.tasks == 1
        assert shards(out) == shards(dataset)


def test_an_executor_and_a_number_of_workers_are_refused_before_anything_is_done(
    build: Build, corpus: Coco, tmp_path: Path
) -> None:
    out = Path(shutil.copytree(build(), tmp_path / "copy"))
    min(out.glob("*.h5")).unlink()
    before = shards(out)
    both: dict[str, Any] = {"workers": 2, "executor": InProcess()}
    calls: list[Callable[[], object]] = [
        lambda: posegen.build(corpus.root, tmp_path / "new", CONFIG, **both),
        lambda: posegen.verify(out, **both),
        lambda: compare(out, out, **both),
        lambda: posegen.repair(out, corpus.root, **both),
    ]
    for call in calls:
        with pytest.raises(ConfigError, match="an executor that is given has its own"):
            call()
    assert not (tmp_path / "new").exists()
    assert shards(out) == before
