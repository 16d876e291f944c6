"""Reading a dataset for training."""

from posegen.dataset.fields import Field
from posegen.dataset.samples import MAX_OPEN, Allocate, PoseDataset

__all__ = ["MAX_OPEN", "Allocate", "Field", "PoseDataset"]
