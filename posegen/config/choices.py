"""The values that fields of a configuration may have: words and ranges, and their checks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

from posegen.errors import ConfigError
from posegen.geometry import FitMode
from posegen.images import ImageEncoding
from posegen.labels import TopDownKind
from posegen.labels.grid import GridKind

Unit = Literal["image", "person"]
Crop = Literal["msra", "udp"]
HeatmapKind = Literal["gaussian", TopDownKind]
PafKind = Literal["pixels", "cells"]
SigmaScale = Literal["fixed", "area"]
SigmaKeypoints = Literal["equal", "oks"]
Visibility = Literal["labelled", "visible"]
Layout = Literal["chw", "hwc"]
Compression = Literal["zstd", "gzip", "lzf", "none"]
LabelDtype = Literal["float16", "float32", "uint8"]

CHOICES: Mapping[str, tuple[str, ...]] = {
    "unit": get_args(Unit),
    "crop": get_args(Crop),
    "grid": get_args(GridKind),
    "heatmap": get_args(HeatmapKind),
    "paf": get_args(PafKind),
    "sigma_scale": get_args(SigmaScale),
    "sigma_keypoints": get_args(SigmaKeypoints),
    "fit": get_args(FitMode),
    "visibility": get_args(Visibility),
    "label_dtype": get_args(LabelDtype),
    "layout": get_args(Layout),
    "compression": get_args(Compression),
    "image_encoding": get_args(ImageEncoding),
}
"""The fields that are one of a few words."""

WHOLE_NUMBERS = (
    ("min_keypoints", 1, 1 << 31),
    ("jpeg_quality", 1, 100),
    ("copies", 1, 1000),
    ("shard_size", 1, 1 << 20),
    ("seed", 0, (1 << 63) - 1),
    ("limit", 1, 1 << 31),
)
"""The fields that are whole numbers: the least and the most."""

NUMBERS = (
    ("sigma_px", 1e-3, 1e4),
    ("sigma_cells", 1e-3, 1e4),
    ("half_width_px", 1e-3, 1e4),
    ("min_area", 0, 1e12),
    ("box_padding", 0.1, 100),
)
"""The fields that are numbers: the least and the most."""


def check_word(name: str, value: object) -> None:
    """Raise `ConfigError` if a field of `CHOICES` has none of its words."""
    words = CHOICES[name]
    if value not in words:
        raise ConfigError(f"{name} must be {', '.join(words[:-1])} or {words[-1]}, not {value!r}")


def check_number(name: str, value: object, low: float, high: float, *, whole: bool = False) -> None:
    """Raise `ConfigError` if a value is no number of a range."""
    if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)) or not low <= value <= high:
        kind = "whole number" if whole else "number"
        raise ConfigError(f"{name} must be a {kind} from {_plain(low)} to {_plain(high)}, not {value!r}")


def _plain(number: float) -> str:
    return str(number) if isinstance(number, int) else f"{number:g}"
