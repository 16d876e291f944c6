"""A spawned process that does one task after the other.

Each has a pipe of its own, so that one that dies is noticed at once, with the task it had: the standard library's pools
share a queue, and either wait for the dead for ever or give up every task.
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
from multiprocessing.connection import Connection
from types import FrameType
from typing import Any, Generic

from posegen.build.executors.base import Lost, Task
from posegen.errors import BuildError

_ENVIRONMENT = {
    # The workers are the parallelism.
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    # What OpenCV decodes at the most; its own limit is four times that, 3 GB.
    "OPENCV_IO_MAX_IMAGE_PIXELS": str(1 << 28),
}
"""What libraries of a worker read when they are imported, most often before it is asked to do anything."""

_STARTING = threading.Lock()
"""Held by whoever has changed the environment of this process for a while."""

_TIMEOUT_S = 5.0


class RemoteTraceback(Exception):  # noqa: N818 (it is shown as the cause of an error, as concurrent.futures does)
    """The traceback of an error in a worker."""

    def __str__(self) -> str:
        return f"\n{self.args[0]}"


class WorkerProcess(Generic[Task]):
    """A spawned process, the pipe to it, and the task it has."""

    task: Task

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs,), daemon=True)
        with _interrupts_held_back(), _environment():
            self.process.start()
        theirs.close()
        self.started = False
        self.reported: int | None = None
        self._held: bytes | None = None

    def send(self, function: object, task: Task) -> None:
        """Send a task. A worker that is dead by now is noticed when its answer is waited for."""
        self.task = task
        self.send_pickled(pickle.dumps((function, task)))

    def send_pickled(self, work: bytes) -> None:
        """Send a function and a task, a pair that is pickled; it is held until the worker says that it has started.

        A pipe takes less than a task, so that whoever sent it at once would wait until the worker has imported what it
        needs, and could not start another one meanwhile.
        """
        self.reported = None
        if not self.started:
            self._held = work
            return
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.connection.send_bytes(work)

    def begin(self) -> None:
        """Note that the worker has said that it has started, and send what was held until then."""
        self.started = True
        if self._held is not None:
            held, self._held = self._held, None
            self.send_pickled(held)

    def receive(self) -> tuple[str, Any]:
        """Wait for the next message: its kind, and what it says.

        Raises
        ------
        EOFError
            If the worker has died, be it in the middle of a message.
        """
        try:
            data = self.connection.recv_bytes()
        except OSError as error:  # a connection was reset, or a message broken off
            raise EOFError from error
        kind, value = pickle.loads(data)  # noqa: S301 (our own worker's)
        return kind, value

    def lose(self) -> Lost[Task]:
        """Say how the worker died with its task."""
        return Lost(self.task, self.reported, self.find_end())

    def find_end(self) -> str:
        """Say how the worker died; raises `BuildError` if it could not even begin."""
        self.process.join(timeout=_TIMEOUT_S)
        code = self.process.exitcode
        if code is not None and code < 0:
            name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"  # of real time
            reason = f"was killed by {name}" + (" (out of memory?)" if name == "SIGKILL" else "")
        else:
            reason = f"ended with status {code}"
        self.stop()
        if not self.started and code == 1:
            raise BuildError(f"a worker process {reason} before its first task; {_explain_import()}")
        return reason

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


@contextlib.contextmanager
def _environment() -> Iterator[None]:
    """Let a process that is started here begin with the environment of a worker."""
    with _STARTING:
        before = {name: os.environ.get(name) for name in _ENVIRONMENT}
        os.environ.update(_ENVIRONMENT)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value


@contextlib.contextmanager
def interrupts_blocked() -> Iterator[None]:
    """Keep Ctrl-C from threads and processes that are started here, and from those that they start."""
    resource_tracker.ensure_running()  # which lets interrupts through when it starts
    before = _mask("SIG_BLOCK", {signal.SIGINT})
    try:
        yield
    finally:
        _mask("SIG_SETMASK", before)


def _mask(how: str, signals: Iterable[int]) -> Iterable[int]:
    """Change which signals are blocked, where the system can, and return which were."""
    return signal.pthread_sigmask(getattr(signal, how), signals) if hasattr(signal, "pthread_sigmask") else ()


def _serve(connection: Connection) -> None:
    """Answer tasks until the other end closes."""
    # Ctrl-C goes to the whole group; the parent decides what becomes of it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _mask("SIG_UNBLOCK", {signal.SIGINT})
    threading.Thread(target=_follow_parent, daemon=True).start()
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
    # Python would take all modules apart first, and the parent wait for it.
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError, OSError):  # there is none, or nobody reads it
            stream.flush()
    os._exit(0)


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
