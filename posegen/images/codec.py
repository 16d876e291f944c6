"""Pictures as bytes: decoded, checked against their annotation or the input, encoded."""

from __future__ import annotations

import contextlib
import io

import cv2
import numpy as np
from numpy.typing import NDArray

from posegen.errors import ImageError
from posegen.geometry import Size
from posegen.images import ImageEncoding
from posegen.images.exif import find_orientation, is_sideways
from posegen.images.header import measure
from posegen.images.kinds import name_kind

try:
    import simplejpeg
except ModuleNotFoundError:
    simplejpeg = None

_JPEG = b"\xff\xd8\xff"
_READ = frozenset({"BMP", "GIF", "JPEG", "PNG", "TIFF", "WebP"})
_USUAL = frozenset({"YCbCr", "Gray"})
_PNG = b"\x89PNG\r\n\x1a\n"


def decode(data: bytes, size: Size, name: str, *, shown: bool = False) -> NDArray[np.uint8]:
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
    shown
        Whether the EXIF orientation is applied anyway.

    Returns
    -------
    (height, width, 3) uint8 in OpenCV's order B, G, R.

    Raises
    ------
    ImageError
        If it is no image, is truncated, or has another size.
    """
    if not shown and (known := _decode_usual(data, size)) is not None:
        return known
    stated = measure(io.BytesIO(data))
    if stated is not None and stated not in {size, size[::-1]}:
        raise _other_size(name, stated, size)  # and is not decoded, which may take gigabytes
    picture = _imdecode(data, cv2.IMREAD_COLOR | (0 if shown else cv2.IMREAD_IGNORE_ORIENTATION))
    if picture is None:
        raise ImageError(f"{name}: is not an image, or is truncated ({len(data)} bytes){_explain(data)}")
    if picture.shape[:2] != size:
        height, width = picture.shape[:2]
        if (height, width) == size[::-1]:
            picture = _imdecode(data, cv2.IMREAD_COLOR)
        if picture is None or picture.shape[:2] != size:
            raise _other_size(name, (height, width), size)
    return picture


def find_unturned(data: bytes, size: Size) -> int:
    """Return the EXIF orientation that `decode` does not apply to a picture for that (height, width); 0 if it does."""
    orientation = find_orientation(data)
    if orientation == 1 or (is_sideways(orientation) and measure(io.BytesIO(data)) != size):
        return 0
    return orientation


def measure_decoded(data: bytes, name: str) -> Size:
    """Decode a picture for its (height, width), as it is stored; raises `ImageError` if it is no image."""
    picture = _imdecode(data, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    if picture is None:
        raise ImageError(f"{name}: is not an image, or is truncated{_explain(data)}")
    return picture.shape[0], picture.shape[1]


def decode_input(data: bytes, size: Size, name: str, out: NDArray[np.uint8] | None = None) -> NDArray[np.uint8]:
    """Decode a picture that `encode` made: what there is of one in the input.

    Parameters
    ----------
    data
        Its bytes.
    size
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
            if simplejpeg.decode_jpeg_header(data)[:2] == size:
                out = np.empty((*size, 3), np.uint8) if out is None else out
                simplejpeg.decode_jpeg(data, colorspace="RGB", buffer=out)
                return out
    picture = _imdecode(data, cv2.IMREAD_COLOR_RGB)
    if picture is None or picture.shape != (*size, 3):
        raise ImageError(f"{name}: is not an image of {size[1]}x{size[0]} pixels, or is truncated")
    if out is None:
        return picture
    out[...] = picture
    return out


def decode_opaque(data: bytes, name: str, out: NDArray[np.uint8]) -> None:
    """Decode as `decode_input` does, into `out` (H, W, 4) uint8, contiguous: R, G, B and 255; raises what it raises.

    What is in `out` then is anything.
    """
    if simplejpeg is not None and data.startswith(_JPEG):
        # Of what size it is turns out then: asking before is waiting for Python's lock once more.
        with contextlib.suppress(ValueError):
            if simplejpeg.decode_jpeg(data, colorspace="RGBA", buffer=out).shape == out.shape:
                return
    cv2.cvtColor(decode_input(data, out.shape[:2], name), cv2.COLOR_RGB2RGBA, dst=out)


def encode(picture: NDArray[np.uint8], encoding: ImageEncoding, quality: int) -> bytes:
    """Encode a (H, W, 3) uint8 B, G, R picture; `raw` gives the bytes of its R, G, B pixels."""
    if encoding == "raw":
        return np.ascontiguousarray(picture[..., ::-1]).tobytes()
    suffix, parameters = {
        # With Huffman tables of its own a picture has 3 to 4 % fewer bytes, and the same pixels.
        "jpeg": (".jpg", [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_OPTIMIZE, 1]),
        "png": (".png", [cv2.IMWRITE_PNG_COMPRESSION, 3]),
    }[encoding]
    written, data = cv2.imencode(suffix, picture, parameters)
    if not written:
        raise ImageError(f"OpenCV could not encode a picture of {picture.shape[1]}x{picture.shape[0]} as {encoding}")
    return data.tobytes()


def _decode_usual(data: bytes, size: Size) -> NDArray[np.uint8] | None:
    """Decode a flawless JPEG of that (height, width), as it is stored, in an eighth less time than OpenCV's.

    The package simplejpeg has the same decoder, and gives the same pixels. What that remarks on, or has no usual
    colours, is OpenCV's to judge: None is returned.
    """
    if simplejpeg is None or not data.startswith(_JPEG):
        return None
    with contextlib.suppress(ValueError):
        *found, colours, _ = simplejpeg.decode_jpeg_header(data)
        if tuple(found) == size and colours in _USUAL:
            return np.asarray(simplejpeg.decode_jpeg(data, colorspace="BGR"), np.uint8)
    return None


def _explain(data: bytes) -> str:
    """Say of what kind a file is that is no picture which OpenCV reads."""
    kind = name_kind(data)
    return "" if kind is None or kind in _READ else f"; it is of the kind {kind}, which cannot be read here"


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
