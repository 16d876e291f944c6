"""Times taken in turn: A B A B, so that ratios hold when the machine's speed drifts."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Notify = Callable[[str], None]
"""Called with what is being measured."""


@dataclass(frozen=True, slots=True)
class Spread:
    """The middle and the ends of what was measured, in whatever unit."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Take at least one value."""
        return cls(statistics.median(values), min(values), max(values))

    def to_dict(self) -> dict[str, float]:
        """Return `median`, `min` and `max`."""
        return {"median": self.median, "min": self.low, "max": self.high}


def take_in_turn(
    alternatives: Mapping[str, Callable[[], object]],
    *,
    rounds: int,
    warm_up: int = 1,
    notify: Notify | None = None,
    before_each: Callable[[], object] | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Time every alternative once a round, one after the other.

    Parameters
    ----------
    alternatives
        By name, what to call.
    rounds
        How often, at least once.
    warm_up
        How many rounds go before without being counted.
    notify
        Called before each call with the alternative's name and the round.
    before_each
        Called before each call, outside the time that is taken.
    clock
        Gives the time in seconds.

    Returns
    -------
    By name, the seconds of each round, in order.
    """
    seconds: dict[str, list[float]] = {name: [] for name in alternatives}
    for turn in range(-warm_up, rounds):
        for name, call in alternatives.items():
            if notify:
                notify(f"{name}, {'warming up' if turn < 0 else f'round {turn + 1} of {rounds}'}")
            if before_each:
                before_each()
            start = clock()
            call()
            taken = clock() - start
            if turn >= 0:
                seconds[name].append(taken)
    return seconds


def compare(
    figure: str,
    unit: str,
    measured: tuple[str, Sequence[float]],
    compared_with: tuple[str, Sequence[float]],
    *,
    kind: Literal["times", "share"],
    inverse: bool = False,
    max_abs_difference: float | None = None,
    **per_round: int,
) -> dict[str, Any]:
    """Lay two rows of values taken in turn side by side, as `posegen.bench` describes a comparison.

    Parameters
    ----------
    figure, unit
        What it is, and in what the values are.
    measured, compared_with
        A name each, and a value a round.
    kind
        Whether people read the ratio as `times` or as a `share`.
    inverse
        Whether the ratio is that of `compared_with` to `measured`, as it is for times that became shorter.
    max_abs_difference
        Between the two outputs.
    per_round
        How many images or samples a round covers.
    """
    (name, mine), (other_name, others) = measured, compared_with
    ratios = [b / a if inverse else a / b for a, b in zip(mine, others, strict=True)]
    return {
        "figure": figure,
        "unit": unit,
        "measured": {"name": name, **Spread.of(mine).to_dict()},
        "compared_with": {"name": other_name, **Spread.of(others).to_dict()},
        "ratio": {"kind": kind, **Spread.of(ratios).to_dict()},
        "per_round": dict(per_round),
        "rounds": len(mine),
        "max_abs_difference": max_abs_difference,
    }
