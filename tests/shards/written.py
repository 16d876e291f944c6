"""A shard of random samples, and what went into it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from posegen.config import BuildConfig
from posegen.geometry import Box
from posegen.labels import ArraySpec, ChannelMirror
from posegen.shards import BuiltSample, ShardRecord, ShardWriter, StoredLabel
from posegen.shards.quantize import choose_storage
from posegen.skeleton import COCO_17

SMALL = BuildConfig(skeleton=COCO_17, input_size=(24, 32), stride=8)
CELLS = (3, 4)
SPECS = (
    ArraySpec(name="heatmap", channels=("nose", "neck", "background"), cells=CELLS),
    ArraySpec(
        name="paf",
        channels=("a-b:x", "a-b:y"),
        cells=CELLS,
        low=-1.0,
        mirror=ChannelMirror(order=(0, 1), negated=(0,)),
    ),
    ArraySpec(name="mask", channels=("mask",), cells=CELLS, mirror="it is not to be"),
)
MIRRORS = {
    "heatmap": "the label does not say how it mirrors",
    "paf": {"negated": [0], "order": [0, 1]},
    "mask": "it is not to be",
}
"""As a shard tells them, by label."""

PEOPLE = (2, 0, 3, 1)


@dataclasses.dataclass(frozen=True)
class Written:
    """A shard, and what went into it."""

    path: Path
    record: ShardRecord
    config: BuildConfig
    samples: list[BuiltSample]
    values: list[dict[str, NDArray[np.float32]]]


def text(value: str | bytes) -> str:
    """Read a text attribute, which may be of fixed length."""
    return value.decode() if isinstance(value, bytes) else value


def stored_labels(config: BuildConfig) -> list[StoredLabel]:
    return [
        StoredLabel(spec=spec, storage=choose_storage(config.label_dtype, spec), layout=config.layout) for spec in SPECS
    ]


def write(path: Path, config: BuildConfig = SMALL, people: tuple[int, ...] = PEOPLE, capacity: int = 6) -> Written:
    """Write a shard of random samples with so many people each, always the same ones."""
    random = np.random.default_rng(7)
    labels = stored_labels(config)
    samples, values = [], []
    writer = ShardWriter(capacity, labels, config=config, skeleton=COCO_17, task_digest="0123abcd")
    for i, count in enumerate(people):
        rendered = {
            spec.name: random.uniform(-1 if spec.signed else 0, 1, spec.shape).astype(np.float32) for spec in SPECS
        }
        for array in rendered.values():
            array.flat[:3] = 0, 1, array.min()
        height, width = config.input_size
        keypoints = random.uniform(-5, 40, (count, 17, 3)).astype(np.float32)
        keypoints[..., 2] = random.integers(0, 3, (count, 17))
        boxes = random.uniform(0, 30, (count, 4)).astype(np.float32)
        boxes[1:2] = np.nan
        sample = BuiltSample(
            image_id=(1 << 40) + i,
            file_name=("ünïcode/" if i == 2 else "") + f"{i:03d}.jpg",
            width=640 + i,
            height=480 - i,
            affine=random.uniform(-3, 3, (2, 3)),
            image=random.bytes(width * height * 3 if config.image_encoding == "raw" else 100 + 17 * i),
            keypoints=keypoints,
            bboxes=boxes,
            annotation_ids=random.integers(0, 1 << 60, count),
            box=None if config.image_encoding == "raw" else Box(0, 2 * i, config.input_size[1], 3 + i),
            ignored=random.random(config.input_size) < 0.25 if i % 2 else None,
        )
        writer.append([sample], {label.spec.name: label.arrange(rendered[label.spec.name][None]) for label in labels})
        samples.append(sample)
        values.append(rendered)
    return Written(path, writer.finish(path), config, samples, values)
