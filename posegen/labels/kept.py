"""What was found of scenes that are drawn together, kept for the other labels of these very scenes."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any, TypeVar, cast
from weakref import WeakKeyDictionary, ref

from posegen.labels.scene import Scene

_Found = TypeVar("_Found")

_NOTHING = object()

_KEPT: WeakKeyDictionary[Scene, dict[Hashable, tuple[tuple[ref[Scene], ...], Any]]] = WeakKeyDictionary()
"""By the first of the scenes, for as long as that is about."""


def keep(scenes: Sequence[Scene], what: Hashable, found: Any) -> None:
    """Keep what was found of S scenes, at least one; of other scenes with the same first one it is forgotten."""
    _KEPT.setdefault(scenes[0], {})[what] = (tuple(map(ref, scenes)), found)


def recall(scenes: Sequence[Scene], what: Hashable, default: Any = None) -> Any:
    """Return what was found of S scenes, at least one; the default if it was not, or of other ones."""
    refs, found = _KEPT.get(scenes[0], {}).get(what, ((), default))
    # References are equal if what they refer to is: scenes are equal to themselves alone.
    return found if refs == tuple(map(ref, scenes)) else default


def recall_or_find(scenes: Sequence[Scene], what: Hashable, find: Callable[[], _Found]) -> _Found:
    """Return what was found of S scenes, at least one; if it was not, find and keep it."""
    found: Any = recall(scenes, what, _NOTHING)
    if found is _NOTHING:
        found = find()
        keep(scenes, what, found)
    return cast("_Found", found)
