"""What training gets a second from each reader of the same samples: posegen's, and those of others that are installed.

Every reader has as many threads or processes as there are workers, an order of its own, and hands over pictures as
bytes and labels as float32, in tensors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from posegen.bench.peers import count_bytes, find_peers
from posegen.bench.turns import Notify, compare, take_in_turn
from posegen.loader import PoseDataset

ONLINE, ONLINE_TEXT = "on-line views, posegen's labels", "on-line views, vectorised heatmap, paf"
STORED, VIEWS, DATA_LOADER = "PoseLoader", "PoseLoader, fresh views", "TorchPoseDataset in a DataLoader"
BY_WORKERS = "PoseLoader, workers"
RANGES = "scale=0.5-1.1,rotate=40,shift=40,flip=0.5"


class Pipeline(Protocol):
    """What goes through some samples when it is called."""

    samples: int

    def __call__(self) -> None:
        """Go through them."""


def measure_loaders(
    out: Path,
    scratch: Path,
    rounds: int,
    notify: Notify,
    *,
    online: Mapping[str, Pipeline],
    workers: int,
    batch_size: int,
) -> dict[str, Any]:
    """Measure readers in turn.

    Parameters
    ----------
    out
        A dataset of posegen's.
    scratch
        Where others are to write its samples.
    rounds, notify
        As in `take_in_turn`.
    online
        What makes such views of the annotations and pictures themselves, by name.
    workers
        Threads or processes of each.
    batch_size
        Samples a batch.

    Returns
    -------
    `comparisons`, and `bytes_sample`: by reader, bytes on disk a sample.
    """
    fields = list(PoseDataset(out).reader.array_fields)
    samples = PoseDataset(out, fields=fields)
    readers = _open_own(out, fields, workers, batch_size)
    sizes = {STORED: count_bytes(out) / len(samples)}
    peers = find_peers(notify)
    for peer in peers:
        directory = scratch / f"of-{peer.PACKAGE}"
        directory.mkdir()
        notify(f"writing {len(samples)} samples for {peer.NAME}")
        peer.write(samples, directory)
        readers[peer.NAME] = peer.open_reader(directory, batch_size, workers)
        sizes[peer.NAME] = count_bytes(directory) / len(samples)
    runs: dict[str, Callable[[], None]] = {name: partial(_exhaust, reader) for name, reader in readers.items()}
    seconds = take_in_turn(runs | dict(online), rounds=rounds, notify=notify)
    covered = dict.fromkeys(readers, len(samples)) | {name: pipeline.samples for name, pipeline in online.items()}
    rates = {name: [covered[name] / s for s in taken] for name, taken in seconds.items()}
    pairs = [(STORED, name) for name in (DATA_LOADER, BY_WORKERS, *(peer.NAME for peer in peers))]
    pairs += [(VIEWS, STORED), *((VIEWS, name) for name in online), *((DATA_LOADER, peer.NAME) for peer in peers)]
    comparisons = [
        compare("reading", "samples/s", (mine, rates[mine]), (other, rates[other]), kind="times", samples=len(samples))
        for mine, other in pairs
    ]
    return {"comparisons": comparisons, "bytes_sample": sizes}


def _open_own(out: Path, fields: list[str], workers: int, batch_size: int) -> dict[str, Iterable[dict[str, Any]]]:
    from torch.utils.data import DataLoader

    from posegen.loader.torch import PoseLoader, ShardShuffleSampler, TorchPoseDataset, collate

    loader = partial(PoseLoader, out, batch_size=batch_size, fields=fields, image_dtype="uint8", threads=workers)
    data = TorchPoseDataset(out, fields=fields, image_dtype="uint8")
    return {
        STORED: loader(),
        VIEWS: loader(views=RANGES),
        BY_WORKERS: loader(workers=workers, threads=1),
        DATA_LOADER: DataLoader(
            data,
            batch_size,
            sampler=ShardShuffleSampler(data),
            collate_fn=collate,
            num_workers=workers,
            persistent_workers=True,
            multiprocessing_context="spawn",
        ),
    }


def _exhaust(reader: Iterable[dict[str, Any]]) -> None:
    for _ in reader:
        pass
