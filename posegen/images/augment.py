"""Random views of an image: how it is scaled, turned, moved and mirrored, drawn from the seed and its ids alone."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posegen.errors import ConfigError, nearest
from posegen.geometry import Affine, Size

_RANGE = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(?:-(\d+(?:\.\d*)?|\.\d+))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Augmentation:
    """From which ranges views are drawn, all of them evenly.

    Parameters
    ----------
    scale
        Least and largest factor, of a picture that fits the input.
    rotate
        Degrees, at the most, in either direction.
    shift
        Input pixels, at the most, along either axis in either direction.
    flip
        Probability of a mirrored view.

    Raises
    ------
    ConfigError
        If a range is none.
    """

    scale: tuple[float, float] = (1.0, 1.0)
    rotate: float = 0.0
    shift: float = 0.0
    flip: float = 0.0

    def __post_init__(self) -> None:
        for name, low, high in (("rotate", 0, 180), ("shift", 0, 16384), ("flip", 0, 1)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
                raise ConfigError(f"augment: {name} must be a number from {low} to {high}, not {value!r}")
            object.__setattr__(self, name, float(value))
        scale = self.scale
        if not isinstance(scale, tuple) or len(scale) != 2 or not 0.01 <= scale[0] <= scale[1] <= 100:
            raise ConfigError(f"augment: scale must be a range within 0.01-100, as in 0.5-1.1, not {scale!r}")
        object.__setattr__(self, "scale", (float(scale[0]), float(scale[1])))

    @classmethod
    def parse(cls, text: str) -> Augmentation:
        """Read `scale=0.5-1.1,rotate=40,shift=40,flip=0.5` or a part of it; raises `ConfigError` if it is not that."""
        found: dict[str, Any] = {}
        known = ("scale", "rotate", "shift", "flip")
        for word in text.split(","):
            name, _, value = word.strip().partition("=")
            match = _RANGE.fullmatch(value)
            if name not in known or name in found or match is None or (match[2] and name != "scale"):
                hint = nearest(name, known) if name not in known else ""
                raise ConfigError(f"augment is written scale=0.5-1.1,rotate=40,shift=40,flip=0.5, not '{word}'{hint}")
            low = float(match[1])
            found[name] = (low, float(match[2] or low)) if name == "scale" else low
        return cls(**found)

    def draw(self, seed: int, ids: Sequence[int | str]) -> View:
        """Draw the view of a seed and of ids: the source's name, the image's, the person's, and the copy's."""
        random = np.random.default_rng([_number(one) for one in (seed, *ids)])
        scale, angle, x, y, flip = random.random(5).tolist()
        low, high = self.scale
        return View(
            scale=low + scale * (high - low),
            rotation=(2 * angle - 1) * self.rotate,
            shift=((2 * x - 1) * self.shift, (2 * y - 1) * self.shift),
            flip=flip < self.flip,
        )


def _number(one: int | str) -> int:
    """Make a word of 64 bits of an id, which may be negative, or of a name."""
    if isinstance(one, str):
        return int.from_bytes(hashlib.sha256(one.encode()).digest()[:8], "big")
    return one % (1 << 64)


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """How a picture that fits the input is changed.

    Attributes
    ----------
    scale
        The factor.
    rotation
        Degrees, from the x axis towards the y axis: clockwise on a screen.
    shift
        (x, y) in input pixels.
    flip
        Whether it is mirrored, before all else.
    """

    scale: float = 1.0
    rotation: float = 0.0
    shift: tuple[float, float] = (0.0, 0.0)
    flip: bool = False

    def affine(self, input_size: Size) -> Affine:
        """Return the map of input pixels: mirrored, scaled and turned about the input's middle, then moved."""
        cy, cx = ((pixels - 1) / 2 for pixels in input_size)
        cos, sin = (self.scale * part(math.radians(self.rotation)) for part in (math.cos, math.sin))
        side = -1.0 if self.flip else 1.0
        xx, xy, yx, yy = side * cos, -sin, side * sin, cos
        return Affine(xx, xy, cx + self.shift[0] - xx * cx - xy * cy, yx, yy, cy + self.shift[1] - yx * cx - yy * cy)

    @property
    def values(self) -> NDArray[np.float64]:
        """What is stored: (5,) scale, rotation, shift along x and y, 1 if mirrored."""
        return np.array([self.scale, self.rotation, *self.shift, self.flip], np.float64)
