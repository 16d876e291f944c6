"""Flat shapes in a picture: (height, width, 3) uint8, blue, green, red, drawn into in place.

Coordinates are (x, y) in pixels with pixel centres at integers.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from posegen.synthetic.raster import Colour

Picture = NDArray[np.uint8]
Shade = Colour | NDArray[np.float64]
Corners = Sequence[tuple[float, float]] | NDArray[np.float64]

SUBPIXEL_BITS = 3
"""Fractional bits of the coordinates that polygons are drawn with."""


def colour(code: str) -> Colour:
    """Turn "rrggbb" into (3,) float32 blue, green, red."""
    return np.array([int(code[i : i + 2], 16) for i in (4, 2, 0)], np.float32)


def ink(rgb: Shade) -> tuple[float, float, float]:
    """Turn a colour into what OpenCV takes, never black: black marks what nothing was drawn on."""
    b, g, r = (float(round(min(max(float(v), 1.0), 255.0))) for v in rgb)
    return b, g, r


def mix(a: Colour, b: Colour, share: float) -> Colour:
    """Return the colour at `share` of the way from a to b."""
    return a + np.float32(share) * (b - a)


def vary(rng: np.random.Generator, base: Colour, amount: float) -> Colour:
    """Shake a colour by a normal deviate of `amount`."""
    return np.clip(base + rng.normal(0, amount, 3), 0, 255).astype(np.float32)


def gradient(picture: Picture, top: int, bottom: int, first: Colour, last: Colour) -> None:
    """Fill the rows from `top` up to but without `bottom`, from colour `first` to `last`."""
    top, bottom = max(top, 0), min(bottom, len(picture))
    t = np.linspace(0, 1, max(bottom - top, 0), dtype=np.float32)[:, None]
    column = np.clip(first + t * (last - first), 1, 255).astype(np.uint8)
    picture[top:bottom] = column.repeat(picture.shape[1], axis=0).reshape(-1, picture.shape[1], 3)


def rectangle(picture: Picture, box: tuple[int, int, int, int], rgb: Shade) -> None:
    """Fill from column x0 and row y0 up to but without x1, y1."""
    x0, y0, x1, y1 = box
    cv2.rectangle(picture, (x0, y0), (x1 - 1, y1 - 1), ink(rgb), cv2.FILLED)


def line(picture: Picture, a: tuple[int, int], b: tuple[int, int], rgb: Colour, thickness: int = 1) -> None:
    """Draw an anti-aliased line."""
    cv2.line(picture, a, b, ink(rgb), thickness, cv2.LINE_AA)


def polygon(picture: Picture, points: Corners, rgb: Colour) -> None:
    """Fill an anti-aliased polygon of (n, 2) corners x, y."""
    corners = np.round(np.asarray(points, np.float64) * (1 << SUBPIXEL_BITS)).astype(np.int32)
    cv2.fillPoly(picture, [corners], ink(rgb), cv2.LINE_AA, SUBPIXEL_BITS)


def ellipse(picture: Picture, centre: tuple[int, int], radii: tuple[int, int], rgb: Shade) -> None:
    """Fill an anti-aliased ellipse."""
    cv2.ellipse(picture, centre, radii, 0, 0, 360, ink(rgb), cv2.FILLED, cv2.LINE_AA)
