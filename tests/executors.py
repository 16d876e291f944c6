"""Executors that have the protocol of `posegen.build.executors.base.Executor` and nothing else."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from posegen.build.executors import Done, Lost, Report

Function = Callable[[Any, Report], Any]
Outcome = Done[Any, Any] | Lost[Any]


class InProcess:
    """Runs one task after the other, here."""

    workers = 1

    def run(self, function: Function, tasks: Iterable[Any], on_progress: Report) -> Iterator[Outcome]:
        for task in tasks:
            yield Done(task, function(task, on_progress))


class Threads:
    """Runs tasks in threads of this process."""

    def __init__(self, workers: int) -> None:
        self.workers = workers

    def run(self, function: Function, tasks: Iterable[Any], on_progress: Report) -> Iterator[Outcome]:
        waiting, messages, busy = iter(tasks), queue.SimpleQueue[tuple[str, Any, Any]](), 0
        stopped = threading.Event()

        def work(task: Any) -> None:
            def report(units: int) -> None:
                if stopped.is_set():
                    raise InterruptedError("nobody waits for this any more")
                messages.put(("progress", task, units))

            try:
                messages.put(("done", task, function(task, report)))
            except Exception as error:  # noqa: BLE001 (it is raised where they are waited for)
                messages.put(("error", task, error))

        with ThreadPoolExecutor(self.workers) as pool:
            try:
                while True:
                    while busy < self.workers and (task := next(waiting, _NONE)) is not _NONE:
                        pool.submit(work, task)
                        busy += 1
                    if not busy:
                        return
                    kind, task, value = messages.get()
                    if kind == "progress":
                        on_progress(value)
                    elif kind == "error":
                        raise value
                    else:
                        busy -= 1
                        yield Done(task, value)
            finally:
                stopped.set()


_NONE = object()


class Deadly(InProcess):
    """Loses a task instead of running it where `dies(task)` says how many units it had reported, and not None."""

    def __init__(self, dies: Callable[[Any], int | None], reason: str = "was killed by SIGKILL") -> None:
        self.dies = dies
        self.reason = reason

    def run(self, function: Function, tasks: Iterable[Any], on_progress: Report) -> Iterator[Outcome]:
        for task in tasks:
            reported = self.dies(task)
            if reported is not None:
                yield Lost(task, reported, self.reason)
            else:
                yield from super().run(function, [task], on_progress)
