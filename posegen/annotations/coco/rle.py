"""COCO's run-length code of masks: runs of zeros and ones in turn, down the columns, left to right.

pycocotools encodes, merges and measures masks in this form; what it lacks is a safe way to read one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_DIGITS = 6
"""Most characters of a number: cocoapi's 32 bits overflow at the seventh."""


def run_lengths(counts: bytes) -> NDArray[np.int64]:
    """Decode the run lengths of a compressed mask.

    The coding (5 bits a character, lowest first, bit 6 for "more follows"; from the fourth on, numbers are differences
    to the one before the last) is that of `rleToString` in cocoapi's maskApi.c.

    Returns
    -------
    (R,) int64: zeros, ones, zeros ... none negative.

    Raises
    ------
    ValueError
        If it is no such code.
    """
    code = np.frombuffer(counts, np.uint8).astype(np.int64) - 48
    if not code.size or code.min() < 0 or code.max() > 63 or code[-1] & 0x20:
        raise ValueError("not a run-length code")
    last = np.flatnonzero(code & 0x20 == 0)
    first = np.concatenate([[0], last[:-1] + 1])
    digits = last - first + 1
    if digits.max() > _DIGITS:
        raise ValueError("a run length of too many digits")
    place = np.arange(len(code)) - np.repeat(first, digits)
    runs = np.add.reduceat((code & 0x1F) << (5 * place), first)
    runs -= np.where(code[last] & 0x10, 1 << (5 * digits), 0)
    runs[1::2] = np.cumsum(runs[1::2])
    runs[2::2] = np.cumsum(runs[2::2])
    if runs.min() < 0:
        raise ValueError("a negative run length")
    return runs


def find_edges(counts: bytes) -> NDArray[np.int64]:
    """Find where the runs of ones of a compressed mask begin and end.

    Returns
    -------
    (2 R,) int64, in order: the first pixel of each run, down the columns, and the one after its last, in turn.

    Raises
    ------
    ValueError
        If it is no such code.
    """
    ends = np.cumsum(run_lengths(counts))
    return ends[: len(ends) // 2 * 2]


def cut_columns(edges: NDArray[np.int64], height: int) -> NDArray[np.int64]:
    """Cut runs at the ends of a mask's columns.

    Parameters
    ----------
    edges
        (2 R,) as `find_edges` finds them.
    height
        Of the mask.

    Returns
    -------
    (3, P) int64: of each piece the column, its first row, and the row after its last; by column.
    """
    start, stop = edges[0::2], edges[1::2]
    start, stop = start[start < stop], stop[start < stop]
    column = start // height
    pieces = (stop - 1) // height - column + 1
    run = np.repeat(np.arange(len(pieces)), pieces)
    at = column[run] + np.arange(len(run)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    top = np.maximum(start[run] - at * height, 0)
    bottom = np.minimum(stop[run] - at * height, height)
    return np.stack([at, top, bottom])
