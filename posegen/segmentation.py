"""Segmentations as pixels, by pycocotools: the region of an image where the loss must not count."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from posegen.annotations import Sample, Shape
from posegen.geometry import Size
from posegen.labels import Region


def find_ignored(sample: Sample) -> Region | None:
    """Find the pixels inside ignored people and crowds and outside drawn people; None if there are none."""
    size = sample.height, sample.width
    ignored = _union(sample.ignored, size)
    if ignored is None:
        return None
    x, y, width, height = (int(v) for v in coco_mask.toBbox(ignored))
    if not width or not height:
        return None
    window = np.s_[y : y + height, x : x + width]
    pixels = np.ascontiguousarray(coco_mask.decode(ignored)[window])
    drawn = _union(sample.drawn, size)
    if drawn is not None:
        pixels[coco_mask.decode(drawn)[window] > 0] = 0
    return Region(pixels, y, x)


def decode(shape: Shape, size: Size) -> NDArray[np.uint8] | None:
    """Return the (height, width) pixels of a shape as 0 and 1, or None if it has neither segmentation nor box."""
    encoded = _union([shape], size)
    return None if encoded is None else coco_mask.decode(encoded)


def _union(shapes: Sequence[Shape], size: Size) -> dict[str, Any] | None:
    encoded = [rle for shape in shapes for rle in _encode(shape, size)]
    return coco_mask.merge(encoded) if encoded else None


def _encode(shape: Shape, size: Size) -> list[dict[str, Any]]:
    segmentation = shape.segmentation
    if segmentation is None:
        return [] if shape.bbox is None else coco_mask.frPyObjects(_clip(shape.bbox, size), *size)
    if isinstance(segmentation, list):
        return coco_mask.frPyObjects(segmentation, *size)
    if isinstance(segmentation["counts"], list):
        return [coco_mask.frPyObjects(segmentation, *size)]
    return [segmentation]


def _clip(bbox: tuple[float, float, float, float], size: Size) -> NDArray[np.float64]:
    """Cut a box to the picture: (1, 4), which is how pycocotools tells a box from a polygon."""
    x, y = (min(max(v, 0.0), float(n)) for v, n in zip(bbox[:2], size[::-1], strict=True))
    right, bottom = (min(max(a + b, 0.0), float(n)) for a, b, n in zip(bbox[:2], bbox[2:], size[::-1], strict=True))
    return np.array([[x, y, right - x, bottom - y]])
