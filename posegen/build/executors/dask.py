"""Runs tasks on the workers of a Dask cluster: of one that is there, or of one that is started on this machine.

Dask runs a task again when its worker dies, gives up after some times, and does not say at what the worker died. So a
task is bound to one worker, and does its work in a process of its own there: what ends that process, such as a picture
that OpenCV cannot bear, is known as exactly as on this machine, and the worker lives on.
"""

from __future__ import annotations

import contextlib
import logging
import pickle
import queue
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic

from posegen.build.executors.base import Done, Lost, Report, Result, Task
from posegen.build.executors.cpus import available_cpus
from posegen.build.executors.process import RemoteTraceback, interrupts_blocked
from posegen.build.executors.remote import run_apart, stop_tasks
from posegen.errors import BuildError, ConfigError, MissingExtraError

_LOOK_S = 1.0
"""How often it is looked which workers there are."""

_PATIENCE_S = 10.0
"""For what the scheduler is asked."""

_LONGEST_TASK_BYTES = 1 << 30
"""Dask warns of smaller ones, whose data should rather lie in the cluster; ours are used once."""


class DaskExecutor:
    """An executor on a Dask cluster. Each thread of its workers runs one task at a time.

    Workers see the files that tasks read and write under the same paths, and have the same libraries: others are
    refused. Those that come later are given tasks, too.

    Parameters
    ----------
    address
        Of the scheduler, such as `tcp://head:8786`. Without one, workers are started on this machine for the time that
        it works.
    workers
        How many to start; by default as many as there are CPUs.
    notify
        Told what keeps it waiting.

    Raises
    ------
    MissingExtraError
        If Dask is not installed.
    ConfigError
        If workers are to be started, but an address is given, or there are to be none.
    """

    def __init__(
        self, address: str | None = None, *, workers: int | None = None, notify: Callable[[str], None] | None = None
    ) -> None:
        _import_distributed()
        if address is not None and workers is not None:
            raise ConfigError("workers are those of this machine; a scheduler that is given has its own")
        if workers is not None and workers < 1:
            raise ConfigError(f"workers must be at least 1, not {workers}")
        self.address = address
        self.workers = (available_cpus() if workers is None else workers) if address is None else None
        self._notify = notify

    def run(
        self, function: Callable[[Task, Report], Result], tasks: Iterable[Task], on_progress: Report
    ) -> Iterator[Done[Task, Result] | Lost[Task]]:
        """Run tasks as `posegen.build.executors.base.Executor.run` says.

        Raises
        ------
        BuildError
            If there is no scheduler at the address, or the connection to it is lost.
        ConfigError
            If a worker has other libraries.
        """
        with _silence(), _connect(self.address, self.workers) as client:
            team: _Team[Task, Result] = _Team(client, function, iter(tasks), on_progress, self._notify)
            try:
                yield from team.run()
            finally:
                team.stop()


@dataclass(slots=True, eq=False)
class _Assigned(Generic[Task]):
    """A task that a worker has; `worker` is its address and what no other has had under it."""

    task: Task
    worker: tuple[str, str]
    future: Any
    reported: int = 0


class _Team(Generic[Task, Result]):
    """The tasks that workers have, and those that wait for one."""

    def __init__(
        self,
        client: Any,
        function: Callable[[Task, Report], Result],
        waiting: Iterator[Task],
        on_progress: Report,
        notify: Callable[[str], None] | None,
    ) -> None:
        from posegen.shards import library_versions

        self.client = client
        self.function = function
        self.waiting = waiting
        self.on_progress = on_progress
        self.notify = notify
        self.versions = library_versions()
        self.is_over = False
        self.since = time.monotonic()
        self.topic = f"posegen-{uuid.uuid4().hex}"
        self.busy: dict[str, _Assigned[Task]] = {}
        self.slots: dict[tuple[str, str], int] = {}
        self.messages: queue.SimpleQueue[tuple[str, int | None]] = queue.SimpleQueue()

    def run(self) -> Iterator[Done[Task, Result] | Lost[Task]]:
        """Give tasks to workers, and yield what becomes of them."""
        self.client.subscribe_topic(self.topic, self._hear)
        looked = float("-inf")
        while True:
            if time.monotonic() - looked > _LOOK_S:
                yield from self._look()
                looked = time.monotonic()
            self._assign()
            if self.is_over and not self.busy:
                return
            with contextlib.suppress(queue.Empty):
                key, units = self.messages.get(timeout=_LOOK_S)
                if key not in self.busy:
                    continue
                if units is None:
                    yield self._end(key)
                else:
                    self._count(key, units)

    def stop(self) -> None:
        """End whatever still runs, and wait until it has."""
        if self.busy and self.client.status == "running":
            futures = [assigned.future for assigned in self.busy.values()]
            workers = sorted({assigned.worker[0] for assigned in self.busy.values()})
            with contextlib.suppress(Exception):  # which of them has gone is no matter any more
                self.client.run(stop_tasks, list(self.busy), workers=workers, on_error="ignore")
                self.client.cancel(futures, force=True)

    def _hear(self, event: tuple[Any, Mapping[str, Any]]) -> None:
        """Take note of progress; called in the client's own thread."""
        self.messages.put((event[1]["key"], event[1]["units"]))

    def _look(self) -> Iterator[Lost[Task]]:
        """Find out which workers there are, and yield the tasks of those that are gone."""
        found = self.client.scheduler_info(n_workers=-1)["workers"] if self._is_connected() else {}
        if not self._is_connected():
            address = self.client.scheduler.address if self.client.scheduler is not None else "?"
            raise BuildError(
                f"the connection to Dask's scheduler at {address} is lost; finished shards stay, run again to go on"
            )
        self.slots = {(address, one["local_directory"]): one["nthreads"] for address, one in found.items()}
        for key, assigned in list(self.busy.items()):
            if assigned.worker not in self.slots:
                yield self._lose(key, "is gone from the Dask cluster")
        if self.slots:
            self.since = time.monotonic()
        elif self.notify is not None and time.monotonic() - self.since > _PATIENCE_S:
            self.since = float("inf")
            self.notify(f"waiting for workers of Dask's scheduler at {self.client.scheduler.address}: it has none")

    def _is_connected(self) -> bool:
        return bool(self.client.status == "running")

    def _assign(self) -> None:
        """Give the next tasks to the workers that have a thread for one."""
        taken = Counter(assigned.worker for assigned in self.busy.values())
        for worker, threads in self.slots.items():
            for _ in range(threads - taken[worker]):
                if self.is_over:
                    return
                try:
                    task = next(self.waiting)
                except StopIteration:
                    self.is_over = True
                    return
                key = f"posegen-{uuid.uuid4().hex}"
                work = pickle.dumps((self.function, task))
                future = self.client.submit(
                    run_apart, work, key, self.topic, self.versions, key=key, workers=[worker[0]], pure=False
                )
                self.busy[key] = _Assigned(task, worker, future)
                future.add_done_callback(lambda _, key=key: self.messages.put((key, None)))

    def _count(self, key: str, units: int) -> None:
        self.busy[key].reported += units
        self.on_progress(units)

    def _end(self, key: str) -> Done[Task, Result] | Lost[Task]:
        """Find what became of a task that has ended."""
        future = self.busy[key].future
        try:
            if future.status != "finished":
                return self._lose(key, f"of the Dask cluster gave its task up ({future.status})")
            end = future.result(timeout=_PATIENCE_S)
        except Exception as error:  # noqa: BLE001 (Dask raises what it likes when a worker goes with its result)
            return self._lose(key, f"of the Dask cluster has lost its result ({type(error).__name__})")
        if end.error is not None:
            raise end.error from RemoteTraceback(end.trace)
        if end.reason is not None:
            return self._lose(key, end.reason, end.reported)
        self._count(key, (end.reported or 0) - self.busy[key].reported)
        return Done(self.busy.pop(key).task, end.result)

    def _lose(self, key: str, reason: str, reported: int | None = None) -> Lost[Task]:
        """Take back what a task has reported. At which sample a worker was that is gone is not known."""
        assigned = self.busy.pop(key)
        assigned.future.release()
        self.on_progress(-assigned.reported)
        return Lost(assigned.task, reported, reason)


def _import_distributed() -> Any:
    try:
        import distributed
    except ModuleNotFoundError as error:
        raise MissingExtraError("distributed", "dask") from error
    return distributed


@contextlib.contextmanager
def _connect(address: str | None, workers: int | None) -> Iterator[Any]:
    """Connect to a scheduler, or start one with so many workers on this machine."""
    distributed = _import_distributed()
    import dask

    with contextlib.ExitStack() as stack:
        stack.enter_context(dask.config.set({"distributed.admin.large-graph-warning-threshold": _LONGEST_TASK_BYTES}))
        target: Any = address
        if address is None:
            with interrupts_blocked():  # Ctrl-C goes to the whole group; this process ends the others
                cluster = distributed.LocalCluster(
                    n_workers=workers,
                    threads_per_worker=1,
                    processes=True,
                    dashboard_address="127.0.0.1:0",  # any free port: nobody is told of it
                    memory_limit=0,  # which would be that of a process that does not do the work
                    silence_logs=logging.CRITICAL + 1,
                )
            target = stack.enter_context(cluster)
        try:
            client = distributed.Client(target, timeout=_PATIENCE_S, set_as_default=False, name="posegen")
        except (OSError, ValueError) as error:
            reason = str(error) or type(error).__name__
            raise BuildError(f"{address}: no scheduler of Dask answers there: {reason}") from error
        stack.callback(_close, client)
        yield client


def _close(client: Any) -> None:
    with contextlib.suppress(Exception):  # of a scheduler that is gone
        client.close(timeout=_PATIENCE_S / 2)


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Keep Dask from printing what is told as progress, or raised."""
    loggers = [logging.getLogger(name) for name in ("distributed", "tornado", "asyncio")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
