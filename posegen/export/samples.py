"""What is exported of a sample: its picture in the input, encoded, its labels as they are stored, all that is known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posegen.geometry import Size
from posegen.images import codec
from posegen.images.stored import StoredPicture
from posegen.loader import PoseDataset

_SUFFIXES = {"jpeg": "jpg", "png": "png"}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ExportedSample:
    """A sample of a dataset.

    Attributes
    ----------
    number
        Its number in the dataset, from 0.
    picture, suffix
        The encoded picture, H x W pixels, and its file's suffix.
    labels
        By name, as stored: value = stored x scale.
    known
        By name what else there is of it, as `posegen.PoseDataset` gives it.
    """

    number: int
    picture: bytes
    suffix: str
    labels: dict[str, NDArray[Any]]
    known: dict[str, Any]


def read_samples(data: PoseDataset, shard: int) -> Iterator[ExportedSample]:
    """Read the samples of a shard of a dataset that was opened with `raw`; raises `ShardError` if it is damaged."""
    start, count = sum(data.shard_sizes[:shard]), data.shard_sizes[shard]
    for position in range(count):
        sample = data[start + position]
        with data.pool.use(shard) as reader:
            stored = reader.picture(position)
        picture, suffix = _encode(stored, sample.pop("image"), data.config.input_size, data.config.image_encoding)
        labels = {name: sample.pop(name) for name in data.scales}
        yield ExportedSample(number=start + position, picture=picture, suffix=suffix, labels=labels, known=sample)


def describe(data: PoseDataset) -> dict[str, Any]:
    """Say what the arrays of exported samples mean, in plain numbers and words."""
    labels = {
        name: {
            "shape": [None if length is None else int(length) for length in field.shape],
            "dtype": str(field.dtype),
            "scale": data.scales[name],
        }
        for name, field in data.fields.items()
        if name in data.scales
    }
    return {
        "samples": len(data),
        "input": list(data.config.input_size),
        "labels": labels,
        "layout": data.config.layout,
        "config": data.config.to_dict(),
        "skeleton": data.skeleton.to_dict(),
        "source": dict(data.manifest.source),
    }


def _encode(stored: StoredPicture, pixels: NDArray[np.uint8], size: Size, encoding: str) -> tuple[bytes, str]:
    """Return a picture as it is stored where it fills the input, or else the input with its padding, without loss."""
    if encoding in _SUFFIXES and stored.frame == size and stored.box == (0, 0, *size[::-1]):
        return stored.data, _SUFFIXES[encoding]
    return codec.encode(np.ascontiguousarray(pixels[..., ::-1]), "png", 0), "png"
