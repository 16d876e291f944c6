"""How wide the Gaussian of each person and keypoint is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from posegen.config import BuildConfig
from posegen.shards.scene import find_spread
from posegen.skeleton import Skeleton

if TYPE_CHECKING:
    from conftest import Coco, Run

SKELETON = Skeleton(name="three", keypoints=("a", "b", "c"), sigmas=(0.02, 0.04, 0.06))
KEYPOINTS = np.array([[[10, 20, 2], [74, 84, 1], [0, 0, 0]], [[5, 5, 2], [0, 0, 0], [0, 0, 0]]], np.float32)
NO_BOX = [np.nan] * 4


def spread_of(boxes: list[list[float]], **changes: Any) -> Any:
    return find_spread(BuildConfig(**changes), SKELETON, KEYPOINTS, np.array(boxes, np.float32))


def test_by_default_nobody_differs() -> None:
    assert spread_of([NO_BOX, NO_BOX]) is None


def test_a_person_of_256_pixels_has_the_sigma_that_is_given() -> None:
    found = spread_of([[3, 4, 256, 256], [0, 0, 512, 128]], sigma_scale="area")
    np.testing.assert_allclose(found, np.ones((2, 3)))


def test_sigma_grows_with_the_root_of_the_area() -> None:
    found = spread_of([[0, 0, 512, 512], [0, 0, 1024, 1024]], sigma_scale="area")
    np.testing.assert_allclose(found, [[2] * 3, [4] * 3])


def test_without_a_box_the_labelled_keypoints_have_one() -> None:
    for box in [NO_BOX, [1, 2, 0, 90]]:
        found = spread_of([box, box], sigma_scale="area", sigma_px=256.0)
        # From (10, 20) to (74, 84) it is 64 pixels; a single keypoint has no size, and so the least sigma, 0.7 cells.
        np.testing.assert_allclose(found, [[64 / 256] * 3, [5.6 / 256] * 3])


def test_the_skeletons_sigmas_are_kept_in_their_proportions_and_to_a_mean_of_one() -> None:
    found = spread_of([NO_BOX, NO_BOX], sigma_keypoints="oks", sigma_px=16.0)
    np.testing.assert_allclose(found, [[0.5, 1, 1.5]] * 2)


def test_size_and_kind_multiply() -> None:
    found = spread_of([[0, 0, 512, 512], [0, 0, 256, 256]], sigma_scale="area", sigma_keypoints="oks", sigma_px=16.0)
    np.testing.assert_allclose(found, [[1, 2, 3], [0.5, 1, 1.5]])


def test_no_gaussian_is_narrower_than_seven_tenths_of_a_cell_of_the_coarsest_grid() -> None:
    for changes, least in [
        ({"sigma_px": 16.0}, 5.6 / 16),
        ({"sigma_px": 16.0, "stride": (4, 8, 16)}, 11.2 / 16),
        ({"sigma_px": None, "sigma_cells": 2.0, "stride": (4, 8)}, 0.7 / 2),
    ]:
        found = spread_of([[0, 0, 1, 1], [0, 0, 256, 256]], sigma_scale="area", **changes)
        np.testing.assert_allclose(found, [[least] * 3, [1] * 3])


def test_a_fixed_sigma_below_seven_tenths_of_a_cell_is_said_before_the_build(coco: Coco, run: Run) -> None:
    coco.write()
    for options, said in (
        (["--sigma", 3], ["heatmap: its sigma is 0.38 cells; below 0.7 peaks cannot be refined"]),
        (["--sigma", 5.6], []),
        (["--sigma", 5.5, "--stride", "4,8"], ["heatmap_s8: its sigma is 0.69 cells"]),
        (["--sigma", 3, "--sigma-scale", "area"], []),
        (["--sigma", 3, "--labels", "paf,mask"], []),
        (["--preset", "udp", "--sigma-cells", 0.5], ["heatmap: its sigma is 0.5 cells"]),
    ):
        outcome = run("audit", coco.root, *options)
        assert outcome.status == 0, outcome.err
        found = [line for line in (outcome.out + outcome.err).splitlines() if "its sigma is" in line]
        assert len(found) == len(said), options
        for line, text in zip(found, said, strict=True):
            assert text in line
