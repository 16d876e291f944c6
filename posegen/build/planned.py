"""Samples in the order of a build, shard by shard, that are made in the worker that builds them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from posegen.annotations import Sample
from posegen.annotations.columns import SampleColumns
from posegen.config import BuildConfig
from posegen.files import canonical_json
from posegen.shards import SampleKey


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PlannedSamples(Sequence[Sample]):
    """Samples in the order in which they are stored; each is made when it is asked for.

    Attributes
    ----------
    columns
        What they are made of.
    images
        (n,) int64 the numbers of their images among the columns.
    people
        (n,) int64 who of all people there each is of; None where samples are of images.
    copies
        (n,) int64 which copy each is.
    """

    columns: SampleColumns
    images: NDArray[np.int64]
    people: NDArray[np.int64] | None
    copies: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.images)

    @overload
    def __getitem__(self, index: int) -> Sample: ...
    @overload
    def __getitem__(self, index: slice) -> PlannedSamples: ...
    def __getitem__(self, index: int | slice) -> Sample | PlannedSamples:
        people = None if self.people is None else self.people[index]
        if isinstance(index, slice):
            return dataclasses.replace(self, images=self.images[index], people=people, copies=self.copies[index])
        person = None if people is None else int(people)
        return self.columns.make(int(self.images[index]), person, int(self.copies[index]))

    def __iter__(self) -> Iterator[Sample]:
        return (self[index] for index in range(len(self)))

    def __reduce__(self) -> tuple[Callable[..., PlannedSamples], tuple[Any, ...]]:
        """Send another process the columns of these samples alone: it makes them there, which takes its time."""
        numbers, images = np.unique(self.images, return_inverse=True)
        columns, people = self.columns.take(numbers), self.people
        if people is not None:
            people = people - self.columns.starts[self.images] + columns.starts[images]
        return _restore, (columns, images, people, self.copies)

    @classmethod
    def of(cls, samples: Sequence[Sample]) -> PlannedSamples:
        """Take samples that are made; what is planned is returned as it is."""
        if isinstance(samples, PlannedSamples):
            return samples
        copies = np.array([sample.copy for sample in samples], np.int64)
        return cls(columns=SampleColumns.of(samples), images=np.arange(len(samples)), people=None, copies=copies)

    @property
    def file_names(self) -> list[str]:
        """The n names of their files."""
        return [self.columns.file_names[number] for number in self.images.tolist()]

    def list_keys(self, config: BuildConfig) -> list[SampleKey]:
        """List what tells each of them from all others, as `ShardReader.key` does of one that is stored."""
        columns, people = self.columns, [None] * len(self) if self.people is None else self.people.tolist()
        keys = []
        for number, person, copy in zip(self.images.tolist(), people, self.copies.tolist(), strict=True):
            first, stop = columns.find_people(number, person)
            persons = columns.annotation_ids[first:stop].tolist() if config.unit == "person" else ()
            source = "" if columns.sources is None else columns.sources[number]
            keys.append(SampleKey.of(config, int(columns.image_ids[number]), persons, copy, source))
        return keys

    def select(self, file_names: Container[str]) -> Iterator[Sample]:
        """Yield those whose file names are among some."""
        named = self.columns.file_names
        return (self[index] for index, number in enumerate(self.images.tolist()) if named[number] in file_names)

    def describe(self, *, unknown: bool) -> Iterator[bytes]:
        """Yield all that samples are, in the same bytes wherever they were read, for digests.

        Parameters
        ----------
        unknown
            Whether which keypoints are unknown is a part of it.
        """
        columns, last, shapes = self.columns, -1, b""
        for index, (number, copy) in enumerate(zip(self.images.tolist(), self.copies.tolist(), strict=True)):
            # People of one image share its shapes, which take longest to write down.
            if number != last:
                last, shapes = number, columns.find_shapes.describe(number)
            height, width = columns.sizes[number].tolist()
            record = [int(columns.image_ids[number]), copy, columns.file_names[number], width, height]
            yield canonical_json(record).encode() + shapes
            first, stop = columns.find_people(number, None if self.people is None else int(self.people[index]))
            for column in (columns.keypoints, columns.bboxes, columns.annotation_ids):
                yield column[first:stop].tobytes()
            if unknown and (told := columns.find_unknown(number)) is not None:
                yield told[first:stop].tobytes()


def _restore(
    columns: SampleColumns, images: NDArray[np.int64], people: NDArray[np.int64] | None, copies: NDArray[np.int64]
) -> PlannedSamples:
    return PlannedSamples(columns=columns, images=images, people=people, copies=copies)
