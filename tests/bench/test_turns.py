"""Alternatives are measured in turn, and compared round by round."""

from __future__ import annotations

import pytest

from posegen.bench.turns import compare, take_in_turn


class Clock:
    """A clock that moves only when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


def test_alternatives_are_called_in_turn() -> None:
    calls: list[str] = []
    take_in_turn({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, rounds=3, warm_up=1)
    assert calls == ["a", "b"] * 4


def test_times_are_those_of_the_calls_alone_and_without_the_warm_up() -> None:
    clock = Clock()
    durations = iter([50.0, 60.0, 1.0, 2.0, 3.0, 5.0])

    def work() -> None:
        clock.advance(next(durations))

    taken = take_in_turn(
        {"a": work, "b": work}, rounds=2, warm_up=1, before_each=lambda: clock.advance(1000), clock=clock
    )
    assert taken == {"a": [1.0, 3.0], "b": [2.0, 5.0]}


def test_a_ratio_is_the_median_over_the_rounds() -> None:
    row = compare("x", "ms", ("ours", [1.0, 2.0, 8.0]), ("theirs", [8.0, 1.0, 2.0]), kind="times", inverse=True)
    assert row["ratio"] == {"kind": "times", "median": 0.5, "min": 0.25, "max": 8.0}
    assert row["measured"] == {"name": "ours", "median": 2.0, "min": 1.0, "max": 8.0}


def test_a_share_is_that_of_what_is_measured() -> None:
    row = compare("x", "samples/s", ("build", [80.0, 90.0]), ("floor", [100.0, 100.0]), kind="share")
    assert row["ratio"]["median"] == pytest.approx(0.85)
