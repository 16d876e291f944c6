"""The mask of a picture that is turned, of inputs and cells that are not square, at the points its definition names."""

from __future__ import annotations

import math

import numpy as np
from label_oracle import make_region

from posegen.geometry import Affine
from posegen.labels import MaskLabel, Scene


def count_points(
    ignored: np.ndarray, affine: Affine, input_size: tuple[int, int], cells: tuple[int, int]
) -> np.ndarray:
    """Look up S x S points of each cell, S along an axis twice its stride but from 4 to 16, one after the other."""
    strides = [size / count for size, count in zip(input_size, cells, strict=True)]
    points = [min(max(math.ceil(2 * stride), 4), 16) for stride in strides]
    matrix = affine.matrix
    shares = np.zeros(cells)
    for row in range(cells[0]):
        for column in range(cells[1]):
            for i in range(points[0]):
                for j in range(points[1]):
                    # From the corner of the input, whose first pixel has its middle at 0.
                    y = (row + (i + 0.5) / points[0]) * strides[0] - 0.5
                    x = (column + (j + 0.5) / points[1]) * strides[1] - 0.5
                    there = np.linalg.solve(matrix[:, :2], np.array([x, y]) - matrix[:, 2])
                    px, py = (math.floor(v + 0.5) for v in there)
                    inside = 0 <= px < ignored.shape[1] and 0 <= py < ignored.shape[0]
                    shares[row, column] += inside and not ignored[py, px]
    return shares / (points[0] * points[1])


def test_it_is_the_share_of_the_points_of_each_cell() -> None:
    wide = np.zeros((30, 90), np.uint8)
    wide[5:20, 10:70] = 1
    wide[8:12, 30:33] = 0
    for ignored in (wide, wide.T.copy()):
        for input_size, cells in (
            ((40, 64), (5, 8)),  # square cells
            ((40, 64), (5, 16)),  # high ones
            ((40, 64), (20, 8)),  # wide ones
            ((64, 40), (32, 2)),  # of 4 points along y, 16 along x
            ((64, 40), (2, 40)),
        ):
            for degrees in (20, -75, 160):
                cos, sin = (0.7 * f(math.radians(degrees)) for f in (math.cos, math.sin))
                # The middle of the picture comes to the middle of the input.
                cx, cy = (ignored.shape[1] - 1) / 2 + 0.123, (ignored.shape[0] - 1) / 2 - 0.077
                tx, ty = (input_size[1] - 1) / 2, (input_size[0] - 1) / 2
                affine = Affine(cos, -sin, tx - cos * cx + sin * cy, sin, cos, ty - sin * cx - cos * cy)
                scene = Scene(
                    points=np.zeros((0, 1, 2)),
                    drawn=np.zeros((0, 1), bool),
                    image_size=ignored.shape,
                    affine=affine,
                    ignored=make_region(ignored),
                )
                found = MaskLabel(input_size=input_size, cells=cells).render(scene)[0]
                np.testing.assert_allclose(found, count_points(ignored, affine, input_size, cells), rtol=0, atol=1e-6)
