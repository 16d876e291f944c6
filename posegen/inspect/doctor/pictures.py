"""The same picture twice, or nearly: within a dataset, and in two of them, as a split must not share one with another.

A picture is made small and gray. Its lowest frequencies but the mean, each above or below their median, are 63 bits of
a perceptual hash (Zauner 2010, phash.org). Two pictures of which few bits differ are compared by their small versions,
so that sky and sky are not the same; mirrored ones are found, too.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
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
        (N, `_SIDE`, `_SIDE`) float32, of mean 0 and length 1.
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
    small: NDArray[np.float32]
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
    small = np.zeros((len(names), _SIDE, _SIDE), np.float32)
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
            centred = gray - gray.mean()
            small[i] = centred / max(float(np.linalg.norm(centred)), 1e-6)
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
    for hashes, small, how in (
        (mine.hashes, mine.small, "looks like"),
        (mine.mirrored, mine.small[:, :, ::-1], "looks in a mirror like"),
    ):
        for i, j in _pair(hashes, theirs.hashes):
            if i in exact or mine.flat[i] or theirs.flat[j] or (other is None and j >= i):
                continue
            alike = float((small[i] * theirs.small[j]).sum())
            if alike > _ALIKE and (i not in best or alike > best[i].alike):
                best[i] = Twins(first=i, second=j, alike=alike, how=how)
    yield from (best[i] for i in sorted(best))


def _pair(a: NDArray[np.uint64], b: NDArray[np.uint64]) -> Iterator[tuple[int, int]]:
    """List the pairs whose hashes differ in few bits: those agree in one band at least."""
    seen: set[tuple[int, int]] = set()
    for band in range(_BANDS):
        shift = np.uint64(64 // _BANDS * band)
        keys = (b >> shift) & np.uint64(0xFF)
        places: dict[int, list[int]] = defaultdict(list)
        for j, key in enumerate(keys.tolist()):
            places[key].append(j)
        arrays = {key: np.array(found) for key, found in places.items()}
        for i, key in enumerate(((a >> shift) & np.uint64(0xFF)).tolist()):
            near = arrays.get(key)
            if near is None:
                continue
            bits = _count_bits(b[near] ^ a[i])
            for j in near[bits <= _MOST_BITS].tolist():
                if (i, j) not in seen:
                    seen.add((i, j))
                    yield i, j


def _count_bits(values: NDArray[np.uint64]) -> NDArray[np.int64]:
    return np.bitwise_count(values).astype(np.int64)


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
