"""The renderers as functions, for training loops that draw labels on the fly: the very code that builds datasets."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from posegen.errors import ConfigError
from posegen.geometry import Affine, Size
from posegen.labels.grid import GridKind, count_cells, make_grid
from posegen.labels.heatmap import HeatmapLabel
from posegen.labels.paf import CellPafLabel, PafLabel
from posegen.labels.scene import Scene
from posegen.labels.topdown import TopDownKind, TopDownLabel
from posegen.labels.weight import WeightLabel

_FARTHEST = 1e15
"""Pixels: cells are counted in whole numbers."""


def render_heatmap(
    points: ArrayLike,
    drawn: ArrayLike,
    *,
    input_size: Size = (368, 368),
    stride: float = 8,
    sigma: float = 8.0,
    grid: GridKind = "bilinear",
    background: bool = True,
) -> NDArray[np.float32]:
    """Draw the keypoint heatmaps of one image; see `posegen.labels.heatmap` for their definition and source.

    Parameters
    ----------
    points
        (N, K, 2) x, y in input pixels, pixel centres at integers; N may be 0. Where `drawn` is false they are not read.
    drawn
        (N, K) bool.
    input_size
        (H, W) in pixels.
    stride
        Input pixels a cell; h = H / stride and w = W / stride must be whole.
    sigma
        Standard deviation of the Gaussians in input pixels.
    grid
        `bilinear`, `area` or `point`; see `posegen.labels.grid`.
    background
        Whether to add a last channel with the background.

    Returns
    -------
    (K, h, w) or, with background, (K + 1, h, w) float32 from 0 to 1.

    Raises
    ------
    ConfigError
        If the shapes do not fit together, a drawn point is not finite, or the stride leaves no whole grid.
    """
    scene = _scene(points, drawn, input_size)
    if not 0 < sigma < math.inf:
        raise ConfigError(f"sigma must be above 0 input pixels, not {sigma}")
    keypoints = scene.drawn.shape[1]
    label = _make_heatmap(grid, scene.image_size, stride, sigma=sigma, keypoints=keypoints, background=background)
    return label.render(scene)


def render_top_down(
    points: ArrayLike,
    drawn: ArrayLike,
    *,
    kind: TopDownKind = "msra",
    input_size: Size = (256, 192),
    stride: float = 4,
    sigma: float = 2.0,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Draw the heatmaps of a top-down network; see `posegen.labels.topdown` for their definitions and sources.

    Parameters
    ----------
    points, drawn, input_size, stride
        As in `render_heatmap`; N is 1 as a rule.
    kind
        `msra`, `msra-unbiased`, `udp`, `megvii` or `higherhrnet`.
    sigma
        Standard deviation of the Gaussians in cells.

    Returns
    -------
    The heatmaps (K, h, w) float32 from 0 to 1, and the keypoints' weights (K,) float32, 0 or 1.

    Raises
    ------
    ConfigError
        As in `render_heatmap`, and if there is no such kind.
    """
    scene = _scene(points, drawn, input_size)
    if not 0 < sigma < math.inf:
        raise ConfigError(f"sigma must be above 0 cells, not {sigma}")
    names = tuple(f"keypoint_{k}" for k in range(scene.drawn.shape[1]))
    cells = count_cells(scene.image_size, stride)
    label = TopDownLabel(kind=kind, input_size=scene.image_size, cells=cells, keypoints=names, sigma_cells=float(sigma))
    return label.render(scene), WeightLabel(keypoints=names, heatmap=label).render(scene)


def render_paf(
    points: ArrayLike,
    drawn: ArrayLike,
    limbs: Sequence[tuple[int, int]],
    *,
    input_size: Size = (368, 368),
    stride: float = 8,
    half_width: float = 8.0,
    grid: GridKind = "bilinear",
    on: Literal["pixels", "cells"] = "pixels",
) -> NDArray[np.float32]:
    """Draw the part affinity fields of one image; see `posegen.labels.paf` for their definition and source.

    Parameters
    ----------
    points, drawn, input_size, stride, grid
        As in `render_heatmap`.
    limbs
        E pairs of keypoint indices (from, to).
    half_width
        How far a field reaches from its limb's line, in input pixels.
    on
        `cells` draws as OpenPose does, whatever the grid; see `posegen.labels.CellPafLabel`.

    Returns
    -------
    (2E, h, w) float32 from -1 to 1; channel 2e is the x and 2e + 1 the y of limb e.

    Raises
    ------
    ConfigError
        As in `render_heatmap`, and if a limb names no keypoint.
    """
    scene = _scene(points, drawn, input_size)
    count = scene.drawn.shape[1]
    for a, b in limbs:
        if not (0 <= a < count and 0 <= b < count):
            raise ConfigError(f"limb {a}-{b} must join two of the keypoints 0..{count - 1}")
    if not 0 < half_width < math.inf:
        raise ConfigError(f"half_width must be above 0 input pixels, not {half_width}")
    if on not in {"pixels", "cells"}:
        raise ConfigError(f"part affinity fields are drawn on pixels or on cells, not on '{on}'")
    cells, pairs = count_cells(scene.image_size, stride), tuple((a, b) for a, b in limbs)
    names = tuple(f"{a}-{b}" for a, b in limbs)
    if on == "cells":
        reach = half_width * cells[1] / scene.image_size[1]
        return CellPafLabel(
            input_size=scene.image_size, cells=cells, limbs=pairs, limb_names=names, half_width_cells=reach
        ).render(scene)
    laid = make_grid(grid, scene.image_size, cells)
    return PafLabel(grid=laid, limbs=pairs, limb_names=names, half_width_px=half_width).render(scene)


@functools.lru_cache(maxsize=64)
def _make_heatmap(
    grid: GridKind, input_size: Size, stride: float, *, sigma: float, keypoints: int, background: bool
) -> HeatmapLabel:
    """Make the label of one call, which the next call asks for again: that takes a tenth of drawing an image."""
    cells = make_grid(grid, input_size, count_cells(input_size, stride))
    names = tuple(f"keypoint_{k}" for k in range(keypoints))
    return HeatmapLabel(grid=cells, keypoints=names, sigma_px=sigma, background=background)


def _scene(points: ArrayLike, drawn: ArrayLike, input_size: Size) -> Scene:
    at, shown = np.asarray(points, np.float64), np.asarray(drawn, bool)
    if shown.ndim != 2 or at.shape != (*shown.shape, 2) or not shown.shape[1]:
        raise ConfigError(f"points must be (N, K, 2) and drawn (N, K), not {at.shape} and {shown.shape}")
    if not (np.abs(at[shown]) < _FARTHEST).all():
        raise ConfigError(f"a drawn point is not finite, or {_FARTHEST:g} pixels away")
    height, width = input_size
    return Scene(points=at, drawn=shown, image_size=(height, width), affine=Affine(1, 0, 0, 0, 1, 0))
