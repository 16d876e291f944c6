"""Boxes of cells: listing what lies in many of them at once, and choosing between those that share one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.intp]


def list_cells(first: Indices, count: Indices) -> tuple[Indices, Indices, Indices]:
    """List the cells of M boxes.

    Parameters
    ----------
    first, count
        (2, M): the row and column that each box starts at, and how many it has of them.

    Returns
    -------
    Of which box, in which row, in which column: each (T,), box after box.
    """
    sizes = count[0] * count[1]
    box = np.repeat(np.arange(len(sizes)), sizes)
    within = np.arange(len(box)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    row, column = np.divmod(within, count[1].take(box))
    return box, row + first[0].take(box), column + first[1].take(box)


def choose_least(place: Indices, *keys: NDArray[np.number]) -> Indices:
    """Choose one of those (T,) that have the same place: of the least first key, among equals of the least second..."""
    order = np.lexsort((*reversed(keys), place))
    return order[np.diff(place[order], prepend=-1) != 0]


def find_shared(place: Indices, flat: NDArray[np.floating]) -> tuple[NDArray[np.int32], Indices]:
    """Find which of those (T,) that have a place each share theirs with others.

    Parameters
    ----------
    place
        (T,) indices into `flat`.
    flat
        Where it is going to be drawn. What is at these places may be lost: that of 32 bits is used to count in.

    Returns
    -------
    (T,) the number of the last one that has the place of each; and, in order, the numbers of all that are not the last.
    """
    number = np.arange(len(place), dtype=np.int32)
    scratch = flat.view(np.int32) if flat.itemsize == number.itemsize else np.empty(flat.size, np.int32)
    scratch[place] = number
    last = scratch.take(place)
    return last, np.flatnonzero(last != number)


def to_cells(points: NDArray[np.float64], input_size: tuple[int, int], cells: tuple[int, int]) -> NDArray[np.float64]:
    """Map input pixels (..., 2) x, y to cells: a cell's middle, (i + 0.5) * stride - 0.5 in pixels, is at i."""
    stride = np.divide(input_size, cells)[::-1]
    return (points + 0.5) / stride - 0.5


def count_up(begin: Indices, end: Indices) -> tuple[Indices, Indices]:
    """Count from each beginning to before its end: which of them, and the number."""
    lengths = end - begin
    which = np.repeat(np.arange(len(lengths)), lengths)
    offset = begin - np.cumsum(lengths) + lengths
    return which, np.arange(len(which)) + offset.take(which)


def divide_shared(share: NDArray[np.float32], last: NDArray[np.int32], earlier: Indices) -> None:
    """Divide the share (t, t, T) of each limb in each tap of its cell by how many limbs there are.

    Which cells are shared is told as by `find_shared`.
    """
    together = np.concatenate([earlier, last[earlier]])
    for tap in np.ndindex(share.shape[:2]):
        people = share[tap].copy()
        np.add.at(people, last[earlier], people[earlier])
        share[tap][together] /= np.maximum(people[last[together]], 1)
