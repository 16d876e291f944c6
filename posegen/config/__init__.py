"""What changes the bytes of a dataset, and nothing else.

Workers, progress and paths are arguments of `posegen.build.pipeline.build`; they must not change a byte.
"""

from posegen.config.choices import CHOICES, LabelDtype
from posegen.config.config import BuildConfig
from posegen.config.options import load_options
from posegen.config.presets import PRESETS

__all__ = ["CHOICES", "PRESETS", "BuildConfig", "LabelDtype", "load_options"]
