"""Predictions in a file, in COCO's format of results."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from posegen.errors import ConfigError
from posegen.loader.decode import People
from posegen.skeleton import Skeleton


def read_results_file(path: Path, names: Sequence[str], skeleton: Skeleton) -> dict[int, People]:
    """Read the people of a file of results by the number of their image.

    Parameters
    ----------
    names
        The keypoints that it has.
    skeleton
        Whose keypoints people get: what it derives is derived of them.

    Raises
    ------
    ConfigError
        If it cannot be read, or has not these keypoints.
    """
    by_image: dict[int, list[tuple[NDArray[np.float64], float]]] = {}
    for image_id, keypoints, value in _list_results(path, len(names)):
        by_image.setdefault(image_id, []).append((keypoints, value))
    found = {}
    for image_id, listed in by_image.items():
        keypoints = np.array([one for one, _ in listed])
        keypoints[..., 2] = (keypoints[..., :2] != 0).any(axis=-1)
        found[image_id] = People(
            keypoints=skeleton.derive(keypoints, names), scores=np.array([value for _, value in listed])
        )
    return found


def _list_results(path: Path, count: int) -> Iterator[tuple[int, NDArray[np.float64], float]]:
    expected = f"expected COCO results, a list of image_id, {count} keypoints and score"
    try:
        listed = json.loads(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise ConfigError(f"{path}: {expected}; it is not JSON: {error}") from error
    if not isinstance(listed, list):
        raise ConfigError(f"{path}: {expected}; it holds no list")
    for number, entry in enumerate(listed):
        try:
            keypoints = np.array(entry["keypoints"], np.float64).reshape(count, 3)
            yield int(entry["image_id"]), keypoints, float(entry["score"])
        except KeyError as error:
            raise ConfigError(f"{path}: {expected}; entry {number} has no {error.args[0]}") from error
        except (ValueError, TypeError) as error:
            raise ConfigError(f"{path}: {expected}; entry {number} is something else: {error}") from error
