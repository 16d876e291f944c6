"""Signals and kills: a build ends cleanly, or is gone on with to the same bytes."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from builds import CONFIG, build_command, files_of, shards, write_source
from executors import InProcess

import posegen
from posegen.build.executors.process import _interrupts_held_back
from posegen.files import TEMPORARY_SUFFIX
from posegen.shards.manifest import Manifest

build = partial(posegen.build, executor=InProcess())


@pytest.fixture(scope="module")
def coco(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_source(tmp_path_factory.mktemp("coco") / "source")


@pytest.fixture(scope="module")
def reference(coco: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The shards of an undisturbed build."""
    out = tmp_path_factory.mktemp("reference") / "out"
    build(coco, out, CONFIG)
    return shards(out)


PROGRAM = """#!{python}
import time
from pathlib import Path

from posegen.cli import main
from posegen.images import files

read_identified = files.read_identified


def wait_and_read(directory, name):
    while name == {name!r} and not Path({go!r}).exists():
        time.sleep(0.01)
    return read_identified(directory, name)


files.read_identified = wait_and_read  # in the workers, too: they import this file

if __name__ == "__main__":
    main(prog_name="posegen")
"""


@dataclass(frozen=True)
class Waiting:
    """posegen as a program whose workers wait at one picture until they may go on: it cannot end before."""

    program: str
    coco: Path
    file: Path

    def build(self, out: Path) -> list[str]:
        return build_command(self.coco, out, [self.program])

    def go(self) -> None:
        self.file.touch()


@pytest.fixture
def waiting(coco: Path, tmp_path: Path) -> Waiting:
    program, go = tmp_path / "posegen-that-waits", tmp_path / "go"
    program.write_text(PROGRAM.format(python=sys.executable, name=files_of(coco)[0].name, go=str(go)))
    program.chmod(0o755)
    return Waiting(str(program), coco, go)


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def _gone(pids: list[int]) -> bool:
    deadline = time.monotonic() + 10
    while any(Path(f"/proc/{pid}").exists() for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not any(Path(f"/proc/{pid}").exists() for pid in pids)


def _wait_for_a_shard(out: Path, process: subprocess.Popen[str]) -> None:
    """Wait until one shard is finished; the build cannot end, as a worker waits at a picture."""
    while not list(out.glob(".posegen/*/shard-*.json")):
        assert process.poll() is None, process.stderr and process.stderr.read()
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("send", "signals", "status"),
    [
        (os.kill, [signal.SIGINT], 130),
        (os.killpg, [signal.SIGINT] * 5, 130),
        (os.kill, [signal.SIGTERM], 143),
        (os.killpg, [signal.SIGHUP], 129),
    ],
    ids=["int", "impatient ctrl-c", "term", "hangup"],
)
def test_a_signal_ends_the_build_cleanly_and_the_command_it_prints_goes_on(
    send: Callable[[int, int], None], signals: list[int], status: int, tmp_path: Path, waiting: Waiting
) -> None:
    out = tmp_path / "it's here"
    command = waiting.build(out)
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        _wait_for_a_shard(out, process)
        workers = _children(process.pid)
        for number in signals:
            with contextlib.suppress(ProcessLookupError):
                send(process.pid, number)
            time.sleep(0.03)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == status
    assert "Traceback" not in errors
    assert not list(out.rglob(f"*{TEMPORARY_SUFFIX}"))
    assert not (out / "manifest.json").exists()
    assert _gone(workers)
    waiting.go()
    command = errors.splitlines()[-1].removeprefix("To go on: ")
    subprocess.run(command, shell=True, check=True, capture_output=True)
    assert Manifest.read(out).samples == len(files_of(waiting.coco))


def test_ctrl_c_while_the_workers_start_is_no_traceback(tmp_path: Path, waiting: Waiting) -> None:
    for wait_s in (0.0, 0.05, 0.2):
        command = waiting.build(tmp_path / str(wait_s))
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
            while not _children(process.pid) and process.poll() is None:
                time.sleep(0.005)
            time.sleep(wait_s)
            os.killpg(process.pid, signal.SIGINT)
            _, errors = process.communicate(timeout=60)
        assert process.returncode == 130
        assert errors.splitlines()[-2] == "Interrupted."
        assert "Traceback" not in errors


def test_a_signal_that_is_ignored_stays_so(tmp_path: Path, waiting: Waiting) -> None:
    out = tmp_path / "out"
    command = ["nohup", *waiting.build(out)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        _wait_for_a_shard(out, process)
        os.killpg(process.pid, signal.SIGHUP)
        waiting.go()
        process.communicate(timeout=60)
    assert process.returncode == 0
    assert Manifest.read(out).samples == len(files_of(waiting.coco))


def test_kills_at_random_moments_end_in_the_same_bytes(coco: Path, reference: dict[str, bytes], tmp_path: Path) -> None:
    drawn = random.Random(11)
    out = tmp_path / "out"
    kills = 0
    while kills < 12:
        with subprocess.Popen(build_command(coco, out), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
            while process.poll() is None:
                time.sleep(drawn.uniform(0.05, 0.5))
                victims = [process.pid] if drawn.random() < 0.3 else _children(process.pid)
                with contextlib.suppress(ProcessLookupError, IndexError):
                    os.kill(drawn.choice(victims), signal.SIGKILL)
                    kills += 1
            assert process.stderr is not None
            errors = process.stderr.read()
        assert process.returncode in {0, -signal.SIGKILL}
        # A worker whose parent is killed while it starts it cannot but say so.
        assert process.returncode != 0 or b"Traceback" not in errors
        if process.returncode == 0:
            assert shards(out) == reference
            assert Manifest.read(out).failures == 0
            shutil.rmtree(out)
    build(coco, out, CONFIG)
    assert shards(out) == reference


def test_of_signals_that_come_while_a_worker_starts_the_first_is_told_when_it_has() -> None:
    told: list[int] = []
    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, lambda came, frame: told.append(came)) for number in numbers]
    try:
        with _interrupts_held_back():
            for number in numbers:
                signal.raise_signal(number)
            assert told == []
        assert told == [signal.SIGTERM]
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
