"""Dask as what runs the tasks: the contract of every executor, the same bytes, and what happens when something dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from builds import CONFIG, build_command, files_of, run_limited, shards, write_source
from clusters import PATHS, Cluster, cluster_of, kill
from executors import InProcess
from test_executors import TestContract, die_on_two, exit_silently, ignore, refuse, refuse_unpicklably  # noqa: F401

import posegen
from posegen.build.executors import Executor, Lost
from posegen.build.executors.dask import DaskExecutor
from posegen.build.worker import build_shard
from posegen.errors import BuildError, ConfigError, ImageError
from posegen.images import files
from posegen.shards.manifest import Manifest

pytestmark = pytest.mark.filterwarnings("default::ResourceWarning", "ignore::DeprecationWarning")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster_of(2, tmp_path_factory.mktemp("cluster") / "shared") as cluster:
        yield cluster


@pytest.fixture
def executor(cluster: Cluster) -> Executor:
    executor = DaskExecutor(cluster.address)
    executor.workers = 2  # which the contract asks, and which nobody can know
    return executor


@pytest.fixture(scope="module")
def coco(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_source(tmp_path_factory.mktemp("coco") / "source")


@pytest.fixture(scope="module")
def reference(coco: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    out = tmp_path_factory.mktemp("reference") / "out"
    posegen.build(coco, out, CONFIG, executor=InProcess())
    return shards(out)


def test_the_bytes_are_those_of_any_build_and_progress_ends_at_the_number_of_samples(
    coco: Path, reference: dict[str, bytes], executor: Executor, tmp_path: Path
) -> None:
    seen: list[tuple[int, int]] = []
    posegen.build(coco, tmp_path / "out", CONFIG, executor=executor, progress=lambda *at: seen.append(at))
    assert shards(tmp_path / "out") == reference
    assert seen[-1] == (16, 16)


def test_a_killed_process_loses_its_task_alone_and_it_is_known_at_what_it_was(executor: Executor) -> None:
    seen: list[int] = []
    outcomes = list(executor.run(die_on_two, range(5), seen.append))
    (lost,) = (outcome for outcome in outcomes if isinstance(outcome, Lost))
    assert sorted(outcome.task for outcome in outcomes) == [0, 1, 2, 3, 4]
    assert (lost.task, lost.reported) == (2, 5)
    assert "SIGKILL" in lost.reason
    assert sum(seen) == 0
    (lost,) = executor.run(exit_silently, [1], ignore)
    assert isinstance(lost, Lost)
    assert (lost.reported, "status 3" in lost.reason) == (None, True)


def test_an_error_comes_with_the_traceback_of_where_it_was_raised(executor: Executor) -> None:
    with pytest.raises(ImageError, match="task 1") as caught:
        list(executor.run(refuse, [1], ignore))
    assert "in refuse" in str(caught.value.__cause__)
    with pytest.raises(BuildError, match="UnpicklableError: the reason"):
        list(executor.run(refuse_unpicklably, [1], ignore))


def die_at(task: Any, report: Callable[[int], None], *, name: str) -> Any:
    """Build, but die where a picture of that name is read."""
    read = files.read_identified

    def read_or_die(directory: Any, file_name: str) -> Any:
        if file_name == name:
            os.kill(os.getpid(), signal.SIGSEGV)
        return read(directory, file_name)

    with mock.patch.object(files, "read_identified", read_or_die):
        return build_shard(task, report)


class Instead:
    """Runs another function than the build asks for."""

    def __init__(self, executor: Executor, function: Callable[..., Any]) -> None:
        self.executor = executor
        self.function = function

    def run(self, _: Any, tasks: Any, on_progress: Any) -> Any:
        return self.executor.run(self.function, tasks, on_progress)


def test_a_picture_that_kills_is_blamed_by_name_as_on_this_machine(
    coco: Path, executor: Executor, tmp_path: Path
) -> None:
    name, said = files_of(coco)[5].name, list[str]()
    deadly = Instead(executor, partial(die_at, name=name))
    manifest = posegen.build(coco, tmp_path / "out", CONFIG, executor=deadly, max_failures=1, notify=said.append)
    assert manifest.failures == 1
    assert any(f"{name}: the worker that decodes it was killed by SIGSEGV, 3 times" in line for line in said)


def wait_and_build(task: Any, report: Callable[[int], None], *, here: Path, deadly: bool = False) -> Any:
    """Build when it is allowed; until then it is known who waits."""
    report(0)
    if task.file_name.startswith("shard-00001"):
        (here / str(os.getppid())).touch()
        while not (here / "go").exists():
            time.sleep(0.02)
    return build_shard(task, report)


def wait_for(here: Path, what: str = "[0-9]*") -> str:
    until = time.monotonic() + 60
    while not (found := [path.name for path in here.glob(what)]):
        assert time.monotonic() < until
        time.sleep(0.02)
    return found[0]


def test_a_worker_that_is_killed_in_the_middle_is_a_task_that_is_tried_again(
    coco: Path, reference: dict[str, bytes], tmp_path: Path
) -> None:
    here, said = tmp_path / "here", list[str]()
    here.mkdir()
    with cluster_of(2, tmp_path / "cluster") as cluster:

        def kill_one() -> None:
            victim = int(wait_for(here))
            kill(next(process for process in cluster.processes if process.pid == victim))
            (here / "go").touch()

        killing = threading.Thread(target=kill_one)
        killing.start()
        waiting = Instead(DaskExecutor(cluster.address), partial(wait_and_build, here=here))
        posegen.build(coco, tmp_path / "out", CONFIG, executor=waiting, notify=said.append)
        killing.join()
    assert "a worker is gone from the Dask cluster while building shard-00001-of-00004.h5; trying again" in said
    assert shards(tmp_path / "out") == reference


def test_a_scheduler_that_is_lost_is_one_line_and_the_next_run_goes_on(
    coco: Path, reference: dict[str, bytes], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    here, out, said = tmp_path / "here", tmp_path / "out", list[str]()
    here.mkdir()
    with cluster_of(2, tmp_path / "cluster") as cluster:

        def kill_scheduler() -> None:
            wait_for(here)
            wait_for(out, ".posegen/*/shard-*.json")
            kill(cluster.processes[0])

        killing = threading.Thread(target=kill_scheduler)
        killing.start()
        waiting = Instead(DaskExecutor(cluster.address), partial(wait_and_build, here=here))
        with pytest.raises(
            BuildError, match=r"Dask's scheduler at .* is lost; finished shards stay, run again"
        ) as caught:
            posegen.build(coco, out, CONFIG, executor=waiting)
        killing.join()
    assert len(str(caught.value).splitlines()) == 1
    assert capfd.readouterr() == ("", "")
    (here / "go").touch()
    posegen.build(coco, out, CONFIG, executor=InProcess(), notify=said.append)
    assert any("stand from an earlier run" in line for line in said)
    assert shards(out) == reference


PARENT = """
import sys
from functools import partial
from pathlib import Path

from builds import CONFIG
from test_dask import Instead, wait_and_build

import posegen
from posegen.build.executors.dask import DaskExecutor

address, coco, out, here = sys.argv[1:]
waiting = Instead(DaskExecutor(address), partial(wait_and_build, here=Path(here)))
posegen.build(coco, out, CONFIG, executor=waiting)
"""


def processes_of(worker: int) -> list[str]:
    """The processes in which a worker's threads do their tasks."""
    children = " ".join(path.read_text() for path in Path(f"/proc/{worker}/task").glob("*/children"))
    return [child for child in children.split() if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]


def test_nothing_runs_on_when_who_builds_is_killed(coco: Path, cluster: Cluster, tmp_path: Path) -> None:
    here = tmp_path / "here"
    here.mkdir()
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, PATHS))}
    command = [sys.executable, "-c", PARENT, cluster.address, str(coco), str(tmp_path / "out"), str(here)]
    with subprocess.Popen(command, env=environment) as parent:
        worker = int(wait_for(here))
        assert processes_of(worker)
        parent.kill()
    until = time.monotonic() + 30
    while processes_of(worker) and time.monotonic() < until:
        time.sleep(0.1)
    assert not processes_of(worker)


def test_workers_with_other_libraries_are_refused(
    coco: Path, executor: Executor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("posegen.shards.library_versions", lambda *_: {"opencv": "4.9.0"})
    with pytest.raises(ConfigError, match=r"Dask worker .* has other libraries: opencv [\d.]+, not 4\.9\.0"):
        list(executor.run(refuse, [1], ignore))


def test_an_address_without_a_scheduler_is_said_to_be_one(coco: Path, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("posegen.build.executors.dask._PATIENCE_S", 0.5)
    with pytest.raises(BuildError, match=r"127\.0\.0\.1:9: no scheduler of Dask answers there"):
        list(DaskExecutor("tcp://127.0.0.1:9").run(refuse, [1], ignore))
    with pytest.raises(ConfigError, match="a scheduler that is given has its own"):
        DaskExecutor("tcp://127.0.0.1:9", workers=2)


def test_without_an_address_a_cluster_is_started_here(coco: Path, reference: dict[str, bytes], tmp_path: Path) -> None:
    done = run_limited([*build_command(coco, tmp_path / "out"), "--backend", "dask"], "-c 0")
    assert done.returncode == 0, done.stderr
    assert shards(tmp_path / "out") == reference
    assert Manifest.read(tmp_path / "out").samples == 16
    assert not [line for line in done.stderr.splitlines() if "distributed" in line or "Traceback" in line]
