"""What the labels of a sample are drawn from: its people in the input, and the region where the loss must not count."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posegen.geometry import Affine, Size


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """A set of pixels of the original image, as pieces of its columns, which are measured without being painted.

    Attributes
    ----------
    column, top, bottom
        (P,) int64: piece p has the pixels of a column from row `top` to before row `bottom`. Pieces are in order, by
        column and row, and none has a pixel of another.
    """

    column: NDArray[np.int64]
    top: NDArray[np.int64]
    bottom: NDArray[np.int64]

    @classmethod
    def of_pixels(cls, pixels: NDArray[np.bool_]) -> Region:
        """Take those pixels (height, width) of an image that are set."""
        changes = np.diff(pixels.T.astype(np.int8), axis=1, prepend=0, append=0)
        column, top = np.nonzero(changes == 1)
        return cls(column, top, np.nonzero(changes == -1)[1])

    def area(self, ys: NDArray[np.float64], xs: NDArray[np.float64]) -> NDArray[np.float64]:
        """Measure the area in each cell of a grid.

        Parameters
        ----------
        ys, xs
            (h + 1,) and (w + 1,) edges of the cells, evenly spaced, in pixels from the image's upper left corner.

        Returns
        -------
        (h, w) in pixels.
        """
        # How much of a cell lies before an edge is 1, then a fraction, then 0: as differences, two numbers an edge.
        # They are gathered for all edges of all pieces and summed up once.
        rows, row_weights = _differences(self.top, self.bottom, ys)
        columns, column_weights = _differences(self.column, self.column + 1, xs)
        shape = len(ys) + 1, len(xs) + 1
        index = rows[:, None] * shape[1] + columns
        weights = row_weights[:, None] * column_weights
        sums = np.bincount(index.ravel(), weights.ravel(), minlength=shape[0] * shape[1]).reshape(shape)
        shares = sums[::-1, ::-1].cumsum(axis=0).cumsum(axis=1)[::-1, ::-1]
        return shares[1:-1, 1:-1] * ((ys[1] - ys[0]) * (xs[1] - xs[0]))

    def paint(self, size: Size) -> NDArray[np.bool_]:
        """Tell which pixels of an image of `size` (height, width) belong to the set."""
        changes = np.zeros((size[0] + 1, size[1]), np.int8)
        np.add.at(changes, (self.top, self.column), 1)
        np.add.at(changes, (self.bottom, self.column), -1)
        for row in range(1, size[0]):  # which takes a third of the time of NumPy's own sums along columns
            changes[row] += changes[row - 1]
        return np.asarray(changes[:-1] > 0)


class _Referable:
    """What can be kept in memory for as long as somebody else keeps it."""

    __slots__ = ("__weakref__",)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scene(_Referable):
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
    spread
        (N, K) by how much the standard deviation of Gaussians is multiplied; None where all have the same.
    unknown
        (N, K) uint8: above 0 where it is not known whether a keypoint is there, `OF_PERSON` or `OF_SOURCE` of
        `posegen.skeleton.unknown`; nothing unknown is drawn. None where all is known, or no label asks.
    labelled
        (N, K) bool, which keypoints are labelled; None where these are the drawn ones.
    boxes
        (N, 4) x, y, width, height in input pixels, counted from the input's edge; NaN where a person has none. None
        where nobody knows.
    visible
        (N, K) bool, which keypoints are labelled as visible (v = 2); None where all that are labelled are taken to be.
    ignored_boxes
        (M, 4) those of the people and crowds to be ignored, as `boxes`; None if there are none, or nobody asks.
    shown
        (H, W) uint8: how much each pixel of the input shows of the picture and nothing to be ignored, from 0 to 255;
        None where that has to be found from the region and the map.
    """

    points: NDArray[np.float64]
    drawn: NDArray[np.bool_]
    image_size: Size
    affine: Affine
    ignored: Region | None = None
    spread: NDArray[np.float64] | None = None
    unknown: NDArray[np.uint8] | None = None
    labelled: NDArray[np.bool_] | None = None
    boxes: NDArray[np.float64] | None = None
    visible: NDArray[np.bool_] | None = None
    ignored_boxes: NDArray[np.float64] | None = None
    shown: NDArray[np.uint8] | None = None

    def take(self, people: NDArray[np.intp] | slice) -> Scene:
        """Return the scene with some of its people, in the order they are named in."""
        names = ("points", "drawn", "spread", "unknown", "labelled", "boxes", "visible")
        taken = {name: of[people] for name in names if (of := getattr(self, name)) is not None}
        return dataclasses.replace(self, **taken)


def stack_spread(scenes: Sequence[Scene]) -> NDArray[np.float64]:
    """Return the spread of all people of S scenes, at least one: (N, K), 1 where a scene has none."""
    return np.concatenate([np.ones(s.drawn.shape) if s.spread is None else s.spread for s in scenes])


def _differences(
    start: NDArray[np.int64], stop: NDArray[np.int64], edges: NDArray[np.float64]
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Describe P intervals by what their share of each cell differs from that of the next.

    Returns
    -------
    (4, P) positions, a cell's index + 1, and (4, P) differences; `edges` (n + 1,) are evenly spaced.
    """
    at = np.clip((np.stack([stop, start]) - edges[0]) / (edges[1] - edges[0]), 0, len(edges) - 1)
    cell = at.astype(np.intp)
    after = at - cell
    after[1] *= -1
    before = np.array([[1.0], [-1.0]]) - after
    return np.concatenate([cell, cell + 1]), np.concatenate([before, after])
