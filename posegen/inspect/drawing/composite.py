"""Composite fields as what people can look at: heat where keypoints are near, and vectors along limbs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def find_nearness(cif: NDArray[np.float32]) -> NDArray[np.float32]:
    """Find how near the keypoint is to which each cell points, (K, h, w) from 0 to 1: a Gaussian of one cell.

    Parameters
    ----------
    cif
        (K, 5, h, w); what is unknown, or points nowhere, is 0.
    """
    intensity, x, y = (np.nan_to_num(cif[:, part]) for part in range(3))
    return np.asarray(intensity * np.exp(-0.5 * (x * x + y * y)), np.float32)


def find_ways(caf: NDArray[np.float32]) -> NDArray[np.float32]:
    """Find the unit vectors (2E, h, w) from the first to the second end to which each cell points.

    Parameters
    ----------
    caf
        (E, 9, h, w); what is unknown, or points nowhere, is 0.
    """
    way = np.nan_to_num(caf[:, 3:5] - caf[:, 1:3])
    length = np.hypot(way[:, :1], way[:, 1:])
    unit = np.nan_to_num(caf[:, :1]) * np.divide(way, length, out=np.zeros_like(way), where=length > 0)
    return np.asarray(unit.reshape(-1, *caf.shape[2:]), np.float32)
