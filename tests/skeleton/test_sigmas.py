"""The built-in skeletons' sigmas, against where they come from."""

from __future__ import annotations

import pytest
from pycocotools.cocoeval import Params

from posegen.skeleton import SKELETONS


def test_ap10k_has_those_of_coco_in_coco_s_order_but_for_the_nose_that_comes_third() -> None:
    # As in MMPose's configuration of the dataset, which says that the paper has none.
    coco = Params("keypoints").kpt_oks_sigmas.tolist()
    ap10k = SKELETONS["ap10k-17"]
    assert ap10k.sigmas == pytest.approx([coco[1], coco[2], coco[0], *coco[3:]], rel=1e-12)
    named = dict(zip(ap10k.keypoints, ap10k.sigmas, strict=True))
    assert (named["nose"], named["neck"], named["root_of_tail"]) == (0.026, 0.035, 0.035)
    assert (named["left_shoulder"], named["left_elbow"], named["left_front_paw"]) == (0.079, 0.079, 0.072)
    assert (named["right_shoulder"], named["right_elbow"], named["right_front_paw"]) == (0.072, 0.062, 0.062)
    assert (named["left_hip"], named["left_knee"], named["left_back_paw"]) == (0.107, 0.107, 0.087)
    assert (named["right_hip"], named["right_knee"], named["right_back_paw"]) == (0.087, 0.089, 0.089)
