"""Pictures as most store them: one JPEG of the whole input."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from posegen.images import codec

QUALITY = 95
"""Of their JPEGs: that of posegen's own."""


def encode(image: NDArray[np.uint8]) -> bytes:
    """Encode (H, W, 3) R, G, B as a JPEG."""
    return codec.encode(np.ascontiguousarray(image[..., ::-1]), "jpeg", QUALITY)


def decode(data: bytes, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Decode a JPEG, by the fastest way that posegen has itself."""
    return codec.decode_input(data, size, "picture")


def list_labels(sample: dict[str, Any]) -> list[str]:
    """List what a sample has besides its picture."""
    return [name for name in sample if name != "image"]
