"""webdataset: tar files of JPEGs and float16 arrays, read one after the other by a DataLoader's workers."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from posegen.bench.peers.pictures import decode, encode, list_labels

NAME = "webdataset"
PACKAGE = "webdataset"

_SHARD = 64


def write(samples: Any, directory: Path) -> None:
    """Write tar files of 64 samples."""
    import webdataset

    with webdataset.ShardWriter(str(directory / "shard-%05d.tar"), maxcount=_SHARD, verbose=0) as writer:
        for i, sample in enumerate(samples):
            labels = {f"{name}.npy": sample[name].astype(np.float16) for name in list_labels(sample)}
            size = sample["image"].shape[:2]
            picture = {"image.jpg": encode(sample["image"]), "size.txt": f"{size[0]} {size[1]}"}
            writer.write({"__key__": f"{i:08d}", **picture, **labels})


def open_reader(directory: Path, batch_size: int, workers: int) -> Iterable[dict[str, Any]]:
    """Read shards in random order, and shuffle a shard's worth of samples."""
    import webdataset
    from torch.utils.data import DataLoader

    shards = sorted(map(str, directory.glob("shard-*.tar")))
    data = webdataset.WebDataset(shards, shardshuffle=len(shards), seed=0).shuffle(_SHARD).map(_decode)
    return DataLoader(data, batch_size, num_workers=workers, persistent_workers=True, multiprocessing_context="spawn")


def _decode(record: dict[str, Any]) -> dict[str, Any]:
    import torch

    height, width = map(int, record["size.txt"].split())
    found = {"image": torch.from_numpy(decode(record["image.jpg"], (height, width))).permute(2, 0, 1)}
    for key, data in record.items():
        name, _, kind = key.partition(".")
        if kind == "npy":
            found[name] = torch.from_numpy(np.load(io.BytesIO(data)).astype(np.float32))
    return found
