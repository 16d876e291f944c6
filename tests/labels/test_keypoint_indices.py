"""Where people's keypoints are, against its definition; and people found again by their tags."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from label_oracle import People, expect_top_down, make_scene

from posegen.config import BuildConfig
from posegen.errors import ConfigError
from posegen.labels import LabelContext, create_label, render_top_down
from posegen.labels.decode import Peaks
from posegen.labels.decode.tags import assign, group_tags
from posegen.labels.grid import make_grid
from posegen.labels.reference import list_keypoint_indices_loop
from posegen.loader.decode import decode
from posegen.skeleton import COCO_17, Skeleton

SIZE, CELLS = (64, 96), (16, 24)
SKELETON = Skeleton(name="test", keypoints=tuple("abcdef"))


def make_label(*, heatmap="gaussian", cells=CELLS, **options):
    context = LabelContext(
        grid=make_grid("point", SIZE, cells), skeleton=SKELETON, heatmap=heatmap, options=options
    )  # fmt: skip
    return create_label("keypoint_indices", context)[0]


def scatter(seed, people=3):
    """Keypoints in and around the input, many on borders of cells and on their halves; float32, as they are stored."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(-0.3, 1.3, (people, 6, 2)) * SIZE[::-1]
    points[rng.random((people, 6)) < 0.5] //= 2
    points[rng.random((people, 6)) < 0.5] *= 2
    drawn = rng.random((people, 6)) < 0.8
    points = points.astype(np.float32).astype(np.float64)
    points[~drawn] = np.nan
    return make_scene(points, drawn, SIZE)


def test_they_are_those_of_the_slow_reference():
    counted = 0
    for seed, (cell, cells) in itertools.product(
        range(30), [*itertools.product(("nearest", "inside"), (CELLS, (13, 7)))]
    ):
        scene = scatter(seed)
        found = make_label(cell=cell, cells=cells).render(scene)
        expected = list_keypoint_indices_loop(scene.points, scene.drawn, input_size=SIZE, cells=cells, cell=cell)
        np.testing.assert_array_equal(found, expected)
        counted += expected[..., 1].sum()
    assert counted > 500


def test_each_way_to_find_a_cell_is_as_it_is_defined():
    # Of 24 cells of 4 pixels: x, and the cell, or -1 where it is none.
    cases = {
        "nearest": [(0, 0), (1.99, 0), (2, 1), (-2, 0), (-2.01, -1), (-4.8, -1), (93.99, 23), (94, -1), (95, -1)],
        "inside": [(0, 0), (3.99, 0), (4, 1), (-0.5, 0), (-3.99, 0), (-4, -1), (95.99, 23), (96, -1)],
        "middle": [(0, 0), (3.49, 0), (3.5, 1), (-0.5, 0), (-0.51, -1), (95.49, 23), (95.5, -1)],
    }
    for cell, pairs in cases.items():
        for x, column in pairs:
            points = np.full((1, 6, 2), (x, 10.0))
            found = make_label(cell=cell).render(make_scene(points, np.ones((1, 6), bool), SIZE))[0, 0]
            row = {"nearest": 3, "inside": 2, "middle": 2}[cell]
            assert found.tolist() == ([row * 24 + column, 1] if column >= 0 else [0, 0]), (cell, x)


def test_the_heatmap_beside_them_says_which_cell_and_stride():
    assert make_label(heatmap="msra").cell == make_label().cell == "nearest"
    assert make_label(heatmap="higherhrnet").cell == "inside"
    udp = make_label(heatmap="udp")
    points = np.full((1, 6, 2), (95 / 23 * 7.4, 63 / 15 * 2.6))
    assert udp.render(make_scene(points, np.ones((1, 6), bool), SIZE))[0, 0].tolist() == [3 * 24 + 7, 1]
    with pytest.raises(ConfigError, match="cell must be auto, nearest, inside or middle, not 'near'"):
        make_label(cell="near")


def test_the_cell_is_the_highest_of_the_heatmap_beside_it():
    rng = np.random.default_rng(0)
    points = rng.uniform((4, 4), (90, 58), (1, 6, 2))
    scene = make_scene(points, np.ones((1, 6), bool), SIZE)
    for kind in ("msra", "udp", "higherhrnet", "msra-unbiased"):
        heat, _ = render_top_down(points, scene.drawn, kind=kind, input_size=SIZE, stride=4)
        index = make_label(heatmap=kind).render(scene)[0, :, 0]
        np.testing.assert_array_equal(index, heat.reshape(6, -1).argmax(axis=1), kind)


def test_higherhrnets_heatmap_is_its_patch_around_a_whole_cell():
    for seed in range(8):
        scene = scatter(seed)
        points = np.nan_to_num(scene.points)
        heat, weight = render_top_down(points, scene.drawn, kind="higherhrnet", input_size=SIZE, stride=4)
        people = People(size=SIZE, cells=CELLS, points=points, drawn=scene.drawn)
        expected, expected_weight = expect_top_down("higherhrnet", people, 2.0)
        np.testing.assert_allclose(heat, expected, rtol=0, atol=1e-6)
        np.testing.assert_array_equal(weight, expected_weight)
    point = np.array([[[47.9, 31.9]]])
    heat, _ = render_top_down(point, np.ones((1, 1), bool), kind="higherhrnet", input_size=SIZE, stride=4)
    assert heat[0, 7, 11] == 1
    assert heat[0, 7, 11 + 7] == pytest.approx(math.exp(-49 / 8), abs=1e-7)
    assert heat[0, 0].max() > 0
    assert heat[0, :, 11 + 8].max() == 0


def test_an_assignment_costs_least():
    rng = np.random.default_rng(0)
    for turn in range(300):
        n = int(rng.integers(1, 5))
        cost = rng.normal(size=(n, n + int(rng.integers(0, 3)))) * 100
        cost = np.rint(cost / 50) if turn % 3 == 0 else cost
        found = assign(cost)
        assert len({*found.tolist()}) == n
        least = min(cost[range(n), some].sum() for some in itertools.permutations(range(cost.shape[1]), n))
        assert cost[range(n), found].sum() == pytest.approx(least)


def test_people_are_grouped_by_their_tags_and_not_by_where_they_are():
    config = BuildConfig.preset("higherhrnet", input_size=(256, 256), labels=("heatmap", "keypoint_indices"))
    rng = np.random.default_rng(1)
    points = np.stack(np.meshgrid(np.linspace(20, 230, 8), np.linspace(20, 230, 7)), axis=-1).reshape(-1, 2)
    points = rng.permutation(points)[:51].reshape(3, 17, 2) + 0.3
    scene = make_scene(points, np.ones((3, 17), bool), (256, 256))
    heat = {label.spec.name: label.render(scene) for label in config.create_labels(COCO_17)}
    indices = heat.pop("keypoint_indices_s4")
    tags = rng.normal(0, 0.05, (2, 17, 64 * 64)).astype(np.float32)
    for n, tag in enumerate(((0, 5), (5, 0), (5, 5))):
        for k in range(17):
            tags[:, k, indices[n, k, 0]] += tag
    outputs = {"heatmap_s4": heat["heatmap_s4"][None], "keypoint_indices_s4": tags.reshape(1, 34, 64, 64)}
    (found,) = decode(outputs, np.array([[[1.0, 0, 0], [0, 1, 0]]]), config, COCO_17)
    assert len(found.keypoints) == 3
    order = [int(np.abs(one[0, :2] - points[:, 0]).sum(axis=1).argmin()) for one in found.keypoints]
    assert sorted(order) == [0, 1, 2]
    assert np.abs(found.keypoints[..., :2] - points[order]).max() <= 2.01
    with pytest.raises(ConfigError, match="keypoint_indices_s4: expected"):
        decode(
            {**outputs, "keypoint_indices_s4": tags.reshape(1, 34, 64, 64)[:, :33]}, np.eye(2, 3)[None], config, COCO_17
        )


def test_of_two_peaks_one_that_is_nobodys_begins_a_person():
    peaks = Peaks(
        channels=2,
        channel=np.array([0, 0, 1, 1]),
        cells=np.zeros((4, 2), np.intp),
        points=np.arange(8.0).reshape(4, 2),
        scores=np.array([0.9, 0.8, 0.7, 0.6]),
    )
    people, scores = group_tags(peaks, np.array([[0.0], [3.0], [3.2], [9.0]]), 2)
    np.testing.assert_array_equal(people[:, :, 2], [[0.9, 0], [0.8, 0.7], [0, 0.6]])
    np.testing.assert_array_equal(people[1, :, :2], [[2, 3], [4, 5]])
    np.testing.assert_allclose(scores, [0.45, 0.75, 0.3])
    nothing = {"channel": np.zeros(0, np.intp), "cells": np.zeros((0, 2), np.intp), "points": np.zeros((0, 2))}
    nobody, none = group_tags(Peaks(channels=2, scores=np.zeros(0), **nothing), np.zeros((0, 1)), 2)
    assert (nobody.shape, none.shape) == ((0, 2, 3), (0,))
