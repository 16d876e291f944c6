"""How far from where they were annotated keypoints were found: errors, bias, sides that changed places."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from posegen.geometry import Size
from posegen.inspect.score.truth import Person
from posegen.loader.decode import People
from posegen.skeleton import Skeleton

NEAR_CELLS = 2.0
"""Farther away is not a place that is inexact but another place."""

LEAST_COUNT = 20
"""Of fewer keypoints a mean's standard error tells little."""

_SIGMAS, _LEAST_BIAS_PX = 5, 0.05

_LEAST_ALONG = 0.4
"""Of 1: how much fields point along their limbs at the least."""

_SIZES = {"small": (0.0, 32.0**2), "medium": (32.0**2, 96.0**2), "large": (96.0**2, math.inf)}
"""Areas in pixels of the image, as COCO's evaluation has them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorRow:
    """The errors of a group of keypoints, in input pixels.

    Attributes
    ----------
    name
        Of the group.
    count
        How many were found within two cells.
    bias, standard_error
        Along x and y, the mean and its standard error.
    rms
        The root of the mean squared distance.
    missed, far
        How many of people who were found were not found, or farther away.
    """

    name: str
    count: int
    bias: tuple[float, float]
    standard_error: tuple[float, float]
    rms: float
    missed: int
    far: int

    @property
    def is_biased(self) -> bool:
        """Whether the bias is no chance: above five standard errors, and 0.05 pixels."""
        pairs = zip(self.bias, self.standard_error, strict=True)
        return self.count >= LEAST_COUNT and any(abs(b) > max(_SIGMAS * e, _LEAST_BIAS_PX) for b, e in pairs)

    @property
    def is_elsewhere(self) -> bool:
        """Whether most of them are farther away than two cells."""
        return self.far >= LEAST_COUNT and self.far > self.count


@dataclass(slots=True, kw_only=True, eq=False)
class ErrorTable:
    """Collects errors, image by image.

    Attributes
    ----------
    skeleton, input_size, cell
        Of the dataset; (H, W), and the input pixels a cell.
    offsets, people
        Of each person who was found (K, 2) dx, dy in input pixels, NaN where nothing counts, inf where nothing was
        found; and the person.
    swapped, pairs
        How many left and right keypoints were found nearer to each other's place, of how many.
    """

    skeleton: Skeleton
    input_size: Size
    cell: float
    offsets: list[NDArray[np.float64]] = field(default_factory=list)
    people: list[Person] = field(default_factory=list)
    swapped: int = 0
    pairs: int = 0

    def add(self, people: Sequence[Person], found: People, *, alone: bool) -> list[tuple[int, int]]:
        """Add an image's people and who was found; `alone` they are the same person. Returns who is who."""
        distance = self._measure(people, found)
        pairs = [(0, 0)] if alone else match(distance, 2 * NEAR_CELLS * self.cell)
        for i, j in pairs:
            person, keypoints = people[j], found.keypoints[i]
            offset = (keypoints[:, :2] - person.keypoints[:, :2]) @ person.affine[:, :2].T
            offset[~(keypoints[:, 2] > 0)] = np.inf
            offset[~self._counts(person)] = np.nan
            self.offsets.append(offset)
            self.people.append(person)
            self._compare_sides(person, keypoints)
        return pairs

    def rows(self) -> Iterator[ErrorRow]:
        """Sum up: everything, each keypoint, each size of people of whom there are some."""
        offsets = np.array(self.offsets).reshape(-1, len(self.skeleton.keypoints), 2)
        areas = np.array([person.area for person in self.people])
        yield self._sum_up("all", offsets)
        for k, name in enumerate(self.skeleton.keypoints):
            yield self._sum_up(name, offsets[:, k])
        for name, (low, high) in _SIZES.items():
            if len(some := offsets[(areas >= low) & (areas < high)]):
                yield self._sum_up(f"{name} people", some)

    def _measure(self, people: Sequence[Person], found: People) -> NDArray[np.float64]:
        """Measure how far in input pixels (n, N, K) each found keypoint is from each person's; NaN if that has none."""
        distance = np.empty((len(found.keypoints), len(people), len(self.skeleton.keypoints)))
        for j, person in enumerate(people):
            way = found.keypoints[:, :, :2] - person.keypoints[:, :2]
            distance[:, j] = np.where(found.keypoints[:, :, 2] > 0, np.hypot(way[..., 0], way[..., 1]), np.inf)
            distance[:, j] *= person.scale
            distance[:, j, ~person.drawn] = np.nan
        return distance

    def _counts(self, person: Person) -> NDArray[np.bool_]:
        """Tell which keypoints (K,) count: those that are drawn, and lie a cell inside the input."""
        last = np.array(self.input_size[::-1]) - 1 - self.cell
        return np.asarray(person.drawn & ((person.points >= self.cell) & (person.points <= last)).all(axis=1))

    def _compare_sides(self, person: Person, keypoints: NDArray[np.float64]) -> None:
        for a, b in self.skeleton.flip_pairs:
            pair = [a, b]
            if person.drawn[pair].all() and (keypoints[pair, 2] > 0).all():
                at, true = keypoints[pair, :2], person.keypoints[pair, :2]
                own, other = (float(np.hypot(*(at - to).T).sum()) for to in (true, true[::-1]))
                self.pairs += 1
                self.swapped += other < 0.5 * own

    def _sum_up(self, name: str, offsets: NDArray[np.float64]) -> ErrorRow:
        flat = offsets.reshape(-1, 2)
        flat = flat[~np.isnan(flat[:, 0])]
        distance = np.hypot(flat[:, 0], flat[:, 1])
        near = flat[distance <= NEAR_CELLS * self.cell]
        count = len(near)
        bias = near.mean(axis=0).tolist() if count else [0.0, 0.0]
        error = (near.std(axis=0, ddof=1) / math.sqrt(count)).tolist() if count > 1 else [0.0, 0.0]
        missed = int(np.isinf(distance).sum())
        return ErrorRow(
            name=name,
            count=count,
            bias=(bias[0], bias[1]),
            standard_error=(error[0], error[1]),
            rms=math.sqrt(float(np.square(near).sum(axis=1).mean())) if count else 0.0,
            missed=missed,
            far=len(flat) - count - missed,
        )


def match(distance: NDArray[np.float64], far: float) -> list[tuple[int, int]]:
    """Match n found people with N annotated ones, the nearest first.

    Parameters
    ----------
    distance
        (n, N, K), NaN where the annotated person has no keypoint.
    far
        What is farther away counts as much as what is missing.
    """
    if not distance.size:
        return []
    capped = np.minimum(distance, far)
    known = ~np.isnan(distance)
    cost = np.where(known, capped, 0).sum(axis=2) / np.maximum(known.sum(axis=2), 1)
    cost[~known.any(axis=2)] = far
    pairs: list[tuple[int, int]] = []
    for i, j in zip(*np.unravel_index(np.argsort(cost, axis=None, kind="stable"), cost.shape), strict=True):
        if cost[i, j] < far and all(i != a and j != b for a, b in pairs):
            pairs.append((int(i), int(j)))
    return pairs


def find_problems(rows: Sequence[ErrorRow], table: ErrorTable, limbs: Mapping[str, tuple[float, int]]) -> list[str]:
    """Say what is wrong with labels that were scored, in a sentence each."""
    problems = []
    for row in rows:
        if row.is_biased:
            (x, y), (ex, ey) = row.bias, row.standard_error
            where = f"({x:+.2f}, {y:+.2f}) input pixels from where annotated"
            problems.append(f"{row.name}: found {where}, standard error ({ex:.2f}, {ey:.2f})")
        if row.is_elsewhere:
            problems.append(f"{row.name}: {row.far} of {row.far + row.count} found more than two cells away")
    if table.swapped >= LEAST_COUNT and table.swapped > table.pairs / 2:
        problems.append(f"left and right changed places in {table.swapped} of {table.pairs} pairs of keypoints")
    for name, (mean, count) in limbs.items():
        if count >= LEAST_COUNT and mean < _LEAST_ALONG:
            problems.append(f"limb {name}: the field points {mean:+.2f} along it, of 1, on average of {count}")
    return problems
