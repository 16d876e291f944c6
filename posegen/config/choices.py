"""The words that fields of a configuration may have."""

from __future__ import annotations

from typing import Literal

from posegen.labels import TopDownKind

Unit = Literal["image", "person"]
Crop = Literal["msra", "udp"]
HeatmapKind = Literal["gaussian", TopDownKind]
PafKind = Literal["pixels", "cells"]
SigmaScale = Literal["fixed", "area"]
SigmaKeypoints = Literal["equal", "oks"]
Visibility = Literal["labelled", "visible"]
Layout = Literal["chw", "hwc"]
Compression = Literal["zstd", "gzip", "lzf", "none"]
Exif = Literal["auto", "stored", "shown"]
Origin = Literal["labelled", "unlabelled"]
LabelDtype = Literal["float16", "float32", "uint8"]
Backend = Literal["local", "dask"]
"""Of one run: processes on this machine, or the workers of a Dask cluster."""
