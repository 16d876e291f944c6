"""posegen for TensorFlow; needs `pip install 'posegen[tensorflow]'`."""

from posegen.errors import MissingExtraError

try:
    import tensorflow as tf  # noqa: F401 (whether it is there)
except ModuleNotFoundError as error:
    raise MissingExtraError("TensorFlow", "tensorflow") from error

from posegen.adapters.tensorflow.dataset import tf_dataset
from posegen.adapters.tensorflow.rendering import render_heatmap_tf

__all__ = ["render_heatmap_tf", "tf_dataset"]
