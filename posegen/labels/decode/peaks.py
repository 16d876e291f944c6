"""Peaks of maps and their refinement, as the field's decoders do it.

Legend: M maps of h x w cells, P peaks; a peak is a map's number, a row and a column, each (P,). A step is a way from
the middle of a peak's cell, (P, 2) x, y in cells.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Maps = NDArray[np.floating]
Indices = NDArray[np.intp]
Peak = tuple[Indices, Indices, Indices]
"""Map, row, column."""

LEAST_SCORE = 0.1
"""A peak of one among many people is higher; OpenPose and its translations take it."""

LEAST_SIGMA_CELLS = 0.7
"""Of a Gaussian whose place can be refined: of a narrower one a peak's neighbours have too little."""

_FLOOR = 1e-3
"""Below, logarithms tell nothing."""

_NOISE = 1e-6
"""By how much two equal neighbours may differ, for their blur was added up in another order."""


def find_doubt(sigma_cells: float) -> str:
    """Say why Gaussians of a sigma cannot be refined; '' if they can."""
    if sigma_cells >= LEAST_SIGMA_CELLS:
        return ""
    return (
        f"its sigma is {sigma_cells:.2g} cells; below {LEAST_SIGMA_CELLS:g} peaks cannot be refined, and predictions "
        "come back up to half a cell from where they were drawn: take a larger --sigma, or a smaller --stride"
    )


def find_highest(maps: Maps) -> tuple[Peak, NDArray[np.float64]]:
    """Find the highest cell, of equal ones the first, of each of M maps (M, h, w), and its value."""
    flat = maps.reshape(len(maps), -1)
    best = flat.argmax(axis=1)
    row, column = np.divmod(best, maps.shape[2])
    at = np.arange(len(maps))
    return (at, row, column), flat[at, best].astype(np.float64)


def find_local(maps: Maps, least: float = LEAST_SCORE) -> tuple[Peak, NDArray[np.float64]]:
    """Find the cells above `least` that are highest of their 3 x 3, of equal ones the first, in (M, h, w)."""
    edged = np.pad(maps, ((0, 0), (1, 1), (1, 1)), constant_values=-np.inf)
    h, w = maps.shape[1:]
    best = maps > least
    for y in range(3):
        for x in range(3):
            if (y, x) != (1, 1):
                other = edged[:, y : y + h, x : x + w]
                best &= maps > other if (y, x) < (1, 1) else maps >= other
    at, row, column = np.nonzero(best)
    return (at, row, column), maps[at, row, column].astype(np.float64)


def step_quarter(maps: Maps, peak: Peak) -> NDArray[np.float64]:
    """Step a quarter of a cell towards the higher neighbour, where there are two (arXiv:1603.06937, section 3.1)."""
    at, row, column = peak
    found = np.zeros((len(at), 2))
    for axis, (index, (y, x)) in enumerate(((column, (0, 1)), (row, (1, 0)))):
        (inner,) = np.nonzero((index > 0) & (index < maps.shape[2 - axis] - 1))
        here = at[inner], row[inner], column[inner]
        rise = _value(maps, here, y, x) - _value(maps, here, -y, -x)
        found[inner, axis] = 0.25 * np.sign(rise) * (np.abs(rise) > _NOISE)
    return found


def step_parabola(maps: Maps, peak: Peak) -> NDArray[np.float64]:
    """Step, along each axis for itself, to the vertex of the parabola through the logarithms of three cells.

    The logarithm of a Gaussian is one. In a border's cell the parabola is that of its neighbour: it may end up to a
    cell outside; others end in their own cell.
    """
    at, row, column = peak
    found = np.zeros((len(at), 2))
    for axis, (index, (y, x)) in enumerate(((column, (0, 1)), (row, (1, 0)))):
        last = maps.shape[2 - axis] - 1
        if last < 2:
            continue
        inward = np.clip(index, 1, last - 1) - index
        here = at, row + y * inward, column + x * inward
        before, middle, after = (_log(_value(maps, here, y * i, x * i)) for i in (-1, 0, 1))
        curve = before - 2 * middle + after
        vertex = np.divide(before - after, 2 * curve, out=np.zeros(len(at)), where=curve < 0) + inward
        low, high = np.where(index == 0, -1.0, -0.5), np.where(index == last, 1.0, 0.5)
        found[:, axis] = np.clip(vertex, low, high)
    return found


def step_dark(logs: Maps, peak: Peak, *, cells: int) -> NDArray[np.float64]:
    """Step to the maximum of the Taylor series of logarithms (M, h, w), to the second order (DARK, arXiv:1910.06278).

    With `cells` of 2 the second differences are those of first differences, and nothing moves within a cell of the
    border, as in DARK; with 1 they are of neighbours, and maps go on beyond their border, as in UDP (arXiv:1911.07524).
    """
    h, w = logs.shape[1:]
    at, row, column = peak
    if cells == 2:
        inside = (row > 1) & (row < h - 2) & (column > 1) & (column < w - 2)
    else:
        inside = np.ones(len(at), bool)
        logs, row, column = np.pad(logs, ((0, 0), (1, 1), (1, 1)), mode="edge"), row + 1, column + 1
    here = at[inside], row[inside], column[inside]

    def value(y: int, x: int) -> NDArray[np.float64]:
        return _value(logs, here, y, x).astype(np.float64)

    middle, c = value(0, 0), cells
    dx, dy = (value(0, 1) - value(0, -1)) / 2, (value(1, 0) - value(-1, 0)) / 2
    dxx, dyy = (value(0, c) - 2 * middle + value(0, -c)) / c**2, (value(c, 0) - 2 * middle + value(-c, 0)) / c**2
    if cells == 2:
        dxy = (value(1, 1) - value(-1, 1) - value(1, -1) + value(-1, -1)) / 4
    else:
        sides = value(0, 1) + value(1, 0) + value(0, -1) + value(-1, 0)
        dxy = (value(1, 1) - sides + 2 * middle + value(-1, -1)) / 2
    determinant = dxx * dyy - dxy**2
    peaked = (determinant > 0) & (dxx < 0)
    share = np.divide(-1.0, determinant, out=np.zeros_like(determinant), where=peaked)
    found = np.zeros((len(at), 2))
    found[inside] = np.stack([(dyy * dx - dxy * dy) * share, (dxx * dy - dxy * dx) * share], axis=-1)
    return found


def blur(maps: Maps, radius: int) -> NDArray[np.float64]:
    """Blur maps (M, h, w) with a Gaussian of 2 radius + 1 cells, nothing beyond them.

    Its sigma is that which OpenCV's `GaussianBlur` takes for a kernel of this size.
    """
    h, w = maps.shape[1:]
    return _make_blur(h, radius) @ maps.astype(np.float64) @ _make_blur(w, radius)


def find_radius(sigma_cells: float | NDArray[np.float64]) -> Indices:
    """Find the radius of the kernel to which OpenCV's rule gives the sigma that is nearest to this one, or to these."""
    # OpenCV takes sigma = 0.3 ((size - 1) / 2 - 1) + 0.8 for a kernel of a size.
    return np.maximum(np.rint((np.asarray(sigma_cells) - 0.8) / 0.3 + 1), 1).astype(np.intp)


def to_points(peak: Peak, step: NDArray[np.float64], stride: tuple[float, float], *, middle: bool) -> NDArray[
    np.float64
]:  # fmt: skip
    """Return where peaks lie (P, 2), x and y in input pixels, with strides (of x, of y) in pixels.

    With `middle` a cell i lies at (i + 0.5) s - 0.5, without at i s.
    """
    cells = np.stack([peak[2], peak[1]], axis=-1) + step
    return (cells + 0.5) * stride - 0.5 if middle else cells * stride


def _value(maps: Maps, peak: Peak, y: int, x: int) -> Maps:
    """Return the values of the cells that lie so many rows and columns from peaks."""
    return maps[peak[0], peak[1] + y, peak[2] + x]


def _log(values: Maps) -> NDArray[np.float64]:
    return np.log(np.maximum(values, _FLOOR), dtype=np.float64)


def _make_blur(count: int, radius: int) -> NDArray[np.float64]:
    sigma = 0.3 * (radius - 1) + 0.8
    kernel = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    kernel /= math.fsum(kernel)
    apart = np.abs(np.arange(count)[:, None] - np.arange(count))
    return np.where(apart <= radius, kernel[radius - np.minimum(apart, radius)], 0.0)
