"""posegen for PyTorch; needs `pip install 'posegen[torch]'`."""

from posegen.errors import MissingExtraError

try:
    import torch  # noqa: F401 (whether it is there)
except ModuleNotFoundError as error:
    raise MissingExtraError("PyTorch", "torch") from error

from posegen.labels.online.torch import render_heatmap_torch, render_paf_torch
from posegen.loader.torch.dataset import TorchPoseDataset, collate
from posegen.loader.torch.device import DeviceViews
from posegen.loader.torch.loader import PoseLoader
from posegen.loader.torch.sampling import ShardShuffleSampler

__all__ = [
    "DeviceViews",
    "PoseLoader",
    "ShardShuffleSampler",
    "TorchPoseDataset",
    "collate",
    "render_heatmap_torch",
    "render_paf_torch",
]
