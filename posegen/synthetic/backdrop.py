"""What is behind the people: five kinds of place, drawn in perspective below a horizon."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from posegen.synthetic.paint import (
    Picture,
    colour,
    ellipse,
    gradient,
    ink,
    line,
    mix,
    polygon,
    rectangle,
    vary,
)
from posegen.synthetic.props import (
    draw_bench,
    draw_car,
    draw_house,
    draw_parasol,
    draw_plant,
    draw_rug,
    draw_sail,
    draw_shelf,
    draw_sofa,
    draw_tree,
    draw_window,
)
from posegen.synthetic.raster import Colour

Painter = Callable[[np.random.Generator, Picture, int], None]


def paint_backdrop(rng: np.random.Generator, kind: str, size: tuple[int, int], horizon: int) -> NDArray[np.float32]:
    """Paint a place.

    Parameters
    ----------
    rng
        Where the variation comes from.
    kind
        One of `BACKDROPS`.
    size
        (height, width) in pixels.
    horizon
        Its row in pixels.

    Returns
    -------
    (height, width, 3) float32 blue, green, red in 0..255, slightly out of focus.
    """
    picture: Picture = np.zeros((*size, 3), np.uint8)
    BACKDROPS[kind].paint(rng, picture, horizon)
    return cv2.GaussianBlur(picture, (0, 0), 0.9).astype(np.float32)


def _park(rng: np.random.Generator, picture: Picture, horizon: int) -> None:
    height, width = picture.shape[:2]
    _sky(rng, picture, horizon)
    grass = vary(rng, colour(("7fae54", "8fb35a", "6fa35a", "a9ad5c")[int(rng.integers(4))]), 10)
    for share, depth in ((0.3, 0.55), (0.15, 0.3)):
        _hills(rng, picture, horizon, share * horizon, mix(grass * 0.7, colour("b9cfdd"), depth))
    gradient(picture, horizon, height, mix(grass, colour("dfe6b0"), 0.35), grass * 0.78)
    _path(rng, picture, horizon, vary(rng, colour("d8c7a0"), 8))
    for x in rng.uniform(0, width, int(rng.integers(3, 8))):
        draw_tree(
            rng,
            picture,
            int(x),
            horizon + int(rng.uniform(0.01, 0.09) * height),
            rng.uniform(0.2, 0.5) * height,
        )
    if rng.random() < 0.6:
        x, y = int(rng.uniform(0.1, 0.7) * width), horizon + int(0.2 * height)
        draw_bench(picture, x, y, int(0.24 * width), colour("8a5f3c"))
    _tufts(rng, picture, horizon + 12, grass)


def _street(rng: np.random.Generator, picture: Picture, horizon: int) -> None:
    height, width = picture.shape[:2]
    _sky(rng, picture, horizon)
    kerb = horizon + int(0.1 * height)
    x = -int(rng.integers(0, 60))
    while x < width:
        w = int(rng.uniform(0.16, 0.36) * width)
        draw_house(rng, picture, (x, kerb), (w, int(rng.uniform(0.75, 1.25) * horizon)))
        x += w
    pavement = vary(rng, colour("c4bcb0"), 8)
    road = kerb + int(rng.uniform(0.16, 0.3) * height)
    gradient(picture, kerb, road, pavement * 1.03, pavement * 0.92)
    for x in range(-width, 2 * width, max(width // 9, 1)):
        line(picture, (width // 2 + (x - width // 2) // 2, kerb), (x, road), pavement * 0.84)
    gradient(picture, road, height, colour("6d6f75"), colour("55575d"))
    rectangle(picture, (0, road - 4, width, road + 3), pavement * 1.1)
    dash = road + int(0.45 * (height - road))
    for x in range(int(rng.integers(-60, 0)), width, width // 4):
        end = x + width // 8
        polygon(picture, [(x, dash), (end, dash), (end - 8, dash + 7), (x - 9, dash + 7)], colour("e8e4d8"))
    for x in rng.uniform(0, width, int(rng.integers(1, 3))):
        draw_tree(rng, picture, int(x), kerb + 6, rng.uniform(0.28, 0.42) * height)
    if rng.random() < 0.65:
        draw_car(rng, picture, int(rng.uniform(0, 0.7) * width), kerb + int(0.07 * height), int(0.3 * width))
    x = int(rng.uniform(0.1, 0.9) * width)
    line(picture, (x, kerb + 8), (x, int(0.3 * horizon)), colour("3c4148"), 4)
    ellipse(picture, (x, int(0.3 * horizon)), (9, 9), colour("fff0c0"))


def _room(rng: np.random.Generator, picture: Picture, horizon: int) -> None:
    height, width = picture.shape[:2]
    floor = horizon + int(0.16 * height)
    wall = vary(rng, colour(("d9cbb4", "b8c9c4", "d6b8a4", "c3c4d4", "e2d8c6", "a9b7a0")[int(rng.integers(6))]), 8)
    gradient(picture, 0, floor, wall * 1.03, wall * 0.92)
    if rng.random() < 0.5:
        step = int(rng.integers(18, 46))
        for x in range(int(rng.integers(0, step)), width, step):
            rectangle(picture, (x, 0, x + step // 2, floor), wall * 0.955)
    wood = vary(rng, colour(("b98a5a", "8f6a48", "c9a87c", "a39484")[int(rng.integers(4))]), 8)
    gradient(picture, floor, height, wood * 0.95, wood * 1.08)
    for x in range(-4 * width, 5 * width, width // 6):
        line(picture, (width // 2 + (x - width // 2) // 5, floor), (x, height + 200), wood * 0.78)
    rectangle(picture, (0, floor - 9, width, floor), mix(wall, colour("ffffff"), 0.6))
    draw_rug(rng, picture, floor)
    draw_window(
        rng,
        picture,
        (int(rng.uniform(0.02, 0.6) * width), int(0.06 * height)),
        (int(0.28 * width), int(0.36 * height)),
    )
    for _ in range(int(rng.integers(1, 4))):
        x, y = int(rng.uniform(0, 0.85) * width), int(rng.uniform(0.04, 0.22) * height)
        w, h = (int(v) for v in rng.uniform(0.07, 0.16, 2) * height)
        rectangle(picture, (x, y, x + w, y + h), colour(("3d342c", "f2efe8", "9c7a4c")[int(rng.integers(3))]))
        rectangle(picture, (x + 4, y + 4, x + w - 4, y + h - 4), rng.uniform(90, 230, 3))
        ellipse(picture, (x + w // 2, y + h // 2), (max(w // 5, 1), max(h // 5, 1)), rng.uniform(60, 240, 3))
    if rng.random() < 0.75:
        draw_sofa(rng, picture, int(rng.uniform(-0.1, 0.6) * width), floor + int(0.05 * height), int(0.45 * width))
    if rng.random() < 0.7:
        draw_shelf(rng, picture, (int(rng.uniform(0, 0.8) * width), floor), (int(0.17 * width), int(0.48 * height)))
    if rng.random() < 0.8:
        draw_plant(rng, picture, int(rng.uniform(0.05, 0.95) * width), floor + int(0.07 * height), 0.3 * height)


def _beach(rng: np.random.Generator, picture: Picture, horizon: int) -> None:
    height, width = picture.shape[:2]
    _sky(rng, picture, horizon)
    shore = horizon + int(rng.uniform(0.08, 0.14) * height)
    gradient(picture, horizon, shore, colour("3f86a8"), colour("8fcac9"))
    for _ in range(60):
        x, y = int(rng.uniform(0, width)), int(rng.uniform(horizon, shore))
        line(picture, (x, y), (x + int(rng.integers(5, 40)), y), colour("c9e6e6"))
    for x in rng.uniform(0, width, int(rng.integers(0, 3))):
        draw_sail(rng, picture, int(x), horizon + 4, rng.uniform(0.05, 0.1) * height)
    sand = vary(rng, colour("e3cb9b"), 8)
    gradient(picture, shore, height, sand * 0.97, sand * 1.04)
    xs = np.linspace(0, width, 30)
    wave = shore + 4 * np.sin(xs / width * rng.uniform(9, 20) + rng.uniform(0, 6))
    foam = np.concatenate([np.stack([xs, wave - 5], 1), np.stack([xs, wave + 3], 1)[::-1]])
    polygon(picture, foam, colour("f6f8f4"))
    for _ in range(int(rng.integers(1, 4))):
        draw_parasol(
            rng,
            picture,
            int(rng.uniform(0, width)),
            shore + int(rng.uniform(0.05, 0.16) * height),
            0.26 * height,
        )
    _tufts(rng, picture, shore + 14, sand * 0.93)


def _court(rng: np.random.Generator, picture: Picture, horizon: int) -> None:
    height, width = picture.shape[:2]
    floor = horizon + int(0.12 * height)
    wall = vary(rng, colour(("c9ccd0", "a8b9c9", "d5c9b5")[int(rng.integers(3))]), 8)
    trim = colour(("3b6ea5", "b5473c", "4c8b5a", "d3943a")[int(rng.integers(4))])
    gradient(picture, 0, floor, wall * 1.02, wall * 0.9)
    for x in range(0, width, max(width // 14, 8)):
        line(picture, (x, 0), (x, floor), wall * 0.88)
    band = int(rng.uniform(0.45, 0.7) * floor)
    rectangle(picture, (0, band, width, band + int(0.07 * height)), trim)
    for row in range(3):
        y = floor - int((0.03 + 0.035 * row) * height)
        rectangle(picture, (0, y, width, y + int(0.02 * height)), mix(trim, colour("e8e8e8"), 0.25 + 0.2 * row))
    ground = vary(rng, colour(("d29b5f", "c07a52", "5f93a8", "6d9a6a")[int(rng.integers(4))]), 8)
    gradient(picture, floor, height, ground * 0.94, ground * 1.07)
    white = colour("f4f1e6")
    spread = rng.uniform(0.8, 1.6)
    for side in (-1, 1):
        near, far = int(width / 2 + side * width * spread / 2), int(width / 2 + side * width * 0.34)
        line(picture, (far, floor + 8), (near, height), white, 4)
    line(picture, (0, floor + 8), (width, floor + 8), white, 3)
    centre = (int(rng.uniform(0.3, 0.7) * width), floor + int(0.5 * (height - floor)))
    cv2.ellipse(picture, centre, (width // 4, height // 13), 0, 0, 360, ink(white), 4, cv2.LINE_AA)
    x, y = int(rng.uniform(0.15, 0.85) * width), int(0.1 * height)
    w, h = int(0.17 * width), int(0.14 * height)
    rectangle(picture, (x - w // 2, y, x + w // 2, y + h), colour("f5f5f2"))
    cv2.rectangle(picture, (x - w // 6, y + h // 3), (x + w // 6, y + h - 5), ink(trim), 3, cv2.LINE_AA)
    cv2.ellipse(picture, (x, y + h), (w // 6, 5), 0, 0, 360, ink(colour("e0602c")), 3, cv2.LINE_AA)
    for _ in range(int(rng.integers(1, 4))):
        r = int(rng.uniform(0.016, 0.03) * height)
        at = (int(rng.uniform(0, width)), int(rng.uniform(floor + 2 * r, height)))
        ellipse(picture, (at[0] + r // 2, at[1] + r), (r, r // 3), ground * 0.7)
        ellipse(picture, at, (r, r), colour(("dd7a33", "f0f0ea", "d8d34a")[int(rng.integers(3))]))


@dataclass(frozen=True, kw_only=True, slots=True)
class Backdrop:
    """How to paint a place, and how far below the horizon its ground begins, in picture heights."""

    paint: Painter
    floor: float


BACKDROPS = {
    "park": Backdrop(paint=_park, floor=0.02),
    "street": Backdrop(paint=_street, floor=0.11),
    "room": Backdrop(paint=_room, floor=0.19),
    "beach": Backdrop(paint=_beach, floor=0.06),
    "court": Backdrop(paint=_court, floor=0.14),
}
"""The kinds of place by name."""


def _sky(rng: np.random.Generator, picture: Picture, horizon: int) -> None:
    width = picture.shape[1]
    high, low = (
        ("5b9bd5", "d7e9f4"), ("7fb2d9", "f3ead8"), ("8d9fc4", "f5cfae"), ("9fb0bd", "dde2e4"),
        ("4f8cc4", "bfe0ee"),
    )[int(rng.integers(5))]  # fmt: skip
    gradient(picture, 0, horizon, colour(high), colour(low))
    white = mix(colour(low), colour("ffffff"), 0.75)
    for _ in range(int(rng.integers(1, 5))):
        x, y, s = rng.uniform(0, width), rng.uniform(0.1, 0.7) * horizon, rng.uniform(0.03, 0.07) * width
        for dx, r in zip(np.linspace(-2, 2, 6), rng.uniform(0.5, 1.1, 6), strict=True):
            ellipse(
                picture,
                (int(x + dx * s), int(y - 0.3 * r * s)),
                (int(r * s) + 1, int(0.6 * r * s) + 1),
                white,
            )


def _hills(rng: np.random.Generator, picture: Picture, horizon: int, rise: float, rgb: Colour) -> None:
    xs = np.linspace(0, picture.shape[1], 60)
    phase = rng.uniform(0, 6, 3)
    shape = sum(np.sin(xs / picture.shape[1] * f + p) / f for f, p in zip((4.0, 9.0, 21.0), phase, strict=True))
    top = horizon - rise * (0.6 + 1.4 * np.asarray(shape))
    polygon(picture, np.concatenate([np.stack([xs, top], 1), [[xs[-1], horizon + 2], [0, horizon + 2]]]), rgb)


def _path(rng: np.random.Generator, picture: Picture, horizon: int, rgb: Colour) -> None:
    height, width = picture.shape[:2]
    t = np.linspace(0, 1, 24)
    y = horizon + t**1.6 * (height - horizon)
    x = rng.uniform(0.3, 0.7) * width + rng.uniform(-0.3, 0.3) * width * np.sin(t * 3.2) * t
    half = (0.006 + 0.2 * t**1.6) * width
    polygon(picture, np.concatenate([np.stack([x - half, y], 1), np.stack([x + half, y], 1)[::-1]]), rgb)


def _tufts(rng: np.random.Generator, picture: Picture, top: int, base: Colour) -> None:
    height, width = picture.shape[:2]
    for x, y, shade in rng.random((90, 3)):
        row = int(top + y**1.5 * (height - top))
        size = 1 + int(3 * (row - top) / height)
        at = int(x * width)
        line(picture, (at, row), (at + size - 1, row - 2 * size), base * (0.75 + 0.35 * shade))
