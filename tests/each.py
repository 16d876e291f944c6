"""Run one test for many cases, with pytest's subtests: one id, and of what fails each case by its values."""

from __future__ import annotations

import functools
import inspect
import itertools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

Test = Callable[..., None]


def each(names: str = "", cases: Iterable[Any] = (), /, **axes: Iterable[Any]) -> Callable[[Test], Test]:
    """Run a test for all combinations of values.

    Parameters
    ----------
    names, cases
        Arguments that change together, "size, cells", and their values, [((8, 8), (2, 2)), ...].
    axes
        The values of other arguments, each by itself. Of a mapping, a case is called by its key and not by its value.

    Fixtures are made once for all cases.
    """
    together = [name.strip() for name in names.split(",")] if names else []
    taken = [*together, *axes]
    shown = [_show(values) for values in ([cases] if names else []) + [*axes.values()]]

    def decorate(test: Test) -> Test:
        parameters = inspect.signature(test).parameters
        if unknown := [name for name in taken if name not in parameters]:
            raise TypeError(f"{test.__name__} has no argument {', '.join(unknown)}")

        # Attributes are left behind: to Hypothesis, what it wraps is the test and not this loop.
        @functools.wraps(test, updated=())
        def run(*args: Any, subtests: Any, **fixtures: Any) -> None:
            for case in itertools.product(*shown):
                values = [value for _, value in case]
                given = zip(taken, [*values[0], *values[1:]] if together else values, strict=True)
                with subtests.test(", ".join(text for text, _ in case)):
                    test(*args, **fixtures, **dict(given))

        fixtures = [parameter for name, parameter in parameters.items() if name not in taken]
        subtests = inspect.Parameter("subtests", inspect.Parameter.KEYWORD_ONLY)
        run.__signature__ = inspect.Signature([*fixtures, subtests])  # type: ignore[attr-defined]
        run.pytestmark = getattr(test, "pytestmark", [])  # type: ignore[attr-defined]
        return run

    return decorate


def _show(values: Iterable[Any]) -> list[tuple[str, Any]]:
    """List values, each with what it is called when a case fails."""
    if isinstance(values, Mapping):
        return [(str(name), value) for name, value in values.items()]
    found = [(repr(value), value) for value in values]
    if not found:
        raise ValueError("a test of no case cannot fail")
    return [(text if len(text) <= 80 else f"{text[:77]}...", value) for text, value in found]
