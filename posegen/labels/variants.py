"""Labels made of another one: of another name, or divided by their sums."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from posegen.labels.base import ArraySpec, Label, render_scenes
from posegen.labels.decode.protocols import LocatingLabel
from posegen.labels.scene import Scene

LEAST_SUM = 1e-24


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantLabel:
    """A label of one person's keypoints, under another name, or with each channel divided by its sum.

    Parameters
    ----------
    label
        What is drawn: a label that can be located.
    suffix
        What its array's name ends in.
    normalized
        Whether each channel (h, w) is divided by its sum + 1e-24, so that it adds up to 1 or is 0.
    """

    label: Label
    suffix: str = ""
    normalized: bool = False

    @property
    def spec(self) -> ArraySpec:
        """The array that `render` makes."""
        return dataclasses.replace(self.label.spec, name=self.label.spec.name + self.suffix)

    def render(self, scene: Scene) -> NDArray[np.float32]:
        """Draw (C, h, w) float32."""
        return self.render_many([scene])[0]

    def render_many(self, scenes: Sequence[Scene]) -> NDArray[np.float32]:
        """Draw (S, C, h, w) float32 of S scenes."""
        drawn = np.asarray(render_scenes(self.label, scenes))
        if self.normalized:
            drawn /= (drawn.sum(axis=(-2, -1), keepdims=True, dtype=np.float64) + LEAST_SUM).astype(np.float32)
        return drawn

    @property
    def decoder(self) -> str:
        """How a prediction is read."""
        return cast("LocatingLabel", self.label).decoder

    def locate(self, outputs: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float64]:
        """Locate one person's keypoints (B, K, 3), x, y in input pixels and score."""
        of_label = {self.label.spec.name: outputs[self.spec.name]}
        return cast("LocatingLabel", self.label).locate(of_label)
