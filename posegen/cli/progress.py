"""How commands show what they do meanwhile, on standard error: a bar on a terminal, elsewhere lines now and then.

Where standard error is closed, nothing is shown.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import click
from tqdm import tqdm

EVERY_S = 30.0
"""After so much time there is a line where nobody sees a bar: in a batch system's log."""


@dataclass(kw_only=True)
class Bar:
    """A bar of samples; its methods are the `progress` and `notify` of the library's calls."""

    bar: tqdm
    quiet: bool
    started: float = field(init=False, default=0.0)
    last: float = field(init=False, default=0.0)
    first: int | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self.last = time.monotonic()

    def show(self, done: int, total: int) -> None:
        """Move it to so many samples of so many."""
        if self.bar.disable:
            if not self.quiet:
                self._write(done, total)
            return
        self.bar.total = total
        self.bar.update(done - self.bar.n)

    def tell(self, line: str) -> None:
        """Print a line above it."""
        if not self.quiet and sys.stderr is not None:  # otherwise tqdm would write it to standard output
            tqdm.write(line, file=sys.stderr)

    def _write(self, done: int, total: int) -> None:
        """Print how far it is, if that was long ago."""
        now = time.monotonic()
        if self.first is None:  # what stands from an earlier run was not made in this time
            self.first, self.started = done, now
        if now - self.last < EVERY_S:
            return
        self.last = now
        rate = (done - self.first) / max(now - self.started, 1e-9)
        left = f", about {_duration((total - done) / rate)} left" if rate > 0 and done < total else ""
        click.echo(f"{done:,} of {total:,} samples, {rate:.1f} a second{left}", err=True)


@contextlib.contextmanager
def show_samples(*, quiet: bool = False) -> Iterator[Bar]:
    """Show how many samples are done while a command works; `quiet` shows and tells nothing."""
    with tqdm(unit=" samples", dynamic_ncols=True, disable=_hide(quiet=quiet)) as bar:
        yield Bar(bar=bar, quiet=quiet)


@contextlib.contextmanager
def show_share() -> Iterator[Callable[[int, int], None]]:
    """Show how much of the work is done."""
    with tqdm(bar_format="{percentage:3.0f} % |{bar}| {elapsed}, {remaining} left", disable=_hide()) as bar:

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield show


@contextlib.contextmanager
def show_steps() -> Iterator[Callable[[str], None]]:
    """Show the name of the step that a command is at."""
    with tqdm(bar_format="{desc}", leave=False, disable=_hide()) as bar:
        yield bar.set_description_str


def _hide(*, quiet: bool = False) -> bool | None:
    """Say whether tqdm draws no bar: None for where there is no terminal, of which it knows by itself."""
    return True if quiet or sys.stderr is None else None


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{max(minutes, 1)} min"
