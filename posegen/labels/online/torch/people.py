"""What labels of a batch are drawn from as tensors, and choosing among people.

Legend: B samples, N people each, padded with some that have nothing drawn; K keypoints.
"""

from __future__ import annotations

from typing import NamedTuple

import torch

from posegen.labels.online.windows import FARTHEST


class People(NamedTuple):
    """What labels are drawn from.

    Attributes
    ----------
    points
        (B, N, K, 2) float32 x, y in input pixels.
    drawn
        (B, N, K) bool, which of them are drawn.
    spread
        (B, N, K) float64, by how much the standard deviation of Gaussians is multiplied; None where all have the same.
    shown
        (B, H, W) float32 from 0 to 1, how much of each pixel is picture and not ignored; None where no label asks.
    """

    points: torch.Tensor
    drawn: torch.Tensor
    spread: torch.Tensor | None = None
    shown: torch.Tensor | None = None


def find_places(points: torch.Tensor, drawn: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Find where points (B, N, K, 2) are, float64 and 0 for what is no place; and which are drawn and are one."""
    shown = drawn.bool() & (points.abs() < FARTHEST).all(dim=-1)
    return torch.where(shown[..., None], points, 0).double(), shown


def find_bounds(points: torch.Tensor, shown: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Find the corners (B, N, 2) of the boxes around what is shown of people; of nobody inf and -inf."""
    seen = shown[..., None]
    return torch.where(seen, points, torch.inf).amin(dim=2), torch.where(seen, points, -torch.inf).amax(dim=2)


def choose_least(among: torch.Tensor, *keys: torch.Tensor) -> list[torch.Tensor]:
    """Choose the person of the least first key, among equals of the least second, and so on.

    Parameters
    ----------
    among
        (B, N, ...) bool, who can be chosen.
    keys
        Numbers that broadcast against it.

    Returns
    -------
    The keys (B, ...) of who is chosen; inf where nobody can be.
    """
    found = []
    for key in keys:
        values = torch.where(among, key, torch.inf)
        least = values.amin(dim=1) if values.shape[1] else values.sum(dim=1) + torch.inf
        found.append(least)
        among = among & (key == least[:, None])
    return found
