"""h5py by hand: one file, a row a sample, labels as chunks of float16 with gzip, read one by one by a DataLoader."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from posegen.bench.peers.pictures import decode, encode, list_labels

NAME = "h5py by hand"
PACKAGE = "h5py"


class _Rows:
    """A map-style dataset that opens its file in the process that reads."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: Any = None
        with h5py.File(path) as file:
            self._size = tuple(file.attrs["size"])
            self._names = [name for name in file if name != "image"]
            self._length = len(file["image"])

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> dict[str, Any]:
        import torch

        if self._file is None:
            self._file = h5py.File(self._path)
        found = {"image": torch.from_numpy(decode(self._file["image"][index].tobytes(), self._size)).permute(2, 0, 1)}
        labels = {name: torch.from_numpy(self._file[name][index].astype(np.float32)) for name in self._names}
        return found | labels


def write(samples: Any, directory: Path) -> None:
    """Write one file."""
    first = samples[0]
    with h5py.File(directory / "samples.h5", "w") as file:
        file.attrs["size"] = first["image"].shape[:2]
        images = file.create_dataset("image", len(samples), h5py.vlen_dtype(np.uint8))
        labels = {
            name: file.create_dataset(
                name,
                (len(samples), *first[name].shape),
                np.float16,
                chunks=(1, *first[name].shape),
                compression="gzip",
                compression_opts=1,
            )
            for name in list_labels(first)
        }
        for i, sample in enumerate(samples):
            images[i] = np.frombuffer(encode(sample["image"]), np.uint8)
            for name, dataset in labels.items():
                dataset[i] = sample[name]


def open_reader(directory: Path, batch_size: int, workers: int) -> Iterable[dict[str, Any]]:
    """Read in random order."""
    from torch.utils.data import DataLoader

    rows = _Rows(directory / "samples.h5")
    return DataLoader(
        rows, batch_size, shuffle=True, num_workers=workers, persistent_workers=True, multiprocessing_context="spawn"
    )
