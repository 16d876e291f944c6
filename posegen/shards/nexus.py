"""Arrays as NeXus has them, so that viewers of HDF5 show them as they are meant: pictures in colour, labels with axes.

Each is a group of class `NXdata` (https://manual.nexusformat.org/classes/base_classes/NXdata.html), in float32 or whole
numbers and by gzip, which every viewer reads. Its axes x and y are input pixels. Rows are in a picture's order, from
the top; viewers draw those of a heatmap upwards, as their axis says, until they are told to flip it.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from posegen.config import BuildConfig
from posegen.geometry import Size
from posegen.labels import ArraySpec
from posegen.labels.base import without_stride

IMAGE_ATTRIBUTES: Mapping[str, str] = {
    "CLASS": "IMAGE",
    "IMAGE_VERSION": "1.2",
    "IMAGE_SUBCLASS": "IMAGE_TRUECOLOR",
    "INTERLACE_MODE": "INTERLACE_PIXEL",
}
"""By which viewers know pixels R, G, B for a picture (HDF5 Image and Palette Specification 1.2)."""

_ON_CORNERS = ("msra", "msra-unbiased")
"""Heatmaps whose cell i stands for the input pixel i times the stride."""

_NAME = re.compile("[A-Za-z_][A-Za-z0-9_]*")
_TAKEN = ("channel_names", "data", "sample")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Axis:
    """An axis of an array: its name, where along it the elements are, and in which units; '' if in none."""

    name: str
    places: NDArray[Any]
    units: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plot:
    """What a viewer shows at once: an array with its axes.

    Attributes
    ----------
    name
        Of its group.
    values
        Whole numbers or float32.
    axes
        Of `values`; a picture's last axis, R, G, B, has none.
    channels
        Their names, of a label; none for a picture.
    leading
        How many axes there are before those of one sample.
    attributes
        Of the array.
    """

    name: str
    values: NDArray[Any]
    axes: tuple[Axis, ...]
    channels: tuple[str, ...] = ()
    leading: int = 0
    attributes: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def chunk(self) -> tuple[int, ...]:
        """The shape of a chunk: a picture, one channel of a label, or all of one without cells."""
        cut = self.leading + (1 if self.channels and self.attributes else 0)
        return (1,) * cut + self.values.shape[cut:]

    @property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """All arrays of its group, by name: `data`, its axes, and `channel_names`."""
        found = {"data": self.values} | {axis.name: axis.places for axis in self.axes}
        return found | ({"channel_names": fix_texts(self.channels)} if self.channels else {})

    def along(self, axis: Axis, values: NDArray[Any]) -> Plot:
        """Return one of values that have an axis more, before all others."""
        return dataclasses.replace(self, values=values, axes=(axis, *self.axes), leading=self.leading + 1)


def plot_picture(pixels: NDArray[np.uint8], input_size: Size) -> Plot:
    """Show a picture (h, w, 3) uint8 R, G, B of an input of (H, W) pixels, which may have been reduced."""
    axes = tuple(
        Axis(name=name, places=_find_middles(count, whole), units="px")
        for name, count, whole in zip("yx", pixels.shape, input_size, strict=False)
    )
    attributes = {**IMAGE_ATTRIBUTES, "interpretation": "rgb-image"}
    return Plot(name="picture", values=pixels, axes=axes, attributes=attributes)


def plot_label(spec: ArraySpec, values: NDArray[Any], config: BuildConfig) -> Plot:
    """Show a label (*spec.shape) of a sample, one that is not by person."""
    axes = []
    for i, (called, length) in enumerate(zip(spec.axes, spec.shape, strict=True)):
        # Labels of other packages name their axes as they like.
        name = called if _NAME.fullmatch(called) and called not in _TAKEN else f"axis_{i}"
        if spec.cells and i >= len(spec.shape) - 2:
            pixels = config.input_size[i - len(spec.shape)]
            axes.append(Axis(name=name, places=_find_places(spec, config, length, pixels), units="px"))
        else:
            axes.append(Axis(name=name, places=np.arange(length, dtype=np.int64)))
    attributes = {"interpretation": "image"} if spec.cells else {}
    return Plot(name=spec.name, values=values, axes=tuple(axes), channels=spec.channels, attributes=attributes)


def write_plots(parent: h5py.Group, name: str, plots: Sequence[Plot]) -> h5py.Group:
    """Write a group of class `NXentry` of some plots, of which the first is shown when it is opened; returns it."""
    entry = create_group(parent, name, NX_class="NXentry", default=plots[0].name)
    for plot in plots:
        _write_plot(entry, plot)
    return entry


def create_group(parent: h5py.Group, name: str, **attributes: str) -> h5py.Group:
    """Create a group that does not hold the time, which h5py's did before 3.15."""
    grouping = h5py.h5p.create(h5py.h5p.GROUP_CREATE)
    grouping.set_obj_track_times(False)
    group = h5py.Group(h5py.h5g.create(parent.id, name.encode(), gcpl=grouping))
    group.attrs.update({key: fix_text(value) for key, value in attributes.items()})
    return group


def put(group: h5py.Group, name: str, values: NDArray[Any]) -> h5py.Dataset:
    """Store a small array as one chunk with a checksum; one without elements can have no chunk."""
    guarded = {"chunks": values.shape, "fletcher32": True} if values.size else {}
    return group.create_dataset(name, data=values, track_times=False, **guarded)


def fix_text(text: str) -> NDArray[np.bytes_]:
    """Make text of fixed length, which is kept with its owner and its checksum; other text is on a heap with none."""
    data = text.encode()
    return np.array(data, h5py.string_dtype("utf-8", max(1, len(data))))


def fix_texts(texts: Sequence[str]) -> NDArray[np.bytes_]:
    """Make an array of text of fixed length, as long as the longest is."""
    encoded = [text.encode() for text in texts]
    return np.array(encoded, h5py.string_dtype("utf-8", max([1, *map(len, encoded)])))


def _write_plot(entry: h5py.Group, plot: Plot) -> None:
    group = create_group(entry, plot.name, NX_class="NXdata", signal="data", title=plot.name)
    names = [axis.name for axis in plot.axes]
    rest = ["."] * (plot.values.ndim - len(names))
    group.attrs["axes"] = fix_texts(names + rest)
    if plot.channels:
        group.attrs["channel_names_indices"] = plot.leading
    if plot.channels and plot.attributes:
        group.attrs["default_slice"] = fix_texts(_choose_slice(plot))
    data = group.create_dataset(
        "data", data=plot.values, chunks=plot.chunk, compression="gzip", fletcher32=True, track_times=False
    )
    data.attrs["long_name"] = fix_text(plot.name)
    data.attrs.update({key: fix_text(value) for key, value in plot.attributes.items()})
    for name, values in plot.arrays.items():
        if name != "data":
            put(group, name, values)
    for axis in plot.axes:
        if axis.units:
            group[axis.name].attrs["units"] = fix_text(axis.units)


def _choose_slice(plot: Plot) -> list[str]:
    """Choose which cells of a label are shown first: those of a channel that is not the same everywhere."""
    first = plot.values[(0,) * plot.leading]
    drawn = [i for i, cells in enumerate(first) if (cells != cells.flat[0]).any()]
    channel = drawn[0] if drawn else 0
    return ["0"] * plot.leading + [str(channel)] + ["0"] * (first.ndim - 3) + [".", "."]


def _find_places(spec: ArraySpec, config: BuildConfig, count: int, pixels: int) -> NDArray[np.float64]:
    """Tell which input pixels the cells along an axis stand for, as `posegen labels` says of the label."""
    if without_stride(spec.name) == "heatmap" and config.heatmap in _ON_CORNERS:
        return np.asarray(np.arange(count) * (pixels / count), np.float64)
    if without_stride(spec.name) == "heatmap" and config.heatmap == "udp":
        return np.asarray(np.arange(count) * ((pixels - 1) / max(count - 1, 1)), np.float64)
    return _find_middles(count, pixels)


def _find_middles(count: int, pixels: int) -> NDArray[np.float64]:
    """Tell where the middles are of `count` cells that cover a number of pixels, whose middles are whole numbers."""
    return np.asarray((np.arange(count) + 0.5) * (pixels / count) - 0.5, np.float64)
