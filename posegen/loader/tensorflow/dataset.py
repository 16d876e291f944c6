"""`posegen.PoseDataset` as a `tf.data.Dataset`."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from posegen.errors import ConfigError
from posegen.loader.dataset import PoseDataset
from posegen.loader.fields import list_plain
from posegen.loader.shuffle import Remainder, shuffle_shards, take_share
from posegen.loader.views import Views
from posegen.shards.cache import CACHE_SIZE
from posegen.storage import Location


def tf_dataset(
    path: Location,
    *,
    batch_size: int,
    fields: Sequence[str] | None = None,
    shuffle: bool = True,
    seed: int = 0,
    window: int = 4,
    shard: tuple[int, int] = (0, 1),
    remainder: Remainder = "keep",
    drop_remainder: bool = False,
    raw: bool = False,
    flip: bool | Literal["random"] = False,
    views: Views | None = None,
    first_epoch: int = 0,
    readers: int = 2,
    prefetch: int = 2,
    cache_size: int = CACHE_SIZE,
) -> tf.data.Dataset:
    """Read a dataset in batches, shuffled a few shards at a time.

    Each pass over it is the next epoch, with an order of its own. It knows its length and the shapes of what it gives,
    but for the last batch, which may be smaller, and for the number of people.

    >>> data = tf_dataset("out/", batch_size=16, fields=["image", "heatmap"])
    >>> model.fit(data.map(lambda batch: (batch["image"], batch["heatmap"])), epochs=10)

    Parameters
    ----------
    path
        The directory of the dataset.
    batch_size
        Samples a batch.
    fields
        Names of what to read, of which nothing else is read; None reads picture, labels and `image_id`.
    shuffle, seed, window
        Whether to shuffle, from what, and how many shards at a time; see `posegen.loader.shuffle.shuffle_shards`.
    shard
        (index, count): which of several processes this is. Each reads a part of its own.
    remainder
        What happens where the samples do not divide by that count; see `posegen.loader.shuffle.take_share`.
    drop_remainder
        Whether to leave a smaller last batch out, so that the batch size is static, too.
    raw, flip, views
        As in `posegen.PoseDataset`; `flip="random"` and views are drawn from `seed` and the epoch. Colours are changed
        by a `map` of the batches' uint8 `image`.
    first_epoch
        Which epoch the first pass is.
    readers
        Batches read at once, by as many threads.
    prefetch
        Batches kept ready.
    cache_size
        As in `posegen.PoseDataset`.

    Returns
    -------
    A dataset of dicts: `image` (B, H, W, 3) uint8 R, G, B, the labels in the layout of the build, and the other fields
    of `posegen.PoseDataset`, stacked. `keypoints` (B, P, K, 3), `bbox` (B, P, 4) and `annotation_id` (B, P) are padded
    with zeros to the most people in the batch, so that v is 0 for who is not there; where one of them is read, `people`
    (B,) int64 says how many are.

    Raises
    ------
    ShardError
        If there is no dataset, or its manifest is damaged. A shard that is missing or damaged is an error of TensorFlow
        when it is read; the message names it.
    ConfigError
        If there is no such field or option, or a value is out of range.
    """
    _refuse_none(batch_size=batch_size, readers=readers, prefetch=prefetch)
    wanted = list_plain if fields is None else fields
    data = PoseDataset(path, fields=wanted, raw=raw, flip=flip, views=views, seed=seed, cache_size=cache_size)

    def list_indices(epoch: int) -> NDArray[np.int64]:
        order = np.arange(len(data))
        if shuffle:
            order = shuffle_shards(data.shard_sizes, seed=seed, epoch=epoch, window=window)
        return take_share(order, *shard, remainder=remainder)

    epochs = itertools.count(first_epoch)
    samples = len(list_indices(first_epoch))
    batches = samples // batch_size if drop_remainder else -(-samples // batch_size)

    def deal() -> Iterator[tuple[int, NDArray[np.int64]]]:
        epoch = next(epochs)
        indices = list_indices(epoch)
        data.pool.expect(indices)
        for start in range(0, batches * batch_size, batch_size):
            yield epoch, indices[start : start + batch_size]

    def load(epoch: Any, indices: Any) -> list[NDArray[Any]]:
        # Batches of two epochs may be read at once.
        of_epoch = copy.copy(data)
        of_epoch.epoch = int(epoch)
        found = _stack(of_epoch.batch(indices), padded)
        return [found[name] for name in specs]

    padded = frozenset(name for name, field in data.fields.items() if field.is_padded)
    specs = _specify(data, batch_size if drop_remainder else None)

    def read(epoch: tf.Tensor, indices: tf.Tensor) -> dict[str, tf.Tensor]:
        arrays = tf.numpy_function(load, [epoch, indices], [spec.dtype for spec in specs.values()])
        return {name: tf.ensure_shape(a, specs[name].shape) for name, a in zip(specs, arrays, strict=True)}

    signature = tf.TensorSpec((), tf.int64), tf.TensorSpec((None,), tf.int64)
    dataset = tf.data.Dataset.from_generator(deal, output_signature=signature)
    dataset = dataset.apply(tf.data.experimental.assert_cardinality(batches))
    dataset = dataset.map(read, num_parallel_calls=readers, deterministic=True).prefetch(prefetch)
    return dataset.with_options(_choose_options(is_dealt=shard != (0, 1)))


def _refuse_none(**counts: int) -> None:
    for name, value in counts.items():
        if value < 1:
            raise ConfigError(f"{name} must be a whole number from 1, not {value}")


def _choose_options(*, is_dealt: bool) -> tf.data.Options:
    """Keep TensorFlow from dealing out what has been dealt to this process already."""
    options = tf.data.Options()
    if is_dealt:
        options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
    return options


def _specify(data: PoseDataset, batch: int | None) -> dict[str, tf.TensorSpec]:
    """Say what a batch is made of, by name."""
    specs = {
        name: tf.TensorSpec((batch, *field.shape), tf.string if field.dtype == "str" else tf.as_dtype(field.dtype))
        for name, field in data.fields.items()
    }
    if any(field.is_padded for field in data.fields.values()):
        specs["people"] = tf.TensorSpec((batch,), tf.int64)
    return specs


def _stack(batch: dict[str, Any], padded: frozenset[str]) -> dict[str, NDArray[Any]]:
    """Make arrays of a batch's lists, of which some are padded to as many people."""
    found = {}
    for name, values in batch.items():
        if name in padded:
            found["people"] = np.array([len(rows) for rows in values], np.int64)
            whole = np.zeros((len(values), found["people"].max(initial=0), *values[0].shape[1:]), values[0].dtype)
            for i, rows in enumerate(values):
                whole[i, : len(rows)] = rows
            found[name] = whole
        else:
            found[name] = np.array([text.encode() for text in values]) if isinstance(values, list) else values
    return found
