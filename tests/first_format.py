"""Datasets as format 1 had them, written by h5py alone: pictures whole, no bitmaps, no checksums but HDF5's."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import cv2
import h5py
import hdf5plugin  # noqa: F401 (registers the compressor)
import numpy as np
from by_hand import show_picture

OF_LABELS = ("layout", "scale", "max_abs_error", "cells", "low", "high", "channels", "mirror")


def write_first_format(source: Path, target: Path, *, mirrors: bool = True) -> Path:
    """Write a dataset of today as format 1 had it; the pictures of one with JPEGs become others.

    The first shards of all did not tell how labels mirror.
    """
    target.mkdir()
    manifest = json.loads((source / "manifest.json").read_text())
    for record in manifest["shards"]:
        path = target / record["file"]
        with h5py.File(source / record["file"]) as new, h5py.File(path, "w", libver=("v110", "v110")) as old:
            old.attrs.update({key: value for key, value in new.attrs.items() if key != "format_version"})
            old.attrs["format_version"] = 1
            for name in json.loads(new.attrs["labels"]):
                write_label(old, new[name], mirrors=mirrors)
            for group in ("person", "sample"):
                for name, array in new[group].items():
                    put(old, f"{group}/{name}", array[...])
            write_pictures(old, new)
        data = path.read_bytes()
        record |= {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    (target / "manifest.json").write_text(json.dumps(manifest | {"format_version": 1}))
    return target


def write_label(old: h5py.File, array: h5py.Dataset, *, mirrors: bool) -> None:
    filters = array.id.get_create_plist()
    (kind, _, options, _) = filters.get_filter(0)
    compression: dict[str, Any] = {"compression": kind, "compression_opts": options}
    if kind == h5py.h5z.FILTER_FLETCHER32:
        compression = {}
    elif kind == h5py.h5z.FILTER_DEFLATE:
        compression = {"compression": "gzip", "compression_opts": options[0]}
    name = array.name.strip("/")
    label = old.create_dataset(name, data=array[...], chunks=array.chunks, fletcher32=True, **compression)
    for key in OF_LABELS:
        if key in array.attrs and (mirrors or key != "mirror"):
            label.attrs[key] = array.attrs[key]


def write_pictures(old: h5py.File, new: h5py.File) -> None:
    if "pixels" in new["image"]:
        old["image/pixels"] = new["image/pixels"][...]
        return
    suffix = {"png": ".png", "jpeg": ".jpg"}[json.loads(new.attrs["config"])["image_encoding"]]
    pictures = [show_picture(new, i)[..., ::-1] for i in range(len(new["sample/image_id"]))]
    encoded = [cv2.imencode(suffix, picture)[1] for picture in pictures]
    old["image/bytes"] = np.concatenate(encoded)
    put(old, "image/offsets", np.cumsum([0, *map(len, encoded)], dtype=np.int64))


def put(old: h5py.File, name: str, values: np.ndarray) -> None:
    """Write a small array in one chunk with a checksum."""
    old.create_dataset(name, data=values, **({"chunks": values.shape, "fletcher32": True} if values.size else {}))
