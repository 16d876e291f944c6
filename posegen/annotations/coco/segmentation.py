"""Whether a segmentation of an annotation file can be drawn, and the regions that image entries say to be ignored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from posegen.annotations.coco.checks import are_numbers
from posegen.annotations.coco.rle import run_lengths
from posegen.annotations.sample import Shape


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


def read_regions(entry: Mapping[str, Any]) -> tuple[Shape, ...]:
    """Read the regions of an image in which nobody was labelled, as PoseTrack's `ignore_regions_x` and `_y` have them.

    Each is the x, and the y, of a polygon's corners (https://github.com/leonid-pishchulin/poseval#format).

    Raises
    ------
    ValueError
        If they are no such lists, or do not go together.
    """
    all_x, all_y = entry.get("ignore_regions_x") or [], entry.get("ignore_regions_y") or []
    if not all_x and not all_y:
        return ()
    if are_numbers(all_x) and are_numbers(all_y):
        all_x, all_y = [all_x], [all_y]  # a single one
    shapes = []
    if isinstance(all_x, list) and isinstance(all_y, list) and len(all_x) == len(all_y):
        for xs, ys in zip(all_x, all_y, strict=True):
            if not are_numbers(xs) or not are_numbers(ys) or len(xs) != len(ys):
                break
            if len(xs) > 2:
                corners = [coordinate for corner in zip(xs, ys, strict=True) for coordinate in corner]
                shapes.append(Shape(segmentation=[corners], bbox=None))
        else:
            return tuple(shapes)
    raise ValueError("'ignore_regions_x' and 'ignore_regions_y' must be lists of as many x as y for each region")
