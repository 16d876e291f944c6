"""What changes the bytes of a dataset, and nothing else.

Workers, progress and paths are arguments of `posegen.pipeline.build`; they must not change a byte.
"""

from posegen.config.model import BuildConfig
from posegen.config.options import load_options
from posegen.config.presets import PRESETS
from posegen.config.values import CHOICES, ImageEncoding

__all__ = ["CHOICES", "PRESETS", "BuildConfig", "ImageEncoding", "load_options"]
