"""Keypoint heatmaps: a Gaussian at every drawn keypoint, one channel a keypoint, and a background channel.

Definition
----------
Of the kind `gaussian`. At a drawn keypoint c the pixels x in [int(max(0, cx - r)), int(min(W, cx + r))) with r = sqrt(2
* 4.6052) sigma, y likewise, where d = |p - c|^2 / (2 sigma^2) < 4.6052, have the value exp(-d); all others are 0.
People merge by maximum. The last channel, the background, is 1 - the maximum over all keypoints. Both are taken per
input pixel, before the grid's reduction to cells.

Place of a cell
---------------
Cell i of w lies at input pixel x = (i + 0.5) s - 0.5, with the stride s = W / w; y alike. Back: i = (x + 0.5) / s -
0.5.

Decoded
-------
Of one person the highest cell of a channel; of many those above 0.1 that are highest of their 3 x 3, of equal ones the
first. Each is refined, along x and y, by the vertex of the parabola through the logarithms of three cells, which for a
Gaussian is its centre.

Source
------
Cao et al., Realtime Multi-Person 2D Pose Estimation using Part Affinity Fields (arXiv:1611.08050), as
tf-pose-estimation draws them (https://github.com/ildoonet/tf-pose-estimation).

Known differences
-----------------
- tf-pose-estimation multiplies points by s where it shrinks a picture by s, which puts them (1 - s) / 2 pixels apart;
  here one map moves both. It reduces labels with `INTER_AREA`, which is the grid `area`.
- OpenPose's first training code, and most of its translations, add up people's Gaussians, to at most 1; here, as in its
  later code, the largest counts. Here the box of pixels cuts some cells on the far side of a Gaussian that OpenPose
  draws, whose values are below 0.016.

Flipped
-------
Keypoints change places. int() rounds the box down on both sides, so that a column of pixels at its ends is not its own
mirror image: there a flipped heatmap and that of mirrored annotations differ by at most exp(-(r - 1)^2 / (2 sigma^2)).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from posegen.labels.base import ArraySpec, Label
from posegen.labels.cells import find_shared
from posegen.labels.decode import Peaks
from posegen.labels.decode.peaks import Peak, find_doubt, find_highest, find_local, step_parabola, to_points
from posegen.labels.grid import Grid
from posegen.labels.mirror import UNSAID, ChannelMirror, mirror_keypoints
from posegen.labels.registry import LabelContext
from posegen.labels.scene import Scene, stack_spread
from posegen.labels.topdown import TOP_DOWN_KINDS, create_heatmap

THRESHOLD = 4.6052
"""Half squared distance in sigmas beyond which a Gaussian is cut, where it has fallen to 1 %."""

_CUT = math.exp(-THRESHOLD)
_REACH = math.sqrt(2 * THRESHOLD)
"""In sigmas."""

_BLOCK = 256
"""Keypoints drawn at once: enough to spread the cost of a NumPy call, few enough to stay in the cache."""

_TOGETHER = 64
"""Scenes drawn at once, times the positions a cell: each of them takes planes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatmapLabel:
    """Gaussians, cut where they fall below 1 %; people merge by maximum. This module's docstring defines them.

    Parameters
    ----------
    grid
        Where to draw.
    keypoints
        The names of the K channels.
    sigma_px
        Standard deviation in input pixels; a scene's `spread` multiplies it.
    background
        Whether a last channel holds the background.
    mirror
        Of its channels.
    """

    grid: Grid
    keypoints: tuple[str, ...]
    sigma_px: float
    background: bool = True
    mirror: ChannelMirror | str = UNSAID

    @property
    def spec(self) -> ArraySpec:
        """The array that `render` makes."""
        channels = (*self.keypoints, "background") if self.background else self.keypoints
        return ArraySpec(name="heatmap", channels=channels, cells=self.grid.cells, mirror=self.mirror)

    def render(self, scene: Scene) -> NDArray[np.float32]:
        """Draw (K, h, w), or (K + 1, h, w) with background; float32 from 0 to 1."""
        return self.render_many([scene])[0]

    def render_many(self, scenes: Sequence[Scene]) -> NDArray[np.float32]:
        """Draw (S, K, h, w), or (S, K + 1, h, w) with background, of S scenes: what `render` gives, sooner."""
        c, h, w = self.spec.shape
        out = np.zeros((len(scenes), c, h * w), np.float32)
        step = max(1, _TOGETHER // self.grid.taps**2)
        for start in range(0, len(scenes), step):
            self._draw(scenes[start : start + step], out[start : start + step])
        return out.reshape(-1, c, h, w)

    @property
    def decoder(self) -> str:
        """How a prediction is read."""
        return "peak, refined by a parabola of logarithms, at (i + 0.5) s - 0.5"

    @property
    def doubt(self) -> str:
        """Why predictions may not be found where they were drawn; '' if they are."""
        return find_doubt(self.sigma_px / float(self.grid.stride.max()))

    def locate(self, outputs: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float64]:
        """Locate one person's keypoints (B, K, 3), x, y in input pixels and score."""
        values = outputs[self.spec.name][:, : len(self.keypoints)]
        maps = values.reshape(-1, *self.grid.cells)
        peak, scores = find_highest(maps)
        return np.column_stack([self._place(maps, peak), scores]).reshape(*values.shape[:2], 3)

    def find_peaks(self, values: NDArray[np.float32]) -> Peaks:
        """Find the peaks of many people in a sample."""
        maps = values[: len(self.keypoints)]
        peak, scores = find_local(maps)
        return Peaks(
            channels=len(maps),
            channel=peak[0],
            cells=np.stack(peak[1:], axis=-1),
            points=self._place(maps, peak),
            scores=scores,
        )

    def _place(self, maps: NDArray[np.float32], peak: Peak) -> NDArray[np.float64]:
        y, x = self.grid.stride[:, 0].tolist()
        return to_points(peak, step_parabola(maps, peak), (x, y), middle=True)

    def _draw(self, scenes: Sequence[Scene], out: NDArray[np.float32]) -> None:
        """Draw S scenes into `out` (S, C, h * w), which is 0."""
        (h, w), taps = self.grid.cells, self.grid.taps
        points, flat = self._list_points(scenes, out.shape[1]), out.reshape(-1)
        merged = np.zeros((taps, taps, len(scenes) * h * w if self.background else 0), np.float32)
        for some in points.blocks():
            channel = points.channel[some]
            if len(channel) > _BLOCK and channel[0] == channel[-1]:
                plane = self._draw_crowd(points, some)
                if self.background:
                    behind = merged.reshape(taps, taps, -1, h * w)[:, :, channel[0] // out.shape[1]]
                    np.maximum(behind, plane, out=behind)
                out.reshape(-1, h, w)[channel[0]] = self.grid.reduce(plane.reshape(taps, taps, h, w))
                continue
            rows, columns, values = points.draw(some)
            cell = rows * w + columns
            if self.background:
                _merge(merged, (cell + channel // out.shape[1] * (h * w)).ravel(), values)
            # Where Gaussians of one channel meet, the maximum has to be taken before the reduction: the last of them
            # takes it, and what is written last to a cell stays.
            place = (cell + channel * (h * w)).ravel()
            last, earlier = find_shared(place, flat.view(np.int32))
            _merge(values, last[earlier], values[..., earlier])
            flat[place] = self.grid.reduce(values.reshape(taps, taps, *cell.shape), rows, columns).ravel()
        if self.background:
            most = self.grid.reduce(merged.reshape(taps, taps, -1, h, w)).reshape(-1, h * w)
            np.subtract(1, most, out=out[:, -1])

    def _draw_crowd(self, points: _Gaussians, some: slice) -> NDArray[np.float32]:
        """Draw so many people's Gaussians of one channel that they are merged in a plane (t, t, h * w), bit by bit."""
        taps, (h, w) = self.grid.taps, self.grid.cells
        plane = np.zeros((taps, taps, h * w), np.float32)
        for start in range(some.start, some.stop, _BLOCK):
            rows, columns, values = points.draw(slice(start, min(start + _BLOCK, some.stop)))
            _merge(plane, (rows * w + columns).ravel(), values)
        return plane

    def _list_points(self, scenes: Sequence[Scene], channels: int) -> _Gaussians:
        """List what is drawn in scenes of so many channels, channel by channel."""
        person, keypoint = np.nonzero(np.concatenate([scene.drawn for scene in scenes]))
        image = np.repeat(np.arange(len(scenes)), [len(scene.drawn) for scene in scenes])
        channel = image[person] * channels + keypoint
        order = np.argsort(channel, kind="stable")
        person, keypoint = person[order], keypoint[order]
        centre = np.concatenate([scene.points for scene in scenes])[person, keypoint, ::-1].T
        sigma = self.sigma_px * stack_spread(scenes)[person, keypoint]
        return _Gaussians(self.grid, channel[order], centre, sigma)


def create(context: LabelContext) -> tuple[Label]:
    """Make the label `heatmap`."""
    context.read_options()
    if context.heatmap in TOP_DOWN_KINDS:
        return (create_heatmap(context),)
    skeleton, mirror = context.skeleton, mirror_keypoints(context.skeleton, rest=1)
    return (HeatmapLabel(grid=context.grid, keypoints=skeleton.keypoints, sigma_px=context.sigma_px, mirror=mirror),)


class _Gaussians:
    """M Gaussians on a grid, each on the n x m cells that the widest of them can reach.

    Parameters
    ----------
    grid
        Where they lie.
    channel
        (M,) the channel of each, counted over all scenes, in order.
    centre
        (2, M) y and x in input pixels.
    sigma
        (M,) in input pixels.
    """

    def __init__(
        self, grid: Grid, channel: NDArray[np.intp], centre: NDArray[np.float64], sigma: NDArray[np.float64]
    ) -> None:
        self.grid, self.channel, self.centre, self.sigma = grid, channel, centre, sigma
        self.reach = _REACH * sigma
        self.extent = grid.count_cells(2 * self.reach.max(initial=0))
        most = np.array([[cells - n] for cells, n in zip(grid.cells, self.extent, strict=True)])
        self.first = np.minimum(np.maximum(grid.first_cell(centre - self.reach), 0), most)

    def blocks(self) -> Iterator[slice]:
        """Cut them into blocks, each of which ends with the channel in which it becomes full; crowds have their own."""
        if len(self.channel) <= _BLOCK:
            # As those of one image are.
            yield from [slice(0, len(self.channel))][: len(self.channel)]
            return
        ends = np.flatnonzero(np.diff(self.channel, append=-1)) + 1
        crowd = np.diff(ends, prepend=0) > _BLOCK
        cut = crowd | (np.diff(ends // _BLOCK, append=-1) != 0)
        cut[:-1] |= crowd[1:]
        start = 0
        for stop in ends[cut].tolist():
            yield slice(start, stop)
            start = stop

    def draw(self, some: slice) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
        """Draw some of them.

        Returns
        -------
        The rows (n, 1, M) and columns (1, m, M) of the cells, and the values (t, t, n * m * M) at their taps. Gaussians
        are the last axis, for NumPy's inner loops to be long.
        """
        grid, (n, m) = self.grid, self.extent
        first, centre, reach = self.first[:, some], self.centre[:, some], self.reach[some]
        # Both axes at once: the shorter one is drawn as far as the longer one and cut afterwards.
        cells = first[:, None] + np.arange(max(n, m))[:, None]
        if n != m:
            cells = np.minimum(cells, np.array(grid.cells)[:, None, None] - 1)
        at = grid.positions_at(cells)
        # exp(-d) is the product of one factor an axis, in float64, where it tells d < THRESHOLD as well as d does.
        factors = at - centre[:, None]
        factors *= factors
        factors *= -0.5 / self.sigma[some] ** 2
        np.exp(factors, out=factors)
        # On the near side the Gaussian ends before its box does; on the far side int() cuts into it.
        size = np.array(grid.input_size)[:, None]
        factors *= at < np.trunc(np.minimum(centre + reach, size))[:, None]
        values = factors[:, None, 0, :n, None] * factors[None, :, 1, None, :m]
        values *= values > _CUT
        return cells[0, :n, None], cells[1, None, :m], values.reshape(*values.shape[:2], -1).astype(np.float32)


def _merge(planes: NDArray[np.float32], cell: NDArray[np.integer], values: NDArray[np.float32]) -> None:
    """Take the maximum of what is in `planes` (t, t, cells) and `values` (t, t, T) at `cell` (T,), tap by tap."""
    for tap in np.ndindex(planes.shape[:2]):
        np.maximum.at(planes[tap], cell, values[tap])
