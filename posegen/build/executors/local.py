"""Runs tasks in spawned processes on this machine.

Each worker has a pipe of its own, so that a worker that dies is noticed at once, with the task it had: the standard
library's pools share a queue, and either wait for the dead for ever or give up every task.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from types import FrameType
from typing import Generic, cast

from posegen.build.executors.base import Done, Executor, Lost, Report, Result, Task
from posegen.build.executors.cpus import available_cpus
from posegen.errors import BuildError, ConfigError

_ENVIRONMENT = {
    # The workers are the parallelism.
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    # What OpenCV decodes at the most; its own limit is four times that, 3 GB.
    "OPENCV_IO_MAX_IMAGE_PIXELS": str(1 << 28),
}
"""What libraries of a worker read when they are imported."""

_TIMEOUT_S = 5.0


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
    ) -> Iterator[Done[Task, Result] | Lost[Task]]:
        """Run tasks as `posegen.build.executors.base.Executor.run` says.

        Raises
        ------
        BuildError
            If a worker failed before it could take its first task: the next one would, too.
        """
        team = _Team(function, iter(tasks), on_progress)
        try:
            for _ in range(self.workers):
                team.assign()
            while team.busy:
                for worker in team.wait_for_messages():
                    yield from team.receive(worker)
        finally:
            team.stop_all()


def choose_executor(executor: Executor | None, workers: int | None) -> Executor:
    """Return the executor that is given, or one of so many processes here; by default as many as CPUs.

    Raises
    ------
    ConfigError
        If both are given, or there are to be no processes.
    """
    if executor is None:
        return LocalExecutor(available_cpus() if workers is None else workers)
    if workers is not None:
        raise ConfigError("workers are those of this machine; an executor that is given has its own")
    return executor


class _Team(Generic[Task, Result]):
    """The workers that have a task, and the tasks that wait for one."""

    def __init__(
        self, function: Callable[[Task, Report], Result], waiting: Iterator[Task], on_progress: Report
    ) -> None:
        self.function = function
        self.waiting = waiting
        self.on_progress = on_progress
        self.busy: dict[Connection, _Worker[Task]] = {}

    def assign(self, worker: _Worker[Task] | None = None) -> None:
        """Give the next task to a worker, or to a new one; stop it if there is no task."""
        try:
            task = next(self.waiting)
        except StopIteration:
            if worker is not None:
                del self.busy[worker.connection]
                worker.stop()
            return
        worker = worker or _Worker()
        self.busy[worker.connection] = worker
        worker.send(self.function, task)

    def wait_for_messages(self) -> list[_Worker[Task]]:
        """Wait until a worker has said something, or died."""
        return [self.busy[connection] for connection in cast("list[Connection]", wait(list(self.busy)))]

    def receive(self, worker: _Worker[Task]) -> Iterator[Done[Task, Result] | Lost[Task]]:
        """Take one message of a worker; yields what has become of its task, if that is known now."""
        try:
            kind, value = worker.connection.recv()
        except (EOFError, ConnectionResetError):
            del self.busy[worker.connection]
            self.on_progress(-(worker.reported or 0))
            yield worker.lose()
            self.assign()
            return
        if kind == "started":
            worker.started = True
        elif kind == "progress":
            worker.reported = (worker.reported or 0) + value
            self.on_progress(value)
        elif kind == "error":
            error, trace = value
            raise error from _RemoteTraceback(trace)
        else:
            yield Done(worker.task, value)
            self.assign(worker)

    def stop_all(self) -> None:
        """End all workers at once, whatever they are doing."""
        for worker in self.busy.values():
            worker.process.terminate()
        for worker in self.busy.values():
            worker.stop()


class _RemoteTraceback(Exception):  # noqa: N818 (it is shown as the cause of an error, as concurrent.futures does)
    """The traceback of an error in a worker."""

    def __str__(self) -> str:
        return f"\n{self.args[0]}"


class _Worker(Generic[Task]):
    """A spawned process, the pipe to it, and the task it has."""

    task: Task

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs,), daemon=True)
        with _interrupts_held_back():
            self.process.start()
        theirs.close()
        self.started = False
        self.reported: int | None = None

    def send(self, function: object, task: Task) -> None:
        """Send a task. A worker that is dead by now is noticed when its answer is waited for."""
        self.task, self.reported = task, None
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.connection.send((function, task))

    def lose(self) -> Lost[Task]:
        """Say how the worker died with its task."""
        self.process.join(timeout=_TIMEOUT_S)
        code = self.process.exitcode
        if code is not None and code < 0:
            reason = f"was killed by {signal.Signals(-code).name}"
            reason += " (out of memory?)" if signal.Signals(-code).name == "SIGKILL" else ""
        else:
            reason = f"ended with status {code}"
        self.stop()
        if not self.started and code == 1:
            raise BuildError(f"a worker process {reason} before its first task; {_explain_import()}")
        return Lost(self.task, self.reported, reason)

    def stop(self) -> None:
        """End the process: it does so by itself when the pipe closes, or is made to."""
        self.connection.close()
        self.process.join(timeout=_TIMEOUT_S)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


def _explain_import() -> str:
    """Say why a spawned process could not import the program that started it."""
    program = getattr(sys.modules["__main__"], "__file__", None)
    if program is not None and not os.path.exists(program):  # noqa: PTH110 (it is no path, most often <stdin>)
        return (
            f"workers import the program that starts them, and there is no file {program}; save a script that is read "
            "from standard input to a file, and build under if __name__ == '__main__': in it"
        )
    return "a script that builds a dataset must do so under if __name__ == '__main__':, because workers import it"


@contextlib.contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Let neither a process that is started here be interrupted before `_serve` has begun, nor this one meanwhile.

    The former would print a traceback, and so would the latter's child, which waits for the rest of its orders.
    """
    resource_tracker.ensure_running()  # it starts with the first worker otherwise, and lets interrupts through again
    came: list[tuple[int, FrameType | None]] = []
    handlers: dict[int, Callable[[int, FrameType | None], object]] = {}
    if threading.current_thread() is threading.main_thread():  # others are not told of signals
        for number in filter(None, (signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGHUP", None))):
            handler = signal.getsignal(number)
            if callable(handler):
                handlers[number] = handler
    # A signal that is blocked here may come to another thread; its handler then runs here nevertheless.
    for held in handlers:
        signal.signal(held, lambda number, frame: came.append((number, frame)))
    before = _mask("SIG_BLOCK", {signal.SIGINT})
    try:
        yield
    finally:
        _mask("SIG_SETMASK", before)
        for held, handler in handlers.items():
            signal.signal(held, handler)
        for first, frame in came[:1]:
            handlers[first](first, frame)


def _mask(how: str, signals: Iterable[int]) -> Iterable[int]:
    """Change which signals are blocked, where the system can, and return which were."""
    return signal.pthread_sigmask(getattr(signal, how), signals) if hasattr(signal, "pthread_sigmask") else ()


def _serve(connection: Connection) -> None:
    """Answer tasks until the other end closes."""
    # Ctrl-C goes to the whole group; the parent decides what becomes of it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _mask("SIG_UNBLOCK", {signal.SIGINT})
    threading.Thread(target=_follow_parent, daemon=True).start()
    os.environ.update(_ENVIRONMENT)
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        connection.send(("started", None))
        while True:
            function, task = connection.recv()
            try:
                answer: tuple[str, object] = ("result", function(task, lambda n: connection.send(("progress", n))))
            except (BrokenPipeError, ConnectionResetError):
                raise
            except Exception as error:  # noqa: BLE001 (whatever it is, the parent has to know)
                answer = ("error", _portable(error))
            connection.send(answer)


def _follow_parent() -> None:
    """End this process when its parent does, even if that was killed and even in the middle of a task."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _portable(error: Exception) -> tuple[Exception, str]:
    """Turn an exception into what can be sent: itself, or else what it says, and its traceback as text."""
    trace = "".join(traceback.format_exception(error))
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 (our own object)
    except Exception:  # noqa: BLE001 (exceptions may refuse to be pickled in any way)
        error = BuildError(f"{type(error).__name__}: {error}")
    return error, trace
