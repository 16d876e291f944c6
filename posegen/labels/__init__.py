"""The labels: one file each, behind one protocol."""

from posegen.labels.base import ArraySpec, BatchLabel, Label, render_scenes
from posegen.labels.heatmap import HeatmapLabel
from posegen.labels.mask import MaskLabel
from posegen.labels.online.arrays import render_heatmap, render_paf, render_top_down
from posegen.labels.paf import CellPafLabel, PafLabel
from posegen.labels.registry import LabelContext, LabelFactory, LabelOption, create_label, list_labels
from posegen.labels.scene import Region, Scene
from posegen.labels.topdown import TopDownKind, TopDownLabel, WeightLabel

__all__ = [
    "ArraySpec",
    "BatchLabel",
    "CellPafLabel",
    "HeatmapLabel",
    "Label",
    "LabelContext",
    "LabelFactory",
    "LabelOption",
    "MaskLabel",
    "PafLabel",
    "Region",
    "Scene",
    "TopDownKind",
    "TopDownLabel",
    "WeightLabel",
    "create_label",
    "list_labels",
    "render_heatmap",
    "render_paf",
    "render_scenes",
    "render_top_down",
]
