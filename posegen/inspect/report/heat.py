"""What a report says of stored labels: the mean heat of every channel, and how much of the mask counts, from some."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from posegen.inspect.people import People, Progress, Shards
from posegen.labels.base import ArraySpec, without_stride
from posegen.shards import ShardReader

SIDE = 40
"""Cells along each side of a mean heat that is taken over people."""

_AROUND = 1.25
"""So many times as large as the longer side of a person's box is what is taken of its image."""
_LEAST_CELLS = 5
"""Smaller people are a spot of few cells."""
_AT_ONCE = 4
"""OpenCV maps so many channels at once."""
_CLEARLY = 0.05
_HALF = 0.5


@dataclass(slots=True, kw_only=True, eq=False)
class Heat:
    """The mean of one label's C channels.

    Attributes
    ----------
    name, channels
        Of the label, and of its channels; x and y of a limb are one.
    maps
        (C, h, w) sums, and after `finish` means, in the input where each sample is a person, else around each person.
        Of what has inner axes, the first place along them is taken.
    count
        How many were added.
    at_keypoints
        (K, K) the mean of channel k at keypoint j, where the first channels are keypoints.
    """

    name: str
    channels: tuple[str, ...]
    maps: NDArray[np.float64]
    count: int = 0
    at_keypoints: NDArray[np.float64]
    seen: NDArray[np.float64]

    def finish(self) -> None:
        """Turn sums into means."""
        self.maps /= max(self.count, 1)
        self.at_keypoints /= np.maximum(self.seen, 1)

    def find_swapped(self) -> list[tuple[str, str]]:
        """Name channels that are hotter at another keypoint than at their own, and that keypoint."""
        values, found = self.at_keypoints, []
        for k, row in enumerate(values):
            if row.size and self.seen[k] and row.max() > row[k] + _CLEARLY:
                found.append((self.channels[k], self.channels[int(row.argmax())]))
        return found


@dataclass(slots=True, kw_only=True, eq=False)
class LabelMeasures:
    """What was found in the labels of some samples.

    Attributes
    ----------
    samples
        How many.
    heats
        By label.
    masked
        Cells of the mask by what became of them: `counts`, and the reasons for 0.
    """

    samples: int = 0
    heats: dict[str, Heat] = field(default_factory=dict)
    masked: Counter[str] = field(default_factory=Counter)


def measure_labels(shards: Shards, people: People, indices: Sequence[int], progress: Progress) -> LabelMeasures:
    """Read the labels of some samples; raises `ShardError` where they are damaged."""
    found = LabelMeasures()
    for index, reader, place in shards.visit(indices):
        here = slice(*np.searchsorted(people.owner, [index, index + 1]).tolist())
        for label in reader.labels:
            spec, name = label.spec, without_stride(label.spec.name)
            if not spec.cells or spec.by_person:
                continue
            if name == "mask":
                if spec.name == name:
                    found.masked += _explain_mask(reader, place, reader.label(label, place)[0])
            elif not name.endswith("mask"):
                heat = found.heats.get(spec.name)
                if heat is None:
                    heat = found.heats[spec.name] = _start(spec, name, reader)
                values = reader.label(label, place).reshape(len(spec.channels), -1, *spec.cells)
                _add(heat, _merge(values[:, 0], name), reader, people, here)
        found.samples += 1
        progress(found.samples, len(indices))
    for heat in found.heats.values():
        heat.finish()
    return found


def _start(spec: ArraySpec, name: str, reader: ShardReader) -> Heat:
    channels = reader.skeleton.limb_names if name == "paf" else spec.channels
    count = len(reader.skeleton.keypoints)
    count = count if spec.channels[:count] == reader.skeleton.keypoints else 0
    return Heat(
        name=spec.name,
        channels=tuple(channels),
        maps=np.zeros((len(channels), *(spec.cells if reader.config.unit == "person" else (SIDE, SIDE)))),
        at_keypoints=np.zeros((count, count)),
        seen=np.zeros(count),
    )


def _merge(values: NDArray[Any], name: str) -> NDArray[np.float32]:
    """Take of fields their lengths, and of what has signs the magnitude."""
    values = np.nan_to_num(values.astype(np.float32))
    if name == "paf":
        return np.hypot(values[0::2], values[1::2])
    return np.abs(values)


def _add(heat: Heat, values: NDArray[np.float32], reader: ShardReader, people: People, here: slice) -> None:
    size = np.array(values.shape[:0:-1]) / np.array(reader.config.input_size[::-1])
    keypoints, boxes = people.keypoints[here], people.boxes[here]
    if reader.config.unit == "person":
        heat.maps += values
        heat.count += 1
    else:
        layers = np.ascontiguousarray(np.moveaxis(values, 0, -1))
        for box in boxes[np.isfinite(boxes).all(axis=1)]:
            side = float((box[2:] * size).max()) * _AROUND
            if side >= _LEAST_CELLS:
                heat.maps += _cut(layers, (box[:2] + box[2:] / 2) * size, side)
                heat.count += 1
    if len(heat.at_keypoints):
        cells = np.rint((keypoints[..., :2] + 0.5) * size - 0.5).astype(np.intp)
        inside = (keypoints[..., 2] > 0) & ((cells >= 0) & (cells < values.shape[:0:-1])).all(axis=-1)
        for person, j in zip(*np.nonzero(inside), strict=True):
            x, y = cells[person, j]
            heat.at_keypoints[:, j] += values[: len(heat.at_keypoints), y, x]
            heat.seen[j] += 1


def _cut(layers: NDArray[np.float32], middle: NDArray[np.float64], side: float) -> NDArray[np.float64]:
    """Cut a square out of (h, w, C) and bring it to `SIDE` cells a side: (C, SIDE, SIDE)."""
    step = side / SIDE
    corner = middle - side / 2 + step / 2 - 0.5
    matrix = np.array([[step, 0, corner[0]], [0, step, corner[1]]])
    parts = [
        cv2.warpAffine(
            layers[..., start : start + _AT_ONCE], matrix, (SIDE, SIDE), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        ).reshape(SIDE, SIDE, -1)
        for start in range(0, layers.shape[-1], _AT_ONCE)
    ]
    return np.moveaxis(np.concatenate(parts, axis=-1), -1, 0).astype(np.float64)


def _explain_mask(reader: ShardReader, place: int, mask: NDArray[Any]) -> Counter[str]:
    """Count the cells of a mask (h, w) that count, and those that do not by what lies at their middle."""
    rows, columns = mask.shape
    height, width = reader.config.input_size
    frame_height, frame_width = reader.config.frame_size
    ys, xs = (np.arange(rows) + 0.5) / rows, (np.arange(columns) + 0.5) / columns
    box = reader.picture(place).box
    shown = ((ys * frame_height >= box.y) & (ys * frame_height < box.y + box.height))[:, None] & (
        (xs * frame_width >= box.x) & (xs * frame_width < box.x + box.width)
    )
    ignored = reader.ignored(place)
    hidden = np.zeros(mask.shape, bool)
    if ignored is not None:
        hidden = ignored[np.ix_((ys * height).astype(np.intp), (xs * width).astype(np.intp))]
    zero = mask < _HALF
    return Counter(
        {
            "counts": int((~zero).sum()),
            "outside the picture": int((zero & ~shown).sum()),
            "people and crowds nobody labelled": int((zero & shown & hidden).sum()),
            "else, such as at their edges": int((zero & shown & ~hidden).sum()),
        }
    )
