"""Flipping a sample left to right: pixels, people, and the channels that mean left and right.

A pixel at x goes to W - 1 - x. A left wrist becomes a right one, so keypoints change places by the skeleton's flip
pairs, and channels and signs of a label as the shard says that its label said; see `posegen.labels.mirror`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from posegen.config import BuildConfig
from posegen.errors import ConfigError
from posegen.shards.mirror import find_mirrors
from posegen.shards.schema import Column, StoredLabel
from posegen.skeleton import Skeleton


@dataclass(frozen=True, slots=True, eq=False)
class Mirror:
    """The mirror of one dataset's samples, with an input of W pixels.

    Attributes
    ----------
    width
        W.
    keypoints
        (K,) which keypoint comes to each place.
    channels
        By label, which channel comes to each place; None where they stay.
    negated
        By label, which channels change their sign there; None where none does.
    """

    width: int
    keypoints: NDArray[np.intp]
    channels: dict[str, NDArray[np.intp] | None]
    negated: dict[str, NDArray[np.intp] | None]

    @classmethod
    def of(cls, config: BuildConfig, skeleton: Skeleton, labels: Sequence[StoredLabel]) -> Mirror:
        """Find where everything of some labels goes.

        Raises
        ------
        ConfigError
            If a label cannot be flipped as it is stored; it says why.
        """
        keypoints = np.array(skeleton.mirrored, np.intp)
        channels: dict[str, NDArray[np.intp] | None] = {}
        negated: dict[str, NDArray[np.intp] | None] = {}
        deep = {label.spec.name for label in labels if label.spec.inner}
        for name, mirror in find_mirrors(config, skeleton, labels).items():
            if isinstance(mirror, str):
                reason = " ".join(mirror.split())[:_LONGEST_REASON]
                raise ConfigError(
                    f"'{name}' cannot be flipped as it is stored: {reason}; leave it out of the fields, or do not flip"
                )
            # With inner axes the order says, too, whether it is one of channels or of places.
            stay = mirror.order == tuple(range(len(mirror.order))) and name not in deep
            channels[name] = None if stay else np.array(mirror.order, np.intp)
            negated[name] = np.array(mirror.negated, np.intp) if mirror.negated else None
        return cls(config.input_size[1], keypoints, channels, negated)

    def image(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Mirror a picture (H, W, 3)."""
        return np.asarray(cv2.flip(picture, 1), np.uint8)

    def stored(self, label: StoredLabel, values: NDArray[Any]) -> NDArray[Any]:
        """Mirror a label as it is stored, in its layout, (*shape) or by person (n, *shape)."""
        spec, shape = label.spec, values.shape
        order, negated = self.channels[spec.name], self.negated[spec.name]
        axis = values.ndim - len(label.shape) + label.channel_axis
        if spec.inner and order is not None and len(order) == spec.places:
            values = values.reshape(*shape[:axis], spec.places, *shape[axis + 1 + len(spec.inner) :])
        mirrored = values if order is None else values.take(order, axis=axis)
        before: tuple[Any, ...] = (slice(None),) * axis
        if negated is not None:
            where = (*before, negated)
            mirrored[where] = -mirrored[where]
        mirrored = mirrored.reshape(shape)
        if not spec.cells:
            return mirrored
        return mirrored[..., ::-1] if label.channel_axis == 0 else mirrored[(*before[:-1], slice(None, None, -1))]

    def column(self, column: Column, value: Any) -> Any:
        """Mirror what `ShardReader.column` gives of one sample."""
        mirror = _MIRRORED.get(column.kind)
        return value if mirror is None else mirror(self, value)

    def _points(self, keypoints: NDArray[np.float32]) -> NDArray[np.float32]:
        mirrored = keypoints[:, self.keypoints]
        labelled = mirrored[..., 2] > 0
        mirrored[labelled, 0] = self.width - 1 - mirrored[labelled, 0]
        return mirrored

    def _keypoints(self, values: NDArray[Any]) -> NDArray[Any]:
        return values[:, self.keypoints]

    def _boxes(self, boxes: NDArray[np.float32]) -> NDArray[np.float32]:
        """Mirror boxes, whose x counts from the picture's edge, not from a pixel's centre."""
        mirrored = boxes.copy()
        mirrored[:, 0] = self.width - (boxes[:, 0] + boxes[:, 2])
        return mirrored

    def _affine(self, affine: NDArray[np.float64]) -> NDArray[np.float64]:
        mirrored = affine.copy()
        mirrored[0] *= -1
        mirrored[0, 2] += self.width - 1
        return mirrored


_MIRRORED: dict[str, Callable[[Mirror, Any], Any]] = {
    "points": Mirror._points,  # noqa: SLF001 (its own)
    "keypoints": Mirror._keypoints,  # noqa: SLF001
    "boxes": Mirror._boxes,  # noqa: SLF001
    "affine": Mirror._affine,  # noqa: SLF001
}
"""By the kind of a column: its values, mirrored."""

_WIDEST = (1 << 64) - 1

_LONGEST_REASON = 300


class RandomFlips:
    """Says by chance which samples are flipped.

    Parameters
    ----------
    seed
        With one, what it says depends on it, the epoch and the sample alone; without, every process draws anew.
    """

    def __init__(self, seed: int | None) -> None:
        self._seed = seed
        self._process = -1
        self._random = np.random.default_rng(0)

    def is_flipped(self, epoch: int, index: int) -> bool:
        """Say whether a sample is flipped in an epoch, both counted from 0."""
        if self._seed is None:
            if self._process != os.getpid():
                self._process, self._random = os.getpid(), np.random.default_rng()
            return bool(self._random.integers(2))
        return bool(_mix(_mix(_mix(self._seed) ^ epoch) ^ index) & 1)


def _mix(value: int) -> int:
    """Scramble 64 bits (SplitMix64, Steele et al., doi:10.1145/2660193.2660195)."""
    value = value + 0x9E3779B97F4A7C15 & _WIDEST
    value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9 & _WIDEST
    value = (value ^ value >> 27) * 0x94D049BB133111EB & _WIDEST
    return value ^ value >> 31
