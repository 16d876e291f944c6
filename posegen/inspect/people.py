"""All people of a dataset, or of annotations, in one table: what is measured over all of them at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posegen.annotations import Annotations
from posegen.annotations.columns import SampleColumns
from posegen.shards import ShardReader
from posegen.skeleton import Skeleton

Progress = Callable[[int, int], object]
"""Called with how much is done, and how much there is to do."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class People:
    """M people of N samples, each in the pixels of its frame: a dataset's input, or an annotated image.

    Attributes
    ----------
    skeleton
        Of the K keypoints.
    keypoints
        (M, K, 3) float64 x, y, v; pixel centres at integers.
    boxes
        (M, 4) float64 x, y, width, height; where there is none, that of the labelled keypoints, or NaN.
    ids
        (M,) int64, of their annotations.
    owner
        (M,) int64, the index of each one's sample; never decreasing.
    frames
        (N, 2) int64 width, height.
    image_ids
        (N,) int64.
    file_names
        The N names, or none where nobody asked for them.
    """

    skeleton: Skeleton
    keypoints: NDArray[np.float64]
    boxes: NDArray[np.float64]
    ids: NDArray[np.int64]
    owner: NDArray[np.int64]
    frames: NDArray[np.int64]
    image_ids: NDArray[np.int64]
    file_names: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def samples(self) -> int:
        """How many samples there are."""
        return len(self.image_ids)

    @property
    def labelled(self) -> NDArray[np.bool_]:
        """Which keypoints are labelled, (M, K)."""
        return self.keypoints[..., 2] > 0

    def count(self) -> NDArray[np.int64]:
        """Count the people of each sample, (N,)."""
        return np.bincount(self.owner, minlength=self.samples).astype(np.int64)

    def groups(self, least: int = 2) -> Iterator[NDArray[np.int64]]:
        """Yield the indices of people who share a sample, (S, n), for every number n of people from `least` on."""
        counts = self.count()
        starts = np.cumsum(counts) - counts
        for n in np.unique(counts[counts >= least]):
            yield starts[counts == n][:, None] + np.arange(n)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shards:
    """The shards of a dataset, or one: samples by their number in all of them, each file opened once.

    Attributes
    ----------
    files
        What opens each one, and how many samples it has.
    """

    files: Sequence[tuple[Callable[[], ShardReader], int]]

    def __len__(self) -> int:
        return sum(samples for _, samples in self.files)

    def visit(self, indices: Sequence[int] | NDArray[np.integer]) -> Iterator[tuple[int, ShardReader, int]]:
        """Yield samples in the order of their numbers: the number, the open shard, and the place in it.

        Raises
        ------
        ShardError
            If a shard is damaged.
        """
        wanted, start = sorted({int(index) for index in indices}), 0
        for open_one, samples in self.files:
            here = [index for index in wanted if start <= index < start + samples]
            if here:
                with open_one() as reader:
                    for index in here:
                        yield index, reader, index - start
            start += samples


def read_shards(shards: Shards, progress: Progress) -> People:
    """Read the people of all shards from their columns; raises `ShardError` where one is damaged."""
    names = ("keypoints", "bbox", "annotation_id", "image_id")
    parts: dict[str, list[NDArray[Any]]] = {name: [] for name in (*names, "count")}
    done, total, skeleton, size = 0, len(shards), None, (1, 1)
    for open_one, samples in shards.files:
        with open_one() as reader:
            for name in names:
                parts[name].append(reader.whole_column(name))
            parts["count"].append(np.diff(reader.person_offsets()))
            skeleton, size = reader.skeleton, reader.config.input_size
        done += samples
        progress(done, total)
    if skeleton is None:
        raise ValueError("there is a shard where there are samples")
    found = {name: np.concatenate(arrays) for name, arrays in parts.items()}
    keypoints = found["keypoints"].astype(np.float64)
    return People(
        skeleton=skeleton,
        keypoints=keypoints,
        boxes=_complete(found["bbox"].astype(np.float64), keypoints),
        ids=found["annotation_id"],
        owner=np.repeat(np.arange(total), found["count"]),
        frames=np.tile(np.array(size[::-1], np.int64), (total, 1)),
        image_ids=found["image_id"],
    )


def tabulate(annotations: Annotations) -> People:
    """Put the people of annotations into a table, by the keypoints of their skeleton."""
    columns = SampleColumns.of(annotations.samples)
    annotated = columns.keypoints.reshape(-1, len(annotations.names), 3)
    keypoints = annotations.skeleton.derive(annotated, annotations.names)
    return People(
        skeleton=annotations.skeleton,
        keypoints=keypoints,
        boxes=_complete(columns.bboxes, keypoints),
        ids=columns.annotation_ids,
        owner=columns.images,
        frames=columns.sizes[:, ::-1],
        image_ids=columns.image_ids,
        file_names=tuple(columns.file_names),
    )


def span(keypoints: NDArray[np.float64]) -> NDArray[np.float64]:
    """Find the boxes x, y, width, height (M, 4) of labelled keypoints (M, K, 3); NaN where none is labelled."""
    points = np.where(keypoints[..., 2:] > 0, keypoints[..., :2], np.nan)
    some = (keypoints[..., 2] > 0).any(axis=1)
    found = np.full((len(keypoints), 4), np.nan)
    if some.any():
        low, high = np.nanmin(points[some], axis=1), np.nanmax(points[some], axis=1)
        found[some] = np.concatenate([low - 0.5, high - low + 1], axis=1)
    return found


def _complete(boxes: NDArray[np.float64], keypoints: NDArray[np.float64]) -> NDArray[np.float64]:
    """Put the box of the keypoints in the place of one that is not there."""
    missing = np.isnan(boxes.sum(axis=1))
    return np.where(missing[:, None], span(keypoints), boxes) if missing.any() else boxes
