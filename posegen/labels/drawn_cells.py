"""On which cells labels drew something, kept for the masks of their channels, which need not draw it again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from posegen.labels.base import Label
from posegen.labels.kept import keep, recall
from posegen.labels.scene import Scene

Places = list[NDArray[np.intp]]
"""Indices into the values of a label of S scenes, (S, C, h, w), counted through, in any order, some perhaps twice."""

Note = Callable[[NDArray[np.intp], NDArray[np.float32]], None]
"""Takes note of places, counted from those of some scene on, and of the values there."""


@dataclass(slots=True, eq=False)
class DrawnCells:
    """Notes on which cells a label draws something.

    They are kept of scenes that tell what is unknown, as they do where channels have masks.

    Parameters
    ----------
    label, scenes
        What is drawn of which S scenes.
    most
        Notes of more places are not kept: they would take more memory than it takes time to draw again.
    """

    label: Label
    scenes: Sequence[Scene]
    most: int
    _places: Places = field(default_factory=list)

    def __post_init__(self) -> None:
        if any(scene.unknown is None for scene in self.scenes):
            self.most = 0

    def note(self, place: NDArray[np.intp], values: NDArray[np.float32], first: int = 0) -> None:
        """Note at which of places (T,), counted from `first` on, values (T,) are not 0."""
        if len(place) < self.most:
            # A fifth of the time that NumPy takes to index by truth values.
            shown = place.take(np.flatnonzero(values != 0))
            self._places.append(shown + first if first else shown)
        self.most = max(self.most - len(place), 0)

    def keep(self) -> None:
        """Keep the notes, for everything is drawn."""
        if self.most > 0:
            keep(self.scenes, ("drawn cells", self.label), self._places)


def recall_drawn(label: Label, scenes: Sequence[Scene]) -> Places | None:
    """Return on which cells a label, or one like it, drew something of S scenes; None if that is not known."""
    found: Places | None = recall(scenes, ("drawn cells", label))
    return found
