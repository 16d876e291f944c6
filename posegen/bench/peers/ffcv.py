"""FFCV: mapped records, read by threads through compiled pipelines; numba knows no float16, so labels are float32."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from posegen.bench.peers.pictures import QUALITY, list_labels

NAME = "FFCV"
PACKAGE = "ffcv"


class _Tuples:
    """Samples as FFCV's writer wants them."""

    def __init__(self, samples: Any) -> None:
        self._samples = samples

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        return tuple(self._samples[index].values())


class _Dicts:
    def __init__(self, loader: Any, names: list[str]) -> None:
        self._loader, self._names = loader, names

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (dict(zip(self._names, batch, strict=True)) for batch in self._loader)


def write(samples: Any, directory: Path) -> None:
    """Write one file of records."""
    from ffcv.fields import NDArrayField, RGBImageField
    from ffcv.writer import DatasetWriter

    sample = samples[0]
    fields = {"image": RGBImageField(write_mode="jpg", jpeg_quality=QUALITY)}
    fields |= {name: NDArrayField(np.dtype("float32"), sample[name].shape) for name in list_labels(sample)}
    writer = DatasetWriter(str(directory / "samples.beton"), fields, num_workers=1)
    writer.from_indexed_dataset(_Tuples(samples))


def open_reader(directory: Path, batch_size: int, workers: int) -> Iterable[dict[str, Any]]:
    """Read in random order, by as many threads as there are workers."""
    from ffcv.fields.decoders import NDArrayDecoder, SimpleRGBImageDecoder
    from ffcv.loader import Loader, OrderOption
    from ffcv.reader import Reader
    from ffcv.transforms import ToTensor, ToTorchImage

    path = str(directory / "samples.beton")
    names = list(Reader(path).field_names)
    pipelines = {name: [NDArrayDecoder(), ToTensor()] for name in names}
    pipelines["image"] = [SimpleRGBImageDecoder(), ToTensor(), ToTorchImage(channels_last=True)]
    loader = Loader(
        path,
        batch_size=batch_size,
        num_workers=workers,
        order=OrderOption.RANDOM,
        os_cache=True,
        drop_last=False,
        pipelines=pipelines,
    )
    return _Dicts(loader, names)
