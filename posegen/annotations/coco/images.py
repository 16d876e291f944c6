"""The image entries of an annotation file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from posegen.annotations.coco.checks import Problems, brief, is_id, is_size, is_text
from posegen.errors import ImageError
from posegen.geometry import Size

_MOST_PIXELS = 1 << 28


@dataclass(frozen=True, slots=True, eq=False)
class Image:
    """An image entry that could be read; width and height in pixels."""

    file_name: str
    width: int
    height: int


def read_images(entries: list[Any], directory: Path | None, problems: Problems) -> tuple[dict[int, Image], int]:
    """Read the image entries; what is wrong with one is added to the problems.

    Returns
    -------
    The images by id, and how many of them state no size: it is read from their pictures in `directory`, as stored, that
    is without their EXIF orientation.
    """
    measured = 0
    images: dict[int, Image] = {}
    for position, entry in enumerate(entries):
        if not isinstance(entry, dict) or not is_id(entry.get("id")):
            problems.add(f"images[{position}]: expected an object with a whole number 'id'")
            continue
        image_id, name = entry["id"], entry.get("file_name")
        if image_id in images:
            problems.add(f"image {image_id}: the id occurs more than once")
            continue
        # Its annotations are not to blame as well.
        images[image_id] = Image("", 1, 1)
        if not is_text(name) or not name or "\0" in name:
            problems.add(f"image {image_id}: 'file_name' must be a name, not {brief(name)}")
        elif PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name.replace("\\", "/")).parts:
            problems.add(f"image {image_id}: file_name {name!r} leaves the image directory")
        else:
            unstated = entry.get("width") is None and entry.get("height") is None
            measured += unstated
            try:
                height, width = _find_size(directory, name) if unstated else _state(entry)
            except ValueError as error:
                problems.add(f"image {image_id}: {error}")
            else:
                images[image_id] = Image(name, width, height)
    return images, measured


def _find_size(directory: Path | None, name: str) -> Size:
    from posegen.images.files import read_size

    if directory is None:
        raise ValueError("it has no 'width' and 'height', and there is no image directory to read them from")
    try:
        return _limit(*read_size(directory, name))
    except ImageError as error:
        raise ValueError(f"it has no 'width' and 'height', and its picture does not tell: {error}") from error


def _state(entry: Mapping[str, Any]) -> Size:
    width, height = entry.get("width"), entry.get("height")
    if not is_size(width) or not is_size(height):
        raise ValueError(
            f"'width' and 'height' must be whole numbers from 1 on, not {brief(width)} and {brief(height)}"
        )
    return _limit(int(height), int(width))


def _limit(height: int, width: int) -> Size:
    if width * height > _MOST_PIXELS:
        raise ValueError(f"{width}x{height} pixels are more than the {_MOST_PIXELS} that are decoded")
    return height, width
