"""Labels drawn by PyTorch, of batches, on whatever device these are."""

from posegen.labels.online.torch.render import render_heatmap_torch, render_paf_torch

__all__ = ["render_heatmap_torch", "render_paf_torch"]
