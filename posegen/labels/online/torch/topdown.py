"""The heatmaps of top-down networks for batches of PyTorch tensors; `posegen.labels.topdown` defines them."""

from __future__ import annotations

import torch
from torch import nn

from posegen.labels.decode.peaks import find_radius
from posegen.labels.online.torch.render import merge_people
from posegen.labels.online.windows import FARTHEST
from posegen.labels.topdown import PATCH_SIGMAS, ROUNDING, TopDownLabel, blur_peaks


class TopDownDrawer(nn.Module):
    """Draws the heatmaps of one label, each Gaussian on all cells: about 8 BKhw bytes, and as many for each person.

    Points are (B, N, K, 2) x, y in input pixels, `drawn` (B, N, K) bool, `spread` (B, N, K) or None.
    """

    def __init__(self, label: TopDownLabel) -> None:
        super().__init__()
        self._kind, self._sigma, self._cells = label.kind, label.sigma_cells, label.cells
        strides = [pixels / count for pixels, count in zip(*label.extents, strict=True)]
        self.register_buffer("_stride", torch.tensor(strides[::-1], dtype=torch.float64), persistent=False)
        radius = int(find_radius(label.sigma_cells))
        for axis, count in zip("yx", label.cells, strict=True):
            self.register_buffer(f"_{axis}", torch.arange(count, dtype=torch.float64), persistent=False)
            # A copy: the label's own is not to be written to, which tensors cannot promise.
            table = torch.tensor(blur_peaks(count, radius) if label.kind == "megvii" else [])
            self.register_buffer(f"_blurred_{axis}", table, persistent=False)

    def forward(self, points: torch.Tensor, drawn: torch.Tensor, spread: torch.Tensor | None) -> torch.Tensor:
        """Draw (B, K, h, w) float32."""
        mu, sigma, shown = self._place(points, drawn, spread)
        if self._kind != "msra-unbiased":
            shown = self.touches(points, drawn, spread)
        down = self._draw_axis(mu[..., 1], sigma, self._y, self._blurred_y) * shown[..., None]
        across = self._draw_axis(mu[..., 0], sigma, self._x, self._blurred_x)
        return merge_people(down[..., :, None], across[..., None, :])

    def touches(self, points: torch.Tensor, drawn: torch.Tensor, spread: torch.Tensor | None) -> torch.Tensor:
        """Tell of which keypoints (B, N, K) are drawn and touch the map: their patch, or for `megvii` their cell."""
        mu, sigma, shown = self._place(points, drawn, spread)
        middle, (h, w) = self._middle(mu), self._cells
        reach = torch.zeros_like(sigma) if self._kind == "megvii" else (PATCH_SIGMAS * sigma + ROUNDING).trunc()
        inside = (middle + reach[..., None] >= 0) & (middle - reach[..., None] < mu.new_tensor([w, h]))
        return shown & inside.all(dim=-1)

    def _place(
        self, points: torch.Tensor, drawn: torch.Tensor, spread: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return where points lie in cells (B, N, K, 2), their sigmas (B, N, K), and which of them are drawn places."""
        shown = drawn.bool() & (points.abs() < FARTHEST).all(dim=-1)
        mu = torch.where(shown[..., None], points.to(self._stride.dtype), 0.0) / self._stride
        sigma = torch.full_like(mu[..., 0], self._sigma)
        return mu, sigma if spread is None else torch.where(shown, sigma * spread, 1.0), shown

    def _middle(self, mu: torch.Tensor) -> torch.Tensor:
        return (mu if self._kind == "megvii" else mu + 0.5).trunc()

    def _draw_axis(
        self, mu: torch.Tensor, sigma: torch.Tensor, cells: torch.Tensor, blurred: torch.Tensor
    ) -> torch.Tensor:
        """Draw Gaussians (B, N, K) along an axis: (B, N, K, cells) float32."""
        middle = self._middle(mu)
        if self._kind == "megvii":
            return blurred[middle.clamp(0, len(cells) - 1).long()]
        distance = cells - (middle if self._kind == "msra" else mu)[..., None]
        values = (distance * distance * (-0.5 / sigma**2)[..., None]).exp()
        if self._kind != "msra-unbiased":
            reach = (PATCH_SIGMAS * sigma + ROUNDING).trunc()
            values = values * ((cells - middle[..., None]).abs() <= reach[..., None])
        return values.to(torch.float32)
