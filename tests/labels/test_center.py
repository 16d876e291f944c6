"""People's centres and the ways to their keypoints against their definition, cell by cell."""

import dataclasses
import math

import numpy as np
import pytest
from each import each
from hypothesis import given
from hypothesis import strategies as st
from label_oracle import KINDS, People, expect_heatmap, make_scene, people_strategy, scatter_anywhere

from posegen.errors import ConfigError
from posegen.labels import LabelContext, create_label
from posegen.labels.grid import make_grid
from posegen.skeleton import Skeleton

SKELETON = Skeleton(name="three", keypoints=tuple("abc"))
ROOTS = ("mean", "box")


def create(people, **options):
    kind = options.pop("kind", "point")
    grid = make_grid(kind, people.size, people.cells)
    context = LabelContext(grid=grid, skeleton=SKELETON, sigma_px=2.0, options=options)
    return {label.spec.name: label for label in create_label("center", context)}


def find_root(points, root):
    xs, ys = zip(*points, strict=True)
    if root == "mean":
        return sum(xs) / len(xs), sum(ys) / len(ys)
    return (min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2


def expect_offsets(people, root, radius):
    """The definition as loops: every person in turn, the smaller one last where windows overlap."""
    (height, width), (rows, columns) = people.size, people.cells
    offsets = np.zeros((3, 2, rows, columns))
    weights = np.zeros((3, rows, columns))
    sized = []
    for points, drawn in zip(people.points.tolist(), people.drawn.tolist(), strict=True):
        cells = [((x + 0.5) * columns / width - 0.5, (y + 0.5) * rows / height - 0.5) for x, y in points]
        shown = [cell for cell, is_drawn in zip(cells, drawn, strict=True) if is_drawn]
        if shown:
            xs, ys = zip(*shown, strict=True)
            diagonal = math.hypot(max(xs) - min(xs), max(ys) - min(ys))
            sized.append((max(1, diagonal), cells, drawn, find_root(shown, root)))
    for size, cells, drawn, (rx, ry) in sorted(sized, key=lambda person: -person[0]):
        if not (0 <= rx < columns and 0 <= ry < rows):
            continue
        for k, (x, y) in enumerate(cells):
            if not (drawn[k] and 0 <= x < columns and 0 <= y < rows):
                continue
            for i in range(max(0, int(ry - radius)), min(rows, int(ry + radius))):
                for j in range(max(0, int(rx - radius)), min(columns, int(rx + radius))):
                    offsets[k, :, i, j] = x - j, y - i
                    weights[k, i, j] = 1 / size
    return offsets.reshape(-1, rows, columns), weights


@each(root=ROOTS, seed=range(8))
def test_ways_and_weights_are_their_definition(seed, root):
    people = scatter_anywhere(seed)
    radius = min((1.0, 2.5, 4.0)[seed % 3], float(max(people.cells)))
    labels = create(people, root=root, radius_cells=radius)
    offsets, weights = expect_offsets(people, root, radius)
    np.testing.assert_allclose(labels["center_offset"].render(people.scene), offsets, rtol=0, atol=4e-6)
    np.testing.assert_allclose(labels["center_weight"].render(people.scene), weights, rtol=0, atol=1e-6)


@each(kind=KINDS, root=ROOTS, seed=range(3))
def test_centres_are_drawn_as_keypoints_are(seed, root, kind):
    people = scatter_anywhere(seed)
    shown = [
        [point for point, is_drawn in zip(points, drawn, strict=True) if is_drawn]
        for points, drawn in zip(people.points.tolist(), people.drawn.tolist(), strict=True)
    ]
    roots = np.array([[find_root(points, root)] for points in shown if points])
    centres = People(size=people.size, cells=people.cells, points=roots, drawn=np.ones(roots.shape[:2], bool))
    found = create(people, root=root, kind=kind, radius_cells=1.0)["center"].render(people.scene)
    expected = expect_heatmap(kind, centres, 4.0, background=False)  # twice the sigma of the keypoints
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-6)


@given(people_strategy(smallest=8, largest=24, keypoints=3), st.sampled_from(ROOTS))
def test_they_draw_any_people_without_leaving_their_range(people, root):
    for label in create(people, root=root, radius_cells=1.0).values():
        found = label.render(people.scene)
        assert np.isfinite(found).all()
        assert label.spec.low <= found.min() <= found.max() <= label.spec.high


def test_every_way_has_a_weight_and_the_rest_has_none():
    people = scatter_anywhere(3)
    labels = create(people)
    offsets, weights = (labels[name].render(people.scene) for name in ("center_offset", "center_weight"))
    assert weights.any()
    assert not offsets.reshape(3, 2, *people.cells).any(axis=1)[weights == 0].any()


def test_a_keypoint_can_be_read_back_from_every_cell_around_the_centre():
    points, drawn = np.array([[[24.0, 20.0], [70.5, 50.25], [40.0, 90.0]]]), np.ones((1, 3), bool)
    people = People(size=(128, 96), cells=(32, 24), points=points, drawn=drawn)
    labels = create(people)
    offsets, weights = (labels[name].render(people.scene) for name in ("center_offset", "center_weight"))
    rows, columns = np.nonzero(weights[1])
    assert len(rows) == 64
    assert (np.abs(columns - (44.83 + 0.5) / 4 + 0.5) <= 5).all()
    np.testing.assert_allclose((columns + offsets[2, rows, columns] + 0.5) * 4 - 0.5, 70.5, rtol=0, atol=1e-5)
    np.testing.assert_allclose((rows + offsets[3, rows, columns] + 0.5) * 4 - 0.5, 50.25, rtol=0, atol=1e-5)


def test_the_smaller_person_counts_where_two_overlap():
    small = [[20.0, 20.0], [24.0, 20.0], [22.0, 24.0]]
    large = [[10.0, 10.0], [34.0, 12.0], [22.0, 40.0]]
    scene = make_scene(np.array([large, small]), np.ones((2, 3), bool), (64, 64))
    people = People(size=(64, 64), cells=(64, 64), points=scene.points, drawn=scene.drawn)
    found = create(people, root="box")["center_offset"].render(scene)
    np.testing.assert_allclose(found[:2, 22, 22], [-2, -2], atol=1e-6)


@each(options=[{"root": "middle"}, {"sigma_factor": 0.0}, {"radius_cells": 0.5}, {"radius_cells": 1e6}, {"root": 3}])
def test_options_out_of_range_are_refused(options):
    with pytest.raises(ConfigError, match=next(iter(options))):
        create(scatter_anywhere(0), **options)


def test_where_sigmas_differ_a_centre_has_the_mean_of_the_persons():
    points, drawn = np.full((1, 3, 2), (31.0, 20.0)), np.ones((1, 3), bool)
    people = People(size=(64, 64), cells=(64, 64), points=points, drawn=drawn)
    scene = dataclasses.replace(people.scene, spread=np.array([[0.5, 1.0, 1.5]]) * 2)
    found = create(people)["center"].render(scene)[0]  # sigma 2, times 2, times 2 of the person
    np.testing.assert_allclose(found[20, 31:40], np.exp(-(np.arange(9) ** 2) / 128), rtol=1e-6)
