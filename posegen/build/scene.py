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


class Way(NamedTuple):
    """How a sample comes into the input.

    Attributes
    ----------
    fitted
        The map from the pixels of its image to those of the input, as it fits there.
    view
        How it is seen then; None if it is as it fits.
    affine
        The map by both.
    """

    fitted: Affine
    view: View | None
    affine: Affine


def place(sample: Sample, task: ShardTask, regions: IgnoredRegions | None = None, way: Way | None = None) -> Placed:
    """Map a sample's people into the input; `regions` knows what is ignored of the one before, `way` how, if known.

    Those of a view are mapped twice, and rounded each time as they are stored: a reader that draws the same view of a
    sample that is stored as it fits sees the same numbers.
    """
    config, size = task.config, (sample.height, sample.width)
    fitted, view, affine = way or find_way(sample, config)
    derived, unknown = task.skeleton.derive(sample.keypoints, task.names), None
    if config.reads_unknown:
        unknown = derive_unknown(task.skeleton, sample.keypoints, task.names, sample.unknown)
    keypoints = np.zeros(derived.shape, np.float32)
    keypoints[..., :2] = fitted.apply(derived[..., :2])
    keypoints[..., 2] = derived[..., 2]
    keypoints[~(derived[..., 2] > 0)] = 0
    bboxes = map_boxes(sample.bboxes, fitted).astype(np.float32)
    if view is not None:
        mapped, people = view.affine(config.input_size), len(keypoints)
        maps, flips = np.broadcast_to(mapped.matrix, (people, 2, 3)), np.full(people, view.flip)
        keypoints, bboxes = see_people(keypoints, bboxes, maps, flips, task.skeleton)
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


def find_way(sample: Sample, config: BuildConfig) -> Way:
    """Find how a sample comes into the input; drawing its view takes a while."""
    if config.unit == "person":
        fitted = crop(find_box(sample), config.input_size, padding=config.box_padding, corners=config.crop == "udp")
    else:
        fitted = fit((sample.height, sample.width), config.input_size, config.fit)
    view = config.draw_view(sample.image_id, sample.annotation_ids.tolist(), sample.copy, sample.source)
    return Way(fitted, view, fitted if view is None else fitted.then(view.affine(config.input_size)))
