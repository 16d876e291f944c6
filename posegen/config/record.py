"""A configuration as it is stored with a dataset, whose digest tells whether two are the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from posegen.config.sources import read_rules, write_rules
from posegen.images.augment import Augmentation
from posegen.skeleton import Skeleton

_LATER: Mapping[str, Any] = {"picture_size": None, "origin": "labelled", "exif": "auto", "sources": ()}
"""Fields that the first datasets' configurations did not have, and what stands for their absence."""


def write_record(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields as JSON gives them back equal, by name.

    What came later is written where it is asked for alone: the digests of datasets that were built before stay.
    """
    said = {key: _plain(value) for key, value in values.items() if key not in _LATER or value != _LATER[key]}
    return said | ({"sources": write_rules(said["sources"])} if "sources" in said else {})


def read_record(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that `write_record` wrote; raises `KeyError`, `TypeError` or `ValueError` if it did not."""
    values = dict(record)
    if values.get("skeleton") is not None:
        values["skeleton"] = Skeleton.from_dict(values["skeleton"])
    for key in ("labels", "input_size", "category"):
        values[key] = tuple(values[key])
    if "sources" in values:
        values["sources"] = read_rules(values["sources"])
    for key in ("picture_size", "stride"):
        if isinstance(values.get(key), list):
            values[key] = tuple(values[key])
    if values.get("augment") is not None:
        ranges = values["augment"]
        values["augment"] = Augmentation(**{**ranges, "scale": tuple(ranges["scale"])})
    return values


def _plain(value: Any) -> Any:
    """Turn tuples into lists, however deep."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, (list, tuple)) else value
