"""The same picture twice, or nearly: within a dataset, and in two of them, as a split must not share one with another.

A picture is made small and gray. Its lowest frequencies but the mean, each above or below their median, are 63 bits of
a perceptual hash (Zauner 2010, phash.org). Two pictures of which few bits differ are compared by their small versions,
so that sky and sky are not the same; mirrored ones are found, too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from posegen.errors import ImageError
from posegen.images.files import read_file
from posegen.inspect.people import Progress
from posegen.storage import AnyPath

_SIDE = 32
_LOW = 8
_BANDS = 8
"""Hashes that differ in fewer bits than there are bands agree in one of them."""
_MOST_BITS = 7
_ALIKE = 0.97
"""The least correlation of the small pictures."""
_LEAST_CONTRAST = 4.0
_COMPARED = 16
"""With so many of the nearest a picture is compared."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prints:
    """What is remembered of N pictures.

    Attributes
    ----------
    names
        Of the files.
    hashes, mirrored
        (N,) uint64, of the picture, and of it in a mirror.
    small
        (N, `_SIDE`, `_SIDE`) uint8, gray.
    digests
        SHA-256 of the files.
    flat
        (N,) where there is nothing to be compared.
    missing
        How many pictures could not be read.
    """

    names: Sequence[str]
    hashes: NDArray[np.uint64]
    mirrored: NDArray[np.uint64]
    small: NDArray[np.uint8]
    digests: Sequence[bytes]
    flat: NDArray[np.bool_]
    missing: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Twins:
    """Two pictures that are the same.

    Attributes
    ----------
    first, second
        Their numbers, of the one and of the other.
    alike
        The correlation of their small versions.
    how
        `is the same file as`, `looks like` or `looks in a mirror like`.
    """

    first: int
    second: int
    alike: float
    how: str


def take_prints(directory: AnyPath, names: Sequence[str], progress: Progress) -> Prints:
    """Read pictures and take their prints; those that cannot be read are counted."""
    small = np.zeros((len(names), _SIDE, _SIDE), np.uint8)
    hashes, mirrored = np.zeros(len(names), np.uint64), np.zeros(len(names), np.uint64)
    flat, digests, missing = np.ones(len(names), bool), [b""] * len(names), 0
    for i, name in enumerate(names):
        try:
            data = read_file(directory, name)
            gray = _decode(data)
        except ImageError:
            gray = None
        if gray is None:
            missing += 1
        else:
            digests[i] = hashlib.sha256(data).digest()
            flat[i] = gray.std() < _LEAST_CONTRAST
            hashes[i], mirrored[i] = _hash(gray), _hash(np.ascontiguousarray(gray[:, ::-1]))
            small[i] = np.rint(gray)
        progress(i + 1, len(names))
    return Prints(
        names=names, hashes=hashes, mirrored=mirrored, small=small, digests=digests, flat=flat, missing=missing
    )


def find_twins(mine: Prints, other: Prints | None = None) -> Iterator[Twins]:
    """Find pictures that are the same as another of `mine`, or as one of `other`; each is named once.

    Yields
    ------
    For every picture of `mine` that has one, its best: among its own the earlier one, by number.
    """
    theirs = mine if other is None else other
    known = {digest: i for i, digest in reversed(list(enumerate(theirs.digests))) if digest}
    exact = set()
    for i, digest in enumerate(mine.digests):
        j = known.get(digest, i) if digest else i
        if digest in known and (other is not None or j < i):
            exact.add(i)
            yield Twins(first=i, second=j, alike=1.0, how="is the same file as")
    best: dict[int, Twins] = {}
    asked = np.array([not flat and i not in exact for i, flat in enumerate(mine.flat)], bool)
    for hashes, small, how in (
        (mine.hashes, mine.small, "looks like"),
        (mine.mirrored, mine.small[:, :, ::-1], "looks in a mirror like"),
    ):
        for i, near in _pair(hashes, asked, theirs.hashes, ~theirs.flat, earlier=other is None):
            alike = _correlate(small[i], theirs.small[near])
            first = int(alike.argmax())
            if alike[first] > _ALIKE and (i not in best or alike[first] > best[i].alike):
                best[i] = Twins(first=i, second=int(near[first]), alike=float(alike[first]), how=how)
    yield from (best[i] for i in sorted(best))


def _pair(
    a: NDArray[np.uint64], asked: NDArray[np.bool_], b: NDArray[np.uint64], known: NDArray[np.bool_], *, earlier: bool
) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Find for those of `a` that are asked the nearest of `b` that are known, where hashes differ in few bits.

    Those agree in one band at least. With `earlier` they come before in the order.
    """
    shifts = [np.uint64(64 // _BANDS * band) for band in range(_BANDS)]
    places: list[dict[int, NDArray[np.int64]]] = []
    for shift in shifts:
        keys = (b >> shift) & np.uint64(0xFF)
        order = np.argsort(keys, kind="stable")
        order = order[known[order]]
        values, starts = np.unique(keys[order], return_index=True)
        places.append(dict(zip(values.tolist(), np.split(order, starts[1:]), strict=False)))
    nobody = np.zeros(0, np.int64)
    for i in np.flatnonzero(asked).tolist():
        found = [
            near[: np.searchsorted(near, i)] if earlier else near
            for of, shift in zip(places, shifts, strict=True)
            for near in [of.get(int((a[i] >> shift) & np.uint64(0xFF)), nobody)]
        ]
        near = np.concatenate(found)
        bits = np.bitwise_count(b[near] ^ a[i])
        near, bits = near[bits <= _MOST_BITS], bits[bits <= _MOST_BITS]
        if len(near):
            # Of frames of a film very many are alike: the first of the nearest will do.
            near = np.unique(near[np.argsort(bits, kind="stable")[: _BANDS * _COMPARED]])
            yield i, near


def _correlate(one: NDArray[np.uint8], others: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Correlate a small picture with each of several."""
    centred = one - one.mean()
    away = others - others.mean(axis=(1, 2), keepdims=True)
    length = np.linalg.norm(centred) * np.sqrt(np.square(away).sum(axis=(1, 2)))
    return np.asarray((away * centred).sum(axis=(1, 2)) / np.maximum(length, 1e-6))


def _decode(data: bytes) -> NDArray[np.float32] | None:
    """Decode a picture to a small gray one, (`_SIDE`, `_SIDE`)."""
    try:
        gray = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_REDUCED_GRAYSCALE_4)
    except cv2.error:
        return None
    if gray is None:
        return None
    return np.asarray(cv2.resize(gray, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA), np.float32)


def _hash(gray: NDArray[np.float32]) -> np.uint64:
    low = cv2.dct(gray)[:_LOW, :_LOW].ravel()[1:]
    bits = np.concatenate([[False], low > np.median(low)])
    return np.uint64(int("".join("01"[int(bit)] for bit in bits), 2))
