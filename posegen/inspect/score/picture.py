"""A picture of what was lost: samples annotated on the left, decoded on the right."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posegen.geometry import Affine
from posegen.inspect.drawing.canvas import Picture, join_tiles, write_png
from posegen.inspect.drawing.sample import PANEL_SIDE, draw_people, open_canvas
from posegen.inspect.drawing.text import frame
from posegen.inspect.score.truth import Key, name_one
from posegen.loader import PoseDataset
from posegen.loader.decode import People
from posegen.shards import ShardReader
from posegen.shards.source import open_shard
from posegen.skeleton import Skeleton

_MOST = 6


def draw_pairs(data: PoseDataset, worst: Sequence[int], found: Mapping[Key, People], path: Path) -> None:
    """Draw the first of some samples to a PNG file; where there are none, the first of the dataset."""
    starts = [0, *accumulate(data.shard_sizes)]
    tiles: list[Picture] = []
    for number in (worst or range(len(data)))[:_MOST]:
        shard = bisect_right(starts, number) - 1
        with open_shard(data.path, data.manifest.shards[shard]) as reader:
            tiles += _draw_pair(reader, number - starts[shard], number, found)
    write_png(path, join_tiles(tiles, 4))


def _draw_pair(reader: ShardReader, index: int, number: int, found: Mapping[Key, People]) -> list[Picture]:
    canvas, sample = open_canvas(reader, index, PANEL_SIDE)
    key = name_one(sample.get("source", ""), sample["image_id"]), sample.get("copy", 0)
    decoded = np.zeros((0, len(reader.skeleton.keypoints), 3))
    if key in found:
        decoded = _to_input(found[key].keypoints, sample["affine"], reader.skeleton)
    size = np.array(reader.config.input_size[::-1])
    inside = (decoded[..., 2] > 0) & (decoded[..., :2] >= 0).all(axis=2) & (decoded[..., :2] < size).all(axis=2)
    decoded = decoded[inside.any(axis=1)]  # of a crop the others of the image are elsewhere
    shown: dict[str, Any] = {**sample, "keypoints": decoded, "bbox": np.zeros((0, 4))}
    return [
        frame(draw_people(canvas, reader.skeleton, sample), f"sample {number} · image {key[0]} · annotated"),
        frame(draw_people(canvas, reader.skeleton, shown), f"decoded · {len(decoded)} found"),
    ]


def _to_input(keypoints: NDArray[np.float64], affine: NDArray[np.float64], skeleton: Skeleton) -> NDArray[np.float64]:
    """Map people (n, K, 3) x, y, score of the image to x, y, v of the sample."""
    if np.linalg.det(affine[:, :2]) < 0:
        keypoints = keypoints[:, skeleton.mirrored]
    found = keypoints.copy()
    found[..., :2] = Affine.from_matrix(affine).apply(keypoints[..., :2])
    found[..., 2] = np.where(keypoints[..., 2] > 0, 2, 0)
    return found
