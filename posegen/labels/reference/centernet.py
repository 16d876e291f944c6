"""CenterNet's arrays, one person, keypoint and cell after the other."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posegen.geometry import Size


def render_centernet_loop(
    points: NDArray[np.floating],
    drawn: NDArray[np.bool_],
    boxes: NDArray[np.floating],
    *,
    input_size: Size,
    cells: Size,
    slots: int = 32,
) -> dict[str, NDArray[Any]]:
    """Draw the arrays of up to `slots` people, as `MultiPoseDataset` of CenterNet (arXiv:1904.07850) does.

    Parameters
    ----------
    points, drawn
        (N, K, 2) in input pixels, and (N, K). People of whom nothing is drawn are those without keypoints.
    boxes
        (N, 4) x, y, width, height in input pixels.
    input_size, cells
        (H, W) and (h, w).
    slots
        People of whom there is something, the first.

    Returns
    -------
    By its name in CenterNet's code each array.
    """
    (height, width), (h, w), count = input_size, cells, points.shape[1]
    sx, sy = width / w, height / h
    out: dict[str, NDArray[Any]] = {
        "hm": np.zeros((1, h, w), np.float32),
        "hm_hp": np.zeros((count, h, w), np.float32),
        "wh": np.zeros((slots, 2), np.float32),
        "reg": np.zeros((slots, 2), np.float32),
        "ind": np.zeros(slots, np.int64),
        "reg_mask": np.zeros(slots, np.uint8),
        "hps": np.zeros((slots, 2 * count), np.float32),
        "hps_mask": np.zeros((slots, 2 * count), np.uint8),
        "hp_offset": np.zeros((slots * count, 2), np.float32),
        "hp_ind": np.zeros(slots * count, np.int64),
        "hp_mask": np.zeros(slots * count, np.int64),
    }
    for n in range(min(len(points), slots)):
        x0, y0, across, down = boxes[n].tolist()
        corners = [x0 / sx, y0 / sy, (x0 + across) / sx, (y0 + down) / sy]
        left, top, right, bottom = (
            np.float32(min(max(float(np.float32(v)), 0), last))
            for v, last in zip(corners, (w - 1, h - 1, w - 1, h - 1), strict=True)
        )
        if not (right > left and bottom > top):
            continue
        out["wh"][n] = right - left, bottom - top
        cx, cy = (left + right) / np.float32(2), (top + bottom) / np.float32(2)
        column, row = int(cx), int(cy)
        out["reg"][n] = cx - column, cy - row
        out["ind"][n] = row * w + column
        out["reg_mask"][n] = drawn[n].any()
        radius = _find_radius(math.ceil(bottom - top), math.ceil(right - left))
        _put(out["hm"][0], column, row, radius)
        for k in range(count):
            if not drawn[n, k]:
                continue
            x, y = np.float32(points[n, k, 0] / sx), np.float32(points[n, k, 1] / sy)
            if not (0 <= x < w and 0 <= y < h):
                continue
            out["hps"][n, 2 * k : 2 * k + 2] = x - column, y - row
            out["hps_mask"][n, 2 * k : 2 * k + 2] = 1
            at = n * count + k
            out["hp_offset"][at] = x - int(x), y - int(y)
            out["hp_ind"][at] = int(y) * w + int(x)
            out["hp_mask"][at] = 1
            _put(out["hm_hp"][k], int(x), int(y), radius)
    return out


def _find_radius(height: int, width: int, overlap: float = 0.7) -> int:
    """Find CornerNet's radius: the least of three, for boxes of whole cells."""
    total, area = height + width, height * width
    inside = (total - math.sqrt(total**2 - 4 * area * (1 - overlap) / (1 + overlap))) / 2
    around = (2 * total - math.sqrt(4 * total**2 - 16 * (1 - overlap) * area)) / 8
    b = -2 * overlap * total
    beside = (b + math.sqrt(b**2 - 16 * overlap * (overlap - 1) * area)) / (8 * overlap)
    return max(0, int(min(inside, around, beside)))


def _put(plane: NDArray[np.float32], column: int, row: int, radius: int) -> None:
    """Draw a Gaussian on the cells within a radius of one."""
    sigma = (2 * radius + 1) / 6
    for y in range(max(0, row - radius), min(plane.shape[0], row + radius + 1)):
        for x in range(max(0, column - radius), min(plane.shape[1], column + radius + 1)):
            value = math.exp(-((x - column) ** 2 + (y - row) ** 2) / (2 * sigma**2))
            plane[y, x] = max(plane[y, x], value)
