"""A drawing of a skeleton: its keypoints as numbered discs, its limbs as lines, and a list of the names.

A skeleton says what is joined to what and what mirrors what, but not where anything is. The layout makes distances
along limbs distances on the page (stress majorization: Gansner, Koren, North 2004), with the flip pairs as each other's
mirror images about a vertical line; the person faces the reader, whose right is the person's left.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from posegen.inspect.drawing.canvas import INK, PAPER, Picture, write_png
from posegen.inspect.drawing.text import measure_text, write_text
from posegen.skeleton import Skeleton, is_left

_GRAY = (120, 116, 112)
_LEFT, _RIGHT = (176, 84, 20), (30, 96, 226)
_STEP, _ROW, _SIZE, _ROUNDS, _LONGEST = 84, 22, 15, 400, 48
_MOST_PLACED = 600
"""Connected keypoints that are laid out along their limbs; the work grows with the cube. More stand in rows."""

_PARTS = {
    "nose": (0, 0), "eye": (0.3, -0.3), "ear": (0.6, 0), "head": (0, -0.5), "neck": (0, 0.8), "shoulder": (0.7, 1.2),
    "elbow": (1.6, 1.6), "wrist": (2.4, 2), "thumb": (3, 1.5), "finger": (3.4, 2), "thorax": (0, 1.2),
    "pelvis": (0, 2.6), "hip": (0.5, 2.8), "knee": (0.7, 3.8), "ankle": (0.8, 4.8), "toe": (1, 5.5), "heel": (0.7, 5.5),
}  # fmt: skip
"""Where parts of a body roughly are, x from its middle, for the layout to start from."""

_Point = tuple[int, int]


def save_skeleton(skeleton: Skeleton, path: Path) -> None:
    """Draw a skeleton to a PNG file; raises what `write_png` raises."""
    write_png(path, draw_skeleton(skeleton))


def draw_skeleton(skeleton: Skeleton) -> Picture:
    """Draw a skeleton; blue is left, orange is right.

    Returns
    -------
    (rows, columns, 3) uint8 B, G, R.
    """
    points = lay_out(skeleton)
    points = np.rint((points - points.min(axis=0) + 0.6) * _STEP).astype(np.int64)
    figure_width, figure_height = (points.max(axis=0) + 0.6 * _STEP).astype(int).tolist()
    rows = max(figure_height // _ROW - 1, 20)
    names = [f"{k}  {_shorten(name)}" for k, name in enumerate(skeleton.keypoints)]
    columns = [names[i : i + rows] for i in range(0, len(names), rows)]
    widths = [24 + max(measure_text(name, _SIZE) for name in column) for column in columns]
    height = max(figure_height, _ROW * (min(rows, len(names)) + 1))
    picture = np.full((height, figure_width + sum(widths), 3), PAPER, np.uint8)
    points[:, 1] += (height - figure_height) // 2
    places = [(int(x), int(y)) for x, y in points]
    _draw_figure(picture, skeleton, places)
    left = figure_width
    for column, width in zip(columns, widths, strict=True):
        for row, name in enumerate(column):
            write_text(picture, name, (left, _ROW * (row + 1)), INK, _SIZE)
        left += width
    return picture


def lay_out(skeleton: Skeleton) -> NDArray[np.float64]:
    """Place keypoints: (K, 2) x, y in lengths of a limb, y downwards; those without limbs stand below the others."""
    points = np.zeros((len(skeleton.keypoints), 2))
    groups = _find_groups(skeleton)
    bottom, left = 0.0, 0.0
    for group in sorted((g for g in groups if 1 < len(g) <= _MOST_PLACED), key=len, reverse=True):
        placed = _place(skeleton, group)
        placed -= placed.min(axis=0) - (left, 0)
        points[group] = placed
        left, bottom = placed[:, 0].max() + 1, max(bottom, placed[:, 1].max())
    alone = [k for group in groups if not 1 < len(group) <= _MOST_PLACED for k in group]
    columns = max(math.ceil(math.sqrt(2 * len(alone))), math.ceil(left / 0.6), 1)
    for i, k in enumerate(alone):
        points[k] = 0.6 * (i % columns), bottom + (0.8 if bottom else 0) + 0.6 * (i // columns)
    return points


def _find_groups(skeleton: Skeleton) -> list[list[int]]:
    """Find the keypoints that limbs connect, group by group."""
    group_of = {k: [k] for k in range(len(skeleton.keypoints))}
    for a, b in skeleton.limbs:
        if group_of[a] is not group_of[b]:
            group_of[a] += group_of[b]
            for k in group_of[b]:
                group_of[k] = group_of[a]
    return [sorted(group) for k, group in group_of.items() if k == min(group)]


def _place(skeleton: Skeleton, group: Sequence[int]) -> NDArray[np.float64]:
    """Place connected keypoints (n, 2), n > 1."""
    index = {k: i for i, k in enumerate(group)}
    distances = _count_limbs([(index[a], index[b]) for a, b in skeleton.limbs if a in index], len(group))
    pairs = np.array([(index[a], index[b]) for a, b in skeleton.flip_pairs if a in index and b in index], np.int64)
    points = _start([skeleton.keypoints[k] for k in group], pairs, distances)
    weights = 1 / np.square(distances + np.eye(len(group)))
    np.fill_diagonal(weights, 0)
    laplacian = np.diag(weights.sum(axis=1)) - weights
    inverse = np.linalg.pinv(laplacian)
    for _ in range(_ROUNDS):
        apart = np.linalg.norm(points[:, None] - points[None], axis=2)
        pull = np.divide(weights * distances, apart, out=np.zeros_like(apart), where=apart > 1e-9)
        points = inverse @ ((np.diag(pull.sum(axis=1)) - pull) @ points)
        if len(pairs):
            points = _mirror(points, pairs)
    return points


def _start(names: Sequence[str], pairs: NDArray[np.int64], distances: NDArray[np.float64]) -> NDArray[np.float64]:
    """Guess where keypoints are, (n, 2): parts of a body from their names, others by their distance from the first."""
    points = np.column_stack([np.cos(2.4 * np.arange(len(names))), distances[0]])
    if not len(pairs):
        return points
    for i, name in enumerate(names):
        part = next((part for part in _PARTS if part in name.lower()), None)
        points[i] = _PARTS[part] if part else (1 + 0.01 * i, distances[0, i])
        points[i] += 0.01 * i, 0.02 * i % 0.1
    for a, b in pairs:
        points[a if is_left(names[b], names[a]) else b, 0] *= -1
    return _mirror(points, pairs)


def _mirror(points: NDArray[np.float64], pairs: NDArray[np.int64]) -> NDArray[np.float64]:
    """Move the points of each pair to be mirror images about x = 0, and the others onto that line."""
    a, b = pairs.T
    mirrored = np.column_stack([np.zeros(len(points)), points[:, 1]])
    across = (points[a, 0] - points[b, 0]) / 2
    mirrored[a, 0], mirrored[b, 0] = across, -across
    mirrored[a, 1] = mirrored[b, 1] = (points[a, 1] + points[b, 1]) / 2
    return mirrored


def _count_limbs(limbs: Sequence[tuple[int, int]], count: int) -> NDArray[np.float64]:
    """Count the limbs between any two of connected keypoints (Floyd, Warshall): (n, n)."""
    distances = np.full((count, count), np.inf)
    np.fill_diagonal(distances, 0)
    for a, b in limbs:
        distances[a, b] = distances[b, a] = 1
    for k in range(count):
        distances = np.minimum(distances, distances[:, k, None] + distances[k])
    return distances


def _draw_figure(picture: Picture, skeleton: Skeleton, places: Sequence[_Point]) -> None:
    colours = [_GRAY] * len(places)
    for a, b in skeleton.flip_pairs:
        for left, right in ((a, b), (b, a)):
            if is_left(skeleton.keypoints[left], skeleton.keypoints[right]):
                colours[left], colours[right] = _LEFT, _RIGHT
    for a, b in skeleton.limbs:
        colour = colours[a] if colours[a] == colours[b] else _GRAY
        cv2.line(picture, places[a], places[b], colour, 3, cv2.LINE_AA)
    for k, place in enumerate(places):
        cv2.circle(picture, place, 15, PAPER, cv2.FILLED, cv2.LINE_AA)
        cv2.circle(picture, place, 15, colours[k], 2, cv2.LINE_AA)
        text = str(k)
        write_text(picture, text, (place[0] - measure_text(text, _SIZE) // 2, place[1] + 5), INK, _SIZE)


def _shorten(name: str) -> str:
    """Make a name that can be written on one line, and not too long a one."""
    shown = "".join(c if c.isprintable() else "?" for c in name)
    return shown if len(shown) <= _LONGEST else shown[: _LONGEST - 1] + "…"
