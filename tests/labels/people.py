"""People all over a picture and around it, as the tests of the renderers draw them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SHAPES = [((368, 368), 8, 8.0), ((48, 64), 4, 3.0), ((60, 40), 2.5, 6.5), ((33, 77), 11, 40.0), ((40, 24), 1, 0.7)]
"""Input sizes (height, width), strides and sigmas; among them whole and broken strides, and Gaussians that fill all."""


def scatter(
    seed: int, people: int, keypoints: int, size: tuple[int, int]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Draw (N, K, 2) points and (N, K) whether they are drawn; what is not drawn is no number."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(-0.2, 1.2, (people, keypoints, 2)) * size[::-1]
    points[rng.random((people, keypoints)) < 0.3] //= 1
    drawn = rng.random((people, keypoints)) < 0.8
    points[~drawn] = np.nan
    return points, drawn
