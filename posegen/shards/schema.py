"""What lies in a shard: the names of its format, how a label is stored, what the manifest says of a file."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posegen.errors import ConfigError
from posegen.labels import ArraySpec
from posegen.shards.quantize import Storage

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
