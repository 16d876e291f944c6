"""The labels of a shard, rendered again from the keypoints in it and compared with those in it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posegen.annotations import Sample
from posegen.build.ignored import find_ignored
from posegen.build.plan import find_key
from posegen.build.scene import make_scene
from posegen.errors import ConfigError
from posegen.geometry import Affine
from posegen.labels import Label, Scene
from posegen.labels.base import without_stride
from posegen.labels.grid import count_cells, make_grid
from posegen.shards import ShardReader
from posegen.shards.quantize import choose_storage

TOLERANCE = 1e-6
"""By how much two renderings of a label may differ, besides what storing one rounds."""

_FARTHEST = 1e18
"""Input pixels: beyond, whole numbers overflow."""

_MOST_TAPS = 1 << 28
"""People times the taps of a label's cells: what can be drawn in a few gigabytes."""


class LabelComparison:
    """Compares the labels of one shard with new ones.

    Parameters
    ----------
    reader
        Of the shard.
    samples
        What the annotations give it; None if they are not at hand. Masks come from segmentations, which are not stored:
        without them a mask is only held against its range and the padding.
    """

    def __init__(self, reader: ShardReader, samples: Sequence[Sample] | None) -> None:
        config = reader.config
        self._reader = reader
        self._samples = None if samples is None else {find_key(sample, config): sample for sample in samples}
        self._labels: dict[str, Label] = {label.spec.name: label for label in config.create_labels(reader.skeleton)}
        grids = [make_grid(config.grid, config.input_size, count_cells(config.input_size, s)) for s in config.strides]
        self._taps = max(math.prod(grid.cells) * grid.taps**2 for grid in grids)

    def compare(self, index: int, known: Mapping[str, Any], values: Mapping[str, NDArray[np.float32]]) -> Iterator[str]:
        """Say which labels of a sample differ.

        Parameters
        ----------
        index
            Of the sample.
        known
            What `ShardReader.sample` gave.
        values
            By name the labels to compare, (C, h, w) float32 as `ShardReader.label` gave them.
        """
        keypoints = known["keypoints"]
        if not (np.abs(keypoints) < _FARTHEST).all() or len(keypoints) * self._taps > _MOST_TAPS:
            yield f"sample {index} has keypoints that cannot be drawn"
            return
        sample = None
        if self._samples is not None and "mask" in self._reader.config.labels:
            sample = self._samples.get(self._reader.key(index))
            if sample is None or (sample.height, sample.width) != (known["height"], known["width"]):
                yield f"sample {index} is image {known['image_id']}, which the annotations do not have there"
                sample = None
        with np.errstate(all="ignore"):
            scene = self._scene(known, sample)
            for stored in self._reader.labels:
                name, label = stored.spec.name, self._labels[stored.spec.name]
                if stored.spec != label.spec:
                    yield f"{name} has other channels than the skeleton"
                elif name in values:
                    try:
                        exact = sample is not None or without_stride(name) != "mask"
                        worst = _find_worst(values[name], label.render(scene), exact=exact)
                    except ConfigError as error:
                        yield f"{name} of sample {index} cannot be rendered: {error}"
                        continue
                    except (ArithmeticError, LookupError, TypeError, ValueError) as error:  # of another package's label
                        yield f"{name} of sample {index} cannot be rendered: {type(error).__name__}: {error}"
                        continue
                    bound = choose_storage(self._reader.config.label_dtype, stored.spec).max_abs_error + TOLERANCE
                    if not worst <= bound:
                        yield f"{name} of sample {index} is not what was annotated: it differs by up to {worst:.3g}"

    def _scene(self, known: Mapping[str, Any], sample: Sample | None) -> Scene:
        return make_scene(
            self._reader.config,
            self._reader.skeleton,
            known["keypoints"],
            known["bbox"],
            affine=Affine.from_matrix(known["affine"]),
            image_size=(known["height"], known["width"]),
            ignored=None if sample is None else find_ignored(sample),
        )


def _find_worst(values: NDArray[np.float32], rendered: NDArray[np.float32], *, exact: bool) -> float:
    """Return the largest difference; without what is ignored in the picture a mask may be lower."""
    if exact:
        return float(np.abs(values - rendered).max())
    return float(np.maximum((values - rendered).max(), -values.min()))
