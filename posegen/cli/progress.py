"""How commands show what they do meanwhile: on standard error, and only where somebody looks."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tqdm import tqdm


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A bar of samples; its methods are the `progress` and `notify` of the library's calls."""

    bar: tqdm
    quiet: bool

    def show(self, done: int, total: int) -> None:
        """Move it to so many samples of so many."""
        self.bar.total = total
        self.bar.update(done - self.bar.n)

    def tell(self, line: str) -> None:
        """Print a line above it."""
        if not self.quiet:
            tqdm.write(line, file=sys.stderr)


@contextlib.contextmanager
def show_samples(*, quiet: bool = False) -> Iterator[Bar]:
    """Show a bar of samples while a command works; `quiet` shows and tells nothing."""
    with tqdm(unit=" samples", dynamic_ncols=True, disable=True if quiet else None) as bar:
        yield Bar(bar=bar, quiet=quiet)


@contextlib.contextmanager
def show_steps() -> Iterator[Callable[[str], None]]:
    """Show the name of the step that a command is at."""
    with tqdm(bar_format="{desc}", leave=False, disable=None) as bar:
        yield bar.set_description_str
