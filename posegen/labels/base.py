"""What every label is: a frozen description that renders one scene into one array."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from posegen.geometry import Affine, Size


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """A set of pixels of the original image, cut to the box that holds it.

    Attributes
    ----------
    pixels
        (rows, columns) uint8, 0 or 1.
    y, x
        Row and column of its first pixel in the image.
    """

    pixels: NDArray[np.uint8]
    y: int
    x: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scene:
    """What the labels of one sample are drawn from.

    Attributes
    ----------
    points
        (N, K, 2) float64, (x, y) in input pixels.
    drawn
        (N, K) bool, which of them are drawn.
    image_size
        (height, width) of the original image.
    affine
        The map from its pixels to input pixels.
    ignored
        Where in the original image the loss must not count; None if nowhere.
    """

    points: NDArray[np.float64]
    drawn: NDArray[np.bool_]
    image_size: Size
    affine: Affine
    ignored: Region | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ArraySpec:
    """What array a label makes.

    Attributes
    ----------
    name
        Of the label and of its dataset in a shard.
    channels
        The names of its C channels.
    cells
        (h, w) of its grid.
    signed
        Whether values reach from -1 to 1 rather than from 0 to 1.
    """

    name: str
    channels: tuple[str, ...]
    cells: Size
    signed: bool = False

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, h, w)."""
        return len(self.channels), *self.cells


class Label(Protocol):
    """One kind of training target. Implementations are frozen and picklable, and `render` is a pure function."""

    @property
    def spec(self) -> ArraySpec:
        """The array that `render` makes."""
        ...

    def render(self, scene: Scene) -> NDArray[np.float32]:
        """Draw the label of a scene: (C, h, w) float32."""
        ...
