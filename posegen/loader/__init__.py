"""Reading a dataset for training."""

from posegen.loader.dataset import MAX_OPEN, PoseDataset
from posegen.loader.fields import Field
from posegen.loader.reading import Allocate

__all__ = ["MAX_OPEN", "Allocate", "Field", "PoseDataset"]
