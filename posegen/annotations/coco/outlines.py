"""Segmentations as an annotation file has them: checked many at a time, kept as text, parsed where they are drawn.

It imports msgspec, as `posegen.annotations.coco.typed` does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, TypeVar

import msgspec
import numpy as np
from msgspec import Raw, Struct
from numpy.typing import NDArray

from posegen.annotations.coco.segmentation import is_segmentation
from posegen.annotations.columns import Shapes, list_rows
from posegen.annotations.sample import Shape
from posegen.files import canonical_json
from posegen.geometry import Size

_Decoded = TypeVar("_Decoded")

_LEAST = 6
"""Numbers of a polygon."""

_AS_ZEROS = bytes.maketrans(b"123456789", b"000000000")
_PLAIN = frozenset(b"[[" + b"," * (count - 1) + b"]]" for count in range(_LEAST, 1000, 2))
"""What is left without digits and points of one polygon none of whose numbers has a sign or an exponent."""
_OTHERWISE = re.compile(rb"e|0\.0000|[^ -~]")
"""In what msgspec writes: numbers that Python writes with another exponent, or with one, and letters it escapes."""
_SPACES = b" \n\r\t"
_LONG = b"0000"
_ZERO_BEHIND = re.compile(rb"\.\d+0\b")
"""Of a fraction that JSON need not end so: with up to three digits on either side of the point all others are written
as Python writes them."""
_PLAIN_REACH = 500
"""In an image with a side as long as that, no number leaves by too much that has three digits before its point."""


class Unusual(Exception):  # noqa: N818 (no mistake: the file is read in another way)
    """A file has something that is not read as columns."""


class _RunLengths(Struct, gc=False):
    size: list[int | float]
    counts: str | list[int | float]


_decode_segmentation = msgspec.json.Decoder(list[list[float]] | _RunLengths | None).decode
_decode_any = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


@dataclass(slots=True, kw_only=True, eq=False)
class TypedShapes:
    """The shapes of samples, which are parsed when they are asked for.

    Attributes
    ----------
    sizes
        (S, 2) int64 height, width of the images.
    ignored_starts, drawn_starts
        (S + 1,) int64 where the shapes of each begin.
    ignored, drawn
        Of each person the segmentation as the file has it, or None.
    ignored_boxes, drawn_boxes
        (n, 4) float64, NaN where there is none.
    """

    sizes: NDArray[np.int64]
    ignored_starts: NDArray[np.int64]
    drawn_starts: NDArray[np.int64]
    ignored: Sequence[bytes | None]
    drawn: Sequence[bytes | None]
    ignored_boxes: NDArray[np.float64]
    drawn_boxes: NDArray[np.float64]

    def __call__(self, number: int) -> Shapes:
        """Return the ignored and the drawn shapes of a sample."""
        start, stop = self.ignored_starts[number : number + 2].tolist()
        if start == stop:
            return (), ()
        height, width = self.sizes[number].tolist()
        ignored = _parse_shapes(self.ignored[start:stop], self.ignored_boxes[start:stop], (height, width))
        start, stop = self.drawn_starts[number : number + 2].tolist()
        return ignored, _parse_shapes(self.drawn[start:stop], self.drawn_boxes[start:stop], (height, width))

    def describe(self, number: int) -> bytes:
        """Write down the shapes of a sample as JSON of which there is only one form."""
        start, stop = self.ignored_starts[number : number + 2].tolist()
        if start == stop:
            return b"[0,[]]"
        first, last = self.drawn_starts[number : number + 2].tolist()
        size = self.sizes[number].tolist()
        raws = (*self.ignored[start:stop], *self.drawn[first:last])
        boxes = (*self.ignored_boxes[start:stop].tolist(), *self.drawn_boxes[first:last].tolist())
        listed = b",".join(
            b"[%b,%b]" % (_describe_segmentation(raw, size), _describe_box(box))
            for raw, box in zip(raws, boxes, strict=True)
        )
        return b"[%d,[%b]]" % (stop - start, listed)

    def take(self, numbers: NDArray[np.int64]) -> TypedShapes:
        """Return the shapes of some samples alone."""
        ignored, ignored_starts = list_rows(self.ignored_starts, numbers)
        drawn, drawn_starts = list_rows(self.drawn_starts, numbers)
        return TypedShapes(
            sizes=self.sizes[numbers],
            ignored_starts=ignored_starts,
            drawn_starts=drawn_starts,
            ignored=[self.ignored[row] for row in ignored.tolist()],
            drawn=[self.drawn[row] for row in drawn.tolist()],
            ignored_boxes=self.ignored_boxes[ignored],
            drawn_boxes=self.drawn_boxes[drawn],
        )


def decode_all(decode: Callable[[bytes | Raw], _Decoded], data: Iterable[bytes | Raw]) -> list[_Decoded]:
    """Decode pieces of JSON; raises `Unusual` where one has not the types that it is to have."""
    try:
        return [decode(piece) for piece in data]
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise Unusual from error


def check_segmentations(
    raws: Sequence[Raw | None], sizes: NDArray[np.int64]
) -> tuple[list[Raw | None], NDArray[np.bool_]]:
    """Tell which segmentations can be drawn, as `is_segmentation` does.

    Parameters
    ----------
    raws
        n of them as the file has them; None where it has none.
    sizes
        (n, 2) int64 height, width of their images.

    Returns
    -------
    Those that can be drawn, None for others; and (n,) which are there, and cannot.
    """
    # Of two in three a look at the text is enough, and takes a quarter of the time.
    large = (sizes.max(axis=1) >= _PLAIN_REACH).tolist()
    odd = [i for i, raw in enumerate(raws) if raw is not None and not (large[i] and _is_plain(bytes(raw)))]
    drawable, refused = list(raws), np.zeros(len(raws), bool)
    some, bad = _check_values([raw for i in odd if (raw := raws[i]) is not None], sizes[odd])
    for i, raw in zip(odd, some, strict=True):
        drawable[i] = raw
    refused[odd] = bad
    return drawable, refused


def _is_plain(text: bytes) -> bool:
    """Tell of JSON whether it is one polygon of numbers from 0 to below 1000; not where it may be another, too."""
    zeros = text.translate(_AS_ZEROS, _SPACES)
    return _LONG not in zeros and zeros.translate(None, b"0.") in _PLAIN


def _check_values(raws: Sequence[Raw], sizes: NDArray[np.int64]) -> tuple[list[Raw | None], NDArray[np.bool_]]:
    """Decode segmentations, and tell what `check_segmentations` does."""
    values: list[Any] = decode_all(_decode_segmentation, raws)
    outlines = [value if isinstance(value, list) else [] for value in values]
    refused = _leave(outlines, sizes)
    for i, (raw, value) in enumerate(zip(raws, values, strict=True)):
        if isinstance(value, _RunLengths):
            height, width = sizes[i].tolist()
            refused[i] = not is_segmentation(_decode_any(raw), (height, width))
    drawable = [raw if value and not bad else None for raw, value, bad in zip(raws, values, refused, strict=True)]
    return drawable, refused


def _leave(outlines: list[list[list[float]]], sizes: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Tell which lists of polygons have one that is none, or that leaves its image by more than its size."""
    polygons = list(chain.from_iterable(outlines))
    refused = np.zeros(len(outlines), bool)
    if not polygons:
        return refused
    lengths = np.fromiter(map(len, polygons), np.int64, len(polygons))
    owners = np.repeat(np.arange(len(outlines)), list(map(len, outlines)))
    bad = (lengths < _LEAST) | (lengths % 2 == 1)
    refused[owners[bad]] = True
    whole = lengths > 0
    if whole.any():
        numbers = np.fromiter(chain.from_iterable(polygons), np.float64, int(lengths.sum()))
        starts = (np.cumsum(lengths) - lengths)[whole]
        reach = sizes.max(axis=1)[owners[whole]]
        low, high = np.minimum.reduceat(numbers, starts), np.maximum.reduceat(numbers, starts)
        refused[owners[whole][(low < -reach) | (high > 2 * reach)]] = True
    return refused


def _parse_shapes(raws: Sequence[bytes | None], boxes: NDArray[np.float64], size: Size) -> tuple[Shape, ...]:
    shapes = []
    for raw, (x, y, width, height) in zip(raws, boxes.tolist(), strict=True):
        segmentation = None if raw is None else _decode_any(raw)
        if isinstance(segmentation, dict):
            segmentation = {"size": list(size), "counts": segmentation["counts"]}
        bbox = None if x != x else (x, y, width, height)  # noqa: PLR0124 (not a number: there is none)
        shapes.append(Shape(segmentation=segmentation, bbox=bbox))
    return tuple(shapes)


def _describe_segmentation(raw: bytes | None, size: list[int]) -> bytes:
    """Write a segmentation as `canonical_json` does; most are text of that form, but for their spaces."""
    if raw is None:
        return b"null"
    if _is_plain(raw) and _ZERO_BEHIND.search(text := raw.translate(None, _SPACES)) is None:
        return text
    value = _decode_any(raw)
    if isinstance(value, dict):
        height, width = size
        return b'{"counts":%b,"size":[%d,%d]}' % (_write(value["counts"]), height, width)
    return _write(value)


def _write(value: Any) -> bytes:
    """Write JSON as `canonical_json` does; msgspec does so in a third of the time, but for some numbers."""
    text = _encode(value)
    return text if _OTHERWISE.search(text) is None else canonical_json(value).encode()


def _describe_box(box: list[float]) -> bytes:
    x, y, width, height = box
    return b"null" if x != x else f"[{x!r},{y!r},{width!r},{height!r}]".encode()  # noqa: PLR0124 (not a number)
