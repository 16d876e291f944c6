"""Which keypoints are labelled, and of which that is known.

Definition
----------
Two arrays.

- `visibility`: 1 for each keypoint that is labelled (v > 0), drawn or not, and 0 for those that are absent or unknown.
- `visibility_weight`: 0 where it is unknown whether a keypoint is there, else 1: where some of the keypoints that it is
  derived from are labelled and some are not, where it belongs to a part that is said not to be valid, and where the
  source does not label it.

Of several people a keypoint that is labelled for one of them is 1, 1; else one that is unknown of one of them 0, 0.

Place of a cell
---------------
It has no cells: one value a keypoint.

Source
------
MMPose's `keypoints_visible` and `keypoints_visible_weights`, which its `VisPredictHead` learns from.

Known differences
-----------------
MMPose knows of no keypoint that it is unknown, but for whole datasets that are joined.

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


@dataclass(frozen=True, slots=True, kw_only=True)
class VisibilityLabel:
    """Which keypoints are labelled; or, with it, of which that is known.

    Parameters
    ----------
    keypoints
        The names of the K keypoints.
    weights
        Whether to tell of which it is known.
    mirror
        Of its channels.
    """

    keypoints: tuple[str, ...]
    weights: bool = False
    mirror: ChannelMirror | str = UNSAID

    @property
    def spec(self) -> ArraySpec:
        """The array that `render` makes."""
        name = "visibility_weight" if self.weights else "visibility"
        return ArraySpec(name=name, channels=self.keypoints, cells=(), mirror=self.mirror)

    def render(self, scene: Scene) -> NDArray[np.float32]:
        """Return (K,) float32, 0 or 1."""
        labelled = (scene.drawn if scene.labelled is None else scene.labelled).any(axis=0)
        if not self.weights or scene.unknown is None:
            return np.asarray(labelled | self.weights, np.float32)
        return np.asarray(labelled | ~(scene.unknown > 0).any(axis=0), np.float32)


def create(context: LabelContext) -> tuple[VisibilityLabel, VisibilityLabel]:
    """Make the arrays `visibility` and `visibility_weight`."""
    context.read_options()
    names, mirror = context.skeleton.keypoints, mirror_keypoints(context.skeleton)
    value, weight = (VisibilityLabel(keypoints=names, weights=weights, mirror=mirror) for weights in (False, True))
    return value, weight
