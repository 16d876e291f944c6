"""What is measured of people, against what is worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from posegen.inspect.bodies import find_mean_pose, measure_crowding, measure_limbs
from posegen.inspect.people import People
from posegen.inspect.report.measures import measure
from posegen.skeleton import COCO_17, Skeleton

CHAIN = Skeleton(name="chain", keypoints=tuple("abcde"), limbs=((0, 1), (1, 2), (2, 3), (3, 4)))
POSE = np.array([[0, 0], [0, 10], [0, 30], [0, 35], [4, 38]], float)


def table(points: NDArray[np.float64], skeleton: Skeleton = CHAIN, owner: list[int] | None = None) -> People:
    """Put people (M, K, 2 or 3) into one table, each alone on an image unless somebody says otherwise."""
    if points.shape[-1] == 2:
        points = np.concatenate([points, np.full((*points.shape[:2], 1), 2)], axis=-1)
    owner = list(range(len(points))) if owner is None else owner
    low, high = points[..., :2].min(axis=1), points[..., :2].max(axis=1)
    return People(
        skeleton=skeleton,
        keypoints=points,
        boxes=np.concatenate([low, high - low + 1], axis=1),
        ids=np.arange(len(points)),
        owner=np.array(owner, np.int64),
        frames=np.full((max(owner) + 1, 2), 100),
        image_ids=np.arange(max(owner) + 1),
    )


def test_the_mean_pose_does_not_depend_on_places_and_sizes() -> None:
    random = np.random.default_rng(0)
    people = POSE * random.uniform(0.5, 3, (40, 1, 1)) + random.uniform(-50, 50, (40, 1, 2))
    mean = find_mean_pose(table(people))
    assert mean is not None
    centred = POSE - POSE.mean(axis=0)
    expected = centred / np.sqrt(np.square(centred).sum(axis=1).mean())
    assert np.abs(mean.points - expected).max() < 1e-9
    assert np.abs(mean.spread).max() < 1e-9
    missing = np.concatenate([people, np.full((40, 5, 1), 2.0)], axis=-1)
    missing[::2, 4] = 0
    assert np.abs(find_mean_pose(table(missing)).points - expected).max() < 1e-4  # type: ignore[union-attr]
    missing[:, 1:, 2] = 0
    assert find_mean_pose(table(missing)) is None


def test_a_limb_that_is_too_long_stands_out_and_the_others_do_not() -> None:
    random = np.random.default_rng(1)
    people = POSE * random.uniform(0.5, 3, (50, 1, 1))
    people[7, 4] += 3 * (people[7, 4] - people[7, 3])
    limbs = measure_limbs(table(people))
    lengths = np.array([10, 20, 5, 5])
    assert np.abs(limbs.usual / limbs.usual[0] - lengths / 10).max() < 1e-9
    assert limbs.ratios[7, 3] == pytest.approx(4)
    limbs.ratios[7, 3] = 1
    assert np.abs(limbs.ratios - 1).max() < 1e-9


def test_crowding_is_others_keypoints_over_ones_own() -> None:
    square = np.array([[10, 10], [20, 10], [20, 20], [10, 20], [15, 15]], float)
    # Of the second, two of five lie in the box of the first, and of the first one in that of the second.
    other = square + np.array([7, 7])
    inside = [
        ((other >= 10) & (other <= 20.5)).all(axis=1).sum(),
        ((square >= 16.5) & (square <= 27)).all(axis=1).sum(),
    ]
    people = table(np.stack([square, other, square]), owner=[0, 0, 1])
    assert measure_crowding(people) == pytest.approx([np.mean(inside) / 5, 0])
    assert sum(inside) > 0


def test_what_vanishes_together_is_a_correlation() -> None:
    random = np.random.default_rng(2)
    points = random.uniform(0, 99, (300, 17, 3))
    points[..., 2] = random.integers(0, 3, (300, 17))
    points[:, 3, 2] = np.where(random.random(300) < 0.9, points[:, 4, 2], 0)
    points[:, 0, 2] = 2
    found = measure(table(points, COCO_17))
    expected = np.corrcoef((points[:, 1:, 2] == 0).T)
    assert np.abs(found.together[1:, 1:] - expected).max() < 1e-5
    assert np.abs(found.together[0]).max() == 0
    assert found.visibility[0].tolist() == [0, 0, 300]
    assert found.places.sum() == 300
