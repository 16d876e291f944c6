"""Pictures as a network takes them: bytes, or normalised numbers, channels last in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from posegen.errors import ConfigError
from posegen.loader.views import LabelsDrawn

ImageDtype = Literal["float32", "uint8"]

Transform = Callable[[torch.Tensor], torch.Tensor]
"""Makes another picture (3, H, W) uint8 of one."""

_CACHED_VALUES = 1 << 17
"""So many values are converted at once: they stay in the processor's cache."""


class Normalization:
    """(x - mean) / std by channel, with x from 0 to 1, as one multiplication and one subtraction of x from 0 to 255.

    Parameters
    ----------
    image_dtype
        `uint8` leaves pictures as they are.
    mean, std
        Three numbers each, R, G, B; by default 0 and 1.

    Raises
    ------
    ConfigError
        If they are not three numbers, a deviation is 0, or bytes are to be normalised.
    """

    def __init__(
        self, image_dtype: ImageDtype, mean: Sequence[float] | None = None, std: Sequence[float] | None = None
    ) -> None:
        if image_dtype not in {"float32", "uint8"}:
            raise ConfigError(f"image_dtype must be float32 or uint8, not {image_dtype!r}")
        if image_dtype == "uint8" and (mean is not None or std is not None):
            raise ConfigError("image_dtype 'uint8' has no mean and std: normalise after converting, or take float32")
        self.dtype = np.dtype(image_dtype)
        means, deviations = _channels("mean", mean, 0), _channels("std", std, 1)
        if not deviations.all():
            raise ConfigError(f"std must not be 0, not {std!r}")
        self._scale = 1 / (255 * deviations)
        self._shift = means / deviations
        self._is_plain = len(set(self._scale.tolist())) == 1 and not self._shift.any()

    def convert(self, pixels: NDArray[np.uint8], out: NDArray[np.float32]) -> None:
        """Write (B, H, W, 3) uint8 R, G, B as float32 numbers."""
        if self._is_plain:
            np.multiply(pixels, self._scale[0], out=out, dtype=np.float32)
            return
        width = pixels.shape[2]
        scale, shift = (torch.from_numpy(np.tile(values, width)) for values in (self._scale, self._shift))
        rows, numbers = (torch.from_numpy(values).view(-1, width * 3) for values in (pixels, out))
        few = max(1, _CACHED_VALUES // (width * 3))
        for start in range(0, len(rows), few):
            numbers[start : start + few].copy_(rows[start : start + few]).mul_(scale).sub_(shift)


def choose_normalization(
    labels: LabelsDrawn, image_dtype: ImageDtype, mean: Sequence[float] | None, std: Sequence[float] | None
) -> Normalization:
    """Choose how pictures are handed out: as bytes, whatever is asked for, to where labels are drawn on the device."""
    if labels != "device":
        return Normalization(image_dtype, mean, std)
    if mean is not None or std is not None:
        raise ConfigError("pictures go to the device as bytes: give mean and std to DeviceViews")
    return Normalization("uint8")


def recolour(pixels: NDArray[np.uint8], transform: Transform) -> None:
    """Change pictures (B, H, W, 3) uint8 where they are, one by one.

    Raises
    ------
    ConfigError
        If the transform makes something else of a picture.
    """
    for picture in torch.from_numpy(pixels).permute(0, 3, 1, 2):
        changed = transform(picture)
        if not isinstance(changed, torch.Tensor) or (changed.shape, changed.dtype) != (picture.shape, torch.uint8):
            found = f"{changed.dtype} {tuple(changed.shape)}" if isinstance(changed, torch.Tensor) else type(changed)
            raise ConfigError(
                f"transform must make a uint8 picture of {tuple(picture.shape)} of one, not {found}; "
                "it is for colours alone: mean and std normalise, views move"
            )
        picture.copy_(changed)


def show_channels(images: torch.Tensor) -> torch.Tensor:
    """Return (B, 3, H, W) of (B, H, W, 3), in the same memory: PyTorch's format `channels_last`."""
    return images.permute(0, 3, 1, 2)


def _channels(name: str, values: Sequence[float] | None, default: float) -> NDArray[np.float32]:
    values = [default] * 3 if values is None else values
    try:
        numbers = np.array(values, np.float32)
    except (TypeError, ValueError):
        numbers = np.zeros(0, np.float32)
    if numbers.shape != (3,) or not np.isfinite(numbers).all():
        raise ConfigError(f"{name} must be three numbers, for R, G and B, not {values!r}")
    return numbers
