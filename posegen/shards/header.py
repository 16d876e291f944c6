"""What a shard says of itself, before anything in it is read: its format, what it was built with, its labels."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from posegen.config import BuildConfig
from posegen.errors import ShardError
from posegen.geometry import Size
from posegen.labels import ArraySpec
from posegen.labels.registry import check_name
from posegen.shards.hdf5 import GuardedFile
from posegen.shards.mirror import read_mirror
from posegen.shards.quantize import choose_storage
from posegen.shards.record import parse_json
from posegen.shards.schema import FORMAT, READABLE, READABLE_TEXT, StoredLabel
from posegen.skeleton import Skeleton

_LARGEST = 1e9
"""No label has larger values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What a shard says of itself.

    Attributes
    ----------
    version
        Of its format.
    config, skeleton
        What it was built with.
    versions
        Of the libraries that wrote it.
    labels
        How its labels are stored.
    task_digest
        Of all that it was built from but the pictures; None if it does not say.
    """

    version: int
    config: BuildConfig
    skeleton: Skeleton
    versions: dict[str, str]
    labels: tuple[StoredLabel, ...]
    task_digest: str | None


def read_header(file: GuardedFile) -> Header:
    """Read what a shard says of itself.

    Raises
    ------
    ShardError
        If it is no shard, is damaged, or is of an unknown format version.
    """
    if file.attribute("format") != FORMAT:
        raise ShardError(f"{file.path}: is HDF5, but no posegen shard")
    version = file.attribute("format_version")
    if version not in READABLE:
        raise ShardError(
            f"{file.path}: has format version {version}, this posegen reads {READABLE_TEXT}; "
            "use the posegen that wrote it, or build the dataset again"
        )
    with file.wrap_errors("its description"):
        config = BuildConfig.from_dict(_parse(file, "config"))
        skeleton = Skeleton.from_dict(_parse(file, "skeleton"))
        versions = dict(_parse(file, "versions"))
    labels = tuple(_read_label(file, name, config) for name in _list_labels(file, config))
    digest = file.attribute("task_digest")
    return Header(
        version=version,
        config=config,
        skeleton=skeleton,
        versions=versions,
        labels=labels,
        task_digest=digest if isinstance(digest, str) else None,
    )


def _parse(file: GuardedFile, attribute: str, of: str = "") -> Any:
    text = file.attribute(attribute, of)
    if not isinstance(text, str):
        raise file.damage(f"it has no text {attribute}{' of ' if of else ''}{of}")
    return parse_json(text)


def _list_labels(file: GuardedFile, config: BuildConfig) -> list[str]:
    """Read which arrays are labels: the package that made them need not be here to read them."""
    names = _parse(file, "labels")
    with file.wrap_errors("its list of labels"):
        for name in names:
            check_name(name)
            if not any(name == label or name.startswith(f"{label}_") for label in config.labels):
                raise ValueError(f"{name} is none of {', '.join(config.labels)}")
    if not isinstance(names, list) or len(set(names)) != len(names):
        raise file.damage(f"its list of labels is {names!r:.200}")
    return names


def _read_label(file: GuardedFile, name: str, config: BuildConfig) -> StoredLabel:
    """Read how a label is stored; what that determines is held against the configuration."""
    with file.wrap_errors(name):
        channels = tuple(map(str, _parse(file, "channels", name)))
        scale, error, low, high = (
            float(file.attribute(key, name)) for key in ("scale", "max_abs_error", "low", "high")
        )
        if not -_LARGEST <= low <= 0 <= high <= _LARGEST or low == high:
            raise ValueError(f"its values cannot lie between {low} and {high}")
        spec = ArraySpec(
            name=name,
            channels=channels,
            cells=_read_cells(file, name, config.input_size),
            low=low,
            high=high,
            mirror=read_mirror(file.attribute("mirror", name)),
            **_read_shape(file, name),
        )
        storage = choose_storage(config.label_dtype, spec)
    if not channels or len(set(channels)) != len(channels):
        raise file.damage(f"{name} has {len(channels)} channels, {len(set(channels))} of different names")
    laid_out = file.attribute("layout", name) == config.layout and scale == storage.scale
    if not laid_out or not 0 <= error < high - low:
        raise file.damage(f"{name} is not laid out as its configuration says")
    storage = dataclasses.replace(storage, max_abs_error=error)
    return StoredLabel(spec=spec, storage=storage, layout=config.layout)


def _read_shape(file: GuardedFile, name: str) -> dict[str, Any]:
    """Read what labels of format 1 do not say: they have channels and cells alone, and values of float32."""
    if file.attribute("axes", name) is None:
        return {}
    inner, axes, dtype = (_parse(file, key, name) for key in ("inner", "axes", "dtype"))
    by_person, unknown, coarse = (file.attribute(key, name) for key in ("by_person", "unknown", "coarse"))
    if not {by_person, unknown, coarse or 0} <= {0, 1}:
        raise ValueError("it must say by 0 or 1 whether it is by person, and may be unknown")
    return {
        "inner": (*inner,),
        "axes": (*axes,),
        "dtype": dtype,
        "by_person": bool(by_person),
        "coarse": bool(coarse),
        "unknown": bool(unknown),
    }


def _read_cells(file: GuardedFile, name: str, input_size: Size) -> Size | tuple[()]:
    """Read how many rows and columns of cells a label has: none, or as many as the input has pixels at the most."""
    cells = _parse(file, "cells", name)
    if cells == []:
        return ()
    rows, columns = cells
    for count, pixels in zip((rows, columns), input_size, strict=True):
        if not isinstance(count, int) or not 1 <= count <= pixels:
            raise ValueError(f"an input of {input_size} cannot have the cells {cells}")
    return rows, columns
