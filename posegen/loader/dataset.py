"""Reading a dataset for training: samples by their number, one at a time or in batches.

The numbers count through the shards in their order. Shards open when they are read, in the process that reads.
"""

from __future__ import annotations

import itertools
import math
import operator
import os
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import NDArray

from posegen.config import BuildConfig
from posegen.errors import ConfigError, ImageError, ShardError
from posegen.images.stored import StoredPicture
from posegen.loader.batch import unpack_label, unpack_rows
from posegen.loader.decode import People, decode
from posegen.loader.fields import Field, describe_fields, select_fields
from posegen.loader.flip import Mirror, RandomFlips
from posegen.shards.manifest import Manifest
from posegen.shards.pool import ShardPool
from posegen.shards.quantize import Widen
from posegen.shards.reader import ShardReader
from posegen.shards.schema import list_columns
from posegen.skeleton import Skeleton

MAX_OPEN = 64

Allocate = Callable[[tuple[int, ...], np.dtype[Any]], NDArray[Any]]
"""Makes an array of a shape and dtype, contiguous, whatever is in it."""

_HELD_BYTES = 1 << 25
"""Before compression, of the samples that are read before they are unpacked."""


class PoseDataset:
    """The samples of a dataset.

    `data[i]` is a dict of

    - `image`: (H, W, 3) uint8 R, G, B
    - `heatmap`, `paf`, `mask`, whichever were built: float32 in the layout of the build, (C, h, w) for `chw` and
      (h, w, C) for `hwc`; labels of whole numbers are these, and a label by person has a row for each, (n, ...)
    - `image_id`, `width`, `height`, `file_name` of the original image: int and str
    - `affine`: (2, 3) float64, original pixels to input pixels
    - `keypoints`: (n, K, 3) float32 x, y in input pixels, v; `bbox`: (n, 4) float32 x, y, width, height in input
      pixels, from the picture's edge; `annotation_id`: (n,) int64
    - where views were drawn, `copy`: int, and `view`: (5,) float64, as stored, whether the sample is flipped or not

    `data[-1]` is the last, and `data[start:stop:step]` is what `batch` gives of these.

    It can be pickled and forked, and be read by several threads; files are opened by the process that reads them.

    Parameters
    ----------
    path
        The directory of the dataset.
    fields
        Names of what to read, of which nothing else is read; None for all.
    raw
        Whether labels come as they are stored, value = stored x scale, instead of as float32; see `scales`.
    flip
        True mirrors every sample left to right, "random" every second one by chance: picture, people and affine map,
        and labels with their left and right channels swapped. See `posegen.loader.flip`.
    seed
        What chance is drawn from. With a seed, whether a sample is flipped depends on the seed, `epoch` and its number
        alone, whoever reads it and when. Without one, every process draws anew.
    widen
        What turns float16 labels into float32 ones, for who has a faster way than NumPy: it is given the labels of some
        samples, and an array to write them to.
    max_open
        How many shards may be open at once in a process. Reading in any order from more shards than that opens a
        shard for nearly every sample; read in the order of `posegen.loader.shuffle.shuffle_shards` instead.

    Attributes
    ----------
    epoch
        From 0; to be set by who counts epochs and flips at random with a seed.

    Raises
    ------
    ShardError
        If there is no dataset, or its manifest is damaged. When a sample is read: if its shard is missing, damaged, or
        not the one that was built; the message names it.
    ConfigError
        If there is no such field, `flip` or `max_open`, or the dataset cannot be flipped.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        fields: Sequence[str] | None = None,
        raw: bool = False,
        flip: bool | Literal["random"] = False,
        seed: int | None = None,
        widen: Widen | None = None,
        max_open: int = MAX_OPEN,
    ) -> None:
        self.path = Path(path).absolute()  # whatever the working directory is when shards are opened
        self.manifest = Manifest.read(self.path)
        self.raw = raw
        self.seed = seed
        self.epoch = 0
        self._widen = widen
        if flip not in {False, True, "random"}:
            raise ConfigError(f"flip must be True, False or 'random', not {flip!r}")
        self.flip: bool | Literal["random"] = "random" if flip == "random" else bool(flip)
        if max_open < 1:
            raise ConfigError(f"max_open must be at least 1, not {max_open}")
        self._pool = ShardPool(self.path, self.manifest, max_open)
        stored = self._pool.read_labels()
        every = describe_fields(self.config, len(self.skeleton.keypoints), stored, raw=raw)
        try:
            self._fields = select_fields(every, fields)
        except ConfigError as error:
            raise ConfigError(f"{self.path}: {error}") from error
        self._columns = {column.name: column for column in list_columns(self.config) if column.name in self._fields}
        chosen = [label for label in stored if label.spec.name in self._fields]
        self._labels = tuple(label for label in chosen if not label.spec.by_person)
        self._by_person = {label.spec.name: label for label in chosen if label.spec.by_person}
        picture = math.prod(self.config.input_size) * 3 if "image" in self._fields else 0
        self._logical = picture + sum(label.logical for label in self._labels) or 1
        self._mirror = Mirror.of(self.config, self.skeleton, chosen) if flip else None
        self._starts = [0, *itertools.accumulate(self.shard_sizes)]
        self._random_flips = RandomFlips(seed)

    @property
    def config(self) -> BuildConfig:
        """What it was built with."""
        return self.manifest.config

    @property
    def skeleton(self) -> Skeleton:
        """Of its labels."""
        return self.manifest.skeleton

    @property
    def shard_sizes(self) -> tuple[int, ...]:
        """How many samples each shard has, in the order in which they are numbered."""
        return tuple(record.samples for record in self.manifest.shards)

    @property
    def fields(self) -> Mapping[str, Field]:
        """What a sample has, by name."""
        return dict(self._fields)

    @property
    def scales(self) -> Mapping[str, float]:
        """By label, what a stored 1 means."""
        return {label.spec.name: label.storage.scale for label in (*self._labels, *self._by_person.values())}

    def __len__(self) -> int:
        return self._starts[-1]

    def __repr__(self) -> str:
        options = [f"{name}={getattr(self, name)!r}" for name in ("raw", "flip", "seed") if getattr(self, name)]
        return f"PoseDataset({str(self.path)!r}, {', '.join([f'fields={list(self._fields)}', *options])})"

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (self[i] for i in range(len(self)))

    @overload
    def __getitem__(self, index: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, index: slice) -> dict[str, Any]: ...
    def __getitem__(self, index: int | slice) -> dict[str, Any]:
        """Read a sample, or the batch of a slice."""
        if isinstance(index, slice):
            return self.batch(range(*index.indices(len(self))))
        found = self._read([self._normalize(index)], self._make_arrays(1, np.empty))
        return {name: found[name][0] for name in self._fields}

    def batch(self, indices: Sequence[int] | NDArray[np.integer], allocate: Allocate = np.empty) -> dict[str, Any]:
        """Read samples in the order in which they are asked for, shard by shard.

        Parameters
        ----------
        indices
            B numbers of samples; a number may be negative, and come more than once.
        allocate
            Makes the arrays of pictures and labels.

        Returns
        -------
        A dict of what a sample has, stacked: pictures and labels (B, ...), affine maps (B, 2, 3) float64, the numbers
        (B,) int64; `keypoints`, `bbox`, `annotation_id`, labels by person and `file_name` are lists of B.
        """
        numbers = [self._normalize(index) for index in indices]
        found = self._read(numbers, self._make_arrays(len(numbers), allocate))
        for name in self._columns:
            field = self._fields[name]
            if field.is_stacked:
                found[name] = np.array(found[name], field.dtype).reshape(field.stack(len(numbers)))
        return {name: found[name] for name in self._fields}

    def decode(self, outputs: Any, indices: Sequence[int] | NDArray[np.integer]) -> list[People]:
        """Turn what a network predicts for some samples into people in the pixels of their images.

        Parameters
        ----------
        outputs
            As for `posegen.decode`; by sample in the order of `indices`.
        indices
            Which samples these are.

        Raises
        ------
        ConfigError
            As `posegen.decode`. Also if samples are flipped at random without a seed: nobody knows which were.
        """
        if self.flip == "random" and self.seed is None:
            raise ConfigError(
                "which samples were flipped cannot be told without a seed; give PoseDataset one, or posegen.decode "
                "each batch's affine"
            )
        return decode(outputs, self._read_affines(indices), self.config, self.skeleton)

    def _read_affines(self, indices: Sequence[int] | NDArray[np.integer]) -> NDArray[np.float64]:
        """Read the affine maps (B, 2, 3) of samples, as the field is, whether it was chosen or not."""
        column = next(column for column in list_columns(self.config) if column.name == "affine")
        found = []
        for number in map(self._normalize, indices):
            shard = self._shard(number)
            with self._pool.use(shard) as reader:
                (value,) = reader.column("affine", [number - self._starts[shard]])
            mirror = self._mirror if self._mirror is not None and self._is_flipped(number) else None
            found.append(value if mirror is None else mirror.column(column, value))
        return np.array(found, np.float64).reshape(-1, 2, 3)

    def close(self) -> None:
        """Close the shards that this process has open; reading opens them again."""
        self._pool.close()

    def _make_arrays(self, count: int, allocate: Allocate) -> dict[str, NDArray[Any]]:
        """Make the arrays of pictures and labels of so many samples."""
        return {
            name: allocate(field.stack(count), np.dtype(field.dtype))
            for name, field in self._fields.items()
            if name not in self._columns and name not in self._by_person
        }

    def _read(self, numbers: Sequence[int], arrays: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
        """Read pictures and labels of samples into `arrays`, and other fields as lists; return all of them."""
        found: dict[str, Any] = {name: [] for name in (*self._columns, *self._by_person)}
        few = max(1, _HELD_BYTES // self._logical)
        for start in range(0, len(numbers), few):
            part = slice(start, start + few)
            columns = self._read_some(numbers[part], {name: values[part] for name, values in arrays.items()})
            for name, values in columns.items():
                found[name] += values
        return found | dict(arrays)

    def _read_some(self, numbers: Sequence[int], arrays: Mapping[str, NDArray[Any]]) -> dict[str, list[Any]]:
        """Read files shard by shard, and then unpack what came of them kind by kind, in the order of the samples."""
        count = len(numbers)
        columns: dict[str, list[Any]] = {name: [None] * count for name in self._columns}
        held: dict[str, list[Any]] = {name: [None] * count for name in (*arrays, *self._by_person)}
        mirrors = [self._mirror if self._mirror is not None and self._is_flipped(i) else None for i in numbers]
        in_order = sorted(range(count), key=numbers.__getitem__)
        for shard, group in itertools.groupby(in_order, lambda place: self._shard(numbers[place])):
            places = list(group)
            positions = [numbers[place] - self._starts[shard] for place in places]
            with self._pool.use(shard) as reader:
                for name, of_all in held.items():
                    read = self._find_read(reader, name)
                    for place, position in zip(places, positions, strict=True):
                        of_all[place] = read(position)
                for name, values in columns.items():
                    for place, value in zip(places, reader.column(name, positions), strict=True):
                        mirror = mirrors[place]
                        values[place] = value if mirror is None else mirror.column(self._columns[name], value)
        # Most of the time goes here: other threads may have the shards meanwhile.
        for label in self._labels:
            unpack_label(label, held[label.spec.name], mirrors, arrays[label.spec.name], self._widen)
        for name, label in self._by_person.items():
            columns[name] = unpack_rows(label, held[name], mirrors, raw=self.raw)
        if "image" in arrays:
            for picture, mirror, pixels in zip(held["image"], mirrors, arrays["image"], strict=True):
                _decode(picture, mirror, pixels)
        return columns

    def _find_read(self, reader: ShardReader, name: str) -> Callable[[int], Any]:
        """Find what reads a picture or a label at a position of a shard, without unpacking it."""
        if name == "image":
            return reader.picture
        if name in self._by_person:
            return partial(reader.rows, self._by_person[name])
        return partial(reader.chunk, next(label for label in self._labels if label.spec.name == name))

    def _shard(self, number: int) -> int:
        """Find the shard of a sample."""
        return bisect_right(self._starts, number) - 1

    def _normalize(self, index: int) -> int:
        number = operator.index(index)
        if not -len(self) <= number < len(self):
            raise IndexError(f"there is no sample {number}: {self.path} has {len(self)}")
        return number % len(self)

    def _is_flipped(self, index: int) -> bool:
        return self.flip is True or self._random_flips.is_flipped(self.epoch, index)


def _decode(picture: StoredPicture, mirror: Mirror | None, out: NDArray[np.uint8]) -> None:
    """Decode a picture into the input, (H, W, 3) uint8."""
    try:
        picture.fill(out)
    except ImageError as error:
        raise ShardError(str(error)) from error
    if mirror is not None:
        out[...] = mirror.image(out)
