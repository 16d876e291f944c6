"""How much of each pixel of an input is picture and counts: what the picture covers of it, and what is ignored."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from posegen.geometry import Affine, Size, map_boxes, overlap
from posegen.images.warp import is_fitted
from posegen.labels import Region


def find_there(
    image_size: Size, affine: Affine, input_size: Size, ignored: NDArray[np.bool_] | None
) -> NDArray[np.uint8] | None:
    """Measure how much of each pixel (H, W) of the input is image and not ignored; None if all that is stored."""
    if is_fitted(image_size, affine):
        return None if ignored is None else (ignored.view(np.uint8) - np.uint8(1))
    there = _find_picture(image_size, affine, input_size)
    if ignored is not None:
        there[ignored] = 0
    return there


def fill_shown(image_size: Size, affine: Affine, ignored: NDArray[np.bool_] | None, out: NDArray[np.uint8]) -> None:
    """Measure how much of each pixel of the input is image and not ignored, whatever is stored beside it.

    Parameters
    ----------
    image_size, affine
        (height, width) of the original image, and the map from its pixels to input pixels.
    ignored
        (H, W), which pixels of the input are ignored; None if none is.
    out
        (H, W) uint8: becomes it, from 0 to 255.
    """
    if is_fitted(image_size, affine):
        corners = np.array([[-0.5, -0.5], [image_size[1] - 0.5, image_size[0] - 0.5]])
        (left, top), (right, bottom) = np.rint(affine.apply(corners) + 0.5).clip(0).astype(int).tolist()
        out[...] = 0
        out[top:bottom, left:right] = 255
    else:
        out[...] = _find_picture(image_size, affine, out.shape)
    if ignored is not None:
        out[ignored] = 0


def find_region(ignored: NDArray[np.bool_], affine: Affine, image_size: Size) -> Region:
    """Find the pixels of the original image that are ignored, as far as the input (H, W) shows them."""
    height, width = ignored.shape
    x, y = np.arange(image_size[1]), np.arange(image_size[0])[:, None]
    columns = np.floor(affine.xx * x + affine.xy * y + (affine.x0 + 0.5))
    rows = np.floor(affine.yx * x + affine.yy * y + (affine.y0 + 0.5))
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    at = rows.clip(0, height - 1).astype(np.intp), columns.clip(0, width - 1).astype(np.intp)
    return Region.of_pixels(ignored[at] & inside)


def _find_picture(image_size: Size, affine: Affine, input_size: Size) -> NDArray[np.uint8]:
    """Measure how much of each pixel (H, W) of the input the image covers, from 0 to 255."""
    if affine.is_upright:
        axes = ((affine.yy, affine.y0), (affine.xx, affine.x0))
        rows, columns = (
            overlap(1, scale * pixels, offset + scale * (pixels - 1) / 2, count, 1.0)[:, 0]
            for (scale, offset), pixels, count in zip(axes, image_size, input_size, strict=True)
        )
        return np.rint(np.outer(rows * 255, columns)).astype(np.uint8)
    back = affine.inverse()
    x, y = np.arange(input_size[1]), np.arange(input_size[0])[:, None]
    covered = np.ones(input_size)
    for at, slope, size in (
        (back.xx * x + back.xy * y + back.x0, np.hypot(back.xx, back.xy), image_size[1]),
        (back.yx * x + back.yy * y + back.y0, np.hypot(back.yx, back.yy), image_size[0]),
    ):
        # How far a pixel's middle lies inside of both edges, in input pixels.
        inside = np.minimum(at + 0.5, size - 0.5 - at) / slope
        covered *= np.clip(inside + 0.5, 0, 1)
    return np.rint(covered * 255).astype(np.uint8)


def find_boxes(ignored: NDArray[np.bool_], view: Affine) -> NDArray[np.float32] | None:
    """Find the boxes (M, 4), in pixels of a view, of the connected parts of what is ignored as it is stored (H, W)."""
    _, _, stats, _ = cv2.connectedComponentsWithStats(ignored.view(np.uint8), connectivity=8)
    boxes = stats[1:, : cv2.CC_STAT_AREA].astype(np.float64)
    return map_boxes(boxes, view).astype(np.float32) if len(boxes) else None
