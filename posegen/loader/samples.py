"""How the samples of a dataset are read: as they are stored, perhaps mirrored, or in fresh views."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from posegen.errors import ImageError, ShardError
from posegen.geometry import Affine
from posegen.images.stored import StoredPicture
from posegen.loader.batch import Packed, unpack_label, unpack_rows
from posegen.loader.drawing import ViewDrawer
from posegen.loader.fields import Field
from posegen.loader.files import SampleFiles
from posegen.loader.flip import Mirror, RandomFlips
from posegen.loader.seen import ViewMapper
from posegen.loader.shown import fill_shown
from posegen.shards import Column, StoredLabel
from posegen.shards.quantize import Widen
from posegen.shards.schema import list_columns


class Samples(Protocol):
    """One way to read samples, of which it is known what is wanted of them."""

    def fetch(self, numbers: Sequence[int], epoch: int) -> Packed:
        """Read what the files have of B samples."""
        ...

    def unpack(self, packed: Packed, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Unpack, or draw, pictures and labels into arrays (B, ...); uses no file."""
        ...

    def read_affines(self, numbers: Sequence[int], epoch: int) -> NDArray[np.float64]:
        """Read the maps (B, 2, 3) of image pixels to those of the input that `fetch` gives, wanted or not."""
        ...


class StoredSamples:
    """Reads what is stored, and mirrors it where a sample is flipped.

    Parameters
    ----------
    files
        Of the dataset.
    fields, labels
        The names of what is wanted, and the labels among it.
    mirror
        What flips samples; None if none is flipped.
    chance
        Says which are; None if all.
    raw, widen
        As in `posegen.PoseDataset`.
    """

    def __init__(
        self,
        files: SampleFiles,
        fields: Iterable[str],
        labels: Sequence[StoredLabel],
        *,
        mirror: Mirror | None,
        chance: RandomFlips | None,
        raw: bool,
        widen: Widen | None,
    ) -> None:
        self._files, self._raw, self._widen = files, raw, widen
        self._mirror, self._chance = mirror, chance
        fields = list(fields)
        self._columns = _list_columns(fields)
        self._names = [name for name in fields if name not in {column.name for column in self._columns}]
        self._labels = [label for label in labels if not label.spec.by_person]
        self._by_person = [label for label in labels if label.spec.by_person]

    def fetch(self, numbers: Sequence[int], epoch: int) -> Packed:
        """Read B samples; people and maps are mirrored, labels and pictures not yet."""
        mirrors = self._find_mirrors(numbers, epoch)
        held, columns = self._files.collect(numbers, self._names, [column.name for column in self._columns])
        if self._mirror is not None:
            for column in self._columns:
                columns[column.name] = _mirror_column(column, columns[column.name], mirrors)
        for label in self._by_person:
            name = label.spec.name
            columns[name] = unpack_rows(label, held.pop(name), mirrors, raw=self._raw)
        return Packed(numbers, mirrors, columns, held)

    def unpack(self, packed: Packed, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Unpack pictures and labels, kind by kind."""
        for label in self._labels:
            name = label.spec.name
            unpack_label(label, packed.held[name], packed.mirrors, arrays[name], self._widen)
        if "image" in arrays:
            for picture, mirror, pixels in zip(packed.held["image"], packed.mirrors, arrays["image"], strict=True):
                _decode(picture, mirror, pixels)

    def read_affines(self, numbers: Sequence[int], epoch: int) -> NDArray[np.float64]:
        """Read B maps, mirrored where the sample is."""
        _, columns = self._files.collect(numbers, [], ["affine"])
        affines = _mirror_column(_list_columns(["affine"])[0], columns["affine"], self._find_mirrors(numbers, epoch))
        return np.array(affines, np.float64).reshape(-1, 2, 3)

    def _find_mirrors(self, numbers: Sequence[int], epoch: int) -> list[Mirror | None]:
        if self._mirror is None or self._chance is None:
            return [self._mirror] * len(numbers)
        return [self._mirror if self._chance.is_flipped(epoch, number) else None for number in numbers]


class ViewedSamples:
    """Reads samples in views of their own.

    Parameters
    ----------
    files
        Of the dataset.
    fields
        The names of what is wanted.
    drawer
        Draws it, knowing the labels that are wanted.
    """

    def __init__(self, files: SampleFiles, fields: Iterable[str], drawer: ViewDrawer) -> None:
        self._files, self._drawer, self._mapper = files, drawer, drawer.mapper
        fields = list(fields)
        self._columns = [column.name for column in _list_columns(fields)]
        wanted = {"image": "image" in fields or self._mapper.needs_picture, "ignored": self._mapper.asking is not None}
        self._held = [name for name, is_wanted in wanted.items() if is_wanted]

    def fetch(self, numbers: Sequence[int], epoch: int) -> Packed:
        """Read what the views of B samples are made of, and map their people."""
        names = list(dict.fromkeys((*self._columns, *self._mapper.needed)))
        held, told = self._files.collect(numbers, self._held, names)
        seen, columns = self._mapper.see(epoch, numbers, told, held.pop("ignored", [None] * len(numbers)))
        columns = {name: columns[name] for name in self._columns}
        return Packed(numbers, [], columns | self._drawer.draw_people(seen), held, seen)

    def unpack(self, packed: Packed, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Warp pictures and draw labels."""
        self._drawer.draw(packed.seen, packed.held.get("image"), arrays)

    def read_affines(self, numbers: Sequence[int], epoch: int) -> NDArray[np.float64]:
        """Read B maps and follow them by those of the views."""
        _, columns = self._files.collect(numbers, [], ["affine"])
        return self._mapper.map_affines(epoch, numbers, columns["affine"])


class UndrawnSamples:
    """Reads what views are drawn of, for who draws them elsewhere: whole inputs, people as they are stored, and views.

    Parameters
    ----------
    files, fields
        As in `ViewedSamples`.
    mapper
        Knows the views.
    """

    def __init__(self, files: SampleFiles, fields: Iterable[str], mapper: ViewMapper) -> None:
        self._files, self._mapper, self._fields = files, mapper, list(fields)
        self._columns = [column.name for column in _list_columns(self._fields)]

    def fetch(self, numbers: Sequence[int], epoch: int) -> Packed:
        """Read B samples, and find their views."""
        shown = "shown" in self._fields
        wanted = {"image": "image" in self._fields, "ignored": shown}
        names = dict.fromkeys((*self._columns, *(("affine", "width", "height") if shown else ())))
        held, told = self._files.collect(numbers, [name for name in wanted if wanted[name]], [*names])
        if shown:
            sizes = zip(told["height"], told["width"], strict=True)
            held["shown"] = [*zip(sizes, told["affine"], held.pop("ignored"), strict=True)]
        columns = {name: told[name] for name in self._columns}
        columns["views"] = [self._mapper.find_view(epoch, number).values for number in numbers]
        return Packed(numbers, [], columns, held)

    def unpack(self, packed: Packed, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Decode pictures, and measure what of them counts."""
        if "image" in arrays:
            for picture, pixels in zip(packed.held["image"], arrays["image"], strict=True):
                _decode(picture, None, pixels)
        if "shown" in arrays:
            for (size, affine, ignored), out in zip(packed.held["shown"], arrays["shown"], strict=True):
                fill_shown(size, Affine.from_matrix(affine), ignored, out)

    def read_affines(self, numbers: Sequence[int], epoch: int) -> NDArray[np.float64]:
        """Read B maps, followed by those of the views."""
        _, columns = self._files.collect(numbers, [], ["affine"])
        return self._mapper.map_affines(epoch, numbers, columns["affine"])


def list_undrawn(
    fields: Mapping[str, Field], every: Mapping[str, Field], mapper: ViewMapper, labels: Sequence[StoredLabel]
) -> dict[str, Field]:
    """List what samples have of which labels are drawn elsewhere.

    Parameters
    ----------
    fields, every
        What is wanted, and all that a sample can have.
    mapper
        Knows what is needed for the labels.
    labels
        Those among what is wanted.
    """
    found = dict(fields)
    for label in labels:
        del found[label.spec.name]
    if mapper.needs_picture:
        found["shown"] = Field(every["image"].shape[:2], "uint8")
    return found | {"keypoints": every["keypoints"], "bbox": every["bbox"], "views": Field((5,), "float64")}


def _list_columns(fields: Iterable[str]) -> list[Column]:
    """List those fields that are columns."""
    known = {column.name: column for column in list_columns()}
    return [known[name] for name in fields if name in known]


def _mirror_column(column: Column, values: Sequence[Any], mirrors: Sequence[Mirror | None]) -> list[Any]:
    pairs = zip(values, mirrors, strict=True)
    return [value if mirror is None else mirror.column(column, value) for value, mirror in pairs]


def _decode(picture: StoredPicture, mirror: Mirror | None, out: NDArray[np.uint8]) -> None:
    """Decode a picture into the input, (H, W, 3) uint8."""
    try:
        picture.fill(out)
    except ImageError as error:
        raise ShardError(str(error)) from error
    if mirror is not None:
        out[...] = mirror.image(out)
