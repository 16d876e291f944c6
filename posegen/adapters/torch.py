"""The names of `posegen.loader.torch`, under the name that they had before."""

from posegen.loader.torch import ShardShuffleSampler, TorchPoseDataset, collate, render_heatmap_torch

__all__ = ["ShardShuffleSampler", "TorchPoseDataset", "collate", "render_heatmap_torch"]
