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
import math
import re
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
from posegen.hdf5 import LONGEST_TEXT, ArrayRule, GuardedFile
from posegen.labels import ArraySpec, Storage, choose_storage
from posegen.skeleton import Skeleton

if TYPE_CHECKING:
    from typing_extensions import Self

FORMAT = "posegen-shard"
FORMAT_VERSION = 1

_LIBVER = ("v110", "v110")
"""Bounds of the HDF5 file format: readable from 1.10 on, and the same bytes from every later library."""

_GROWTH = 1 << 24

_MOST_PIXEL_BYTES = 1100
"""No picture has more bytes of pixels for one of its own: PNG's deflate makes 1032 of one, JPEG fewer."""


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
        name, sha256, people = str(record["file"]), str(record["sha256"]), read_count(record, "people")
        if Path(name).name != name or not name.isprintable() or not name.endswith(".h5") or name.startswith("."):
            raise ValueError(f"{name!r} is not a file name of a shard")
        if not re.fullmatch("[0-9a-f]{64}", sha256):
            raise ValueError(f"{sha256!r} is not a sha256 of {name}")
        keypoints = record["keypoints"]
        return cls(
            file=name,
            samples=read_count(record, "samples"),
            people=people,
            bytes=read_count(record, "bytes"),
            sha256=sha256,
            keypoints=tuple(read_count(keypoints, k, people) for k in range(len(keypoints))),
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
                "format": _text(FORMAT),
                "format_version": FORMAT_VERSION,
                "config": _text(canonical_json(config.to_dict())),
                "skeleton": _text(canonical_json(skeleton.to_dict())),
                "task_digest": _text(task_digest),
                "versions": _text(canonical_json(library_versions())),
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
                "layout": _text(label.layout),
                "scale": label.storage.scale,
                "max_abs_error": label.storage.max_abs_error,
                "channels": _text(canonical_json(label.spec.channels)),
            }
        )
        return dataset

    def _write_images(self) -> None:
        images, self._images = self._images, []
        offsets = _offsets([len(image) for image in images])
        raw = self._config.image_encoding == "raw"
        if not raw:
            self._put("image/offsets", offsets)
        frame = (*self._config.input_size, 3)
        shape = (len(images), *frame) if raw else (int(offsets[-1]),)
        name = "image/pixels" if raw else "image/bytes"
        dataset = self._file.create_dataset(name, shape, np.uint8, track_times=False)
        for i, image in enumerate(images):
            pixels = np.frombuffer(image, np.uint8)
            if raw:
                dataset[i] = pixels.reshape(frame)
            else:
                dataset[offsets[i] : offsets[i + 1]] = pixels
            images[i] = b""  # what is in the shard is not kept beside it

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
        self._file = GuardedFile(path)
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
        """Describe every array, in the order of their names."""
        for name, rule in sorted(self._rules.items()):
            item = self._file.open(name, rule)
            yield ArrayInfo(
                name=name,
                shape=item.shape,
                dtype="text" if rule.dtype == "S" else rule.dtype,
                chunk=item.chunks,
                compressor="" if rule.compressor == "none" else rule.compressor,
                stored=item.id.get_storage_size(),
                logical=item.nbytes,
            )

    def people(self) -> NDArray[np.float32]:
        """Return the keypoints of all people in the shard, (M, K, 3) float32 x, y, v."""
        return np.asarray(self._read("person/keypoints", ...), np.float32)

    def picture(self, index: int) -> bytes | NDArray[np.uint8]:
        """Return a sample's encoded picture, or its (H, W, 3) uint8 R, G, B pixels where the encoding is `raw`."""
        if self.config.image_encoding == "raw":
            return np.asarray(self._read("image/pixels", index))
        return np.asarray(self._read("image/bytes", self._slice("image", index))).tobytes()

    def label(self, label: StoredLabel, index: int) -> NDArray[np.float32]:
        """Return one label of a sample, (C, h, w) float32.

        Raises
        ------
        ShardError
            If its chunk is damaged.
        """
        values = label.storage.decode(self._file.read_chunk(label.spec.name, index))
        return values if label.layout == "chw" else np.ascontiguousarray(values.transpose(2, 0, 1))

    def sample(self, index: int) -> dict[str, Any]:
        """Return what is known of a sample besides picture and labels.

        A dict of `image_id`, `file_name`, `width`, `height`, `affine` (2, 3), `keypoints` (n, K, 3), `bbox` (n, 4) and
        `annotation_id` (n,).
        """
        people = self._slice("person", index)
        name = self._read("sample/file_name", index)
        with self._file.blamed("sample/file_name"):
            file_name = name.decode()
        return {
            "image_id": int(self._read("sample/image_id", index)),
            "file_name": file_name,
            "width": int(self._read("sample/width", index)),
            "height": int(self._read("sample/height", index)),
            "affine": np.asarray(self._read("sample/affine", index)),
            "keypoints": np.asarray(self._read("person/keypoints", people)),
            "bbox": np.asarray(self._read("person/bbox", people)),
            "annotation_id": np.asarray(self._read("person/annotation_id", people)),
        }

    def _read_header(self) -> None:
        file = self._file
        if file.attribute("format") != FORMAT:
            raise ShardError(f"{self.path}: is HDF5, but no posegen shard")
        version = file.attribute("format_version")
        if version != FORMAT_VERSION:
            raise ShardError(
                f"{self.path}: has format version {version}, this posegen reads {FORMAT_VERSION}; "
                "use the posegen that wrote it, or build the dataset again"
            )
        with file.blamed("its description"):
            self.config = BuildConfig.from_dict(self._parse("config"))
            self.skeleton = Skeleton.from_dict(self._parse("skeleton"))
            self.versions: dict[str, str] = dict(self._parse("versions"))
        self._length = file.length("sample/image_id")
        self._labels = tuple(
            self._stored_label(name) for name in self.config.labels if name != "paf" or self.skeleton.limbs
        )
        self._rules = self._lay_out(file.length("person/keypoints"))
        self._columns: dict[str, NDArray[Any]] = {}
        self._offsets: dict[str, NDArray[np.int64]] = {}
        if foreign := sorted(file.names({"image", "person", "sample"}) - self._rules.keys()):
            raise file.damage(f"{foreign[0]!r} is no part of a shard")
        for name in ("sample/image_id", *(label.spec.name for label in self._labels)):
            file.open(name, self._rules[name])

    def _parse(self, attribute: str, of: str = "") -> Any:
        text = self._file.attribute(attribute, of)
        if not isinstance(text, str):
            raise self._file.damage(f"it has no text {attribute}{' of ' if of else ''}{of}")
        return parse_json(text)

    def _stored_label(self, name: str) -> StoredLabel:
        """Read how a label is stored; what that determines is held against the configuration."""
        with self._file.blamed(name):
            channels = tuple(map(str, self._parse("channels", name)))
            scale, error = (float(self._file.attribute(key, name)) for key in ("scale", "max_abs_error"))
        spec = ArraySpec(name=name, channels=channels, cells=self.config.cells, signed=name == "paf")
        storage = choose_storage(self.config.label_dtype, spec)
        if not channels or (spec.signed and len(channels) % 2):
            raise self._file.damage(f"{name} has {len(channels)} channels")
        if self._file.attribute("layout", name) != self.config.layout or scale != storage.scale or not 0 <= error < 1:
            raise self._file.damage(f"{name} is not laid out as its configuration says")
        return StoredLabel(
            spec=spec,
            storage=Storage(dtype=storage.dtype, scale=scale, max_abs_error=error),
            layout=self.config.layout,
        )

    def _lay_out(self, people: int) -> dict[str, ArrayRule]:
        """Say what every array has to be in a shard of so many samples and people."""
        samples, keypoints = self._length, len(self.skeleton.keypoints)

        def single(dtype: str, *shape: int) -> ArrayRule:
            return ArrayRule(shape=shape, dtype=dtype, chunk=shape if math.prod(shape) else None)

        rules = {
            "person/offsets": single("int64", samples + 1),
            "person/keypoints": single("float32", people, keypoints, 3),
            "person/bbox": single("float32", people, 4),
            "person/annotation_id": single("int64", people),
            "sample/image_id": single("int64", samples),
            "sample/file_name": single("S", samples),
            "sample/width": single("int32", samples),
            "sample/height": single("int32", samples),
            "sample/affine": single("float64", samples, 2, 3),
        }
        for label in self._labels:
            rules[label.spec.name] = ArrayRule(
                shape=(samples, *label.shape),
                dtype=label.storage.dtype,
                chunk=(1, *label.shape),
                compressor=self.config.compression,
            )
        height, width = self.config.input_size
        if self.config.image_encoding == "raw":
            return rules | {"image/pixels": ArrayRule(shape=(samples, height, width, 3), dtype="uint8")}
        size = self._file.length("image/bytes")
        if samples * height * width * 3 > size * _MOST_PIXEL_BYTES:
            raise self._file.damage(f"{size} bytes of pictures cannot be {samples} of {width}x{height} pixels")
        return rules | {
            "image/offsets": single("int64", samples + 1),
            "image/bytes": ArrayRule(shape=(size,), dtype="uint8"),
        }

    def _slice(self, group: str, index: int) -> slice:
        """Find the rows of a sample in the arrays of people, or the bytes of its picture."""
        if group not in self._offsets:
            offsets = np.asarray(self._read(f"{group}/offsets", ...))
            rows = self._rules["image/bytes" if group == "image" else "person/keypoints"].shape[0]
            if offsets[0] != 0 or offsets[-1] != rows or (offsets[1:] < offsets[:-1]).any():
                raise self._file.damage(f"{group}/offsets do not lead from 0 to {rows}")
            self._offsets[group] = offsets
        start, stop = self._offsets[group][index : index + 2]
        return slice(int(start), int(stop))

    def _read(self, name: str, where: Any) -> Any:
        """Read a part of an array; one that is a single chunk is read once."""
        rule = self._rules[name]
        if name in self._columns:
            return self._columns[name][where].copy()
        self._file.open(name, rule)
        if rule.chunk is None:
            return self._file.read(name, where)
        self._columns[name] = self._file.read(name, ...)
        return self._columns[name][where].copy()


def parse_json(text: str | bytes) -> Any:
    """Parse JSON; raises `ValueError` or `RecursionError` if it is none, or holds what cannot be written again."""
    value = json.loads(text)
    json.dumps(value, ensure_ascii=False, allow_nan=False).encode()  # no half characters, no infinity
    return value


def read_count(record: Any, key: Any, most: int = (1 << 63) - 1) -> int:
    """Return a count of a stored record; raises `KeyError`, `TypeError` or `ValueError` where it is none."""
    value = record[key]
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
        raise ValueError(f"{key} must be a whole number from 0 to {most}, not {value!r}")
    return value


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


def _offsets(lengths: Iterable[int]) -> NDArray[np.int64]:
    return np.cumsum([0, *lengths], dtype=np.int64)


def _text(text: str) -> NDArray[np.bytes_]:
    """Make an attribute of fixed length, which is kept with its checksum; other text is on a heap that has none.

    Raises
    ------
    ConfigError
        If it is longer than HDF5 keeps there.
    """
    data = text.encode()
    if len(data) > LONGEST_TEXT:
        raise ConfigError(f"a skeleton of {len(data)} bytes is too large: a shard can describe {LONGEST_TEXT}")
    return np.array(data, h5py.string_dtype("utf-8", max(1, len(data))))
