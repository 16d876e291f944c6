"""A preview of a shard: its first sample, in a form that every viewer of HDF5 shows.

Shards are made to be read fast: pictures are JPEG, labels half floats, by filters that not every viewer has. What is
looked at most is there once more: a reduced picture as pixels, and each label that has cells in float32 or whole
numbers, as `nexus` has them. It is made of what the shard holds, so that it can be checked. Nothing else reads it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
from numpy.typing import NDArray

from posegen.config import BuildConfig
from posegen.geometry import Box, Size
from posegen.labels.base import Drawn
from posegen.shards.codecs import GZIP, NONE
from posegen.shards.nexus import Plot, fix_text, plot_label, plot_picture, write_plots
from posegen.shards.rules import ArrayRule
from posegen.shards.schema import PREVIEW, BuiltSample, StoredLabel

if TYPE_CHECKING:
    from posegen.shards.hdf5 import GuardedFile

_LONGEST_SIDE = 192
"""Of its picture, in pixels."""

_MOST_OFF = 16
"""By how much a pixel may differ: decoders of JPEG do not agree to the last bit."""


def make_preview(
    config: BuildConfig,
    labels: Sequence[StoredLabel],
    pixels: NDArray[np.uint8],
    read: Callable[[StoredLabel], NDArray[Any]],
) -> tuple[Plot, ...]:
    """Make the preview of a shard.

    Parameters
    ----------
    config, labels
        Of the shard.
    pixels
        (H, W, 3) uint8 R, G, B: the input of its first sample, as it is stored.
    read
        Returns a label of that sample, (*spec.shape), of what is stored of it.
    """
    import cv2

    size = find_size(config.input_size)
    if size != config.input_size:
        pixels = np.asarray(cv2.resize(pixels, size[::-1], interpolation=cv2.INTER_AREA), np.uint8)
    plots = [plot_label(label.spec, read(label), config) for label in choose_labels(labels)]
    return plot_picture(pixels, config.input_size), *plots


def preview_built(
    config: BuildConfig, labels: Sequence[StoredLabel], sample: BuiltSample, drawn: Mapping[str, Drawn]
) -> tuple[Plot, ...]:
    """Make the preview of a shard that begins with a sample; `drawn` are its labels by name, as they are stored."""
    from posegen.images.stored import StoredPicture

    box = sample.box or Box(0, 0, *config.frame_size[::-1])
    picture = StoredPicture(sample.image, box, config.frame_size, config.image_encoding == "raw", sample.file_name)

    def read(label: StoredLabel) -> NDArray[Any]:
        return label.restore(label.storage.decode(np.asarray(drawn[label.spec.name][0])))

    return make_preview(config, labels, picture.show(config.input_size), read)


def choose_labels(labels: Sequence[StoredLabel]) -> list[StoredLabel]:
    """Choose the labels that can be looked at: those with cells, and not by person."""
    return [label for label in labels if label.spec.cells and not label.spec.by_person]


def list_previewed(labels: Sequence[StoredLabel]) -> list[str]:
    """List what a preview shows."""
    return ["picture", *(label.spec.name for label in choose_labels(labels))]


def find_size(input_size: Size) -> Size:
    """Return the (h, w) of a preview's picture: that of the input, or what is left of it where that is large."""
    longest = max(input_size)
    if longest <= _LONGEST_SIDE:
        return input_size
    height, width = (max(1, side * _LONGEST_SIDE // longest) for side in input_size)
    return height, width


def write_preview(file: h5py.File, plots: Sequence[Plot]) -> None:
    """Write the preview into a shard; a viewer that opens the shard shows its picture."""
    entry = write_plots(file, PREVIEW, plots)
    entry.attrs["title"] = fix_text("the first sample of this shard")
    file.attrs.update({"NX_class": fix_text("NXroot"), "default": fix_text(PREVIEW)})


def lay_out_preview(config: BuildConfig, labels: Sequence[StoredLabel]) -> dict[str, ArrayRule]:
    """Say what every array of a preview has to be, by path."""
    plots = [plot_picture(np.zeros((*find_size(config.input_size), 3), np.uint8), config.input_size)]
    for label in choose_labels(labels):
        blank = np.broadcast_to(np.zeros((), label.storage.read_dtype), label.spec.shape)
        plots.append(plot_label(label.spec, blank, config))
    rules = {}
    for plot in plots:
        for name, values in plot.arrays.items():
            rules[f"{PREVIEW}/{plot.name}/{name}"] = ArrayRule(
                shape=values.shape,
                dtype="S" if values.dtype.kind == "S" else values.dtype.name,
                chunk=plot.chunk if name == "data" else values.shape,
                codec=GZIP if name == "data" else NONE,
            )
    return rules


def read_preview(file: GuardedFile, config: BuildConfig, labels: Sequence[StoredLabel]) -> dict[str, NDArray[Any]]:
    """Read all arrays of a preview, by path, once they are held against their rules.

    Raises
    ------
    ShardError
        If one is missing, too many or damaged.
    """
    rules = lay_out_preview(config, labels)
    if foreign := sorted(file.names({path.rpartition("/")[0] for path in rules}, PREVIEW) - rules.keys()):
        raise file.damage(f"{foreign[0]!r} is no part of a preview")
    found: dict[str, NDArray[Any]] = {}
    for path, rule in rules.items():
        file.open(path, rule)
        if rule.codec is NONE:
            found[path] = file.read(path, ...)
            continue
        found[path] = values = np.empty(rule.shape, rule.dtype)
        step = (rule.chunk or rule.shape)[0]
        count = rule.shape[0] // step
        for i, chunk in enumerate(file.read_chunks(path, range(count), [None] * count)):
            chunk.unpack(values[i * step : (i + 1) * step])
    return found


def compare_previews(found: Mapping[str, NDArray[Any]], plots: Sequence[Plot]) -> str | None:
    """Say which array of a preview is not what the shard's first sample makes of it; None if none."""
    for plot in plots:
        for name, values in plot.arrays.items():
            path = f"{PREVIEW}/{plot.name}/{name}"
            there = found[path]
            if plot.name == "picture" and name == "data":
                same = int(np.abs(there.astype(np.int16) - values).max()) <= _MOST_OFF
            elif values.dtype.kind == "S":
                same = there.tolist() == values.tolist()
            else:
                same = np.array_equal(there, values, equal_nan=True)
            if not same:
                return f"{path} does not show the first sample"
    return None
