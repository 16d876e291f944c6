"""Classification and offset maps: around each keypoint which cells are near it, and where from them it lies.

Definition
----------
Three channels a keypoint. With mu the keypoint in cells, r = radius_factor * max(h, w) and (x, y) = (mu - cell) / r,
the three values of a cell are 1, x, y where x^2 + y^2 <= 1, and 0, 0, 0 elsewhere. Of several people's keypoints the
nearest counts.

Options
-------
radius_factor
    The radius, as a share of the grid's longer side; 3.5 of 64 cells if not given.
corners
    Where cells lie: with their middles at (i + 0.5) s - 0.5, or with true, as in UDP, at i (W - 1) / (w - 1).

Place of a cell
---------------
Cell i of w lies at input pixel x = (i + 0.5) s - 0.5, with the stride s = W / w, or with `corners` at x = i (W - 1) /
(w - 1); y alike. A keypoint lies r times the stored (x, y) from the cell.

Decoded
-------
The highest cell of the first map, blurred with a kernel of two thirds of the radius, and the way from there.

Source
------
UDP, Huang et al. (arXiv:1911.07524): its combined maps, MMPose's `UDPHeatmap` with `combined`.

Known differences
-----------------
MMPose leaves x and y beyond the radius, where its loss does not read them, and has one person an image.

Flipped
-------
Keypoints change places, and x its sign.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posegen.errors import ConfigError
from posegen.geometry import Size
from posegen.labels.base import ArraySpec
from posegen.labels.cells import choose_least, list_cells, to_cells
from posegen.labels.decode.peaks import blur, find_highest, to_points
from posegen.labels.mirror import UNSAID, ChannelMirror, mirror_keypoints
from posegen.labels.registry import LabelContext
from posegen.labels.scene import Scene

UDP_RADIUS = 0.0546875
"""3.5 of 64 cells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OffsetLabel:
    """For each keypoint 1 on the cells near it, and on these the way to it, in units of the radius.

    This module's docstring defines them.

    Parameters
    ----------
    input_size, cells
        (H, W) in pixels and (h, w).
    keypoints
        The names of the K keypoints.
    radius_factor
        The radius, as a share of the longer side.
    corners
        Where cells lie: their middles at (i + 0.5) * stride - 0.5, or at i * (W - 1) / (w - 1), as in UDP.
    mirror
        Of its channels.

    Raises
    ------
    ConfigError
        If the radius is not from 0 to 1, or `corners` are asked of a single row or column.
    """

    input_size: Size
    cells: Size
    keypoints: tuple[str, ...]
    radius_factor: float = UDP_RADIUS
    corners: bool = False
    mirror: ChannelMirror | str = UNSAID

    def __post_init__(self) -> None:
        if not 0 < self.radius_factor <= 1:
            raise ConfigError(f"radius_factor must be above 0 and at most 1, not {self.radius_factor}")
        if self.corners and min(self.cells) < 2:
            raise ConfigError(f"corners need two cells along each axis, not {self.cells[1]}x{self.cells[0]}")

    @property
    def spec(self) -> ArraySpec:
        """The array that `render` makes."""
        channels = tuple(f"{name}{part}" for name in self.keypoints for part in ("", ":x", ":y"))
        return ArraySpec(name="offset", channels=channels, cells=self.cells, low=-1.0, mirror=self.mirror)

    def render(self, scene: Scene) -> NDArray[np.float32]:
        """Draw (3K, h, w) float32; channel 3k is 0 or 1, 3k + 1 and 3k + 2 the way along x and y from -1 to 1."""
        (h, w), radius = self.cells, self.radius_factor * max(self.cells)
        person, keypoint = np.nonzero(scene.drawn)
        points = scene.points[person, keypoint]
        if self.corners:
            mu = points * ((np.array(self.cells) - 1) / (np.array(self.input_size) - 1))[::-1]
        else:
            mu = to_cells(points, self.input_size, self.cells)
        at, bounds = mu[:, ::-1].T, np.array([[h], [w]])
        first = np.clip(np.ceil(at - radius), 0, bounds).astype(np.intp)
        end = np.clip(np.floor(at + radius) + 1, first, bounds).astype(np.intp)
        index, row, column = list_cells(first, end - first)
        x, y = (mu[index, 0] - column) / radius, (mu[index, 1] - row) / radius
        squared = x**2 + y**2
        (near,) = np.nonzero(squared <= 1)
        index, row, column, x, y = (array[near] for array in (index, row, column, x, y))
        channel = 3 * keypoint[index]
        chosen = choose_least((channel * h + row) * w + column, squared[near], x, y)
        out = np.zeros((3 * len(self.keypoints), h, w), np.float32)
        for part, values in enumerate((np.ones_like(x), x, y)):
            out[channel[chosen] + part, row[chosen], column[chosen]] = values[chosen]
        return out

    @property
    def decoder(self) -> str:
        """How a prediction is read."""
        return f"peak and the way from it, at {'i (W - 1) / (w - 1)' if self.corners else '(i + 0.5) s - 0.5'}"

    def locate(self, outputs: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float64]:
        """Locate one person's keypoints (B, K, 3), x, y in input pixels and score."""
        values, radius = outputs[self.spec.name], self.radius_factor * max(self.cells)
        count = len(self.keypoints)
        maps = values.reshape(-1, count, 3, *self.cells)
        near, ways = maps[:, :, 0].reshape(-1, *self.cells), maps[:, :, 1:].reshape(-1, 2, *self.cells)
        peak, _ = find_highest(blur(near, max(round(2 * radius / 3), 1)))
        step = radius * ways[peak[0], :, peak[1], peak[2]].astype(np.float64)
        less = int(self.corners)
        (height, width), (h, w) = self.input_size, self.cells
        stride = (width - less) / (w - less), (height - less) / (h - less)
        points = to_points(peak, step, stride, middle=not self.corners)
        return np.column_stack([points, near[peak]]).reshape(-1, count, 3)


def create(context: LabelContext) -> tuple[OffsetLabel]:
    """Make the label `offset`, with the options `radius_factor` and `corners`."""
    options = context.read_options(radius_factor=UDP_RADIUS, corners=False)
    label = OffsetLabel(
        input_size=context.grid.input_size,
        cells=context.grid.cells,
        keypoints=context.skeleton.keypoints,
        mirror=mirror_keypoints(context.skeleton, channels=3, negated=[1]),
        **options,
    )
    return (label,)
