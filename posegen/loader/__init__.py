"""Reading a dataset for training."""

from posegen.loader.dataset import MAX_OPEN, Allocate, PoseDataset
from posegen.loader.fields import Field

__all__ = ["MAX_OPEN", "Allocate", "Field", "PoseDataset"]
