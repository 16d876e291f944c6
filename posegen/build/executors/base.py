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
    """Runs tasks in other processes."""

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
            Called in this process with what the function reports. What a lost task had reported is taken back.

        Raises
        ------
        Exception
            What the function raised.
        """
        ...
