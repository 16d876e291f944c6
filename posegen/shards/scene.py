"""What the labels of a sample are drawn from, made of what a shard has of it.

A build makes scenes of the values that it stores, so that labels can be drawn again, and of other views, from a shard.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from posegen.config import BuildConfig
from posegen.geometry import Affine, Size, map_each, map_each_box
from posegen.labels import Region, Scene
from posegen.labels.decode.peaks import LEAST_SIGMA_CELLS
from posegen.skeleton import Skeleton

BASE_SIZE = 256.0
"""Input pixels: the size of a person whose sigma is the configuration's, as HigherHRNet's `base_size`."""


def make_scene(
    config: BuildConfig,
    skeleton: Skeleton,
    keypoints: NDArray[np.float32],
    bboxes: NDArray[np.float32],
    *,
    affine: Affine,
    image_size: Size,
    ignored: Region | None,
    unknown: NDArray[np.uint8] | None = None,
    ignored_boxes: NDArray[np.float32] | None = None,
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
    unknown
        (N, K) uint8, as `posegen.skeleton.unknown` counts; None where no label asks.
    ignored_boxes
        (M, 4) of the people and crowds to be ignored, as `bboxes`; None if there are none.
    """
    visible = keypoints[..., 2]
    return Scene(
        points=keypoints[..., :2].astype(np.float64),
        drawn=visible > 0 if config.visibility == "labelled" else visible == 2,
        image_size=image_size,
        affine=affine,
        ignored=ignored,
        spread=find_spread(config, skeleton, keypoints, bboxes),
        unknown=unknown,
        labelled=None if config.visibility == "labelled" else visible > 0,
        boxes=bboxes.astype(np.float64),
        visible=visible == 2,
        ignored_boxes=None if ignored_boxes is None else ignored_boxes.astype(np.float64),
    )


def see_people(
    keypoints: NDArray[np.float32],
    bboxes: NDArray[np.float32],
    maps: NDArray[np.float64],
    flips: NDArray[np.bool_],
    skeleton: Skeleton,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Map people that are stored as they fit the input to where they are in a view of it, each in one of its own.

    Parameters
    ----------
    keypoints
        (N, K, 3) x, y in input pixels, v; points that are not labelled are 0, and stay so.
    bboxes
        (N, 4) x, y, width, height in input pixels, NaN where there is none. Of a box that is turned the upright box
        around it is taken.
    maps
        (N, 2, 3), the map of input pixels that each one's view is.
    flips
        (N,) whose view is mirrored.
    skeleton
        Whose keypoints they are: they change sides where the view is mirrored.

    Returns
    -------
    Keypoints and boxes in the same units, float32.
    """
    seen = np.where(flips[:, None, None], keypoints[:, list(skeleton.mirrored)], keypoints)
    seen[..., :2] = map_each(seen[..., :2], maps)
    seen[~(seen[..., 2] > 0)] = 0
    return seen, map_each_box(bboxes, maps).astype(np.float32)


def find_spread(
    config: BuildConfig, skeleton: Skeleton, keypoints: NDArray[np.float32], bboxes: NDArray[np.float32]
) -> NDArray[np.float64] | None:
    """Return by how much sigma is multiplied for each person and keypoint.

    - `config.sigma_keypoints` of `oks` multiplies by the skeleton's sigma of that keypoint over their mean: COCO's
      object keypoint similarity (https://cocodataset.org/#keypoints-eval) allows a hip four times the error of an eye.
    - `config.sigma_scale` of `area` multiplies by the person's size over 256 input pixels: the root of the area of its
      box or, without one, of the box around its labelled keypoints. openpifpaf (arXiv:2103.02440) takes the latter,
      HigherHRNet (arXiv:1908.10357, `scale_aware_sigma`) the longer side of the former, over 256 too.

    No Gaussian becomes narrower than 0.7 cells, of the coarsest grid: of a narrower one too little reaches the peak's
    neighbours for its place to be found again.

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
    return np.maximum(spread, LEAST_SIGMA_CELLS / of_a_cell)


def _find_sizes(keypoints: NDArray[np.float32], bboxes: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the root of each person's area (N,), in input pixels."""
    sides = bboxes[:, 2:].astype(np.float64)
    for n in np.flatnonzero(~(sides > 0).all(axis=1)):
        labelled = keypoints[n, keypoints[n, :, 2] > 0, :2].astype(np.float64)
        sides[n] = np.ptp(labelled, axis=0) if len(labelled) else 0
    return np.sqrt(sides.prod(axis=1))
