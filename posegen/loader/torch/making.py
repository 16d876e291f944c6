"""Making batches of tensors, in threads of whatever process has them to make."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from posegen.images.scratch import Scratch
from posegen.loader.batch import Packed, Request
from posegen.loader.dataset import PoseDataset
from posegen.loader.torch.dataset import pad_people
from posegen.loader.torch.pictures import Normalization, Transform, recolour, show_channels

Laid = Mapping[str, tuple[torch.Tensor, NDArray[Any]]]
"""The memory of a batch: by field a tensor, and the array that it is."""

_SCRATCH = Scratch()


class BatchMaker:
    """Makes the batches of a dataset, step by step.

    Parameters
    ----------
    data
        The dataset.
    normalization, transform
        What becomes of its pictures.
    """

    def __init__(self, data: PoseDataset, normalization: Normalization, transform: Transform | None) -> None:
        self.data = data
        self._normalization, self._transform = normalization, transform

    def fetch(self, request: Request) -> Packed:
        """Read what the files have of a batch."""
        return self.data.reader.fetch(request.numbers, request.epoch)

    def lay(self, count: int, allocate: Callable[[tuple[int, ...], np.dtype[Any]], torch.Tensor]) -> Laid:
        """Make the memory of pictures and labels of so many samples."""
        found = {}
        for name, field in self.data.reader.array_fields.items():
            tensor = allocate(
                field.stack(count), self._normalization.dtype if name == "image" else np.dtype(field.dtype)
            )
            found[name] = tensor, tensor.numpy()
        return found

    def fill(self, laid: Laid, packed: Packed, part: slice) -> None:
        """Unpack, or draw, some samples into their part of a batch; threads may do so with several parts."""
        arrays = {name: array[part] for name, (_, array) in laid.items()}
        numbers = arrays.get("image")
        if numbers is not None and numbers.dtype != np.uint8:
            arrays["image"] = _SCRATCH.lend(numbers.shape, np.uint8)
        self.data.reader.unpack(packed.part(part), arrays)
        if numbers is None:
            return
        if self._transform is not None:
            recolour(arrays["image"], self._transform)
        if numbers.dtype != np.uint8:
            self._normalization.convert(arrays["image"], numbers)

    def finish(self, packed: Packed, laid: Laid) -> dict[str, Any]:
        """Put everything that a batch has together."""
        found: dict[str, Any] = {name: list(values) for name, values in packed.columns.items()}
        self.data.reader.stack_columns(found, len(packed.numbers))
        found |= {name: tensor for name, (tensor, _) in laid.items()}
        if "image" in found:
            found["image"] = show_channels(found["image"])
        return pad_people({name: _to_tensor(found[name]) for name in self.data.fields})


def _to_tensor(value: Any) -> Any:
    """Make tensors of arrays, and lists of them of lists."""
    if isinstance(value, np.ndarray):
        return torch.from_numpy(value)
    return [_to_tensor(item) for item in value] if isinstance(value, list) else value
