"""Which fields of a sample the adapters read, and which of them need padding."""

from __future__ import annotations

import os
from collections.abc import Sequence

from posegen.dataset import PoseDataset
from posegen.shard import SAMPLE_FIELDS, VIEW_FIELDS

PEOPLE = ("keypoints", "bbox", "annotation_id")
"""Have a row a person."""


def choose_fields(path: str | os.PathLike[str], fields: Sequence[str] | None) -> Sequence[str]:
    """Return the fields asked for, or where that is None picture, labels and `image_id`, which need no padding."""
    if fields is not None:
        return fields
    return [name for name in PoseDataset(path).fields if name == "image_id" or name not in SAMPLE_FIELDS + VIEW_FIELDS]
