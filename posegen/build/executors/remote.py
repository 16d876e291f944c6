"""What happens to a task on a worker of Dask: it is done in a process of its own, whose death is told exactly."""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from posegen.build.executors.base import Report
from posegen.build.executors.process import WorkerProcess
from posegen.errors import BuildError, ConfigError

_REPORT_S = 0.3
"""So often progress is told: it goes by way of the scheduler, from all workers."""

_LOOK_S = 1.0
"""How often it is looked whether a task is still wanted."""

_starting = threading.Lock()
_processes: dict[str, WorkerProcess[Any]] = {}
_stopped: set[str] = set()


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """What became of a task.

    Attributes
    ----------
    result
        What its function returned.
    reported
        How many units it had reported by then; None if nothing.
    reason
        How its process died, if it did.
    error, trace
        What the function raised, and the traceback of that.
    """

    result: Any = None
    reported: int | None = None
    reason: str | None = None
    error: Exception | None = None
    trace: str = ""


def run_apart(work: bytes, key: str, topic: str, versions: Mapping[str, str]) -> End:
    """Do a task in a process of its own; called by Dask on one of its workers.

    Parameters
    ----------
    work
        The pickled pair of a function and a task.
    key
        Of the task in Dask.
    topic
        Under which progress is told.
    versions
        Of the libraries that the process has to have.
    """
    from distributed import get_worker

    worker = get_worker()
    with _start(key) as process:
        process.send(_read_versions, None)
        end = _follow(process, worker, key, None)
        if end.error is None and end.reason is None and end.result != versions:
            found = ", ".join(f"{name} {end.result.get(name)}, not {was}" for name, was in versions.items())
            return End(
                error=ConfigError(
                    f"the Dask worker {worker.address} has other libraries: {found}; shards would have other bytes"
                )
            )
        if end.error is None and end.reason is None:
            process.send_pickled(work)
            end = _follow(process, worker, key, topic)
    return end


def stop_tasks(keys: list[str]) -> None:
    """End the processes of some tasks, and let none of them begin; called by Dask on its workers."""
    with _starting:
        _stopped.update(keys)
        processes = [_processes[key] for key in keys if key in _processes]
    for process in processes:
        process.process.kill()
        process.process.join()


@contextmanager
def _start(key: str) -> Iterator[WorkerProcess[Any]]:
    """Start the process of a task. Workers of Dask may have no children, but ours end when they do."""
    me = multiprocessing.current_process()
    with _starting:
        if key in _stopped:
            raise RuntimeError("this task is not wanted any more")
        was, me.daemon = me.daemon, False
        try:
            process: WorkerProcess[Any] = WorkerProcess()
        finally:
            me.daemon = was
        _processes[key] = process
    try:
        yield process
    finally:
        del _processes[key]
        process.process.kill()
        process.stop()


def _follow(process: WorkerProcess[Any], worker: Any, key: str, topic: str | None) -> End:
    """Wait for the end of what a process was sent, and tell its progress."""
    untold, told = 0, time.monotonic()
    while True:
        if not process.connection.poll(_LOOK_S):
            if not _is_wanted(worker, key):
                return End(reason="was stopped")
            continue
        try:
            kind, value = process.receive()
        except EOFError:
            try:
                return End(reason=process.find_end(), reported=process.reported)
            except BuildError as error:
                return End(error=error)
        if kind == "started":
            process.begin()
        elif kind == "progress":
            process.reported = (process.reported or 0) + value
            untold += value
            if topic is not None and untold and time.monotonic() - told > _REPORT_S:
                worker.log_event(topic, {"key": key, "units": untold})
                untold, told = 0, time.monotonic()
        elif kind == "error":
            raised, trace = value
            return End(error=raised, trace=trace, reported=process.reported)
        else:
            return End(result=value, reported=process.reported)


def _is_wanted(worker: Any, key: str) -> bool:
    """Tell whether somebody still waits for a task: not if the client has gone."""
    state = worker.state.tasks.get(key)
    return state is not None and state.state == "executing"


def _read_versions(_: None, report: Report) -> dict[str, str]:  # noqa: ARG001 (called as every task is)
    """Return the versions of the libraries here."""
    from posegen.shards import library_versions

    return library_versions()
