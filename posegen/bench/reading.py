"""Section `read`: reading a dataset against computing its labels while training, and against decoding its pictures.

Every pipeline is a PyTorch DataLoader with the same workers and the same batches. Where labels are compared with labels
the batches come to this process as tensors, as training gets them; against the floor, and for labels alone, they end
where they are made: the floor is what decoding takes, and handing over is no part of it.
"""

from __future__ import annotations

import dataclasses
import multiprocessing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.context import BaseContext
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from posegen.bench.batches import (
    Augmented,
    Batch,
    Online,
    Shards,
    StoredPictures,
    Text,
    Vectorised,
    augment,
    read_pictures,
)
from posegen.bench.loaders import ONLINE, ONLINE_TEXT, RANGES, measure_loaders
from posegen.bench.source import PRESET, Source, replicate
from posegen.bench.turns import Notify, compare, take_in_turn
from posegen.build.pipeline import build
from posegen.config import BuildConfig
from posegen.errors import MissingExtraError
from posegen.loader.shuffle import shuffle_shards
from posegen.shards.manifest import Manifest

_SHARDS = 16
_SHARD_SIZE = 64
_BATCH = 16
_LABELS = ("heatmap", "paf")
"""What there is a vectorised reference for."""

_ORDERS = ("random", "shard-shuffled")

_COMPARED: tuple[tuple[str, str, Literal["times", "share"]], ...] = (
    ("picture, heatmap", "decode, resize, vectorised heatmap", "times"),
    ("picture, all labels", "decode, resize, posegen's labels", "times"),
    ("picture, heatmap, not handed over", "decode the stored pictures", "share"),
    ("all labels, not handed over", "decode the stored pictures", "share"),
    ("as stored, not handed over", "decode the stored pictures", "share"),
    ("heatmap, paf", "vectorised heatmap, paf", "times"),
)
"""What is read, in each order, and what it is compared with."""


def measure_reading(
    source: Source,
    scratch: Path,
    rounds: int,
    notify: Notify,
    *,
    workers: int = 2,
    shards: int = _SHARDS,
    shard_size: int = _SHARD_SIZE,
) -> dict[str, Any]:
    """Measure reading.

    Parameters
    ----------
    source
        Whose samples.
    scratch
        Where to put them, and what is built of them.
    rounds
        How often each pipeline is timed; they are timed in turn.
    notify
        Told what is measured.
    workers
        Processes of each DataLoader.
    shards, shard_size
        How many shards there are to read from, and of how many samples.

    Raises
    ------
    MissingExtraError
        If PyTorch is not installed.
    """
    try:
        import torch  # noqa: F401 (whether it is there)
    except ModuleNotFoundError as error:
        raise MissingExtraError("PyTorch", "torch") from error
    count = shards * shard_size
    notify(f"building {count} samples")
    config = dataclasses.replace(BuildConfig.preset(PRESET), shard_size=shard_size)
    paths, out = replicate(source, count, scratch / "read"), scratch / "to-read"
    build(paths.annotations, out, config, images=paths.images, workers=workers)
    pipelines = _lay_pipelines(source, out, workers)
    covered = {name: pipeline.samples for name, pipeline in pipelines.items()}
    seconds = take_in_turn(dict(pipelines.items()), rounds=rounds, notify=notify)
    rates = {name: [covered[name] / s for s in taken] for name, taken in seconds.items()}

    comparisons = [
        compare(
            "reading",
            "samples/s",
            (f"{name}, {order}", rates[f"{name}, {order}"]),
            (other, rates[other]),
            kind=kind,
            samples=covered[f"{name}, {order}"],
        )
        for name, other, kind in _COMPARED
        for order in _ORDERS
    ]
    online = _lay_online(source, count, workers)
    loaders = measure_loaders(out, scratch, rounds, notify, online=online, workers=workers, batch_size=_BATCH)
    return {
        "comparisons": comparisons + loaders["comparisons"],
        "bytes_sample": loaders["bytes_sample"],
        "workers": workers,
        "samples": count,
        "shards": shards,
        "batch": _BATCH,
    }


class _Pipeline:
    """A DataLoader whose workers stay, over a fixed order of samples; calling it goes through them once.

    Parameters
    ----------
    read
        Makes the batch of some samples, in a worker.
    order
        The numbers of the samples.
    workers
        How many.
    kept
        Whether batches come to this process.
    """

    def __init__(
        self, read: Callable[[Sequence[int]], Batch], order: NDArray[np.int64], workers: int, *, kept: bool
    ) -> None:
        from torch.utils.data import DataLoader

        self.samples = len(order)
        self._loader = DataLoader(
            _Batches(read),
            batch_sampler=[order[i : i + _BATCH].tolist() for i in range(0, len(order), _BATCH)],
            num_workers=workers,
            persistent_workers=True,
            collate_fn=_to_tensors if kept else _drop,
            worker_init_fn=_start_worker,
            multiprocessing_context=_start_method(),
        )

    def __call__(self) -> None:
        for _ in self._loader:
            pass


def _lay_pipelines(source: Source, out: Path, workers: int) -> dict[str, _Pipeline]:
    """Lay what is compared, by name. What is slow goes through fewer samples."""
    task, sizes = source.task, [shard.samples for shard in Manifest.read(out).shards]
    count = sum(sizes)
    orders = {
        "random": np.random.default_rng(0).permutation(count),
        "shard-shuffled": shuffle_shards(sizes, seed=0),
    }
    few = np.arange(max(workers * _BATCH, count // 16)) % len(task.samples)
    more = np.arange(max(workers * _BATCH, count // 4)) % len(task.samples)
    pictures = read_pictures(out)
    pipelines = {
        "decode, resize, vectorised heatmap": _Pipeline(Text(task), few, workers, kept=True),
        "decode, resize, posegen's labels": _Pipeline(Online(task), more, workers, kept=True),
        "decode the stored pictures": _Pipeline(
            StoredPictures(pictures, task.config.input_size), orders["random"], workers, kept=False
        ),
        "vectorised heatmap, paf": _Pipeline(Vectorised(task), few, workers, kept=False),
    }
    everything = ("image", *(label.spec.name for label in task.config.create_labels(task.skeleton)))
    for order, numbers in orders.items():
        for name, fields, kept in (
            ("picture, heatmap", ("image", "heatmap"), True),
            ("picture, all labels", everything, True),
            ("picture, heatmap, not handed over", ("image", "heatmap"), False),
            ("all labels, not handed over", everything, False),
            ("as stored, not handed over", everything, False),
            ("heatmap, paf", _LABELS, False),
        ):
            shards = Shards(out, fields, kept=kept, raw=name.startswith("as stored"))
            pipelines[f"{name}, {order}"] = _Pipeline(shards, numbers, workers, kept=kept)
    return pipelines


def _lay_online(source: Source, count: int, workers: int) -> dict[str, _Pipeline]:
    """Lay what makes views without shards, by name; what is slow goes through fewer samples."""
    less = {ONLINE: 4, ONLINE_TEXT: 16}
    samples = {name: max(workers * _BATCH, count // by) for name, by in less.items()}
    task = augment(source.task, RANGES, -(-max(samples.values()) // len(source.samples)))
    made: dict[str, Callable[[Sequence[int]], Batch]] = {ONLINE: Online(task), ONLINE_TEXT: Augmented(task)}
    return {name: _Pipeline(made[name], np.arange(samples[name]), workers, kept=True) for name in less}


@dataclass(frozen=True, slots=True, eq=False)
class _Batches:
    """What a DataLoader takes for a dataset."""

    read: Callable[[Sequence[int]], Batch]

    def __getitems__(self, indices: Sequence[int]) -> Batch:
        return self.read(indices)

    def __getitem__(self, index: int) -> Batch:
        return self.read([index])


def _to_tensors(batch: Batch) -> Mapping[str, Any]:
    import torch

    return type(batch)({name: torch.as_tensor(values) for name, values in batch.items()})


def _drop(batch: Batch) -> int:
    return len(batch)


def _start_method() -> BaseContext:
    """Start workers from a clean process: OpenCV's threads do not survive a fork, and wait for ever in its child."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["torch.utils.data", __name__])
    return context


def _start_worker(_: int) -> None:
    cv2.setNumThreads(1)
