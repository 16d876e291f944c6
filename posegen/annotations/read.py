"""The one door to a dataset's annotations, whoever wrote them: find them, and read what was found."""

from __future__ import annotations

from dataclasses import dataclass

from posegen.annotations.coco.paths import find_coco
from posegen.annotations.coco.read import read_coco
from posegen.annotations.sample import Annotations
from posegen.config import BuildConfig
from posegen.storage import AnyPath, Location


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotationSource:
    """Annotations that were found and not read yet; made by `find_annotations`.

    Attributes
    ----------
    path, images
        The annotation file, and the directory that its file names are relative to.
    """

    path: AnyPath
    images: AnyPath

    def read(self, config: BuildConfig) -> Annotations:
        """Read, check and count them.

        Parameters
        ----------
        config
            Which categories and which skeleton, and who is drawn.

        Raises
        ------
        ConfigError
            If `config` does not fit the file.
        AnnotationError
            If the file is not what it has to be.
        """
        return read_coco(self.path, config, self.images)


def find_annotations(
    path: Location,
    *,
    split: str | None = None,
    images: Location | None = None,
    need_images: bool = True,
) -> AnnotationSource:
    """Find a dataset's annotations and images, which says what is wrong with a path before long work begins.

    Parameters
    ----------
    path
        A COCO root or an annotation file; see `posegen.annotations.find_coco`.
    split, images
        Which split of a root, and the image directory, archive or URL, if that is not obvious.
    need_images
        Whether it is an error that there is no image directory.

    Raises
    ------
    ConfigError
        If something does not exist, or several things could be meant.
    """
    found = find_coco(path, split=split, images=images, need_images=need_images)
    return AnnotationSource(path=found.annotations, images=found.images)


def read_annotations(
    path: Location,
    config: BuildConfig,
    *,
    split: str | None = None,
    images: Location | None = None,
    need_images: bool = True,
) -> Annotations:
    """Find a dataset's annotations and images, read, check and count them.

    Parameters
    ----------
    path, split, images, need_images
        As for `find_annotations`.
    config
        Which categories and which skeleton, and who is drawn.

    Raises
    ------
    ConfigError
        If something does not exist, or `config` does not fit the file.
    AnnotationError
        If the file is not what it has to be.
    """
    return find_annotations(path, split=split, images=images, need_images=need_images).read(config)
