"""What is behind the people: a park, a beach or a room, and the shapes that everything is drawn with.

Pictures are (H, W, 3) uint8, blue, green, red, drawn into in place; x and y are pixels with centres at integers.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
Floats = NDArray[np.float64]

FLOORS = {"park": 0.02, "beach": 0.06, "room": 0.19}
"""The kinds of place, and how far below the horizon the ground of each begins, in picture heights."""

_FRACTION_BITS = 4


def paint_backdrop(rng: np.random.Generator, kind: str, size: tuple[int, int], horizon: int) -> Picture:
    """Paint one of `FLOORS` in a picture of `size` (height, width) with its horizon at that row, out of focus."""
    picture, low = np.zeros((*size, 3), np.uint8), pick(rng, "d7e9f4 f3ead8 f5cfae dde2e4")
    _gradient(picture, 0, horizon, pick(rng, "5b9bd5 7fb2d9 8d9fc4 4f8cc4"), low)
    for x, y, cloud in rng.uniform((0, 0.1, 15), (size[1], 0.7, 42), (int(rng.integers(1, 5)), 3)):
        for dx, r in cloud * rng.uniform((-2, 0.5), (2, 1.1), (6, 2)):
            disc(picture, (x + dx, y * horizon - 0.3 * r, r, 0.6 * r), 0.3 * low + 178)
    {"park": _park, "beach": _beach, "room": _room}[kind](rng, picture, horizon)
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), 0.9), np.uint8)


def pick(rng: np.random.Generator, codes: str) -> Floats:
    """Draw one of some colours, "rrggbb rrggbb ...", as (3,) blue, green, red from 0 to 255, and shake it a little."""
    code = str(rng.choice(codes.split()))
    return np.clip([int(code[i : i + 2], 16) for i in (4, 2, 0)] + rng.normal(0, 6, 3), 0, 255)


def polygon(image: NDArray[Any], points: Any, value: Floats, line: int = cv2.LINE_AA) -> None:
    """Fill a polygon with (n, 2) corners x, y, anti-aliased unless another `line` is asked for."""
    fixed = np.round(np.asarray(points) * (1 << _FRACTION_BITS)).astype(np.int32)
    cv2.fillPoly(image, [fixed], value.tolist(), line, _FRACTION_BITS)


def box(image: NDArray[Any], at: tuple[float, float, float, float], value: Floats) -> None:
    """Fill a rectangle: x and y of the middle of its foot, width and height."""
    x, y, w, h = at
    cv2.rectangle(image, (round(x - w / 2), round(y - h)), (round(x + w / 2), round(y)), value.tolist(), cv2.FILLED)


def disc(picture: Picture, at: tuple[float, float, float, float], rgb: Floats) -> None:
    """Fill an anti-aliased ellipse: x and y of its centre, half axes along x and y."""
    x, y, rx, ry = (round(v) for v in at)
    cv2.ellipse(picture, (x, y), (max(rx, 1), max(ry, 1)), 0, 0, 360, rgb.tolist(), cv2.FILLED, cv2.LINE_AA)


def block(picture: Picture, owner: NDArray[Any], at: tuple[float, float, float, float], rgb: Floats) -> None:
    """Paint a box with a lid, `at` as in `box`; the owner mask says -1 there."""
    x, y, w, h = at
    for up, wide, high, shade in ((0.0, 1.0, 1.0, 0.8), (0.1, 0.8, 0.6, 0.9), (0.86, 1.1, 0.14, 1.0)):
        box(picture, (x, y - up * h, wide * w, high * h), shade * rgb)
        box(owner, (x, y - up * h, wide * w, high * h), np.array([-1.0]))


def _gradient(picture: Picture, top: int, bottom: int, first: Floats, last: Floats) -> None:
    picture[top:bottom] = np.clip(np.linspace(first, last, bottom - top), 0, 255)[:, None]


def _park(rng: np.random.Generator, picture: Picture, horizon: int) -> None:
    height, width = picture.shape[:2]
    grass, x = pick(rng, "7fae54 8fb35a 6fa35a a9ad5c"), np.linspace(0, width, 40)
    for haze in (0.6, 0.3):
        top = horizon * (1 - haze * (0.25 + 0.2 * np.sin(x / width * rng.uniform(4, 9) + rng.uniform(0, 6))))
        polygon(picture, np.stack([[0, *x, width], [horizon, *top, horizon]], 1), 0.7 * (1 - haze) * grass + 210 * haze)
    _gradient(picture, horizon, height, 0.65 * grass + 70, 0.78 * grass)
    far, near = rng.uniform(0.3, 0.7) * width, rng.uniform(0.1, 0.9) * width
    path = [(far - 3, horizon), (far + 3, horizon), (near + 0.2 * width, height), (near - 0.2 * width, height)]
    polygon(picture, path, pick(rng, "d8c7a0"))
    for x, size in rng.uniform((0, 0.2 * height), (width, 0.48 * height), (int(rng.integers(3, 8)), 2)):
        box(picture, (x, horizon + 0.14 * size, 0.09 * size, 0.5 * size), pick(rng, "6b4d36"))
        leaves = pick(rng, "4d7f43 5f9150 7d9a4b c28b45 3f6f50")
        for light in (0.8, 1.0, 1.16):
            for dx, dy, r in size * rng.uniform((-0.2, 0.16, 0.11), (0.2, 0.46, 0.19), (5, 3)):
                radius = r / light**1.5
                disc(picture, (x + dx, horizon - dy - 0.34 * light * size, radius, radius), leaves * light)


def _beach(rng: np.random.Generator, picture: Picture, horizon: int) -> None:
    height, width = picture.shape[:2]
    shore, size = horizon + int(0.1 * height), 0.28 * height
    _gradient(picture, horizon, shore, pick(rng, "3f86a8"), pick(rng, "8fcac9"))
    _gradient(picture, shore, height, pick(rng, "dcc293"), pick(rng, "ecd6a6"))
    box(picture, (width / 2, shore + 2, width, 4), pick(rng, "f6f8f4"))
    for x, y in rng.uniform((0, shore + 0.2 * size), (width, shore + 0.6 * size), (int(rng.integers(1, 4)), 2)):
        disc(picture, (x + 0.2 * size, y, 0.42 * size, 0.06 * size), pick(rng, "c0a676"))
        box(picture, (x, y, 3, size), pick(rng, "efe6d6"))
        cloth = pick(rng, "d9544a 3f86b5 f0b53e 5fa779"), pick(rng, "f7f3ea")
        for i in range(8):
            rim = [(x + e * size, y - (0.67 - 0.2 * e * e) * size) for e in (i / 8 - 0.5, i / 8 - 0.375)]
            polygon(picture, [(x, y - size), *rim], cloth[i % 2])


def _room(rng: np.random.Generator, picture: Picture, horizon: int) -> None:
    height, width = picture.shape[:2]
    floor, middle, w, h = horizon + int(0.16 * height), width / 2, 0.07 * width, 0.01 * height
    wall, wood = pick(rng, "d9cbb4 b8c9c4 d6b8a4 c3c4d4 e2d8c6 a9b7a0"), pick(rng, "b98a5a 8f6a48 c9a87c a39484")
    _gradient(picture, 0, floor, wall * 1.03, wall * 0.92)
    for stripe in range(0, width, int(rng.integers(24, 60))):
        box(picture, (stripe, floor, 12, floor), wall * 0.95)
    _gradient(picture, floor, height, wood * 0.95, wood * 1.08)
    for x in np.arange(-4.0 * width, 5 * width, width / 6):
        polygon(picture, [(0.8 * middle + 0.2 * x, floor), (x, 140 * h), (x + 8, 140 * h)], wood * 0.8)
    box(picture, (middle, floor, width, 9), 0.4 * wall + 150)
    rug, x = pick(rng, "b55b4c 56788f c7b28a 7f8a6c"), rng.uniform(4, 10) * w
    for share, shade in ((1.0, 1.0), (0.86, 1.2), (0.8, 0.92)):
        disc(picture, (x, (floor + height) / 2, 5 * w * share, 15 * h * share), rug * shade)
    x = rng.uniform(2, 12) * w
    box(picture, (x, 42 * h, 4 * w, 36 * h), pick(rng, "f4f1ea"))
    for dx, y in ((-w, 41 * h), (w, 41 * h), (-w, 23 * h), (w, 23 * h)):
        box(picture, (x + dx, y, 1.7 * w, 15 * h), pick(rng, "9cc7e6"))
    x, sofa = rng.uniform(2, 12) * w, pick(rng, "4f6d7a a85751 6f7d5c 8a7f8d c99f5e")
    for dx, y, wide, high, shade in ((0, 5, 6, 16, 0.8), (-1, -1, 2, 8, 1), (1, -1, 2, 8, 1), (0, 5, 5, 6, 1.1)):
        box(picture, (x + dx * w, floor + y * h, wide * w, high * h), sofa * shade)
