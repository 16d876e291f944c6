"""The image entries of an annotation file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from posegen.annotations.values import Problems, brief, is_id, is_size, is_text

_MOST_PIXELS = 1 << 28


@dataclass(frozen=True, slots=True, eq=False)
class Image:
    """An image entry that could be read; width and height in pixels."""

    file_name: str
    width: int
    height: int


def read_images(entries: list[Any], problems: Problems) -> dict[int, Image]:
    """Return the images by id; what is wrong with one is added to the problems."""
    images: dict[int, Image] = {}
    for position, entry in enumerate(entries):
        if not isinstance(entry, dict) or not is_id(entry.get("id")):
            problems.add(f"images[{position}]: expected an object with a whole number 'id'")
            continue
        image_id, name = entry["id"], entry.get("file_name")
        width, height = entry.get("width"), entry.get("height")
        if image_id in images:
            problems.add(f"image {image_id}: the id occurs more than once")
            continue
        # Its annotations are not to blame as well.
        images[image_id] = Image("", 1, 1)
        if not is_text(name) or not name or "\0" in name:
            problems.add(f"image {image_id}: 'file_name' must be a name, not {brief(name)}")
        elif PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name.replace("\\", "/")).parts:
            problems.add(f"image {image_id}: file_name {name!r} leaves the image directory")
        elif not is_size(width) or not is_size(height):
            problems.add(f"image {image_id}: 'width' and 'height' must be whole numbers from 1 on, not {brief(width)} "
                         f"and {brief(height)}")  # fmt: skip
        elif width * height > _MOST_PIXELS:
            problems.add(f"image {image_id}: {width}x{height} pixels are more than the {_MOST_PIXELS} that are decoded")
        else:
            images[image_id] = Image(name, int(width), int(height))
    return images
