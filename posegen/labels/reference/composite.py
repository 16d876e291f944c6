"""Composite fields, one keypoint, point of a limb and cell after the other."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from posegen.geometry import Size


def render_cif_loop(
    points: NDArray[np.floating],
    drawn: NDArray[np.bool_],
    *,
    input_size: Size,
    cells: Size,
    sigmas: Sequence[float] = (),
    ignored: NDArray[np.floating] | None = None,
) -> NDArray[np.float32]:
    """Draw composite intensity fields, as `encoder/cif.py` of openpifpaf (arXiv:2103.02440) does.

    Parameters
    ----------
    points, drawn
        (N, K, 2) in input pixels, and (N, K).
    input_size, cells
        (H, W) and (h, w), of the same stride along both axes.
    sigmas
        The K keypoints' sigmas; none where all are 1.
    ignored
        (M, 4) boxes x, y, width, height in which nothing is known, in input pixels.

    Returns
    -------
    (K, 5, h, w) float32: intensity, x, y, b, scale.
    """
    (h, w), stride = cells, np.float32(input_size[1] / cells[1])
    fields, nearest = _begin((points.shape[1], 5, h, w), _list_unknown(ignored, cells, stride, 1.5))
    for n in range(len(points)):
        scale = _measure(points[n], drawn[n], stride)
        for k in np.flatnonzero(drawn[n]).tolist():
            x, y = (np.float32(v) / stride for v in points[n, k])
            left, top = round(float(x - np.float32(1.5))), round(float(y - np.float32(1.5)))
            for row in range(max(top, 0), min(top + 4, h)):
                for column in range(max(left, 0), min(left + 4, w)):
                    across, down = float(x) - column, float(y) - row
                    # Not hypot, whose last bit is another: among equal ones that decides.
                    distance = math.sqrt(across * across + down * down)
                    if distance < float(nearest[k, row, column]):
                        nearest[k, row, column] = distance
                        size = scale * (sigmas[k] if len(sigmas) else 1)
                        fields[k, :, row, column] = 1, x - column, y - row, 0.1 / stride, size
    return fields


def render_caf_loop(
    points: NDArray[np.floating],
    drawn: NDArray[np.bool_],
    limbs: Sequence[tuple[int, int]],
    *,
    input_size: Size,
    cells: Size,
    sigmas: Sequence[float] = (),
    ignored: NDArray[np.floating] | None = None,
) -> NDArray[np.float32]:
    """Draw composite association fields, as `encoder/caf.py` of openpifpaf (arXiv:2103.02440) does.

    Parameters
    ----------
    points, drawn, input_size, cells, sigmas, ignored
        As in `render_cif_loop`.
    limbs
        E pairs of keypoint indices (from, to).

    Returns
    -------
    (E, 9, h, w) float32: intensity, x1, y1, x2, y2, b1, b2, scale 1, scale 2.
    """
    (h, w), stride = cells, np.float32(input_size[1] / cells[1])
    fields, nearest = _begin((len(limbs), 9, h, w), _list_unknown(ignored, cells, stride, 1.0))
    for n in range(len(points)):
        scale = _measure(points[n], drawn[n], stride)
        for e, (a, b) in enumerate(limbs):
            if not (drawn[n, a] and drawn[n, b]):
                continue
            start, stop = (points[n, end].astype(np.float32) / stride for end in (a, b))
            if not any(0 <= x <= w - 1 and 0 <= y <= h - 1 for x, y in (start, stop)):
                continue
            way = (stop - start).astype(np.float64)
            length = np.float32(np.linalg.norm(stop - start))
            margin = min(max(1.5 / (float(length) + np.spacing(1.0)), 0.25), 0.4)
            for share in np.linspace(margin, 1 - margin, max(2, math.ceil(length))):
                for dy in (-1.0, 0.0, 1.0):
                    for dx in (-1.0, 0.0, 1.0):
                        column, row = (round(float(v)) for v in start + share * way + (dx, dy))
                        if not (0 <= column < w and 0 <= row < h):
                            continue
                        x, y = column - float(start[0]), row - float(start[1])
                        distance = abs(way[1] * x - way[0] * y) / float(length + np.float32(0.01))
                        if distance > float(nearest[e, row, column]):
                            continue
                        nearest[e, row, column] = distance
                        ways = [*(start - (column, row)), *(stop - (column, row))]
                        sizes = [scale * (sigmas[end] if len(sigmas) else 1) for end in (a, b)]
                        fields[e, :, row, column] = [1, *ways, 0.1 / stride, 0.1 / stride, *sizes]
    return fields


def _begin(
    shape: tuple[int, int, int, int], unknown: Iterable[tuple[slice, slice]]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Make fields in which nothing is drawn (C, values, h, w), and how near in each cell (C, h, w) what counts is."""
    fields = np.full(shape, np.nan, np.float32)
    fields[:, 0] = 0
    nearest = np.full((shape[0], *shape[2:]), np.inf, np.float32)
    for rows, columns in unknown:
        fields[:, 0, rows, columns] = np.nan
        nearest[:, rows, columns] = 1
    return fields, nearest


def _list_unknown(
    boxes: NDArray[np.floating] | None, cells: Size, stride: np.float32, margin: float
) -> Iterator[tuple[slice, slice]]:
    """List the rows and columns of boxes, with a margin in cells."""
    (h, w), edge = cells, np.float32(margin)
    for box in [] if boxes is None else boxes:
        x, y, across, down = box.astype(np.float32) / stride
        left, top = min(max(int(x - edge), 0), w - 1), min(max(int(y - edge), 0), h - 1)
        right = min(max(math.ceil(x + across + edge) + 1, left + 1), w)
        bottom = min(max(math.ceil(y + down + edge) + 1, top + 1), h)
        yield slice(top, bottom), slice(left, right)


def _measure(points: NDArray[np.floating], drawn: NDArray[np.bool_], stride: np.float32) -> float:
    """Measure a person (K, 2) in cells; NaN if too little of it is drawn, or it is too small."""
    shown = points[drawn].astype(np.float32) / stride
    if len(shown) < 3:
        return math.nan
    scale = float(np.sqrt(np.ptp(shown[:, 0]) * np.ptp(shown[:, 1])))
    return math.nan if scale < 0.1 else scale
