"""What a dataset will take on disk, guessed before anything of it is built."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence

import numpy as np

from posegen.annotations import Sample
from posegen.build.plan import BuildPlan
from posegen.config import BuildConfig
from posegen.labels import ArraySpec
from posegen.shards.quantize import choose_storage
from posegen.storage import AnyPath, identify

_MEASURED_FILES = 64
_USUAL_DENSITY = 0.55
"""Bytes a pixel of COCO's own JPEG files."""

_SHARES = {"heatmap": 0.045, "paf": 0.009}
"""Of a label's float16 array, what zstd leaves of it; measured on COCO and on synthetic samples, at stride 8."""
_OTHER_SHARE = 0.05
_MARGIN = 1.05

_SAMPLE_BYTES = 1_000
_SHARD_BYTES = 10_000
"""What HDF5 needs to find things again."""


def estimate_bytes(plan: BuildPlan) -> int:
    """Guess a sample's size on disk, mostly within 30 %, rather too large than too small.

    A picture that is coded again keeps its character: the bytes a pixel go with the square root of what its file had.
    """
    config, count = plan.config, plan.samples
    wanted = range(0, count, max(1, count // _MEASURED_FILES))
    spread = [plan.shards[number // config.shard_size][number % config.shard_size] for number in wanted]
    pixels = config.frame_size[0] * config.frame_size[1]
    if config.image_encoding == "raw":
        picture = 3.0 * pixels
    else:
        per_pixel = {"png": 2.4, "jpeg": 0.63 * (config.jpeg_quality / 95) ** 4}[config.image_encoding]
        picture = (
            pixels
            * _find_content(spread, config)
            * per_pixel
            * math.sqrt(_find_density(spread, plan.annotations.images))
        )
    people = sum(len(sample.keypoints) for sample in spread) / len(spread)
    labels = sum(
        _estimate_label(label.spec, people, config) for label in config.create_labels(plan.annotations.skeleton)
    )
    stored = config.image_encoding == "raw" and config.compression == "none"
    index = _SAMPLE_BYTES + _SHARD_BYTES / min(config.shard_size, count)
    return int((picture + labels) * (1.0 if stored else _MARGIN) + index)


def _estimate_label(spec: ArraySpec, people: float, config: BuildConfig) -> float:
    """Guess a label's bytes for a sample with so many people, who have rows of their own uncompressed."""
    logical = math.prod(spec.shape) * np.dtype(choose_storage(config.label_dtype, spec).dtype).itemsize
    return logical * (people if spec.by_person else _find_share(spec.name, config))


def _find_share(name: str, config: BuildConfig) -> float:
    """Guess what compression leaves of a label."""
    if config.compression == "none":
        return 1.0
    return next((share for kind, share in _SHARES.items() if name.startswith(kind)), _OTHER_SHARE)


def _find_content(samples: Sequence[Sample], config: BuildConfig) -> float:
    """Tell which share of the input shows the pictures and not the padding."""
    if config.unit == "person" or config.fit != "letterbox":
        return 1.0
    ratios = [config.input_size[0] * s.width / (config.input_size[1] * s.height) for s in samples]
    return sum(min(ratio, 1 / ratio) for ratio in ratios) / len(ratios)


def _find_density(samples: Sequence[Sample], images: AnyPath) -> float:
    """Find how many bytes a pixel the JPEG files have."""
    size = pixels = 0
    for sample in samples:
        path = images / sample.file_name
        if path.suffix.lower() in {".jpg", ".jpeg"}:
            with contextlib.suppress(OSError, ValueError):  # what cannot be read is named when its turn comes
                size += int(identify(path).split()[0])
                pixels += sample.width * sample.height
    return size / pixels if size else _USUAL_DENSITY
