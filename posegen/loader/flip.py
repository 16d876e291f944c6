"""Flipping a sample left to right: pixels, people, and the channels that mean left and right.

A pixel at x goes to W - 1 - x. A left wrist becomes a right one, so keypoints and their channels change places by the
skeleton's flip pairs, limbs with the limbs that join the other side's keypoints, and the x of a part affinity field
changes its sign.
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
from posegen.labels.base import without_stride
from posegen.shards import StoredLabel
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
            If a limb's mirror image is not among the limbs, or a label is drawn otherwise to the left than to the
            right, or not one of ours.
        """
        keypoints = np.arange(len(skeleton.keypoints))
        for a, b in skeleton.flip_pairs:
            keypoints[[a, b]] = b, a
        channels: dict[str, NDArray[np.intp] | None] = {}
        negated: dict[str, NDArray[np.intp] | None] = {}
        for label in labels:
            name, kind = label.spec.name, without_stride(label.spec.name)
            if kind not in _CHANNELS or (kind, getattr(config, kind, None)) in _LOPSIDED:
                raise ConfigError(
                    f"'{name}' cannot be flipped as it is stored: drawn of a flipped sample it would be another; "
                    "leave it out of the fields, or do not flip"
                )
            channels[name], negated[name] = _CHANNELS[kind](skeleton, keypoints, len(label.spec.channels))
        return cls(config.input_size[1], keypoints, channels, negated)

    def image(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Mirror a picture (H, W, 3)."""
        return np.asarray(cv2.flip(picture, 1), np.uint8)

    def stored(self, label: StoredLabel, values: NDArray[Any]) -> NDArray[Any]:
        """Mirror a label as it is stored, in its layout."""
        name, axis = label.spec.name, 0 if label.layout == "chw" else -1
        order, negated = self.channels[name], self.negated[name]
        mirrored = values if order is None else values.take(order, axis=axis)
        if negated is not None:
            where = (negated,) if axis == 0 else (..., negated)
            mirrored[where] = -mirrored[where]
        if not label.spec.cells:
            return mirrored
        return mirrored[..., ::-1] if axis == 0 else mirrored[..., ::-1, :]

    def fact(self, name: str, value: Any) -> Any:
        """Mirror what `ShardReader.sample` tells of a sample under a name."""
        return _FACTS[name](self, value) if name in _FACTS else value

    def _people(self, keypoints: NDArray[np.float32]) -> NDArray[np.float32]:
        mirrored = keypoints[:, self.keypoints]
        labelled = mirrored[..., 2] > 0
        mirrored[labelled, 0] = self.width - 1 - mirrored[labelled, 0]
        return mirrored

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


_FACTS: dict[str, Callable[[Mirror, Any], Any]] = {
    "keypoints": Mirror._people,  # noqa: SLF001 (its own)
    "bbox": Mirror._boxes,  # noqa: SLF001
    "affine": Mirror._affine,  # noqa: SLF001
}

_WIDEST = (1 << 64) - 1

_Order = tuple[NDArray[np.intp] | None, NDArray[np.intp] | None]
"""Which channel comes to each place, and which change their sign there."""


def _order_keypoints(_: Skeleton, keypoints: NDArray[np.intp], count: int) -> _Order:
    """Channels are keypoints, and what else there is, the background, stays."""
    return np.concatenate([keypoints, np.arange(len(keypoints), count)]), None


def _order_limbs(skeleton: Skeleton, keypoints: NDArray[np.intp], _: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Mirrored, a limb from a to b is one from a' to b'; where the skeleton has it from b' to a' it points back."""
    places = {limb: e for e, limb in reversed([*enumerate(skeleton.limbs)])}
    channels, negated = [], []
    for e, (a, b) in enumerate(skeleton.limbs):
        there = int(keypoints[a]), int(keypoints[b])
        found = places.get(there, places.get(there[::-1]))
        if found is None:
            names = skeleton.keypoints
            raise ConfigError(
                f"skeleton '{skeleton.name}' cannot be flipped: it has the limb {names[a]}-{names[b]}, but not its "
                f"mirror image {names[there[0]]}-{names[there[1]]}; add it, or leave 'paf' out of the fields"
            )
        channels += [2 * found, 2 * found + 1]
        negated.append(2 * e if there in places else 2 * e + 1)
    return np.array(channels, np.intp), np.array(negated, np.intp)


def _order_limb_heatmaps(skeleton: Skeleton, keypoints: NDArray[np.intp], count: int) -> _Order:
    """Channels are limbs, whichever way they point."""
    return _order_limbs(skeleton, keypoints, count)[0][::2] // 2, None


def _order_offsets(_: Skeleton, keypoints: NDArray[np.intp], __: int) -> _Order:
    """Each keypoint has three channels, of which the second points along x."""
    return (3 * keypoints[:, None] + np.arange(3)).ravel(), 3 * np.arange(len(keypoints)) + 1


def _stay(_: Skeleton, __: NDArray[np.intp], ___: int) -> _Order:
    return None, None


_CHANNELS: dict[str, Callable[[Skeleton, NDArray[np.intp], int], _Order]] = {
    "heatmap": _order_keypoints,
    "weight": _order_keypoints,
    "paf": _order_limbs,
    "mask": _stay,
    "center": _stay,
    "limb": _order_limb_heatmaps,
    "offset": _order_offsets,
}

_LOPSIDED = {
    *(("heatmap", kind) for kind in ("msra", "msra-unbiased", "megvii")),
    ("paf", "cells"),
}
"""Labels, and how a build draws them, that count cells from the left edge of the first pixel, not from its middle."""


class Chance:
    """Tosses a coin for a sample.

    Parameters
    ----------
    seed
        With one, what comes up depends on it, the epoch and the sample alone; without, every process tosses anew.
    """

    def __init__(self, seed: int | None) -> None:
        self._seed = seed
        self._process = -1
        self._random = np.random.default_rng(0)

    def toss(self, epoch: int, index: int) -> bool:
        """Toss it for a sample in an epoch, both counted from 0."""
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
