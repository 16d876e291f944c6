"""Labels as modules of PyTorch: each draws one label of a batch of people, and is moved between devices.

Legend: B samples, N people each, padded with some that have nothing drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from posegen.errors import ConfigError
from posegen.geometry import overlap
from posegen.labels.base import Label, StridedLabel
from posegen.labels.center import CenterHeatmapWeightsLabel, CenterLabel, CenterOffsetLabel
from posegen.labels.grid import Grid, make_grid
from posegen.labels.heatmap import HeatmapLabel
from posegen.labels.limb import LimbLabel
from posegen.labels.mask import MaskLabel
from posegen.labels.offset import OffsetLabel
from posegen.labels.online.torch.coordinates import RegressionDrawer, SimccDrawer
from posegen.labels.online.torch.people import People
from posegen.labels.online.torch.render import AxisTensors, draw_heatmap, draw_limbs, draw_paf, draw_varying
from posegen.labels.online.torch.topdown import TopDownDrawer
from posegen.labels.online.torch.ways import (
    CenterDrawer,
    CenterHeatmapWeightsDrawer,
    CenterOffsetDrawer,
    OffsetDrawer,
)
from posegen.labels.online.windows import lay_grid
from posegen.labels.paf import CellPafLabel, PafLabel
from posegen.labels.regression import RegressionLabel
from posegen.labels.simcc import SimccLabel
from posegen.labels.topdown import TopDownLabel
from posegen.labels.variants import LEAST_SUM, VariantLabel
from posegen.labels.weight import WeightLabel


def make_drawer(label: Label) -> nn.Module:
    """Make the module that draws (B, *label.spec.shape) float32 of `People`, equal to `label.render` to 1e-5.

    Raises
    ------
    ConfigError
        If there is none for this label.
    """
    if isinstance(label, StridedLabel):
        return make_drawer(label.label)
    if isinstance(label, VariantLabel):
        return _Normalized(make_drawer(label.label)) if label.normalized else make_drawer(label.label)
    if isinstance(label, CenterLabel):
        return CenterDrawer(label, make_drawer(label.heatmap))
    if isinstance(label, CenterHeatmapWeightsLabel):
        return CenterHeatmapWeightsDrawer(label, CenterDrawer(label.center, make_drawer(label.center.heatmap)))
    make: Callable[[Any], nn.Module] | None = _DRAWERS.get(type(label))
    if make is None:
        raise ConfigError(f"'{label.spec.name}' cannot be drawn on the device; leave it out of the fields")
    return make(label)


class _Axes(nn.Module):
    """The rows and the columns of a grid."""

    def __init__(self, grid: Grid, sigma: float) -> None:
        super().__init__()
        self._axes = lay_grid(grid, sigma)
        for name, axis in zip(("rows", "columns"), self._axes, strict=True):
            self.register_buffer(f"{name}_at", torch.tensor(axis.positions), persistent=False)
            self.register_buffer(f"{name}_weights", torch.tensor(axis.weights), persistent=False)

    def forward(self) -> tuple[AxisTensors, AxisTensors]:
        """Return both where the module is."""
        rows, columns = self._axes
        return (
            AxisTensors(self.rows_at, self.rows_weights, rows),
            AxisTensors(self.columns_at, self.columns_weights, columns),
        )


class _Heatmap(nn.Module):
    def __init__(self, label: HeatmapLabel) -> None:
        super().__init__()
        self._sigma, self._background = label.sigma_px, label.background
        self._axes = _Axes(label.grid, label.sigma_px)

    def forward(self, people: People) -> torch.Tensor:
        rows, columns = self._axes()
        if people.spread is None:
            return draw_heatmap(people.points, people.drawn, rows, columns, self._sigma, background=self._background)
        sigma = self._sigma * people.spread
        return draw_varying(people.points, people.drawn, rows, columns, sigma, background=self._background)


class _TopDown(nn.Module):
    def __init__(self, label: TopDownLabel) -> None:
        super().__init__()
        self._drawer = TopDownDrawer(label)

    def forward(self, people: People) -> torch.Tensor:
        return self._drawer(people.points, people.drawn, people.spread)


class _Paf(nn.Module):
    def __init__(self, label: PafLabel) -> None:
        super().__init__()
        self._limbs, self._half_width, self._round = label.limbs, label.half_width_px, label.round_box
        self._axes = _Axes(label.grid, 1.0)

    def forward(self, people: People) -> torch.Tensor:
        rows, columns = self._axes()
        return draw_paf(
            people.points,
            people.drawn,
            self._limbs,
            rows,
            columns,
            half_width=self._half_width,
            round_box=self._round,
        )


class _Limb(nn.Module):
    def __init__(self, label: LimbLabel) -> None:
        super().__init__()
        self._limbs, self._sigma = label.limbs, label.sigma_px
        self._axes = _Axes(label.grid, 1.0)

    def forward(self, people: People) -> torch.Tensor:
        rows, columns = self._axes()
        spread = torch.ones_like(people.points[..., 0]).double() if people.spread is None else people.spread
        return draw_limbs(people.points, people.drawn, self._limbs, rows, columns, sigma=self._sigma * spread)


class _CellPaf(nn.Module):
    def __init__(self, label: CellPafLabel) -> None:
        super().__init__()
        (height, width), (h, w) = label.input_size, label.cells
        self.register_buffer("_stride", torch.tensor([width / w, height / h], dtype=torch.float64), persistent=False)
        self._paf = _Paf(
            PafLabel(
                grid=make_grid("point", label.cells, label.cells),
                limbs=label.limbs,
                limb_names=label.limb_names,
                half_width_px=label.half_width_cells,
                round_box=True,
            )
        )

    def forward(self, people: People) -> torch.Tensor:
        return self._paf(people._replace(points=people.points.to(self._stride.dtype) / self._stride))


class _Mask(nn.Module):
    def __init__(self, label: MaskLabel) -> None:
        super().__init__()
        shares = [overlap(n, 1.0, 0.0, m, n / m) for n, m in zip(label.input_size, label.cells, strict=True)]
        for name, share in zip(("_rows", "_columns"), shares, strict=True):
            self.register_buffer(name, torch.tensor(share, dtype=torch.float32), persistent=False)

    def forward(self, people: People) -> torch.Tensor:
        return (self._rows @ people.shown @ self._columns.T).clamp(max=1)[:, None]


class _Weight(nn.Module):
    def __init__(self, label: WeightLabel) -> None:
        super().__init__()
        self._heatmap = None if label.heatmap is None else _TOUCHING[type(label.heatmap)](label.heatmap)
        factors = torch.tensor(label.factors or [1.0] * len(label.keypoints), dtype=torch.float32)
        self.register_buffer("_factors", factors, persistent=False)

    def forward(self, people: People) -> torch.Tensor:
        drawn = people.drawn
        if self._heatmap is not None:
            drawn = self._heatmap.touches(people.points, drawn, people.spread)
        return drawn.any(dim=1) * self._factors


class _Normalized(nn.Module):
    def __init__(self, drawer: nn.Module) -> None:
        super().__init__()
        self._drawer = drawer

    def forward(self, people: People) -> torch.Tensor:
        drawn = self._drawer(people)
        return drawn / (drawn.double().sum(dim=(-2, -1), keepdim=True) + LEAST_SUM).float()


_TOUCHING: Mapping[type, Callable[[Any], nn.Module]] = {
    TopDownLabel: TopDownDrawer,
    SimccLabel: SimccDrawer,
    RegressionLabel: RegressionDrawer,
}
"""What tells of which keypoints a label shows something, for `WeightLabel`."""

_DRAWERS: Mapping[type, Callable[[Any], nn.Module]] = {
    HeatmapLabel: _Heatmap,
    TopDownLabel: _TopDown,
    PafLabel: _Paf,
    CellPafLabel: _CellPaf,
    LimbLabel: _Limb,
    MaskLabel: _Mask,
    WeightLabel: _Weight,
    OffsetLabel: OffsetDrawer,
    CenterOffsetLabel: CenterOffsetDrawer,
    SimccLabel: SimccDrawer,
    RegressionLabel: RegressionDrawer,
}
"""What draws a label, by its class."""
