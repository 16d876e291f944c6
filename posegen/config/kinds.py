"""What a field may be: for each kind how it is checked, and how the command line and TOML files write it.

Three forms of a value are about: a field's, as `BuildConfig` holds it (a size is (H, W)); TOML's (`"656x368"`); and the
command line's, which is text. `Kind.read` turns the latter two into the first, `Kind.write` the first into the second.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from posegen.errors import ConfigError, nearest
from posegen.storage.find import is_url, spell, strip_file


class Kind:
    """What a field may be. Of itself: anything, written as it is."""

    repeated: ClassVar[bool] = False
    """Whether the command line may give it several times."""

    def check(self, name: str, value: Any) -> Any:  # noqa: ARG002 (others name it in their errors)
        """Return a value as the field `name` holds it. Raises `ConfigError` if it cannot."""
        return value

    def read(self, value: Any) -> Any:
        """Read what a TOML file or the command line has; raises `ConfigError`, or leaves it to `check` to refuse."""
        return value

    def write(self, value: Any) -> Any:
        """Return what a TOML file has for a field's value: a number, text, truth value, list or table."""
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Word(Kind):
    """One of a few words."""

    words: tuple[str, ...]

    def check(self, name: str, value: Any) -> Any:
        """Refuse what is none of them."""
        if value not in self.words:
            hint = nearest(value, self.words) if isinstance(value, str) else ""
            raise ConfigError(f"{name} must be {', '.join(self.words[:-1])} or {self.words[-1]}, not {value!r}{hint}")
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Number(Kind):
    """A number from `low` to `high`, both included; or None, if it may be absent."""

    low: float
    high: float
    optional: bool = False

    def check(self, name: str, value: Any) -> Any:
        """Refuse what is no number of the range; return a float."""
        if value is None and self.optional:
            return None
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not self.low <= value <= self.high:
            raise ConfigError(f"{name} must be a number from {_short(self.low)} to {_short(self.high)}, not {value!r}")
        return float(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole(Kind):
    """A whole number from `low` to `high`, both included; or None, if it may be absent."""

    low: int
    high: int
    optional: bool = False

    def check(self, name: str, value: Any) -> Any:
        """Refuse what is no whole number of the range."""
        if value is None and self.optional:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not self.low <= value <= self.high:
            raise ConfigError(f"{name} must be a whole number from {self.low} to {self.high}, not {value!r}")
        return value


class Flag(Kind):
    """True or false."""

    def check(self, name: str, value: Any) -> Any:
        """Refuse what is neither."""
        if not isinstance(value, bool):
            raise ConfigError(f"{name} must be true or false, not {value!r}")
        return value


class Names(Kind):
    """Names of categories: a tuple; written as a list, or one by one."""

    repeated = True

    def check(self, name: str, value: Any) -> Any:
        """Refuse what is no tuple of texts."""
        if not isinstance(value, tuple) or not all(isinstance(word, str) for word in value):
            raise ConfigError(f"{name} must be names of categories, not {value!r}")
        return value

    def read(self, value: Any) -> Any:
        """Read a list, or one name."""
        return tuple(value) if isinstance(value, (list, tuple)) else (value,)

    def write(self, value: Any) -> Any:
        """Write a list."""
        return list(value)


class Text(Kind):
    """Text."""

    def check(self, name: str, value: Any) -> Any:
        """Refuse what is none."""
        if not isinstance(value, str):
            raise ConfigError(f"{name} must be text, not {value!r}")
        return value


class FilePath(Kind):
    """A path or a URL; a file writes it whole, so that it means the same wherever the file is put."""

    def check(self, name: str, value: Any) -> Any:
        """Refuse what is none."""
        if not isinstance(value, Path):
            raise ConfigError(f"{name} must be a path, not {value!r}")
        return value

    def read(self, value: Any) -> Any:
        """Read text, or a path that may have been a URL."""
        return strip_file(value) if isinstance(value, (str, Path)) else value

    def write(self, value: Any) -> Any:
        """Write it from the root on."""
        return spell(value) if is_url(value) else str(value.absolute())


class Allowance(Kind):
    """How many may be: a number, or a share of all as in `1%`; the build reads it."""

    def check(self, name: str, value: Any) -> Any:
        """Refuse what is neither number nor text."""
        if isinstance(value, bool) or not isinstance(value, (int, str)):
            raise ConfigError(f"{name} must be a number, as in 10, or a share, as in 1%, not {value!r}")
        return value


def _short(number: float) -> str:
    return str(number) if isinstance(number, int) else f"{number:g}"
