"""Curves over bins, one keypoint after the other, as training pipelines draw them."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from posegen.geometry import Size


def render_simcc_loop(
    points: NDArray[np.floating],
    drawn: NDArray[np.bool_],
    *,
    input_size: Size,
    split_ratio: float = 2.0,
    sigmas: tuple[float, float] = (6.0, 6.0),
    normalize: bool = True,
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Draw one person's Gaussians over the bins along x and y.

    The `gaussian` of SimCC, Li et al. (arXiv:2107.03332), as MMPose's `SimCCLabel` defines it.

    Parameters
    ----------
    points, drawn
        (K, 2) in input pixels, and (K,).
    input_size
        (H, W).
    split_ratio
        Bins a pixel.
    sigmas
        In bins, along y and along x.
    normalize
        Whether a Gaussian's area is 1, and not its peak.

    Returns
    -------
    (K, W') along x, (K, H') along y, and the weights (K,), float32.
    """
    rows, columns = (int(np.around(pixels * split_ratio)) for pixels in input_size)
    along_x, along_y = np.zeros((len(points), columns), np.float32), np.zeros((len(points), rows), np.float32)
    weights = np.zeros(len(points), np.float32)
    sigma_y, sigma_x = sigmas
    bins = np.around(points.astype(np.float32) * np.float32(split_ratio))
    x, y = np.arange(columns, dtype=np.float32), np.arange(rows, dtype=np.float32)
    for k in range(len(points)):
        if not drawn[k]:
            continue
        mu_x, mu_y = float(bins[k, 0]), float(bins[k, 1])
        if mu_x - 3 * sigma_x >= columns or mu_y - 3 * sigma_y >= rows:
            continue
        if mu_x + 3 * sigma_x + 1 < 0 or mu_y + 3 * sigma_y + 1 < 0:
            continue
        along_x[k] = np.exp(-((x - mu_x) ** 2) / (2 * sigma_x**2))
        along_y[k] = np.exp(-((y - mu_y) ** 2) / (2 * sigma_y**2))
        weights[k] = 1
    if normalize:
        along_x /= sigma_x * math.sqrt(2 * math.pi)
        along_y /= sigma_y * math.sqrt(2 * math.pi)
    return along_x, along_y, weights
