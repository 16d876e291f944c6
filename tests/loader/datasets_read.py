"""What a dataset has to give: its shards read by h5py and OpenCV alone, and ways to compare."""

from __future__ import annotations

import gc
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin  # noqa: F401 (registers the zstd filter)
import numpy as np
import pytest
from by_hand import show_picture

import posegen

SIZES = {"plain": (3, 3, 2), "packed": (3, 3, 3, 1), "raw": (3, 3, 2)}
LABELS = {"plain": ("heatmap", "paf", "mask"), "packed": ("heatmap", "paf", "mask"), "raw": ("heatmap", "paf")}


def shards(dataset: Path) -> list[Path]:
    return sorted(dataset.glob("shard-*.h5"))


def read_by_h5py(dataset: Path) -> list[dict[str, Any]]:
    """Read all samples as the README tells those who have h5py alone."""
    samples = []
    for path in shards(dataset):
        with h5py.File(path) as file:
            people = file["person/offsets"][:]
            for i in range(len(people) - 1):
                sample: dict[str, Any] = {}
                sample["image"] = show_picture(file, i)
                for name in {"heatmap", "paf", "mask"} & set(file):
                    sample[name] = file[name][i] * np.float32(file[name].attrs["scale"])
                for name in ("keypoints", "bbox", "annotation_id"):
                    sample[name] = file[f"person/{name}"][people[i] : people[i + 1]]
                for name in ("image_id", "width", "height", "affine"):
                    sample[name] = file[f"sample/{name}"][i]
                sample["file_name"] = file["sample/file_name"][i].decode()
                samples.append(sample)
    return samples


def digest(data: posegen.PoseDataset) -> str:
    """Hash everything that is read of a dataset."""
    hashed = hashlib.sha256()
    for sample in data:
        for name in sorted(sample):
            hashed.update(np.ascontiguousarray(sample[name]).tobytes())
    return hashed.hexdigest()


def send_digest(connection: Any, data: posegen.PoseDataset) -> None:
    connection.send(digest(data))
    connection.close()


def count_open(dataset: Path) -> int:
    """Count the files of a dataset that this process has open."""
    gc.collect()  # tracebacks of earlier tests hold datasets in cycles
    found = 0
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            found += str(dataset.resolve()) in str(descriptor.readlink())
        except OSError:
            continue
    return found


needs_proc = pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="only Linux lists open files there")


def opened_by(open_shard: Callable[[int], Any], opened: list[int]) -> Callable[[int], Any]:
    def open_and_note(shard: int) -> Any:
        opened.append(shard)
        return open_shard(shard)

    return open_and_note
