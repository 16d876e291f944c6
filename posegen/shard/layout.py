"""What lies in a shard: the names of its format, how a label is stored, what the manifest says of a file."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from posegen.errors import ConfigError
from posegen.labels import ArraySpec, Storage
from posegen.labels.registry import find_versions

FORMAT = "posegen-shard"
FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredLabel:
    """How one label lies in a shard."""

    spec: ArraySpec
    storage: Storage
    layout: str

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one sample, in the layout's axis order."""
        channels, *cells = self.spec.shape
        return (channels, *cells) if self.layout == "chw" else (*cells, channels)

    @property
    def logical(self) -> int:
        """The bytes of one sample before compression."""
        return math.prod(self.shape) * np.dtype(self.storage.dtype).itemsize

    def arrange(self, values: NDArray[np.float32]) -> NDArray[Any]:
        """Turn the rendered float32 values of S samples, (S, C, h, w) or (S, C), into what is stored.

        Raises
        ------
        ConfigError
            If they are none.
        """
        if values.shape[1:] != self.spec.shape or values.dtype != np.float32:
            raise ConfigError(
                f"label '{self.spec.name}' was drawn as {values.dtype} {values.shape[1:]}, but its specification says "
                f"float32 {self.spec.shape}"
            )
        stored = self.storage.encode(values)
        return stored if self.layout == "chw" else np.ascontiguousarray(np.moveaxis(stored, 1, -1))


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


def library_versions(labels: Sequence[str] = ()) -> dict[str, str]:
    """Return the versions of what determines a shard's bytes; packages that bring one of the labels included.

    Raises
    ------
    ConfigError
        If there is no such label.
    """
    import cv2

    from posegen import __version__

    return {
        "posegen": __version__,
        "numpy": np.__version__,
        "opencv": cv2.__version__,
        "hdf5": h5py.version.hdf5_version,
    } | find_versions(labels)
