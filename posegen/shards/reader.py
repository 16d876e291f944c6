"""Reading one shard that nobody vouches for."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from posegen.geometry import Box
from posegen.shards.codecs import NONE
from posegen.shards.hdf5 import Chunk, GuardedFile
from posegen.shards.header import read_header
from posegen.shards.ignored import unpack_ignored
from posegen.shards.key import SampleKey
from posegen.shards.preview import read_preview
from posegen.shards.rules import lay_out
from posegen.shards.schema import GROUPS, PREVIEW, StoredLabel, list_columns

if TYPE_CHECKING:
    from typing_extensions import Self

    from posegen.images.stored import StoredPicture

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

    Parameters
    ----------
    path
        Of its file.
    shown
        What to call it in messages, if that is not its path.

    Raises
    ------
    ShardError
        If the file is not a shard, is damaged, or of an unknown format version.
    """

    def __init__(self, path: Path, *, shown: str | None = None) -> None:
        self.path: Path | str = path if shown is None else shown
        self._file = GuardedFile(path, shown)
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

    def whole_column(self, name: str) -> NDArray[Any]:
        """Return one of the columns that `sample` tells of, of all samples (N, ...) or all people (M, ...); no text."""
        return self._read_whole(self._columns[name].path)

    def person_offsets(self) -> NDArray[np.int64]:
        """Return where each sample's people start among all people, (N + 1,)."""
        return self._read_offsets("person")

    def picture(self, index: int) -> StoredPicture:
        """Read a sample's picture, as `pictures` does."""
        return self.pictures([index])[0]

    def pictures(self, indices: Sequence[int]) -> list[StoredPicture]:
        """Read the pictures of samples, which need not be decoded.

        Raises
        ------
        ShardError
            If one is damaged; from format 2 on, whatever its encoding.
        """
        from posegen.images.stored import StoredPicture  # with OpenCV: who reads no pictures does not wait for it

        frame, is_raw = self.config.frame_size, self.config.image_encoding == "raw"
        name, size = ("image/pixels" if is_raw else "image/bytes"), math.prod(frame) * 3
        self._file.open(name, self._rules[name])
        found = []
        boxes, crcs = self._boxes[indices].tolist(), self._find_crcs("image", indices)
        for index, box, crc in zip(indices, boxes, crcs, strict=True):
            rows = (index * size, (index + 1) * size) if is_raw else self._rows("image", index)
            data = self._file.read_bytes(name, index, rows, crc)
            called = f"{self.path}: the picture of sample {index}"
            found.append(StoredPicture(data, Box(*box), frame, is_raw, called))
        return found

    def ignored(self, index: int) -> NDArray[np.bool_] | None:
        """Return of which pixels (H, W) of a sample's input the middle is ignored; None if of none, or of format 1.

        Raises
        ------
        ShardError
            If what is stored of it is damaged.
        """
        if self.format_version == 1:
            return None
        rows, name = self._rows("ignored", index), "ignored/bytes"
        self._file.open(name, self._rules[name])
        with self._file.wrap_errors(f"{name}[{index}] cannot be read"):
            return unpack_ignored(self._file.read_bytes(name, index, rows, None), self.config.input_size)

    def chunks(self, label: StoredLabel, indices: Sequence[int]) -> list[Chunk]:
        """Read one label of samples; what a chunk unpacks to is of `label.shape` and its storage's dtype.

        It is not for labels by person, which `rows` reads.

        Raises
        ------
        ShardError
            If a chunk is damaged.
        """
        name = label.spec.name
        return self._file.read_chunks(name, indices, self._find_crcs(name, indices))

    def rows(self, label: StoredLabel, index: int) -> NDArray[Any]:
        """Return a label by person of a sample as it is stored, (n, *label.shape)."""
        return self._read_whole(label.spec.name)[slice(*self._rows("person", index))].copy()

    def label(self, label: StoredLabel, index: int) -> NDArray[Any]:
        """Return one label of a sample: of its specification's dtype and shape, or by person (n, *shape).

        Raises
        ------
        ShardError
            If its chunk is damaged.
        """
        if label.spec.by_person:
            stored = self.rows(label, index)
        else:
            stored = np.empty(label.shape, label.storage.dtype)
            self.chunks(label, [index])[0].unpack(stored)
        return label.restore(label.storage.decode(stored))

    def sample(self, index: int) -> dict[str, Any]:
        """Return what is known of a sample besides picture and labels.

        A dict of the columns of `posegen.shards.schema.COLUMNS` that there are: `image_id`, `file_name`, `width`,
        `height`, `affine` (2, 3), `keypoints` (n, K, 3), `bbox` (n, 4) and `annotation_id` (n,); where views were drawn
        also `copy` and `view` (5,), see `posegen.images.augment.View`; and of several sources which, `source`.
        """
        return {name: self.column(name, [index])[0] for name in self._columns}

    def preview(self) -> dict[str, NDArray[Any]]:
        """Read all arrays of the preview, by path; there are none where there is no preview."""
        return read_preview(self._file, self.config, self._labels) if self.has_preview else {}

    def key(self, index: int) -> SampleKey:
        """Tell a sample from others; raises `ShardError` if it is to be one person, and is not."""
        (image_id,), (people,) = self.column("image_id", [index]), self.column("annotation_id", [index])
        (copy,) = self.column("copy", [index]) if self.config.copies > 1 else [0]
        if self.config.unit == "person" and len(people) != 1:
            raise self._file.damage(f"sample {index} has {len(people)} people, and is to be one person")
        (source,) = self.column("source", [index]) if self.config.sources else [""]
        return SampleKey.of(self.config, image_id, people, copy, source)

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
        header = read_header(file)
        self.format_version, self.versions, self.task_digest = header.version, header.versions, header.task_digest
        self.config, self.skeleton, self._labels = header.config, header.skeleton, header.labels
        self._length = file.length("sample/image_id")
        picture_bytes = 0 if self.config.image_encoding == "raw" else file.length("image/bytes")
        self._rules = lay_out(
            self.config,
            self._labels,
            version=self.format_version,
            samples=self._length,
            people=file.length("person/keypoints"),
            keypoints=len(self.skeleton.keypoints),
            picture_bytes=picture_bytes,
            ignored_bytes=file.length("ignored/bytes") if self.format_version > 1 else 0,
        )
        self._columns = {column.name: column for column in list_columns(self.config)}
        self._whole: dict[str, NDArray[Any]] = {}
        self._offsets: dict[str, NDArray[np.int64]] = {}
        names = file.names(GROUPS)
        self.has_preview = PREVIEW in names
        if foreign := sorted(names - self._rules.keys() - {PREVIEW}):
            raise file.damage(f"{foreign[0]!r} is no part of a shard")
        for name in ("sample/image_id", *(label.spec.name for label in self._labels)):
            file.open(name, self._rules[name])
        self._boxes = self._read_boxes(picture_bytes)

    def _read_boxes(self, picture_bytes: int) -> NDArray[np.int64]:
        """Read where in their frames the pictures are, (N, 4), and hold it against what there is of them."""
        config, name = self.config, "image/box"
        height, width = config.frame_size
        if self.format_version == 1:
            boxes = np.tile(np.array([0, 0, width, height], np.int64), (self._length, 1))
        else:
            boxes = np.asarray(self._read_whole(name), np.int64)
        first, size = boxes[:, :2], boxes[:, 2:]
        if (first < 0).any() or (size < 1).any() or (first + size > (width, height)).any():
            raise self._file.damage(f"{name} has boxes that do not lie in {width}x{height} pixels")
        whole = config.unit == "image" and config.augment is None
        if whole and not (size == (width, height)).any(axis=1).all():
            raise self._file.damage(f"{name} has boxes into which no picture fits {width}x{height} pixels")
        pixels = int(size.prod(axis=1).sum())
        if config.image_encoding != "raw" and pixels * 3 > picture_bytes * _MOST_PIXEL_BYTES:
            raise self._file.damage(f"{picture_bytes} bytes cannot be {len(boxes)} pictures of {pixels} pixels")
        return boxes

    def _find_crcs(self, name: str, indices: Sequence[int]) -> Sequence[int | None]:
        """Find the CRC-32 of a label or `image` of samples; format 1 has none."""
        if self.format_version == 1:
            return [None] * len(indices)
        found: list[int | None] = self._read_whole(f"checksum/{name}")[indices].tolist()
        return found

    def _rows(self, group: str, index: int) -> tuple[int, int]:
        """Find from which on and to before which a sample's people are, or the bytes of its picture or bitmap."""
        offsets = self._offsets.get(group)
        if offsets is None:
            offsets = self._read_offsets(group)
        start, stop = offsets[index : index + 2].tolist()
        return start, stop

    def _read_offsets(self, group: str) -> NDArray[np.int64]:
        if group not in self._offsets:
            offsets = np.asarray(self._read(f"{group}/offsets", ...))
            rows = self._rules["person/keypoints" if group == "person" else f"{group}/bytes"].shape[0]
            if offsets[0] != 0 or offsets[-1] != rows or (offsets[1:] < offsets[:-1]).any():
                raise self._file.damage(f"{group}/offsets do not lead from 0 to {rows}")
            self._offsets[group] = offsets
        return self._offsets[group]

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
