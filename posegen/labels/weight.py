"""Weights: which keypoints the loss counts.

Definition
----------
1 for each keypoint that is drawn for somebody, 0 for the others; and 0, too, where what the loss is of has nothing to
show for it:

- of a top-down heatmap, where the keypoint's patch misses the map entirely; for `megvii` and `higherhrnet` where its
  cell does;
- of `simcc`, where its curves are 0;
- of `regression`, where it lies outside of the input.

An unknown keypoint is not drawn, and has the weight 0.

Options
-------
of
    Which label it is for: `heatmap`, `simcc` or `regression`; `auto` is the last of these that is drawn beside it.
by_keypoint
    Whether to multiply it with the skeleton's weights of its keypoints, as HRNet's `joints_weight` does.

Place of a cell
---------------
It has no cells: one value a keypoint.

Decoded
-------
To nothing: no network predicts it, the loss is multiplied with it.

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
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from posegen.errors import ConfigError
from posegen.labels.base import ArraySpec, Label
from posegen.labels.mirror import UNSAID, ChannelMirror, mirror_keypoints
from posegen.labels.registry import LabelContext
from posegen.labels.regression import create_regression
from posegen.labels.scene import Scene
from posegen.labels.simcc import create_axes
from posegen.labels.topdown import TOP_DOWN_KINDS, create_heatmap

_OF = ("heatmap", "simcc", "regression")


class TouchingLabel(Label, Protocol):
    """A label that tells for which keypoints it has something to show."""

    def touches(self, scene: Scene) -> NDArray[np.bool_]:
        """Tell for which (N, K)."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightLabel:
    """Which keypoints the loss counts: 1 for each that is drawn for somebody, 0 for the others.

    Parameters
    ----------
    keypoints
        The names of the K keypoints.
    heatmap
        A keypoint for which this label has nothing to show has the weight 0; None asks no label.
    factors
        The K weights of the keypoints, or none.
    mirror
        Of its channels.
    """

    keypoints: tuple[str, ...]
    heatmap: TouchingLabel | None = None
    factors: tuple[float, ...] = ()
    mirror: ChannelMirror | str = UNSAID

    @property
    def spec(self) -> ArraySpec:
        """The array that `render` makes."""
        high = max((1.0, *self.factors))
        return ArraySpec(name="weight", channels=self.keypoints, cells=(), high=high, mirror=self.mirror)

    def render(self, scene: Scene) -> NDArray[np.float32]:
        """Return (K,) float32: 0, or 1 times the keypoint's factor."""
        drawn = scene.drawn if self.heatmap is None else self.heatmap.touches(scene)
        counts = np.asarray(drawn.any(axis=0), np.float32)
        return counts * np.array(self.factors, np.float32) if self.factors else counts


def create(context: LabelContext) -> tuple[WeightLabel]:
    """Make the label `weight`."""
    options, skeleton = context.read_options(of="auto", by_keypoint=False), context.skeleton
    of = options["of"]
    if of == "auto":
        of = next((name for name in reversed(_OF) if name in context.beside), "heatmap")
    if of not in _OF:
        raise ConfigError(f"of must be auto, {', '.join(_OF[:-1])} or {_OF[-1]}, not '{of}'")
    if options["by_keypoint"] and not skeleton.weights:
        raise ConfigError(f"by_keypoint: the skeleton '{skeleton.name}' has no weights of its keypoints")
    label = WeightLabel(
        keypoints=skeleton.keypoints,
        heatmap=_find_touching(of, context),
        factors=skeleton.weights if options["by_keypoint"] else (),
        mirror=mirror_keypoints(skeleton),
    )
    return (label,)


def _find_touching(of: str, context: LabelContext) -> TouchingLabel | None:
    if of == "simcc":
        return create_axes(context.of("simcc"))[0]
    if of == "regression":
        return create_regression(context)
    return create_heatmap(context) if context.heatmap in TOP_DOWN_KINDS else None
