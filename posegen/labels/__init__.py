"""The labels: one file each, behind one protocol."""

from posegen.labels.base import ArraySpec, Label, Region, Scene
from posegen.labels.heatmap import HeatmapLabel
from posegen.labels.mask import MaskLabel
from posegen.labels.online import render_heatmap, render_paf
from posegen.labels.paf import PafLabel
from posegen.labels.storage import LabelDtype, Storage, choose_storage
from posegen.labels.topdown import TopDownKind, TopDownLabel, WeightLabel

__all__ = [
    "ArraySpec",
    "HeatmapLabel",
    "Label",
    "LabelDtype",
    "MaskLabel",
    "PafLabel",
    "Region",
    "Scene",
    "Storage",
    "TopDownKind",
    "TopDownLabel",
    "WeightLabel",
    "choose_storage",
    "render_heatmap",
    "render_paf",
]
