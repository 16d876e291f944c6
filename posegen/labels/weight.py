"""Weights: which keypoints the loss counts.

Definition
----------
1 for each keypoint that is drawn for somebody, 0 for the others. With a top-down heatmap 0, too, where the keypoint's
patch misses the map entirely; for `megvii` where its cell does.

Place of a cell
---------------
It has no cells: one value a keypoint.

Source
------
The `target_weight` of HRNet and Simple Baselines (arXiv:1804.06208), MMPose's `keypoint_weights`.

Known differences
-----------------
- A patch that ends just before the map weighs 0, in theirs 1.
- For `msra-unbiased` a keypoint that is further than 3 sigma from the map weighs 0.

Flipped
-------
Keypoints change places.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posegen.labels.base import ArraySpec
from posegen.labels.mirror import UNSAID, ChannelMirror, mirror_keypoints
from posegen.labels.registry import LabelContext
from posegen.labels.scene import Scene
from posegen.labels.topdown import TOP_DOWN_KINDS, TopDownLabel, create_heatmap


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightLabel:
    """Which keypoints the loss counts: 1 for each that is drawn for somebody, 0 for the others.

    Parameters
    ----------
    keypoints
        The names of the K keypoints.
    heatmap
        A keypoint of which this label's patch misses the map entirely has the weight 0; None asks no label.
    mirror
        Of its channels.
    """

    keypoints: tuple[str, ...]
    heatmap: TopDownLabel | None = None
    mirror: ChannelMirror | str = UNSAID

    @property
    def spec(self) -> ArraySpec:
        """The array that `render` makes."""
        return ArraySpec(name="weight", channels=self.keypoints, cells=(), mirror=self.mirror)

    def render(self, scene: Scene) -> NDArray[np.float32]:
        """Return (K,) float32, 0 or 1."""
        drawn = scene.drawn if self.heatmap is None else self.heatmap.touches(scene)
        return np.asarray(drawn.any(axis=0), np.float32)


def create(context: LabelContext) -> tuple[WeightLabel]:
    """Make the label `weight`."""
    context.read_options()
    heatmap = create_heatmap(context) if context.heatmap in TOP_DOWN_KINDS else None
    skeleton, mirror = context.skeleton, mirror_keypoints(context.skeleton)
    return (WeightLabel(keypoints=skeleton.keypoints, heatmap=heatmap, mirror=mirror),)
