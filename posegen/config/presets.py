"""Configurations that have a name: for which networks they are, and what they have else than the defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from posegen.skeleton import BODY_25

DEFAULT_PRESET = "tf-pose"
"""What a build starts from where no other is named: the defaults of `BuildConfig`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """A configuration that has a name.

    Attributes
    ----------
    about
        What it is, in a line.
    networks
        The networks and trainers whose labels these are.
    changes
        Fields of `BuildConfig`, where it has not their defaults.
    """

    about: str
    networks: str
    changes: Mapping[str, Any]


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

_OPENPOSE: Mapping[str, Any] = {
    "grid": "point",
    "sigma_px": 7.0,
    "paf": "cells",
    "labels": ("heatmap", "paf", "mask", "heatmap_mask", "paf_mask"),
}

PRESETS: Mapping[str, Preset] = {
    "tf-pose": Preset(
        about="Heatmaps, part affinity fields and masks of whole images, drawn at full resolution and reduced.",
        networks="tf-pose-estimation; bottom-up networks with 18 keypoints",
        changes={},
    ),
    "coco": Preset(
        about="The labels of tf-pose, for the keypoints and limbs of the file's own categories.",
        networks="bottom-up networks for COCO's 17 keypoints, or another dataset's",
        changes={"skeleton": None},
    ),
    "openpose": Preset(
        about="The labels of OpenPose's training code: heatmaps at the cells' middles, fields drawn on cells.",
        networks="OpenPose",
        changes=_OPENPOSE,
    ),
    "openpose-25": Preset(
        about="The labels of openpose with the feet: for COCO-WholeBody, or COCO and a source that has feet.",
        networks="OpenPose's BODY_25",
        changes={**_OPENPOSE, "skeleton": BODY_25},
    ),
    "msra": Preset(
        about="A crop a person; Gaussians around whole cells.",
        networks="HRNet, Simple Baselines; MMPose's MSRAHeatmap",
        changes={**_TOP_DOWN, "heatmap": "msra"},
    ),
    "msra-unbiased": Preset(
        about="A crop a person; Gaussians around the keypoints themselves, on all cells.",
        networks="DARK; MMPose's MSRAHeatmap with unbiased",
        changes={**_TOP_DOWN, "heatmap": "msra-unbiased"},
    ),
    "udp": Preset(
        about="A crop a person, mapped without bias; Gaussians around the keypoints themselves.",
        networks="UDP, ViTPose; MMPose's UDPHeatmap",
        changes={**_TOP_DOWN, "heatmap": "udp", "crop": "udp"},
    ),
    "simcc": Preset(
        about="A crop a person; a curve a keypoint and axis, over two bins a pixel.",
        networks="SimCC; MMPose's SimCCLabel",
        changes={**_TOP_DOWN, "labels": ("simcc", "weight")},
    ),
    "rtmpose": Preset(
        about="A crop a person; the curves of SimCC that peak at 1.",
        networks="RTMPose; at 288x384 its sigmas are 6 and 6.93, at 256x256 both 5.66",
        changes={
            **_TOP_DOWN,
            "labels": ("simcc", "weight"),
            "label_options": {"simcc": {"sigma_x": 4.9, "sigma_y": 5.66, "normalize": False}},
        },
    ),
    "megvii": Preset(
        about="A crop a person; one cell, blurred.",
        networks="CPN, MSPN, RSN; MMPose's MegviiHeatmap",
        changes={**_TOP_DOWN, "heatmap": "megvii"},
    ),
    "higherhrnet": Preset(
        about="Heatmaps of whole images at two strides, and where each person's keypoints are for its tags.",
        networks="HigherHRNet; bottom-up networks with associative embedding",
        changes={
            "skeleton": None,
            "labels": ("heatmap", "mask", "keypoint_indices"),
            "input_size": (512, 512),
            "stride": (4.0, 2.0),
            "grid": "point",
            "heatmap": "higherhrnet",
            "sigma_px": None,
            "sigma_cells": 2.0,
        },
    ),
    "centernet": Preset(
        about="Centres, boxes and keypoints of whole images, as heatmaps and as a table of 32 people.",
        networks="CenterNet, CenterTrack, MoveNet",
        changes={"skeleton": None, "labels": ("centernet",), "input_size": (512, 512), "stride": 4.0, "grid": "point"},
    ),
    "openpifpaf": Preset(
        about="Composite fields of whole images: ways to keypoints, and along limbs to both ends, with their sizes.",
        networks="openpifpaf",
        changes={
            "skeleton": None,
            "labels": ("cif", "caf"),
            "input_size": (384, 384),
            "stride": 16.0,
            "grid": "point",
        },
    ),
}
"""By name, the default first."""


def keep_options(changes: Mapping[str, Any], labels: Any) -> Mapping[str, Any]:
    """Return a preset's changes without options of labels that are none of `labels`; None keeps all."""
    if labels is None or "label_options" not in changes:
        return changes
    kept = {name: of for name, of in changes["label_options"].items() if name in labels}
    return {**changes, "label_options": kept}
