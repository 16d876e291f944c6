"""Heatmaps keypoint by keypoint: what a training pipeline in NumPy does for every sample, to measure against.

This is how MMPose's generators work (https://github.com/open-mmlab/mmpose, mmpose/codecs/utils/gaussian_heatmap.py and
mmpose/codecs/megvii_heatmap.py), and those of HRNet before them: a loop over people and keypoints, one patch of the map
at a time.

Legend: N people, K keypoints, H x W input, h x w cells. All functions take points (N, K, 2) x, y in input pixels,
drawn (N, K), the sizes (H, W) and (h, w) and sigma in cells, and return (K, h, w) float32.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from posegen.geometry import Size

Generator = Callable[[NDArray[np.float64], NDArray[np.bool_], Size, Size, float], NDArray[np.float32]]


def draw_rounded(
    points: NDArray[np.float64], drawn: NDArray[np.bool_], input_size: Size, cells: Size, sigma: float
) -> NDArray[np.float32]:
    """Draw a patch around the cell nearest to each keypoint."""
    out = np.zeros((drawn.shape[1], *cells), np.float32)
    for k, place in _visit(points, drawn, _strides(input_size, cells)):
        middle = (place + 0.5).astype(np.int64)
        _paste(out[k], middle, middle.astype(np.float64), sigma)
    return out


def draw_whole(
    points: NDArray[np.float64], drawn: NDArray[np.bool_], input_size: Size, cells: Size, sigma: float
) -> NDArray[np.float32]:
    """Draw each keypoint's Gaussian on the whole map."""
    out = np.zeros((drawn.shape[1], *cells), np.float32)
    x, y = np.arange(cells[1], dtype=np.float32), np.arange(cells[0], dtype=np.float32)[:, None]
    for k, place in _visit(points, drawn, _strides(input_size, cells)):
        values = np.exp(-((x - place[0]) ** 2 + (y - place[1]) ** 2) / (2 * sigma**2))
        np.maximum(out[k], values, out=out[k])
    return out


def draw_corner_aligned(
    points: NDArray[np.float64], drawn: NDArray[np.bool_], input_size: Size, cells: Size, sigma: float
) -> NDArray[np.float32]:
    """Draw a patch around the cell nearest to each keypoint, with the Gaussian where the keypoint is."""
    out = np.zeros((drawn.shape[1], *cells), np.float32)
    strides = np.array([(n - 1) / (m - 1) for n, m in zip(input_size[::-1], cells[::-1], strict=True)])
    for k, place in _visit(points, drawn, strides):
        _paste(out[k], (place + 0.5).astype(np.int64), place, sigma)
    return out


def draw_blurred(
    points: NDArray[np.float64], drawn: NDArray[np.bool_], input_size: Size, cells: Size, sigma: float
) -> NDArray[np.float32]:
    """Set each keypoint's cell, and blur the map."""
    out = np.zeros((drawn.shape[1], *cells), np.float32)
    size = 2 * round((sigma - 0.8) / 0.3 + 1) + 1
    for k, place in _visit(points, drawn, _strides(input_size, cells)):
        x, y = place.astype(np.int64).tolist()
        if 0 <= x < cells[1] and 0 <= y < cells[0]:
            one = np.zeros(cells, np.float32)
            one[y, x] = 1
            blurred = cv2.GaussianBlur(one, (size, size), 0)
            np.maximum(out[k], blurred / blurred.max(), out=out[k])
    return out


GENERATORS: Mapping[str, Generator] = {
    "msra": draw_rounded,
    "msra-unbiased": draw_whole,
    "udp": draw_corner_aligned,
    "megvii": draw_blurred,
}
"""By kind, as `posegen.labels.topdown` names them."""


def _strides(input_size: Size, cells: Size) -> NDArray[np.float64]:
    return np.divide(input_size, cells)[::-1]


def _visit(
    points: NDArray[np.float64], drawn: NDArray[np.bool_], strides: NDArray[np.float64]
) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """Yield each drawn keypoint's channel and its x, y in cells."""
    for n in range(drawn.shape[0]):
        for k in range(drawn.shape[1]):
            if drawn[n, k]:
                yield k, points[n, k] / strides


def _paste(channel: NDArray[np.float32], middle: NDArray[np.int64], centre: NDArray[np.float64], sigma: float) -> None:
    """Merge the patch around a cell x, y, of a Gaussian around `centre`, into a map (h, w)."""
    reach = int(3 * sigma)
    first, last = middle - reach, middle + reach
    if (last < 0).any() or first[0] >= channel.shape[1] or first[1] >= channel.shape[0]:
        return
    offsets = np.arange(2 * reach + 1, dtype=np.float32)
    x, y = offsets - (centre[0] - first[0]), offsets[:, None] - (centre[1] - first[1])
    patch = np.exp(-(x**2 + y**2) / (2 * sigma**2))
    x0, y0 = np.maximum(first, 0).tolist()
    x1, y1 = np.minimum(last + 1, channel.shape[::-1]).tolist()
    window = channel[y0:y1, x0:x1]
    np.maximum(window, patch[y0 - first[1] : y1 - first[1], x0 - first[0] : x1 - first[0]], out=window)
