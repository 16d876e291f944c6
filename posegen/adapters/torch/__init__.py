"""posegen for PyTorch; needs `pip install 'posegen[torch]'`."""

from posegen.errors import MissingExtraError

try:
    import torch  # noqa: F401 (whether it is there)
except ModuleNotFoundError as error:
    raise MissingExtraError("PyTorch", "torch") from error

from posegen.adapters.torch.dataset import TorchPoseDataset, collate
from posegen.adapters.torch.rendering import render_heatmap_torch
from posegen.adapters.torch.sampling import ShardShuffleSampler

__all__ = ["ShardShuffleSampler", "TorchPoseDataset", "collate", "render_heatmap_torch"]
