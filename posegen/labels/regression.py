"""Coordinates as numbers: where each keypoint lies, as shares of the input's sides.

Definition
----------
For a drawn keypoint k in input pixels k / (W, H), x and then y, and 0, 0 for others; of several people the mean counts.
What lies further than 8 inputs away is taken to be 8 away. The label `weight` is 1 where a keypoint is drawn and 0 <= k
<= (W - 1, H - 1), both included.

Place of a cell
---------------
It has no cells: x, y lie at input pixel x W, y H.

Source
------
DeepPose, Toshev and Szegedy (arXiv:1312.4659), RLE, Li et al. (arXiv:2107.11291); MMPose's `RegressionLabel`. With the
label `heatmap`, drawn as `msra` and with its option `normalize=sum`, it is that of IPR, Sun et al. (arXiv:1711.08229),
`IntegralRegressionLabel`.

Known differences
-----------------
MMPose has the place of a keypoint that is not labelled, too, wherever that is, with the weight 0.

Flipped
-------
It cannot be: x becomes 1 - 1 / W - x.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posegen.geometry import Size
from posegen.labels.base import ArraySpec
from posegen.labels.registry import LabelContext
from posegen.labels.scene import Scene

FARTHEST_SHARE = 8.0
"""Inputs."""

_MIRROR = "x becomes 1 - 1 / W - x, which is more than a change of places and signs"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegressionLabel:
    """Where each keypoint lies, as shares of the input's sides; this module's docstring defines it.

    Parameters
    ----------
    input_size
        (H, W) in pixels.
    keypoints
        The names of the K keypoints.
    """

    input_size: Size
    keypoints: tuple[str, ...]

    @property
    def spec(self) -> ArraySpec:
        """The array that `render` makes."""
        return ArraySpec(
            name="regression",
            channels=self.keypoints,
            cells=(),
            low=-FARTHEST_SHARE,
            high=FARTHEST_SHARE,
            mirror=_MIRROR,
            inner=(2,),
            axes=("channel", "xy"),
        )

    def render(self, scene: Scene) -> NDArray[np.float32]:
        """Return (K, 2) float32, x and y."""
        shares = np.where(scene.drawn[..., None], scene.points, 0) / self.input_size[::-1]
        people = np.maximum(scene.drawn.sum(axis=0), 1)[:, None]
        return np.asarray(np.clip(shares, -FARTHEST_SHARE, FARTHEST_SHARE).sum(axis=0) / people, np.float32)

    def touches(self, scene: Scene) -> NDArray[np.bool_]:
        """Tell which keypoints (N, K) are drawn and lie between the middles of the input's outermost pixels."""
        last = np.array(self.input_size[::-1]) - 1
        points = np.where(scene.drawn[..., None], scene.points, 0)
        return np.asarray(scene.drawn & ((points >= 0) & (points <= last)).all(axis=-1))


def create_regression(context: LabelContext) -> RegressionLabel:
    """Make the label."""
    return RegressionLabel(input_size=context.grid.input_size, keypoints=context.skeleton.keypoints)


def create(context: LabelContext) -> tuple[RegressionLabel]:
    """Make the label `regression`."""
    context.read_options()
    return (create_regression(context),)
