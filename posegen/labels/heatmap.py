"""Keypoint heatmaps: a Gaussian at every drawn keypoint, one channel a keypoint, and a background channel."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posegen.grid import Grid
from posegen.labels.base import ArraySpec, Label, Scene
from posegen.labels.registry import LabelContext
from posegen.labels.topdown import TOP_DOWN_KINDS, create_heatmap

THRESHOLD = 4.6052
"""Half squared distance in sigmas beyond which a Gaussian is cut, where it has fallen to 1 %."""

_CUT = math.exp(-THRESHOLD)

_BLOCK = 512
"""Keypoints drawn at once: enough to spread the cost of a NumPy call, few enough to stay in the cache."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatmapLabel:
    """Gaussians of one sigma, cut where they fall below 1 %; people merge by maximum.

    The heatmaps of Cao et al. (arXiv:1611.08050) as tf-pose-estimation draws them: for a point c the pixels x in
    [int(max(0, cx - r)), int(min(W, cx + r))) with r = sqrt(2 * 4.6052) sigma, y likewise, where
    d = |p - c|^2 / (2 sigma^2) < 4.6052, have the value exp(-d). The background is 1 - the maximum over all keypoints,
    taken before the reduction to cells.

    Parameters
    ----------
    grid
        Where to draw.
    keypoints
        The names of the K channels.
    sigma_px
        Standard deviation in input pixels.
    background
        Whether a last channel holds the background.
    """

    grid: Grid
    keypoints: tuple[str, ...]
    sigma_px: float
    background: bool = True

    @property
    def spec(self) -> ArraySpec:
        """The array that `render` makes."""
        channels = (*self.keypoints, "background") if self.background else self.keypoints
        return ArraySpec(name="heatmap", channels=channels, cells=self.grid.cells)

    def render(self, scene: Scene) -> NDArray[np.float32]:
        """Draw (K, h, w), or (K + 1, h, w) with background; float32 from 0 to 1."""
        keypoints, (h, w), taps = len(self.keypoints), self.grid.cells, self.grid.taps
        channel, person = np.nonzero(scene.drawn.T)
        # Where several people have a keypoint, the maximum has to be taken before the reduction. Only these channels
        # and the background are kept at the resolution of the taps; their keypoints are drawn first.
        crowded = np.bincount(channel, minlength=keypoints) > 1
        order = np.argsort(~crowded[channel], kind="stable")
        channel, person = channel[order], person[order]
        several = int(crowded[channel].sum())
        plane = np.cumsum(crowded) * (h * w)
        planes = np.zeros((taps, taps, plane[-1] + h * w), np.float32)
        out = np.zeros((len(self.spec.channels), h * w), np.float32)
        centres = np.ascontiguousarray(scene.points[person, channel, ::-1].T)
        for start in range(0, len(channel), _BLOCK):
            rows, columns, values = self._draw(centres[:, start : start + _BLOCK])
            of = channel[start : start + _BLOCK]
            cell = rows * w + columns
            if self.background:
                _merge(planes, cell, values)
            split = min(max(several - start, 0), len(of))
            if split:
                _merge(planes, cell[..., :split] + plane[of[:split]], values[..., :split])
            if split < len(of):
                alone = self.grid.reduce(values[..., split:], rows[..., split:], columns[..., split:])
                out.reshape(-1)[cell[..., split:] + of[split:] * (h * w)] = alone
        merged = self.grid.reduce(planes.reshape(taps, taps, -1, h, w)).reshape(-1, h * w)
        out[:keypoints][crowded] = merged[1:]
        if self.background:
            np.subtract(1, merged[0], out=out[-1])
        return out.reshape(-1, h, w)

    def _draw(self, centres: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
        """Draw M Gaussians, each on the n x m cells it can reach.

        Parameters
        ----------
        centres
            (2, M) y and x in input pixels.

        Returns
        -------
        The rows (n, 1, M) and columns (1, m, M) of the cells, and the values (t, t, n, m, M) at their taps. Keypoints
        are the last axis, for NumPy's inner loops to be long.
        """
        grid, reach = self.grid, math.sqrt(2 * THRESHOLD) * self.sigma_px
        n, m = grid.count_cells(2 * reach)
        size = np.array([grid.input_size, grid.cells])[..., None]
        first = np.minimum(np.maximum(grid.first_cell(centres - reach), 0), size[1] - [[n], [m]])
        # Both axes at once: the shorter one is drawn as far as the longer one and cut afterwards.
        cells = first[:, None] + np.arange(max(n, m))[:, None]
        if n != m:
            cells = np.minimum(cells, size[1, :, None] - 1)
        at = grid.positions_at(cells)
        # exp(-d) is the product of one factor an axis, in float64, where it tells d < THRESHOLD as well as d does.
        factors = at - centres[:, None]
        factors *= factors
        factors *= -1 / (2 * self.sigma_px**2)
        np.exp(factors, out=factors)
        # On the near side the Gaussian ends before its box does; on the far side int() cuts into it.
        factors *= at < np.trunc(np.minimum(centres + reach, size[0]))[:, None]
        values = factors[:, None, 0, :n, None] * factors[None, :, 1, None, :m]
        values *= values > _CUT
        return cells[0, :n, None], cells[1, None, :m], values.astype(np.float32)


def create(context: LabelContext) -> tuple[Label]:
    """Make the label `heatmap`."""
    context.read_options()
    if context.heatmap in TOP_DOWN_KINDS:
        return (create_heatmap(context),)
    return (HeatmapLabel(grid=context.grid, keypoints=context.skeleton.keypoints, sigma_px=context.sigma_px),)


def _merge(planes: NDArray[np.float32], cell: NDArray[np.int64], values: NDArray[np.float32]) -> None:
    """Take the maximum of what is in `planes` (t, t, cells) and `values` (t, t, ...) at `cell` (...), tap by tap."""
    flat = cell.ravel()
    for tap in np.ndindex(planes.shape[:2]):
        np.maximum.at(planes[tap], flat, values[tap].ravel())
