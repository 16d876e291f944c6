"""Runs tasks in spawned processes on this machine.

Each worker has a pipe of its own, so that a worker that dies is noticed at once and by name: the standard library's
pools share a queue, and either wait for the dead for ever or give up every task.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import signal
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, cast

from posegen.errors import BuildError, ConfigError
from posegen.executors.base import Report, Result, Task

_THREAD_SETTINGS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def available_cpus() -> int:
    """Count the CPUs this process may use, which in a container or under taskset are fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class LocalExecutor:
    """An executor on this machine.

    Parameters
    ----------
    workers
        How many processes to spawn at the most.

    Raises
    ------
    ConfigError
        If that is none.
    """

    def __init__(self, workers: int) -> None:
        if workers < 1:
            raise ConfigError(f"workers must be at least 1, not {workers}")
        self.workers = workers

    def run(
        self, function: Callable[[Task, Report], Result], tasks: Iterable[Task], on_progress: Report
    ) -> Iterator[Result]:
        """Run tasks as `posegen.executors.base.Executor.run` says."""
        waiting = iter(tasks)
        busy: dict[Connection, BaseProcess] = {}
        try:
            for _, task in zip(range(self.workers), waiting, strict=False):
                connection, process = _spawn()
                busy[connection] = process
                _send(connection, process, (function, task))
            while busy:
                ready = cast("list[Connection]", wait(list(busy)))
                for connection in ready:
                    kind, value = _receive(connection, busy[connection])
                    if kind == "progress":
                        on_progress(value)
                        continue
                    if kind == "error":
                        error, trace = value
                        raise error from _RemoteTraceback(trace)
                    yield value
                    try:
                        task = next(waiting)
                    except StopIteration:
                        _stop(connection, busy.pop(connection))
                    else:
                        _send(connection, busy[connection], (function, task))
        finally:
            for process in busy.values():
                process.terminate()
            for connection, process in busy.items():
                _stop(connection, process)


class _RemoteTraceback(Exception):  # noqa: N818 (it is shown as the cause of an error, as concurrent.futures does)
    """The traceback of an error in a worker."""

    def __str__(self) -> str:
        return f"\n{self.args[0]}"


def _spawn() -> tuple[Connection, BaseProcess]:
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(there,), daemon=True)
    process.start()
    there.close()
    return here, process


def _send(connection: Connection, process: BaseProcess, message: object) -> None:
    try:
        connection.send(message)
    except (BrokenPipeError, ConnectionResetError) as error:
        raise _died(process) from error


def _receive(connection: Connection, process: BaseProcess) -> tuple[str, Any]:
    try:
        kind, value = connection.recv()
    except (EOFError, ConnectionResetError) as error:
        raise _died(process) from error
    return kind, value


def _stop(connection: Connection, process: BaseProcess) -> None:
    connection.close()
    process.join(timeout=5)
    if process.is_alive():
        process.kill()
        process.join()


def _died(process: BaseProcess) -> BuildError:
    process.join(timeout=5)
    code = process.exitcode
    if code is not None and code < 0:
        how = f"was killed by {signal.Signals(-code).name}" + (" (out of memory?)" if code == -signal.SIGKILL else "")
    else:
        how = f"ended with status {code}"
    hint = (
        "; a script that calls posegen.build must do so under if __name__ == '__main__':"
        if code == 1 and not hasattr(sys, "ps1")
        else ""
    )
    return BuildError(f"a worker process {how}{hint}")


def _serve(connection: Connection) -> None:
    """Answer tasks until the other end closes, which it also does when its process dies."""
    # Ctrl-C goes to the whole group; the parent decides what becomes of it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # The workers are the parallelism. Set before the first task imports NumPy.
    for name in _THREAD_SETTINGS:
        os.environ[name] = "1"
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while True:
            function, task = connection.recv()
            try:
                answer: tuple[str, object] = (
                    "result",
                    function(task, lambda n: connection.send(("progress", n))),
                )
            except (BrokenPipeError, ConnectionResetError):
                raise
            except Exception as error:  # noqa: BLE001 (whatever it is, the parent has to know)
                answer = ("error", _portable(error))
            connection.send(answer)


def _portable(error: Exception) -> tuple[Exception, str]:
    """Turn an exception into what can be sent: itself, or else what it says, and its traceback as text."""
    trace = "".join(traceback.format_exception(error))
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 (our own object)
    except Exception:  # noqa: BLE001 (exceptions may refuse to be pickled in any way)
        error = BuildError(f"{type(error).__name__}: {error}")
    return error, trace
