"""The labels once more, straight from their definition: at every position, in float64, one channel after the other.

Shared by the tests of the labels. Nothing that is computed here comes from the code under test, which is only named to
build scenes for it. Legend: N people, K keypoints, E limbs, H x W input, h x w grid; sizes are (height, width).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from posegen.geometry import Affine
from posegen.labels import Region, Scene

Floats = NDArray[np.float64]
LIMBS = ((0, 1), (1, 2), (0, 2), (2, 1))
KINDS = ("bilinear", "area", "point")


@dataclass(frozen=True, kw_only=True)
class People:
    """N people in an input of H x W pixels that is reduced to h x w cells."""

    size: tuple[int, int]
    cells: tuple[int, int]
    points: Floats
    drawn: NDArray[np.bool_]

    @property
    def scene(self) -> Scene:
        return make_scene(self.points, self.drawn, self.size)


def make_scene(points: Floats, drawn: NDArray[np.bool_], size: tuple[int, int]) -> Scene:
    """People in a picture that fills the input."""
    return Scene(points=points, drawn=drawn, image_size=size, affine=Affine(1, 0, 0, 0, 1, 0))


def scatter_anywhere(seed: int) -> People:
    """Four people of three keypoints in an input of any size, on cells of 1 to 16 pixels, whole or not."""
    rng = np.random.default_rng(seed)
    size = int(rng.integers(4, 60)), int(rng.integers(4, 60))
    rows, columns = (int(rng.integers(-(-n // 16), (n if rng.random() < 0.5 else max(n // 2, 4)) + 1)) for n in size)
    points, drawn = scatter(rng, 4, 3, size)
    return People(size=size, cells=(rows, columns), points=points, drawn=drawn)


def scatter(
    rng: np.random.Generator, people: int, keypoints: int, size: tuple[int, int], share: float = 0.8
) -> tuple[Floats, NDArray[np.bool_]]:
    """People all over the input and around it; a `share` of their keypoints is drawn."""
    height, width = size
    points = rng.uniform(-0.2, 1.2, (people, keypoints, 2)) * (width, height)
    return points, rng.random((people, keypoints)) < share


def expect_heatmap(kind: str, people: People, sigmas: Floats | float, *, background: bool = True) -> Floats:
    """The heatmap (K + 1, h, w): Gaussians, maximum over people, background per position, and then the reduction.

    Sigmas are in pixels, one or (N, K).
    """
    ys, xs = _axes(kind, people)
    full = np.zeros((people.drawn.shape[1], len(ys), len(xs)))
    for person, k in np.argwhere(people.drawn):
        sigma_px = float(np.broadcast_to(sigmas, people.drawn.shape)[person, k])
        reach = math.sqrt(2 * 4.6052) * sigma_px
        cx, cy = people.points[person, k].tolist()
        d = ((xs - cx)[None] ** 2 + (ys - cy)[:, None] ** 2) / (2 * sigma_px**2)
        inside = _within(ys, cy - reach, cy + reach, people.size[0])[:, None] & _within(
            xs, cx - reach, cx + reach, people.size[1]
        )
        full[k] = np.maximum(full[k], np.where(inside & (d < 4.6052), np.exp(-d), 0))
    if background:
        full = np.concatenate([full, np.clip(1 - full.max(axis=0, initial=0), 0, 1)[None]])
    return reduce_full(kind, full, people.cells)


def expect_paf(kind: str, people: People, limbs: tuple[tuple[int, int], ...], half_width_px: float) -> Floats:
    """The part affinity fields (2E, h, w): unit vectors, mean over people per position, and then the reduction."""
    ys, xs = _axes(kind, people)
    full = np.zeros((2 * len(limbs), len(ys), len(xs)))
    for e, (a, b) in enumerate(limbs):
        count = np.zeros((len(ys), len(xs)))
        for points, drawn in zip(people.points, people.drawn, strict=True):
            if not (drawn[a] and drawn[b]) or (points[a] == points[b]).all():
                continue
            (ax, ay), (bx, by) = points[a].tolist(), points[b].tolist()
            length = math.dist(points[a], points[b])
            near = abs((xs - ax)[None] * (by - ay) - (ys - ay)[:, None] * (bx - ax)) <= half_width_px * length
            near &= _within(ys, min(ay, by) - half_width_px, max(ay, by) + half_width_px, people.size[0])[:, None]
            near &= _within(xs, min(ax, bx) - half_width_px, max(ax, bx) + half_width_px, people.size[1])
            full[2 * e] += near * ((bx - ax) / length)
            full[2 * e + 1] += near * ((by - ay) / length)
            count += near
        full[2 * e : 2 * e + 2] /= np.maximum(count, 1)
    return reduce_full(kind, full, people.cells)


def expect_top_down(kind: str, people: People, sigmas: Floats | float) -> tuple[Floats, Floats]:
    """The top-down heatmaps (K, h, w) and weights (K,), one cell after the other; sigmas in cells, one or (N, K)."""
    (height, width), (h, w), count = people.size, people.cells, people.drawn.shape[1]
    heat, weight = np.zeros((count, h, w)), np.zeros(count)
    sx, sy = ((width - 1) / (w - 1), (height - 1) / (h - 1)) if kind == "udp" else (width / w, height / h)
    for n, k in np.argwhere(people.drawn):
        sigma = float(np.broadcast_to(sigmas, people.drawn.shape)[n, k])
        reach = math.floor(3 * sigma + 1e-9)
        x, y = people.points[n, k, 0] / sx, people.points[n, k, 1] / sy
        if kind == "megvii":
            column, row = int(x), int(y)
            if not (0 <= column < w and 0 <= row < h):
                continue
            weight[k] = 1
            one = np.zeros((h, w))
            one[row, column] = 1
            size = 2 * round((sigma - 0.8) / 0.3 + 1) + 1
            one = cv2.GaussianBlur(one, (size, size), 0)
            heat[k] = np.maximum(heat[k], one / one.max())
            continue
        column, row = int(x + 0.5), int(y + 0.5)
        if kind == "higherhrnet":
            column, row, reach = int(x), int(y), math.floor(3 * sigma + 1e-9) + 1
            if not (0 <= column < w and 0 <= row < h):
                continue
        middle = (column, row) if kind in {"msra", "higherhrnet"} else (x, y)
        for j in range(h):
            for i in range(w):
                in_patch = abs(i - column) <= reach and abs(j - row) <= reach
                if in_patch:
                    weight[k] = 1
                if in_patch or kind == "msra-unbiased":
                    d = (i - middle[0]) ** 2 + (j - middle[1]) ** 2
                    heat[k, j, i] = max(heat[k, j, i], math.exp(-d / (2 * sigma**2)))
    return heat, weight


def expect_cell_paf(people: People, limbs: tuple[tuple[int, int], ...], half_width: float) -> Floats:
    """OpenPose's part affinity fields (2E, h, w), one cell after the other; the half-width in cells."""
    h, w = people.cells
    sy, sx = people.size[0] / h, people.size[1] / w
    out = np.zeros((2 * len(limbs), h, w))
    for e, (a, b) in enumerate(limbs):
        count = np.zeros((h, w))
        for points, drawn in zip(people.points, people.drawn, strict=True):
            if not (drawn[a] and drawn[b]):
                continue
            (ax, ay), (bx, by) = ((x / sx, y / sy) for x, y in points[[a, b]].tolist())
            length = math.hypot(bx - ax, by - ay)
            if length == 0:
                continue
            ux, uy = (bx - ax) / length, (by - ay) / length
            for y in range(max(0, round(min(ay, by) - half_width)), min(h, round(max(ay, by) + half_width))):
                for x in range(max(0, round(min(ax, bx) - half_width)), min(w, round(max(ax, bx) + half_width))):
                    if abs((x - ax) * (by - ay) - (y - ay) * (bx - ax)) <= half_width * length:
                        out[2 * e : 2 * e + 2, y, x] += ux, uy
                        count[y, x] += 1
        out[2 * e : 2 * e + 2] /= np.maximum(count, 1)
    return out


def reduce_full(kind: str, full: Floats, cells: tuple[int, int]) -> Floats:
    """Reduce (C, H, W) to (C, h, w); what was computed at the cells' centres is left as it is."""
    if kind == "point" or not len(full):
        return full.reshape(-1, *cells) if not len(full) else full
    if kind == "area":
        rows, columns = (shares_of_pixels(n, m) for n, m in zip(full.shape[1:], cells, strict=True))
        return rows @ full @ columns.T
    return np.stack(
        [cv2.resize(channel, cells[::-1], interpolation=cv2.INTER_LINEAR).reshape(cells) for channel in full]
    )


def shares_of_pixels(pixels: int, cells: int) -> Floats:
    """Which share of each cell each pixel covers, (cells, pixels); exact, for lengths are counted in 1/cells pixel."""
    pixel, cell = np.arange(pixels)[None] * cells, np.arange(cells)[:, None] * pixels
    common = np.minimum(pixel + cells, cell + pixels) - np.maximum(pixel, cell)
    return np.maximum(common, 0) / pixels


def _axes(kind: str, people: People) -> tuple[Floats, Floats]:
    """The rows and columns where a label is evaluated: all pixels, or the cells' centres."""
    if kind != "point":
        return np.arange(people.size[0], dtype=float), np.arange(people.size[1], dtype=float)
    strides = [n / m for n, m in zip(people.size, people.cells, strict=True)]
    rows, columns = (np.arange(m) * s + (s - 1) / 2 for m, s in zip(people.cells, strides, strict=True))
    return rows, columns


def _within(at: Floats, low: float, high: float, pixels: int) -> NDArray[np.bool_]:
    return (at >= int(max(0, low))) & (at < int(min(pixels, high)))


def coordinates(pixels: int) -> st.SearchStrategy[float]:
    """Inside, on and beyond every border, whole and not, and far away."""
    return st.one_of(
        st.integers(-20, pixels + 20).map(float),
        st.integers(-80, 4 * pixels + 80).map(lambda quarter: quarter / 4),
        st.floats(-1.5 * pixels, 2.5 * pixels),
        st.sampled_from([-1.0, -0.5, -0.0, 0.5, pixels - 1.0, pixels - 0.5, float(pixels), -1e6, 1e6, 1e12]),
    )


def cell_counts(pixels: int) -> st.SearchStrategy[int]:
    """Cells of 1 to 16 pixels; in larger ones the float32 sum over all of a cell is off by more than 1e-6."""
    fewest = -(-pixels // 16)
    return st.one_of(st.integers(fewest, max(fewest, pixels // 2)), st.integers(fewest, pixels), st.just(pixels))


@st.composite
def people_strategy(draw: st.DrawFn, smallest: int = 4, largest: int = 40, keypoints: int | None = None) -> People:
    """Few points that many people share, so that people coincide and channels are crowded as often as not."""
    size = draw(st.tuples(*[st.integers(smallest, largest)] * 2))
    cells = tuple(draw(cell_counts(n)) for n in size)
    n, k = draw(st.integers(0, 5)), draw(st.integers(1, 4)) if keypoints is None else keypoints
    pool = np.array(
        draw(st.lists(st.tuples(coordinates(size[1]), coordinates(size[0])), min_size=1, max_size=8)), np.float64
    )
    chosen = draw(st.lists(st.integers(0, len(pool) - 1), min_size=n * k, max_size=n * k))
    drawn = draw(st.lists(st.sampled_from([True, True, False, True]), min_size=n * k, max_size=n * k))
    drawn_array = np.array(drawn, bool).reshape(n, k)
    points = pool[np.array(chosen, int)].reshape(n, k, 2)
    # What is not drawn must not be read.
    points[~drawn_array] = np.nan
    return People(size=size, cells=(cells[0], cells[1]), points=points, drawn=drawn_array)


def make_region(pixels):
    """The pieces of columns that make up the pixels."""
    edges = np.diff(np.pad(pixels.astype(int), ((1, 1), (0, 0))), axis=0)
    column, top = np.nonzero(edges.T == 1)
    _, bottom = np.nonzero(edges.T == -1)
    return Region(column, top, bottom)
