"""COCO keypoint annotations: found, read, checked and counted, once, at the border.

What leaves this package is trusted: ids are unique, numbers are finite, file names stay inside the image directory.
Problems are collected and reported together. pycocotools' own `COCO` class keeps the last of two equal ids, prints, and
asserts; it is what the tests compare this package with.
"""

from posegen.annotations.paths import CocoPaths, find_coco
from posegen.annotations.reading import read_coco
from posegen.annotations.sample import CocoKeypoints, Sample, Shape
from posegen.annotations.shapes import is_segmentation

__all__ = ["CocoKeypoints", "CocoPaths", "Sample", "Shape", "find_coco", "is_segmentation", "read_coco"]
