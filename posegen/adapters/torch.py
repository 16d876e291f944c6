"""The names of `posegen.loader.torch`, under the name that they had before."""

from posegen.loader.torch import (
    DeviceViews,
    PoseLoader,
    ShardShuffleSampler,
    TorchPoseDataset,
    collate,
    render_heatmap_torch,
    render_paf_torch,
)

__all__ = [
    "DeviceViews",
    "PoseLoader",
    "ShardShuffleSampler",
    "TorchPoseDataset",
    "collate",
    "render_heatmap_torch",
    "render_paf_torch",
]
