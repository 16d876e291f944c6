"""Whether a segmentation of an annotation file can be drawn."""

from __future__ import annotations

from typing import Any

from posegen.annotations.coco.checks import are_numbers
from posegen.annotations.coco.rle import run_lengths


def is_segmentation(value: Any, size: tuple[int, int]) -> bool:
    """Tell whether a segmentation can be drawn on an image of (height, width): polygons, or an RLE of that size.

    Polygons may leave the image by its own size: pycocotools walks along all of their edges, and far enough out its
    numbers overflow.
    """
    if isinstance(value, list):
        reach = max(size)
        return all(are_numbers(p, -reach, 2 * reach) and len(p) >= 6 and len(p) % 2 == 0 for p in value)
    if not isinstance(value, dict) or value.get("size") != list(size):
        return False
    counts = value.get("counts")
    if isinstance(counts, str):
        try:
            return int(run_lengths(counts.encode("ascii")).sum()) == size[0] * size[1]
        except ValueError:
            return False
    return (
        isinstance(counts, list)
        and {int}.issuperset(map(type, counts))
        and min(counts, default=0) >= 0
        and sum(counts) == size[0] * size[1]
    )
