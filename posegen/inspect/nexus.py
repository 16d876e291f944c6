"""Some samples as a NeXus file, which viewers of HDF5 show as it is meant: pictures in colour, labels with their axes.

Shards are made to be read fast: pictures are JPEG, labels half floats or whole numbers, compressed by filters that not
every viewer has. Here pictures are pixels, labels are float32 in their own units, and gzip compresses both. Each is an
`NXdata` group (https://manual.nexusformat.org/classes/base_classes/NXdata.html); its axes x and y are input pixels.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from posegen.config import BuildConfig
from posegen.errors import ConfigError
from posegen.files import write_atomically
from posegen.inspect.people import Shards
from posegen.inspect.summary import list_shards
from posegen.labels import ArraySpec
from posegen.labels.base import without_stride
from posegen.shards.writer import IMAGE_ATTRIBUTES

_ON_CORNERS = ("msra", "msra-unbiased")
"""Heatmaps whose cell i stands for the input pixel i times the stride."""


def save_nexus(path: Path, count: int, out: Path) -> None:
    """Write the first samples of a dataset or shard as a NeXus file.

    Labels by person are left out: they have as many rows as there are people.

    Parameters
    ----------
    path
        A dataset's directory, or a shard.
    count
        How many samples.
    out
        Where to write; a file that is there is replaced.

    Raises
    ------
    ConfigError
        If there is nothing at `path`, or nothing can be written at `out`.
    ShardError, ImageError
        If a sample is damaged.
    """
    if not out.parent.is_dir():
        raise ConfigError(f"{out}: cannot be written: there is no directory {out.parent}; create it first")
    shards = Shards(files=list_shards(path))
    pictures: list[NDArray[np.uint8]] = []
    names: list[str] = []
    values: dict[str, list[NDArray[Any]]] = {}
    specs: dict[str, ArraySpec] = {}
    config = BuildConfig()
    for _, reader, place in shards.visit(range(min(count, len(shards)))):
        config = reader.config
        pictures.append(reader.picture(place).show(config.input_size))
        names.append(reader.sample(place)["file_name"])
        for label in reader.labels:
            if not label.spec.by_person:
                specs[label.spec.name] = label.spec
                values.setdefault(label.spec.name, []).append(reader.label(label, place))
    memory = io.BytesIO()
    with h5py.File(memory, "w") as file:
        file.attrs.update({"NX_class": "NXroot", "default": "samples"})
        entry = file.create_group("samples")
        entry.attrs.update({"NX_class": "NXentry", "default": "picture"})
        entry["title"] = f"{path.name}: the first {len(names)} samples"
        entry["file_name"] = names
        _write_pictures(entry, np.stack(pictures))
        for name, rows in values.items():
            _write_label(entry, specs[name], np.stack(rows), config)
    try:
        with memory.getbuffer() as data:
            write_atomically(out, data)
    except OSError as error:
        raise ConfigError(f"{out}: cannot be written: {error.strerror or error}") from error


def _write_pictures(entry: h5py.Group, pictures: NDArray[np.uint8]) -> None:
    group, data = _create(entry, "picture", pictures, ("sample", "y", "x", "."))
    data.attrs.update({**IMAGE_ATTRIBUTES, "interpretation": "rgb-image"})
    for axis, length in (("y", pictures.shape[1]), ("x", pictures.shape[2])):
        _write_axis(group, axis, np.arange(length), "px")


def _write_label(entry: h5py.Group, spec: ArraySpec, values: NDArray[Any], config: BuildConfig) -> None:
    values = values if spec.is_whole else values.astype(np.float32)
    group, data = _create(entry, spec.name, values, ("sample", *spec.axes))
    if spec.cells:
        data.attrs["interpretation"] = "image"
    group["channel_names"] = list(spec.channels)
    for axis, length in zip(spec.axes, spec.shape, strict=True):
        if spec.cells and axis in spec.axes[-2:]:
            pixels = config.input_size[spec.axes[-2:].index(axis)]
            _write_axis(group, axis, _find_places(spec, config, length, pixels), "px")
        else:
            _write_axis(group, axis, np.arange(length), "")


def _create(entry: h5py.Group, name: str, values: NDArray[Any], axes: Sequence[str]) -> tuple[h5py.Group, h5py.Dataset]:
    """Create a group of class NXdata, with a chunk for each sample and channel."""
    group = entry.create_group(name)
    group.attrs.update({"NX_class": "NXdata", "signal": "data", "axes": list(axes), "title": name})
    whole = 1 if name == "picture" else 2
    chunks = (1,) * min(whole, values.ndim - 1) + values.shape[min(whole, values.ndim - 1) :]
    data = group.create_dataset("data", data=values, chunks=chunks, compression="gzip", shuffle=True)
    data.attrs["long_name"] = name
    _write_axis(group, "sample", np.arange(len(values)), "")
    return group, data


def _write_axis(group: h5py.Group, name: str, places: NDArray[Any], units: str) -> None:
    group[name] = places
    if units:
        group[name].attrs["units"] = units


def _find_places(spec: ArraySpec, config: BuildConfig, count: int, pixels: int) -> NDArray[np.float64]:
    """Tell which input pixels the cells along an axis stand for, as `posegen labels` says of the label."""
    cells = np.arange(count)
    if without_stride(spec.name) == "heatmap" and config.heatmap in _ON_CORNERS:
        return np.asarray(cells * (pixels / count), np.float64)
    if without_stride(spec.name) == "heatmap" and config.heatmap == "udp":
        return np.asarray(cells * ((pixels - 1) / max(count - 1, 1)), np.float64)
    return np.asarray((cells + 0.5) * (pixels / count) - 0.5, np.float64)
