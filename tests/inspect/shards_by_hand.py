"""Shards that are written by hand, to be drawn, and what is measured in their drawings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posegen.config import BuildConfig
from posegen.images.codec import encode
from posegen.shards import BuiltSample, ShardReader, ShardWriter, StoredLabel
from posegen.shards.quantize import choose_storage
from posegen.skeleton import Skeleton

PAIR = Skeleton(name="pair", keypoints=("a", "b"), limbs=((0, 1),))
DOTS = Skeleton(name="dots", keypoints=("a", "b"))

CONFIG = BuildConfig(
    skeleton=PAIR, input_size=(32, 40), stride=8, label_dtype="float32", image_encoding="raw", compression="none"
)
"""Pictures of 40x32 pixels, enlarged 16 times to 640x512; labels of 5x4 cells, each of 128x128 pixels there."""

FACTOR = 16
BLOCK = FACTOR * 8
Open = Callable[..., ShardReader]


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """What a test puts into a sample; the rest is blank."""

    image: int | tuple[int, int, int] | bytes = 0
    people: Sequence[Sequence[tuple[float, float, int]]] = ()
    boxes: Sequence[tuple[float, float, float, float]] = ()
    labels: Mapping[str, NDArray[np.float32]] | None = None
    image_id: int = 7
    file_name: str = "seven.jpg"
    view: tuple[float, ...] = (1, 0, 0, 0, 0)


@contextmanager
def written_in(directory: Path) -> Iterator[Open]:
    """Give a function that writes a shard of some samples and opens it; all are closed at the end."""
    with ExitStack() as stack:

        def write(*samples: Drawn, skeleton: Skeleton = PAIR, **changes: Any) -> ShardReader:
            config = replace(CONFIG, skeleton=skeleton, **changes)
            stored = [
                StoredLabel(
                    spec=label.spec, storage=choose_storage(config.label_dtype, label.spec), layout=config.layout
                )
                for label in config.create_labels(skeleton)
            ]
            writer = ShardWriter(len(samples), stored, config=config, skeleton=skeleton, task_digest="")
            for sample in samples:
                writer.append([_built(sample, config)], _arrange(sample, stored))
            path = directory / f"shard-{len(list(directory.iterdir()))}.h5"
            writer.finish(path)
            return stack.enter_context(ShardReader(path))

        yield write


def _arrange(sample: Drawn, stored: list[StoredLabel]) -> dict[str, NDArray[Any]]:
    blank = {label.spec.name: np.zeros(label.spec.shape, label.spec.dtype) for label in stored}
    if "mask" in blank:
        blank["mask"] += 1
    values = {**blank, **(sample.labels or {})}
    return {label.spec.name: label.arrange(values[label.spec.name][None]) for label in stored}


def _built(sample: Drawn, config: BuildConfig) -> BuiltSample:
    height, width = config.input_size
    picture = np.empty((height, width, 3), np.uint8)
    image = sample.image
    if not isinstance(image, bytes):
        picture[...] = image
        image = encode(picture, config.image_encoding, 95)
    people = len(sample.people)
    return BuiltSample(
        image_id=sample.image_id,
        file_name=sample.file_name,
        width=width,
        height=height,
        affine=np.eye(2, 3),
        image=image,
        keypoints=np.array(sample.people, np.float32).reshape(people, 2, 3),
        bboxes=np.array(sample.boxes or [(np.nan,) * 4] * people, np.float32).reshape(people, 4),
        annotation_ids=np.arange(people),
        view=np.array(sample.view, np.float64),
    )


def cut_panels(picture: NDArray[np.uint8], count: int, size: tuple[int, int] = (512, 640)) -> list[NDArray[np.int64]]:
    """Cut a picture of `count` panels of one size into these, without the captions over them."""
    height, width = size
    gap = (picture.shape[1] - count * width) // max(1, count - 1)
    assert picture.shape[1] == count * width + (count - 1) * gap
    starts = [i * (width + gap) for i in range(count)]
    return [picture[-height:, start : start + width].astype(np.int64) for start in starts]


def find_centroid(weights: NDArray[np.int64]) -> tuple[float, float]:
    """Find the (x, y) middle of a (rows, columns, 3) picture's light."""
    total = weights.sum(axis=2)
    rows, columns = np.mgrid[: total.shape[0], : total.shape[1]]
    return (total * columns).sum() / total.sum(), (total * rows).sum() / total.sum()


def cell_block(row: int, column: int) -> NDArray[np.bool_]:
    """Return the pixels of a panel that stand for a cell, which covers input pixels 8 column to 8 column + 7."""
    inside = np.zeros((512, 640), np.bool_)
    inside[row * BLOCK : (row + 1) * BLOCK, column * BLOCK : (column + 1) * BLOCK] = True
    return inside
