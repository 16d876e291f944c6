"""Other readers, on the same samples: a module each, which is measured where its package is installed.

A module has `NAME`, what the tables call it; `PACKAGE`, what has to be importable; `write(samples, directory)`, which
writes pictures and labels there; and `open_reader(directory, batch_size, workers)`, which returns what is iterated over
once an epoch, for batches as dicts of tensors in an order of its own.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol

from posegen.bench.turns import Notify

MODULES = ("ffcv", "streaming", "litdata", "webdataset", "h5py")
"""The modules here; `make bench-peers` installs what they need."""


class Samples(Protocol):
    """The samples of a dataset: dicts of `image` (H, W, 3) uint8 and labels (C, h, w) float32."""

    def __len__(self) -> int:
        """How many."""

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Iterate over them."""

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Return one."""


class Peer(Protocol):
    """What a module here has."""

    NAME: str
    PACKAGE: str

    @staticmethod
    def write(samples: Samples, directory: Path) -> None:
        """Write samples to a directory that is there."""

    @staticmethod
    def open_reader(directory: Path, batch_size: int, workers: int) -> Iterable[dict[str, Any]]:
        """Return what gives the batches of an epoch every time that it is iterated over."""


def find_peers(notify: Notify) -> list[Peer]:
    """Import those whose packages are installed, and tell of the others."""
    found: list[Peer] = []
    for name in MODULES:
        module: Any = importlib.import_module(f"posegen.bench.peers.{name}")
        if importlib.util.find_spec(module.PACKAGE) is None:
            notify(f"{module.NAME} is left out: it is not installed; `make bench-peers` does that")
        else:
            found.append(module)
    return found


def count_bytes(directory: Path) -> int:
    """Add up the sizes of all files in a directory."""
    return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())
