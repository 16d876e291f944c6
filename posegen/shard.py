"""The layout of a shard, an HDF5 file: write one, read one.

    /image/bytes    uint8 (B,)       the encoded pictures one after the other, or
    /image/pixels   uint8 (N, H, W, 3) R, G, B for the encoding `raw`
    /image/offsets  int64 (N + 1,)   where each picture's bytes start
    /heatmap, /paf, /mask            (N, C, h, w), or (N, h, w, C) for the layout `hwc`; one chunk a sample
    /person/offsets int64 (N + 1,)   where each sample's people start
    /person/keypoints float32 (M, K, 3)   x, y in input pixels, v
    /person/bbox    float32 (M, 4)   x, y, width, height in input pixels; NaN where the annotation has none
    /person/annotation_id int64 (M,)
    /sample/image_id int64, file_name, width, height int32 (N,); affine float64 (N, 2, 3), image pixels to input pixels

A shard is assembled in memory and then written by ordinary file calls, because HDF5 cannot be trusted on a full disk
(h5py issue 914). Nothing in it depends on time, so equal samples give equal bytes.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
from numpy.typing import NDArray

from posegen.config import BuildConfig
from posegen.errors import ConfigError, ShardError
from posegen.files import canonical_json, write_atomically
from posegen.labels import ArraySpec, Storage
from posegen.skeleton import Skeleton

if TYPE_CHECKING:
    from typing_extensions import Self

FORMAT = "posegen-shard"
FORMAT_VERSION = 1

_LIBVER = ("v110", "v110")
"""Bounds of the HDF5 file format: readable from 1.10 on, and the same bytes from every later library."""

_GROWTH = 1 << 24


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredLabel:
    """How one label lies in a shard."""

    spec: ArraySpec
    storage: Storage
    layout: str

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of one sample, in the layout's axis order."""
        c, h, w = self.spec.shape
        return (c, h, w) if self.layout == "chw" else (h, w, c)

    def arrange(self, values: NDArray[np.float32]) -> NDArray[Any]:
        """Turn rendered (C, h, w) float32 values into what is stored."""
        stored = self.storage.encode(values)
        return stored if self.layout == "chw" else np.ascontiguousarray(stored.transpose(1, 2, 0))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BuiltSample:
    """One sample as it is stored.

    Attributes
    ----------
    image_id, file_name, width, height
        As in the annotations.
    affine
        (2, 3) float64, image pixels to input pixels.
    image
        The encoded picture.
    labels
        By name, what `StoredLabel.arrange` gave.
    keypoints
        (n, K, 3) float32 x, y in input pixels, v.
    bboxes
        (n, 4) float32 x, y, width, height in input pixels.
    annotation_ids
        (n,) int64.
    """

    image_id: int
    file_name: str
    width: int
    height: int
    affine: NDArray[np.float64]
    image: bytes
    labels: Mapping[str, NDArray[Any]]
    keypoints: NDArray[np.float32]
    bboxes: NDArray[np.float32]
    annotation_ids: NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardRecord:
    """What the manifest says of a shard.

    Attributes
    ----------
    file
        Its name.
    samples, people
        How many it holds.
    bytes, sha256
        Its size and hash.
    keypoints
        How often each of the K keypoints is labelled in it.
    """

    file: str
    samples: int
    people: int
    bytes: int
    sha256: str
    keypoints: tuple[int, ...]

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> ShardRecord:
        """Read what `dataclasses.asdict` gave; raises `KeyError`, `TypeError` or `ValueError` where it is not that."""
        name = str(record["file"])
        if Path(name).name != name or name in {"", ".", ".."}:
            raise ValueError(f"{name!r} is not a file name")
        return cls(
            file=name,
            samples=int(record["samples"]),
            people=int(record["people"]),
            bytes=int(record["bytes"]),
            sha256=str(record["sha256"]),
            keypoints=tuple(map(int, record["keypoints"])),
        )


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
        self._nobody = np.zeros((0, len(skeleton.keypoints), 3), np.float32)
        self._samples: list[BuiltSample] = []
        self._images: list[bytes] = []
        self._file = h5py.File("shard", "w", driver="core", backing_store=False, block_size=_GROWTH, libver=_LIBVER)
        self._datasets = {label.spec.name: self._create_label(capacity, label) for label in labels}
        self._file.attrs.update(
            {
                "format": FORMAT,
                "format_version": FORMAT_VERSION,
                "config": canonical_json(config.to_dict()),
                "skeleton": canonical_json(skeleton.to_dict()),
                "task_digest": task_digest,
                "versions": canonical_json(library_versions()),
            }
        )

    def append(self, sample: BuiltSample) -> None:
        """Add a sample; its picture and labels are stored at once."""
        position = len(self._samples)
        for name, values in sample.labels.items():
            self._datasets[name][position] = values
        self._images.append(sample.image)
        self._samples.append(dataclasses.replace(sample, image=b"", labels={}))

    def finish(self, path: Path) -> ShardRecord:
        """Write the shard to `path`, whole or not at all, and close it.

        Raises
        ------
        OSError
            If the file cannot be written.
        """
        samples = self._samples
        for dataset in self._datasets.values():
            dataset.resize(len(samples), axis=0)
        self._write_images()
        keypoints = np.concatenate([s.keypoints for s in samples] or [self._nobody])
        self._put("person/offsets", _offsets([len(s.keypoints) for s in samples]))
        self._put("person/keypoints", keypoints)
        self._put("person/bbox", np.concatenate([s.bboxes for s in samples] or [np.zeros((0, 4), np.float32)]))
        self._put(
            "person/annotation_id",
            np.concatenate([s.annotation_ids for s in samples] or [np.zeros(0, np.int64)]),
        )
        self._put("sample/image_id", np.array([s.image_id for s in samples], np.int64))
        names = [s.file_name.encode() for s in samples]
        self._put("sample/file_name", np.array(names, h5py.string_dtype("utf-8", max(map(len, names), default=1))))
        self._put("sample/width", np.array([s.width for s in samples], np.int32))
        self._put("sample/height", np.array([s.height for s in samples], np.int32))
        self._put("sample/affine", np.array([s.affine for s in samples]).reshape(-1, 2, 3))
        self._file.flush()
        data = self._file.id.get_file_image()
        self.close()
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
        self._file.close()

    def _create_label(self, capacity: int, label: StoredLabel) -> h5py.Dataset:
        shape = (capacity, *label.shape)
        dataset = self._file.create_dataset(
            label.spec.name,
            shape,
            label.storage.dtype,
            maxshape=shape,
            chunks=(1, *label.shape),
            fletcher32=True,
            track_times=False,
            **_filters(self._config.compression),
        )
        dataset.attrs.update(
            {
                "layout": label.layout,
                "scale": label.storage.scale,
                "max_abs_error": label.storage.max_abs_error,
                "channels": canonical_json(label.spec.channels),
            }
        )
        return dataset

    def _write_images(self) -> None:
        images, self._images = self._images, []
        if self._config.image_encoding == "raw":
            shape = (-1, *self._config.input_size, 3)
            pixels = np.frombuffer(b"".join(images), np.uint8).reshape(shape)
            self._file.create_dataset("image/pixels", data=pixels, track_times=False)
            return
        self._put("image/offsets", _offsets([len(image) for image in images]))
        self._file.create_dataset("image/bytes", data=np.frombuffer(b"".join(images), np.uint8), track_times=False)

    def _put(self, name: str, values: NDArray[Any]) -> None:
        """Store a small array as one chunk with a checksum; one without elements can have no chunk."""
        guarded = {"chunks": values.shape, "fletcher32": True} if values.size else {}
        self._file.create_dataset(name, data=values, track_times=False, **guarded)


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrayInfo:
    """What `inspect` shows of one array in a shard; sizes in bytes, `compressor` is '' where there is none."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    chunk: tuple[int, ...] | None
    compressor: str
    stored: int
    logical: int


class ShardReader:
    """Reads one shard. To be opened in the process that uses it; a context manager.

    Raises
    ------
    ShardError
        If the file is not a shard, is damaged, or of an unknown format version.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.is_file():
            raise ShardError(f"{path}: no such shard")
        try:
            self._file = h5py.File(path, "r")
        except OSError as error:
            raise ShardError(f"{path}: is not an HDF5 file, or is damaged: {error}") from error
        try:
            self._read_header()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __len__(self) -> int:
        return self._length

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    @property
    def labels(self) -> tuple[StoredLabel, ...]:
        """The labels in the shard."""
        return self._labels

    def arrays(self) -> Iterator[ArrayInfo]:
        """Describe every array, in the file's order of names."""
        found: list[h5py.Dataset] = []
        self._file.visititems(lambda _, item: found.append(item) if isinstance(item, h5py.Dataset) else None)
        for item in found:
            yield ArrayInfo(
                name=item.name.removeprefix("/"),
                shape=item.shape,
                dtype="text" if item.dtype.kind == "S" else str(item.dtype),
                chunk=item.chunks,
                compressor=_compressor(item),
                stored=item.id.get_storage_size(),
                logical=item.nbytes,
            )

    def people(self) -> NDArray[np.float32]:
        """Return the keypoints of all people in the shard, (M, K, 3) float32 x, y, v."""
        return np.asarray(self._read("person/keypoints")[...], np.float32)

    def picture(self, index: int) -> bytes | NDArray[np.uint8]:
        """Return a sample's encoded picture, or its (H, W, 3) uint8 R, G, B pixels where the encoding is `raw`."""
        if self.config.image_encoding == "raw":
            return np.asarray(self._read("image/pixels")[index])
        start, stop = self._read("image/offsets")[index : index + 2]
        return np.asarray(self._read("image/bytes")[start:stop]).tobytes()

    def label(self, label: StoredLabel, index: int) -> NDArray[np.float32]:
        """Return one label of a sample, (C, h, w) float32.

        Raises
        ------
        ShardError
            If its chunk is damaged.
        """
        import hdf5plugin  # noqa: F401 (registers the zstd filter)

        try:
            stored = self._read(label.spec.name)[index]
        except OSError as error:
            raise ShardError(f"{self.path}: {label.spec.name} of sample {index} is damaged: {error}") from error
        values = label.storage.decode(stored)
        return values if label.layout == "chw" else np.ascontiguousarray(values.transpose(2, 0, 1))

    def sample(self, index: int) -> dict[str, Any]:
        """Return what is known of a sample besides picture and labels.

        A dict of `image_id`, `file_name`, `width`, `height`, `affine` (2, 3), `keypoints` (n, K, 3), `bbox` (n, 4) and
        `annotation_id` (n,).
        """
        start, stop = self._read("person/offsets")[index : index + 2]
        return {
            "image_id": int(self._read("sample/image_id")[index]),
            "file_name": self._read("sample/file_name").asstr()[index],
            "width": int(self._read("sample/width")[index]),
            "height": int(self._read("sample/height")[index]),
            "affine": np.asarray(self._read("sample/affine")[index]),
            "keypoints": np.asarray(self._read("person/keypoints")[start:stop]),
            "bbox": np.asarray(self._read("person/bbox")[start:stop]),
            "annotation_id": np.asarray(self._read("person/annotation_id")[start:stop]),
        }

    def _read_header(self) -> None:
        attributes = self._file.attrs
        if attributes.get("format") != FORMAT:
            raise ShardError(f"{self.path}: is HDF5, but no posegen shard")
        version = attributes.get("format_version")
        if version != FORMAT_VERSION:
            raise ShardError(
                f"{self.path}: has format version {version}, this posegen reads {FORMAT_VERSION}; "
                "use the posegen that wrote it, or build the dataset again"
            )
        try:
            self.config = BuildConfig.from_dict(json.loads(attributes["config"]))
            self.skeleton = Skeleton.from_dict(json.loads(attributes["skeleton"]))
            self.versions: dict[str, str] = json.loads(attributes["versions"])
            self._length = len(self._file["sample/image_id"])
            self._labels = tuple(self._stored_label(name) for name in self.config.labels if name in self._file)
        except (KeyError, ValueError, TypeError, AttributeError, ConfigError, OSError) as error:
            raise ShardError(f"{self.path}: is damaged: {error}") from error

    def _stored_label(self, name: str) -> StoredLabel:
        dataset = self._file[name]
        channels = tuple(json.loads(dataset.attrs["channels"]))
        shape = dataset.shape[1:]
        layout = str(dataset.attrs["layout"])
        if shape != ((len(channels), *self.config.cells) if layout == "chw" else (*self.config.cells, len(channels))):
            raise ShardError(f"{self.path}: is damaged: {name} has the shape {dataset.shape}")
        return StoredLabel(
            spec=ArraySpec(
                name=name,
                channels=channels,
                cells=self.config.cells,
                signed=dataset.dtype == np.int8 or name == "paf",
            ),
            storage=Storage(
                dtype=str(dataset.dtype),
                scale=float(dataset.attrs["scale"]),
                max_abs_error=float(dataset.attrs["max_abs_error"]),
            ),
            layout=layout,
        )

    def _read(self, name: str) -> h5py.Dataset:
        try:
            return self._file[name]
        except KeyError as error:
            raise ShardError(f"{self.path}: is damaged: it has no {name}") from error


def library_versions() -> dict[str, str]:
    """Return the versions of what determines a shard's bytes."""
    import cv2

    from posegen import __version__

    return {
        "posegen": __version__,
        "numpy": np.__version__,
        "opencv": cv2.__version__,
        "hdf5": h5py.version.hdf5_version,
    }


def _filters(compression: str) -> dict[str, Any]:
    if compression == "zstd":
        import hdf5plugin

        return dict(hdf5plugin.Zstd(clevel=1))
    return {} if compression == "none" else {"compression": compression}


def _compressor(dataset: h5py.Dataset) -> str:
    filters = dataset.id.get_create_plist()
    names = {32015: "zstd", 1: "gzip", 32000: "lzf"}
    codes = [filters.get_filter(i)[0] for i in range(filters.get_nfilters())]
    return next((names[code] for code in codes if code in names), "")


def _offsets(lengths: Iterable[int]) -> NDArray[np.int64]:
    return np.cumsum([0, *lengths], dtype=np.int64)
