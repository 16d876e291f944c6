"""What a person is made of: the names of the keypoints, the limbs between them, the pairs a mirror swaps.

A `Skeleton` describes the keypoints of the *labels*. Each of them names its parents among the keypoints of
the *annotations*: one parent is the keypoint itself, several are averaged (the neck). So reordering, leaving out
and deriving keypoints are one operation, `Skeleton.derive`.
"""

from posegen.skeleton.builtin import BODY_25, COCO_17, OPENPOSE_18, SKELETONS
from posegen.skeleton.files import load_skeleton, read_skeleton, write_skeleton
from posegen.skeleton.flip_pairs import Limb, find_flip_pairs, is_left
from posegen.skeleton.skeleton import Skeleton

__all__ = [
    "BODY_25",
    "COCO_17",
    "OPENPOSE_18",
    "SKELETONS",
    "Limb",
    "Skeleton",
    "find_flip_pairs",
    "is_left",
    "load_skeleton",
    "read_skeleton",
    "write_skeleton",
]
