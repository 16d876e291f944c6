"""What the labels of a sample are drawn from, made of its annotations by way of the values that are stored."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from posegen.annotations import Sample
from posegen.build.ignored import IgnoredRegions, find_ignored_boxes
from posegen.build.persons import find_box
from posegen.build.plan import ShardTask
from posegen.config import BuildConfig
from posegen.geometry import Affine, crop, fit, map_boxes
from posegen.images.augment import View
from posegen.labels import Scene
from posegen.shards.scene import make_scene, see_people
from posegen.skeleton.unknown import derive_unknown


class Placed(NamedTuple):
    """A sample in the input.

    Attributes
    ----------
    scene
        What its labels are drawn from.
    keypoints
        (N, K, 3) float32 x, y in input pixels, v, as they are stored.
    bboxes
        (N, 4) float32 x, y, width, height in input pixels, as they are stored; NaN where there is none.
    unknown
        (N, K) uint8, as `posegen.skeleton.unknown` counts; None where no label asks.
    """

    scene: Scene
    keypoints: NDArray[np.float32]
    bboxes: NDArray[np.float32]
    unknown: NDArray[np.uint8] | None


def place(sample: Sample, task: ShardTask, regions: IgnoredRegions | None = None) -> Placed:
    """Map a sample's people into the input; `regions` knows what is ignored of the one before.

    Those of a view are mapped twice, and rounded each time as they are stored: a reader that draws the same view of a
    sample that is stored as it fits sees the same numbers.
    """
    config, size = task.config, (sample.height, sample.width)
    affine = _fit(sample, config)
    derived, unknown = task.skeleton.derive(sample.keypoints, task.names), None
    if config.reads_unknown:
        unknown = derive_unknown(task.skeleton, sample.keypoints, task.names, sample.unknown)
    keypoints = np.zeros(derived.shape, np.float32)
    keypoints[..., :2] = affine.apply(derived[..., :2])
    keypoints[..., 2] = derived[..., 2]
    keypoints[~(derived[..., 2] > 0)] = 0
    bboxes = map_boxes(sample.bboxes, affine).astype(np.float32)
    view = find_view(sample, config)
    if view is not None:
        mapped, people = view.affine(config.input_size), len(keypoints)
        maps, flips = np.broadcast_to(mapped.matrix, (people, 2, 3)), np.full(people, view.flip)
        keypoints, bboxes = see_people(keypoints, bboxes, maps, flips, task.skeleton)
        affine = affine.then(mapped)
        if view.flip and unknown is not None:
            unknown = unknown[:, task.skeleton.mirrored]
    ignored = (regions or IgnoredRegions()).find(sample)
    scene = make_scene(
        config,
        task.skeleton,
        keypoints,
        bboxes,
        affine=affine,
        image_size=size,
        ignored=ignored,
        unknown=unknown,
        ignored_boxes=find_ignored_boxes(sample, affine) if sample.ignored else None,
    )
    return Placed(scene, keypoints, bboxes, unknown)


def find_affine(sample: Sample, config: BuildConfig) -> Affine:
    """Find the map from the pixels of a sample's image to those of the input."""
    affine, view = _fit(sample, config), find_view(sample, config)
    return affine if view is None else affine.then(view.affine(config.input_size))


def find_view(sample: Sample, config: BuildConfig) -> View | None:
    """Find how a sample is seen; None if it is as it fits."""
    return config.draw_view(sample.image_id, sample.annotation_ids.tolist(), sample.copy, sample.source)


def _fit(sample: Sample, config: BuildConfig) -> Affine:
    """Fit a sample into the input, before it is seen in any other way."""
    if config.unit == "person":
        return crop(find_box(sample), config.input_size, padding=config.box_padding, corners=config.crop == "udp")
    return fit((sample.height, sample.width), config.input_size, config.fit)
