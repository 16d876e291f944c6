"""Segmentations as pixels, by pycocotools: the region of an image where the loss must not count."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from posegen.annotations import Sample, Shape
from posegen.annotations.coco.rle import cut_columns, find_edges
from posegen.geometry import Affine, Size, map_boxes
from posegen.labels import Region


def find_ignored(sample: Sample) -> Region | None:
    """Find the pixels inside ignored people and crowds and outside drawn people; None if there are none."""
    size = sample.height, sample.width
    ignored = _union(sample.ignored, size)
    if ignored is None or not len(edges := find_edges(ignored["counts"])):
        return None
    box = coco_mask.toBbox(ignored).tolist()
    drawn = _union([shape for shape in sample.drawn if _may_touch(shape, box)], size)
    if drawn is not None:
        # What is left where some pixels are taken away has the edges of both; where two meet, a run has no pixels.
        both = coco_mask.merge([ignored, drawn], intersect=True)
        edges = np.sort(np.concatenate([edges, find_edges(both["counts"])]))
    column, top, bottom = cut_columns(edges, sample.height)
    return Region(column, top, bottom) if len(column) else None


def find_ignored_boxes(sample: Sample, affine: Affine) -> NDArray[np.float32] | None:
    """Find the boxes (M, 4) of ignored people and crowds in input pixels, x, y, width, height; None if there are none.

    Who has no box has that of the segmentation. `affine` is from the pixels of the image to those of the input.
    """
    size, boxes = (sample.height, sample.width), []
    for shape in sample.ignored:
        if shape.bbox is not None:
            boxes.append(shape.bbox)
        elif (encoded := _union([shape], size)) is not None and coco_mask.area(encoded):
            boxes.append(tuple(coco_mask.toBbox(encoded).tolist()))
    return map_boxes(np.array(boxes, np.float64), affine).astype(np.float32) if boxes else None


class IgnoredRegions:
    """Finds what is ignored of the samples of a task, and keeps the last: an image's people and views share it.

    Parameters
    ----------
    wanted
        Whether anybody asks; if not, nothing is found.
    """

    def __init__(self, *, wanted: bool = True) -> None:
        self._wanted = wanted
        self._last: Sample | None = None
        self._region: Region | None = None
        self._pixels: NDArray[np.bool_] | None = None

    def find(self, sample: Sample) -> Region | None:
        """Find what `find_ignored` does."""
        last = self._last
        if not self._wanted:
            return None
        if last is None or last.ignored is not sample.ignored or last.drawn is not sample.drawn:
            self._last, self._region, self._pixels = sample, find_ignored(sample), None
        return self._region

    def map(self, sample: Sample, affine: Affine, input_size: Size) -> NDArray[np.bool_] | None:
        """Tell of which pixels of the input the middle lies in a pixel that is ignored: (H, W); None if of none.

        Parameters
        ----------
        sample
            Of the image.
        affine
            From the pixels of the image to those of the input.
        input_size
            (H, W).
        """
        region, back = self.find(sample), affine.inverse()
        if region is None:
            return None
        ys, xs = (np.arange(length) for length in input_size)
        if back.is_upright:
            rows, columns = np.floor(back.yy * ys + (back.y0 + 0.5)), np.floor(back.xx * xs + (back.x0 + 0.5))
            found = _look_up_upright(region, sample.width, rows, columns)
        else:
            if self._pixels is None:
                self._pixels = region.paint((sample.height, sample.width))
            ys = ys[:, None]
            rows = np.floor(back.yx * xs + (back.yy * ys + (back.y0 + 0.5)))
            columns = np.floor(back.xx * xs + (back.xy * ys + (back.x0 + 0.5)))
            found = _look_up(self._pixels, rows, columns)
        return found if found.any() else None


def _look_up(pixels: NDArray[np.bool_], rows: NDArray[np.float64], columns: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Look up pixels (height, width) at rows and columns (H, W); nothing is outside of them."""
    inside = (rows >= 0) & (rows < pixels.shape[0]) & (columns >= 0) & (columns < pixels.shape[1])
    at = tuple(
        np.nan_to_num(index).clip(0, length - 1).astype(np.intp)
        for index, length in zip((rows, columns), pixels.shape, strict=True)
    )
    return np.asarray(pixels[at] & inside)


def _look_up_upright(
    region: Region, width: int, rows: NDArray[np.float64], columns: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Look up a region's pixels at H rows and W columns, which grow: (H, W).

    The pixels between are not painted: of each piece it is found which of the rows it has, and those of all columns are
    written one after the other.
    """
    found = np.zeros((len(rows), len(columns)), np.bool_)
    left, right = np.searchsorted(columns, (0, width))
    if right == left or not len(rows):
        return found
    first, last = (np.searchsorted(rows, ends) + region.column * len(rows) for ends in (region.top, region.bottom))
    edges = np.concatenate([[0], np.stack([first, last], axis=1).ravel(), [width * len(rows)]])
    is_piece = np.arange(len(edges) - 1) % 2 == 1
    pixels = np.repeat(is_piece, np.diff(edges)).reshape(width, -1)
    seen = pixels.take(columns[left:right].astype(np.intp), axis=0)
    found[:, left:right] = cv2.transpose(seen.view(np.uint8))
    return found


def decode(shape: Shape, size: Size) -> NDArray[np.uint8] | None:
    """Return the (height, width) pixels of a shape as 0 and 1, or None if it has neither segmentation nor box."""
    encoded = _union([shape], size)
    return None if encoded is None else coco_mask.decode(encoded)


def _union(shapes: Sequence[Shape], size: Size) -> dict[str, Any] | None:
    """Join shapes to one compressed mask; None if none of them says where it is."""
    polygons: list[list[float]] = []
    encoded: list[dict[str, Any]] = []
    for shape in shapes:
        if isinstance(shape.segmentation, list):
            polygons += shape.segmentation
        elif shape.segmentation is None:
            encoded += [] if shape.bbox is None else coco_mask.frPyObjects(_clip(shape.bbox, size), *size)
        elif isinstance(shape.segmentation["counts"], list):
            encoded.append(coco_mask.frPyObjects(shape.segmentation, *size))
        else:
            encoded.append(shape.segmentation)
    if polygons:
        encoded += coco_mask.frPyObjects(polygons, *size)
        if len(encoded) == 1:
            return encoded[0]
    return coco_mask.merge(encoded) if encoded else None


def _may_touch(shape: Shape, box: Sequence[float]) -> bool:
    """Tell whether a shape can have pixels in a box x, y, width, height; what is no polygon is not asked."""
    if not isinstance(shape.segmentation, list):
        return True
    left, top, width, height = box
    # pycocotools rounds a polygon's corners to pixels: by less than one.
    return any(
        max(polygon[0::2]) > left - 1
        and min(polygon[0::2]) < left + width + 1
        and max(polygon[1::2]) > top - 1
        and min(polygon[1::2]) < top + height + 1
        for polygon in shape.segmentation
    )


def _clip(bbox: tuple[float, float, float, float], size: Size) -> NDArray[np.float64]:
    """Cut a box to the picture: (1, 4), which is how pycocotools tells a box from a polygon."""
    x, y = (min(max(v, 0.0), float(n)) for v, n in zip(bbox[:2], size[::-1], strict=True))
    right, bottom = (min(max(a + b, 0.0), float(n)) for a, b, n in zip(bbox[:2], bbox[2:], size[::-1], strict=True))
    return np.array([[x, y, right - x, bottom - y]], np.float64)
