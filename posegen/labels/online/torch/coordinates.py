"""The labels `simcc` and `regression` as modules: keypoints as curves over bins, and as numbers.

`posegen.labels.simcc` and `posegen.labels.regression` define the labels.
"""

from __future__ import annotations

import torch
from torch import nn

from posegen.labels.online.torch.people import People, find_places
from posegen.labels.regression import FARTHEST_SHARE, RegressionLabel
from posegen.labels.simcc import REACH_SIGMAS, SimccLabel


class SimccDrawer(nn.Module):
    """Draws (B, K, bins) of `People`, all of them at once: about 16 BNK bytes a bin."""

    def __init__(self, label: SimccLabel) -> None:
        super().__init__()
        self._axis = 0 if label.axis == "x" else 1
        self._split, self._is_gaussian = label.split_ratio, label.smoothing == "gaussian"
        curves, self._first = label.list_curves()
        self._count = curves.shape[1]
        constants = {
            # Curve i is what comes from place i on.
            "_values": torch.cat([torch.tensor(curves[:, 0]), torch.tensor(curves[-1, 1:])]),
            "_bins": torch.tensor(label.bins[::-1], dtype=torch.float64),
            "_reach": REACH_SIGMAS * torch.tensor(label.sigmas[::-1], dtype=torch.float64),
            "_steps": torch.arange(self._count),
        }
        for name, value in constants.items():
            self.register_buffer(name, value, persistent=False)

    def forward(self, people: People) -> torch.Tensor:
        """Draw them."""
        mu, seen = self._find(people.points, people.drawn)
        start = self._first - torch.where(seen, mu[..., self._axis], 0).long()
        curves = self._values[start[..., None] + self._steps] * seen[..., None]
        return curves.amax(dim=1) if curves.shape[1] else curves.sum(dim=1)

    def touches(self, points: torch.Tensor, drawn: torch.Tensor, spread: torch.Tensor | None) -> torch.Tensor:  # noqa: ARG002
        """Tell of which keypoints (B, N, K) something is drawn."""
        return self._find(points, drawn)[1]

    def _find(self, points: torch.Tensor, drawn: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Find the bins (B, N, K, 2) of keypoints along x and y, and of which something is drawn."""
        places, shown = find_places(points, drawn)
        mu = (places.float() * torch.tensor(self._split).float()).round().double()
        if self._is_gaussian:
            inside = (mu - self._reach < self._bins) & (mu + self._reach + 1 >= 0)
        else:
            inside = (mu >= 0) & (mu < self._bins)
        return mu, shown & inside.all(dim=-1)


class RegressionDrawer(nn.Module):
    """Draws (B, K, 2) of `People`: where keypoints lie, as shares of the input's sides."""

    def __init__(self, label: RegressionLabel) -> None:
        super().__init__()
        sides = torch.tensor(label.input_size[::-1], dtype=torch.float64)
        self.register_buffer("_sides", sides, persistent=False)

    def forward(self, people: People) -> torch.Tensor:
        """Draw them."""
        places, shown = find_places(people.points, people.drawn)
        shares = (places / self._sides).clamp(-FARTHEST_SHARE, FARTHEST_SHARE)
        return (shares.sum(dim=1) / shown.sum(dim=1).clamp(min=1)[..., None]).float()

    def touches(self, points: torch.Tensor, drawn: torch.Tensor, spread: torch.Tensor | None) -> torch.Tensor:  # noqa: ARG002
        """Tell which keypoints (B, N, K) are drawn and lie between the middles of the input's outermost pixels."""
        places, shown = find_places(points, drawn)
        return shown & ((places >= 0) & (places <= self._sides - 1)).all(dim=-1)
