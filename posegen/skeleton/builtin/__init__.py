"""The skeletons of published datasets, each as its dataset defines it.

Names and their order are those of the annotation files, so that a file's category and the skeleton agree. Limbs are the
file's own or, where it has none of use, those of MMPose (github.com/open-mmlab/mmpose, configs/_base_/datasets), whose
records the sigmas are checked against, too.
"""

from posegen.skeleton.builtin.animals import AP10K_17
from posegen.skeleton.builtin.coco import COCO_17, COCO_FOOT_23
from posegen.skeleton.builtin.faces import FACE_68, WFLW_98
from posegen.skeleton.builtin.goliath import GOLIATH_308
from posegen.skeleton.builtin.halpe import HALPE_26, HALPE_136
from posegen.skeleton.builtin.openpose import BODY_25, OPENPOSE_18
from posegen.skeleton.builtin.people import AIC_14, CROWDPOSE_14, JHMDB_15, MPII_16, POSETRACK_17
from posegen.skeleton.builtin.wholebody import COCO_WHOLEBODY_133, HAND_21

SKELETONS = {
    skeleton.name: skeleton
    for skeleton in (
        COCO_17, OPENPOSE_18, BODY_25, COCO_FOOT_23, COCO_WHOLEBODY_133, HALPE_26, HALPE_136, GOLIATH_308, MPII_16,
        CROWDPOSE_14, AIC_14, POSETRACK_17, JHMDB_15, FACE_68, WFLW_98, HAND_21, AP10K_17,
    )
}  # fmt: skip
"""The built-in skeletons by name."""

__all__ = ["BODY_25", "COCO_17", "OPENPOSE_18", "SKELETONS"]
