"""MosaicML streaming: shards of JPEGs and float16 arrays, read one by one by a DataLoader's workers."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from posegen.bench.peers.pictures import decode, encode, list_labels

NAME = "MosaicML streaming"
PACKAGE = "streaming"


def write(samples: Any, directory: Path) -> None:
    """Write shards, uncompressed: it would unpack them before it reads them."""
    columns, first = {"image": "bytes", "size": "ndarray:int32:2"}, samples[0]
    for name in list_labels(first):
        columns[name] = f"ndarray:float16:{','.join(map(str, first[name].shape))}"
    with _load().MDSWriter(out=str(directory), columns=columns) as writer:
        for sample in samples:
            labels = {name: sample[name].astype(np.float16) for name in list_labels(sample)}
            size = np.array(sample["image"].shape[:2], np.int32)
            writer.write({"image": encode(sample["image"]), "size": size, **labels})


def open_reader(directory: Path, batch_size: int, workers: int) -> Iterable[dict[str, Any]]:
    """Read in random order."""
    from torch.utils.data import DataLoader

    streaming = _load()
    streaming.base.util.clean_stale_shared_memory()

    data = streaming.StreamingDataset(local=str(directory), batch_size=batch_size, shuffle=True)
    # Forked, as it expects: a worker that is spawned would import it with all it has.
    return DataLoader(
        data,
        batch_size,
        collate_fn=_decode,
        num_workers=workers,
        persistent_workers=True,
        multiprocessing_context="fork",
    )


def _load() -> Any:
    """Import it without its classes of published pictures, which alone need torchvision."""
    sys.modules.setdefault("streaming.vision", types.ModuleType("streaming.vision"))
    import streaming

    return streaming


def _decode(records: list[dict[str, Any]]) -> dict[str, Any]:
    import torch
    from torch.utils.data import default_collate

    found = []
    for record in records:
        height, width = record.pop("size").tolist()
        picture = torch.from_numpy(decode(record.pop("image"), (height, width))).permute(2, 0, 1)
        labels = {name: torch.from_numpy(values.astype(np.float32)) for name, values in record.items()}
        found.append({"image": picture, **labels})
    return default_collate(found)
