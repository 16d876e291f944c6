"""Parquet files, a row a sample: the picture as `datasets.Image` takes it, arrays as flat lists."""

from __future__ import annotations

import importlib
import itertools
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posegen.errors import MissingExtraError
from posegen.export.samples import ExportedSample

SUFFIX = ".parquet"

_ROWS = 64
"""Written, and read, at once."""


def write(path: Path, samples: Iterable[ExportedSample], description: dict[str, Any]) -> None:
    """Write a file, whose metadata has the description under `posegen`.

    Raises
    ------
    MissingExtraError
        If pyarrow is not installed.
    OSError
        If it cannot be written.
    """
    arrow, parquet = load()
    writer = None
    waiting = iter(samples)
    try:
        while rows := list(itertools.islice(waiting, _ROWS)):
            table = _tabulate(arrow, rows, description)
            writer = writer or parquet.ParquetWriter(path, table.schema, compression="zstd")
            writer.write_table(table)
    finally:
        if writer is not None:
            writer.close()


def load() -> tuple[Any, Any]:
    """Import pyarrow and what writes its files; raises `MissingExtraError` if it is not installed."""
    try:
        return importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    except ModuleNotFoundError as error:
        raise MissingExtraError("pyarrow", "export") from error


def _tabulate(arrow: Any, rows: Sequence[ExportedSample], description: dict[str, Any]) -> Any:
    pictures = [{"bytes": row.picture, "path": f"{row.number:09d}.{row.suffix}"} for row in rows]
    kind = arrow.struct([("bytes", arrow.binary()), ("path", arrow.string())])
    columns = {"number": arrow.array([row.number for row in rows]), "image": arrow.array(pictures, kind)}
    fixed = {name for name, label in description["labels"].items() if None not in label["shape"]}
    for name in rows[0].labels:
        columns[name] = _list(arrow, [row.labels[name] for row in rows], is_fixed=name in fixed)
    for name, first in rows[0].known.items():
        values = [row.known[name] for row in rows]
        if isinstance(first, np.ndarray):
            columns[name] = _list(arrow, values, is_fixed=name in {"affine", "view"})
        else:
            columns[name] = arrow.array(values)
    return arrow.table(columns).replace_schema_metadata({"posegen": json.dumps(description)})


def _list(arrow: Any, arrays: Sequence[NDArray[Any]], *, is_fixed: bool) -> Any:
    """Make a column of flat lists; those of one length say so."""
    flat = arrow.array(np.concatenate([array.ravel() for array in arrays]))
    if is_fixed:
        return arrow.FixedSizeListArray.from_arrays(flat, arrays[0].size)
    return arrow.ListArray.from_arrays(np.cumsum([0, *(array.size for array in arrays)], dtype=np.int32), flat)
