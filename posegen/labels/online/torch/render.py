"""`posegen.render_heatmap` and `render_paf` for batches of PyTorch tensors, on whatever device they are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch

from posegen.errors import ConfigError
from posegen.geometry import Size
from posegen.labels.gaussians import REACH, THRESHOLD
from posegen.labels.grid import GridKind
from posegen.labels.online.windows import CUT, FARTHEST, Axis, check_shapes, lay_axes


class AxisTensors(NamedTuple):
    """One axis of a grid on a device: taps (cells, t) float64, weights (cells, t) float32, and what is constant."""

    positions: torch.Tensor
    weights: torch.Tensor
    axis: Axis


def to_tensors(axis: Axis, device: torch.device) -> AxisTensors:
    """Bring an axis to a device."""
    positions = torch.tensor(axis.positions, dtype=_exact(device), device=device)
    return AxisTensors(positions, torch.tensor(axis.weights, device=device), axis)


@torch.no_grad()
def render_heatmap_torch(
    points: torch.Tensor,
    drawn: torch.Tensor,
    *,
    input_size: Size = (368, 368),
    stride: float = 8,
    sigma: float = 8.0,
    grid: GridKind = "bilinear",
    background: bool = True,
) -> torch.Tensor:
    """Draw the keypoint heatmaps of a batch of images, equal to `posegen.render_heatmap` to 1e-5.

    Gaussians are drawn for all keypoints at once, each on the cells it reaches, and merged by `scatter_reduce_`. This
    takes about 8 t^2 BKhw bytes for the maps and 25 t^2 BNKn^2 bytes for the Gaussians, with t taps and n cells that
    one reaches along an axis: 20 MB and 14 MB for 16 images of 10 people at the defaults (t 2, n 7). The grid `area`
    has as many taps as a cell has pixels. No gradient flows through it.

    Parameters
    ----------
    points
        (B, N, K, 2) x, y in input pixels, pixel centres at integers; N may be 0. Where `drawn` is false they are not
        read, so images with fewer than N people are padded with anything.
    drawn
        (B, N, K) bool, on the same device.
    input_size, stride, sigma, grid, background
        As in `posegen.render_heatmap`.

    Returns
    -------
    (B, K, h, w) or, with background, (B, K + 1, h, w) float32 on the device of `points`. A device without float64 (MPS)
    may differ where a Gaussian is cut, at 1 % of its height.

    Raises
    ------
    ConfigError
        If the shapes do not fit together, a drawn point is not finite, or the stride leaves no whole grid.
    """
    rows, columns = (to_tensors(axis, points.device) for axis in lay_axes(input_size, stride, sigma, grid))
    check_shapes(tuple(points.shape), tuple(drawn.shape), "B, N, K")
    _check_places(points, drawn)
    return draw_heatmap(points, drawn, rows, columns, sigma, background=background)


@torch.no_grad()
def render_paf_torch(
    points: torch.Tensor,
    drawn: torch.Tensor,
    limbs: Sequence[tuple[int, int]],
    *,
    input_size: Size = (368, 368),
    stride: float = 8,
    half_width: float = 8.0,
    grid: GridKind = "bilinear",
) -> torch.Tensor:
    """Draw the part affinity fields of a batch of images, equal to `posegen.render_paf` on pixels to 1e-5.

    The people of one limb are drawn at once, which takes about 40 t^2 BNhw bytes: 50 MB for 16 images of 10 people at
    the defaults (t 2). No gradient flows through it.

    Parameters
    ----------
    points, drawn
        As in `render_heatmap_torch`.
    limbs, input_size, stride, half_width, grid
        As in `posegen.render_paf`.

    Returns
    -------
    (B, 2E, h, w) float32 on the device of `points`; channel 2e is the x and 2e + 1 the y of limb e.

    Raises
    ------
    ConfigError
        As `render_heatmap_torch`, and if a limb names no keypoint.
    """
    check_shapes(tuple(points.shape), tuple(drawn.shape), "B, N, K")
    count = drawn.shape[-1]
    for a, b in limbs:
        if not (0 <= a < count and 0 <= b < count):
            raise ConfigError(f"limb {a}-{b} must join two of the keypoints 0..{count - 1}")
    if not 0 < half_width < math.inf:
        raise ConfigError(f"half_width must be above 0 input pixels, not {half_width}")
    rows, columns = (to_tensors(axis, points.device) for axis in lay_axes(input_size, stride, 1.0, grid))
    _check_places(points, drawn)
    return draw_paf(points, drawn, limbs, rows, columns, half_width=half_width)


def draw_heatmap(
    points: torch.Tensor,
    drawn: torch.Tensor,
    rows: AxisTensors,
    columns: AxisTensors,
    sigma: float,
    *,
    background: bool,
) -> torch.Tensor:
    """Draw as `render_heatmap_torch` does, without a look at what is in the tensors: `torch.compile` takes it whole."""
    batch, people, keypoints = drawn.shape
    shown = drawn.bool() & (points.abs() < FARTHEST).all(dim=-1)
    centres = torch.where(shown[..., None], points.to(rows.positions.dtype), 0.0).reshape(-1, 2)
    row, down = _spread(centres[:, 1], rows, sigma)
    column, across = _spread(centres[:, 0], columns, sigma)
    down = down * shown.reshape(-1, 1, 1)
    values = down[:, :, None, :, None] * across[:, None, :, None, :]
    values = values * (values > CUT)
    # The maps have their taps last: (B, K, h, w, t, t).
    planes = torch.arange(batch * keypoints, device=points.device).reshape(batch, 1, keypoints)
    plane = planes.expand(batch, people, keypoints).reshape(-1, 1, 1)
    h, w = rows.axis.cells, columns.axis.cells
    cell = (plane * h + row[:, :, None]) * w + column[:, None, :]
    taps = rows.positions.shape[1], columns.positions.shape[1]
    flat = values.to(torch.float32).reshape(-1, taps[0] * taps[1])
    maps = flat.new_zeros((batch * keypoints * h * w, flat.shape[1]))
    maps = maps.scatter_reduce(0, cell.reshape(-1, 1).expand_as(flat), flat, "amax")
    maps = maps.reshape(batch, keypoints, h, w, *taps)
    reduced = _reduce(maps, rows, columns)
    if not background:
        return reduced
    return torch.cat([reduced, 1 - _reduce(maps.amax(dim=1, keepdim=True), rows, columns)], dim=1)


def draw_varying(
    points: torch.Tensor,
    drawn: torch.Tensor,
    rows: AxisTensors,
    columns: AxisTensors,
    sigma: torch.Tensor,
    *,
    background: bool,
) -> torch.Tensor:
    """Draw as `draw_heatmap` does, but Gaussians of a sigma each (B, N, K): every one of them on all cells.

    The people of one keypoint are drawn at once, which takes about 16 t^2 BNhw bytes.
    """
    shown = drawn.bool() & (points.abs() < FARTHEST).all(dim=-1)
    centres = torch.where(shown[..., None], points.to(rows.positions.dtype), 0.0)
    sigma = torch.where(shown, sigma, 1.0)  # what is no place may have made it no number
    down = _draw_axis(centres[..., 1], rows, sigma) * shown[..., None, None]
    across = _draw_axis(centres[..., 0], columns, sigma)
    maps = merge_people(down[..., :, None, :, None], across[..., None, :, None, :], least=CUT)
    reduced = _reduce(maps, rows, columns)
    if not background:
        return reduced
    return torch.cat([reduced, 1 - _reduce(maps.amax(dim=1, keepdim=True), rows, columns)], dim=1)


def merge_people(down: torch.Tensor, across: torch.Tensor, *, least: float | None = None) -> torch.Tensor:
    """Multiply the factors (B, N, K, ...) of Gaussians and take the largest of people: (B, K, ...) float32.

    Keypoint by keypoint, so that never more than BN maps are about. Where `least` is given products up to it are 0.
    """
    maps = []
    for k in range(down.shape[2]):
        values = down[:, :, k] * across[:, :, k]
        if least is not None:
            values = values * (values > least)
        values = values.to(torch.float32)
        maps.append(values.amax(dim=1) if values.shape[1] else values.sum(dim=1))
    return torch.stack(maps, dim=1)


def draw_paf(
    points: torch.Tensor,
    drawn: torch.Tensor,
    limbs: Sequence[tuple[int, int]],
    rows: AxisTensors,
    columns: AxisTensors,
    *,
    half_width: float,
    round_box: bool = False,
) -> torch.Tensor:
    """Draw as `render_paf_torch` does, without a look at what is in the tensors.

    `round_box` rounds the edges of a limb's box instead of cutting them off.
    """
    whole = torch.round if round_box else torch.trunc
    shown = drawn.bool() & (points.abs() < FARTHEST).all(dim=-1)
    at = torch.where(shown[..., None], points.to(rows.positions.dtype), 0.0)
    y, x = rows.positions.reshape(-1), columns.positions.reshape(-1)
    fields = [torch.zeros((len(at), 0, rows.axis.cells, columns.axis.cells), device=at.device)]
    for a, b in limbs:
        start, along = at[:, :, a], at[:, :, b] - at[:, :, a]
        length = torch.hypot(along[..., 0], along[..., 1])
        is_there = shown[:, :, a] & shown[:, :, b] & (length > 0)
        unit = (along / torch.where(is_there, length, 1.0)[..., None]).to(torch.float32)
        high = whole(torch.maximum(at[:, :, a], at[:, :, b]) + half_width)
        low = whole(torch.minimum(at[:, :, a], at[:, :, b]) - half_width)
        # (B, N, rows) and (B, N, columns): inside of the limb's box, and the two terms of its cross product
        of_row = (y - start[..., 1:]) * along[..., :1]
        of_column = (x - start[..., :1]) * along[..., 1:]
        in_row = (y >= low[..., 1:]) & (y < high[..., 1:]) & is_there[..., None]
        in_column = (x >= low[..., :1]) & (x < high[..., :1])
        near = (of_column[:, :, None, :] - of_row[..., None]).abs() <= (half_width * length)[..., None, None]
        near = (near & in_row[..., None] & in_column[:, :, None, :]).to(torch.float32)
        sums = torch.einsum("bnyx,bnc->bcyx", near, unit)
        mean = sums / near.sum(dim=1, keepdim=True).clamp(min=1)
        taps = mean.unflatten(3, columns.positions.shape).unflatten(2, rows.positions.shape)
        fields.append(_reduce(taps.permute(0, 1, 2, 4, 3, 5), rows, columns))
    return torch.cat(fields, dim=1)


def draw_limbs(
    points: torch.Tensor,
    drawn: torch.Tensor,
    limbs: Sequence[tuple[int, int]],
    rows: AxisTensors,
    columns: AxisTensors,
    *,
    sigma: torch.Tensor,
) -> torch.Tensor:
    """Draw limb heatmaps (B, E, h, w), of a sigma for each keypoint (B, N, K), as `posegen.labels.limb` defines them.

    The people of one limb are drawn at once, each on all cells, which takes about 40 t^2 BNhw bytes.
    """
    shown = drawn.bool() & (points.abs() < FARTHEST).all(dim=-1)
    at = torch.where(shown[..., None], points.to(rows.positions.dtype), 0.0)
    y, x = rows.positions.reshape(-1, 1), columns.positions.reshape(-1)
    maps = [torch.zeros((len(at), 0, rows.axis.cells, columns.axis.cells), device=at.device)]
    for a, b in limbs:
        dx, dy = (at[:, :, b] - at[:, :, a])[..., None, None].unbind(dim=2)
        across, down = x - at[:, :, a, :1, None], y - at[:, :, a, 1:, None]
        squared = dx**2 + dy**2
        nearest = ((down * dy + across * dx) / torch.where(squared > 0, squared, 1.0)).clamp(0, 1)
        distance = (down - nearest * dy) ** 2 + (across - nearest * dx) ** 2
        width = torch.where(shown[:, :, a] & shown[:, :, b], (sigma[:, :, a] + sigma[:, :, b]) / 2, 1.0)
        distance = distance / (2 * width**2)[..., None, None]
        near = (distance < THRESHOLD) & (shown[:, :, a] & shown[:, :, b])[..., None, None]
        values = torch.where(near, (-distance).exp(), 0.0).to(torch.float32)
        merged = (values.amax(dim=1) if values.shape[1] else values.sum(dim=1))[:, None]
        taps = merged.unflatten(3, columns.positions.shape).unflatten(2, rows.positions.shape)
        maps.append(_reduce(taps.permute(0, 1, 2, 4, 3, 5), rows, columns))
    return torch.cat(maps, dim=1)


def _check_places(points: torch.Tensor, drawn: torch.Tensor) -> None:
    """Refuse drawn points that are no place; a compiled graph, which cannot look, draws nothing of them."""
    if torch.compiler.is_compiling():
        return
    if not bool((torch.where(drawn.bool()[..., None], points, 0).abs() < FARTHEST).all()):
        raise ConfigError(f"a drawn point is not finite, or {FARTHEST:g} pixels away")


def _exact(device: torch.device) -> torch.dtype:
    """Choose what tells d < 4.6052 as the NumPy renderer does."""
    return torch.float32 if device.type == "mps" else torch.float64


def _spread(centres: torch.Tensor, tensors: AxisTensors, sigma: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the cells (M, n) that M Gaussians can reach along an axis, and their factors (M, n, t) at the taps."""
    axis = tensors.axis
    first = ((centres - axis.before) / axis.stride).ceil().clamp(0, axis.cells - axis.window).long()
    cells = first[:, None] + torch.arange(axis.window, device=centres.device)
    at = tensors.positions[cells]
    c = centres[:, None, None]
    factors = (-((at - c) ** 2) / (2 * sigma**2)).exp()
    # On the far side int() cuts into the Gaussian.
    return cells, factors * (at < (c + axis.reach).clamp(max=axis.pixels).trunc())


def _draw_axis(centres: torch.Tensor, tensors: AxisTensors, sigma: torch.Tensor) -> torch.Tensor:
    """Return the factors (B, N, K, cells, t) of Gaussians around `centres` (B, N, K) at all taps of an axis."""
    at, c, width = tensors.positions, centres[..., None, None], sigma.to(centres.dtype)[..., None, None]
    return (-((at - c) ** 2) / (2 * width**2)).exp() * (at < (c + REACH * width).clamp(max=tensors.axis.pixels).trunc())


def _reduce(maps: torch.Tensor, rows: AxisTensors, columns: AxisTensors) -> torch.Tensor:
    """Reduce (..., h, w, t, t) values at taps to (..., h, w)."""
    if maps.shape[-1] == maps.shape[-2] == 1:
        return maps[..., 0, 0]
    return torch.einsum("...hwij,hi,wj->...hw", maps, rows.weights, columns.weights)
