"""Writing one shard.

A shard is assembled in memory and then written by ordinary file calls, because HDF5 cannot be trusted on a full disk
(h5py issue 914). Nothing in it depends on time, so equal samples give equal bytes.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from posegen.config import BuildConfig
from posegen.errors import ConfigError
from posegen.files import canonical_json, write_atomically
from posegen.labels.base import Drawn
from posegen.shards.checksum import crc32
from posegen.shards.chunks import ChunkWriter
from posegen.shards.codecs import CODECS
from posegen.shards.hdf5 import LONGEST_TEXT
from posegen.shards.ignored import pack_ignored
from posegen.shards.mirror import write_mirror
from posegen.shards.nexus import IMAGE_ATTRIBUTES, Plot, create_group, fix_text, put
from posegen.shards.preview import write_preview
from posegen.shards.record import ShardRecord
from posegen.shards.schema import FORMAT, FORMAT_VERSION, GROUPS, BuiltSample, StoredLabel, list_columns
from posegen.shards.versions import library_versions
from posegen.skeleton import Skeleton
from posegen.storage import AnyPath

_WRITTEN_BYTES = 1 << 20
"""Of pictures, at once."""


class ShardWriter:
    """Assembles a shard in memory, sample by sample.

    Parameters
    ----------
    capacity
        The most samples it will hold.
    labels
        How the labels are stored.
    config, skeleton
        Of the build; they go into the shard's attributes.
    task_digest
        Of everything the shard is built from; it goes there too.
    """

    def __init__(
        self,
        capacity: int,
        labels: Sequence[StoredLabel],
        *,
        config: BuildConfig,
        skeleton: Skeleton,
        task_digest: str,
    ) -> None:
        self._config = config
        self._keypoints = len(skeleton.keypoints)
        self._samples: list[BuiltSample] = []
        self._images: list[bytes] = []
        self._ignored: list[bytes] = []
        self._memory = io.BytesIO()
        self._file = _create_file(self._memory)
        self._labels = {label.spec.name: label for label in labels}
        self._rows: dict[str, list[NDArray[Any]]] = {label.spec.name: [] for label in labels if label.spec.by_person}
        self._datasets = {
            name: self._create_label(capacity, label)
            for name, label in self._labels.items()
            if not label.spec.by_person
        }
        self._file.attrs.update(
            {
                "format": _text(FORMAT),
                "format_version": FORMAT_VERSION,
                "config": _text(canonical_json(config.to_dict())),
                "skeleton": _text(canonical_json(skeleton.to_dict())),
                "labels": _text(canonical_json([label.spec.name for label in labels])),
                "task_digest": _text(task_digest),
                "versions": _text(canonical_json(library_versions(config.labels))),
            }
        )

    def append(self, samples: Sequence[BuiltSample], labels: Mapping[str, Drawn]) -> None:
        """Add S samples, whose pictures and labels are stored at once.

        Parameters
        ----------
        samples
            The S samples.
        labels
            By name what `StoredLabel.arrange` gave.

        Raises
        ------
        ConfigError
            If a label by person has not as many rows as there are people.
        """
        start = len(self._samples)
        for name, values in labels.items():
            if name in self._datasets:
                self._datasets[name].write(start, np.asarray(values))
                continue
            for sample, rows in zip(samples, values, strict=True):
                if len(rows) != len(sample.keypoints):
                    raise ConfigError(f"label '{name}' has {len(rows)} rows for {len(sample.keypoints)} people")
            self._rows[name] += values
        self._images += [sample.image for sample in samples]
        self._ignored += [pack_ignored(sample.ignored) for sample in samples]
        self._samples += [dataclasses.replace(sample, image=b"", ignored=None) for sample in samples]

    def copy(self, name: str, packed: Iterable[bytes]) -> None:
        """Take a label of all samples as it is packed in another shard, in place of what `append` is given of it.

        It must be no label by person, and of the codecs one that `find_deflate` knows.
        """
        self._datasets[name].copy(packed)

    def finish(self, path: AnyPath, preview: Sequence[Plot] = ()) -> ShardRecord:
        """Write the shard to `path`, whole or not at all, and close it.

        Parameters
        ----------
        path
            Of its file.
        preview
            What `posegen.shards.preview.make_preview` makes of its first sample; without, it has none.

        Raises
        ------
        OSError
            If the file cannot be written.
        """
        samples = self._samples
        for name, dataset in self._datasets.items():
            put(self._file, f"checksum/{name}", dataset.finish(len(samples)))
        for name, rows in self._rows.items():
            label = self._labels[name]
            put(self._file, name, np.concatenate([np.zeros((0, *label.shape), label.storage.dtype), *rows]))
            _describe(self._file[name], label)
        self._write_images()
        put(self._file, "ignored/offsets", _offsets(map(len, self._ignored)))
        ignored = np.frombuffer(b"".join(self._ignored), np.uint8)
        self._file.create_dataset("ignored/bytes", data=ignored, track_times=False)
        keypoints = self._write_columns()["keypoints"]
        if preview:
            write_preview(self._file, preview)
        self.close()
        with self._memory.getbuffer() as data:
            write_atomically(path, data)
            return ShardRecord(
                file=path.name,
                samples=len(samples),
                people=len(keypoints),
                bytes=len(data),
                sha256=hashlib.sha256(data).hexdigest(),
                keypoints=tuple((keypoints[..., 2] > 0).sum(axis=0).tolist()),
            )

    def close(self) -> None:
        """Free the memory."""
        for dataset in self._datasets.values():
            dataset.close()
        self._file.close()

    def _create_label(self, capacity: int, label: StoredLabel) -> ChunkWriter:
        shape, codec = (capacity, *label.shape), CODECS[self._config.compression]
        codec.load()
        dataset = self._file.create_dataset(
            label.spec.name,
            shape,
            label.storage.dtype,
            maxshape=shape,
            chunks=(1, *label.shape),
            fletcher32=True,
            track_times=False,
            **codec.options,
        )
        _describe(dataset, label)
        return ChunkWriter(dataset, codec, repeats=label.spec.coarse)

    def _write_images(self) -> None:
        images, self._images = self._images, []
        whole = (0, 0, *self._config.frame_size[::-1])
        put(self._file, "checksum/image", np.array([crc32(image) for image in images], np.uint32))
        boxes = [sample.box or whole for sample in self._samples]
        put(self._file, "image/box", np.array(boxes, np.int32).reshape(len(boxes), 4))
        offsets = _offsets([len(image) for image in images])
        raw = self._config.image_encoding == "raw"
        if not raw:
            put(self._file, "image/offsets", offsets)
        frame = (*self._config.frame_size, 3)
        shape = (len(images), *frame) if raw else (int(offsets[-1]),)
        name = "image/pixels" if raw else "image/bytes"
        dataset = self._file.create_dataset(name, shape, np.uint8, track_times=False)
        if raw:
            dataset.attrs.update({key: _text(value) for key, value in IMAGE_ATTRIBUTES.items()})
        for start, stop in _group(offsets):
            pixels = np.frombuffer(b"".join(images[start:stop]), np.uint8)
            if raw:
                dataset[start:stop] = pixels.reshape(-1, *frame)
            else:
                dataset[offsets[start] : offsets[stop]] = pixels
            images[start:stop] = [b""] * (stop - start)  # what is in the shard is not kept beside it

    def _write_columns(self) -> dict[str, NDArray[Any]]:
        """Store what the samples and their people have besides pictures and labels; returns it by name."""
        put(self._file, "person/offsets", _offsets([len(sample.keypoints) for sample in self._samples]))
        columns = sorted(list_columns(self._config), key=lambda column: column.of)  # people first
        found = {column.name: column.gather(self._samples, self._keypoints) for column in columns}
        for column in columns:
            put(self._file, column.path, found[column.name])
        return found


def _create_file(memory: io.BytesIO) -> h5py.File:
    """Create an HDF5 file in memory, with its groups.

    HDF5's own files in memory are no good: the image of one has a wrong checksum before HDF5 2.0 (hdf5 issue 1915).
    """
    access = h5py.h5p.create(h5py.h5p.FILE_ACCESS)
    access.set_fileobj_driver(h5py.h5fd.fileobj_driver, memory)
    access.set_fclose_degree(h5py.h5f.CLOSE_STRONG)
    # Readable from HDF5 1.10 on.
    access.set_libver_bounds(h5py.h5f.LIBVER_V110, h5py.h5f.LIBVER_V110)
    creation = h5py.h5p.create(h5py.h5p.FILE_CREATE)
    creation.set_obj_track_times(False)
    file = h5py.File(h5py.h5f.create(b"shard", h5py.h5f.ACC_TRUNC, fcpl=creation, fapl=access))
    for name in GROUPS:
        create_group(file, name)
    return file


def _describe(dataset: h5py.Dataset, label: StoredLabel) -> None:
    """Say beside a label how it is stored."""
    spec = label.spec
    dataset.attrs.update(
        {
            "layout": _text(label.layout),
            "scale": label.storage.scale,
            "max_abs_error": label.storage.max_abs_error,
            "cells": _text(canonical_json(spec.cells)),
            "low": spec.low,
            "high": spec.high,
            "channels": _text(canonical_json(spec.channels)),
            "axes": _text(canonical_json(spec.axes)),
            "inner": _text(canonical_json(spec.inner)),
            "dtype": _text(canonical_json(spec.dtype)),
            "by_person": int(spec.by_person),
            "unknown": int(spec.unknown),
        }
    )
    if spec.coarse:
        dataset.attrs["coarse"] = 1
    if spec.mirror is not None:
        dataset.attrs["mirror"] = _text(write_mirror(spec.mirror))


def _group(offsets: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Yield from which on and to before which pictures are written at once: each call of HDF5's takes its time."""
    start, last = 0, len(offsets) - 1
    while start < last:
        stop = min(max(int(np.searchsorted(offsets, offsets[start] + _WRITTEN_BYTES)), start + 1), last)
        yield start, stop
        start = stop


def _offsets(lengths: Iterable[int]) -> NDArray[np.int64]:
    return np.cumsum([0, *lengths], dtype=np.int64)


def _text(text: str) -> NDArray[np.bytes_]:
    """Make an attribute of fixed length.

    Raises
    ------
    ConfigError
        If it is longer than HDF5 keeps there.
    """
    fixed = fix_text(text)
    if fixed.itemsize > LONGEST_TEXT:
        raise ConfigError(f"a skeleton of {fixed.itemsize} bytes is too large: a shard can describe {LONGEST_TEXT}")
    return fixed
