"""Which categories are read, what their keypoints are called, and the skeleton that is derived from them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from posegen.annotations.coco.checks import is_id, is_text
from posegen.annotations.coco.keypoints import PARTS, are_pairs, count_keypoints, has_parts
from posegen.annotations.coco.limbs import read_limbs
from posegen.errors import AnnotationError, ConfigError
from posegen.skeleton import SKELETONS, Skeleton
from posegen.storage import AnyPath

_LISTED = 20


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reading:
    """How the annotations of a file are read.

    Attributes
    ----------
    categories
        The ids of the categories whose annotations are read; None for a file that has no categories.
    known
        The ids of all categories.
    only
        The id of the file's only category, which annotations that name none belong to.
    names
        The K0 names of the annotated keypoints.
    listed
        How many of them are in `keypoints`; the others are in the fields of COCO-WholeBody's parts.
    skeleton
        To derive from them.
    notes
        What the user should know about all this.
    limbs_left_out
        Why the categories' limbs are not used, if they cannot be limbs of their keypoints.
    """

    categories: frozenset[int] | None
    known: frozenset[int]
    only: int | None
    names: tuple[str, ...]
    listed: int
    skeleton: Skeleton
    notes: list[str] = field(default_factory=list)
    limbs_left_out: str = ""

    def takes(self, entry: Mapping[str, Any]) -> bool:
        """Tell whether an annotation is of a category that is read."""
        category = entry.get("category_id")
        category = self.only if category is None else category
        return self.categories is None or (is_id(category) and category in self.categories)


def choose_reading(
    path: AnyPath, document: Mapping[str, Any], wanted: Sequence[str], skeleton: Skeleton | None
) -> Reading:
    """Decide how a file's annotations are read.

    Names come from the categories or, where these have none, from the skeleton if it has as many keypoints as the
    annotations, or else they are numbers.

    Raises
    ------
    AnnotationError
        If the file does not fit together, or lacks a keypoint that the skeleton needs.
    ConfigError
        If the wanted categories are not there, or those there have different keypoints.
    """
    try:
        return _Chooser(document, wanted, skeleton).choose()
    except AnnotationError as error:
        raise AnnotationError(f"{path}: {error}") from error
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


class _Chooser:
    def __init__(self, document: Mapping[str, Any], wanted: Sequence[str], skeleton: Skeleton | None) -> None:
        self.categories: list[Mapping[str, Any]] = [
            c for c in document["categories"] if isinstance(c, dict) and is_id(c.get("id"))
        ]
        self.entries = [e for e in document["annotations"] if isinstance(e, dict)]
        self.wanted = wanted
        self.skeleton = skeleton
        self.notes: list[str] = []
        self.limbs_left_out = ""

    def choose(self) -> Reading:
        only = self.categories[0]["id"] if len(self.categories) == 1 else None
        chosen = self._choose_categories()
        ids = frozenset(c["id"] for c in chosen) if self.categories else None
        known = frozenset(c["id"] for c in self.categories)
        reading = Reading(categories=ids, known=known, only=only, names=(), listed=0, skeleton=SKELETONS["coco-17"])
        entries = [entry for entry in self.entries if reading.takes(entry)]
        named = [c for c in chosen if c.get("keypoints")]
        own = self._take(named) if named else self._number(chosen, entries)
        if not all(map(is_text, (own.name, *own.keypoints))):
            raise AnnotationError(f"category {own.name!r}: its names must be text, but one has half a character")
        listed = len(own.keypoints)
        self._check_counts(listed, chosen, entries)
        names = own.keypoints
        if has_parts(entries):
            names += self._join(names)
        skeleton = self.skeleton or own
        names = skeleton.call(names)
        skeleton = skeleton.restrict(names)
        skeleton.derive(np.zeros((0, len(names), 3)), names)
        return dataclasses.replace(
            reading,
            names=names,
            listed=listed,
            skeleton=skeleton,
            notes=self.notes,
            limbs_left_out=self.limbs_left_out,
        )

    def _choose_categories(self) -> list[Mapping[str, Any]]:
        posed = [c for c in self.categories if c.get("keypoints")]
        if not posed:
            posed = self._find_unnamed()
        if not self.wanted:
            return posed
        listed = [str(c.get("name")) for c in posed]
        for name in self.wanted:
            if name not in listed:
                raise ConfigError(f"no category '{name}' with keypoints; there is {_list(listed)}")
        return [c for c, name in zip(posed, listed, strict=True) if name in self.wanted]

    def _find_unnamed(self) -> list[Mapping[str, Any]]:
        """Find the categories whose annotations have keypoints."""
        stated = [e.get("category_id") for e in self.entries if e.get("keypoints")]
        if stated and not self.categories:
            return []
        used = {category for category in stated if is_id(category)}
        found = [c for c in self.categories if c["id"] in used or (len(self.categories) == 1 and None in stated)]
        if not found:
            names = _list([str(c.get("name")) for c in self.categories]) or "none"
            raise AnnotationError(
                f"no category has keypoints (categories: {names}), nor has any annotation of theirs; expected a "
                "keypoint file such as person_keypoints_train2017.json"
            )
        return found

    def _take(self, named: Sequence[Mapping[str, Any]]) -> Skeleton:
        """Take the definition that categories share."""
        first = named[0]
        for key in ("keypoints", "skeleton") if self.skeleton is None else ("keypoints",):
            if any((c.get(key) or []) != (first.get(key) or []) for c in named):
                what = "keypoints" if key == "keypoints" else "limbs"
                listed = _list([str(c.get("name")) for c in named])
                raise ConfigError(
                    f"several categories have keypoints: {listed}; their {what} differ, so choose one, or those that "
                    "share theirs, with --category"
                )
        if self.skeleton is not None:
            return Skeleton.from_category({key: value for key, value in first.items() if key != "skeleton"})
        limbs, said = read_limbs(first.get("skeleton"), first["keypoints"])
        if said:
            self.notes.append(f"category '{first.get('name', '?')}': {said}")
        if limbs is None:
            self.limbs_left_out = said
        own = Skeleton.from_category({**first, "skeleton": limbs})
        if len(named) > 1:
            own = dataclasses.replace(own, name=f"{own.name} and {len(named) - 1} more")
        published = next((s for s in SKELETONS.values() if s.keypoints == own.keypoints), None)
        if published is None:
            return own
        return dataclasses.replace(
            own, flip_pairs=published.flip_pairs, sigmas=published.sigmas, weights=published.weights
        )

    def _number(self, chosen: Sequence[Mapping[str, Any]], entries: Sequence[Mapping[str, Any]]) -> Skeleton:
        """Name keypoints that nobody names."""
        counts = _count(entries)
        if len(counts) > 1:
            found = ", ".join(f"{count} (annotation {example})" for count, example in sorted(counts.items()))
            raise AnnotationError(
                f"no category names its keypoints, and the annotations have different numbers of them: {found}; all "
                "must have as many, or --category must choose those that do"
            )
        count = next(iter(counts), 0)
        if not count:
            raise AnnotationError("no category names its keypoints, and no annotation has any")
        if self.skeleton is not None and self.skeleton.parents == tuple((n,) for n in self.skeleton.keypoints[:count]):
            self.notes.append(
                f"no category names its {count} keypoints; they are taken for those of '{self.skeleton.name}', in its "
                "order"
            )
            return self.skeleton
        self.notes.append(
            f"no category names its {count} keypoints; they are called keypoint_0 to keypoint_{count - 1}"
        )
        name = str(chosen[0].get("name", "keypoints")) if chosen else "keypoints"
        return Skeleton(name=name, keypoints=tuple(f"keypoint_{i}" for i in range(count)))

    def _check_counts(
        self, count: int, chosen: Sequence[Mapping[str, Any]], entries: Sequence[Mapping[str, Any]]
    ) -> None:
        """Refuse a category that names another number of keypoints than all of its annotations have."""
        counts = _count(entries)
        if counts and count not in counts:
            name = ", ".join(str(c.get("name")) for c in chosen[:3]) or "none"
            pairs = next((e for e in entries if are_pairs(e.get("keypoints"), count)), None)
            if pairs is not None:
                raise AnnotationError(
                    f"category '{name}' names {count} keypoints, and annotation {pairs.get('id')} has "
                    f"{2 * count} numbers, x, y without v; write a v behind each pair, 2 where it is seen, 0 where it "
                    "is unknown"
                )
            found = " or ".join(map(str, sorted(counts)))
            raise AnnotationError(
                f"category '{name}' names {count} keypoints, but its annotations have {found}, as annotation "
                f"{next(iter(counts.values()))} has; one of them belongs to another dataset"
            )

    def _join(self, names: Sequence[str]) -> tuple[str, ...]:
        """Return the names of the parts that stand beside `keypoints`, if the skeleton needs one of them."""
        parts = tuple(name for part in PARTS for name in part.names)
        if not set(parts).isdisjoint(names):
            return ()
        if self.skeleton and not set(parts).isdisjoint(name for parents in self.skeleton.parents for name in parents):
            return parts
        fields = ", ".join(part.field for part in PARTS)
        self.notes.append(f"{fields} are not read; the skeleton coco-wholebody-133 has them")
        return ()


def _count(entries: Sequence[Mapping[str, Any]]) -> dict[int, Any]:
    """Return the numbers of keypoints that occur, each with the id of the first annotation that has so many."""
    counts: dict[int, Any] = {}
    for entry in entries:
        if count := count_keypoints(entry.get("keypoints")):
            counts.setdefault(count, entry.get("id"))
    return counts


def _list(names: Sequence[str]) -> str:
    more = len(names) - _LISTED
    return ", ".join(names[:_LISTED]) + (f" and {more} more" if more > 0 else "")
