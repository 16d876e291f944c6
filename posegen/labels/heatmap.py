"""Keypoint heatmaps: a Gaussian at every drawn keypoint, one channel a keypoint, and a background channel.

Definition
----------
Of the kind `gaussian`. At a drawn keypoint c the pixels x in [int(max(0, cx - r)), int(min(W, cx + r))) with r = sqrt(2
* 4.6052) sigma, y likewise, where d = |p - c|^2 / (2 sigma^2) < 4.6052, have the value exp(-d); all others are 0.
People merge by maximum. The last channel, the background, is 1 - the maximum over all keypoints. Both are taken per
input pixel, before the grid's reduction to cells.

Options
-------
normalize
    Whether each channel is divided by its sum + 1e-24 (`sum`, for integral regression; 8 bits are too few for it) or
    not (`none`).
sigmas
    Several sigmas in cells with commas, as in 3,2,1: an array each, such as `heatmap_sigma2`.
kernels
    For `megvii` several sizes of kernels with commas, as in 15,11,9,7: an array each, such as `heatmap_k11`.

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

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from posegen.errors import ConfigError
from posegen.labels.base import ArraySpec, Label
from posegen.labels.cells import find_shared
from posegen.labels.decode import Peaks
from posegen.labels.decode.peaks import Peak, find_doubt, find_highest, find_local, step_parabola, to_points
from posegen.labels.drawn_cells import DrawnCells, Note, recall_drawn
from posegen.labels.gaussians import BLOCK, Gaussians
from posegen.labels.grid import Grid
from posegen.labels.mirror import UNSAID, ChannelMirror, mirror_keypoints
from posegen.labels.registry import LabelContext
from posegen.labels.scene import Scene, stack_spread
from posegen.labels.topdown import TOP_DOWN_KINDS, create_heatmap
from posegen.labels.variants import VariantLabel

_LEAST_KERNEL = 3

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

    draws_halves: ClassVar[bool] = True

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
        out = np.zeros((len(scenes), len(self.keypoints) + self.background, *self.grid.cells), np.float32)
        self._draw_all(scenes, out)
        return out

    def render_into(self, scenes: Sequence[Scene], out: NDArray[np.floating]) -> None:
        """Draw what `render_many` does into an array, float32 or float16."""
        out.fill(0)
        self._draw_all(scenes, out)

    def find_drawn(self, scenes: Sequence[Scene]) -> Iterator[NDArray[np.intp]]:
        """Find where Gaussians are above 0; see `posegen.labels.channel_mask.SparseLabel`."""
        if (kept := recall_drawn(self, scenes)) is not None:
            yield from kept
            return
        (h, w), taps = self.grid.cells, self.grid.taps
        points = self._list_points(scenes, len(self.spec.channels))
        for start in range(0, len(points.channel), BLOCK):
            some = slice(start, start + BLOCK)
            rows, columns, values = points.draw(some)
            place = rows * w + columns + points.channel[some] * (h * w)
            yield place[self.grid.reduce(values.reshape(taps, taps, *place.shape), rows, columns) > 0]

    @property
    def decoder(self) -> str:
        """How a prediction is read."""
        return "peak and parabola of logarithms, at (i + 0.5) s - 0.5"

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

    def _draw_all(self, scenes: Sequence[Scene], out: NDArray[np.floating]) -> None:
        """Draw S scenes into `out` (S, C, h, w), which is 0, a few at once."""
        flat = out.reshape(*out.shape[:2], -1)
        step = max(1, _TOGETHER // self.grid.taps**2)
        cells = DrawnCells(self, scenes, out.size)
        for start in range(0, len(scenes), step):
            some = slice(start, start + step)
            self._draw(scenes[some], flat[some], partial(cells.note, first=start * out[0].size))
        cells.keep()

    def _draw(self, scenes: Sequence[Scene], out: NDArray[np.floating], note: Note) -> None:
        """Draw S scenes into `out` (S, C, h * w), which is 0."""
        (h, w), taps = self.grid.cells, self.grid.taps
        points, flat = self._list_points(scenes, out.shape[1]), out.reshape(-1)
        merged = np.zeros((taps, taps, len(scenes) * h * w if self.background else 0), np.float32)
        for some in points.blocks():
            channel = points.channel[some]
            if len(channel) > BLOCK and channel[0] == channel[-1]:
                plane = self._draw_crowd(points, some)
                if self.background:
                    behind = merged.reshape(taps, taps, -1, h * w)[:, :, channel[0] // out.shape[1]]
                    np.maximum(behind, plane, out=behind)
                values = self.grid.reduce(plane.reshape(taps, taps, h, w))
                out.reshape(-1, h, w)[channel[0]] = values
                note(channel[0] * (h * w) + np.arange(h * w), values.ravel())
                continue
            rows, columns, values = points.draw(some)
            cell = rows * w + columns
            if self.background:
                _merge(merged, (cell + channel // out.shape[1] * (h * w)).ravel(), values)
            # Where Gaussians of one channel meet, the maximum has to be taken before the reduction: the last of them
            # takes it, and what is written last to a cell stays.
            place = (cell + channel * (h * w)).ravel()
            last, earlier = find_shared(place, flat)
            if len(earlier):
                _merge(values, last[earlier], values[..., earlier])
            reduced = self.grid.reduce(values.reshape(taps, taps, *cell.shape), rows, columns).ravel()
            flat[place] = reduced
            note(place, reduced)
        if self.background:
            out[:, -1] = 1 - self.grid.reduce(merged.reshape(taps, taps, -1, h, w)).reshape(-1, h * w)

    def _draw_crowd(self, points: Gaussians, some: slice) -> NDArray[np.float32]:
        """Draw so many people's Gaussians of one channel that they are merged in a plane (t, t, h * w), bit by bit."""
        taps, (h, w) = self.grid.taps, self.grid.cells
        plane = np.zeros((taps, taps, h * w), np.float32)
        for start in range(some.start, some.stop, BLOCK):
            rows, columns, values = points.draw(slice(start, min(start + BLOCK, some.stop)))
            _merge(plane, (rows * w + columns).ravel(), values)
        return plane

    def _list_points(self, scenes: Sequence[Scene], channels: int) -> Gaussians:
        """List what is drawn in scenes of so many channels, channel by channel."""
        if len(scenes) == 1:  # which is found in its order, in half of the time that drawing it takes
            (scene,) = scenes
            keypoint, person = np.nonzero(scene.drawn.T)
            sigma = np.full(len(person), self.sigma_px)
            if scene.spread is not None:
                sigma *= scene.spread[person, keypoint]
            return Gaussians(self.grid, keypoint, scene.points[person, keypoint].T[::-1], sigma)
        person, keypoint = np.nonzero(np.concatenate([scene.drawn for scene in scenes]))
        image = np.repeat(np.arange(len(scenes)), [len(scene.drawn) for scene in scenes])
        channel = image[person] * channels + keypoint
        order = np.argsort(channel, kind="stable")
        person, keypoint = person[order], keypoint[order]
        centre = np.concatenate([scene.points for scene in scenes])[person, keypoint, ::-1].T
        sigma = self.sigma_px * stack_spread(scenes)[person, keypoint]
        return Gaussians(self.grid, channel[order], centre, sigma)


def create(context: LabelContext) -> tuple[Label, ...]:
    """Make the label `heatmap`, or an array for each of several sigmas or kernels."""
    options = context.read_options(normalize="none", sigmas="", kernels="")
    if options["normalize"] not in {"none", "sum"}:
        raise ConfigError(f"normalize must be none or sum, not '{options['normalize']}'")
    widths = [*_read_widths(context, options["sigmas"], options["kernels"])] or [("", context.sigma_px)]
    normalized = options["normalize"] == "sum"
    labels: list[Label] = []
    for suffix, sigma_px in widths:
        label = _create_one(replace(context, sigma_px=sigma_px))
        if suffix or normalized:
            label = VariantLabel(label=label, suffix=suffix, normalized=normalized)
        labels.append(label)
    return tuple(labels)


def _create_one(context: LabelContext) -> Label:
    if context.heatmap in TOP_DOWN_KINDS:
        return create_heatmap(context)
    mirror = mirror_keypoints(context.skeleton, rest=1)
    return HeatmapLabel(
        grid=context.grid, keypoints=context.skeleton.keypoints, sigma_px=context.sigma_px, mirror=mirror
    )


def _read_widths(context: LabelContext, sigmas: str, kernels: str) -> Iterator[tuple[str, float]]:
    """Read several sigmas in cells, or kernels: for each what its array's name ends in, and its sigma in pixels."""
    stride = context.grid.input_size[1] / context.grid.cells[1]
    if sigmas and kernels:
        raise ConfigError("sigmas and kernels are two ways to say the same; give one of them")
    if kernels and context.heatmap != "megvii":
        raise ConfigError(f"kernels go with heatmap megvii, not with {context.heatmap}; give sigmas")
    for word in filter(None, (sigmas or kernels).split(",")):
        try:
            width = float(word)
        except ValueError:
            width = 0.0
        if not 0 < width <= max(context.grid.cells) or (kernels and (width < _LEAST_KERNEL or width % 2 != 1)):
            wanted = "odd whole numbers from 3" if kernels else "numbers above 0"
            raise ConfigError(f"{'kernels' if kernels else 'sigmas'} must be {wanted}, with commas, not '{word}'")
        name = f"{width:g}".replace(".", "_")
        # OpenCV takes this sigma for a kernel of a size.
        sigma = 0.3 * ((width - 1) / 2 - 1) + 0.8 if kernels else width
        yield (f"_k{name}" if kernels else f"_sigma{name}"), sigma * stride


def _merge(planes: NDArray[np.float32], cell: NDArray[np.integer], values: NDArray[np.float32]) -> None:
    """Take the maximum of what is in `planes` (t, t, cells) and `values` (t, t, T) at `cell` (T,), tap by tap."""
    for tap in np.ndindex(planes.shape[:2]):
        np.maximum.at(planes[tap], cell, values[tap])
