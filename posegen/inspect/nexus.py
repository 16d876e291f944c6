"""Some samples as a NeXus file, which viewers of HDF5 show as it is meant: pictures in colour, labels with their axes.

What a shard has of its first sample as a preview, here is of several, and at the input's size: see
`posegen.shards.nexus`.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from posegen.config import BuildConfig
from posegen.errors import ConfigError
from posegen.files import refuse_target, write_atomically
from posegen.inspect.people import Shards
from posegen.inspect.summary import list_shards
from posegen.labels import ArraySpec
from posegen.shards.manifest import MANIFEST_NAME
from posegen.shards.nexus import Axis, plot_label, plot_picture, write_plots

_HDF5_START = b"\x89HDF"


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
        Where to write; an HDF5 file that is there is replaced, but none of a dataset.

    Raises
    ------
    ConfigError
        If there is nothing at `path`, or nothing can be written at `out`.
    ShardError, ImageError
        If a sample is damaged.
    """
    refuse_target(out, _HDF5_START)
    if out.exists() and (out.parent / MANIFEST_NAME).exists():
        raise ConfigError(f"{out}: is a file of a dataset, which is not replaced; choose another name")
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
    along = Axis(name="sample", places=np.arange(len(names), dtype=np.int64))
    plots = [plot_picture(pictures[0], config.input_size).along(along, np.stack(pictures))]
    for name, rows in values.items():
        plots.append(plot_label(specs[name], rows[0], config).along(along, np.stack(rows)))
    memory = io.BytesIO()
    with h5py.File(memory, "w") as file:
        file.attrs.update({"NX_class": "NXroot", "default": "samples"})
        entry = write_plots(file, "samples", plots)
        entry["title"] = f"{path.name}: the first {len(names)} samples"
        entry["file_name"] = names
    try:
        with memory.getbuffer() as data:
            write_atomically(out, data)
    except OSError as error:
        raise ConfigError(f"{out}: cannot be written: {error.strerror or error}") from error
