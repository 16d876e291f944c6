"""The one door to a dataset's annotations, whoever wrote them."""

from __future__ import annotations

import os
from pathlib import Path

from posegen.annotations.coco.paths import find_coco
from posegen.annotations.coco.read import read_coco
from posegen.annotations.sample import Annotations
from posegen.config import BuildConfig


def read_annotations(
    path: str | os.PathLike[str],
    config: BuildConfig,
    *,
    split: str | None = None,
    images: str | os.PathLike[str] | None = None,
    need_images: bool = True,
) -> Annotations:
    """Find a dataset's annotations and images, read, check and count them.

    Parameters
    ----------
    path
        A COCO root or an annotation file; see `posegen.annotations.find_coco`.
    config
        Which categories and which skeleton, and who is drawn.
    split, images
        Which split of a root, and the image directory, if that is not obvious.
    need_images
        Whether it is an error that there is no image directory.

    Raises
    ------
    ConfigError
        If something does not exist, or `config` does not fit the file.
    AnnotationError
        If the file is not what it has to be.
    """
    found = find_coco(Path(path), split=split, images=None if images is None else Path(images), need_images=need_images)
    return read_coco(found.annotations, config, found.images)
