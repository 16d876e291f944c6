"""What annotations become: samples of an image and its people, in the image's own pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posegen.annotations.audit import Audit
from posegen.skeleton import Skeleton
from posegen.storage import AnyPath


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shape:
    """Where a person or a crowd is, as the file has it.

    Attributes
    ----------
    segmentation
        Polygons (a list of x, y, x, y ... lists), an RLE (a mapping with `counts` and `size`), or None.
    bbox
        x, y, width, height in image pixels, standing in for a missing segmentation; or None.
    """

    segmentation: list[list[float]] | dict[str, Any] | None
    bbox: tuple[float, float, float, float] | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sample:
    """One image and the N people that are drawn on it, in the image's own pixels.

    Attributes
    ----------
    image_id, file_name
        As in the file; the name is relative to the image directory, and spelt as there.
    width, height
        What the file says, in pixels.
    keypoints
        (N, K0, 3) float64 x, y, v of the annotated keypoints; x and y are finite, v is 0 where not labelled.
    bboxes
        (N, 4) float64 x, y, width, height; NaN where the file has none.
    annotation_ids
        (N,) int64.
    ignored
        The shapes of the people and crowds nobody labelled.
    drawn
        The shapes of the drawn people, in their order; empty where nothing is ignored, as nobody asks then.
    copy
        Which of the image's copies it is, from 0.
    unknown
        (N, K0) uint8: above 0 where the source does not know of a keypoint, as `posegen.skeleton.unknown` counts; there
        v is 0. None where it knows of all.
    source
        Which of several sources it is of, by name; '' where there is one. Then the file name begins with it, and a
        slash: as `posegen.annotations.sources.SourceImages` finds it.
    """

    image_id: int
    file_name: str
    width: int
    height: int
    keypoints: NDArray[np.float64]
    bboxes: NDArray[np.float64]
    annotation_ids: NDArray[np.int64]
    ignored: tuple[Shape, ...] = ()
    drawn: tuple[Shape, ...] = ()
    copy: int = 0
    unknown: NDArray[np.uint8] | None = None
    source: str = ""

    @property
    def stated_name(self) -> str:
        """The file name as the annotations have it."""
        return self.file_name.removeprefix(f"{self.source}/") if self.source else self.file_name


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Annotations:
    """What an annotation file says.

    Attributes
    ----------
    path, images
        The file, and the directory that the samples' file names are relative to.
    names
        The K0 annotated keypoints' names.
    skeleton
        Of the labels.
    samples
        By source and image id. Of a file that is read as columns each is made when it is asked for.
    audit
        What was left out or noticed.
    missing
        The names for which there is no file among `images`, each with what may help, or nothing.
    limbs_left_out
        Why the file's limbs are not those of the skeleton, if they cannot be.
    sources
        What each of several sources says, by name, of which all else here is joined; none where there is one.
    """

    path: AnyPath
    images: AnyPath
    names: tuple[str, ...]
    skeleton: Skeleton
    samples: Sequence[Sample]
    audit: Audit
    missing: Mapping[str, str] = field(default_factory=dict)
    limbs_left_out: str = ""
    sources: Mapping[str, Annotations] = field(default_factory=dict)

    @property
    def place(self) -> str:
        """What messages call it: the file, or the files of several sources."""
        return ", ".join(str(one.path) for one in self.sources.values()) or str(self.path)
