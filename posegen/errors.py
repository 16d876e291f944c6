"""The exceptions that posegen raises on purpose, one tree under `PosegenError`.

    PosegenError
     +- ConfigError           what the caller asked for cannot be: an option, a path, a name
     |   +- MissingExtraError an optional package is needed and not installed
     +- ContractError         a label does not keep to what all labels keep to
     +- AnnotationError       the annotation file is not what it has to be
     +- ImageError            one picture cannot be read
     +- ShardError            a shard or a manifest is damaged, foreign or of an unknown version
     +- BuildError            the build ended without a dataset
         +- UnfinishedError   parts of it are not built yet

Every message says what was expected, what was found and where, and what to do next.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class PosegenError(Exception):
    """Base class of everything posegen raises on purpose."""


class ConfigError(PosegenError):
    """What the caller asked for cannot be: an option, a path or a name is wrong."""


class MissingExtraError(ConfigError):
    """An optional package is needed and not installed."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"this needs {package}, which is not installed: pip install 'posegen[{extra}]'")
        self.package = package
        self.extra = extra

    def __reduce__(self) -> tuple[type[MissingExtraError], tuple[str, str]]:
        return type(self), (self.package, self.extra)


class ContractError(PosegenError):
    """A label does not keep to what all labels keep to."""


class AnnotationError(PosegenError):
    """The annotation file is not what it has to be."""


class ImageError(PosegenError):
    """One picture cannot be read."""


class ShardError(PosegenError):
    """A shard or a manifest is damaged, foreign or of an unknown version."""


class BuildError(PosegenError):
    """The build ended without a dataset."""


class UnfinishedError(BuildError):
    """Parts of a dataset are not built yet, so it cannot be finished.

    Attributes
    ----------
    parts
        Their numbers, from 1; empty if nothing was built in parts yet.
    of
        How many parts there are.
    """

    def __init__(self, message: str, *, parts: tuple[int, ...] = (), of: int = 1) -> None:
        super().__init__(message)
        self.parts = parts
        self.of = of


def nearest(name: str, valid: Iterable[str]) -> str:
    """Ask whether the valid name nearest to a wrong one was meant, or say nothing if none is near."""
    found = difflib.get_close_matches(name, list(valid), n=1)
    return f" (did you mean '{found[0]}'?)" if found else ""
