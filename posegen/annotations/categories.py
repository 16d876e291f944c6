"""Which category's keypoints are read, and the skeleton that is derived from them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from posegen.annotations.values import is_id, is_text
from posegen.errors import AnnotationError, ConfigError
from posegen.skeleton import Skeleton


def choose_category(path: Path, categories: list[Any], wanted: str | None) -> Mapping[str, Any]:
    """Return the only category with keypoints, or the wanted one."""
    posed = [c for c in categories if isinstance(c, dict) and c.get("keypoints") and is_id(c.get("id"))]
    if not posed:
        names = ", ".join(str(c.get("name")) for c in categories if isinstance(c, dict)) or "none"
        raise AnnotationError(
            f"{path}: no category has keypoints (categories: {names}); expected a keypoint file such as "
            "person_keypoints_train2017.json"
        )
    listed = [str(c.get("name")) for c in posed]
    if wanted is not None:
        if wanted not in listed:
            raise ConfigError(f"{path}: no category '{wanted}' with keypoints; there is {', '.join(listed)}")
        return posed[listed.index(wanted)]
    if len(posed) > 1:
        raise ConfigError(f"{path}: several categories have keypoints: {', '.join(listed)}; choose one with --category")
    return posed[0]


def choose_skeleton(
    path: Path, category: Mapping[str, Any], wanted: Skeleton | None
) -> tuple[tuple[str, ...], Skeleton]:
    """Return the names of the annotated keypoints, and the skeleton to derive from them."""
    try:
        own = Skeleton.from_category(category)
        skeleton = wanted or own
        skeleton.derive(np.zeros((0, len(own.keypoints), 3)), own.keypoints)
    except AnnotationError as error:
        raise AnnotationError(f"{path}: {error}") from error
    if not all(map(is_text, (own.name, *own.keypoints))):
        raise AnnotationError(f"{path}: category {own.name!r}: its names must be text, but one has half a character")
    return own.keypoints, skeleton
