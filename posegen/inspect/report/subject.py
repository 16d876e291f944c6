"""What a report is of: a dataset, a shard, or annotations, with its people and a way to its pictures."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posegen.annotations import Annotations, read_annotations
from posegen.annotations.audit import Audit
from posegen.config import BuildConfig
from posegen.errors import ImageError
from posegen.images import codec
from posegen.images.files import read_file
from posegen.inspect.people import People, Progress, Shards, read_shards, tabulate
from posegen.inspect.report.heat import LabelMeasures
from posegen.inspect.report.measures import Measures, measure
from posegen.inspect.summary import describe, list_shards
from posegen.shards.manifest import MANIFEST_NAME
from posegen.shards.source import find_directory

Pictures = Callable[[Sequence[int]], Iterator[tuple[int, NDArray[np.uint8]]]]
"""Yields for samples, in the order of their numbers, the number and the frame, (rows, columns, 3) uint8 B, G, R."""


@dataclass(slots=True, kw_only=True, eq=False)
class Subject:
    """One side of a report.

    Attributes
    ----------
    title, kind
        What it is called, and whether it is a `dataset`, a `shard` or `annotations`.
    people
        All of them.
    description
        What `posegen.inspect.summary.describe` says of a dataset or shard; empty for annotations.
    audit
        What was left out or noticed, if that is known.
    pictures
        Opens the pictures of samples.
    shards
        Of a dataset or shard.
    measures, labels
        What was measured.
    notes
        What the reader has to know, in sentences.
    """

    title: str
    kind: str
    people: People
    pictures: Pictures
    description: dict[str, Any] = field(default_factory=dict)
    audit: Audit | None = None
    shards: Shards | None = None
    measures: Measures
    labels: LabelMeasures = field(default_factory=LabelMeasures)
    notes: list[str] = field(default_factory=list)


def open_subject(
    path: Path, *, split: str | None, images: str | os.PathLike[str] | None, progress: Progress
) -> Subject:
    """Read a dataset, a shard, or annotations.

    Raises
    ------
    ConfigError
        If there is nothing at `path`.
    AnnotationError, ShardError
        If it is damaged.
    """
    place = find_directory(path)
    if (place / MANIFEST_NAME).is_file() or place.suffix in {".h5", ".hdf5"}:
        description = describe(path)
        shards = Shards(files=list_shards(path))
        people = read_shards(shards, progress)
        return Subject(
            title=path.name or str(path),
            kind=description["kind"],
            people=people,
            pictures=lambda indices: _show_stored(shards, indices),
            description=description,
            audit=Audit.from_dict(description["audit"]) if "audit" in description else None,
            shards=shards,
            measures=measure(people),
        )
    subject = open_annotations(path, None, split=split, images=images)
    progress(1, 1)
    return subject


def open_annotations(
    path: Path, config: BuildConfig | None, *, split: str | None, images: str | os.PathLike[str] | None
) -> Subject:
    """Read annotations, by default with the keypoints that the file has; raises what `open_subject` does."""
    config = config or BuildConfig.preset("coco")
    found = read_annotations(path, config, split=split, images=images, need_images=False)
    people = tabulate(found)
    subject = Subject(
        title=found.path.name,
        kind="annotations",
        people=people,
        pictures=lambda indices: _show_files(found, indices, subject.notes),
        audit=found.audit,
        measures=measure(people),
    )
    if not found.images.is_dir():
        subject.notes.append(f"there is no directory {found.images.name}, so no picture is shown")
    return subject


def _show_stored(shards: Shards, indices: Sequence[int]) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    for index, reader, place in shards.visit(indices):
        yield index, np.ascontiguousarray(reader.picture(place).show(reader.config.input_size)[..., ::-1])


def _show_files(
    annotations: Annotations, indices: Sequence[int], notes: list[str]
) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Show pictures of files; of one that cannot be shown a gray area, and a note."""
    for index in sorted({int(index) for index in indices}):
        sample = annotations.samples[index]
        size = sample.height, sample.width
        try:
            yield index, codec.decode(read_file(annotations.images, sample.file_name), size, sample.file_name)
        except ImageError as error:
            note = f"a picture cannot be shown: {error}"
            if annotations.images.is_dir() and note not in notes:
                notes.append(note)
            yield index, np.full((*size, 3), 128, np.uint8)
