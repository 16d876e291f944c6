"""The labels `offset` and `center` as modules: cells around a keypoint or a person's centre, and the ways from there.

People are drawn all at once, keypoint by keypoint: about 60 BNhw bytes. `posegen.labels.offset` and
`posegen.labels.center` define the labels.
"""

from __future__ import annotations

import torch
from torch import nn

from posegen.geometry import Size
from posegen.labels.center import CenterHeatmapWeightsLabel, CenterLabel, CenterOffsetLabel
from posegen.labels.offset import OffsetLabel
from posegen.labels.online.torch.people import People, choose_least, find_bounds, find_places


class _Cells(nn.Module):
    """The cells of a grid whose middles lie at (i + 0.5) s - 0.5, or with `corners` at i (W - 1) / (w - 1)."""

    def __init__(self, input_size: Size, cells: Size, *, corners: bool = False) -> None:
        super().__init__()
        less, shift = (1, 0.0) if corners else (0, 0.5)
        strides = [(pixels - less) / (count - less) for pixels, count in zip(input_size, cells, strict=True)]
        self._shift, self.size = shift, cells
        self.register_buffer("_stride", torch.tensor(strides[::-1], dtype=torch.float64), persistent=False)
        for axis, count in zip("yx", cells, strict=True):
            self.register_buffer(axis, torch.arange(count, dtype=torch.float64), persistent=False)

    def place(self, points: torch.Tensor) -> torch.Tensor:
        """Map input pixels (..., 2) x, y, float64, to cells."""
        return (points + self._shift) / self._stride - self._shift

    def contain(self, places: torch.Tensor) -> torch.Tensor:
        """Tell which places (..., 2) in cells lie in the grid."""
        h, w = self.size
        return ((places >= 0) & (places < places.new_tensor([w, h]))).all(dim=-1)

    def ways(self, places: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the ways along x (B, N, 1, w) and along y (B, N, h, 1) from all cells to places (B, N, 2) in cells."""
        return places[..., :1, None].mT - self.x, places[..., 1:, None] - self.y[:, None]


class OffsetDrawer(nn.Module):
    """Draws (B, 3K, h, w) of `People`: around each keypoint which cells are near, and from them the way to it."""

    def __init__(self, label: OffsetLabel) -> None:
        super().__init__()
        self._radius = label.radius_factor * max(label.cells)
        self._cells = _Cells(label.input_size, label.cells, corners=label.corners)

    def forward(self, people: People) -> torch.Tensor:
        """Draw them."""
        points, shown = find_places(people.points, people.drawn)
        places, found = self._cells.place(points), []
        for k in range(places.shape[2]):
            x, y = (way / self._radius for way in self._cells.ways(places[:, :, k]))
            squared = x**2 + y**2
            near = (squared <= 1) & shown[:, :, k, None, None]
            nearest, *way = choose_least(near, squared, x, y)
            there = nearest <= 1
            found += [there, *(torch.where(there, part, 0) for part in way)]
        return torch.stack([part.float() for part in found], dim=1)


class _Centres(nn.Module):
    """Finds people's centres."""

    def __init__(self, label: CenterLabel | CenterOffsetLabel, input_size: Size, cells: Size) -> None:
        super().__init__()
        self._root, self._least = label.root, label.min_diagonal
        self.cells = _Cells(input_size, cells)

    def choose(self, people: People) -> tuple[torch.Tensor, torch.Tensor]:
        """Find where keypoints are (B, N, K, 2), and those that are shown (B, N, K) of people large enough."""
        points, shown = find_places(people.points, people.drawn)
        if self._least:
            low, high = find_bounds(self.cells.place(points), shown)
            # In float32, as the label compares.
            large = torch.hypot(*(high - low).unbind(dim=-1)).float() >= torch.tensor(self._least).float()
            shown = shown & large[..., None]
        return points, shown

    def find_roots(self, points: torch.Tensor, shown: torch.Tensor) -> torch.Tensor:
        """Find the centres (B, N, 2); of people of whom nothing is shown anywhere."""
        if self._root == "box":
            low, high = find_bounds(points, shown)
            return torch.where(shown.any(dim=-1, keepdim=True), (low + high) / 2, 0.0)
        sums = torch.where(shown[..., None], points, 0.0).sum(dim=2)
        return sums / shown.sum(dim=2, keepdim=True).clamp(min=1)


class CenterDrawer(nn.Module):
    """Draws (B, 1, h, w) of `People`: the Gaussians of their centres.

    Parameters
    ----------
    label
        Which.
    heatmap
        Draws its heatmap of one keypoint.
    """

    def __init__(self, label: CenterLabel, heatmap: nn.Module) -> None:
        super().__init__()
        grid = label.heatmap.grid
        self._heatmap, self._centres = heatmap, _Centres(label, grid.input_size, grid.cells)

    def forward(self, people: People) -> torch.Tensor:
        """Draw them."""
        points, shown = self._centres.choose(people)
        roots = self._centres.find_roots(points, shown)
        spread = None if people.spread is None else people.spread.mean(dim=2, keepdim=True)
        return self._heatmap(People(roots[:, :, None], shown.any(dim=2, keepdim=True), spread))


class CenterHeatmapWeightsDrawer(nn.Module):
    """Draws (B, 1, h, w) of `People`: 1 where a centre is drawn, and less elsewhere."""

    def __init__(self, label: CenterHeatmapWeightsLabel, center: CenterDrawer) -> None:
        super().__init__()
        self._background, self._center = label.background_weight, center

    def forward(self, people: People) -> torch.Tensor:
        """Draw them."""
        drawn = self._center(people)
        return torch.where(drawn > 0, torch.ones_like(drawn), self._background)


class CenterOffsetDrawer(nn.Module):
    """Draws (B, 2K, h, w) of `People`: the ways from their centres to their keypoints; or (B, K, h, w), the weights."""

    def __init__(self, label: CenterOffsetLabel) -> None:
        super().__init__()
        self._centres = _Centres(label, label.input_size, label.cells)
        self._radius, self._weights = label.radius_cells, label.weights

    def forward(self, people: People) -> torch.Tensor:
        """Draw them."""
        points, shown = self._centres.choose(people)
        cells, places = self._centres.cells, self._centres.cells.place(points)
        roots = self._centres.find_roots(places, shown)
        low, high = find_bounds(places, shown)
        size = torch.hypot(*torch.where(shown.any(dim=-1, keepdim=True), high - low, 1.0).unbind(dim=-1)).clamp(min=1)
        window = self._window(roots) & cells.contain(roots)[..., None, None]
        inside, found = shown & cells.contain(places), []
        for k in range(places.shape[2]):
            x, y = cells.ways(places[:, :, k])
            least, *way = choose_least(window & inside[:, :, k, None, None], size[..., None, None], x, y)
            there = least < torch.inf
            found += [1 / least] if self._weights else [torch.where(there, part, 0.0) for part in way]
        return torch.stack(found, dim=1).float()

    def _window(self, roots: torch.Tensor) -> torch.Tensor:
        """Tell which cells (B, N, h, w) lie around centres (B, N, 2)."""
        first, end = (roots - self._radius).trunc(), (roots + self._radius).trunc()
        x, y = self._centres.cells.x, self._centres.cells.y[:, None]
        across = (x >= first[..., :1, None]) & (x < end[..., :1, None])
        return across & (y >= first[..., 1:, None]) & (y < end[..., 1:, None])
