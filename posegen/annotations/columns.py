"""Samples kept as columns: a few arrays for all of them, of which each sample is made when it is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol, overload

import numpy as np
from numpy.typing import NDArray

from posegen.annotations.sample import Sample, Shape
from posegen.files import canonical_json

Shapes = tuple[tuple[Shape, ...], tuple[Shape, ...]]
"""Those of the people and crowds nobody labelled on an image, and those of its drawn people."""


class ShapeColumns(Protocol):
    """The shapes of samples, by their numbers."""

    def __call__(self, number: int) -> Shapes:
        """Return those of a sample."""

    def describe(self, number: int) -> bytes:
        """Write down those of a sample, always in the same way: what digests are taken of."""

    def take(self, numbers: NDArray[np.int64]) -> ShapeColumns:
        """Return those of some samples alone."""


@dataclass(frozen=True, slots=True, eq=False)
class _KeptShapes:
    """The shapes of samples that had been made."""

    shapes: Sequence[Shapes]

    def __call__(self, number: int) -> Shapes:
        return self.shapes[number]

    def describe(self, number: int) -> bytes:
        ignored, drawn = self.shapes[number]
        listed = [[shape.segmentation, shape.bbox] for shape in (*ignored, *drawn)]
        return canonical_json([len(ignored), listed]).encode()

    def take(self, numbers: NDArray[np.int64]) -> _KeptShapes:
        return _KeptShapes([self.shapes[number] for number in numbers.tolist()])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SampleColumns(Sequence[Sample]):
    """S samples with P people, one image's people behind the other's.

    Attributes
    ----------
    image_ids, file_names
        Of the samples: (S,) int64, and S names.
    sizes
        (S, 2) int64 height, width in pixels.
    starts
        (S + 1,) int64: where each sample's people begin, and where the last one's end.
    keypoints, bboxes, annotation_ids
        Of the people: (P, K0, 3), (P, 4) float64 and (P,) int64, as `Sample` has them.
    find_shapes
        The shapes of the samples.
    unknown
        (P, K0) uint8, as `Sample.unknown`; None where all keypoints of all people are known.
    sources
        S names, as `Sample.source`; None where there is one source.
    """

    image_ids: NDArray[np.int64]
    file_names: Sequence[str]
    sizes: NDArray[np.int64]
    starts: NDArray[np.int64]
    keypoints: NDArray[np.float64]
    bboxes: NDArray[np.float64]
    annotation_ids: NDArray[np.int64]
    find_shapes: ShapeColumns
    unknown: NDArray[np.uint8] | None = None
    sources: Sequence[str] | None = None
    _last: dict[int, Shapes] = field(default_factory=dict)
    """The shapes of the sample that was made last: who is made of the same image shares them."""

    @classmethod
    def of(cls, samples: Sequence[Sample]) -> SampleColumns:
        """Lay samples whose people have as many keypoints side by side; columns are returned as they are."""
        if isinstance(samples, SampleColumns):
            return samples
        counts = [len(sample.annotation_ids) for sample in samples]
        keypoints = [np.zeros((0, 0, 3))] if not samples else [sample.keypoints for sample in samples]
        unknown = None
        if any(sample.unknown is not None for sample in samples):
            known = (np.zeros(s.keypoints.shape[:2], np.uint8) if s.unknown is None else s.unknown for s in samples)
            unknown = np.concatenate(list(known))
        return cls(
            image_ids=np.array([sample.image_id for sample in samples], np.int64),
            file_names=[sample.file_name for sample in samples],
            sizes=np.array([(sample.height, sample.width) for sample in samples], np.int64).reshape(-1, 2),
            starts=np.cumsum([0, *counts], dtype=np.int64),
            keypoints=np.concatenate(keypoints),
            bboxes=np.concatenate([np.zeros((0, 4)), *(sample.bboxes for sample in samples)]),
            annotation_ids=np.concatenate([np.zeros(0, np.int64), *(s.annotation_ids for s in samples)]),
            find_shapes=_KeptShapes([(sample.ignored, sample.drawn) for sample in samples]),
            unknown=unknown,
            sources=[sample.source for sample in samples] if any(sample.source for sample in samples) else None,
        )

    @property
    def images(self) -> NDArray[np.int64]:
        """(P,) int64: the number of each person's sample."""
        return np.repeat(np.arange(len(self)), np.diff(self.starts))

    def __len__(self) -> int:
        return len(self.image_ids)

    @overload
    def __getitem__(self, index: int) -> Sample: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Sample, ...]: ...
    def __getitem__(self, index: int | slice) -> Sample | tuple[Sample, ...]:
        numbers = range(len(self))[index]
        return self.make(numbers) if isinstance(numbers, int) else tuple(map(self.make, numbers))

    def __iter__(self) -> Iterator[Sample]:
        return map(self.make, range(len(self)))

    def make(self, number: int, person: int | None = None, copy: int = 0) -> Sample:
        """Make a sample by its number, of all its people or of one of the P alone."""
        start, stop = self.find_people(number, person)
        if number not in self._last:
            self._last.clear()
            self._last[number] = self.find_shapes(number)
        ignored, drawn = self._last[number]
        height, width = self.sizes[number].tolist()
        unknown = self.find_unknown(number)
        return Sample(
            image_id=int(self.image_ids[number]),
            file_name=self.file_names[number],
            width=width,
            height=height,
            keypoints=self.keypoints[start:stop],
            bboxes=self.bboxes[start:stop],
            annotation_ids=self.annotation_ids[start:stop],
            ignored=ignored,
            drawn=drawn,
            copy=copy,
            unknown=None if unknown is None else unknown[start:stop],
            source="" if self.sources is None else self.sources[number],
        )

    def take(self, numbers: NDArray[np.int64]) -> SampleColumns:
        """Return columns of some samples alone."""
        rows, starts = list_rows(self.starts, numbers)
        return SampleColumns(
            image_ids=self.image_ids[numbers],
            file_names=[self.file_names[number] for number in numbers.tolist()],
            sizes=self.sizes[numbers],
            starts=starts,
            keypoints=self.keypoints[rows],
            bboxes=self.bboxes[rows],
            annotation_ids=self.annotation_ids[rows],
            find_shapes=self.find_shapes.take(numbers),
            unknown=None if self.unknown is None else self.unknown[rows],
            sources=None if self.sources is None else [self.sources[number] for number in numbers.tolist()],
        )

    def find_people(self, number: int, person: int | None = None) -> tuple[int, int]:
        """Return where the people of a sample begin and end: one of the P, or all of an image."""
        if person is not None:
            return person, person + 1
        start, stop = self.starts[number : number + 2].tolist()
        return start, stop

    def find_unknown(self, number: int) -> NDArray[np.uint8] | None:
        """Return (P, K0) `unknown`; None where all is known of all people of a sample's image: nothing is said then."""
        start, stop = self.find_people(number)
        return self.unknown if self.unknown is not None and self.unknown[start:stop].any() else None


def list_rows(starts: NDArray[np.int64], numbers: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """List the rows (R,) of n samples, whose own begin at `starts`, and where each of them begins there (n + 1,)."""
    counts = starts[numbers + 1] - starts[numbers]
    fresh = np.concatenate([[0], np.cumsum(counts)])
    return np.arange(fresh[-1]) + np.repeat(starts[numbers] - fresh[:-1], counts), fresh
