"""Fresh views drawn where the network is: pictures warped and labels drawn of a batch, on any device."""

from __future__ import annotations

import torch

from posegen.config import BuildConfig
from posegen.errors import ConfigError
from posegen.images.warp import PADDING
from posegen.labels.online.torch import AxisTensors, draw_heatmap, draw_paf
from posegen.labels.online.windows import lay_axes
from posegen.skeleton import Skeleton


class DeviceViews(torch.nn.Module):
    """Warps pictures and draws their labels for views of them; `torch.compile` takes all of it as one graph.

    Heatmaps and part affinity fields equal those that `posegen.PoseDataset` draws of such views to 1e-5; pictures are
    interpolated linearly and not shrunk before, so that views that shrink to less than half pass over pixels.

    >>> data = TorchPoseDataset("out/", fields=["image", "keypoints"], image_dtype="uint8")
    >>> draw = DeviceViews(data.data.config, data.data.skeleton).to("cuda")
    >>> ranges = Augmentation.parse("scale=0.5-1.1,rotate=40,shift=40,flip=0.5")
    >>> for step, batch in enumerate(loader):
    ...     views = [ranges.draw(seed, (step, i)).values for i in range(len(batch["image"]))]
    ...     found = draw(batch["image"].cuda(), batch["keypoints"].cuda(), torch.tensor(np.stack(views)).cuda())

    Parameters
    ----------
    config, skeleton
        Of the dataset: input size, grid, widths, and which keypoints are drawn.
    background
        Whether the heatmap's last channel is the background, as it is in every `heatmap` of kind `gaussian`.

    Raises
    ------
    ConfigError
        If labels are asked for that this cannot draw: several strides, top-down heatmaps, fields on the cells, or
        Gaussians that differ from person to person or from keypoint to keypoint.
    """

    def __init__(self, config: BuildConfig, skeleton: Skeleton, *, background: bool = True) -> None:
        super().__init__()
        expected = {"heatmap": "gaussian", "paf": "pixels", "sigma_scale": "fixed", "sigma_keypoints": "equal"}
        wrong = [name for name, value in expected.items() if getattr(config, name) != value]
        if wrong or len(config.strides) > 1:
            found = f"{wrong[0]} is {getattr(config, wrong[0])}" if wrong else f"there are strides {config.strides}"
            raise ConfigError(f"views on the device have no such labels: {found}; read views from PoseDataset instead")
        (stride,) = config.strides
        self.input_size, self.stride = config.input_size, float(stride)
        self.sigma = (config.sigma_cells or 0) * stride if config.sigma_px is None else config.sigma_px
        self.half_width, self.limbs, self.background = config.half_width_px, skeleton.limbs, background
        self.least = 1.0 if config.visibility == "labelled" else 2.0
        self.axes = lay_axes(config.input_size, stride, self.sigma, config.grid)
        for name, axis in zip(("rows", "columns"), self.axes, strict=True):
            self.register_buffer(f"{name}_at", torch.tensor(axis.positions), persistent=False)
            self.register_buffer(f"{name}_weights", torch.tensor(axis.weights), persistent=False)
        self.register_buffer("mirrored", torch.tensor(skeleton.mirrored), persistent=False)

    @torch.no_grad()
    def forward(
        self, images: torch.Tensor, keypoints: torch.Tensor, views: torch.Tensor, there: torch.Tensor | None = None
    ) -> dict[str, torch.Tensor]:
        """Draw a batch.

        Parameters
        ----------
        images
            (B, 3, H, W) uint8 as they are stored.
        keypoints
            (B, P, K, 3) float32 x, y in input pixels, v; v is 0 for who is not there.
        views
            (B, 5) float64 scale, degrees, shift in x and y, 1 if mirrored: `posegen.images.augment.View.values`.
        there
            (B, H, W) from 0 to 1, how much of each pixel is picture and not to be ignored; by default all.

        Returns
        -------
        `image` (B, 3, H, W) uint8, `keypoints` (B, P, K, 3), `heatmap` (B, K + 1, h, w), `paf` (B, 2E, h, w) and `mask`
        (B, 1, h, w), float32.
        """
        matrix = self._find_maps(views.double())
        flips = views[:, 4].bool()[:, None, None, None]
        seen = torch.where(flips, keypoints[:, :, self.mirrored], keypoints)
        labelled = seen[..., 2:] > 0
        points = torch.einsum("bij,bpkj->bpki", matrix[:, :, :2], seen[..., :2].double()) + matrix[:, None, None, :, 2]
        points = torch.where(labelled, points.float(), 0.0)
        seen = torch.cat([points, torch.where(labelled, seen[..., 2:], 0.0)], dim=-1)
        drawn = seen[..., 2] >= self.least
        rows, columns = self._axis(0), self._axis(1)
        if there is None:
            there = torch.ones_like(images[:, 0], dtype=torch.float32)
        gray = images.float() - PADDING
        warped = self._warp(torch.cat([gray, there[:, None].float()], dim=1), matrix)
        cells = [axis.cells for axis in self.axes]
        return {
            "image": (warped[:, :3] + PADDING).round().clamp(0, 255).to(torch.uint8),
            "keypoints": seen,
            "heatmap": draw_heatmap(points, drawn, rows, columns, self.sigma, background=self.background),
            "paf": draw_paf(points, drawn, self.limbs, rows, columns, half_width=self.half_width),
            "mask": torch.nn.functional.adaptive_avg_pool2d(warped[:, 3:], cells),
        }

    def _axis(self, i: int) -> AxisTensors:
        name = ("rows", "columns")[i]
        return AxisTensors(getattr(self, f"{name}_at"), getattr(self, f"{name}_weights"), self.axes[i])

    def _find_maps(self, views: torch.Tensor) -> torch.Tensor:
        """Find the maps (B, 2, 3) of input pixels, as `posegen.images.augment.View.affine` does."""
        cy, cx = ((pixels - 1) / 2 for pixels in self.input_size)
        scale, degrees, x, y, flip = views.unbind(1)
        angle = degrees * (torch.pi / 180)
        cos, sin, side = scale * angle.cos(), scale * angle.sin(), 1 - 2 * flip
        xx, xy, yx, yy = side * cos, -sin, side * sin, cos
        first = torch.stack([xx, xy, cx + x - xx * cx - xy * cy], dim=1)
        return torch.stack([first, torch.stack([yx, yy, cy + y - yx * cx - yy * cy], dim=1)], dim=1)

    def _warp(self, planes: torch.Tensor, matrix: torch.Tensor) -> torch.Tensor:
        """Warp (B, C, H, W), linearly and with 0 around."""
        height, width = self.input_size
        linear, shift = matrix[:, :, :2], matrix[:, :, 2:]
        det = linear[:, 0, 0] * linear[:, 1, 1] - linear[:, 0, 1] * linear[:, 1, 0]
        adjugate = torch.stack([linear[:, 1, 1], -linear[:, 0, 1], -linear[:, 1, 0], linear[:, 0, 0]], dim=1)
        back = adjugate.reshape(-1, 2, 2) / det[:, None, None]
        y, x = (torch.arange(n, device=planes.device, dtype=matrix.dtype) for n in self.input_size)
        at = torch.stack(torch.broadcast_tensors(x, y[:, None]), dim=-1)
        source = torch.einsum("bij,hwj->bhwi", back, at) - (back @ shift)[:, None, None, :, 0]
        # grid_sample counts from -1 at the first pixel's edge to 1 at the last one's.
        size = torch.tensor([width, height], device=planes.device, dtype=matrix.dtype)
        grid = ((2 * source + 1) / size - 1).to(planes.dtype)
        return torch.nn.functional.grid_sample(planes, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
