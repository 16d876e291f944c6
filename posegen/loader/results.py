"""People that were found, as the results file that COCO's evaluation reads (https://cocodataset.org/#format-results)."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posegen.errors import ConfigError
from posegen.files import write_atomically
from posegen.loader.decode import People
from posegen.skeleton import COCO_17, Skeleton


def write_coco_results(
    path: str | os.PathLike[str],
    people: Sequence[People],
    image_ids: Sequence[int] | NDArray[np.integer],
    skeleton: Skeleton,
    *,
    names: Sequence[str] | None = None,
    category_id: int = 1,
) -> None:
    """Write people for `COCO.loadRes` and `COCOeval(..., "keypoints")`.

    Parameters
    ----------
    path
        Where to; a file that is there is replaced.
    people, image_ids
        As `decode` gave them, and of which image each of these is.
    skeleton
        Of the people.
    names
        The keypoints to write, in the order of the annotations'; by default COCO's 17 if the skeleton is made of them,
        else its own. Those that the skeleton does not have, or that it derives from several, are 0, 0, 0.
    category_id
        Of all people.

    Raises
    ------
    ConfigError
        If nothing can be written there, or there are not as many image ids as samples.
    """
    if len(people) != len(image_ids):
        raise ConfigError(f"there are {len(people)} samples, but {len(image_ids)} image ids")
    results = list_results(people, [int(number) for number in image_ids], skeleton, names, category_id)
    try:
        write_atomically(Path(path), json.dumps(results).encode())
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror or error}") from error


def list_results(
    people: Sequence[People],
    image_ids: Sequence[int],
    skeleton: Skeleton,
    names: Sequence[str] | None = None,
    category_id: int = 1,
) -> list[dict[str, Any]]:
    """List people as `write_coco_results` writes them."""
    order = _find_order(skeleton, choose_names(skeleton) if names is None else names)
    found = []
    for of_sample, image_id in zip(people, image_ids, strict=True):
        padded = np.pad(of_sample.keypoints, ((0, 0), (0, 1), (0, 0)))[:, order]
        for keypoints, score in zip(padded, of_sample.scores.tolist(), strict=True):
            values = np.round(keypoints, 4).ravel().tolist()
            entry = {"image_id": image_id, "category_id": category_id, "keypoints": values, "score": round(score, 6)}
            found.append(entry)
    return found


def choose_names(skeleton: Skeleton) -> tuple[str, ...]:
    """Choose what annotations name: COCO's 17 keypoints if the skeleton is made of them, else its own."""
    made_of = {name for parents in skeleton.parents for name in parents}
    return COCO_17.keypoints if made_of <= set(COCO_17.keypoints) else skeleton.keypoints


def _find_order(skeleton: Skeleton, names: Sequence[str]) -> list[int]:
    """Find for each annotated keypoint the skeleton's that is just that; K where there is none."""
    own = {parents[0]: k for k, parents in enumerate(skeleton.parents) if len(parents) == 1}
    return [own.get(name, len(skeleton.keypoints)) for name in names]
