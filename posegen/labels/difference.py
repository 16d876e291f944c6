"""Where, and by how much, arrays of labels differ; values may be unknown (NaN)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def find_differing(a: NDArray[Any], b: NDArray[Any], slack: float = 0.0) -> NDArray[np.bool_]:
    """Find where two arrays of one shape differ by more than `slack`; unknown differs from all that is known."""
    with np.errstate(invalid="ignore"):  # of infinities
        near = np.abs(np.subtract(a, b, dtype=np.float64)) <= slack
    return np.asarray(~(near | (a == b) | (np.isnan(a) & np.isnan(b))))


def find_difference(a: NDArray[Any], b: NDArray[Any]) -> float:
    """Find by how much two arrays of one shape differ at most: 0 without elements, infinite if one alone is unknown."""
    differing = find_differing(a, b)
    difference = np.abs(np.subtract(a[differing], b[differing], dtype=np.float64))
    return float(np.nan_to_num(difference, nan=np.inf).max(initial=0.0))
