"""What the labels of a sample are drawn from, made of its annotations or again of what a shard has of it.

Both ways end in `make_scene`, which takes the values that are stored: so labels can be drawn again from a shard.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from posegen.annotations import Sample
from posegen.build.ignored import IgnoredRegions
from posegen.build.persons import find_box
from posegen.build.plan import ShardTask
from posegen.config import BuildConfig
from posegen.geometry import Affine, Size, crop, fit
from posegen.images.augment import View
from posegen.labels import Region, Scene
from posegen.skeleton import Skeleton

BASE_SIZE = 256.0
"""Input pixels: the size of a person whose sigma is the configuration's, as HigherHRNet's `base_size`."""

_LEAST_CELLS = 0.5


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
    """

    scene: Scene
    keypoints: NDArray[np.float32]
    bboxes: NDArray[np.float32]


def place(sample: Sample, task: ShardTask, regions: IgnoredRegions | None = None) -> Placed:
    """Map a sample's people into the input; `regions` knows what is ignored of the one before."""
    config, size = task.config, (sample.height, sample.width)
    if config.unit == "person":
        affine = crop(find_box(sample), config.input_size, padding=config.box_padding, corners=config.crop == "udp")
    else:
        affine = fit(size, config.input_size, config.fit)
    derived = task.skeleton.derive(sample.keypoints, task.names)
    view = find_view(sample, config)
    if view is not None:
        affine = affine.then(view.affine(config.input_size))
        if view.flip:
            derived = derived[:, task.skeleton.mirrored]
    keypoints = np.zeros(derived.shape, np.float32)
    keypoints[..., :2] = affine.apply(derived[..., :2])
    keypoints[..., 2] = derived[..., 2]
    keypoints[~(derived[..., 2] > 0)] = 0
    bboxes = _map_boxes(sample.bboxes, affine)
    ignored = (regions or IgnoredRegions()).find(sample)
    scene = make_scene(config, task.skeleton, keypoints, bboxes, affine=affine, image_size=size, ignored=ignored)
    return Placed(scene, keypoints, bboxes)


def make_scene(
    config: BuildConfig,
    skeleton: Skeleton,
    keypoints: NDArray[np.float32],
    bboxes: NDArray[np.float32],
    *,
    affine: Affine,
    image_size: Size,
    ignored: Region | None,
) -> Scene:
    """Make a scene of what is stored of a sample, but for the region to be ignored, which is not.

    Parameters
    ----------
    keypoints
        (N, K, 3) x, y in input pixels, v.
    bboxes
        (N, 4) x, y, width, height in input pixels; NaN where there is none.
    affine, image_size
        From the pixels of the original image to those of the input, and its (height, width).
    ignored
        Where in the original image the loss must not count; None if nowhere, or nobody asks.
    """
    visible = keypoints[..., 2]
    return Scene(
        points=keypoints[..., :2].astype(np.float64),
        drawn=visible > 0 if config.visibility == "labelled" else visible == 2,
        image_size=image_size,
        affine=affine,
        ignored=ignored,
        spread=find_spread(config, skeleton, keypoints, bboxes),
    )


def find_view(sample: Sample, config: BuildConfig) -> View | None:
    """Find how a sample is seen; None if it is as it fits."""
    return config.draw_view(sample.image_id, sample.annotation_ids.tolist(), sample.copy)


def find_spread(
    config: BuildConfig, skeleton: Skeleton, keypoints: NDArray[np.float32], bboxes: NDArray[np.float32]
) -> NDArray[np.float64] | None:
    """Return by how much sigma is multiplied for each person and keypoint.

    - `config.sigma_keypoints` of `oks` multiplies by the skeleton's sigma of that keypoint over their mean: COCO's
      object keypoint similarity (https://cocodataset.org/#keypoints-eval) allows a hip four times the error of an eye.
    - `config.sigma_scale` of `area` multiplies by the person's size over 256 input pixels: the root of the area of its
      box or, without one, of the box around its labelled keypoints. openpifpaf (arXiv:2103.02440) takes the latter,
      HigherHRNet (arXiv:1908.10357, `scale_aware_sigma`) the longer side of the former, over 256 too.

    No Gaussian becomes narrower than half a cell, of the coarsest grid: its peak would fall between the cells.

    Parameters
    ----------
    keypoints
        (N, K, 3) x, y, v in input pixels, as they are stored.
    bboxes
        (N, 4) x, y, width, height in input pixels, as they are stored; NaN where there is none.

    Returns
    -------
    (N, K) float64, or None where all are 1.
    """
    if config.sigma_keypoints == "equal" and config.sigma_scale == "fixed":
        return None
    spread = np.ones(keypoints.shape[:2])
    if config.sigma_keypoints == "oks":
        spread *= np.array(skeleton.sigmas) / np.mean(skeleton.sigmas)
    if config.sigma_scale == "area":
        spread *= _find_sizes(keypoints, bboxes)[:, None] / BASE_SIZE
    of_a_cell = config.sigma_cells or (config.sigma_px or 0) / max(config.strides)
    return np.maximum(spread, _LEAST_CELLS / of_a_cell)


def _find_sizes(keypoints: NDArray[np.float32], bboxes: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the root of each person's area (N,), in input pixels."""
    sides = bboxes[:, 2:].astype(np.float64)
    for n in np.flatnonzero(~(sides > 0).all(axis=1)):
        labelled = keypoints[n, keypoints[n, :, 2] > 0, :2].astype(np.float64)
        sides[n] = np.ptp(labelled, axis=0) if len(labelled) else 0
    return np.sqrt(sides.prod(axis=1))


def _map_boxes(boxes: NDArray[np.float64], affine: Affine) -> NDArray[np.float32]:
    """Map (n, 4) boxes x, y, width, height; COCO counts them from the picture's edge, not from a pixel's centre.

    Of a box that is turned the upright box around it is taken.
    """
    if affine.is_upright:
        scale = np.array([affine.xx, affine.yy])
        corner = affine.apply(boxes[:, :2] - 0.5) + 0.5
        return np.column_stack([corner, boxes[:, 2:] * scale]).astype(np.float32)
    corners = boxes[:, None, :2] + boxes[:, None, 2:] * np.array([[0, 0], [1, 0], [0, 1], [1, 1]]) - 0.5
    mapped = affine.apply(corners) + 0.5
    return np.column_stack([mapped.min(axis=1), np.ptp(mapped, axis=1)]).astype(np.float32)
