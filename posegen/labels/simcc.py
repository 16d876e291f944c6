"""Coordinates as classes: for each keypoint a curve over the bins along x, and one over those along y.

Definition
----------
Two arrays, `simcc_x` (K, W') and `simcc_y` (K, H'), of one person; of several the largest value counts. With the split
ratio s an axis of W pixels has W' = round(W s) bins, and a drawn keypoint k lies in the bin mu = round(k s), halves to
the even number. k s is computed in float32, as keypoints are stored.

- `gaussian`: exp(-(i - mu)^2 / (2 sigma^2)) in all bins i, divided by sigma sqrt(2 pi) if `normalize`. With r = 3
  sigma both curves are 0 where mu - r >= W' or mu + r + 1 < 0, along x or along y. Values are rounded to 2^-20, by less
  than 5e-7: a curve's far ends, which are less, would take two thirds of what is stored.
- `standard`: 1 - e in the bin mu, and e / (W' - 1) in all others, with the label smoothing e; both curves are 0 where
  mu is no bin of x, or none of y.

What is not drawn is 0. The label `weight` is 1 where the curves are not 0.

Options
-------
smoothing
    The kind, `gaussian` or `standard`.
split_ratio
    Bins a pixel.
sigma_x
    Of the curves along x, in bins.
sigma_y
    Of those along y; 0 takes that along x.
normalize
    Whether a Gaussian's area is 1, and not its peak.
label_smooth
    The share that `standard` gives to the other bins.

Decoded
-------
The highest bin of both curves; the lower of the two peaks is the score.

Place of a cell
---------------
It has no cells: bin i lies at input pixel i / s.

Source
------
SimCC, Li et al. (arXiv:2107.03332), and RTMPose, Jiang et al. (arXiv:2303.07399); MMPose's `SimCCLabel`.

Known differences
-----------------
- MMPose's `standard` is one person's, as here, but its encoder gives curves for every person.
- It does not round.

Flipped
-------
Along y keypoints change places. Along x it cannot be: bins are counted from the middle of the first pixel, which is not
as far from the first bin as the middle of the last pixel is from the last.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from posegen.errors import ConfigError
from posegen.geometry import Size
from posegen.labels.base import ArraySpec
from posegen.labels.mirror import LOPSIDED, UNSAID, ChannelMirror, mirror_keypoints
from posegen.labels.registry import LabelContext
from posegen.labels.scene import Scene

Smoothing = Literal["gaussian", "standard"]

REACH_SIGMAS = 3
"""How far a Gaussian may lie outside."""

_MOST_BINS = 1 << 16

_STEPS = float(1 << 20)
"""To which the values of a Gaussian are rounded, of 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SimccLabel:
    """Each keypoint's curve over the bins of one axis; this module's docstring defines it.

    Parameters
    ----------
    axis
        `x` or `y`.
    input_size
        (H, W) in pixels.
    keypoints
        The names of the K keypoints.
    smoothing
        The kind.
    split_ratio
        Bins a pixel.
    sigmas
        In bins, along y and along x.
    normalize
        Whether a Gaussian's area is 1.
    label_smooth
        What `standard` gives to the other bins.
    mirror
        Of its channels, for `y`.

    Raises
    ------
    ConfigError
        If a number is out of its range, or a Gaussian is to have label smoothing.
    """

    axis: Literal["x", "y"]
    input_size: Size
    keypoints: tuple[str, ...]
    smoothing: Smoothing = "gaussian"
    split_ratio: float = 2.0
    sigmas: tuple[float, float] = (6.0, 6.0)
    normalize: bool = True
    label_smooth: float = 0.0
    mirror: ChannelMirror | str = UNSAID

    def __post_init__(self) -> None:
        if self.smoothing not in {"gaussian", "standard"}:
            raise ConfigError(f"smoothing must be gaussian or standard, not '{self.smoothing}'")
        if not 0 <= self.label_smooth <= 1 or (self.smoothing == "gaussian" and self.label_smooth):
            raise ConfigError(
                f"label_smooth must be from 0 to 1, and goes with smoothing standard, not with {self.smoothing} and "
                f"{self.label_smooth:g}"
            )
        if not all(0 < sigma <= _MOST_BINS for sigma in self.sigmas):
            raise ConfigError(f"sigmas must be above 0 bins and at most {_MOST_BINS}, not {self.sigmas}")
        if not 0 < self.split_ratio <= _MOST_BINS or not all(1 <= bins <= _MOST_BINS for bins in self.bins):
            raise ConfigError(
                f"split_ratio must leave from 1 to {_MOST_BINS} bins along each axis, not {self.split_ratio:g}"
            )

    @property
    def bins(self) -> tuple[int, int]:
        """(H', W')."""
        height, width = (round(pixels * self.split_ratio) for pixels in self.input_size)
        return height, width

    @property
    def spec(self) -> ArraySpec:
        """The array that `render` makes."""
        bins, sigma = self._axis(self.bins), self._axis(self.sigmas)
        return ArraySpec(
            name=f"simcc_{self.axis}",
            channels=self.keypoints,
            cells=(),
            high=max(1.0, 1 / (sigma * math.sqrt(2 * math.pi))) if self.normalize else 1.0,
            mirror=LOPSIDED if self.axis == "x" else self.mirror,
            inner=(bins,),
            axes=("channel", f"bin_{self.axis}"),
        )

    def render(self, scene: Scene) -> NDArray[np.float32]:
        """Draw (K, W') or (K, H') float32."""
        return self.render_many([scene])[0]

    def render_many(self, scenes: Sequence[Scene]) -> NDArray[np.float32]:
        """Draw (S, K, W') or (S, K, H') float32 of S scenes: what `render` gives, sooner."""
        out = np.zeros((len(scenes), *self.spec.shape), np.float32)
        drawn = np.concatenate([scene.drawn for scene in scenes])
        mu, seen = self._find(np.concatenate([scene.points for scene in scenes]), drawn)
        image = np.repeat(np.arange(len(scenes)), [len(scene.drawn) for scene in scenes])
        person, keypoint = np.nonzero(seen)
        curves, first = self.list_curves()
        drawn_curves = curves[first - self._axis(mu)[person, keypoint]]
        if all(len(scene.drawn) <= 1 for scene in scenes):
            out[image[person], keypoint] = drawn_curves
        else:
            np.maximum.at(out, (image[person], keypoint), drawn_curves)
        return out

    def touches(self, scene: Scene) -> NDArray[np.bool_]:
        """Tell of which keypoints (N, K) something is drawn."""
        return self._find(scene.points, scene.drawn)[1]

    def list_curves(self) -> tuple[NDArray[np.float32], int]:
        """List all curves there can be along the axis: that with mu is the one of the number `first` - mu."""
        bins, sigma = self._axis(self.bins), self._axis(self.sigmas)
        if self.smoothing == "standard":
            rest = self.label_smooth / max(bins - 1, 1)
            return _list_windows(bins, bins, "standard", 1 - self.label_smooth, rest)
        beyond = math.ceil(REACH_SIGMAS * sigma) + 1
        return _list_windows(
            bins, bins + beyond, "gaussian", sigma, sigma * math.sqrt(2 * math.pi) if self.normalize else 1.0
        )

    @property
    def located_with(self) -> tuple[str, ...]:
        """The arrays that `locate` reads."""
        return "simcc_x", "simcc_y"

    @property
    def decoder(self) -> str:
        """How a prediction is read."""
        return f"peaks of both curves, at i / {self.split_ratio:g}"

    def locate(self, outputs: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float64]:
        """Locate one person's keypoints (B, K, 3), x, y in input pixels and score, by the curves of both axes."""
        curves = [outputs[f"simcc_{axis}"] for axis in "xy"]
        points = [curve.argmax(axis=-1) / self.split_ratio for curve in curves]
        return np.stack([*points, np.minimum(*(curve.max(axis=-1) for curve in curves))], axis=-1).astype(np.float64)

    def _axis(self, of_both: Sequence[float] | Sequence[int] | NDArray[np.intp]) -> Any:
        """Choose this axis' of what is along y and along x."""
        return of_both[0 if self.axis == "y" else 1]

    def _find(
        self, points: NDArray[np.float64], drawn: NDArray[np.bool_]
    ) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
        """Find the bins (2, N, K) of people's keypoints along y and x, and of which something is drawn (N, K)."""
        at = np.where(drawn[..., None], points, 0).astype(np.float32) * np.float32(self.split_ratio)
        mu = np.rint(at[..., ::-1]).transpose(2, 0, 1)
        bins = np.array(self.bins)[:, None, None]
        if self.smoothing == "standard":
            inside = (mu >= 0) & (mu < bins)
        else:
            reach = REACH_SIGMAS * np.array(self.sigmas)[:, None, None]
            inside = (mu.astype(np.float64) - reach < bins) & (mu.astype(np.float64) + reach + 1 >= 0)
        seen = drawn & inside.all(axis=0)
        return np.where(seen, mu, 0).astype(np.intp), seen


@lru_cache(maxsize=64)
def _list_windows(
    bins: int, farthest: int, kind: Smoothing, first: float, second: float
) -> tuple[NDArray[np.float32], int]:
    """List the curves over so many bins whose middles are at most `farthest` bins away from one, and which has mu = 0.

    The two numbers are a Gaussian's sigma and what divides it; or the value in the bin itself and that in the others.
    """
    distance = np.arange(-farthest, farthest + bins, dtype=np.float64)
    if kind == "gaussian":
        whole = np.exp(-(distance**2) / (2 * first**2)).astype(np.float32)
        whole = (np.rint(whole / np.float64(second) * _STEPS) / _STEPS).astype(np.float32)
    else:
        whole = np.where(distance == 0, first, second).astype(np.float32)
    return np.lib.stride_tricks.sliding_window_view(whole, bins), farthest


def create_axes(context: LabelContext) -> tuple[SimccLabel, SimccLabel]:
    """Make the labels of both axes, with the options of this module's docstring."""
    options = context.read_options(
        smoothing="gaussian", split_ratio=2.0, sigma_x=6.0, sigma_y=0.0, normalize=True, label_smooth=0.0
    )
    sigma_x, sigma_y = options.pop("sigma_x"), options.pop("sigma_y")
    label = SimccLabel(
        axis="x",
        input_size=context.grid.input_size,
        keypoints=context.skeleton.keypoints,
        sigmas=(sigma_y or sigma_x, sigma_x),
        mirror=mirror_keypoints(context.skeleton),
        **options,
    )
    return label, dataclasses.replace(label, axis="y")


def create(context: LabelContext) -> tuple[SimccLabel, SimccLabel]:
    """Make the arrays `simcc_x` and `simcc_y`."""
    return create_axes(context)
