"""What a value of an annotation file is, and the list of what is wrong with the file."""

from __future__ import annotations

import math
import re
from typing import Any, TypeGuard

from posegen.errors import AnnotationError
from posegen.storage import AnyPath

_SHOWN_PROBLEMS = 20
_LARGEST = 1e15
_MOST = math.nextafter(_LARGEST, 0)
_NUMBERS = frozenset({int, float})
_EXACT = 2.0**53
"""The largest float that is surely the number which somebody meant."""
_FLAGS = {
    "0": False,
    "0.0": False,
    "false": False,
    "no": False,
    "": False,
    "1": True,
    "1.0": True,
    "true": True,
    "yes": True,
}


class Problems:
    """Collects what is wrong with a file, to report it at once."""

    def __init__(self, path: AnyPath) -> None:
        self.path = path
        self.count = 0
        self.shown: list[str] = []

    def add(self, message: str) -> None:
        """Note one bad entry."""
        self.count += 1
        if len(self.shown) < _SHOWN_PROBLEMS:
            self.shown.append(message)

    def raise_any(self) -> None:
        """Raise an `AnnotationError` that names what was noted, if anything was."""
        if not self.count:
            return
        lines = [f"{self.path}: {self.count} bad {'entry' if self.count == 1 else 'entries'}", *self.shown]
        if self.count > len(self.shown):
            lines.append(f"... and {self.count - len(self.shown)} more")
        raise AnnotationError("\n  ".join(lines) + "\nmend or remove them and run again")


def is_id(value: Any) -> TypeGuard[int]:
    """Tell whether a value is a whole number of 64 bits."""
    return isinstance(value, int) and not isinstance(value, bool) and -(1 << 63) <= value < 1 << 63


def is_size(value: Any) -> TypeGuard[int | float]:
    """Tell whether a value is a whole number from 1 on; 640.0 is one, as tables write it."""
    return is_number(value) and value >= 1 and value == int(value)


def is_text(value: Any) -> TypeGuard[str]:
    """Tell whether a value is text that can be written: JSON allows halves of surrogate pairs, files do not."""
    return isinstance(value, str) and not re.search("[\ud800-\udfff]", value)


def is_number(value: Any) -> TypeGuard[float]:
    """Tell whether a value is a finite number, small enough to reckon with."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < _LARGEST


def are_numbers(values: Any, low: float = -_MOST, high: float = _MOST) -> TypeGuard[list[float]]:
    """Tell whether a value is a list of such numbers, from `low` to `high`: JSON has millions, asked together."""
    if not isinstance(values, list) or not _NUMBERS.issuperset(map(type, values)):
        return False
    # What is not a number makes the sum none.
    return not values or (min(values) >= low and max(values) <= high and not math.isnan(sum(values)))


def as_whole(value: Any) -> int | None:
    """Return the whole number of 64 bits that a value is or stands for, as 7.0 and "7" do; None if there is none."""
    if isinstance(value, str) and re.fullmatch(r"\s*[+-]?[0-9]{1,19}(\.0*)?\s*", value):
        value = int(value.partition(".")[0])
    elif isinstance(value, float) and value.is_integer() and abs(value) <= _EXACT:
        value = int(value)
    return value if is_id(value) else None


def as_flag(value: Any) -> bool | None:
    """Return the truth value that a value is or stands for, as 0, 1.0, "1", "false" and null do; None if it is none."""
    if isinstance(value, str):
        return _FLAGS.get(value.strip().lower())
    if value is None:
        return False
    return bool(value) if isinstance(value, (bool, int, float)) and value in (0, 1) else None


def brief(value: Any) -> str:
    """Show a value in a message, cut where it is long."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
