"""What all drawings share: enlarged pictures, discs, hues, tiles laid out on a sheet.

Colours are in OpenCV's order B, G, R.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from posegen.errors import ConfigError
from posegen.files import refuse_target, write_atomically
from posegen.images import codec

Picture = NDArray[np.uint8]
"""(rows, columns, 3) B, G, R."""

Colour = tuple[int, int, int]
INK, PAPER = (30, 26, 22), (255, 255, 255)
SHIFT = 6
"""Points are given to OpenCV in units of 2^-6 pixels."""

_PNG_START = b"\x89PNG"


@dataclass(frozen=True, slots=True, eq=False)
class Canvas:
    """A picture that is `factor` times as large as the input: (H f, W f, 3)."""

    picture: Picture
    factor: int

    @property
    def side(self) -> int:
        """The longer side in pixels, which the widths of lines follow."""
        return max(self.picture.shape[:2])

    def enlarge_points(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """Map input pixels (..., 2) to the view's pixels."""
        return self.factor * (np.asarray(points, np.float64) + 0.5) - 0.5

    def enlarge_cells(self, cells: NDArray[Any]) -> NDArray[Any]:
        """Make a block of each of the (h, w, ...) cells: (H f, W f, ...)."""
        sizes = zip(self.picture.shape[:2], cells.shape[:2], strict=True)
        index = (((np.arange(pixels) + 0.5) * (count / pixels)).astype(np.intp) for pixels, count in sizes)
        return cells[np.ix_(*index)]


def write_png(path: Path, picture: Picture) -> None:
    """Write a picture as a PNG file, whole or not at all.

    Parameters
    ----------
    path
        Where to; a PNG file that is there is replaced.
    picture
        (rows, columns, 3) uint8 B, G, R.

    Raises
    ------
    ConfigError
        If nothing can be written there.
    ImageError
        If OpenCV cannot encode the picture.
    """
    refuse_target(path, _PNG_START)
    try:
        write_atomically(path, codec.encode(picture, "png", 100))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror or error}") from error


def draw_disc(picture: Picture, middle: NDArray[np.float64], radius: float, colour: Colour) -> None:
    """Draw a filled disc, in place, around a point (2,) x, y with sub-pixel accuracy."""
    at, reach = to_fixed(middle).tolist(), round(radius * 2**SHIFT)
    cv2.circle(picture, at, reach, colour, cv2.FILLED, cv2.LINE_AA, SHIFT)


def to_fixed(points: NDArray[np.float64]) -> NDArray[np.int32]:
    """Turn points into OpenCV's fixed-point numbers; those very far outside come nearer, lest the numbers overflow."""
    return np.rint(np.clip(points, -1e6, 1e6) * 2**SHIFT).astype(np.int32)


def hues(radians: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Colour angles (...): (..., 3), red at 0, green at a third of a turn (wikipedia.org/wiki/HSL_and_HSV)."""
    distance = (np.array([1, 3, 5]) + radians[..., None] * (6 / math.tau)) % 6
    return np.rint(255 * (1 - 0.8 * np.clip(np.minimum(distance, 4 - distance), 0, 1))).astype(np.uint8)


def mix(below: NDArray[Any], above: NDArray[np.uint8], weight: NDArray[np.floating]) -> Picture:
    """Lay colours (rows, columns, 3) over others; (rows, columns) weights from 0, only below, to 1, only above."""
    weight = weight[..., None].astype(np.float32)
    return np.rint(below * (1 - weight) + above * weight).astype(np.uint8)


def draw_wheel(square: Picture) -> None:
    """Draw the wheel of the directions' hues into a square picture, in place."""
    y, x = np.mgrid[: len(square), : len(square)] - (len(square) - 1) / 2
    inside = np.clip(0.38 * len(square) + 0.5 - np.hypot(x, y), 0, 1)
    square[...] = mix(square, hues(np.arctan2(y, x)), inside)


def join_tiles(tiles: Sequence[Picture], columns: int) -> Picture:
    """Lay tiles of one size out row by row, with gaps."""
    height, width = tiles[0].shape[:2]
    gap = max(2, width // 120)
    step_y, step_x = height + gap, width + gap
    sheet = np.full((-(-len(tiles) // columns) * step_y, columns * step_x, 3), INK, np.uint8)
    for i, tile in enumerate(tiles):
        y, x = i // columns * step_y, i % columns * step_x
        sheet[y : y + height, x : x + width] = tile
    return np.ascontiguousarray(sheet[:-gap, :-gap])
