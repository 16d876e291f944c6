"""The contract of every executor, and what is special about the local one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from posegen.build.executors import Done, LocalExecutor, Lost, available_cpus
from posegen.errors import BuildError, ConfigError, ImageError, MissingExtraError

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


def refuse_with_arguments(task: int, report: Report) -> int:
    raise MissingExtraError("torch", "torch")


class UnpicklableError(Exception):
    def __reduce__(self) -> str:
        raise TypeError("not to be pickled")


def refuse_unpicklably(task: int, report: Report) -> int:
    raise UnpicklableError("the reason")


def threads(task: int, report: Report) -> str | None:
    return os.environ.get("OPENBLAS_NUM_THREADS")


def ignore(units: int) -> None:
    pass


@pytest.fixture(params=[1, 2])
def executor(request: pytest.FixtureRequest) -> LocalExecutor:
    return LocalExecutor(request.param)


def test_every_task_is_done_once_with_its_own_result(executor: LocalExecutor) -> None:
    outcomes = list(executor.run(square, range(7), ignore))
    assert all(isinstance(outcome, Done) for outcome in outcomes)
    assert sorted((o.task, o.result) for o in outcomes) == [(n, n * n) for n in range(7)]


def test_no_tasks_end_at_once(executor: LocalExecutor) -> None:
    assert list(executor.run(square, [], ignore)) == []


def test_progress_adds_up_to_what_the_tasks_reported(executor: LocalExecutor) -> None:
    seen: list[int] = []
    list(executor.run(report_three, range(4), seen.append))
    assert sum(seen) == 12


def test_tasks_are_taken_only_when_a_worker_is_free() -> None:
    taken: list[int] = []

    def tasks() -> object:
        for n in range(6):
            taken.append(n)
            yield n

    results = LocalExecutor(2).run(square, tasks(), ignore)
    next(results)
    assert len(taken) <= 3
    list(results)
    assert taken == list(range(6))


def test_the_work_is_spread_over_several_processes_and_none_is_this_one() -> None:
    pids = {outcome.result for outcome in LocalExecutor(2).run(who, range(6), ignore)}
    assert len(pids) == 2
    assert os.getpid() not in pids


def test_a_killed_worker_loses_its_task_alone(executor: LocalExecutor) -> None:
    seen: list[int] = []
    outcomes = list(executor.run(die_on_two, range(5), seen.append))
    lost = [o for o in outcomes if isinstance(o, Lost)]
    assert sorted(o.task for o in outcomes if isinstance(o, Done)) == [0, 1, 3, 4]
    assert [(o.task, o.reported) for o in lost] == [(2, 5)]
    assert "SIGKILL" in lost[0].reason
    assert sum(seen) == 0, "what the dead worker had reported is taken back"


def test_a_worker_that_exits_before_it_reports_is_lost_with_its_status(executor: LocalExecutor) -> None:
    (lost,) = executor.run(exit_silently, [1], ignore)
    assert isinstance(lost, Lost)
    assert lost.reported is None
    assert "status 3" in lost.reason


def test_an_error_in_a_task_is_raised_here_with_the_workers_traceback(executor: LocalExecutor) -> None:
    with pytest.raises(ImageError, match="task 1") as caught:
        list(executor.run(refuse, [1], ignore))
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


def test_workers_keep_numerical_libraries_to_one_thread() -> None:
    (outcome,) = LocalExecutor(1).run(threads, [1], ignore)
    assert outcome.result == "1"


@pytest.mark.parametrize("workers", [0, -1])
def test_fewer_than_one_worker_is_refused(workers: int) -> None:
    with pytest.raises(ConfigError, match="at least 1"):
        LocalExecutor(workers)


def test_the_default_number_of_workers_is_what_this_process_may_use() -> None:
    assert available_cpus() == len(os.sched_getaffinity(0))


def test_a_script_without_a_main_guard_is_told_so(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent(
            """
            from operator import add
            from posegen.build.executors import LocalExecutor
            list(LocalExecutor(1).run(add, [1], print))
            """
        )
    )
    run = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode != 0
    assert "if __name__ == '__main__'" in run.stderr.splitlines()[-1]


def test_workers_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent(
            """
            import os, time
            from posegen.build.executors import LocalExecutor

            def sleep(task, report):
                print(os.getpid(), flush=True)
                time.sleep(60)

            if __name__ == "__main__":
                list(LocalExecutor(2).run(sleep, range(2), print))
            """
        )
    )
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        workers = [int(parent.stdout.readline()) for _ in range(2)]
        parent.kill()
    deadline = time.monotonic() + 10
    while any(_runs(pid) for pid in workers) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(_runs(pid) for pid in workers)


def _runs(pid: int) -> bool:
    """Tell whether a process runs; one that has ended and was not waited for (a zombie) does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
