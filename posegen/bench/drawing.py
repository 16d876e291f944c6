"""Drawing labels in ways to be compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from posegen.build.batches import cut_batches
from posegen.labels import Label, Scene, render_scenes

Draw = Callable[[Scene], NDArray[np.float32]]
"""Draws what a label's `render` does."""


def draw_batches(label: Label, scenes: Sequence[Scene]) -> None:
    """Draw scenes as a build does."""
    for batch in cut_batches(scenes, [label]):
        render_scenes(label, batch)


def draw_all(draw: Draw, scenes: Sequence[Scene]) -> None:
    """Draw scenes one by one."""
    for scene in scenes:
        draw(scene)


def find_difference(label: Label, draw: Draw, scenes: Sequence[Scene]) -> float:
    """Find the largest difference between the two."""
    return max(float(np.abs(render_scenes(label, [scene])[0] - draw(scene)).max(initial=0)) for scene in scenes)
