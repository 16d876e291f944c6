"""What makes a batch, in a worker: posegen's shards, and what they are compared with in section `read`."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from posegen.annotations import Sample
from posegen.build.plan import ShardTask
from posegen.build.scene import place
from posegen.images import codec, files, warp
from posegen.images.augment import Augmentation
from posegen.images.stored import StoredPicture
from posegen.labels import Label, reference
from posegen.loader import PoseDataset
from posegen.shards import ShardReader
from posegen.shards.manifest import Manifest

Batch = dict[str, NDArray[Any]]

_Makers = Mapping[str, Callable[[Sample, ShardTask], NDArray[Any]]]
"""By field, what makes it of a sample and its task."""


class Shards:
    """Reads the shards of a dataset.

    Parameters
    ----------
    out
        The dataset's directory.
    fields
        What to read of it.
    kept
        Whether batches are handed over to the process that trains.
    raw
        Whether labels stay as they are stored.
    """

    def __init__(self, out: Path, fields: Sequence[str], *, kept: bool, raw: bool = False) -> None:
        from posegen.loader.torch.halves import widen_halves

        self._data = PoseDataset(out, fields=fields, raw=raw, widen=widen_halves)
        self._kept = kept

    def __call__(self, indices: Sequence[int]) -> Batch:
        """Read the batch of some samples: arrays where it stays, tensors where it is handed over."""
        if not self._kept:
            return self._data.batch(indices)
        from posegen.loader.torch.sharing import SharedArrays, SharedBatch

        shared = SharedArrays()
        found = self._data.batch(indices, shared.allocate)
        return SharedBatch({name: shared.tensor(values) for name, values in found.items()})


@dataclass(frozen=True, slots=True, eq=False)
class StoredPictures:
    """Decodes the pictures of a dataset, which are in memory; `size` is the input's (H, W)."""

    pictures: Sequence[StoredPicture]
    size: tuple[int, int]

    def __call__(self, indices: Sequence[int]) -> Batch:
        """Decode some pictures: `image` (B, H, W, 3) uint8."""
        out = np.empty((len(indices), *self.size, 3), np.uint8)
        for pixels, index in zip(out, indices, strict=True):
            self.pictures[index].fill(pixels)
        return {"image": out}


class Online:
    """Decodes, resizes and draws all labels with posegen's renderers."""

    def __init__(self, task: ShardTask) -> None:
        self._task = task
        self._labels: tuple[Label, ...] = task.config.create_labels(task.skeleton)

    def __call__(self, indices: Sequence[int]) -> Batch:
        """Make `image` (B, H, W, 3) uint8 and all labels, (B, C, h, w) float32, of some samples."""
        task = self._task
        samples = [task.samples[index] for index in indices]
        scenes = [place(sample, task)[0] for sample in samples]
        found = {label.spec.name: np.stack([label.render(scene) for scene in scenes]) for label in self._labels}
        return found | {"image": np.stack([_show(sample, task) for sample in samples])}


def augment(task: ShardTask, ranges: str, copies: int) -> ShardTask:
    """Let each sample of a task come some times, in a view of its own, drawn from ranges as a build reads them."""
    config = dataclasses.replace(task.config, augment=Augmentation.parse(ranges), copies=copies)
    samples = tuple(dataclasses.replace(sample, copy=copy) for copy in range(copies) for sample in task.samples)
    return dataclasses.replace(task, config=config, samples=samples)


def read_pictures(out: Path) -> list[StoredPicture]:
    """Read all encoded pictures of a dataset."""
    found: list[StoredPicture] = []
    for shard in Manifest.read(out).shards:
        with ShardReader(out / shard.file) as reader:
            found += [reader.picture(index) for index in range(len(reader))]
    return found


def _show(sample: Sample, task: ShardTask) -> NDArray[np.uint8]:
    """Decode and resize a picture: (H, W, 3) R, G, B."""
    data = files.read_file(task.images, sample.file_name)
    picture = codec.decode(data, (sample.height, sample.width), sample.file_name)
    show = warp.warp_fitted if task.config.augment is None else warp.warp_linear
    return show(picture, place(sample, task)[0].affine, task.config.input_size)[..., ::-1]


def _draw_heatmap(sample: Sample, task: ShardTask) -> NDArray[np.float32]:
    scene, config = place(sample, task)[0], task.config
    sigma = config.sigma_px or math.nan
    return reference.render_heatmap_vectorized(
        scene.points, scene.drawn, input_size=config.input_size, cells=config.cells, sigma_px=sigma
    )


def _draw_paf(sample: Sample, task: ShardTask) -> NDArray[np.float32]:
    scene, config = place(sample, task)[0], task.config
    return reference.render_paf_vectorized(
        scene.points,
        scene.drawn,
        task.skeleton.limbs,
        input_size=config.input_size,
        cells=config.cells,
        half_width_px=config.half_width_px,
    )


class _OneByOne:
    """Makes each field of a batch sample by sample."""

    _fields: ClassVar[_Makers]

    def __init__(self, task: ShardTask) -> None:
        self._task = task

    def __call__(self, indices: Sequence[int]) -> Batch:
        """Make the fields (B, ...) of some samples."""
        samples = [self._task.samples[index] for index in indices]
        return {name: np.stack([make(sample, self._task) for sample in samples]) for name, make in self._fields.items()}


class Text(_OneByOne):
    """What training does without posegen: decode, resize, one NumPy expression a keypoint at full resolution.

    `image` (B, H, W, 3) uint8 and `heatmap` (B, K + 1, h, w) float32.
    """

    _fields: ClassVar[_Makers] = {"image": _show, "heatmap": _draw_heatmap}


class Augmented(_OneByOne):
    """What training does without posegen of an augmented task: decode, warp, one NumPy expression a keypoint and limb.

    `image` (B, H, W, 3) uint8, `heatmap` (B, K + 1, h, w) and `paf` (B, 2E, h, w), float32.
    """

    _fields: ClassVar[_Makers] = {"image": _show, "heatmap": _draw_heatmap, "paf": _draw_paf}


class Vectorised(_OneByOne):
    """Draws labels by one NumPy expression a keypoint or limb at full resolution.

    `heatmap` (B, K + 1, h, w) and `paf` (B, 2E, h, w), float32.
    """

    _fields: ClassVar[_Makers] = {"heatmap": _draw_heatmap, "paf": _draw_paf}
