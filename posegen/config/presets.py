"""Configurations that have a name: what they have else than the default."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_TOP_DOWN: Mapping[str, Any] = {
    "skeleton": None,
    "unit": "person",
    "labels": ("heatmap", "weight"),
    "input_size": (256, 192),
    "stride": 4,
    "grid": "point",
    "sigma_px": None,
    "sigma_cells": 2.0,
}

PRESETS: Mapping[str, Mapping[str, Any]] = {
    "tf-pose": {},
    "coco": {"skeleton": None},
    "openpose": {"grid": "point", "sigma_px": 7.0, "paf": "cells"},
    "msra": {**_TOP_DOWN, "heatmap": "msra"},
    "msra-unbiased": {**_TOP_DOWN, "heatmap": "msra-unbiased"},
    "udp": {**_TOP_DOWN, "heatmap": "udp", "crop": "udp"},
    "megvii": {**_TOP_DOWN, "heatmap": "megvii"},
}
"""`tf-pose`: the labels of tf-pose-estimation. `coco`: the same for the category's own keypoints and limbs. `openpose`:
those of OpenPose's training code. The others are top-down: one sample a person, and the heatmaps of MMPose's codecs."""
