"""The cells of people's keypoints, one after the other, as the pipelines of associative embedding number them."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from posegen.geometry import Size


def list_keypoint_indices_loop(
    points: NDArray[np.floating], drawn: NDArray[np.bool_], *, input_size: Size, cells: Size, cell: str = "nearest"
) -> NDArray[np.int64]:
    """List the number of each keypoint's cell, and 1; or 0, 0.

    Parameters
    ----------
    points, drawn
        (N, K, 2) in input pixels, and (N, K).
    input_size, cells
        (H, W) and (h, w).
    cell
        `nearest` as MMPose's `AssociativeEmbedding` finds it, `inside` as HigherHRNet's `JointsGenerator`, or `middle`,
        of which the middle is nearest.

    Returns
    -------
    (N, K, 2) int64.
    """
    (height, width), (h, w) = input_size, cells
    found = np.zeros((*drawn.shape, 2), np.int64)
    for n, k in np.argwhere(drawn).tolist():
        x, y = points[n, k].tolist()
        if cell == "inside":
            column, row = int(x / (width / w)), int(y / (height / h))
        elif cell == "middle":
            column, row = math.floor((x + 0.5) / (width / w)), math.floor((y + 0.5) / (height / h))
        else:
            half = np.float32(0.5)
            column = math.floor(np.float32(x) / np.float32(width / w) + half)
            row = math.floor(np.float32(y) / np.float32(height / h) + half)
        if 0 <= column < w and 0 <= row < h:
            found[n, k] = row * w + column, 1
    return found
