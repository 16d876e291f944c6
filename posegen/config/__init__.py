"""What changes the bytes of a dataset, and nothing else.

Workers, progress and paths are arguments of `posegen.build.pipeline.build`; they must not change a byte.
"""

from posegen.config.choices import LabelDtype
from posegen.config.config import BuildConfig
from posegen.config.dump import write_options
from posegen.config.fields import FIELDS, RUN_FIELDS
from posegen.config.options import Options, RunOptions, read_options, read_words
from posegen.config.presets import DEFAULT_PRESET, PRESETS, Preset
from posegen.config.sources import Source, SourceRules

__all__ = [
    "DEFAULT_PRESET",
    "FIELDS",
    "PRESETS",
    "RUN_FIELDS",
    "BuildConfig",
    "LabelDtype",
    "Options",
    "Preset",
    "RunOptions",
    "Source",
    "SourceRules",
    "read_options",
    "read_words",
    "write_options",
]
