"""The labels of a shard, rendered again from the keypoints in it and compared with those in it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posegen.annotations import Sample
from posegen.build.ignored import IgnoredRegions, find_ignored_boxes
from posegen.build.plan import find_key
from posegen.errors import ConfigError
from posegen.geometry import Affine
from posegen.labels import ArraySpec, Label, Scene, needs_ignored
from posegen.labels.base import find_limits
from posegen.labels.difference import find_difference
from posegen.labels.grid import count_cells, make_grid
from posegen.shards import ShardReader
from posegen.shards.quantize import choose_storage
from posegen.shards.scene import make_scene

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
        What the annotations give it; None if they are not at hand. What is ignored comes from segmentations, of which
        only a bitmap is stored: without them a label that needs it, as a mask does, is only held against what it can
        be, and with them the bitmap is compared, too.
    """

    def __init__(self, reader: ShardReader, samples: Sequence[Sample] | None) -> None:
        config = reader.config
        self._reader = reader
        self._samples = None if samples is None else {find_key(sample, config): sample for sample in samples}
        self._labels: dict[str, Label] = {label.spec.name: label for label in config.create_labels(reader.skeleton)}
        self._regions = IgnoredRegions()
        self._needs_ignored = any(map(needs_ignored, self._labels.values()))
        grids = [make_grid(config.grid, config.input_size, count_cells(config.input_size, s)) for s in config.strides]
        self._taps = max(math.prod(grid.cells) * grid.taps**2 for grid in grids)

    def compare(
        self,
        index: int,
        known: Mapping[str, Any],
        values: Mapping[str, NDArray[Any]],
        ignored: NDArray[np.bool_] | None = None,
    ) -> Iterator[str]:
        """Say which labels of a sample differ.

        Parameters
        ----------
        index
            Of the sample.
        known
            What `ShardReader.sample` gave.
        values
            By name the labels to compare, as `ShardReader.label` gave them.
        ignored
            What `ShardReader.ignored` gave.
        """
        keypoints = known["keypoints"]
        if not (np.abs(keypoints) < _FARTHEST).all() or len(keypoints) * self._taps > _MOST_TAPS:
            yield f"sample {index} has keypoints that cannot be drawn"
            return
        sample = None
        if self._samples is not None and (self._needs_ignored or self._reader.format_version > 1):
            sample = self._samples.get(self._reader.key(index))
            if sample is None or (sample.height, sample.width) != (known["height"], known["width"]):
                yield f"sample {index} is image {known['image_id']}, which the annotations do not have there"
                sample = None
        with np.errstate(all="ignore"):
            yield from self._compare_ignored(index, sample, known, ignored)
            scene = self._scene(known, sample)
            for stored in self._reader.labels:
                name, label = stored.spec.name, self._labels[stored.spec.name]
                if wrong := _compare_specs(stored.spec, label.spec):
                    yield f"{name} {wrong}"
                elif name in values:
                    try:
                        exact = sample is not None or not needs_ignored(label)
                        worst = _find_worst(values[name], label, scene, exact=exact)
                    except ConfigError as error:
                        yield f"{name} of sample {index} cannot be rendered: {error}"
                        continue
                    except (ArithmeticError, LookupError, TypeError, ValueError) as error:  # of another package's label
                        yield f"{name} of sample {index} cannot be rendered: {type(error).__name__}: {error}"
                        continue
                    bound = choose_storage(self._reader.config.label_dtype, stored.spec).max_abs_error + TOLERANCE
                    if not worst <= bound:
                        yield f"{name} of sample {index} is not what was annotated: it differs by up to {worst:.3g}"

    def _compare_ignored(
        self, index: int, sample: Sample | None, known: Mapping[str, Any], stored: NDArray[np.bool_] | None
    ) -> Iterator[str]:
        """Say whether the bitmap of what is ignored is what the annotations give, where there are both."""
        size = self._reader.config.input_size
        if sample is None or self._reader.format_version == 1:
            return
        try:
            found = self._regions.map(sample, Affine.from_matrix(known["affine"]), size)
        except ConfigError as error:
            yield f"what is ignored of sample {index} cannot be mapped: {error}"
            return
        nothing = np.zeros(size, np.bool_)
        if wrong := int(((nothing if found is None else found) ^ (nothing if stored is None else stored)).sum()):
            yield f"what is ignored of sample {index} is not what was annotated: {wrong} pixels differ"

    def _scene(self, known: Mapping[str, Any], sample: Sample | None) -> Scene:
        affine = Affine.from_matrix(known["affine"])
        return make_scene(
            self._reader.config,
            self._reader.skeleton,
            known["keypoints"],
            known["bbox"],
            affine=affine,
            image_size=(known["height"], known["width"]),
            ignored=None if sample is None else self._regions.find(sample),
            unknown=known.get("unknown"),
            ignored_boxes=None if sample is None else find_ignored_boxes(sample, affine),
        )


def _compare_specs(stored: ArraySpec, expected: ArraySpec) -> str:
    """Say how what a shard tells of an array differs from what its label does; '' if it does not."""
    if dataclasses.replace(stored, mirror=None) != dataclasses.replace(expected, mirror=None):
        return "has other channels than the skeleton"
    # Shards of before labels said how they mirror are read as they are.
    return "" if stored.mirror in {None, expected.mirror} else "is said to mirror otherwise than its label does"


def _find_worst(values: NDArray[Any], label: Label, scene: Scene, *, exact: bool) -> float:
    """Return the largest difference; if not exact, from what the label can be, whatever is ignored in the picture."""
    if exact:
        expected = label.render(scene)
        return find_difference(values, expected) if values.shape == expected.shape else math.inf
    least, largest = find_limits(label, scene)
    known = values[~np.isnan(values)] if label.spec.unknown else values
    if known.shape != values.shape:
        least, largest = (np.broadcast_to(limit, values.shape)[~np.isnan(values)] for limit in (least, largest))
    return float(np.maximum(known - largest, least - known).max(initial=0.0))
