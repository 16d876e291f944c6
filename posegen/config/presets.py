"""Configurations that have a name."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from posegen.config.model import BuildConfig

_TOP_DOWN = BuildConfig(
    skeleton=None,
    unit="person",
    labels=("heatmap", "weight"),
    input_size=(256, 192),
    stride=4,
    grid="point",
    heatmap="msra",
    sigma_px=None,
    sigma_cells=2.0,
)

PRESETS: Mapping[str, BuildConfig] = {
    "tf-pose": BuildConfig(),
    "coco": BuildConfig(skeleton=None),
    "openpose": BuildConfig(grid="point", sigma_px=7.0, paf="cells"),
    "msra": _TOP_DOWN,
    "msra-unbiased": dataclasses.replace(_TOP_DOWN, heatmap="msra-unbiased"),
    "udp": dataclasses.replace(_TOP_DOWN, heatmap="udp", crop="udp"),
    "megvii": dataclasses.replace(_TOP_DOWN, heatmap="megvii"),
}
"""`tf-pose`: the labels of tf-pose-estimation. `coco`: the same for the category's own keypoints and limbs. `openpose`:
those of OpenPose's training code. The others are top-down: one sample a person, and the heatmaps of MMPose's codecs."""
