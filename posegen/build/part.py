"""Which shards one of several parts of a build has to build."""

from __future__ import annotations

import re
from dataclasses import dataclass

from posegen.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Part:
    """One of several parts of a build; `str` of it is as in `3/16`.

    Attributes
    ----------
    number
        Which it is, from 1.
    of
        How many there are.

    Raises
    ------
    ConfigError
        If there is no such part.
    """

    number: int
    of: int

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.of:
            raise ConfigError(f"there is no part {self}: of {self.of} parts the first is 1, the last is {self.of}")

    @classmethod
    def parse(cls, text: str) -> Part:
        """Read what is written as in `3/16`; raises `ConfigError` if that cannot be."""
        match = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", text)
        if match is None:
            raise ConfigError(f"a part must be written as in 3/16, the third of sixteen, not {text!r}")
        return cls(int(match[1]), int(match[2]))

    @classmethod
    def having(cls, shard: int, of: int) -> Part:
        """Return the one of so many parts that has a shard, whose number counts from 0."""
        return cls(shard % of + 1, of)

    @property
    def name(self) -> str:
        """What its directory is called."""
        return f"part-{self.number}-of-{self.of}"

    def choose(self, shards: int) -> range:
        """Choose its shards, by number from 0, of so many: every so-manieth, so that parts are of about one size."""
        return range(self.number - 1, shards, self.of)

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"
