"""What the caller of a long piece of work is told meanwhile."""

from __future__ import annotations

import time
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


class Teller:
    """Counts samples, and reports their number at most once in some seconds."""

    def __init__(self, report: Callable[[int], None], every_s: float) -> None:
        self._report, self._every_s = report, every_s
        self._untold, self._last = 0, time.monotonic()
        report(0)

    def count(self, samples: int) -> None:
        """Count some that are done."""
        self._untold += samples
        if time.monotonic() >= self._last + self._every_s:
            self._tell()

    def close(self) -> None:
        """Report the rest."""
        if self._untold:
            self._tell()

    def _tell(self) -> None:
        self._report(self._untold)
        self._untold, self._last = 0, time.monotonic()


def ignore(*_: object) -> None:
    """Tell nobody."""
