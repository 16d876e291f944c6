"""Pictures that tests draw, and files made of them."""

from __future__ import annotations

import struct

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]


def draw_picture(height: int, width: int, seed: int = 0) -> Picture:
    """Smooth noise, every channel on its own."""
    coarse = np.random.default_rng(seed).integers(0, 256, (7, 9, 3), np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def pack(picture: NDArray[np.uint8] | NDArray[np.uint16], suffix: str, *parameters: int) -> bytes:
    written, data = cv2.imencode(suffix, picture, list(parameters))
    assert written
    return data.tobytes()


def orient(jpeg: bytes, orientation: int) -> bytes:
    """Put an EXIF segment that states an orientation behind the start of a JPEG."""
    tag = struct.pack(">HHIHH", 0x0112, 3, 1, orientation, 0)
    tiff = b"MM\0*" + struct.pack(">I", 8) + struct.pack(">H", 1) + tag + struct.pack(">I", 0)
    body = b"Exif\0\0" + tiff
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + jpeg[2:]


def find_blob(size: tuple[int, int], at: tuple[float, float], sigma: float) -> NDArray[np.float64]:
    """Draw a Gaussian of height 1, (height, width)."""
    rows, columns = np.ogrid[: size[0], : size[1]]
    return np.exp(-((columns - at[0]) ** 2 + (rows - at[1]) ** 2) / (2 * sigma**2))


def find_centre(values: NDArray[np.float64]) -> tuple[float, float]:
    """Measure the centre of mass x, y."""
    rows, columns = np.indices(values.shape)
    return float((columns * values).sum() / values.sum()), float((rows * values).sum() / values.sum())
