"""litdata: chunks of JPEGs and float16 arrays, read one after the other by its own DataLoader's workers."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from posegen.bench.peers.pictures import decode, encode, list_labels

NAME = "litdata"
PACKAGE = "litdata"

_CHUNK = "64MB"


def write(samples: Any, directory: Path) -> None:
    """Write chunks, uncompressed, in this process: `litdata.optimize` starts others for it."""
    from litdata.streaming.writer import BinaryWriter

    writer = BinaryWriter(str(directory), chunk_bytes=_CHUNK)
    for i, sample in enumerate(samples):
        labels = {name: sample[name].astype(np.float16) for name in list_labels(sample)}
        size = np.array(sample["image"].shape[:2], np.int32)
        writer[i] = {"image": encode(sample["image"]), "size": size, **labels}
    writer.done()
    writer.merge()


def open_reader(directory: Path, batch_size: int, workers: int) -> Iterable[dict[str, Any]]:
    """Read chunks in random order, and what is in them."""
    from litdata import StreamingDataLoader, StreamingDataset

    data = StreamingDataset(str(directory), shuffle=True, transform=_decode)
    return StreamingDataLoader(
        data, batch_size=batch_size, num_workers=workers, persistent_workers=True, multiprocessing_context="spawn"
    )


def _decode(record: dict[str, Any]) -> dict[str, Any]:
    import torch

    height, width = record["size"].tolist()
    found = {"image": torch.from_numpy(decode(bytes(record["image"]), (height, width))).permute(2, 0, 1)}
    labels = {name: values for name, values in record.items() if name not in {"image", "size"}}
    return found | {name: torch.from_numpy(values.astype(np.float32)) for name, values in labels.items()}
