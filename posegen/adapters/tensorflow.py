"""The names of `posegen.loader.tensorflow`, under the name that they had before."""

from posegen.loader.tensorflow import render_heatmap_tf, tf_dataset

__all__ = ["render_heatmap_tf", "tf_dataset"]
