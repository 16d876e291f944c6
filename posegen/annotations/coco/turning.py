"""Whether annotations are of pictures as they are stored, or as their EXIF orientation shows them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posegen.annotations.coco.images import Image
from posegen.annotations.coco.keypoints import count_keypoints, read_triplets
from posegen.errors import AnnotationError, ImageError
from posegen.geometry import Size
from posegen.storage import AnyPath

_MOST_OPENED = 1000
MARGIN = 1.0
"""Pixels by which points may lie outside."""


def turn_unstated(undecided: Mapping[int, Size], images: dict[int, Image], entries: Iterable[Any]) -> list[str]:
    """Turn the images that state no size, where their points fit only the picture as shown.

    Parameters
    ----------
    undecided
        Of images on their side, their (height, width) as shown, by id.
    images
        All images; those that are turned are replaced.
    entries
        The annotation entries.

    Returns
    -------
    The names of the pictures that were turned.
    """
    turned = []
    for entry in entries if undecided else ():
        image_id = entry.get("image_id") if isinstance(entry, dict) else None
        if not isinstance(image_id, int) or image_id not in undecided or not (image := images[image_id]).file_name:
            continue
        values = entry.get("keypoints")
        try:
            points = read_triplets(values, count_keypoints(values) or 0)
        except ValueError:
            continue
        if (image.height, image.width) != undecided[image_id] and fit_only_turned(points, image):
            images[image_id] = dataclasses.replace(image, width=image.height, height=image.width)
            turned.append(image.file_name)
    return turned


def refuse_turned(path: AnyPath, directory: AnyPath | None, suspects: Mapping[str, Image]) -> None:
    """Refuse annotations whose points fit only the pictures as shown, while sizes are stated as they are stored.

    Parameters
    ----------
    path, directory
        The annotation file, and that of the pictures.
    suspects
        Images that have people whose points fit only an image on its side, by file name.

    Raises
    ------
    AnnotationError
        If any of their pictures has such an orientation.
    """
    from posegen.images.exif import is_sideways
    from posegen.images.files import read_size, read_turn

    if directory is None or not directory.is_dir():
        return
    turned = []
    for name, image in list(suspects.items())[:_MOST_OPENED]:
        try:
            if is_sideways(read_turn(directory, name)) and read_size(directory, name) == (image.height, image.width):
                turned.append(image)
        except ImageError:
            continue  # the build says what is wrong with it
    if turned:
        image = turned[0]
        raise AnnotationError(
            f"{path}: the points of {len(turned)} images, such as {image.file_name}, leave the "
            f"{image.width}x{image.height} pixels that are stored, but fit the {image.height}x{image.width} that "
            "are shown: the annotating tool turned these pictures by their EXIF orientation. --exif shown turns all "
            "pictures so; --exif stored takes the points as they are"
        )


def fit_only_turned(points: NDArray[np.float64], image: Image) -> bool:
    """Tell whether labelled points (n, 3) x, y, v leave an image, and do not if it is laid on its side."""
    labelled = points[points[:, 2] > 0, :2]
    if not len(labelled) or labelled.min() < -MARGIN:
        return False
    reach = labelled.max(axis=0)
    size = np.array([image.width, image.height])
    return bool((reach > size + MARGIN).any() and (reach <= size[::-1] + MARGIN).all())
