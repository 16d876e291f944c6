"""Which of the shapes in a channel can lie on the same cells, so that they have to be merged tap by tap."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from posegen.grid import Grid


def crowded_first(
    grid: Grid, channel: NDArray[np.intp], left: NDArray[np.float64], right: NDArray[np.float64]
) -> tuple[NDArray[np.intp], int]:
    """Order shapes so that those come first that another one of their channel is beside, and a channel stays together.

    Parameters
    ----------
    grid
        Where they lie.
    channel
        (M,) the channel of each.
    left, right
        (M,) from which column of pixels to which it reaches.

    Returns
    -------
    The (M,) order, and how many come first. No cell of a channel belongs to two of the others.
    """
    # Shapes that are a cell apart have none in common.
    width, apart = grid.input_size[1], 2 * float(grid.stride[1, 0])
    begin = np.minimum(np.maximum(left, 0), width)
    order = np.lexsort((begin, channel))
    offset = channel.take(order) * (width + apart + 1)
    begin = offset + begin.take(order)
    end = offset + np.minimum(np.maximum(right.take(order), 0), width) + apart
    # Sorted by where they begin, one meets those before it if it begins before all of these have ended.
    meet = np.zeros(len(order) + 1, bool)
    np.less(begin[1:], np.maximum.accumulate(end)[:-1], out=meet[1:-1])
    crowded = meet[1:] | meet[:-1]
    return np.concatenate([order[crowded], order[~crowded]]), int(np.count_nonzero(crowded))
