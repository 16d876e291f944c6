"""The renderers as functions: the labels themselves, behind checks of what is passed."""

import math

import numpy as np
import pytest
from each import each
from label_oracle import (
    KINDS,
    LIMBS,
    People,
    expect_cell_paf,
    expect_heatmap,
    expect_paf,
    expect_top_down,
    make_scene,
    scatter,
)

from posegen.errors import ConfigError
from posegen.labels import HeatmapLabel, PafLabel, render_heatmap, render_paf, render_top_down
from posegen.labels.grid import make_grid
from posegen.skeleton import OPENPOSE_18

POINTS = np.array([[[10.0, 12.0], [30.0, 20.0], [20.0, 40.0]]])
DRAWN = np.ones((1, 3), bool)


@each(kind=KINDS, background=[True, False])
def test_the_heatmap_is_the_label_that_builds_datasets(kind, background):
    points, drawn = scatter(np.random.default_rng(1), 3, 4, (48, 64))
    grid = make_grid(kind, (48, 64), (12, 16))
    label = HeatmapLabel(grid=grid, keypoints=tuple("abcd"), sigma_px=3.0, background=background)
    found = render_heatmap(points, drawn, input_size=(48, 64), stride=4, sigma=3.0, grid=kind, background=background)
    np.testing.assert_array_equal(found, label.render(make_scene(points, drawn, (48, 64))))


@each(kind=KINDS)
def test_the_field_is_the_label_that_builds_datasets(kind):
    points, drawn = scatter(np.random.default_rng(1), 3, 3, (48, 64))
    grid = make_grid(kind, (48, 64), (12, 16))
    label = PafLabel(grid=grid, limbs=LIMBS, limb_names=("", "", "", ""), half_width_px=3.0)
    found = render_paf(points, drawn, LIMBS, input_size=(48, 64), stride=4, half_width=3.0, grid=kind)
    np.testing.assert_array_equal(found, label.render(make_scene(points, drawn, (48, 64))))


@each(kind=["msra", "msra-unbiased", "udp", "megvii"])
def test_top_down_heatmaps_and_weights_are_those_of_the_presets(kind):
    points, drawn = scatter(np.random.default_rng(5), 1, 17, (256, 192))
    people = People(size=(256, 192), cells=(64, 48), points=points, drawn=drawn)
    expected = expect_top_down(kind, people, 2.0)
    for found, wanted in zip(render_top_down(points, drawn, kind=kind), expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-6)


def test_fields_on_cells_are_those_of_openpose():
    points, drawn = scatter(np.random.default_rng(6), 5, 3, (368, 368))
    people = People(size=(368, 368), cells=(46, 46), points=points, drawn=drawn)
    found = render_paf(points, drawn, LIMBS, on="cells")
    np.testing.assert_allclose(found, expect_cell_paf(people, LIMBS, 1.0), rtol=0, atol=1e-6)


@each(sigma=[0, -1, math.inf, math.nan])
def test_a_sigma_in_cells_must_be_a_positive_number(sigma):
    with pytest.raises(ConfigError, match="sigma must be above 0 cells"):
        render_top_down(POINTS, DRAWN, sigma=sigma)


def test_fields_are_drawn_on_pixels_or_cells():
    with pytest.raises(ConfigError, match="on pixels or on cells, not on 'pixel'"):
        render_paf(POINTS, DRAWN, LIMBS, on="pixel")


def test_the_defaults_are_those_of_tf_pose():
    points, drawn = scatter(np.random.default_rng(2), 4, 18, (368, 368))
    people = People(size=(368, 368), cells=(46, 46), points=points, drawn=drawn)
    np.testing.assert_allclose(
        render_heatmap(points, drawn), expect_heatmap("bilinear", people, 8.0), rtol=0, atol=1e-6
    )
    np.testing.assert_allclose(
        render_paf(points, drawn, OPENPOSE_18.limbs),
        expect_paf("bilinear", people, OPENPOSE_18.limbs, 8.0),
        rtol=0,
        atol=1e-6,
    )


def test_lists_and_other_number_types_are_taken():
    arrays = render_heatmap(POINTS, DRAWN), render_paf(POINTS, DRAWN, [(0, 1)])
    for points, drawn in (
        (POINTS.tolist(), DRAWN.tolist()),
        (POINTS.astype(np.float32), DRAWN.astype(np.uint8)),
        (POINTS.astype(np.int64), DRAWN.astype(np.int64)),
    ):
        np.testing.assert_array_equal(render_heatmap(points, drawn), arrays[0])
        np.testing.assert_array_equal(render_paf(points, drawn, np.array([(0, 1)])), arrays[1])


def test_no_people_leave_the_background():
    found = render_heatmap(np.zeros((0, 3, 2)), np.zeros((0, 3), bool))
    assert found.shape == (4, 46, 46)
    assert not found[:3].any()
    np.testing.assert_array_equal(found[3], np.ones((46, 46)))
    assert not render_paf(np.zeros((0, 3, 2)), np.zeros((0, 3), bool), [(0, 1)]).any()


@each(value=[np.nan, np.inf, -np.inf])
def test_what_is_not_drawn_need_not_be_a_number(value):
    points, drawn = POINTS.copy(), DRAWN.copy()
    points[0, 1], drawn[0, 1] = value, False
    elsewhere = POINTS.copy()
    elsewhere[0, 1] = 5, 5
    np.testing.assert_array_equal(render_heatmap(points, drawn), render_heatmap(elsewhere, drawn))
    limbs = [(0, 1), (0, 2)]
    np.testing.assert_array_equal(render_paf(points, drawn, limbs), render_paf(elsewhere, drawn, limbs))


@each(value=[np.nan, np.inf, -np.inf], axis=[0, 1])
def test_what_is_drawn_must_be_a_finite_number(value, axis):
    points = POINTS.copy()
    points[0, 1, axis] = value
    with pytest.raises(ConfigError, match="finite"):
        render_heatmap(points, DRAWN)
    with pytest.raises(ConfigError, match="finite"):
        render_paf(points, DRAWN, [(0, 1)])


@each(
    "points, drawn",
    [
        (np.zeros((1, 3, 3)), np.ones((1, 3))),
        (np.zeros((1, 3)), np.ones((1, 3))),
        (np.zeros((3, 2)), np.ones(3)),
        (np.zeros((2, 3, 2)), np.ones((1, 3))),
        (np.zeros((1, 3, 2)), np.ones((1, 4))),
        (np.zeros((1, 3, 2)), np.ones((1, 3, 1))),
        (np.zeros(0), np.zeros(0)),
    ],
)
def test_shapes_that_do_not_fit_together_are_refused_and_named(points, drawn):
    for render in (render_heatmap, lambda *arrays: render_paf(*arrays, [(0, 1)])):
        with pytest.raises(ConfigError, match=r"points must be \(N, K, 2\) and drawn \(N, K\)") as error:
            render(points, drawn)
        assert str(points.shape) in str(error.value)
        assert str(drawn.shape) in str(error.value)


@each(limb=[(0, 3), (3, 0), (-1, 0), (0, -1)])
def test_a_limb_of_a_keypoint_that_is_not_there_is_refused(limb):
    with pytest.raises(ConfigError, match=rf"limb {limb[0]}-{limb[1]}.*0\.\.2"):
        render_paf(POINTS, DRAWN, [(0, 1), limb])


@each(value=[0, -1.0, np.nan])
def test_a_width_that_is_not_positive_is_refused(value):
    with pytest.raises(ConfigError, match="sigma must be above 0"):
        render_heatmap(POINTS, DRAWN, sigma=value)
    with pytest.raises(ConfigError, match="half_width must be above 0"):
        render_paf(POINTS, DRAWN, [(0, 1)], half_width=value)


@each(stride=[7, 0, -8, 1000, np.nan])
def test_a_stride_that_leaves_no_whole_grid_is_refused(stride):
    with pytest.raises(ConfigError, match="does not divide"):
        render_heatmap(POINTS, DRAWN, stride=stride)
    with pytest.raises(ConfigError, match="does not divide"):
        render_paf(POINTS, DRAWN, [(0, 1)], stride=stride)


def test_more_cells_than_pixels_are_refused():
    with pytest.raises(ConfigError, match="at least as many pixels"):
        render_heatmap(POINTS, DRAWN, stride=0.5)


def test_an_unknown_grid_is_refused():
    with pytest.raises(ConfigError, match="bilinear, area, point"):
        render_heatmap(POINTS, DRAWN, grid="cubic")
    with pytest.raises(ConfigError, match="bilinear, area, point"):
        render_paf(POINTS, DRAWN, [(0, 1)], grid="cubic")


@each(sigma=[0, -1, math.inf, math.nan])
def test_a_sigma_that_is_no_width_is_refused(sigma):
    with pytest.raises(ConfigError, match="sigma"):
        render_heatmap(np.zeros((1, 1, 2)), np.ones((1, 1)), sigma=sigma)


def test_people_without_keypoints_are_refused():
    with pytest.raises(ConfigError, match=r"points must be \(N, K, 2\)"):
        render_heatmap(np.zeros((1, 0, 2)), np.zeros((1, 0)))


def test_a_point_beyond_counting_is_refused():
    with pytest.raises(ConfigError, match="not finite"):
        render_heatmap(np.full((1, 1, 2), 1e30), np.ones((1, 1)))


def test_a_size_may_be_a_list():
    points, drawn = np.full((1, 1, 2), 20.0), np.ones((1, 1))
    ours = render_heatmap(points, drawn, input_size=[64, 48])
    np.testing.assert_array_equal(ours, render_heatmap(points, drawn, input_size=(64, 48)))
