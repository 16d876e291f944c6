"""Runs tasks in spawned processes on this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import Connection, wait
from typing import Generic, cast

from posegen.build.executors.base import Done, Executor, Lost, Report, Result, Task
from posegen.build.executors.cpus import available_cpus
from posegen.build.executors.process import RemoteTraceback, WorkerProcess
from posegen.errors import ConfigError


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
        self.busy: dict[Connection, WorkerProcess[Task]] = {}

    def assign(self, worker: WorkerProcess[Task] | None = None) -> None:
        """Give the next task to a worker, or to a new one; stop it if there is no task."""
        try:
            task = next(self.waiting)
        except StopIteration:
            if worker is not None:
                del self.busy[worker.connection]
                worker.stop()
            return
        worker = worker or WorkerProcess()
        self.busy[worker.connection] = worker
        worker.send(self.function, task)

    def wait_for_messages(self) -> list[WorkerProcess[Task]]:
        """Wait until a worker has said something, or died."""
        return [self.busy[connection] for connection in cast("list[Connection]", wait(list(self.busy)))]

    def receive(self, worker: WorkerProcess[Task]) -> Iterator[Done[Task, Result] | Lost[Task]]:
        """Take one message of a worker; yields what has become of its task, if that is known now."""
        try:
            kind, value = worker.receive()
        except EOFError:
            del self.busy[worker.connection]
            self.on_progress(-(worker.reported or 0))
            yield worker.lose()
            self.assign()
            return
        if kind == "started":
            worker.begin()
        elif kind == "progress":
            worker.reported = (worker.reported or 0) + value
            self.on_progress(value)
        elif kind == "error":
            error, trace = value
            raise error from RemoteTraceback(trace)
        else:
            yield Done(worker.task, value)
            self.assign(worker)

    def stop_all(self) -> None:
        """End all workers at once, whatever they are doing."""
        for worker in self.busy.values():
            worker.process.terminate()
        for worker in self.busy.values():
            worker.stop()
