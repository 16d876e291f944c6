"""Tar archives as WebDataset reads them: of each sample a picture, an array a label, and JSON."""

from __future__ import annotations

import importlib
import io
import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from posegen.errors import MissingExtraError
from posegen.export.samples import ExportedSample

SUFFIX = ".tar"


def write(path: Path, samples: Iterable[ExportedSample], description: dict[str, Any]) -> None:  # noqa: ARG001 (others do)
    """Write a file.

    Raises
    ------
    MissingExtraError
        If webdataset is not installed.
    OSError
        If it cannot be written.
    """
    with path.open("wb") as file, load()(file, encoder=False, mtime=0.0) as archive:
        for sample in samples:
            known = {name: _plain(value) for name, value in sample.known.items()}
            record = {
                "__key__": f"{sample.number:09d}",
                sample.suffix: sample.picture,
                "json": json.dumps(known, ensure_ascii=False, allow_nan=False).encode(),
            }
            archive.write(record | {f"{name}.npy": _save(label) for name, label in sample.labels.items()})


def load() -> Any:
    """Import what writes archives; raises `MissingExtraError` if webdataset is not installed."""
    try:
        return importlib.import_module("webdataset").TarWriter
    except ModuleNotFoundError as error:
        raise MissingExtraError("webdataset", "export") from error


def _save(label: np.ndarray[Any, Any]) -> bytes:
    memory = io.BytesIO()
    np.save(memory, label, allow_pickle=False)
    return memory.getvalue()


def _plain(value: Any) -> Any:
    """Return what JSON has of an array or a number: null where there is no number."""
    if isinstance(value, (np.ndarray, np.generic)):
        value = value.tolist()
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
