"""`posegen.PoseDataset` as a map-style dataset of PyTorch tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset, default_collate, get_worker_info

from posegen.loader.dataset import PoseDataset
from posegen.loader.fields import list_padded, list_plain
from posegen.loader.torch.epoch import SharedEpoch
from posegen.loader.torch.halves import widen_halves
from posegen.loader.torch.pictures import ImageDtype, Transform, choose_normalization, recolour, show_channels
from posegen.loader.torch.sharing import SharedArrays, SharedBatch
from posegen.loader.views import LabelsDrawn, Views
from posegen.loader.weights import weigh_samples
from posegen.shards.cache import CACHE_SIZE
from posegen.storage import Location


class TorchPoseDataset(Dataset):
    """The samples of a dataset as tensors, for `torch.utils.data.DataLoader` with any number of workers.

    A sample is a dict of what `posegen.PoseDataset` has, in tensors: `image` is (3, H, W) R, G, B, channels last in
    memory, the labels are in the layout of the build, numbers are int and text is str. A loader that gets
    `collate_fn=collate` reads a batch in one go and pads the people.

    >>> data = TorchPoseDataset("out/", fields=["image", "heatmap", "mask", "keypoints"])
    >>> loader = DataLoader(data, 16, sampler=ShardShuffleSampler(data), num_workers=4, collate_fn=collate)

    Parameters
    ----------
    path
        The directory of the dataset.
    fields
        Names of what to read, of which nothing else is read; None reads picture, labels and `image_id`, which any
        collate function can stack.
    mean, std
        Three numbers each, R, G, B: `image` is (x - mean) / std, with x from 0 to 1.
    image_dtype
        `float32`, from 0 to 1 before normalisation, or `uint8`, from 0 to 255: a quarter of the bytes between processes
        and to a GPU.
    raw, flip, views, seed
        As in `posegen.PoseDataset`.
    labels
        `device` leaves labels to `DeviceViews`; pictures come as bytes.
    transform
        Changes the colours of a picture: given (3, H, W) uint8 it returns as much. It is called for every picture that
        is read, after it was flipped or seen anew and before it is normalised, by whoever reads. A GPU does that in
        less time: take pictures of `uint8`, and change the batch there.
    cache_size
        As in `posegen.PoseDataset`.

    Attributes
    ----------
    data
        The `posegen.PoseDataset`.

    Raises
    ------
    ShardError
        If there is no dataset, or it is damaged.
    ConfigError
        If there is no such field or option, or bytes are to be normalised.
    """

    def __init__(
        self,
        path: Location,
        *,
        fields: Sequence[str] | None = None,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        image_dtype: ImageDtype = "float32",
        raw: bool = False,
        flip: bool | Literal["random"] = False,
        views: Views | None = None,
        labels: LabelsDrawn = "here",
        seed: int | None = None,
        transform: Transform | None = None,
        cache_size: int = CACHE_SIZE,
    ) -> None:
        self._normalization = choose_normalization(labels, image_dtype, mean, std)
        self._transform = transform
        self._epoch = SharedEpoch()
        self.data = PoseDataset(
            path,
            fields=list_plain if fields is None else fields,
            raw=raw,
            flip=flip,
            views=views,
            labels=labels,
            seed=seed,
            widen=widen_halves,
            cache_size=cache_size,
        )

    @property
    def shard_sizes(self) -> tuple[int, ...]:
        """How many samples each shard has."""
        return self.data.shard_sizes

    def sample_weights(self, weights: Mapping[str, float] | None = None) -> torch.Tensor:
        """Weigh each sample by its source, (S,) float64, for a `torch.utils.data.WeightedRandomSampler`.

        As `posegen.loader.weights.weigh_samples` does, whose module has an example.
        """
        return torch.from_numpy(weigh_samples(self.data, weights))

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch flips and views of a seed are drawn for; workers that have it already hear it, too.

        `ShardShuffleSampler.set_epoch` says it to the dataset that it was made for.
        """
        self._epoch.number = self.data.epoch = epoch

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Read a sample."""
        self.data.epoch = self._epoch.number
        found = self.data[index]
        if "image" in found:
            found["image"] = self._convert(found["image"][None], SharedArrays())[0]
        sample = {name: _tensor(value) for name, value in found.items()}
        if "image" in sample:
            sample["image"] = sample["image"].permute(2, 0, 1)
        return sample

    def __getitems__(self, indices: Sequence[int]) -> list[dict[str, Any]]:
        """Read a batch in one go: PyTorch calls this where it is, and hands what it gets to the collate function."""
        shared = SharedArrays()
        self.data.epoch = self._epoch.number
        found = self.data.batch(indices, shared.allocate)
        if "image" in found:
            found["image"] = self._convert(found["image"], shared)
        batch = {name: _tensor(value, shared) for name, value in found.items()}
        if "image" in batch:
            batch["image"] = show_channels(batch["image"])
        return _Batch(batch, len(indices))

    def _convert(self, pixels: NDArray[np.uint8], shared: SharedArrays) -> NDArray[Any]:
        """Turn (B, H, W, 3) uint8 into what is handed out."""
        if self._transform is not None:
            recolour(pixels, self._transform)
        if self._normalization.dtype == np.uint8:
            return pixels
        numbers = shared.allocate(pixels.shape, self._normalization.dtype)
        self._normalization.convert(pixels, numbers)
        return numbers


class _Batch(list[dict[str, Any]]):
    """Samples that are views of a batch that was read in one go."""

    def __init__(self, stacked: Mapping[str, Any], size: int) -> None:
        super().__init__({name: _pick(values, i) for name, values in stacked.items()} for i in range(size))
        self.stacked = stacked


def collate(samples: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Stack the samples of a `TorchPoseDataset`, with as many people each as the sample with the most has.

    Returns
    -------
    A dict of what a sample has, stacked; text is a list. `keypoints` (B, P, K, 3), `bbox` (B, P, 4), `annotation_id`
    (B, P) and labels by person (B, P, ...) are padded with zeros, so that v is 0 for who is not there; where one of
    them is read, `people` (B,) int64 says how many are.
    """
    batch = pad_people(samples.stacked if isinstance(samples, _Batch) else _stack(samples))
    return batch if get_worker_info() is None else SharedBatch(batch)


def pad_people(stacked: Mapping[str, Any]) -> dict[str, Any]:
    """Make one tensor of the lists that have one for each sample's people, as `collate` does."""
    found: dict[str, Any] = {}
    for name, values in stacked.items():
        if isinstance(values, list) and values and isinstance(values[0], torch.Tensor):
            found["people"] = torch.tensor([len(people) for people in values])
            found[name] = torch.nn.utils.rnn.pad_sequence(values, batch_first=True)
        else:
            found[name] = values
    return found


def _stack(samples: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Stack samples that were read one by one, but for what has a row a person: that is left a list."""
    found: dict[str, Any] = {}
    for name in samples[0]:
        values = [sample[name] for sample in samples]
        lengths = {len(value) for value in values if isinstance(value, torch.Tensor) and value.ndim}
        found[name] = values if name in list_padded() or len(lengths) > 1 else default_collate(values)
    return found


def _tensor(value: Any, shared: SharedArrays | None = None) -> Any:
    """Make tensors of arrays, and lists of them of lists."""
    if isinstance(value, np.ndarray):
        return torch.from_numpy(value) if shared is None else shared.tensor(value)
    return [_tensor(item) for item in value] if isinstance(value, list) else value


def _pick(values: Any, index: int) -> Any:
    """Return one sample's part of a batch; numbers as Python has them, as a single sample has them."""
    found = values[index]
    return found.item() if isinstance(found, torch.Tensor) and not found.ndim else found
