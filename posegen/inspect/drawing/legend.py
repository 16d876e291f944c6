"""The strip under a sample's panels: what its signs mean, and what cannot be seen on a picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from posegen.inspect.drawing.canvas import INK, PAPER, SHIFT, Picture, draw_disc, draw_wheel, mix, to_fixed
from posegen.inspect.drawing.text import measure_text, shorten, write_text

RED = (48, 32, 235)

Sign = Callable[[Picture], None]
"""Draws into a square picture, in place."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A sign and what it means."""

    sign: Sign
    meaning: str


def draw_keypoint(picture: Picture, middle: NDArray[np.float64], radius: float, rim: float, *, visible: bool) -> None:
    """Draw a keypoint's disc with a dark rim, in place, around (2,) x, y: filled if it is visible, else hollow."""
    draw_disc(picture, middle, radius + rim, INK)
    draw_disc(picture, middle, radius, PAPER)
    if not visible:
        draw_disc(picture, middle, 0.55 * radius, INK)


def draw_cross(picture: Picture, middle: NDArray[np.float64], reach: float) -> None:
    """Draw a red cross with a light rim, in place, over a point (2,) x, y."""
    for width, colour in ((max(3, round(reach)), PAPER), (max(1, round(reach / 2.5)), RED)):
        for slope in (1, -1):
            arm = np.array([reach, slope * reach])
            start, end = to_fixed(np.stack([middle - arm, middle + arm])).tolist()
            cv2.line(picture, start, end, colour, width, cv2.LINE_AA, SHIFT)


def hatch(picture: Picture, ignored: NDArray[np.floating], period: int, width: int) -> Picture:
    """Hatch a picture in red, the more the less of it counts: (rows, columns) from 0, counts, to 1, ignored."""
    rows, columns = np.ogrid[: ignored.shape[0], : ignored.shape[1]]
    hatched = (rows + columns) % period < width
    return mix(picture, np.array(RED, np.uint8), ignored * np.where(hatched, 0.8, 0.4))


def list_signs(*, crosses: bool, masks: bool, fields: bool) -> list[Entry]:
    """List the signs of people, and those of weights, masks and part affinity fields if there are any."""
    entries = [
        Entry(sign=lambda square: _sign_keypoint(square, visible=True), meaning="visible keypoint"),
        Entry(sign=lambda square: _sign_keypoint(square, visible=False), meaning="occluded keypoint"),
    ]
    if crosses:
        entries.append(Entry(sign=_sign_cross, meaning="keypoint of weight 0 (at the edge: beyond it)"))
    if masks:
        entries.append(Entry(sign=_sign_mask, meaning="the loss does not count"))
    if fields:
        entries.append(Entry(sign=draw_wheel, meaning="direction of a limb's field"))
    return entries


def add_legend(picture: Picture, entries: Sequence[Entry], remarks: Sequence[str]) -> Picture:
    """Put a strip under a picture: signs with their meanings in as many lines as they need, then remarks.

    Parameters
    ----------
    picture
        (rows, columns, 3) B, G, R.
    entries, remarks
        What to tell; a remark is broken at its spaces, a word or a meaning that is wider than the picture is cut.

    Returns
    -------
    (more rows, columns, 3) B, G, R.
    """
    height, size, width = 30, 16, picture.shape[1]
    margin, x = height // 3, height // 3
    lines = [np.full((height, width, 3), INK, np.uint8)]
    for entry in entries:
        needed = height + measure_text(entry.meaning, size) + 2 * margin
        if x > margin and x + needed > width:
            lines.append(np.full((height, width, 3), INK, np.uint8))
            x = margin
        if x + height <= width:
            square = np.ascontiguousarray(lines[-1][:, x : x + height])
            entry.sign(square)
            lines[-1][:, x : x + height] = square
        room = width - x - height - margin
        write_text(lines[-1], shorten(entry.meaning, room, size), (x + height, round(0.68 * height)), PAPER, size)
        x += needed
    for remark in remarks:
        for text in _break(remark, width - 2 * margin, size):
            lines.append(np.full((height, width, 3), INK, np.uint8))
            write_text(lines[-1], shorten(text, width - 2 * margin, size), (margin, round(0.68 * height)), PAPER, size)
    return np.vstack([picture, *lines])


def _break(text: str, room: int, size: int) -> list[str]:
    """Break a text at its spaces into lines of at most so many pixels, where its words allow it."""
    lines: list[str] = []
    for word in text.split():
        if lines and measure_text(f"{lines[-1]} {word}", size) <= room:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def _middle(square: Picture) -> NDArray[np.float64]:
    return np.full(2, (len(square) - 1) / 2)


def _sign_keypoint(square: Picture, *, visible: bool) -> None:
    draw_keypoint(square, _middle(square), 0.25 * len(square), 0, visible=visible)


def _sign_cross(square: Picture) -> None:
    draw_cross(square, _middle(square), 0.2 * len(square))


def _sign_mask(square: Picture) -> None:
    edge = len(square) // 5
    inner = square[edge:-edge, edge:-edge]
    grey = np.full(inner.shape, 150, np.uint8)
    inner[...] = hatch(grey, np.ones(inner.shape[:2]), 8, 3)
