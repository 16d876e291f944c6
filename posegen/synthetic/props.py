"""The things that stand about in a picture: trees, houses, furniture, and what hides people or carries them.

Unless they say otherwise, functions draw into a (height, width, 3) uint8 picture, blue, green, red, in place.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from posegen.synthetic.paint import (
    SUBPIXEL_BITS,
    Picture,
    Shade,
    colour,
    ellipse,
    gradient,
    ink,
    line,
    polygon,
    rectangle,
    vary,
)


def draw_obstacle(
    rng: np.random.Generator, size: tuple[int, int], x: float, y: float, scale_px: float
) -> NDArray[np.uint8]:
    """Draw something that stands in front of people.

    Parameters
    ----------
    rng
        Chooses a planter, a crate or a bollard.
    size
        (height, width) of the picture in pixels.
    x, y
        Where it stands, in pixels.
    scale_px
        Height in pixels of a person who stood there.

    Returns
    -------
    (height, width, 4) uint8: blue, green, red, cover.
    """
    picture: Picture = np.zeros((*size, 3), np.uint8)
    kind = ("planter", "crate", "bollard")[int(rng.integers(3))]
    if kind == "planter":
        draw_plant(rng, picture, int(x), int(y), 0.5 * scale_px)
    elif kind == "crate":
        _crate(rng, picture, int(x), int(y), int(0.42 * scale_px))
    else:
        w, h = int(0.06 * scale_px) + 2, int(0.6 * scale_px)
        paint = colour(("c8413a", "3d4c63", "e0b33c")[int(rng.integers(3))])
        rectangle(picture, (int(x) - w, int(y) - h, int(x) + w, int(y)), paint)
        rectangle(picture, (int(x) + w // 3, int(y) - h, int(x) + w, int(y)), paint * 0.78)
        rectangle(picture, (int(x) - w, int(y) - int(0.8 * h), int(x) + w, int(y) - int(0.62 * h)), colour("f2f0ea"))
        ellipse(picture, (int(x), int(y) - h), (w, w), paint)
    cover = np.where(picture.any(axis=2), 255, 0).astype(np.uint8)
    return np.dstack([picture, cover])


def draw_stool(
    picture: NDArray[np.float32], pelvis: NDArray[np.float64], ground: float, scale_px: float
) -> list[NDArray[np.int32]]:
    """Draw a box to sit on.

    Parameters
    ----------
    picture
        (height, width, 3) float32 blue, green, red, drawn into.
    pelvis
        (2 or more,) x and y in pixels of who will sit on it.
    ground
        Row of its foot in pixels.
    scale_px
        Height in pixels of who will sit on it.

    Returns
    -------
    The (4, 2) int32 corners of what was drawn, in pixels of `SUBPIXEL_BITS` fractional bits.
    """
    half, lip = 0.14 * scale_px, 0.02 * scale_px
    x, seat = float(pelvis[0]), float(pelvis[1]) + 0.065 * scale_px
    drawn = []
    for (x0, y0, x1, y1), shade in (
        ((x - half, seat, x + half, ground), 0.62),
        ((x - half, seat, x + 0.3 * half, ground), 0.78),
        ((x - 1.08 * half, seat - lip, x + 1.08 * half, seat + lip), 1.0),
    ):
        corners = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]]) * (1 << SUBPIXEL_BITS)
        drawn.append(np.round(corners).astype(np.int32))
        cv2.fillConvexPoly(picture, drawn[-1], ink(colour("c39a68") * shade), cv2.LINE_8, SUBPIXEL_BITS)
    return drawn


def draw_tree(rng: np.random.Generator, picture: Picture, x: int, y: int, size: float) -> None:
    """Draw a broad-leaved tree with its foot at x, y, `size` pixels high."""
    trunk = vary(rng, colour("6b4d36"), 6)
    w = int(0.045 * size) + 1
    rectangle(picture, (x - w, int(y - 0.5 * size), x + w, y), trunk)
    leaves = vary(rng, colour(("4d7f43", "5f9150", "7d9a4b", "c28b45", "3f6f50")[int(rng.integers(5))]), 8)
    for light in (0.8, 1.0, 1.16):
        for dx, dy, r in rng.uniform(-1, 1, (5, 3)):
            at = (
                int(x + 0.2 * size * (dx - (light - 1))),
                int(y - 0.72 * size + 0.17 * size * (dy - 2 * (light - 1))),
            )
            radius = int(size * (0.15 + 0.04 * r) / light**1.5) + 1
            ellipse(picture, at, (radius, radius), leaves * light)


def draw_bench(picture: Picture, x: int, y: int, w: int, rgb: Shade) -> None:
    """Draw a park bench `w` pixels wide with its left end at x."""
    for dy, shade in ((0.0, 1.0), (0.12, 0.9), (0.3, 1.1)):
        rectangle(picture, (x, y - int((0.42 - dy) * w), x + w, y - int((0.34 - dy) * w)), rgb * shade)
    for dx in (0.06, 0.9):
        rectangle(
            picture,
            (x + int(dx * w), y - int(0.42 * w), x + int((dx + 0.04) * w), y + int(0.1 * w)),
            rgb * 0.6,
        )


def draw_house(rng: np.random.Generator, picture: Picture, corner: tuple[int, int], size: tuple[int, int]) -> None:
    """Draw a facade from `corner`, its left end on the ground, of `size` (width, height)."""
    (x, base), (w, h) = corner, size
    wall = vary(rng, colour(("c98f6f", "d9c39c", "b7b3ac", "a9644f", "93a3ad", "dcd4c6")[int(rng.integers(6))]), 8)
    rectangle(picture, (x, base - h, x + w, base), wall)
    rectangle(picture, (x, base - h, x + w, base - h + 5), wall * 0.75)
    glass = vary(rng, colour("54687a"), 12)
    columns, rows = int(rng.integers(2, 5)), int(rng.integers(2, 5))
    for i in range(columns):
        for j in range(rows):
            wx, wy = x + int((i + 0.25) * w / columns), base - h + int((j + 0.3) * 0.8 * h / rows)
            ww, wh = int(0.5 * w / columns), int(0.45 * h / rows)
            rectangle(picture, (wx - 2, wy - 2, wx + ww + 2, wy + wh + 3), wall * 1.15)
            rectangle(picture, (wx, wy, wx + ww, wy + wh), glass * (0.85 + 0.4 * rng.random()))
            line(picture, (wx + ww // 2, wy), (wx + ww // 2, wy + wh - 1), wall * 1.1)
    if rng.random() < 0.6:
        awning = vary(rng, colour(("b8443c", "3f7a5c", "34618c")[int(rng.integers(3))]), 6)
        y = base - int(0.3 * h)
        rectangle(picture, (x + 6, y, x + w - 6, base), glass * 0.7)
        corners = [(x + 4.0, y), (x + w - 4.0, y), (x + w + 4.0, y + 0.1 * h), (x - 4.0, y + 0.1 * h)]
        polygon(picture, corners, awning)
    else:
        door = x + int(rng.uniform(0.2, 0.6) * w)
        rectangle(picture, (door, base - int(0.28 * h), door + max(w // 6, 6), base), wall * 0.45)


def draw_car(rng: np.random.Generator, picture: Picture, x: int, y: int, w: int) -> None:
    """Draw a car `w` pixels long with its left end at x, its axles at row y."""
    paint = vary(rng, colour(("b23c3a", "3d6fa3", "e0ddd4", "43464d", "d7a53e")[int(rng.integers(5))]), 8)
    h = 0.2 * w
    cabin = [
        (x + 0.2 * w, y - h),
        (x + 0.32 * w, y - 1.85 * h),
        (x + 0.68 * w, y - 1.85 * h),
        (x + 0.82 * w, y - h),
    ]
    polygon(picture, cabin, paint * 0.92)
    glass = [
        (x + 0.26 * w, y - h),
        (x + 0.35 * w, y - 1.68 * h),
        (x + 0.65 * w, y - 1.68 * h),
        (x + 0.75 * w, y - h),
    ]
    polygon(picture, glass, colour("a9c3cf"))
    body = [(x, y), (x + 0.02 * w, y - 0.8 * h), (x + 0.2 * w, y - 1.05 * h), (x + 0.82 * w, y - 1.05 * h),
            (x + 0.98 * w, y - 0.7 * h), (x + w, y)]  # fmt: skip
    polygon(picture, body, paint)
    for share in (0.2, 0.79):
        at, r = (x + int(share * w), y), int(0.09 * w)
        ellipse(picture, at, (r, r), colour("26272b"))
        ellipse(picture, at, (r // 2, r // 2), colour("b9bcc0"))


def draw_window(rng: np.random.Generator, picture: Picture, corner: tuple[int, int], size: tuple[int, int]) -> None:
    """Draw a window with curtains, `corner` the upper left one, of `size` (width, height)."""
    (x, y), (w, h) = corner, size
    rectangle(picture, (x - 6, y - 6, x + w + 6, y + h + 6), colour("f4f1ea"))
    view = picture[y : y + h, max(x, 0) : x + w]
    gradient(view, 0, len(view), colour("9cc7e6"), colour("e6eef0"))
    polygon(view, [(0, h), (0, 0.75 * h), (0.4 * w, 0.6 * h), (w, 0.8 * h), (w, h)], colour("86a86b"))
    rectangle(picture, (x + w // 2 - 2, y, x + w // 2 + 3, y + h), colour("f4f1ea"))
    rectangle(picture, (x, y + h // 2 - 2, x + w, y + h // 2 + 3), colour("f4f1ea"))
    cloth = vary(rng, colour(("c96f5a", "7d93a8", "d8b36a", "e6e0d4")[int(rng.integers(4))]), 8)
    for side in (x - 16, x + w - w // 7 + 8):
        for i in range(4):
            fold = w // 28 + 2
            rectangle(
                picture,
                (side + i * fold, y - 12, side + (i + 1) * fold, y + h + 30),
                cloth * (1.0 - 0.09 * (i % 2)),
            )


def draw_sofa(rng: np.random.Generator, picture: Picture, x: int, y: int, w: int) -> None:
    """Draw a sofa `w` pixels wide with its left end at x, its feet at row y."""
    cloth = vary(rng, colour(("4f6d7a", "a85751", "6f7d5c", "8a7f8d", "c99f5e")[int(rng.integers(5))]), 8)
    h = int(0.36 * w)
    rectangle(picture, (x, y - h, x + w, y), cloth * 0.86)
    for i in range(2):
        left = x + int((0.1 + 0.4 * i) * w)
        rectangle(picture, (left + 2, y - int(0.92 * h), left + int(0.4 * w) - 2, y - int(0.45 * h)), cloth * 0.98)
        rectangle(picture, (left + 1, y - int(0.46 * h), left + int(0.4 * w) - 1, y - int(0.2 * h)), cloth * 1.12)
    for left in (x, x + int(0.9 * w)):
        rectangle(picture, (left, y - int(0.7 * h), left + int(0.1 * w), y), cloth)
    rectangle(picture, (x, y - int(0.1 * h), x + w, y), cloth * 0.6)


def draw_shelf(rng: np.random.Generator, picture: Picture, corner: tuple[int, int], size: tuple[int, int]) -> None:
    """Draw a bookcase from `corner`, its left end on the ground, of `size` (width, height)."""
    (x, y), (w, h) = corner, size
    wood = vary(rng, colour("8a6a48"), 10)
    rectangle(picture, (x, y - h, x + w, y), wood * 0.6)
    for row in range(4):
        base = y - int(row * h / 4) - 4
        left = x + 5
        while left < x + w - 10:
            thick, tall = int(rng.integers(4, 10)), int(rng.uniform(0.12, 0.2) * h)
            if rng.random() < 0.85:
                rectangle(picture, (left, base - tall, left + thick, base), rng.uniform(40, 220, 3))
            left += thick + 1
        rectangle(picture, (x, base, x + w, base + 4), wood)
    rectangle(picture, (x, y - h, x + 4, y), wood)
    rectangle(picture, (x + w - 4, y - h, x + w, y), wood)
    rectangle(picture, (x, y - h, x + w, y - h + 4), wood)


def draw_rug(rng: np.random.Generator, picture: Picture, floor: int) -> None:
    """Draw a round rug on a floor that begins at row `floor`."""
    height, width = picture.shape[:2]
    cloth = vary(rng, colour(("b55b4c", "56788f", "c7b28a", "7f8a6c")[int(rng.integers(4))]), 8)
    centre = (int(rng.uniform(0.3, 0.7) * width), floor + int(0.55 * (height - floor)))
    for share, shade in ((1.0, 1.0), (0.86, 1.2), (0.8, 0.92)):
        ellipse(picture, centre, (int(0.36 * width * share), int(0.15 * height * share)), cloth * shade)


def draw_plant(rng: np.random.Generator, picture: Picture, x: int, y: int, size: float) -> None:
    """Draw a pot plant with its foot at x, y, `size` pixels high."""
    leaf = vary(rng, colour(("4f8a4c", "3f7a5a", "76994a")[int(rng.integers(3))]), 8)
    base = y - 0.34 * size
    for angle, length, shade in rng.random((26, 3)):
        a = np.radians(200 + 140 * angle)
        tip = np.array([np.cos(a), np.sin(a)]) * size * (0.35 + 0.32 * length)
        side = np.array([-tip[1], tip[0]]) * 0.14
        root = np.array([float(x), base])
        leaf_outline = np.array([root, root + 0.5 * tip + side, root + tip, root + 0.5 * tip - side])
        polygon(picture, leaf_outline, leaf * (0.75 + 0.4 * shade))
    pot = vary(rng, colour(("b9694a", "d8d2c6", "5d6a78")[int(rng.integers(3))]), 6)
    top, foot = 0.2 * size, 0.14 * size
    polygon(picture, [(x - top, base), (x + top, base), (x + foot, y), (x - foot, y)], pot)
    polygon(picture, [(x + 0.4 * top, base), (x + top, base), (x + foot, y), (x + 0.4 * foot, y)], pot * 0.82)


def _crate(rng: np.random.Generator, picture: Picture, x: int, y: int, size: int) -> None:
    wood = vary(rng, colour("c39a5f"), 10)
    half, h, lid = size // 2 + 2, int(0.8 * size), size // 6
    left, right, top = x - half, x + half, y - h
    lid_corners = [(left, top), (left + lid, top - lid), (right + lid, top - lid), (right, top)]
    polygon(picture, lid_corners, wood * 1.14)
    polygon(picture, [(right, top), (right + lid, top - lid), (right + lid, y - lid), (right, y)], wood * 0.68)
    rectangle(picture, (x - half, y - h, x + half, y), wood)
    for i in range(1, 5):
        row = y - i * h // 5
        rectangle(picture, (left, row - 1, right, row + 1), wood * 0.7)
    for post in (left, right - max(size // 9, 2)):
        rectangle(picture, (post, top, post + max(size // 9, 2), y), wood * 0.88)


def draw_sail(rng: np.random.Generator, picture: Picture, x: int, y: int, size: float) -> None:
    """Draw a sailing boat on the water at x, y, `size` pixels high."""
    cloth = colour(("ffffff", "f3d9b0", "d9645a")[int(rng.integers(3))])
    polygon(picture, [(x, y - size), (x, y - 0.15 * size), (x + 0.5 * size, y - 0.15 * size)], cloth)
    mast, deck = x - 0.06 * size, y - 0.15 * size
    polygon(picture, [(mast, y - 0.85 * size), (mast, deck), (x - 0.4 * size, deck)], cloth * 0.92)
    hull = [
        (x - 0.45 * size, y - 0.1 * size),
        (x + 0.5 * size, y - 0.1 * size),
        (x + 0.3 * size, y),
        (x - 0.3 * size, y),
    ]
    polygon(picture, hull, colour("5a4334"))


def draw_parasol(rng: np.random.Generator, picture: Picture, x: int, y: int, size: float) -> None:
    """Draw a parasol with its foot at x, y, `size` pixels high."""
    cloth = colour(("d9544a", "3f86b5", "f0b53e", "5fa779")[int(rng.integers(4))])
    ellipse(picture, (x + int(0.2 * size), y), (int(0.42 * size), int(0.06 * size)), colour("c0a676"))
    line(picture, (x, y), (x, int(y - size)), colour("efe6d6"), 3)
    edge = np.linspace(-1, 1, 9)
    for i in range(8):
        a, b = edge[i] * 0.5 * size, edge[i + 1] * 0.5 * size
        rgb = cloth if i % 2 else colour("f7f3ea")
        polygon(picture, [(x, y - size), (x + a, y - 0.62 * size - 0.05 * size * (1 - edge[i] ** 2)),
                           (x + b, y - 0.62 * size - 0.05 * size * (1 - edge[i + 1] ** 2))], rgb)  # fmt: skip
