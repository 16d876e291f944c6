"""Limb heatmaps: a Gaussian of the distance to every limb, one channel a limb.

Definition
----------
With d = (distance from p to the nearest point of the segment from keypoint to keypoint)^2 / (2 sigma^2) the value at p
is exp(-d) where d < 4.6052, and 0 elsewhere. A limb is drawn if both of its keypoints are; one of no length is a
keypoint's Gaussian; where keypoints' sigmas differ it has the mean of both. People merge by maximum. Maximum and cut
are taken per input pixel, before the grid's reduction to cells.

Place of a cell
---------------
Cell i of w lies at input pixel x = (i + 0.5) s - 0.5, with the stride s = W / w; y alike.

Decoded
-------
To nobody: a network reads them, and predicts actions, as in PoseC3D. They say where a limb lies and not whose it is or
which way it points; fields that are decoded to people are the label `paf`.

Source
------
PoseC3D, Duan et al. (arXiv:2104.13586).

Known differences
-----------------
PoseC3D cuts by a box of 3 sigma around the limb instead, and scales by the keypoints' scores.

Flipped
-------
Limbs change places, whichever way they point.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posegen.labels.base import ArraySpec
from posegen.labels.cells import list_cells
from posegen.labels.gaussians import THRESHOLD
from posegen.labels.grid import Grid
from posegen.labels.mirror import UNSAID, ChannelMirror, mirror_limbs
from posegen.labels.registry import LabelContext
from posegen.labels.scene import Scene


@dataclass(frozen=True, slots=True, kw_only=True)
class LimbLabel:
    """Gaussians of the distance to the segment between a limb's ends; people merge by maximum.

    This module's docstring defines them.

    Parameters
    ----------
    grid
        Where to draw.
    limbs
        E pairs of keypoint indices.
    limb_names
        Their E names.
    sigma_px
        Standard deviation in input pixels.
    mirror
        Of its channels.
    """

    grid: Grid
    limbs: tuple[tuple[int, int], ...]
    limb_names: tuple[str, ...]
    sigma_px: float
    mirror: ChannelMirror | str = UNSAID

    @property
    def spec(self) -> ArraySpec:
        """The array that `render` makes."""
        return ArraySpec(name="limb", channels=self.limb_names, cells=self.grid.cells, mirror=self.mirror)

    def render(self, scene: Scene) -> NDArray[np.float32]:
        """Draw (E, h, w) float32 from 0 to 1."""
        (h, w), taps = self.grid.cells, self.grid.taps
        out = np.zeros((len(self.limbs), h, w), np.float32)
        for e, (a, b) in enumerate(self.limbs):
            shown = scene.drawn[:, a] & scene.drawn[:, b]
            if shown.any():
                plane = np.zeros((taps, taps, h * w), np.float32)
                sigma = np.full(int(shown.sum()), self.sigma_px)
                if scene.spread is not None:
                    sigma *= scene.spread[shown][:, [a, b]].mean(axis=1)
                self._draw(plane, scene.points[shown, a, ::-1].T, scene.points[shown, b, ::-1].T, sigma)
                out[e] = self.grid.reduce(plane.reshape(taps, taps, h, w))
        return out

    def _draw(
        self,
        plane: NDArray[np.float32],
        start: NDArray[np.float64],
        stop: NDArray[np.float64],
        sigma: NDArray[np.float64],
    ) -> None:
        """Draw one limb of M people, from (2, M) y and x to (2, M), of sigmas (M,), into `plane` (t, t, cells)."""
        grid, reach = self.grid, math.sqrt(2 * THRESHOLD) * sigma
        bounds = np.array(grid.cells)[:, None]
        first = np.clip(grid.first_cell(np.minimum(start, stop) - reach), 0, bounds)
        end = np.clip(grid.stop_cell(np.maximum(start, stop) + reach), 0, bounds)
        limb, row, column = list_cells(first, np.maximum(end - first, 0))
        along = stop - start
        squared = np.square(along).sum(axis=0)
        y, x = start[:, limb]
        dy, dx = along[:, limb]
        share, narrow = 1 / np.where(squared > 0, squared, 1)[limb], 1 / (2 * np.maximum(sigma, 1e-9)[limb] ** 2)
        rows, columns = grid.positions[:, 0, row] - y, grid.positions[:, 1, column] - x
        for i, j in np.ndindex(grid.taps, grid.taps):
            nearest = np.clip((rows[i] * dy + columns[j] * dx) * share, 0, 1)
            d = np.square(rows[i] - nearest * dy) + np.square(columns[j] - nearest * dx)
            d *= narrow
            values = np.where(d < THRESHOLD, np.exp(-d), 0).astype(np.float32)
            np.maximum.at(plane[i, j], row * grid.cells[1] + column, values)


def create(context: LabelContext) -> tuple[LimbLabel, ...]:
    """Make the label `limb`, unless there are no limbs."""
    context.read_options()
    skeleton = context.skeleton
    label = LimbLabel(
        grid=context.grid,
        limbs=skeleton.limbs,
        limb_names=skeleton.limb_names,
        sigma_px=context.sigma_px,
        mirror=mirror_limbs(skeleton),
    )
    return (label,) if skeleton.limbs else ()
