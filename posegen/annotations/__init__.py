"""What a dataset says, whoever wrote it: found, read, checked and counted, once, at the border.

`read_annotations` is the door, `find_annotations` the first half of it; `coco` reads COCO's files, `sample` is what
they become, `sources` joins several, `audit` counts what was odd.

What leaves this package is trusted: ids are unique, numbers are finite, file names stay inside the image directory.
Problems are collected and reported together. pycocotools' own `COCO` class keeps the last of two equal ids, prints, and
asserts; it is what the tests compare this package with.
"""

from posegen.annotations.coco.ids import number_text
from posegen.annotations.coco.paths import CocoPaths, find_coco
from posegen.annotations.coco.peek import fits_skeleton
from posegen.annotations.coco.read import read_coco, read_skeleton
from posegen.annotations.read import (
    AnnotationSource,
    JoinedSource,
    Sources,
    find_annotations,
    find_recorded,
    read_annotations,
)
from posegen.annotations.sample import Annotations, Sample, Shape

__all__ = [
    "AnnotationSource",
    "Annotations",
    "CocoPaths",
    "JoinedSource",
    "Sample",
    "Shape",
    "Sources",
    "find_annotations",
    "find_coco",
    "find_recorded",
    "fits_skeleton",
    "number_text",
    "read_annotations",
    "read_coco",
    "read_skeleton",
]
