"""Text in pictures: in OpenCV 5's fonts, which know all letters, or in OpenCV 4's strokes, which know ASCII alone."""

from __future__ import annotations

import cv2
import numpy as np

from posegen.inspect.drawing.canvas import INK, PAPER, Colour, Picture, draw_wheel

_BOLDNESS = 450
"""The weight of the font, from 100 to 900."""

_STROKES_PIXELS = 30.0
"""The size at which strokes have their own scale."""


def measure_text(text: str, size: int) -> int:
    """Return how wide a text of a size in pixels is, in pixels."""
    if hasattr(cv2, "FontFace"):
        return int(cv2.getTextSize((0, 0), text, (0, 0), cv2.FontFace("sans"), size, _BOLDNESS)[2])
    return int(cv2.getTextSize(_to_ascii(text), cv2.FONT_HERSHEY_SIMPLEX, size / _STROKES_PIXELS, 1)[0][0])


def write_text(picture: Picture, text: str, place: tuple[int, int], colour: Colour, size: int) -> None:
    """Write a text into a picture, in place, from the left end (x, y) of its base line on."""
    if hasattr(cv2, "FontFace"):
        cv2.putText(picture, text, place, colour, cv2.FontFace("sans"), size, _BOLDNESS)
        return
    scale = size / _STROKES_PIXELS
    cv2.putText(picture, _to_ascii(text), place, cv2.FONT_HERSHEY_SIMPLEX, scale, colour, 1, cv2.LINE_AA)


def shorten(text: str, room: int, size: int) -> str:
    """Cut a text to a width in pixels, and replace what cannot be printed."""
    text = "".join(c if c.isprintable() else "?" for c in text)
    while text and measure_text(text, size) > room:
        text = text[:-2] + "…" if len(text) > 2 else ""
    return text


def frame(picture: Picture, caption: str, *, wheel: bool = False) -> Picture:
    """Put a bar with a caption, and if asked for a wheel of the directions' hues, over a picture."""
    height = max(20, max(picture.shape[:2]) // 22)
    bar = np.full((height, picture.shape[1], 3), INK, np.uint8)
    room, size = picture.shape[1] - height * (1 + wheel), round(0.55 * height)
    write_text(bar, shorten(caption, room, size), (height // 3, round(0.68 * height)), PAPER, size)
    if wheel and room > 0:
        draw_wheel(bar[:, -height:])
    return np.vstack([bar, picture])


def _to_ascii(text: str) -> str:
    return text.replace("…", "..").encode("ascii", "replace").decode()
