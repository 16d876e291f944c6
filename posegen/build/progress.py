"""What the caller of a long piece of work is told meanwhile."""

from __future__ import annotations

from collections.abc import Callable

from posegen.build.executors import Report

Progress = Callable[[int, int], None]
"""Called with how many samples are done, and how many there are."""

Notify = Callable[[str], None]
"""Called with a line for the user: what was taken over, which worker died."""


def count_up(progress: Progress | None, total: int) -> Report:
    """Turn a callback that wants to know how many are done into one that is told how many more are."""
    done = 0

    def report(more: int) -> None:
        nonlocal done
        done += more
        if progress is not None:
            progress(done, total)

    return report


def ignore(*_: object) -> None:
    """Tell nobody."""
