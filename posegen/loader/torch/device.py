"""Fresh views drawn where the network is: pictures warped and labels drawn of a batch, on any device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from posegen.errors import ConfigError
from posegen.images.warp import PADDING
from posegen.labels.decode.peaks import LEAST_SIGMA_CELLS
from posegen.labels.online.torch.modules import make_drawer
from posegen.labels.online.torch.people import People
from posegen.loader.dataset import PoseDataset
from posegen.loader.torch.pictures import ImageDtype, Normalization
from posegen.shards.scene import BASE_SIZE


class DeviceViews(nn.Module):
    """Warps the pictures of a batch and draws its labels; `torch.compile` takes all of it as one graph.

    >>> loader = PoseLoader("out/", labels="device", views="scale=0.5-1.1,rotate=40,shift=40,flip=0.5")
    >>> draw = DeviceViews(loader.data).to("cuda")
    >>> for batch in loader.epoch(0):
    ...     batch = draw(batch)

    What comes of it is what a loader without `labels="device"` gives. Drawn labels equal those of `posegen.PoseDataset`
    to 1e-5, and a mask to 1/8 of a cell at its edges; pictures are interpolated linearly and not shrunk before, so that
    views that shrink to less than half pass over pixels. All is drawn at once: no loop over people, none over samples.
    The device must know float64, which Apple's do not.

    Parameters
    ----------
    data
        The dataset, opened with `labels="device"`: `data` of a `PoseLoader` or a `TorchPoseDataset`.
    image_dtype, mean, std
        As in `TorchPoseDataset`.

    Raises
    ------
    ConfigError
        If it was opened otherwise, or a label is asked for that cannot be drawn here: heatmaps of all kinds, part
        affinity fields, `limb`, `mask`, `weight`, `offset`, `center` and its arrays, `simcc` and `regression` can.
    """

    def __init__(
        self,
        data: PoseDataset,
        *,
        image_dtype: ImageDtype = "float32",
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        if data.undrawn is None:
            raise ConfigError("DeviceViews draws the labels of a dataset that was opened with labels='device'")
        config, skeleton = data.config, data.skeleton
        self._as_bytes = Normalization(image_dtype, mean, std).dtype == np.uint8
        self._size, self._least = config.input_size, 1.0 if config.visibility == "labelled" else 2.0
        self._by_size, self._varies = config.sigma_scale == "area", config.sigma_keypoints == "oks"
        self._varies |= self._by_size
        of_a_cell = config.sigma_cells or (config.sigma_px or 0) / max(config.strides)
        self._least_spread = LEAST_SIGMA_CELLS / of_a_cell
        wanted = {label.spec.name: label for label in data.undrawn}
        created = [label for label in config.create_labels(skeleton) if label.spec.name in wanted]
        self._cells_first = {name: label.channel_axis != 0 for name, label in wanted.items()}
        self._names = [label.spec.name for label in created]
        self._drawers = nn.ModuleList(map(make_drawer, created))
        shares = np.divide(skeleton.sigmas, np.mean(skeleton.sigmas)) if config.sigma_keypoints == "oks" else [1.0]
        constants = {
            "_mirrored": torch.tensor(skeleton.mirrored),
            "_shares": torch.tensor(shares, dtype=torch.float64),
            "_mean": torch.tensor([0.0] * 3 if mean is None else [*mean]).reshape(3, 1, 1),
            "_std": torch.tensor([1.0] * 3 if std is None else [*std]).reshape(3, 1, 1),
        }
        for name, value in constants.items():
            self.register_buffer(name, value, persistent=False)

    @torch.no_grad()
    def forward(self, batch: Mapping[str, Any]) -> dict[str, Any]:
        """Draw a batch.

        Parameters
        ----------
        batch
            As a loader with `labels="device"` makes it, anywhere: `views` (B, 5) float64, `keypoints` (B, P, K, 3) x, y
            in input pixels, v, 0 for who is not there, and `bbox` (B, P, 4); if they are wanted `image` (B, 3, H, W)
            uint8 and `shown` (B, H, W) uint8.

        Returns
        -------
        All that is in it, on the module's device, but for `views` and `shown`: `image`, `keypoints`, `bbox`, `affine`
        and `unknown` as they are in the views, and the labels, float32 in the layout of the dataset.
        """
        device = self._mirrored.device
        found = {name: _bring(value, device) for name, value in batch.items()}
        views, shown = found.pop("views"), found.pop("shown", None)
        matrix, flips = self._find_maps(views), views[:, 4].bool()[:, None, None]
        back = self._find_way_back(matrix) if "image" in found or shown is not None else None
        if "image" in found:
            found["image"] = self._show(found["image"], back)
        if shown is not None:
            shown = _warp(shown[:, None].float() / 255, back)[:, 0]
        keypoints = _swap(found["keypoints"], flips[..., None], self._mirrored)
        labelled = keypoints[..., 2:] > 0
        points = torch.where(labelled, _map(keypoints[..., :2], matrix).float(), 0.0)
        found["keypoints"] = torch.cat([points, torch.where(labelled, keypoints[..., 2:], 0.0)], dim=-1)
        found["bbox"] = self._map_boxes(found["bbox"], matrix, found.get("people"))
        if "unknown" in found:
            found["unknown"] = _swap(found["unknown"], flips, self._mirrored)
        if "affine" in found:
            affine = matrix[:, :, :2] @ found["affine"]
            found["affine"] = torch.cat([affine[:, :, :2], affine[:, :, 2:] + matrix[:, :, 2:]], dim=2)
        spread = self._find_spread(found["keypoints"], found["bbox"]) if self._varies else None
        people = People(points, keypoints[..., 2] >= self._least, spread, shown)
        for name, drawer in zip(self._names, self._drawers, strict=True):
            drawn = drawer(people)
            found[name] = drawn.movedim((-2, -1), (1, 2)) if self._cells_first[name] else drawn
        return found

    def _find_maps(self, views: torch.Tensor) -> torch.Tensor:
        """Find the maps (B, 2, 3) of input pixels, as `posegen.images.augment.View.affine` does."""
        cy, cx = ((pixels - 1) / 2 for pixels in self._size)
        scale, degrees, x, y, flip = views.double().unbind(1)
        angle = degrees * (torch.pi / 180)
        cos, sin, side = scale * angle.cos(), scale * angle.sin(), 1 - 2 * flip
        xx, xy, yx, yy = side * cos, -sin, side * sin, cos
        first = torch.stack([xx, xy, cx + x - xx * cx - xy * cy], dim=1)
        return torch.stack([first, torch.stack([yx, yy, cy + y - yx * cx - yy * cy], dim=1)], dim=1)

    def _find_way_back(self, matrix: torch.Tensor) -> torch.Tensor:
        """Find where each pixel comes from: (B, H, W, 2), counted as `grid_sample` does."""
        height, width = self._size
        linear, shift = matrix[:, :, :2], matrix[:, :, 2:]
        det = linear[:, 0, 0] * linear[:, 1, 1] - linear[:, 0, 1] * linear[:, 1, 0]
        adjugate = torch.stack([linear[:, 1, 1], -linear[:, 0, 1], -linear[:, 1, 0], linear[:, 0, 0]], dim=1)
        back = adjugate.reshape(-1, 2, 2) / det[:, None, None]
        y, x = (torch.arange(n, device=matrix.device, dtype=matrix.dtype) for n in self._size)
        at = torch.stack(torch.broadcast_tensors(x, y[:, None]), dim=-1)
        source = torch.einsum("bij,hwj->bhwi", back, at) - (back @ shift)[:, None, None, :, 0]
        # From -1 at the first pixel's edge to 1 at the last one's.
        return ((2 * source + 1) / source.new_tensor([width, height]) - 1).float()

    def _show(self, images: torch.Tensor, back: torch.Tensor) -> torch.Tensor:
        """Warp pictures (B, 3, H, W) and make of them what is handed out."""
        warped = (_warp(images.float() - PADDING, back) + PADDING).round().clamp(0, 255)
        warped = warped.to(torch.uint8) if self._as_bytes else (warped / 255 - self._mean) / self._std
        return warped.contiguous(memory_format=torch.channels_last)

    def _map_boxes(self, boxes: torch.Tensor, matrix: torch.Tensor, people: torch.Tensor | None) -> torch.Tensor:
        """Map boxes (B, P, 4), as `posegen.geometry.map_boxes` does; those of nobody stay 0."""
        corner, sides = boxes[..., :2].double(), boxes[..., 2:].double()
        unit = corner.new_tensor([[0, 0], [1, 0], [0, 1], [1, 1]])
        mapped = _map(corner[:, :, None] + sides[:, :, None] * unit - 0.5, matrix) + 0.5
        low, high = mapped.amin(dim=2), mapped.amax(dim=2)
        seen = torch.cat([low, high - low], dim=-1).float()
        if people is None:
            return seen
        is_there = torch.arange(boxes.shape[1], device=boxes.device) < people[:, None]
        return torch.where(is_there[..., None], seen, 0.0)

    def _find_spread(self, keypoints: torch.Tensor, boxes: torch.Tensor) -> torch.Tensor:
        """Find by how much sigma is multiplied (B, P, K), as `posegen.shards.scene.find_spread` does."""
        spread = self._shares.expand(keypoints.shape[:-1])
        if self._by_size:
            labelled, points = keypoints[..., 2:] > 0, keypoints[..., :2].double()
            low = torch.where(labelled, points, torch.inf).amin(dim=2)
            extent = (torch.where(labelled, points, -torch.inf).amax(dim=2) - low).clamp(min=0)
            sides = boxes[..., 2:].double()
            sides = torch.where((sides > 0).all(dim=-1, keepdim=True), sides, extent)
            spread = spread * (sides.prod(dim=-1).sqrt() / BASE_SIZE)[..., None]
        return spread.clamp(min=self._least_spread)


def _bring(value: Any, device: torch.device) -> Any:
    return value.to(device, non_blocking=True) if isinstance(value, torch.Tensor) else value


def _map(points: torch.Tensor, matrix: torch.Tensor) -> torch.Tensor:
    """Map points (B, ..., 2) by maps (B, 2, 3), in float64."""
    flat = points.double().flatten(1, -2)
    return (flat @ matrix[:, :, :2].transpose(1, 2) + matrix[:, None, :, 2]).reshape(points.shape)


def _swap(values: torch.Tensor, flips: torch.Tensor, mirrored: torch.Tensor) -> torch.Tensor:
    """Let keypoints (B, P, K, ...) change places where samples are mirrored."""
    return torch.where(flips, values[:, :, mirrored], values)


def _warp(planes: torch.Tensor, back: torch.Tensor) -> torch.Tensor:
    """Warp (B, C, H, W), linearly and with 0 around."""
    return nn.functional.grid_sample(planes, back, mode="bilinear", padding_mode="zeros", align_corners=False)
