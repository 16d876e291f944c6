"""Heatmaps and part affinity fields at full resolution, reduced with OpenCV's resize.

`render_heatmap_loop` and `render_paf_loop` visit every pixel of the input. `render_heatmap_vectorized` and
`render_paf_vectorized` do the same with one NumPy expression a keypoint or limb.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from posegen.geometry import Size

THRESHOLD = 4.6052
"""Half squared distance in sigmas beyond which a Gaussian is cut, where it has fallen to 1 %."""


def render_heatmap_loop(
    points: NDArray[np.floating], drawn: NDArray[np.bool_], *, input_size: Size, cells: Size, sigma_px: float
) -> NDArray[np.float32]:
    """Draw Gaussians pixel by pixel, add the background channel, reduce as `cv2.resize(INTER_LINEAR)` does.

    Follows `put_heatmap` of tf-pose-estimation (https://github.com/ildoonet/tf-pose-estimation, pose_dataset.py).

    Parameters
    ----------
    points
        (N, K, 2) in input pixels.
    drawn
        (N, K), which points to draw.
    input_size, cells
        (H, W) and (h, w).
    sigma_px
        Standard deviation in input pixels.

    Returns
    -------
    (K + 1, h, w) float32; the last channel is the background.
    """
    height, width = input_size
    people, keypoints = drawn.shape
    full = np.zeros((keypoints + 1, height, width))
    reach = math.sqrt(2 * THRESHOLD) * sigma_px
    for n in range(people):
        for k in range(keypoints):
            if not drawn[n, k]:
                continue
            cx, cy = (float(v) for v in points[n, k])
            for y in range(int(max(0, cy - reach)), int(min(height, cy + reach))):
                for x in range(int(max(0, cx - reach)), int(min(width, cx + reach))):
                    d = ((x - cx) ** 2 + (y - cy) ** 2) / (2 * sigma_px**2)
                    if d < THRESHOLD:
                        full[k, y, x] = min(max(full[k, y, x], math.exp(-d)), 1.0)
    for y in range(height):
        for x in range(width):
            full[-1, y, x] = min(max(1 - full[:-1, y, x].max(), 0.0), 1.0)
    return _shrink(full, cells)


def render_heatmap_vectorized(
    points: NDArray[np.floating], drawn: NDArray[np.bool_], *, input_size: Size, cells: Size, sigma_px: float
) -> NDArray[np.float32]:
    """Draw what `render_heatmap_loop` draws with one NumPy expression a keypoint; same parameters and result."""
    height, width = input_size
    people, keypoints = drawn.shape
    full = np.zeros((keypoints + 1, height, width), np.float32)
    reach = math.sqrt(2 * THRESHOLD) * sigma_px
    for n in range(people):
        for k in range(keypoints):
            if not drawn[n, k]:
                continue
            cx, cy = (float(v) for v in points[n, k])
            x0, x1 = int(max(0, cx - reach)), max(0, int(min(width, cx + reach)))
            y0, y1 = int(max(0, cy - reach)), max(0, int(min(height, cy + reach)))
            xs, ys = np.meshgrid((np.arange(x0, x1) - cx) ** 2, (np.arange(y0, y1) - cy) ** 2)
            d = (xs + ys) / (2 * sigma_px**2)
            window = full[k, y0:y1, x0:x1]
            np.maximum(window, np.where(d < THRESHOLD, np.exp(-d), 0), out=window)
    last = full.transpose(1, 2, 0)
    last[..., -1] = np.clip(1 - np.amax(last[..., :-1], axis=2), 0, 1)
    return _shrink(full, cells)


def render_paf_loop(
    points: NDArray[np.floating],
    drawn: NDArray[np.bool_],
    limbs: Sequence[tuple[int, int]],
    *,
    input_size: Size,
    cells: Size,
    half_width_px: float,
) -> NDArray[np.float32]:
    """Draw part affinity fields pixel by pixel: unit vectors along the limbs, averaged where people overlap.

    The field of Cao et al., "Realtime Multi-Person 2D Pose Estimation using Part Affinity Fields", arXiv:1611.08050.

    Parameters
    ----------
    points, drawn, input_size, cells
        As in `render_heatmap_loop`.
    limbs
        E pairs of keypoint indices (from, to).
    half_width_px
        How far from the limb's line the field reaches, in input pixels.

    Returns
    -------
    (2E, h, w) float32; channel 2e is the x and 2e + 1 the y of limb e.
    """
    height, width = input_size
    full = np.zeros((2 * len(limbs), height, width))
    for e, (a, b) in enumerate(limbs):
        total = np.zeros((2, height, width))
        count = np.zeros((height, width))
        for n in range(len(points)):
            (ax, ay), (bx, by) = points[n, a].tolist(), points[n, b].tolist()
            length = math.hypot(bx - ax, by - ay)
            if not (drawn[n, a] and drawn[n, b]) or length == 0:
                continue
            ux, uy = (bx - ax) / length, (by - ay) / length
            for y in range(max(0, int(min(ay, by) - half_width_px)), min(height, int(max(ay, by) + half_width_px))):
                for x in range(max(0, int(min(ax, bx) - half_width_px)), min(width, int(max(ax, bx) + half_width_px))):
                    # The cross product with the limb itself, not its unit vector: whole coordinates stay exact.
                    if abs((x - ax) * (by - ay) - (y - ay) * (bx - ax)) <= half_width_px * length:
                        total[:, y, x] += ux, uy
                        count[y, x] += 1
        full[2 * e : 2 * e + 2] = total / np.maximum(count, 1)
    return _shrink(full, cells)


def render_paf_vectorized(
    points: NDArray[np.floating],
    drawn: NDArray[np.bool_],
    limbs: Sequence[tuple[int, int]],
    *,
    input_size: Size,
    cells: Size,
    half_width_px: float,
) -> NDArray[np.float32]:
    """Draw what `render_paf_loop` draws with one NumPy expression a limb; same parameters and result."""
    height, width = input_size
    full = np.zeros((2 * len(limbs), height, width), np.float32)
    count = np.zeros((len(limbs), height, width), np.float32)
    for n in range(len(points)):
        for e, (a, b) in enumerate(limbs):
            (ax, ay), (bx, by) = points[n, a].tolist(), points[n, b].tolist()
            length = math.hypot(bx - ax, by - ay)
            if not (drawn[n, a] and drawn[n, b]) or length == 0:
                continue
            x0 = max(0, int(min(ax, bx) - half_width_px))
            x1 = max(0, min(width, int(max(ax, bx) + half_width_px)))
            y0 = max(0, int(min(ay, by) - half_width_px))
            y1 = max(0, min(height, int(max(ay, by) + half_width_px)))
            xs, ys = np.meshgrid(np.arange(x0, x1) - ax, np.arange(y0, y1) - ay)
            near = np.abs(xs * (by - ay) - ys * (bx - ax)) <= half_width_px * length
            full[2 * e, y0:y1, x0:x1] += near * ((bx - ax) / length)
            full[2 * e + 1, y0:y1, x0:x1] += near * ((by - ay) / length)
            count[e, y0:y1, x0:x1] += near
    np.maximum(count, 1, out=count)
    full[0::2] /= count
    full[1::2] /= count
    return _shrink(full, cells)


def _shrink(full: NDArray[np.floating], cells: Size) -> NDArray[np.float32]:
    """Reduce (C, H, W) to (C, h, w) with OpenCV, which wants channels last and allows 512 of them at most."""
    last = np.ascontiguousarray(full.transpose(1, 2, 0), np.float32)
    blocks = [
        cv2.resize(last[..., c : c + 64], cells[::-1], interpolation=cv2.INTER_LINEAR).reshape(*cells, -1)
        for c in range(0, last.shape[-1], 64)
    ]
    return np.ascontiguousarray(np.concatenate(blocks, axis=2).transpose(2, 0, 1))
