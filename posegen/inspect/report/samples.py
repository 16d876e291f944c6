"""Samples that one can step through in a report: the picture, its people, and every channel of the labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from posegen.inspect.people import Progress
from posegen.inspect.report.markup import jpeg, png
from posegen.inspect.report.subject import Subject
from posegen.shards import ShardReader

_SIDE = 480
_MOST_CHANNELS = 256
"""Of one label; of more nobody looks at the rest."""
_MOST_ROWS = 16_000
"""Browsers show no taller picture."""


def choose_samples(subject: Subject, count: int) -> list[int]:
    """Choose samples evenly."""
    total = subject.people.samples
    return np.unique(np.linspace(0, max(total - 1, 0), min(count, total)).round().astype(int)).tolist()


def collect_samples(subject: Subject, indices: Sequence[int], progress: Progress) -> list[dict[str, Any]]:
    """Collect what the page needs of samples.

    Returns
    -------
    For each a dict for JSON: `title`; `picture`, a `data:` address; `size`, width and height of the frame; `people`,
    (n, K, 3) x, y, v in its pixels; and `labels`, each with `name`, `channels`, `cells` (rows, columns), `signed`, and
    `sprite`, a `data:` address of all channels under each other in gray: 0 to 255 stands for 0 to the largest value, or
    where signed for minus to plus that.
    """
    labels = (
        {}
        if subject.shards is None
        else {i: _read_labels(reader, at) for i, reader, at in subject.shards.visit(indices)}
    )
    people, found = subject.people, []
    for done, (index, picture) in enumerate(subject.pictures(indices), start=1):
        here = slice(*np.searchsorted(people.owner, [index, index + 1]).tolist())
        height, width = picture.shape[:2]
        scale = min(1, _SIDE / max(height, width))
        small = cv2.resize(picture, (round(width * scale), round(height * scale)), interpolation=cv2.INTER_AREA)
        found.append(
            {
                "title": f"sample {index} · image {people.image_ids[index]} · {here.stop - here.start} people",
                "picture": jpeg(np.asarray(small, np.uint8), 82),
                "size": [width, height],
                "people": np.round(people.keypoints[here], 1).tolist(),
                "labels": labels.get(index, []),
            }
        )
        progress(done, len(indices))
    return found


def _read_labels(reader: ShardReader, place: int) -> list[dict[str, Any]]:
    """Read the labels that have cells; what lies between channels and cells is spread out."""
    found = []
    for label in reader.labels:
        spec = label.spec
        if not spec.cells or spec.by_person:
            continue
        most = min(_MOST_CHANNELS, _MOST_ROWS // spec.cells[0])
        inner = [f" {'/'.join(map(str, at))}" for at in np.ndindex(spec.inner)] if spec.inner else [""]
        names = [f"{channel}{which}" for channel in spec.channels for which in inner][:most]
        values = reader.label(label, place).astype(np.float64).reshape(-1, *spec.cells)[:most]
        found.append(
            {
                "name": spec.name,
                "channels": names,
                "cells": list(spec.cells),
                "signed": spec.low < 0,
                "sprite": png(_quantize(np.nan_to_num(values), spec.low, spec.high).reshape(-1, spec.cells[1])),
            }
        )
    return found


def _quantize(values: NDArray[np.float64], low: float, high: float) -> NDArray[np.uint8]:
    largest = max(-low, high)
    if largest > 1:  # numbers of pixels or cells, which hardly ever reach as far as they may
        largest = max(float(np.abs(values).max(initial=0)), 1e-9)
    return np.rint(255 * np.clip((values / largest + 1) / 2 if low < 0 else values / largest, 0, 1)).astype(np.uint8)
