"""What is special about the processes that work on this machine: how they start, and how they end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from posegen.build.executors import LocalExecutor, Lost, local, process
from posegen.build.executors.process import WorkerProcess

Report = Callable[[int], None]


def measure(task: bytes, report: Report) -> int:
    return len(task)


def die_while_it_answers(task: int, report: Report) -> int:
    (cell,) = report.__closure__ or ()
    os.write(cell.cell_contents.fileno(), (1000).to_bytes(4, "big") + b"part of a message of 1000 bytes")
    os.kill(os.getpid(), signal.SIGKILL)
    return task


def threads(task: int, report: Report) -> tuple[str, int]:
    """What libraries are told, and how many threads are not Python's, where the system tells."""
    import numpy as np

    np.ones((400, 400)) @ np.ones((400, 400))
    listed = Path("/proc/self/task")
    count = len(list(listed.iterdir())) - threading.active_count() if listed.exists() else 0
    return os.environ["OPENBLAS_NUM_THREADS"], count


def die_of(number: int, report: Report) -> int:
    os.kill(os.getpid(), number)
    return number


def ignore(units: int) -> None:
    pass


def test_a_worker_that_is_killed_while_it_answers_is_lost() -> None:
    outcomes = list(LocalExecutor(1).run(die_while_it_answers, [1, 2], ignore))
    assert [(type(o), "SIGKILL" in o.reason) for o in outcomes if isinstance(o, Lost)] == [(Lost, True)] * 2


def test_what_a_worker_was_killed_by_is_named_or_numbered() -> None:
    outcomes = LocalExecutor(1).run(die_of, [signal.SIGKILL, signal.SIGSEGV, signal.SIGRTMIN + 3], ignore)
    assert [o.reason for o in outcomes if isinstance(o, Lost)] == [
        "was killed by SIGKILL (out of memory?)",
        "was killed by SIGSEGV",
        f"was killed by signal {signal.SIGRTMIN + 3}",
    ]


def test_a_task_waits_for_its_worker_to_start_and_nobody_for_either() -> None:
    # More than a pipe takes, for a process that does not read.
    worker, task = WorkerProcess[bytes](), bytes(1 << 22)
    assert worker.process.pid is not None
    os.kill(worker.process.pid, signal.SIGSTOP)
    worker.send(measure, task)
    assert worker.task == task
    os.kill(worker.process.pid, signal.SIGCONT)
    assert worker.connection.recv() == ("started", None)
    assert not worker.connection.poll(0.2)
    worker.begin()
    assert worker.connection.recv() == ("result", 1 << 22)
    worker.stop()
    assert worker.process.exitcode == 0


def test_workers_keep_numerical_libraries_to_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    (outcome,) = LocalExecutor(1).run(threads, [1], ignore)
    told, of_libraries = outcome.result
    assert told == "1"
    # Whatever imports NumPy before a worker is asked to do anything: it has started its threads by then.
    assert of_libraries == 0
    assert os.environ["OMP_NUM_THREADS"] == "7"
    assert "OPENBLAS_NUM_THREADS" not in os.environ


def test_a_script_without_a_main_guard_is_told_so(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent(
            """
            from operator import add
            from posegen.build.executors import LocalExecutor
            list(LocalExecutor(1).run(add, [1], print))
            """
        )
    )
    run = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode != 0
    assert "if __name__ == '__main__'" in run.stderr.splitlines()[-1]


def test_workers_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent(
            """
            import os, time
            from posegen.build.executors import LocalExecutor

            def sleep(task, report):
                print(os.getpid(), flush=True)
                time.sleep(60)

            if __name__ == "__main__":
                list(LocalExecutor(2).run(sleep, range(2), print))
            """
        )
    )
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        workers = [int(parent.stdout.readline()) for _ in range(2)]
        parent.kill()
    deadline = time.monotonic() + 10
    while any(_runs(pid) for pid in workers) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(_runs(pid) for pid in workers)


def _runs(pid: int) -> bool:
    """Tell whether a process runs; one that has ended and was not waited for (a zombie) does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_script_that_is_standard_input_is_told_so(tmp_path: Path) -> None:
    script = "from posegen.build.executors import LocalExecutor\nlist(LocalExecutor(1).run(len, [1], print))\n"
    run = subprocess.run([sys.executable, "-"], input=script, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 1
    assert "no file <stdin>; save a script that is read from standard input to a file" in run.stderr.splitlines()[-1]


def test_a_worker_that_is_gone_takes_back_what_it_told() -> None:
    told: list[int] = []
    for reported, back in ((None, 0), (0, 0), (3, -3)):
        for error in (EOFError, ConnectionResetError):

            def recv_bytes(error: Any = error) -> Any:
                raise error

            worker: Any = object.__new__(WorkerProcess)
            worker.connection, worker.reported = SimpleNamespace(recv_bytes=recv_bytes), reported
            worker.lose = lambda: "lost"
            team: Any = local._Team(print, iter(()), told.append)
            team.busy = type("Busy", (dict,), {"__delitem__": lambda *_: None})()
            assert list(team.receive(worker)) == ["lost"]
            assert told.pop() == back
    for broken in (BrokenPipeError, ConnectionResetError):

        def send_bytes(_: bytes, broken: Any = broken) -> None:
            raise broken

        one: Any = object.__new__(process.WorkerProcess)
        one.connection, one.reported, one.started = SimpleNamespace(send_bytes=send_bytes), 5, True
        one.send(print, "task")
        assert (one.task, one.reported) == ("task", None)
