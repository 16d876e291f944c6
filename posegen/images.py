"""Pictures: read, decoded, checked against their annotation, mapped into the input, encoded."""

from __future__ import annotations

import contextlib
import errno
import io
import math
import stat
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from posegen.config import ImageEncoding
from posegen.errors import ImageError
from posegen.geometry import Affine, Size
from posegen.headers import measure

try:
    import simplejpeg
except ModuleNotFoundError:
    simplejpeg = None

PADDING = 128
"""Gray level around a picture that does not fill the input: the middle, as OpenPose has it."""


_MOST_PIXELS = 1 << 28
"""To which a picture may be resized, though `cover` keeps but the middle: 800 MB."""

_MOST_BYTES = 1 << 30
"""Of an encoded picture: more than the largest takes that is decoded."""

_JPEG = b"\xff\xd8\xff"
_PNG = b"\x89PNG\r\n\x1a\n"

_EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOMEM}
"""Troubles of this process, not of a picture."""


def read_file(directory: Path, name: str) -> bytes:
    """Read an image file of a directory.

    Raises
    ------
    ImageError
        If it does not exist, is no regular file, cannot be read, is empty, or lies outside the directory by way of a
        symbolic link.
    OSError
        If the process has no files or memory left.
    """
    with _opening(directory, name) as path:
        data = path.read_bytes()
    if not data:
        raise ImageError(f"{directory / name}: is empty")
    return data


def read_size(directory: Path, name: str) -> Size:
    """Read the (height, width) of a picture as it is stored: from its header, or else by decoding it.

    Raises
    ------
    ImageError, OSError
        As `read_file` does, and if it is no image.
    """
    with _opening(directory, name) as path, path.open("rb") as file:
        size = measure(file)
    if size is not None:
        return size
    picture = _imdecode(read_file(directory, name), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    if picture is None:
        raise ImageError(f"{directory / name}: is not an image, or is truncated")
    return picture.shape[0], picture.shape[1]


@contextlib.contextmanager
def _opening(directory: Path, name: str) -> Iterator[Path]:
    """Yield the real path of a file inside a directory; what goes wrong with it there becomes an `ImageError`."""
    path = directory / name
    try:
        real = path.resolve()
        if not real.is_relative_to(directory.resolve()):
            raise ImageError(f"{path}: leads out of the image directory, to {real}")
        status = real.stat()
        if not stat.S_ISREG(status.st_mode):
            raise ImageError(f"{path}: is no regular file")
        if status.st_size > _MOST_BYTES:
            raise ImageError(f"{path}: has {status.st_size} bytes, more than any picture")
        yield real
    except OSError as error:
        if error.errno in _EXHAUSTED:
            raise
        raise ImageError(f"{path}: cannot be read: {error.strerror or error}") from error
    except RuntimeError as error:  # pathlib's word for symbolic links in a circle, before Python 3.13
        raise ImageError(f"{path}: cannot be read: {error}") from error
    except ValueError as error:
        raise ImageError(f"{path}: is not the name of a file: {error}") from error


def decode(data: bytes, size: Size, name: str) -> NDArray[np.uint8]:
    """Decode a picture as the annotation sees it.

    COCO annotates pixels as they are stored, so the EXIF orientation is not applied, unless the size shows that the
    annotator's tool did apply it.

    Parameters
    ----------
    data
        An encoded image: gray, colour, with alpha, of 8 or 16 bits.
    size
        (height, width) that the annotation states.
    name
        What to call the picture in messages.

    Returns
    -------
    (height, width, 3) uint8 in OpenCV's order B, G, R.

    Raises
    ------
    ImageError
        If it is no image, is truncated, or has another size.
    """
    stated = measure(io.BytesIO(data))
    if stated is not None and stated not in {size, size[::-1]}:
        raise _other_size(name, stated, size)  # and is not decoded, which may take gigabytes
    picture = _imdecode(data, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    if picture is None:
        raise ImageError(f"{name}: is not an image, or is truncated ({len(data)} bytes)")
    if picture.shape[:2] != size:
        height, width = picture.shape[:2]
        if (height, width) == size[::-1]:
            picture = _imdecode(data, cv2.IMREAD_COLOR)
        if picture is None or picture.shape[:2] != size:
            raise _other_size(name, (height, width), size)
    return picture


def decode_input(data: bytes, input_size: Size, name: str, out: NDArray[np.uint8] | None = None) -> NDArray[np.uint8]:
    """Decode a picture that `encode` made.

    Parameters
    ----------
    data
        Its bytes.
    input_size
        (H, W) that it has to have.
    name
        What to call the picture in messages.
    out
        (H, W, 3) uint8, contiguous: where to write it. The package simplejpeg decodes a JPEG right there: it is the
        decoder that OpenCV has, too, and gives the same pixels, but from OpenCV they have to be copied.

    Returns
    -------
    (H, W, 3) uint8 R, G, B: `out`, if it is given.

    Raises
    ------
    ImageError
        If it is no image, is truncated, or has another size.
    """
    if simplejpeg is not None and data.startswith(_JPEG):
        # What it refuses OpenCV may know: a JPEG of four inks.
        with contextlib.suppress(ValueError):
            if simplejpeg.decode_jpeg_header(data)[:2] == input_size:
                out = np.empty((*input_size, 3), np.uint8) if out is None else out
                simplejpeg.decode_jpeg(data, colorspace="RGB", buffer=out)
                return out
    picture = _imdecode(data, cv2.IMREAD_COLOR_RGB)
    if picture is None or picture.shape != (*input_size, 3):
        raise ImageError(f"{name}: is not an image of {input_size[1]}x{input_size[0]} pixels, or is truncated")
    if out is None:
        return picture
    out[...] = picture
    return out


def warp(picture: NDArray[np.uint8], affine: Affine, input_size: Size) -> NDArray[np.uint8]:
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
    height, width = picture.shape[:2]
    rows, columns = round(affine.yy * height), round(affine.xx * width)
    y, x = round(affine.y0 - 0.5 * affine.yy + 0.5), round(affine.x0 - 0.5 * affine.xx + 0.5)
    if rows * columns > _MOST_PIXELS:
        raise ImageError(
            f"a picture of {width}x{height} is too thin to fill an input of "
            f"{input_size[1]}x{input_size[0]}; fit it by letterbox or stretch"
        )
    resized = _resize(_resize(picture, (min(rows, height), min(columns, width))), (rows, columns))
    if (rows, columns, y, x) == (*input_size, 0, 0):
        return resized
    out = np.full((*input_size, 3), PADDING, np.uint8)
    top, left = max(y, 0), max(x, 0)
    bottom, right = min(y + rows, input_size[0]), min(x + columns, input_size[1])
    out[top:bottom, left:right] = resized[top - y : bottom - y, left - x : right - x]
    return out


def transform(picture: NDArray[np.uint8], affine: Affine, input_size: Size) -> NDArray[np.uint8]:
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
    warped = cv2.warpAffine(picture, affine.inverse().matrix, input_size[::-1], flags=flags, borderValue=(PADDING,) * 3)
    return np.asarray(warped, np.uint8)


def turn(picture: NDArray[np.uint8], affine: Affine, input_size: Size) -> NDArray[np.uint8]:
    """Map a picture into the input by any affine map, as `transform` does; but one that shrinks is shrunk first.

    What is left to interpolate then is of about one size, so that no pixel of the picture is passed over. Shrinking, by
    `INTER_AREA`, is a part of the map: points are not moved by it.
    """
    scale = math.sqrt(abs(affine.xx * affine.yy - affine.xy * affine.yx))
    if scale < 1:
        source = picture.shape[:2]
        target = max(1, round(source[0] * scale)), max(1, round(source[1] * scale))
        picture = _resize(picture, target)
        affine = Affine.resize(source, target).inverse().then(affine)
    return transform(picture, affine, input_size)


def encode(picture: NDArray[np.uint8], encoding: ImageEncoding, quality: int) -> bytes:
    """Encode a (H, W, 3) uint8 B, G, R picture; `raw` gives the bytes of its R, G, B pixels."""
    if encoding == "raw":
        return np.ascontiguousarray(picture[..., ::-1]).tobytes()
    suffix, parameters = {
        "jpeg": (".jpg", [cv2.IMWRITE_JPEG_QUALITY, quality]),
        "png": (".png", [cv2.IMWRITE_PNG_COMPRESSION, 3]),
    }[encoding]
    written, data = cv2.imencode(suffix, picture, parameters)
    if not written:
        raise ImageError(f"OpenCV could not encode a picture of {picture.shape[1]}x{picture.shape[0]} as {encoding}")
    return data.tobytes()


def _other_size(name: str, found: Size, stated: Size) -> ImageError:
    return ImageError(
        f"{name}: is {found[1]}x{found[0]} pixels, but its annotation says {stated[1]}x{stated[0]}; "
        "the annotations belong to another version of the picture"
    )


def _imdecode(data: bytes, flags: int) -> NDArray[np.uint8] | None:
    if data.startswith(_PNG) and not _ends_png(data):
        return None
    try:
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:
        return None
    # A portable float map is given as it is, whatever the flags.
    if picture is None or picture.dtype != np.uint8 or picture.ndim != 3:
        return None
    return np.asarray(picture, np.uint8)


def _ends_png(data: bytes) -> bool:
    """Tell whether all chunks of a PNG end within it: OpenCV allocates what a chunk claims to have, up to 4 GB."""
    start, kind = len(_PNG), b""
    while kind != b"IEND" and start < len(data):
        kind = data[start + 4 : start + 8]
        start += 12 + int.from_bytes(data[start : start + 4], "big")
    return kind == b"IEND" and start <= len(data)


def _resize(picture: NDArray[np.uint8], size: Size) -> NDArray[np.uint8]:
    if picture.shape[:2] == size:
        return picture
    shrinks = size[0] <= picture.shape[0] and size[1] <= picture.shape[1]
    return np.asarray(
        cv2.resize(picture, size[::-1], interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR),
        np.uint8,
    )
