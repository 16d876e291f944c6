"""posegen for TensorFlow; needs `pip install 'posegen[tensorflow]'`."""

from posegen.errors import MissingExtraError

try:
    import tensorflow as tf  # noqa: F401 (whether it is there)
except ModuleNotFoundError as error:
    raise MissingExtraError("TensorFlow", "tensorflow") from error

from posegen.labels.online.tensorflow import render_heatmap_tf
from posegen.loader.tensorflow.dataset import tf_dataset

__all__ = ["render_heatmap_tf", "tf_dataset"]
