"""The labels: one file each, behind one protocol."""

from posegen.labels.base import (
    ArraySpec,
    BatchLabel,
    Label,
    LimitedLabel,
    PlacedLabel,
    RegionLabel,
    needs_ignored,
    render_into,
    render_scenes,
)
from posegen.labels.heatmap import HeatmapLabel
from posegen.labels.mask import MaskLabel
from posegen.labels.mirror import ChannelMirror, keep_channels, mirror_keypoints, mirror_limbs
from posegen.labels.online.arrays import render_heatmap, render_paf, render_top_down
from posegen.labels.paf import CellPafLabel, PafLabel
from posegen.labels.registry import LabelContext, LabelFactory, LabelOption, create_label, list_labels
from posegen.labels.scene import Region, Scene
from posegen.labels.topdown import TopDownKind, TopDownLabel
from posegen.labels.weight import WeightLabel

__all__ = [
    "ArraySpec",
    "BatchLabel",
    "CellPafLabel",
    "ChannelMirror",
    "HeatmapLabel",
    "Label",
    "LabelContext",
    "LabelFactory",
    "LabelOption",
    "LimitedLabel",
    "MaskLabel",
    "PafLabel",
    "PlacedLabel",
    "Region",
    "RegionLabel",
    "Scene",
    "TopDownKind",
    "TopDownLabel",
    "WeightLabel",
    "create_label",
    "keep_channels",
    "list_labels",
    "mirror_keypoints",
    "mirror_limbs",
    "needs_ignored",
    "render_heatmap",
    "render_into",
    "render_paf",
    "render_scenes",
    "render_top_down",
]
