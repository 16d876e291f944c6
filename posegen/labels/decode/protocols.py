"""What a label has that can be decoded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from posegen.labels.base import Label


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Peaks:
    """P peaks of a sample, channel by channel.

    Attributes
    ----------
    channels
        How many there are (K).
    channel
        (P,) of which channel each is.
    cells
        (P, 2) its row and column.
    points
        (P, 2) float64 x, y in input pixels.
    scores
        (P,) float64.
    """

    channels: int
    channel: NDArray[np.intp]
    cells: NDArray[np.intp]
    points: NDArray[np.float64]
    scores: NDArray[np.float64]


class DoubtfulLabel(Label, Protocol):
    """A label that knows when it cannot be decoded well; `build` says so."""

    @property
    def doubt(self) -> str:
        """Why, and what to do; '' if there is nothing to say."""
        ...


class LocatingLabel(Label, Protocol):
    """A label that tells where each keypoint of a single person is.

    One that reads more arrays than its own names them all in `located_with`.
    """

    @property
    def decoder(self) -> str:
        """How, in words: what finds the place, and where in the input the cell i lies."""
        ...

    def locate(self, outputs: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float64]:
        """Locate K keypoints in each of B samples.

        Parameters
        ----------
        outputs
            By the name of its array what was predicted, each (B, C, h, w); the label's own is among them.

        Returns
        -------
        (B, K, 3) x, y in input pixels, score.
        """
        ...


class PeakLabel(Label, Protocol):
    """A label whose channels peak once a person."""

    @property
    def decoder(self) -> str:
        """How, in words."""
        ...

    def find_peaks(self, values: NDArray[np.float32]) -> Peaks:
        """Find the peaks in the values (C, h, w) of a sample."""
        ...


class JoiningLabel(Label, Protocol):
    """A label that makes people of the peaks of another one, whose name is `joins`.

    What is predicted may be something else than what is drawn, as tags are: then `predicted` has its specification, but
    for how many times its channels there are, and `join` can be given what was drawn, too.
    """

    @property
    def decoder(self) -> str:
        """How, in words."""
        ...

    @property
    def joins(self) -> str:
        """The name of the array whose peaks it reads."""
        ...

    def join(self, values: NDArray[np.float32], peaks: Peaks) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Make n people of peaks and the values (C, h, w) of a sample.

        Returns
        -------
        (n, K, 3) x, y in input pixels, score, all 0 where there is none; and (n,) scores.
        """
        ...

    def joinable(self, drawn: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Tell which of N people, of whom the keypoints (N, K) are drawn, can be found at all: (N,)."""
        ...


class FindingLabel(Label, Protocol):
    """A label from which, with others, people are found.

    `found_with` names all arrays that it reads; `drawn_with` those that it reads besides where it is given what was
    drawn and not what is predicted in its place; see `JoiningLabel`.
    """

    @property
    def decoder(self) -> str:
        """How, in words."""
        ...

    @property
    def found_with(self) -> tuple[str, ...]:
        """The arrays that it reads."""
        ...

    @property
    def drawn_with(self) -> tuple[str, ...]:
        """The arrays that it can read besides."""
        ...

    def find_people(self, outputs: Mapping[str, NDArray[Any]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Find the n people of a sample, of which `outputs` has the arrays: as `JoiningLabel.join`."""
        ...


class FieldLabel(JoiningLabel, Protocol):
    """A label that joins people along limbs."""

    def follow(
        self, values: NDArray[np.float32], points: NDArray[np.float64], drawn: NDArray[np.bool_]
    ) -> NDArray[np.float64]:
        """Measure how much the values (C, h, w) of a sample point along each person's limbs: (N, E), NaN where none is.

        Parameters
        ----------
        points, drawn
            (N, K, 2) x, y in input pixels, and (N, K) which of them are drawn.
        """
        ...
