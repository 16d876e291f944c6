"""The contract of every executor, and what is special about the local one."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from executors import InProcess, Threads

from posegen.build.executors import Done, Executor, LocalExecutor, Lost, available_cpus
from posegen.errors import AnnotationError, BuildError, ConfigError, ImageError, MissingExtraError

Report = Callable[[int], None]


def square(task: int, report: Report) -> int:
    report(1)
    return task * task


def report_three(task: int, report: Report) -> int:
    for _ in range(3):
        report(1)
    return task


def who(task: int, report: Report) -> int:
    time.sleep(0.2)
    return os.getpid()


def die_on_two(task: int, report: Report) -> int:
    report(0)
    if task == 2:
        report(5)
        os.kill(os.getpid(), signal.SIGKILL)
    return task


def exit_silently(task: int, report: Report) -> int:
    os._exit(3)


def refuse(task: int, report: Report) -> int:
    raise ImageError(f"task {task}")


def refuse_three(task: int, report: Report) -> int:
    if task == 3:
        raise ImageError(f"task {task}")
    time.sleep(0.05 * (task > 3))
    return task


def leave_a_file(task: str, report: Report) -> str:
    report(1)
    Path(task).touch()
    time.sleep(0.05)
    return task


def refuse_with_arguments(task: int, report: Report) -> int:
    raise MissingExtraError("torch", "torch")


class UnpicklableError(Exception):
    def __reduce__(self) -> str:
        raise TypeError("not to be pickled")


def refuse_unpicklably(task: int, report: Report) -> int:
    raise UnpicklableError("the reason")


def ignore(units: int) -> None:
    pass


EXECUTORS: list[Callable[[], Executor]] = [
    partial(LocalExecutor, 1),
    partial(LocalExecutor, 2),
    InProcess,
    partial(Threads, 1),
    partial(Threads, 3),
]
"""Every executor keeps to the protocol: `TestContract` is run with each of these. Add a new one here."""


@pytest.fixture(params=EXECUTORS, ids=["one process", "two processes", "this process", "a thread", "three threads"])
def executor(request: pytest.FixtureRequest) -> Executor:
    return request.param()


class TestContract:
    """What `posegen.build.executors.base.Executor` promises, of every executor."""

    def test_every_task_is_done_once_with_its_own_result(self, executor: Executor) -> None:
        for count in (0, 1, 7):
            outcomes = list(executor.run(square, range(count), ignore))
            assert all(isinstance(outcome, Done) for outcome in outcomes)
            assert sorted((o.task, o.result) for o in outcomes) == [(n, n * n) for n in range(count)]

    def test_it_can_be_used_again(self, executor: Executor) -> None:
        first, second = (sum(o.result for o in executor.run(square, [2, 3], ignore)) for _ in range(2))
        assert first == second == 13

    def test_progress_adds_up_and_comes_in_this_thread_before_its_tasks_outcome(self, executor: Executor) -> None:
        here, seen = threading.get_ident(), 0

        def count(units: int) -> None:
            nonlocal seen
            assert threading.get_ident() == here
            seen += units

        for done, _ in enumerate(executor.run(report_three, range(4), count), start=1):
            assert seen >= 3 * done
        assert seen == 12

    def test_tasks_are_taken_here_and_only_when_there_is_a_worker_for_them(self, executor: Executor) -> None:
        here, taken = threading.get_ident(), []

        def tasks() -> Iterator[int]:
            for n in range(9):
                assert threading.get_ident() == here
                taken.append(n)
                yield n

        for done, _ in enumerate(executor.run(square, tasks(), ignore), start=1):
            assert len(taken) <= done + executor.workers
        assert taken == list(range(9))

    def test_what_a_task_raises_is_raised_here_and_no_more_tasks_are_taken(self, executor: Executor) -> None:
        taken: list[int] = []

        def tasks() -> Iterator[int]:
            for n in range(50):
                taken.append(n)
                yield n

        with pytest.raises(ImageError, match="task 3"):
            list(executor.run(refuse_three, tasks(), ignore))
        # How many others end before it is heard is up to how busy the machine is.
        assert len(taken) < 50

    def test_what_the_tasks_raise_that_are_asked_for_is_raised_here(self, executor: Executor) -> None:
        def tasks() -> Iterator[int]:
            yield 1
            raise AnnotationError("no more of them")

        with pytest.raises(AnnotationError, match="no more of them"):
            list(executor.run(square, tasks(), ignore))

    def test_nothing_runs_on_when_the_results_are_abandoned(self, executor: Executor, tmp_path: Path) -> None:
        tasks = [str(tmp_path / str(n)) for n in range(9)]
        outcomes = executor.run(leave_a_file, tasks, ignore)
        next(outcomes)
        outcomes.close()
        left = sorted(tmp_path.iterdir())
        time.sleep(0.2)
        assert sorted(tmp_path.iterdir()) == left
        assert len(left) <= 1 + executor.workers


@pytest.fixture(params=[1, 2])
def local(request: pytest.FixtureRequest) -> LocalExecutor:
    return LocalExecutor(request.param)


def test_the_work_is_spread_over_several_processes_and_none_is_this_one() -> None:
    pids = {outcome.result for outcome in LocalExecutor(2).run(who, range(6), ignore)}
    assert len(pids) == 2
    assert os.getpid() not in pids


def test_a_killed_worker_loses_its_task_alone(local: LocalExecutor) -> None:
    seen: list[int] = []
    outcomes = list(local.run(die_on_two, range(5), seen.append))
    lost = [o for o in outcomes if isinstance(o, Lost)]
    assert sorted(o.task for o in outcomes if isinstance(o, Done)) == [0, 1, 3, 4]
    assert [(o.task, o.reported) for o in lost] == [(2, 5)]
    assert "SIGKILL" in lost[0].reason
    assert sum(seen) == 0, "what the dead worker had reported is taken back"


def test_a_worker_that_exits_before_it_reports_is_lost_with_its_status(local: LocalExecutor) -> None:
    (lost,) = local.run(exit_silently, [1], ignore)
    assert isinstance(lost, Lost)
    assert lost.reported is None
    assert "status 3" in lost.reason


def test_an_error_in_a_task_is_raised_here_with_the_workers_traceback(local: LocalExecutor) -> None:
    with pytest.raises(ImageError, match="task 1") as caught:
        list(local.run(refuse, [1], ignore))
    assert "in refuse" in str(caught.value.__cause__)


def test_an_error_with_its_own_constructor_survives_the_way_here() -> None:
    with pytest.raises(MissingExtraError, match=r"posegen\[torch\]"):
        list(LocalExecutor(1).run(refuse_with_arguments, [1], ignore))


def test_an_error_that_cannot_be_pickled_still_says_what_it_was() -> None:
    with pytest.raises(BuildError, match="UnpicklableError: the reason"):
        list(LocalExecutor(1).run(refuse_unpicklably, [1], ignore))


def test_no_process_is_left_when_the_results_are_abandoned() -> None:
    results = LocalExecutor(2).run(who, range(50), ignore)
    pid = next(results).result
    results.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_fewer_than_one_worker_is_refused() -> None:
    for workers in (0, -1):
        with pytest.raises(ConfigError, match="at least 1"):
            LocalExecutor(workers)


def test_the_default_number_of_workers_is_what_this_process_may_use() -> None:
    assert available_cpus() == len(os.sched_getaffinity(0))
