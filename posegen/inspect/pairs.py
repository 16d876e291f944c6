"""Comparing the samples of one shard with the same ones of another dataset."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posegen.build.executors import Report
from posegen.inspect.findings import PEOPLE, PICTURE, VISIBILITY, Findings
from posegen.labels import ArraySpec
from posegen.shards import SampleKey, ShardReader, ShardRecord
from posegen.shards.schema import Column, list_columns
from posegen.shards.source import open_shard
from posegen.storage import AnyPath

_OPEN_SHARDS = 16

_WORDS = {"y": "row", "x": "column"}

_BOX = ("x", "y", "width", "height")


@dataclass(frozen=True, slots=True)
class Pair:
    """A sample: its position in a shard of a, and shard and position in b."""

    key: SampleKey
    position: int
    file: str
    there: int


@dataclass(frozen=True, slots=True)
class ShardPairs:
    """All that a worker needs: a shard of a, and where its samples are in b, with the records of those shards."""

    a: AnyPath
    record: ShardRecord
    b: AnyPath
    others: Mapping[str, ShardRecord]
    pairs: tuple[Pair, ...]


def compare_shard(task: ShardPairs, report: Report) -> tuple[Findings, tuple[str, ...]]:
    """Compare the samples of one shard with those of the other dataset."""
    found, notes = Findings(), set()
    open_shards: dict[str, ShardReader] = {}
    with open_shard(task.a, task.record) as first:
        try:
            for pair in task.pairs:
                if pair.file not in open_shards:
                    while len(open_shards) >= _OPEN_SHARDS:
                        open_shards.pop(next(iter(open_shards))).close()
                    open_shards[pair.file] = open_shard(task.b, task.others[pair.file])
                second = open_shards[pair.file]
                notes |= set(_compare_labels(found, pair, first, second))
                _compare_columns(found, pair, first, second)
                notes |= set(_compare_pictures(found, pair, first, second))
                report(1)
        finally:
            for reader in open_shards.values():
                reader.close()
    return found, tuple(notes)


def _compare_labels(found: Findings, pair: Pair, first: ShardReader, second: ShardReader) -> Iterator[str]:
    """Compare the labels that both have, channel by channel of the same name; yields what cannot be compared."""
    mine, theirs = ({label.spec.name: label for label in reader.labels} for reader in (first, second))
    people, rows = _find_people(pair, first, second)
    yield from (f"{name} is only in a" for name in mine.keys() - theirs.keys())
    yield from (f"{name} is only in b" for name in theirs.keys() - mine.keys())
    for name in mine.keys() & theirs.keys():
        a, b = mine[name].spec, theirs[name].spec
        if a.cells != b.cells:
            yield f"{name} has {_size(a.cells)} cells in a, {_size(b.cells)} in b"
            continue
        if (a.inner, a.by_person) != (b.inner, b.by_person):
            yield f"{name} has other axes in a than in b: {_say_axes(a)} and {_say_axes(b)}"
            continue
        for which, channels, others in (("a", a.channels, b.channels), ("b", b.channels, a.channels)):
            if alone := [channel for channel in channels if channel not in others]:
                yield f"{name} has channels in {which} alone: {', '.join(alone)}"
        common = [channel for channel in a.channels if channel in b.channels]
        values = [
            reader.label(of[name], place).take([of[name].spec.channels.index(c) for c in common], int(a.by_person))
            for reader, of, place in ((first, mine, pair.position), (second, theirs, pair.there))
        ]
        if a.by_person:
            values = [of_all[some] for of_all, some in zip(values, rows, strict=True)]
        if values[0].size:
            difference, at = _find_largest(*values)
            whose = [f"person {people[at[0]]}"] if a.by_person else []
            channel, *place = at[len(whose) :]
            words = [_WORDS.get(axis, axis) for axis in a.axes[1:]]
            cell = [f"{word} {i}" for word, i in zip(words, place, strict=True)]
            found.add(name, pair.key, difference, ", ".join([*whose, common[channel], *cell]))


def _say_axes(spec: ArraySpec) -> str:
    axes = zip(spec.axes, spec.shape, strict=True)
    return ", ".join([*(["person"] if spec.by_person else []), *(f"{axis} {length}" for axis, length in axes)])


def _find_people(pair: Pair, first: ShardReader, second: ShardReader) -> tuple[list[int], list[list[int]]]:
    """Find the people that both have in a sample, by their annotations, and in which rows each of the two has them."""
    (ids,), (others,) = (
        reader.column("annotation_id", [at]) for reader, at in ((first, pair.position), (second, pair.there))
    )
    people = [person for person in ids.tolist() if person in others]
    return people, [[of.tolist().index(person) for person in people] for of in (ids, others)]


def _compare_columns(found: Findings, pair: Pair, first: ShardReader, second: ShardReader) -> None:
    """Compare what is known of a sample and of the people that both have in it."""
    a, b = first.sample(pair.position), second.sample(pair.there)
    ids, others = a["annotation_id"].tolist(), b["annotation_id"].tolist()
    people, rows = _find_people(pair, first, second)
    found.add(PEOPLE, pair.key, float(len({*ids} ^ {*others})), f"{len(ids)} in a, {len(others)} in b")
    names = [name for name in first.skeleton.keypoints if name in second.skeleton.keypoints]
    differences: dict[str, list[tuple[float, str]]] = defaultdict(list)
    for column in list_columns():
        if not column.compared_as or column.name not in a.keys() & b.keys():
            continue
        values = [np.asarray(known[column.name]) for known in (a, b)]
        if column.of == "person":
            values = [of_all[some] for of_all, some in zip(values, rows, strict=True)]
        if column.kind in {"points", "keypoints"}:
            values = [
                points[:, [reader.skeleton.keypoints.index(name) for name in names]]
                for points, reader in zip(values, (first, second), strict=True)
            ]
        if not values[0].size:
            continue
        parts = {column.compared_as: values}
        if column.kind == "points":
            parts = {column.compared_as: [v[..., :2] for v in values], VISIBILITY: [v[..., 2:] for v in values]}
        for array, (mine, theirs) in parts.items():
            difference, at = _find_largest(mine, theirs)
            differences[array].append((difference, _say_where(column, at, people, names)))
    for array, of_array in differences.items():
        found.add(array, pair.key, *max(of_array, key=lambda one: one[0]))


def _say_where(column: Column, at: tuple[int, ...], people: Sequence[int], names: Sequence[str]) -> str:
    """Say of whom and of what an element of a column is."""
    whose, place = ([f"person {people[at[0]]}"], at[1:]) if column.of == "person" else ([], at)
    if column.kind in {"points", "keypoints"}:
        parts = [names[place[0]]]
    elif column.kind == "boxes":
        parts = [_BOX[place[0]]]
    elif column.kind == "affine":
        parts = [f"row {place[0]}", f"column {place[1]}"]
    else:
        parts = [column.name, *map(str, place)]
    return ", ".join(whose + parts)


def _compare_pictures(found: Findings, pair: Pair, first: ShardReader, second: ShardReader) -> Iterator[str]:
    """Compare the decoded pictures; yields why, if they cannot be."""
    a, b = first.config.input_size, second.config.input_size
    if a != b:
        yield f"picture is of {_size(a)} pixels in a, {_size(b)} in b"
        return
    difference, at = _find_largest(_decode(first, pair.position), _decode(second, pair.there))
    found.add(PICTURE, pair.key, difference, f"{('red', 'green', 'blue')[at[2]]}, row {at[0]}, column {at[1]}")


def _decode(reader: ShardReader, index: int) -> NDArray[np.int16]:
    return reader.picture(index).show(reader.config.input_size).astype(np.int16)


def _find_largest(a: NDArray[Any], b: NDArray[Any]) -> tuple[float, tuple[int, ...]]:
    """Find the largest difference of two arrays of one shape, and where it is."""
    with np.errstate(invalid="ignore"):
        difference = np.asarray(np.abs(np.subtract(a, b, dtype=np.float64)))
    if np.isnan(difference).any():
        difference[a == b] = 0  # infinities
        difference[np.isnan(a) & np.isnan(b)] = 0
        difference[np.isnan(difference)] = np.inf
    at = np.unravel_index(int(difference.argmax()), difference.shape)
    return float(difference[at]), tuple(map(int, at))


def _size(size: Sequence[int]) -> str:
    return "x".join(map(str, reversed(size))) or "no"
