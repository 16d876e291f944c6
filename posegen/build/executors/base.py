"""What every executor does: run one picklable function on many picklable tasks, and survive the death of workers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")

Report = Callable[[int], None]
"""Called with how many more units of a task are done."""


@dataclass(frozen=True, slots=True, eq=False)
class Done(Generic[Task, Result]):
    """A task and what came of it."""

    task: Task
    result: Result


@dataclass(frozen=True, slots=True, eq=False)
class Lost(Generic[Task]):
    """A task whose worker died.

    Attributes
    ----------
    task
        It.
    reported
        How many units of it were done by then; None if it had not reported anything, not even 0.
    reason
        How the worker ended.
    """

    task: Task
    reported: int | None
    reason: str


class Executor(Protocol):
    """Runs tasks, most often in other processes.

    To add one (for a cluster's queue, another library's pool), write a class with this method; it need not inherit.
    Pass an object of it as `executor=` to `build`, `verify`, `compare` or `repair`: they then start no process of their
    own, and their results are the same to the byte. What it has to promise:

    - Every task comes back once, as `Done` with its result or as `Lost` if its worker died; in any order. Who passed it
      decides about trying again, so an executor does not.
    - The next task is taken when there is a worker for it, and not all at the start: a task is large, and is made when
      it is taken. It is taken, and outcomes are yielded, by the thread that iterates.
    - What tasks report is passed to `on_progress` in that thread, too, before the task's outcome; and is taken back,
      as a negative number, of one that is lost.
    - What the function raises is raised from the iterator, and whatever still runs is stopped then, or when the
      iterator is closed.
    - In another process, function, tasks, results and exceptions can be pickled. OpenCV and HDF5 libraries must not
      have been in use there before it was forked: spawn it.

    `tests/build/test_executors.py` holds every executor to this: add yours to the list `EXECUTORS` in it.
    """

    def run(
        self, function: Callable[[Task, Report], Result], tasks: Iterable[Task], on_progress: Report
    ) -> Iterator[Done[Task, Result] | Lost[Task]]:
        """Yield what becomes of each task as it is known, in any order.

        Parameters
        ----------
        function
            Importable by name in the workers; called as `function(task, report)`.
        tasks
            Taken one at a time, when a worker is free.
        on_progress
            Called with what the function reports. What a lost task had reported is taken back.

        Raises
        ------
        Exception
            What the function raised.
        """
        ...
