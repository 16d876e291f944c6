"""What every executor does: run one picklable function on many picklable tasks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")

Report = Callable[[int], None]
"""Called with how many more units of a task are done."""


class Executor(Protocol):
    """Runs tasks in other processes."""

    def run(
        self, function: Callable[[Task, Report], Result], tasks: Iterable[Task], on_progress: Report
    ) -> Iterator[Result]:
        """Yield the results of `function(task, report)` as they come, in any order.

        Parameters
        ----------
        function
            Importable by name in the workers. What it passes to `report` arrives at `on_progress`.
        tasks
            Taken one at a time, when a worker is free.
        on_progress
            Called in this process.

        Raises
        ------
        BuildError
            If a worker died.
        Exception
            What the function raised.
        """
        ...
