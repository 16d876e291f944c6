"""Mapping a picture into the input, by the same map as its points."""

from __future__ import annotations

import math
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from posegen.errors import ImageError
from posegen.geometry import Affine, Box, Size
from posegen.images.scratch import Scratch

PADDING = 128
"""Gray level around a picture that does not fill the input: the middle, as OpenPose has it."""

_WHOLE = 1e-6
"""Pixels by which a whole number of them may be missed."""

_IS_OLD = int(cv2.__version__.partition(".")[0]) < 5
"""Whether it is OpenCV 4, which takes long for what lies beside a picture; OpenCV 5 fills that sooner than we do."""

_MOST_SIDE = (1 << 15) - 1
"""Pixels along a side from which on OpenCV 4 maps no picture."""

_MOST_PIXELS = 1 << 28
"""To which a picture may be resized, though `cover` keeps but the middle: 800 MB."""


_ONE_PIXEL = Box(0, 0, 1, 1)
"""Of a picture that is not visible at all."""

_WARPED = Scratch()


def is_fitted(size: Size, affine: Affine) -> bool:
    """Tell whether a map of a picture of `size` is a resize to whole pixels and a move by whole pixels."""
    edges = affine.apply(np.array([[-0.5, -0.5], [size[1] - 0.5, size[0] - 0.5]])) + 0.5
    return affine.is_upright and bool((np.abs(edges - np.rint(edges)) < _WHOLE).all())


def warp_fitted(picture: NDArray[np.uint8], affine: Affine, input_size: Size) -> NDArray[np.uint8]:
    """Map a picture into the input, by the same map as its points.

    What `posegen.geometry.fit` returns is a resize to whole pixels and a move by whole pixels, and is done so:
    anti-aliased (`INTER_AREA`) along an axis that shrinks, linear along one that grows.

    Parameters
    ----------
    picture
        (h0, w0, 3) uint8.
    affine
        From its pixels to input pixels, as `posegen.geometry.fit` gives it.
    input_size
        (H, W).

    Raises
    ------
    ImageError
        If the picture is so thin that filling the input would take many times its memory.

    Returns
    -------
    (H, W, 3) uint8, gray where there is no picture.
    """
    resized, x, y = _resize_fitted(picture, affine, input_size)
    rows, columns = resized.shape[:2]
    if (rows, columns, y, x) == (*input_size, 0, 0):
        return resized
    out = np.full((*input_size, 3), PADDING, np.uint8)
    part, box = _cut_fitted(resized, x, y, input_size)
    box.cut(out)[...] = part
    return out


def warp_covered(
    picture: NDArray[np.uint8], affine: Affine, input_size: Size, warp: Warp
) -> tuple[NDArray[np.uint8], Box]:
    """Map a picture into the input by one of the warps, and cut out what it covers there.

    Returns
    -------
    (h, w, 3) uint8, contiguous, and the box of `find_covered` that it fills.
    """
    if warp is warp_fitted:
        # The padding, which would be cut off again, is not even made.
        part, box = _cut_fitted(*_resize_fitted(picture, affine, input_size), input_size)
        if box.width > 0 and box.height > 0:
            return np.ascontiguousarray(part), box
    box = find_covered(picture.shape[:2], affine, input_size, warp)
    return np.ascontiguousarray(box.cut(warp(picture, affine, input_size))), box


def _resize_fitted(picture: NDArray[np.uint8], affine: Affine, input_size: Size) -> tuple[NDArray[np.uint8], int, int]:
    """Resize a picture to whole pixels; also returns the x, y in the input of its first one."""
    height, width = picture.shape[:2]
    rows, columns = round(affine.yy * height), round(affine.xx * width)
    y, x = round(affine.y0 - 0.5 * affine.yy + 0.5), round(affine.x0 - 0.5 * affine.xx + 0.5)
    if rows * columns > _MOST_PIXELS:
        raise ImageError(
            f"a picture of {width}x{height} is too thin to fill an input of "
            f"{input_size[1]}x{input_size[0]}; fit it by letterbox or stretch"
        )
    return _resize(_resize(picture, (min(rows, height), min(columns, width))), (rows, columns)), x, y


def _cut_fitted(resized: NDArray[np.uint8], x: int, y: int, input_size: Size) -> tuple[NDArray[np.uint8], Box]:
    """Cut off what lies outside of the input."""
    top, left = max(y, 0), max(x, 0)
    bottom, right = min(y + resized.shape[0], input_size[0]), min(x + resized.shape[1], input_size[1])
    return resized[top - y : bottom - y, left - x : right - x], Box(left, top, right - left, bottom - top)


def warp_linear(picture: NDArray[np.uint8], affine: Affine, input_size: Size) -> NDArray[np.uint8]:
    """Map a picture into the input by any affine map; each pixel is interpolated linearly between four.

    Parameters
    ----------
    picture
        (h0, w0, 3) uint8.
    affine
        From its pixels to input pixels.
    input_size
        (H, W).

    Returns
    -------
    (H, W, 3) uint8, gray where there is no picture.
    """
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    picture, back = _cut_to_fit(picture, affine.inverse(), input_size)
    warped = cv2.warpAffine(picture, back.matrix, input_size[::-1], flags=flags, borderValue=(PADDING,) * 3)
    return np.asarray(warped, np.uint8)


def warp_view(picture: NDArray[np.uint8], affine: Affine, input_size: Size) -> NDArray[np.uint8]:
    """Map a picture into the input by any affine map, as `warp_linear` does; but one that shrinks is shrunk first.

    What is left to interpolate then is of about one size, so that no pixel of the picture is passed over. Shrinking, by
    `INTER_AREA`, is a part of the map: points are not moved by it.
    """
    size, rest = _shrink(picture.shape[:2], affine)
    return warp_linear(_resize(picture, size), rest, input_size)


def warp_shown(
    picture: NDArray[np.uint8], affine: Affine, out: NDArray[np.uint8], shown: NDArray[np.uint8] | None
) -> None:
    """Map a picture into the input by any affine map, and with it how much there is to be seen at each pixel.

    Each pixel is interpolated linearly between four; a picture that shrinks to half or less is shrunk by a whole factor
    first, so that none of its pixels is passed over. Four channels take OpenCV less time than three do, and shrinking
    by other factors, as `warp_view` does, more than all the rest.

    Parameters
    ----------
    picture
        (h0, w0, 4) uint8, how much is seen last, from 0 to 255.
    affine
        From its pixels to those of `out`.
    out
        (H, W, 3) uint8: becomes the picture, gray where there is none.
    shown
        (H, W) uint8: becomes how much is seen, 0 where there is no picture; None if nobody asks.
    """
    both, box = _warp_box(picture, affine, out.shape[:2])
    _clear(out, box, PADDING)
    cv2.cvtColor(both, cv2.COLOR_RGBA2RGB, dst=box.cut(out))
    if shown is not None:
        _clear(shown, box, 0)
        cv2.extractChannel(both, 3, dst=box.cut(shown))


def warp_plane(plane: NDArray[np.uint8], affine: Affine, shown: NDArray[np.uint8]) -> None:
    """Map how much is to be seen at each pixel (h0, w0) uint8 into `shown` (H, W), as `warp_shown` does."""
    warped, box = _warp_box(plane, affine, shown.shape[:2])
    _clear(shown, box, 0)
    box.cut(shown)[...] = warped


def _cut_to_fit(picture: NDArray[np.uint8], back: Affine, size: Size) -> tuple[NDArray[np.uint8], Affine]:
    """Cut a picture that is too large for OpenCV 4 to what a frame (height, width) shows of it.

    Returns
    -------
    The part, and the map from the frame to it. Pictures that OpenCV takes stay as they are.
    """
    if max(picture.shape[:2]) < _MOST_SIDE or not _IS_OLD:
        return picture, back
    height, width = size
    corners = back.apply(np.array([(x, y) for x in (0, width - 1) for y in (0, height - 1)], np.float64))
    width0, height0 = picture.shape[1::-1]
    ends = np.array([width0, height0])
    low = np.clip(np.floor(corners.min(axis=0)).astype(np.int64) - 2, 0, ends - 1)
    high = np.clip(np.ceil(corners.max(axis=0)).astype(np.int64) + 3, low + 1, ends)
    if (high - low).max() >= _MOST_SIDE:
        raise ImageError(
            f"{width0}x{height0} pixels are too many for OpenCV {cv2.__version__}, which maps up to {_MOST_SIDE - 1} "
            "a side; OpenCV 5 maps it: pip install 'opencv-python>=5'"
        )
    part = picture[low[1] : high[1], low[0] : high[0]]
    return part, back.then(Affine(1.0, 0.0, -float(low[0]), 0.0, 1.0, -float(low[1])))


def _warp_box(picture: NDArray[np.uint8], affine: Affine, frame: Size) -> tuple[NDArray[np.uint8], Box]:
    """Warp what a picture covers of a frame; beside it its fourth channel, or the only one, is 0.

    It lies in memory that this thread uses again for the next one: what was just written is still in the processor's
    cache.
    """
    scale = math.sqrt(abs(affine.xx * affine.yy - affine.xy * affine.yx))
    if scale <= 0.5:
        size = tuple(max(1, round(side / int(1 / scale))) for side in picture.shape[:2])
        affine = Affine.resize(picture.shape[:2], size).inverse().then(affine)
        picture = np.asarray(cv2.resize(picture, size[::-1], interpolation=cv2.INTER_AREA), np.uint8)
    box = _find_touched(picture.shape[:2], affine, frame) if _IS_OLD else Box(0, 0, frame[1], frame[0])
    back = affine.inverse().of_part(box.x, box.y)
    padding = (PADDING, PADDING, PADDING, 0) if picture.ndim == 3 else (0,)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    picture, back = _cut_to_fit(picture, back, box.size)
    warped = _WARPED.lend((*box.size, *picture.shape[2:]), np.uint8)
    cv2.warpAffine(picture, back.matrix, box.size[::-1], dst=warped, flags=flags, borderValue=padding)
    return warped, box


def _find_touched(size: Size, affine: Affine, frame: Size) -> Box:
    """Find what `find_covered` does for `warp_linear`, in less time."""
    (height, width), edges = size, []
    for first, across, down, most in (
        (affine.x0 - affine.xx - affine.xy, affine.xx * (width + 1), affine.xy * (height + 1), frame[1]),
        (affine.y0 - affine.yx - affine.yy, affine.yx * (width + 1), affine.yy * (height + 1), frame[0]),
    ):
        low = math.floor(first + min(across, 0) + min(down, 0))
        high = math.ceil(first + max(across, 0) + max(down, 0)) + 1
        edges.append((min(max(low, 0), most), min(max(high, 0), most)))
    (x, right), (y, bottom) = edges
    return Box(x, y, right - x, bottom - y) if right > x and bottom > y else _ONE_PIXEL


def find_covered(size: Size, affine: Affine, frame: Size, warp: Warp) -> Box:
    """Find the upright box outside of which one of the warps leaves nothing but padding in a frame.

    Parameters
    ----------
    size
        (height, width) of the picture.
    affine
        From its pixels to those of the frame.
    frame
        (H, W).
    warp
        Which of `warp_fitted`, `warp_linear` and `warp_view`.
    """
    if warp is warp_fitted:
        lows = affine.apply(np.array([-0.5, -0.5])) + 0.5
        highs = affine.apply(np.array([size[1] - 0.5, size[0] - 0.5])) + 0.5
        first, last = np.rint(lows), np.rint(highs)
    else:
        (height, width), affine = _shrink(size, affine) if warp is warp_view else (size, affine)
        # An interpolated pixel shows something of the picture up to one pixel beside it.
        corners = affine.apply(np.array([[-1, -1], [width, -1], [-1, height], [width, height]]))
        first, last = np.floor(corners.min(axis=0)), np.ceil(corners.max(axis=0)) + 1
    x, y = (int(edge) for edge in np.clip(first, 0, frame[::-1]))
    right, bottom = (int(edge) for edge in np.clip(last, 0, frame[::-1]))
    return Box(x, y, right - x, bottom - y) if right > x and bottom > y else _ONE_PIXEL


Warp = Callable[[NDArray[np.uint8], Affine, Size], NDArray[np.uint8]]
"""Maps a picture into a frame, as `warp_fitted` does."""


def _clear(out: NDArray[np.uint8], box: Box, padding: int) -> None:
    """Fill what lies outside of a box."""
    x, y, width, height = box
    out[:y] = out[y + height :] = padding
    rows = out[y : y + height]
    rows[:, :x] = rows[:, x + width :] = padding


def _shrink(size: Size, affine: Affine) -> tuple[Size, Affine]:
    """Split a map that shrinks a picture of `size` into shrinking it to another size, and the map of what comes of it.

    One that does not is left as it is.
    """
    scale = math.sqrt(abs(affine.xx * affine.yy - affine.xy * affine.yx))
    if scale >= 1:
        return size, affine
    target = max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
    return target, Affine.resize(size, target).inverse().then(affine)


def _resize(picture: NDArray[np.uint8], size: Size) -> NDArray[np.uint8]:
    if picture.shape[:2] == size:
        return picture
    shrinks = size[0] <= picture.shape[0] and size[1] <= picture.shape[1]
    return np.asarray(
        cv2.resize(picture, size[::-1], interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR),
        np.uint8,
    )
