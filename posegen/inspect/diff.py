"""In what two datasets differ: built with other options, by another version, from other annotations.

Samples are told from each other by their image, and where a sample is one person by its annotation; in which shard and
place they are is no difference. Shards are read in worker processes, as `posegen.inspect.verify` does.
"""

from __future__ import annotations

import dataclasses
import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posegen.build.executors import Executor, Lost, Report, choose_executor
from posegen.build.progress import Progress, count_up
from posegen.errors import ConfigError, ShardError
from posegen.images import codec
from posegen.shards import SampleKey, ShardReader
from posegen.shards.manifest import Manifest, find_dataset
from posegen.shards.record import locate

_OPEN_SHARDS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrayDifference:
    """How much an array differs, over all samples that both datasets have.

    Attributes
    ----------
    array
        A label's name; or `keypoints` (x, y in pixels), `visibility`, `bbox`, `affine`, `picture` (decoded, 0 to 255),
        `people` (how many only one dataset has), `image` (width and height).
    largest
        The largest difference; infinite where one of two values is not a number.
    samples
        In how many samples it is above 0.
    sample
        That of the largest difference, of equals the first; None if there is none.
    where
        What differs most there: channel, row and column; or person and keypoint.
    """

    array: str
    largest: float
    samples: int
    sample: SampleKey | None = None
    where: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetDifference:
    """In what two datasets, a and b, differ.

    Attributes
    ----------
    config, versions
        By field what a and b have, where that is not the same. Versions are told, and make no difference.
    skeleton
        Whether their skeletons differ.
    samples
        How many samples both have.
    only_a, only_b
        Samples that one has alone.
    named_by
        What tells samples apart: the parts of a sample's key, of `image`, `person`, `copy`.
    unlike
        What cannot be compared, and why.
    arrays
        What was compared, differences or not.
    tolerance
        Up to which labels count as equal.
    """

    config: Mapping[str, tuple[Any, Any]]
    versions: Mapping[str, tuple[Any, Any]]
    skeleton: bool
    samples: int
    only_a: tuple[SampleKey, ...]
    only_b: tuple[SampleKey, ...]
    named_by: tuple[str, ...]
    unlike: tuple[str, ...]
    arrays: tuple[ArrayDifference, ...]
    tolerance: float = 0.0

    @property
    def equal(self) -> bool:
        """Whether they have the same samples of the same configuration, and the same is in them."""
        differing = self.config or self.skeleton or self.only_a or self.only_b or self.unlike
        return not differing and all(
            array.largest <= (0.0 if array.array in _OTHERS else self.tolerance) for array in self.arrays
        )


def compare(
    a: str | os.PathLike[str],
    b: str | os.PathLike[str],
    *,
    tolerance: float = 0.0,
    workers: int | None = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> DatasetDifference:
    """Compare two datasets sample by sample.

    Parameters
    ----------
    a, b
        Their directories.
    tolerance
        Up to which differences of labels do not count.
    workers
        How many processes; by default as many as there are CPUs for this one.
    executor
        What runs the comparisons instead of processes on this machine; see `posegen.build.executors`.
    progress
        Called in this process after every sample that both have.

    Raises
    ------
    ConfigError
        If there is no such directory, or samples are images in one and people in the other.
    ShardError
        If a dataset is damaged, or has two samples of one image, or of one person.
    """
    paths = find_dataset(a), find_dataset(b)
    executor = choose_executor(executor, workers)
    first, second = (Manifest.read(path) for path in paths)
    if first.config.unit != second.config.unit:
        units = f"of unit {first.config.unit} and {second.config.unit}"
        raise ConfigError(f"{paths[0]} and {paths[1]} have other samples, {units}: they cannot be compared")
    people = first.config.unit == "person"
    copies = max(first.config.copies, second.config.copies) > 1
    named_by = ("image", *(["person"] if people else []), *(["copy"] if copies else []))
    places = [
        _find_samples(path, manifest, copies=copies) for path, manifest in zip(paths, (first, second), strict=True)
    ]
    common = [key for key in places[0] if key in places[1]]
    pairs: dict[str, list[_Pair]] = defaultdict(list)
    for key in common:
        (file, position), (other, there) = places[0][key], places[1][key]
        pairs[file].append(_Pair(key, position, other, there))
    tasks = (_ShardPairs(paths[0], file, paths[1], tuple(some)) for file, some in pairs.items())
    found, unlike = _Findings(), set()
    for outcome in executor.run(_compare_shard, tasks, count_up(progress, len(common))):
        if isinstance(outcome, Lost):
            raise ShardError(f"{paths[0] / outcome.task.file}: the process that compared it {outcome.reason}")
        findings, notes = outcome.result
        found.merge(findings)
        unlike |= set(notes)
    return DatasetDifference(
        config=_differ(first.config.to_dict(), second.config.to_dict(), "skeleton"),
        versions=_differ(first.versions, second.versions),
        skeleton=first.skeleton != second.skeleton,
        samples=len(common),
        only_a=tuple(sorted(places[0].keys() - places[1].keys())),
        only_b=tuple(sorted(places[1].keys() - places[0].keys())),
        named_by=named_by,
        unlike=tuple(sorted(unlike)),
        arrays=found.describe(),
        tolerance=tolerance,
    )


@dataclass(frozen=True, slots=True)
class _Pair:
    """A sample: its position in a shard of a, and shard and position in b."""

    key: SampleKey
    position: int
    file: str
    there: int


@dataclass(frozen=True, slots=True)
class _ShardPairs:
    """All that a worker needs: a shard of a, and where its samples are in b."""

    a: Path
    file: str
    b: Path
    pairs: tuple[_Pair, ...]


_OTHERS = ("people", "keypoints", "visibility", "bbox", "affine", "image", "picture")
"""What is compared beside the labels."""


class _Findings:
    """The largest differences so far, by array."""

    def __init__(self) -> None:
        self.largest: dict[str, tuple[float, SampleKey, str]] = {}
        self.samples: Counter[str] = Counter()

    def add(self, array: str, key: SampleKey, difference: float, where: str) -> None:
        """Take note of one sample's difference."""
        self.samples[array] += difference > 0
        self._keep(array, (difference, key, where))

    def merge(self, other: _Findings) -> None:
        """Take over what was found elsewhere."""
        self.samples.update(other.samples)
        for array, found in other.largest.items():
            self._keep(array, found)

    def describe(self) -> tuple[ArrayDifference, ...]:
        """Say what was found: labels by name, then the rest."""
        labels = sorted(self.largest.keys() - set(_OTHERS))
        return tuple(self._difference(array) for array in (*labels, *_OTHERS) if array in self.largest)

    def _keep(self, array: str, found: tuple[float, SampleKey, str]) -> None:
        known = self.largest.get(array)
        if known is None or (-found[0], found[1]) < (-known[0], known[1]):
            self.largest[array] = found

    def _difference(self, array: str) -> ArrayDifference:
        largest, key, where = self.largest[array]
        if not largest:
            return ArrayDifference(array=array, largest=0.0, samples=0)
        return ArrayDifference(array=array, largest=largest, samples=self.samples[array], sample=key, where=where)


def _compare_shard(task: _ShardPairs, report: Report) -> tuple[_Findings, tuple[str, ...]]:
    """Compare the samples of one shard with those of the other dataset."""
    found, notes = _Findings(), set()
    open_shards: dict[str, ShardReader] = {}
    with ShardReader(locate(task.a, task.file)) as first:
        try:
            for pair in task.pairs:
                if pair.file not in open_shards:
                    while len(open_shards) >= _OPEN_SHARDS:
                        open_shards.pop(next(iter(open_shards))).close()
                    open_shards[pair.file] = ShardReader(locate(task.b, pair.file))
                second = open_shards[pair.file]
                notes |= set(_compare_labels(found, pair, first, second))
                _compare_people(found, pair, first, second)
                notes |= set(_compare_pictures(found, pair, first, second))
                report(1)
        finally:
            for reader in open_shards.values():
                reader.close()
    return found, tuple(notes)


def _compare_labels(found: _Findings, pair: _Pair, first: ShardReader, second: ShardReader) -> Iterator[str]:
    """Compare the labels that both have, channel by channel of the same name; yields what cannot be compared."""
    mine, theirs = ({label.spec.name: label for label in reader.labels} for reader in (first, second))
    yield from (f"{name} is only in a" for name in mine.keys() - theirs.keys())
    yield from (f"{name} is only in b" for name in theirs.keys() - mine.keys())
    for name in mine.keys() & theirs.keys():
        a, b = mine[name].spec, theirs[name].spec
        if a.cells != b.cells:
            yield f"{name} has {_size(a.cells)} cells in a, {_size(b.cells)} in b"
            continue
        for which, channels, others in (("a", a.channels, b.channels), ("b", b.channels, a.channels)):
            if alone := [channel for channel in channels if channel not in others]:
                yield f"{name} has channels in {which} alone: {', '.join(alone)}"
        common = [channel for channel in a.channels if channel in b.channels]
        if common:
            values = first.label(mine[name], pair.position)[[a.channels.index(c) for c in common]]
            values_b = second.label(theirs[name], pair.there)[[b.channels.index(c) for c in common]]
            difference, at = _find_largest(values, values_b)
            words = ["row", "column"][: len(at) - 1]
            cell = "".join(f", {word} {i}" for word, i in zip(words, at[1:], strict=True))
            found.add(name, pair.key, difference, f"{common[at[0]]}{cell}")


def _compare_people(found: _Findings, pair: _Pair, first: ShardReader, second: ShardReader) -> None:
    """Compare what is known of a sample and of the people that both have in it."""
    a, b = first.sample(pair.position), second.sample(pair.there)
    ids, others = a["annotation_id"].tolist(), b["annotation_id"].tolist()
    common = [person for person in ids if person in others]
    found.add("people", pair.key, float(len({*ids} ^ {*others})), f"{len(ids)} in a, {len(others)} in b")
    sizes = [np.array([known["height"], known["width"]]) for known in (a, b)]
    found.add("image", pair.key, _find_largest(*sizes)[0], "size")
    difference, at = _find_largest(a["affine"], b["affine"])
    found.add("affine", pair.key, difference, "row {}, column {}".format(*at))
    names = [name for name in first.skeleton.keypoints if name in second.skeleton.keypoints]
    if not common:
        return
    rows = [[of.index(person) for person in common] for of in (ids, others)]
    difference, at = _find_largest(a["bbox"][rows[0]], b["bbox"][rows[1]])
    found.add("bbox", pair.key, difference, f"person {common[at[0]]}, {('x', 'y', 'width', 'height')[at[1]]}")
    if names:
        points, points_b = (
            known["keypoints"][np.ix_(row, [reader.skeleton.keypoints.index(name) for name in names])]
            for known, row, reader in zip((a, b), rows, (first, second), strict=True)
        )
        for array, part in (("keypoints", slice(2)), ("visibility", slice(2, 3))):
            difference, at = _find_largest(points[..., part], points_b[..., part])
            found.add(array, pair.key, difference, f"person {common[at[0]]}, {names[at[1]]}")


def _compare_pictures(found: _Findings, pair: _Pair, first: ShardReader, second: ShardReader) -> Iterator[str]:
    """Compare the decoded pictures; yields why, if they cannot be."""
    a, b = first.config.input_size, second.config.input_size
    if a != b:
        yield f"picture is of {_size(a)} pixels in a, {_size(b)} in b"
        return
    difference, at = _find_largest(_decode(first, pair.position), _decode(second, pair.there))
    found.add("picture", pair.key, difference, f"{('red', 'green', 'blue')[at[2]]}, row {at[0]}, column {at[1]}")


def _decode(reader: ShardReader, index: int) -> NDArray[np.int16]:
    stored = reader.picture(index)
    if isinstance(stored, bytes):
        name = f"{reader.path}: the picture of sample {index}"
        stored = codec.decode_input(stored, reader.config.input_size, name)
    return stored.astype(np.int16)


def _find_largest(a: NDArray[Any], b: NDArray[Any]) -> tuple[float, tuple[int, ...]]:
    """Find the largest difference of two arrays of one shape, and where it is."""
    with np.errstate(invalid="ignore"):
        difference = np.abs(np.subtract(a, b, dtype=np.float64))
    if np.isnan(difference).any():
        difference[a == b] = 0  # infinities
        difference[np.isnan(a) & np.isnan(b)] = 0
        difference[np.isnan(difference)] = np.inf
    at = np.unravel_index(int(difference.argmax()), difference.shape)
    return float(difference[at]), tuple(map(int, at))


def _find_samples(directory: Path, manifest: Manifest, *, copies: bool) -> dict[SampleKey, tuple[str, int]]:
    """Find where every sample is: shard and position, by key; with `copies` also a single one has its number."""
    found: dict[SampleKey, tuple[str, int]] = {}
    for shard in manifest.shards:
        with ShardReader(locate(directory, shard.file)) as reader:
            for index in range(len(reader)):
                key = reader.key(index)
                if copies:
                    key = dataclasses.replace(key, copy=key.copy or 0)
                if key in found:
                    raise ShardError(f"{directory}: has two samples of {key}")
                found[key] = shard.file, index
    return found


def _differ(a: Mapping[str, Any], b: Mapping[str, Any], but: str = "") -> dict[str, tuple[Any, Any]]:
    return {key: (a.get(key), b.get(key)) for key in {**a, **b} if key != but and a.get(key) != b.get(key)}


def _size(size: Sequence[int]) -> str:
    return "x".join(map(str, reversed(size))) or "no"
