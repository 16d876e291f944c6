"""Reading a dataset for training: samples by their number, one at a time or in batches.

The numbers count through the shards in their order. Shards open when they are read, in the process that reads.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import NDArray

from posegen.config import BuildConfig
from posegen.errors import ConfigError
from posegen.loader.decode import People, decode, require_seed
from posegen.loader.drawing import ViewDrawer, open_drawer
from posegen.loader.fields import Field, describe_fields, select_fields
from posegen.loader.files import SampleFiles
from posegen.loader.flip import Mirror, RandomFlips
from posegen.loader.reading import Allocate, BatchReader
from posegen.loader.samples import Samples, StoredSamples, UndrawnSamples, ViewedSamples, list_undrawn
from posegen.loader.views import LabelsDrawn, Views, read_drawn
from posegen.shards.cache import CACHE_SIZE, ShardCache
from posegen.shards.manifest import Manifest
from posegen.shards.pool import ShardPool
from posegen.shards.quantize import Widen
from posegen.shards.schema import StoredLabel
from posegen.shards.source import find_directory
from posegen.skeleton import Skeleton
from posegen.storage import Location

MAX_OPEN = 64


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
    - of several sources, `source`: str, whose the image's id is
    - where views were drawn, `copy`: int, and `view`: (5,) float64, as stored, whether the sample is flipped or not

    `data[-1]` is the last, and `data[start:stop:step]` is what `batch` gives of these.

    It can be pickled and forked, and be read by several threads; files are opened by the process that reads them.

    Parameters
    ----------
    path
        The directory of the dataset, or its URL: its shards are then fetched when they are read, and kept in the
        directory that `POSEGEN_CACHE` names, by default `~/.cache/posegen`.
    fields
        Names of what to read, of which nothing else is read; None for all. Or what chooses them of all `fields`, as
        `posegen.loader.fields.list_plain` does.
    raw
        Whether labels come as they are stored, value = stored x scale, instead of as float32; see `scales`.
    flip
        True mirrors every sample left to right, "random" every second one by chance: picture, people and affine map,
        and labels with their left and right channels swapped. See `posegen.loader.flip`.
    views
        Shows every sample in a view of its own, fresh in each epoch: `"scale=0.5-1.1,rotate=40,shift=40,flip=0.5"`, as
        `posegen build --augment` has it; see `posegen.loader.views`. It does not go with `flip`, and needs no label
        that can be mirrored: all of them are drawn for the view.
    labels
        `device` leaves labels to `posegen.loader.torch.DeviceViews`. Instead of those among `fields` samples have
        `keypoints` and `bbox` as they are stored, `views` (5,) float64, as `posegen.images.augment.View.values`, and if
        a label asks, `shown` (H, W) uint8: from 0 to 255 how much of each pixel is picture and not ignored.
    seed
        What chance is drawn from. With a seed, how a sample is flipped or seen depends on the seed, `epoch` and its
        number alone, whoever reads it and when. Without one, every process draws anew.
    widen
        What turns float16 labels into float32 ones, for who has a faster way than NumPy: it is given the labels of some
        samples, and an array to write them to.
    max_open
        How many shards may be open at once in a process. Reading in any order from more shards than that opens a
        shard for nearly every sample; read in the order of `posegen.loader.shuffle.shuffle_shards` instead.
    cache_size
        How many bytes of shards that lie elsewhere this machine may keep; those not opened longest go first.

    Attributes
    ----------
    epoch
        From 0; to be set by who counts epochs and flips at random with a seed.
    pool
        What opens the shards.
    reader
        What reads samples step by step, for who makes batches.
    undrawn
        With `labels="device"` how the labels lie in the dataset that are drawn there; else None.

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
        path: Location,
        *,
        fields: Sequence[str] | Callable[[Mapping[str, Field]], Sequence[str]] | None = None,
        raw: bool = False,
        flip: bool | Literal["random"] = False,
        seed: int | None = None,
        views: Views | None = None,
        labels: LabelsDrawn = "here",
        widen: Widen | None = None,
        max_open: int = MAX_OPEN,
        cache_size: int = CACHE_SIZE,
    ) -> None:
        self.path = find_directory(path).absolute()  # whatever the working directory is when shards are opened
        self.manifest = Manifest.read(self.path)
        self.raw = raw
        self.seed = seed
        self.views = views
        self.epoch = 0
        if flip not in {False, True, "random"}:
            raise ConfigError(f"flip must be True, False or 'random', not {flip!r}")
        self.flip: bool | Literal["random"] = "random" if flip == "random" else bool(flip)
        self.pool = ShardPool(self.path, self.manifest, max_open, ShardCache(cache_size))
        stored = self.pool.read_labels()
        every = describe_fields(self.config, len(self.skeleton.keypoints), stored, raw=raw)
        try:
            self._fields = select_fields(every, fields(every) if callable(fields) else fields)
        except ConfigError as error:
            raise ConfigError(f"{self.path}: {error}") from error
        chosen = [label for label in stored if label.spec.name in self._fields]
        drawer = self._make_drawer(chosen, labels)
        self.undrawn: tuple[StoredLabel, ...] | None = None
        if labels == "device" and drawer is not None:
            self._fields, self.undrawn, chosen = (
                list_undrawn(self._fields, every, drawer.mapper, chosen),
                tuple(chosen),
                [],
            )
        self._labels = {label.spec.name: label for label in chosen}
        self._length = sum(self.shard_sizes)
        samples = self._choose_samples(chosen, drawer, widen)
        self.reader = BatchReader(samples, self._fields, chosen, self.config)

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
        return {name: label.storage.scale for name, label in self._labels.items()}

    def __len__(self) -> int:
        return self._length

    def __repr__(self) -> str:
        options = [
            f"{name}={getattr(self, name)!r}" for name in ("raw", "flip", "seed", "views") if getattr(self, name)
        ]
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
        found = self.reader.read([self._normalize(index)], self.epoch, self.reader.make_arrays(1))
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
        found = self.reader.read(numbers, self.epoch, self.reader.make_arrays(len(numbers), allocate))
        self.reader.stack_columns(found, len(numbers))
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
        if self.flip == "random" or not (self.views is None or callable(self.views)):
            require_seed(self.seed)
        affines = self.reader.read_affines([self._normalize(index) for index in indices], self.epoch)
        return decode(outputs, affines, self.config, self.skeleton)

    def close(self) -> None:
        """Close the shards that this process has open; reading opens them again."""
        self.pool.close()

    def _make_drawer(self, labels: Sequence[StoredLabel], where: LabelsDrawn) -> ViewDrawer | None:
        """Make what draws fresh views, or tells of them; None where there are none."""
        if self.views is None and where == "here":
            return None
        if self.flip:
            raise ConfigError("views and flip do not go together: ask for mirrored views by flip=0.5 among the views")
        views = read_drawn(self.views, self.seed, where, raw=self.raw)
        return open_drawer(self.path, self.manifest, labels, views=views, raw=self.raw)

    def _choose_samples(self, labels: Sequence[StoredLabel], drawer: ViewDrawer | None, widen: Widen | None) -> Samples:
        """Choose how samples are read: as they are stored, perhaps mirrored, or in fresh views."""
        files = SampleFiles(self.pool, self.shard_sizes, labels)
        if drawer is None:
            mirror = Mirror.of(self.config, self.skeleton, labels) if self.flip else None
            chance = RandomFlips(self.seed) if self.flip == "random" else None
            return StoredSamples(files, self._fields, labels, mirror=mirror, chance=chance, raw=self.raw, widen=widen)
        if self.undrawn is not None:
            return UndrawnSamples(files, self._fields, drawer.mapper)
        return ViewedSamples(files, self._fields, drawer)

    def _normalize(self, index: int) -> int:
        number = operator.index(index)
        if not -len(self) <= number < len(self):
            raise IndexError(f"there is no sample {number}: {self.path} has {len(self)}")
        return number % len(self)
