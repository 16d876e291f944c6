"""Reading one shard that nobody vouches for."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from posegen.config import BuildConfig
from posegen.errors import ShardError
from posegen.geometry import Size
from posegen.labels import ArraySpec
from posegen.labels.registry import check_name
from posegen.shards.codecs import NONE
from posegen.shards.hdf5 import Chunk, GuardedFile
from posegen.shards.key import SampleKey
from posegen.shards.mirror import read_mirror
from posegen.shards.quantize import choose_storage
from posegen.shards.record import parse_json
from posegen.shards.rules import lay_out
from posegen.shards.schema import FORMAT, FORMAT_VERSION, GROUPS, StoredLabel, list_columns
from posegen.skeleton import Skeleton

if TYPE_CHECKING:
    from typing_extensions import Self

_LARGEST = 1e9
"""No label has larger values."""

_MOST_PIXEL_BYTES = 1100
"""No picture has more bytes of pixels for one of its own: PNG's deflate makes 1032 of one, JPEG fewer."""


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
    def size(self) -> int:
        """The file's size in bytes when it was opened."""
        return self._file.size

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
                compressor="" if rule.codec is NONE else rule.codec.name,
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
        return np.asarray(self._read("image/bytes", slice(*self._rows("image", index)))).tobytes()

    def picture_bytes(self, index: int) -> bytes:
        """Return a sample's picture as it is stored: encoded, or its pixels R, G, B row by row."""
        if self.config.image_encoding == "raw":
            name, size = "image/pixels", math.prod(self._rules["image/pixels"].shape[1:])
            start, stop = index * size, (index + 1) * size
        else:
            name, (start, stop) = "image/bytes", self._rows("image", index)
        self._file.open(name, self._rules[name])
        return self._file.read_bytes(name, start, stop)

    def chunk(self, label: StoredLabel, index: int) -> Chunk:
        """Read one label of a sample; what it unpacks to is of `label.shape` and its storage's dtype.

        Raises
        ------
        ShardError
            If its chunk is damaged.
        """
        return self._file.read_chunk(label.spec.name, index)

    def label(self, label: StoredLabel, index: int) -> NDArray[np.float32]:
        """Return one label of a sample, (C, h, w) or (C,) float32.

        Raises
        ------
        ShardError
            If its chunk is damaged.
        """
        stored = np.empty(label.shape, label.storage.dtype)
        self.chunk(label, index).unpack(stored)
        values = label.storage.decode(stored)
        return values if label.layout == "chw" else np.ascontiguousarray(np.moveaxis(values, -1, 0))

    def sample(self, index: int) -> dict[str, Any]:
        """Return what is known of a sample besides picture and labels.

        A dict of the columns of `posegen.shards.schema.COLUMNS` that there are: `image_id`, `file_name`, `width`,
        `height`, `affine` (2, 3), `keypoints` (n, K, 3), `bbox` (n, 4) and `annotation_id` (n,); where views were drawn
        also `copy` and `view` (5,), see `posegen.images.augment.View`.
        """
        return {name: self.column(name, [index])[0] for name in self._columns}

    def key(self, index: int) -> SampleKey:
        """Tell a sample from others; raises `ShardError` if it is to be one person, and is not."""
        (image_id,), (people,) = self.column("image_id", [index]), self.column("annotation_id", [index])
        (copy,) = self.column("copy", [index]) if self.config.copies > 1 else [0]
        if self.config.unit == "person" and len(people) != 1:
            raise self._file.damage(f"sample {index} has {len(people)} people, and is to be one person")
        return SampleKey.of(self.config, image_id, people, copy)

    def column(self, name: str, indices: Sequence[int]) -> list[Any]:
        """Return one of the columns that `sample` tells of, of several samples."""
        column = self._columns[name]
        values = self._read_whole(column.path)
        if column.of == "person":
            return [values[slice(*self._rows("person", index))].copy() for index in indices]
        chosen = values[list(indices)]
        if column.is_array:
            return list(chosen)
        if not column.is_text:
            return list(chosen.tolist())
        with self._file.wrap_errors(column.path):
            return [value.decode() for value in chosen]

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
        with file.wrap_errors("its description"):
            self.config = BuildConfig.from_dict(self._parse("config"))
            self.skeleton = Skeleton.from_dict(self._parse("skeleton"))
            self.versions: dict[str, str] = dict(self._parse("versions"))
        self._length = file.length("sample/image_id")
        self._labels = tuple(self._stored_label(name) for name in self._list_labels())
        self._rules = lay_out(
            self.config,
            self._labels,
            samples=self._length,
            people=file.length("person/keypoints"),
            keypoints=len(self.skeleton.keypoints),
            picture_bytes=self._count_picture_bytes(),
        )
        self._columns = {column.name: column for column in list_columns(self.config)}
        self._whole: dict[str, NDArray[Any]] = {}
        self._offsets: dict[str, NDArray[np.int64]] = {}
        if foreign := sorted(file.names(GROUPS) - self._rules.keys()):
            raise file.damage(f"{foreign[0]!r} is no part of a shard")
        for name in ("sample/image_id", *(label.spec.name for label in self._labels)):
            file.open(name, self._rules[name])

    def _parse(self, attribute: str, of: str = "") -> Any:
        text = self._file.attribute(attribute, of)
        if not isinstance(text, str):
            raise self._file.damage(f"it has no text {attribute}{' of ' if of else ''}{of}")
        return parse_json(text)

    def _list_labels(self) -> list[str]:
        """Read which arrays are labels: the package that made them need not be here to read them."""
        names = self._parse("labels")
        with self._file.wrap_errors("its list of labels"):
            for name in names:
                check_name(name)
                if not any(name == label or name.startswith(f"{label}_") for label in self.config.labels):
                    raise ValueError(f"{name} is none of {', '.join(self.config.labels)}")
        if not isinstance(names, list) or len(set(names)) != len(names):
            raise self._file.damage(f"its list of labels is {names!r:.200}")
        return names

    def _stored_label(self, name: str) -> StoredLabel:
        """Read how a label is stored; what that determines is held against the configuration."""
        with self._file.wrap_errors(name):
            channels = tuple(map(str, self._parse("channels", name)))
            scale, error, low, high = (
                float(self._file.attribute(key, name)) for key in ("scale", "max_abs_error", "low", "high")
            )
            if not -_LARGEST <= low <= 0 <= high <= _LARGEST or low == high:
                raise ValueError(f"its values cannot lie between {low} and {high}")
            cells, mirror = self._read_cells(name), read_mirror(self._file.attribute("mirror", name))
            spec = ArraySpec(name=name, channels=channels, cells=cells, low=low, high=high, mirror=mirror)
            storage = choose_storage(self.config.label_dtype, spec)
        if not channels or len(set(channels)) != len(channels):
            raise self._file.damage(f"{name} has {len(channels)} channels, {len(set(channels))} of different names")
        laid_out = self._file.attribute("layout", name) == self.config.layout and scale == storage.scale
        if not laid_out or not 0 <= error < high - low:
            raise self._file.damage(f"{name} is not laid out as its configuration says")
        storage = dataclasses.replace(storage, max_abs_error=error)
        return StoredLabel(spec=spec, storage=storage, layout=self.config.layout)

    def _read_cells(self, name: str) -> Size | tuple[()]:
        """Read how many rows and columns of cells a label has: none, or as many as the input has pixels at the most."""
        cells = self._parse("cells", name)
        if cells == []:
            return ()
        rows, columns = cells
        for count, pixels in zip((rows, columns), self.config.input_size, strict=True):
            if not isinstance(count, int) or not 1 <= count <= pixels:
                raise ValueError(f"an input of {self.config.input_size} cannot have the cells {cells}")
        return rows, columns

    def _count_picture_bytes(self) -> int:
        """Read how many bytes the encoded pictures claim to have: enough for what they show; 0 for pixels."""
        if self.config.image_encoding == "raw":
            return 0
        size, (height, width) = self._file.length("image/bytes"), self.config.input_size
        if self._length * height * width * 3 > size * _MOST_PIXEL_BYTES:
            raise self._file.damage(f"{size} bytes of pictures cannot be {self._length} of {width}x{height} pixels")
        return size

    def _rows(self, group: str, index: int) -> tuple[int, int]:
        """Find from which on and to before which the people of a sample are, or the bytes of its picture."""
        if group not in self._offsets:
            offsets = np.asarray(self._read(f"{group}/offsets", ...))
            rows = self._rules["image/bytes" if group == "image" else "person/keypoints"].shape[0]
            if offsets[0] != 0 or offsets[-1] != rows or (offsets[1:] < offsets[:-1]).any():
                raise self._file.damage(f"{group}/offsets do not lead from 0 to {rows}")
            self._offsets[group] = offsets
        start, stop = self._offsets[group][index : index + 2].tolist()
        return start, stop

    def _read(self, name: str, where: Any) -> Any:
        """Read a part of an array."""
        if self._rules[name].chunk is not None:
            return self._read_whole(name)[where].copy()
        self._file.open(name, self._rules[name])
        return self._file.read(name, where)

    def _read_whole(self, name: str) -> NDArray[Any]:
        """Return a small array, which is read once and whole."""
        if name not in self._whole:
            self._file.open(name, self._rules[name])
            self._whole[name] = self._file.read(name, ...)
        return self._whole[name]
