"""Composite fields against a loop over keypoints, points of limbs and cells, and by hand."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from label_oracle import make_scene

from posegen.config import BuildConfig
from posegen.errors import ConfigError
from posegen.geometry import Affine, fit
from posegen.labels import LabelContext, caf, create_label
from posegen.labels.difference import find_difference
from posegen.labels.grid import make_grid
from posegen.labels.reference import render_caf_loop, render_cif_loop
from posegen.loader.decode import decode
from posegen.skeleton import COCO_17, Skeleton

SIZE, CELLS = (96, 128), (12, 16)
SKELETON = Skeleton(
    name="test", keypoints=tuple("abcd"), limbs=((0, 1), (1, 2), (3, 0)), sigmas=(0.5, 1.0, 0.25, 2.0)
)  # fmt: skip
LABELS = ("cif", "caf")


def make_label(name, skeleton=SKELETON, size=SIZE, cells=CELLS, **options):
    context = LabelContext(grid=make_grid("point", size, cells), skeleton=skeleton, options=options)
    return create_label(name, context)[0]


def scatter(seed, people, *, ignored=0):
    """People all over the input, on halves and on borders of cells, some of them at the same places."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(-0.2, 1.2, (people, 4, 2)) * SIZE[::-1]
    points[rng.random((people, 4)) < 0.5] //= 4
    points[rng.random((people, 4)) < 0.6] *= 4
    points = np.clip(points, -200, 300)
    if people > 2:
        points[1] = points[0]
        points[2, :2] = points[0, :2] + rng.integers(-1, 2, (2, 2)) * 8
    drawn = rng.random((people, 4)) < 0.85
    points = points.astype(np.float32).astype(np.float64)
    points[~drawn] = np.nan
    boxes = np.column_stack([rng.uniform(-20, 120, (ignored, 2)), rng.uniform(0, 60, (ignored, 2))])
    scene = dataclasses.replace(make_scene(points, drawn, SIZE), ignored_boxes=boxes if ignored else None)
    return scene, boxes


def test_they_are_those_of_the_loops():
    cells = 0
    for seed in range(40):
        scene, boxes = scatter(seed, people=seed % 6, ignored=seed % 3)
        common = {"input_size": SIZE, "cells": CELLS, "sigmas": SKELETON.sigmas, "ignored": boxes}
        expected = (
            render_cif_loop(scene.points, scene.drawn, **common),
            render_caf_loop(scene.points, scene.drawn, SKELETON.limbs, **common),
        )
        for name, values in zip(LABELS, expected, strict=True):
            found = make_label(name).render(scene)
            assert found.shape == values.shape
            assert find_difference(found, values) < 4e-6, (seed, name)
            if seed % 3:
                assert np.isnan(found[:, 0]).any()
            cells += (found[:, 0] == 1).sum()
    assert cells > 3000


def test_a_keypoint_is_its_patch_by_hand():
    points = np.array([[[37.0, 44.0], [60.0, 20.0], [20.0, 80.0], [0.0, 0.0]]])
    scene = make_scene(points, np.array([[True, True, True, False]]), SIZE)
    found = make_label("cif").render(scene)
    # At 4.625, 5.5: from round(3.125) and from round(4.0) on.
    assert np.argwhere(found[0, 0] == 1).tolist() == [[r, c] for r in range(4, 8) for c in range(3, 7)]
    scale = math.sqrt(40 / 8 * 60 / 8)
    np.testing.assert_allclose(found[0, :, 4, 3], [1, 1.625, 1.5, 0.1 / 8, 0.5 * scale], rtol=1e-6)
    np.testing.assert_allclose(found[2, :, 11, 3], [1, 2.5 - 3, 10 - 11, 0.1 / 8, 0.25 * scale], rtol=1e-6)
    assert np.isnan(found[0, 1:, 3, 3]).all()
    assert found[0, 0, 3, 3] == 0
    assert (found[3, 0] == 0).all()
    # Halves become even: 2.5 - 1.5 is 1, 60 / 8 - 1.5 is 6, and 5.5 - 1.5 is 4.
    assert np.argwhere(found[2, 0] == 1)[0].tolist() == [8, 1]
    few = make_label("cif").render(make_scene(points, np.array([[True, True, False, False]]), SIZE))
    assert np.isnan(few[0, 4]).all()
    assert few[0, 3, 4, 3] == pytest.approx(0.1 / 8)


def test_a_limb_is_a_band_between_its_ends_by_hand():
    points = np.array([[[16.0, 40.0], [112.0, 40.0], [0.0, 0.0], [-8.0, 40.0]]])
    scene = make_scene(points, np.array([[True, True, False, True]]), SIZE)
    found = make_label("caf").render(scene)
    # From 2, 5 to 14, 5: twelve points from a quarter to three quarters, and a cell around each.
    assert np.argwhere(found[0, 0] == 1).tolist() == [[r, c] for r in range(4, 7) for c in range(4, 13)]
    expected = [1, 2 - 6, 5 - 4, 14 - 6, 5 - 4, 0.1 / 8, 0.1 / 8, math.nan, math.nan]  # flat, and so without a scale
    np.testing.assert_allclose(found[0, :, 4, 6], expected, rtol=1e-6)
    # One end outside: 3 points from 0.4 to 0.6 of -1 to 2; a cell right of 0.5 is 1.5, which becomes 2.
    assert np.argwhere(found[2, 0] == 1).tolist() == [[r, c] for r in range(4, 7) for c in range(3)]
    outside = make_scene(points - [140, 0], np.array([[True, True, True, True]]), SIZE)
    assert (make_label("caf").render(outside)[:, 0] == 0).all()


def test_a_limb_of_no_length_is_the_cells_around_its_ends():
    points = np.array([[[40.0, 48.0], [40.0, 48.0], [0.0, 0.0], [0.0, 0.0]]])
    found = make_label("caf").render(make_scene(points, np.array([[True, True, False, False]]), SIZE))
    assert np.argwhere(found[0, 0] == 1).tolist() == [[r, c] for r in range(5, 8) for c in range(4, 7)]
    np.testing.assert_allclose(found[0, 1:5, 5, 4], [1, 1, 1, 1])


def test_short_limbs_are_those_of_the_loop_and_of_long_ones_there_are_so_many_points():
    rng = np.random.default_rng(0)
    for _ in range(60):
        points = rng.uniform(30, 70, (1, 1, 2)) + rng.uniform(-10, 10, (1, 4, 2))
        scene = make_scene(points.astype(np.float32).astype(np.float64), np.ones((1, 4), bool), SIZE)
        expected = render_caf_loop(
            scene.points, scene.drawn, SKELETON.limbs,
            input_size=SIZE, cells=CELLS, sigmas=SKELETON.sigmas, ignored=np.zeros((0, 4)),
        )  # fmt: skip
        assert find_difference(make_label("caf").render(scene), expected) < 4e-6
    for length, count in ((0, 2), (2, 2), (2.5, 3), (8192, 8192), (1e6, 8192)):
        way = np.array([[length, 0]], np.float32)
        limb, column, row = caf._list_cells(np.zeros((1, 2), np.float32), way, way[:, 0])
        assert len(limb) == len(column) == len(row) == 9 * count


def test_of_equal_distances_the_first_keypoint_and_the_last_limb_count():
    points = np.array([[[40.0, 40.0], [80.0, 40.0], [60.0, 60.0], [50.0, 90.0]]] * 2)
    points[1, 2:] += 16
    scene = make_scene(points, np.ones((2, 4), bool), SIZE)
    sizes = [math.sqrt(40 * 50) / 8, math.sqrt(40 * 66) / 8]
    assert make_label("cif").render(scene)[0, 4, 5, 5] == pytest.approx(0.5 * sizes[0])
    assert make_label("caf").render(scene)[0, 7, 5, 7] == pytest.approx(0.5 * sizes[1])


def test_a_hidden_keypoint_near_a_visible_one_of_somebody_else_is_left_out():
    points = np.zeros((3, 4, 2))
    points[0], points[1], points[2] = (40, 40), (72, 72), (73, 40)
    seen = {}
    for visible in ((True, False, False), (False, False, False)):
        scene = dataclasses.replace(
            make_scene(points, np.ones((3, 4), bool), SIZE), visible=np.tile(np.array(visible)[:, None], (1, 4))
        )
        seen[visible] = make_label("cif").render(scene)[0, 0]
    assert [seen[True, False, False][int(y / 8), int(x / 8)] for x, y in points[:, 0]] == [1, 0, 1]
    assert [seen[False, False, False][int(y / 8), int(x / 8)] for x, y in points[:, 0]] == [1, 1, 1]
    kept = make_label("cif", selfhidden=False).render(scene)[0, 0]
    np.testing.assert_array_equal(kept, seen[False, False, False])


def test_nothing_is_known_in_boxes_of_ignored_people_but_near_keypoints():
    points = np.array([[[80.0, 48.0]] * 4])
    scene = dataclasses.replace(
        make_scene(points, np.ones((1, 4), bool), SIZE), ignored_boxes=np.array([[72.0, 20.0, 20.0, 30.0]])
    )
    intensity = make_label("cif").render(scene)[0, 0]
    # From int(9 - 1.5) to before ceil(11.5 + 1.5) + 1, and from int(2.5 - 1.5) to before ceil(6.25 + 1.5) + 1.
    unknown = np.zeros(CELLS, bool)
    unknown[1:9, 7:14] = True
    # The keypoint is at 10, 6: of its patch one cell is nearer than 1.
    unknown[6, 10] = False
    np.testing.assert_array_equal(np.isnan(intensity), unknown)
    assert intensity[6, 10] == 1
    least, most = make_label("cif").limits(scene)
    known = ~np.isnan(intensity)
    np.testing.assert_array_equal(least, most)
    np.testing.assert_array_equal(least[0, 0][known & (least[0, 0] == 0)], 0)
    assert (least[0, 0][known] == intensity[known]).all()


def test_a_person_seen_in_part_is_measured_as_a_whole_one_if_that_is_asked_for():
    half = [0, 5, 6, 11, 12]
    points = np.random.default_rng(0).uniform(20, 90, (1, 17, 2))
    drawn = np.isin(np.arange(17), half)[None]
    plain, whole = (
        make_label("cif", COCO_17, pose=pose).render(make_scene(points, drawn, SIZE))[0, 4] for pose in ("none", "coco")
    )
    # Upright 3.5 x 9.7 cells of which 2.8 x 5.3 are seen; turned by 45 degrees both are about as long as wide.
    upright = 3.5 * 9.7 / (2.8 * 5.3)
    assert np.nanmax(whole / plain) <= math.sqrt(upright) + 1e-6
    assert 1 < np.nanmin(whole / plain) == pytest.approx(np.nanmax(whole / plain))
    every = make_scene(points, np.ones((1, 17), bool), SIZE)
    plain, whole = (make_label("cif", COCO_17, pose=pose).render(every) for pose in ("none", "coco"))
    assert find_difference(plain, whole) < 1e-6
    for options, message in (({"pose": "davinci"}, "pose must be none or coco"), ({"pose": "coco"}, "COCO's 17")):
        with pytest.raises(ConfigError, match=message):
            make_label("caf", **options)


def test_nothing_is_drawn_beyond_the_picture_if_that_is_asked_for():
    scene = dataclasses.replace(
        make_scene(np.array([[[64.0, 14.0]] * 4]), np.ones((1, 4), bool), SIZE),
        image_size=(32, 64), affine=fit((32, 64), SIZE, "letterbox"),
    )  # fmt: skip
    # The picture is on rows 16 to 79, the first row's middle at 16.5: cells from 2.06 on, which int() takes for 2.
    plain, cut = (make_label("cif", valid_area=asked).render(scene)[0] for asked in (False, True))
    assert (plain[0, :2] == 1).any()
    assert (cut[0, :2] == 0).all()
    assert np.isnan(cut[1:, :2]).all()
    np.testing.assert_array_equal(cut[:, 2:10], plain[:, 2:10])


def test_what_lies_beyond_a_turned_picture_is_beyond_all_of_its_corners():
    (label,) = create_label(
        "cif", LabelContext(grid=make_grid("point", SIZE, CELLS), skeleton=COCO_17, options={"valid_area": True})
    )
    (h, w), stride = label.people.cells, label.people.stride
    for degrees, (height, width), at in (
        (30, (20, 60), (30, 30)),
        (200, (40, 24), (60, 40)),
        (90, (17, 33), (50, 20)),
    ):
        cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
        affine = Affine(cos, -sin, at[0], sin, cos, at[1])
        scene = dataclasses.replace(
            make_scene(np.zeros((0, 17, 2)), np.zeros((0, 17), bool), SIZE), image_size=(height, width), affine=affine
        )
        corners = [
            (cos * x - sin * y + at[0], sin * x + cos * y + at[1]) for x in (0, width - 1) for y in (0, height - 1)
        ]
        expected = np.zeros((h, w), bool)
        for axis, count in ((0, w), (1, h)):
            along = [corner[axis] / stride[axis] for corner in corners]
            for cell in range(count):
                if cell < max(int(min(along)), 0) or cell > max(math.ceil(max(along)), -1):
                    (expected.T if axis == 0 else expected)[cell] = True
        np.testing.assert_array_equal(label.people.find_outside(scene), expected)
        assert 0 < expected.mean() < 1


def test_people_come_back_from_their_fields():
    config = BuildConfig.preset("openpifpaf")
    rng = np.random.default_rng(0)
    base = np.array([
        (0, 9.3), (-0.35, 9.7), (0.35, 9.7), (-0.7, 9.5), (0.7, 9.5), (-1.4, 8), (1.4, 8), (-2.4, 6), (2.4, 6.2),
        (-3, 4.5), (3, 4.2), (-1.3, 4), (1.3, 4), (-1.4, 2), (1.4, 2.1), (-1.4, 0), (1.4, 0.1),
    ])  # fmt: skip
    people = np.stack([(x, 330) + base * (s, -s) for x, s in ((90, 28), (210, 22), (310, 25))])
    people += rng.normal(0, 2, people.shape)
    scene = make_scene(people, np.ones((3, 17), bool), (384, 384))
    drawn = {label.spec.name: label.render(scene)[None] for label in config.create_labels(COCO_17)}
    (found,) = decode(drawn, np.array([[[1.0, 0, 0], [0, 1, 0]]]), config, COCO_17)
    assert len(found.keypoints) == 3
    order = np.argsort(found.keypoints[:, :, 0].mean(axis=1))
    error = np.linalg.norm(found.keypoints[order, :, :2] - people, axis=-1)
    assert np.median(error) < 1e-3
    assert error.max() < 8
    assert (found.scores > 0.5).all()
