"""The skeleton: names, limbs, flip pairs, and how keypoints are derived from the annotated ones."""

from __future__ import annotations

import functools
import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posegen.errors import AnnotationError, ConfigError, nearest
from posegen.skeleton.flip_pairs import Limb, find_flip_pairs

MOST_KEYPOINTS = 10_000
"""A channel each: beyond, it is a mistake, or an attack on the memory."""

_SHOWN_NAMES = 30
_MOST_SIGMA = 1e3


@dataclass(frozen=True, kw_only=True, slots=True)
class Skeleton:
    """Names, limbs and flip pairs of K keypoints, and how they come from the annotations.

    Parameters
    ----------
    name
        What the skeleton is called in messages and records.
    keypoints
        The K names, in channel order.
    limbs
        E pairs of zero-based keypoint indices (from, to), in channel order of the part affinity fields.
    flip_pairs
        Pairs of zero-based keypoint indices that a mirror swaps, lower index first.
    parents
        For each keypoint the names of the annotated keypoints whose mean it is.
    sigmas
        K numbers, how far annotators differ at each keypoint, as a share of the square root of the person's area; or
        none. They are the `kpt_oks_sigmas` of pycocotools: its k is twice as large
        (https://cocodataset.org/#keypoints-eval).
    weights
        K numbers above 0, how much the loss of each keypoint is to count, or none.
    aliases
        Pairs of what an annotated keypoint may be called instead, and what `parents` call it.

    Raises
    ------
    ConfigError
        If names repeat, an index points to no keypoint, a sigma is no positive number, or an alias is ambiguous.
    """

    name: str
    keypoints: tuple[str, ...]
    limbs: tuple[Limb, ...] = ()
    flip_pairs: tuple[Limb, ...] = ()
    parents: tuple[tuple[str, ...], ...] = ()
    sigmas: tuple[float, ...] = ()
    weights: tuple[float, ...] = ()
    aliases: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        count = len(self.keypoints)
        if not count:
            raise ConfigError(f"skeleton '{self.name}' has no keypoints")
        if count > MOST_KEYPOINTS:
            raise ConfigError(f"skeleton '{self.name}' has {count} keypoints, more than {MOST_KEYPOINTS}")
        if repeated := sorted(name for name, times in Counter(self.keypoints).items() if times > 1):
            raise ConfigError(f"skeleton '{self.name}' names {', '.join(repeated)} more than once")
        if not self.parents:
            object.__setattr__(self, "parents", tuple((n,) for n in self.keypoints))
        if len(self.parents) != count or not all(self.parents):
            raise ConfigError(f"skeleton '{self.name}' needs at least one parent for each of its {count} keypoints")
        for what, pairs in (("limb", self.limbs), ("flip pair", self.flip_pairs)):
            for a, b in pairs:
                if not (0 <= a < count and 0 <= b < count) or a == b:
                    raise ConfigError(
                        f"skeleton '{self.name}': {what} {a}-{b} must join two different keypoints of 0..{count - 1}"
                    )
        swapped = [k for pair in self.flip_pairs for k in pair]
        if len(set(swapped)) != len(swapped):
            raise ConfigError(f"skeleton '{self.name}': a keypoint is in more than one flip pair")
        self._check_numbers()
        self._check_aliases()

    def _check_numbers(self) -> None:
        """Check what there is a number of for each keypoint."""
        for what, example in (("sigmas", "0.026 for COCO's nose"), ("weights", "1.5 for COCO's wrists")):
            numbers: tuple[float, ...] = getattr(self, what)
            if numbers and len(numbers) != len(self.keypoints):
                raise ConfigError(
                    f"skeleton '{self.name}' has {len(self.keypoints)} keypoints, but {len(numbers)} {what}"
                )
            if not all(_is_positive(number) for number in numbers):
                raise ConfigError(f"skeleton '{self.name}': {what} must be positive numbers, as in {example}")
            object.__setattr__(self, what, tuple(map(float, numbers)))

    def _check_aliases(self) -> None:
        annotated = set(itertools.chain(*self.parents))
        taken: dict[str, str] = {}
        for alias, name in self.aliases:
            if name not in annotated:
                hint = nearest(name, sorted(annotated))
                raise ConfigError(f"skeleton '{self.name}': '{name}' has an alias, but is no annotated keypoint{hint}")
            if alias in annotated or taken.setdefault(alias, name) != name:
                other = alias if alias in annotated else taken[alias]
                raise ConfigError(f"skeleton '{self.name}': alias '{alias}' of '{name}' already stands for '{other}'")

    @property
    def mirrored(self) -> tuple[int, ...]:
        """For each keypoint the index of the one that takes its place in a mirror: itself, or its partner."""
        order = list(range(len(self.keypoints)))
        for a, b in self.flip_pairs:
            order[a], order[b] = b, a
        return tuple(order)

    @property
    def limb_names(self) -> tuple[str, ...]:
        """The E limbs as `from-to`."""
        return tuple(f"{self.keypoints[a]}-{self.keypoints[b]}" for a, b in self.limbs)

    def call(self, names: Sequence[str]) -> tuple[str, ...]:
        """Call annotated keypoints as `parents` do, where they go by an alias.

        An alias beside its name stands for nothing: the name itself counts.

        Raises
        ------
        AnnotationError
            If two of `names` are aliases of one.
        """
        known = {alias: name for alias, name in self.aliases if name not in names}
        called = tuple(known.get(name, name) for name in names)
        if len(set(called)) < len(set(names)):
            name = next(name for name, times in Counter(called).items() if times > 1)
            both = ", ".join(own for own, call in zip(names, called, strict=True) if call == name)
            raise AnnotationError(
                f"the annotations name {both}, and for the skeleton '{self.name}' all of these are '{name}'; take out "
                "of its aliases what is another keypoint here"
            )
        return called

    def restrict(self, names: Sequence[str]) -> Skeleton:  # noqa: ARG002 (a part of a skeleton asks)
        """Return what is to be derived of annotations with these names: all, which `derive` refuses if it cannot be."""
        return self

    def derive(self, annotated: NDArray[np.float64], names: Sequence[str]) -> NDArray[np.float64]:
        """Compute the skeleton's keypoints from the annotated ones.

        Parameters
        ----------
        annotated
            (N, K0, 3) x, y, v per person and annotated keypoint, in any coordinate frame.
        names
            The K0 names of the annotated keypoints.

        Returns
        -------
        (N, K, 3) float64. A keypoint with several parents is their mean; its v is the minimum of theirs, and where a
        parent is not labelled it is 0, 0, 0.

        Raises
        ------
        AnnotationError
            If a parent is not among `names`.
        """
        first, groups = find_parents(self, tuple(names))
        derived = annotated.take(first, axis=1)
        for k, parents in groups:
            group = annotated.take(parents, axis=1)
            derived[:, k, :2] = group[..., :2].mean(axis=1)
            derived[:, k, 2] = group[..., 2].min(axis=1)
        derived[derived[..., 2] <= 0] = 0
        return derived

    def to_dict(self) -> dict[str, Any]:
        """Return plain lists and strings, for JSON."""
        weights = {"weights": list(self.weights)} if self.weights else {}
        aliases = {"aliases": [list(pair) for pair in self.aliases]} if self.aliases else {}
        return (
            weights
            | aliases
            | {
                "name": self.name,
                "keypoints": list(self.keypoints),
                "limbs": [list(limb) for limb in self.limbs],
                "flip_pairs": [list(pair) for pair in self.flip_pairs],
                "parents": [list(names) for names in self.parents],
                "sigmas": list(self.sigmas),
            }
        )

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Skeleton:
        """Read what `to_dict` wrote. Raises `ConfigError` where it is not that."""
        try:
            return cls(
                name=str(record["name"]),
                keypoints=tuple(map(str, record["keypoints"])),
                limbs=tuple((int(a), int(b)) for a, b in record["limbs"]),
                flip_pairs=tuple((int(a), int(b)) for a, b in record["flip_pairs"]),
                parents=tuple(tuple(map(str, names)) for names in record["parents"]),
                sigmas=tuple(map(float, record["sigmas"])),
                weights=tuple(map(float, record.get("weights", ()))),
                aliases=tuple((str(alias), str(name)) for alias, name in record.get("aliases", ())),
            )
        except (KeyError, OverflowError, TypeError, ValueError) as error:
            raise ConfigError(f"a stored skeleton cannot be read: {error!r}") from error

    @classmethod
    def from_category(cls, category: Mapping[str, Any]) -> Skeleton:
        """Take the names and limbs of a COCO category, whose `skeleton` counts keypoints from 1.

        Raises
        ------
        AnnotationError
            If its `keypoints` or `skeleton` are not lists of names and of pairs of their numbers.
        """
        where = f"category '{category.get('name', '?')}'"
        names = category.get("keypoints")
        if not isinstance(names, list) or not names or not all(isinstance(n, str) for n in names):
            raise AnnotationError(f"{where}: 'keypoints' must be a list of names")
        limbs = category.get("skeleton") or []
        if not isinstance(limbs, list) or not all(_is_pair(limb, len(names)) for limb in limbs):
            raise AnnotationError(f"{where}: 'skeleton' must be a list of pairs of keypoint numbers 1..{len(names)}")
        if repeated := sorted(name for name, times in Counter(names).items() if times > 1):
            raise AnnotationError(
                f"{where}: its 'keypoints' names {', '.join(repeated)} more than once; rename them there, as in "
                f"{repeated[0]}_1 and {repeated[0]}_2: keypoints are told apart by their names"
            )
        try:
            return cls(
                name=str(category.get("name", "keypoints")),
                keypoints=tuple(names),
                limbs=tuple((a - 1, b - 1) for a, b in limbs),
                flip_pairs=find_flip_pairs(names),
            )
        except ConfigError as error:
            raise AnnotationError(f"{where}: {error}") from error


def _is_pair(limb: object, count: int) -> bool:
    return (
        isinstance(limb, list)
        and len(limb) == 2
        and all(isinstance(k, int) and not isinstance(k, bool) and 1 <= k <= count for k in limb)
        and limb[0] != limb[1]
    )


@functools.lru_cache(maxsize=64)
def find_parents(
    skeleton: Skeleton, names: tuple[str, ...]
) -> tuple[NDArray[np.intp], tuple[tuple[int, NDArray[np.intp]], ...]]:
    """Find among annotated keypoints the first parent of each of a skeleton's, and all of those that have several.

    Raises
    ------
    AnnotationError
        If a parent is not among `names`.
    """
    index = {name: i for i, name in enumerate(names)}
    for parent in itertools.chain(*skeleton.parents):
        if parent not in index:
            raise AnnotationError(
                f"skeleton '{skeleton.name}' needs the keypoint '{parent}', which the annotations do not have"
                f"{nearest(parent, names)}; they name {_list(names)}. The preset 'coco' takes these as they "
                "are, and a skeleton file can choose among them"
            )
    groups = tuple(
        (k, np.array([index[parent] for parent in parents]))
        for k, parents in enumerate(skeleton.parents)
        if len(parents) > 1
    )
    return np.array([index[parents[0]] for parents in skeleton.parents]), groups


def _is_positive(sigma: object) -> bool:
    return isinstance(sigma, (int, float)) and not isinstance(sigma, bool) and 0 < sigma < _MOST_SIGMA


def _list(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN_NAMES
    return ", ".join(names[:_SHOWN_NAMES]) + (f" and {more} more" if more > 0 else "")
