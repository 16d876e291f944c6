"""In what two datasets differ: built with other options, by another version, from other annotations.

Samples are told from each other by their image, and where a sample is one person by its annotation; in which shard and
place they are is no difference. Shards are read in worker processes, as `posegen.inspect.verify` does.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from posegen.annotations.audit import counted
from posegen.build.executors import Executor, Lost, choose_executor
from posegen.build.progress import Progress, count_up
from posegen.errors import ConfigError, ShardError
from posegen.inspect.findings import ArrayDifference, Findings, list_others
from posegen.inspect.pairs import Pair, ShardPairs, compare_shard
from posegen.shards import SampleKey, find_dataset
from posegen.shards.manifest import Manifest
from posegen.shards.source import open_shard
from posegen.storage import AnyPath, Location

_ROUNDING = frozenset({"label_dtype"})
"""Options that change a label's last digits alone."""


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
        return not self.reasons

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why they are not equal, in a few words each.

        With a tolerance it is none that labels are stored as another type: their rounding is what a tolerance is for.
        """
        options = [key for key in self.config if not (self.tolerance and key in _ROUNDING)]
        others = list_others()
        alone = [("a", len(self.only_a)), ("b", len(self.only_b))]
        return (
            *(f"{counted(count, 'sample')} only in {which}" for which, count in alone if count),
            *([f"built with other options: {', '.join(options)}"] if options else []),
            *(["their skeletons differ"] if self.skeleton else []),
            *self.unlike,
            *(
                f"{array.array} by {array.largest:.4g}"
                for array in self.arrays
                if array.largest > (0.0 if array.array in others else self.tolerance)
            ),
        )


def compare(
    a: Location,
    b: Location,
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
        Up to which differences of labels do not count; neither does then as what type they are stored.
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
    sources = any(manifest.config.sources for manifest in (first, second))
    parts = {"source": sources, "image": True, "person": people, "copy": copies}
    named_by = tuple(name for name, tells in parts.items() if tells)
    places = [
        _find_samples(path, manifest, copies=copies) for path, manifest in zip(paths, (first, second), strict=True)
    ]
    common = [key for key in places[0] if key in places[1]]
    pairs: dict[str, list[Pair]] = defaultdict(list)
    for key in common:
        (file, position), (other, there) = places[0][key], places[1][key]
        pairs[file].append(Pair(key, position, other, there))
    records = [{shard.file: shard for shard in manifest.shards} for manifest in (first, second)]
    tasks = (
        ShardPairs(
            paths[0], records[0][file], paths[1], {pair.file: records[1][pair.file] for pair in some}, tuple(some)
        )
        for file, some in pairs.items()
    )
    found, unlike = Findings(), set()
    for outcome in executor.run(compare_shard, tasks, count_up(progress, len(common))):
        if isinstance(outcome, Lost):
            raise ShardError(f"{paths[0] / outcome.task.record.file}: the process that compared it {outcome.reason}")
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


def _find_samples(directory: AnyPath, manifest: Manifest, *, copies: bool) -> dict[SampleKey, tuple[str, int]]:
    """Find where every sample is: shard and position, by key; with `copies` also a single one has its number."""
    found: dict[SampleKey, tuple[str, int]] = {}
    for shard in manifest.shards:
        with open_shard(directory, shard) as reader:
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
