"""Keypoint heatmaps against the definition: at every position, for all grids."""

import dataclasses
import tracemalloc

import numpy as np
import pytest
from each import each
from hypothesis import example, given, settings
from hypothesis import strategies as st
from label_oracle import KINDS, People, expect_heatmap, make_scene, people_strategy, scatter, scatter_anywhere

from posegen.labels import HeatmapLabel, gaussians, heatmap, reference
from posegen.labels.grid import make_grid

SIGMAS = st.sampled_from([0.5, 1.0, 2.0, 3.7, 8.0, 30.0, 500.0])


def render(kind, people, sigma_px, *, background=True):
    names = tuple(f"k{k}" for k in range(people.drawn.shape[1]))
    grid = make_grid(kind, people.size, people.cells)
    label = HeatmapLabel(grid=grid, keypoints=names, sigma_px=sigma_px, background=background)
    return label.render(people.scene)


def one_person(*points, size=(32, 32), cells=None):
    """A person of whom every keypoint is drawn, at (x, y); without `cells` every pixel is one."""
    at = np.array([points], float)
    return People(size=size, cells=cells or size, points=at, drawn=np.ones(at.shape[:2], bool))


@settings(max_examples=80)
@given(people=people_strategy(8, 32), sigma_px=SIGMAS)
def test_the_bilinear_heatmap_is_what_a_loop_over_pixels_draws(people, sigma_px):
    expected = reference.render_heatmap_loop(
        people.points, people.drawn, input_size=people.size, cells=people.cells, sigma_px=sigma_px
    )
    np.testing.assert_allclose(render("bilinear", people, sigma_px), expected, rtol=0, atol=1e-6)


@each(kind=KINDS)
@settings(max_examples=200)
@given(people=people_strategy(), sigma_px=SIGMAS, background=st.booleans())
@example(
    # A pixel that two cells share, at which a Gaussian begins.
    people=one_person((25.925690652952895, 87.0091964631436), size=(100, 100), cells=(37, 37)),
    sigma_px=3.0,
    background=True,
)
def test_the_heatmap_is_as_defined(kind, people, sigma_px, background):
    found = render(kind, people, sigma_px, background=background)
    np.testing.assert_allclose(found, expect_heatmap(kind, people, sigma_px, background=background), rtol=0, atol=1e-6)


@each(kind=KINDS)
@settings(max_examples=100)
@given(people=people_strategy(), seed=st.integers(0, 1000), background=st.booleans())
def test_each_keypoint_may_have_a_sigma_of_its_own(kind, people, seed, background):
    spread = np.random.default_rng(seed).uniform(0.2, 4, people.drawn.shape)
    names = tuple(f"k{k}" for k in range(people.drawn.shape[1]))
    grid = make_grid(kind, people.size, people.cells)
    label = HeatmapLabel(grid=grid, keypoints=names, sigma_px=3.0, background=background)
    expected = expect_heatmap(kind, people, 3.0 * spread, background=background)
    found = label.render(dataclasses.replace(people.scene, spread=spread))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


@each(kind=KINDS)
def test_heatmaps_of_any_size_reduce_by_any_ratio(kind):
    for seed in range(150):
        people, sigma_px = scatter_anywhere(seed), 0.5 + seed % 13 * 0.7
        np.testing.assert_allclose(
            render(kind, people, sigma_px),
            expect_heatmap(kind, people, sigma_px),
            rtol=0,
            atol=1e-6,
            err_msg=f"seed {seed}: {people.size} to {people.cells}",
        )


@each(people_count=[0, 1, 4, 40])
def test_the_heatmap_of_the_default_size_is_what_the_reference_draws(people_count):
    rng = np.random.default_rng(people_count)
    points, drawn = scatter(rng, people_count, 17, (368, 368))
    people = People(size=(368, 368), cells=(46, 46), points=points, drawn=drawn)
    expected = reference.render_heatmap_vectorized(points, drawn, input_size=(368, 368), cells=(46, 46), sigma_px=8.0)
    np.testing.assert_allclose(render("bilinear", people, 8.0), expected, rtol=0, atol=1e-6)


@each("people_count, keypoints", [(40, 17), (5, 133), (1, 600)], kind=KINDS)
def test_more_keypoints_than_are_drawn_at_once_are_all_drawn(kind, people_count, keypoints):
    assert people_count * keypoints > gaussians.BLOCK
    points, drawn = scatter(np.random.default_rng(7), people_count, keypoints, (96, 64), share=0.95)
    people = People(size=(96, 64), cells=(12, 8), points=points, drawn=drawn)
    np.testing.assert_allclose(render(kind, people, 5.0), expect_heatmap(kind, people, 5.0), rtol=0, atol=1e-6)


@each(kind=KINDS, block=[1, 2, 7])
def test_it_does_not_matter_how_many_keypoints_are_drawn_at_once(kind, block, monkeypatch):
    points, drawn = scatter(np.random.default_rng(3), 4, 6, (48, 48))
    # Of the first keypoint nobody's is drawn, of the second one person's, of the others several people's.
    drawn[:, 0], drawn[:, 1] = False, [True, False, False, False]
    people = People(size=(48, 48), cells=(6, 6), points=points, drawn=drawn)
    for module in (heatmap, gaussians):
        monkeypatch.setattr(module, "BLOCK", block)
    monkeypatch.setattr(gaussians, "_FEW_VALUES", 0)
    np.testing.assert_allclose(render(kind, people, 4.0), expect_heatmap(kind, people, 4.0), rtol=0, atol=1e-6)


def test_a_keypoint_on_a_pixel_is_one_there_and_falls_by_its_squared_distance():
    channel = render("point", one_person((10, 20)), 4.0)[0]
    assert channel[20, 10] == 1
    assert channel[20, 14] == pytest.approx(np.exp(-0.5), abs=1e-6)
    assert channel[17, 14] == pytest.approx(np.exp(-25 / 32), abs=1e-6)


def test_x_is_the_column_and_y_the_row():
    channel = render("point", one_person((10, 20), size=(32, 48)), 2.0)[0]
    assert np.unravel_index(channel.argmax(), channel.shape) == (20, 10)


def test_a_gaussian_ends_where_it_falls_to_one_percent():
    channel = render("point", one_person((31, 31), size=(64, 64)), 8.0)[0]
    # 24.28 pixels away: 17 and 17 lie within, 18 and 17 do not.
    assert channel[48, 48] == pytest.approx(np.exp(-578 / 128), abs=1e-6)
    assert channel[48, 49] == 0
    assert channel[channel > 0].min() > 0.01


def test_the_box_of_a_gaussian_is_cut_by_truncation_on_its_far_side():
    # 20.5 + 24.279 = 44.779: pixel 44 is near enough but the box ends before it; -24.279 begins at the border.
    channel = render("point", one_person((20.5, 30), size=(64, 64)), 8.0)[0]
    assert channel[30, 43] > 0
    assert channel[30, 44] == 0
    assert np.exp(-(23.5**2) / 128) > 0.01


@each(
    "at, visible",
    [
        ((-2, 5), True),
        ((5, -2), True),
        ((33, 5), True),
        ((5, 33), True),
        ((-7, 5), False),
        ((5, -7), False),
        ((38.5, 5), False),
        ((1e9, 5), False),
        ((5, -1e12), False),
    ],
)
def test_a_keypoint_beyond_the_border_draws_what_reaches_inside(at, visible):
    channels = render("point", one_person(at), 2.0)
    assert (channels[0].max() > 0) == visible
    np.testing.assert_allclose(channels, expect_heatmap("point", one_person(at), 2.0), rtol=0, atol=1e-6)


def test_people_merge_by_maximum_and_not_by_sum():
    both = People(
        size=(32, 32), cells=(32, 32), points=np.array([[[10.0, 16.0]], [[13.0, 16.0]]]), drawn=np.ones((2, 1), bool)
    )
    apart = [render("point", one_person((x, 16)), 4.0)[0] for x in (10, 13)]
    np.testing.assert_array_equal(render("point", both, 4.0)[0], np.maximum(*apart))


def test_the_maximum_over_people_is_taken_before_the_reduction():
    # The cell reads pixels 1 and 2; one person is nearer to the one, the other to the other.
    people = People(
        size=(4, 4), cells=(1, 1), points=np.array([[[1.0, 1.0]], [[2.0, 2.0]]]), drawn=np.ones((2, 1), bool)
    )
    side = np.exp(-0.5)
    assert render("bilinear", people, 1.0)[0, 0, 0] == pytest.approx((1 + 1 + side + side) / 4, abs=1e-6)


def test_the_background_is_one_minus_the_maximum_over_keypoints_before_the_reduction():
    people = one_person((1, 1), (2, 2), size=(4, 4), cells=(1, 1))
    channels = render("bilinear", people, 1.0)[:, 0, 0]
    each = (1 + 2 * np.exp(-0.5) + np.exp(-1)) / 4
    assert channels == pytest.approx([each, each, 1 - (1 + 1 + 2 * np.exp(-0.5)) / 4], abs=1e-6)


@each(kind=KINDS)
def test_people_on_the_same_spot_are_one_person(kind):
    points, drawn = scatter(np.random.default_rng(11), 1, 3, (40, 40), share=1)
    alone = People(size=(40, 40), cells=(5, 5), points=points, drawn=drawn)
    many = People(size=(40, 40), cells=(5, 5), points=points.repeat(6, axis=0), drawn=drawn.repeat(6, axis=0))
    np.testing.assert_allclose(render(kind, many, 5.0), render(kind, alone, 5.0), rtol=0, atol=1e-6)


@each(kind=KINDS)
def test_moving_people_by_whole_cells_moves_the_heatmap(kind):
    points = np.random.default_rng(2).uniform(30, 60, (3, 2, 2))
    people, moved = (
        People(size=(128, 128), cells=(16, 16), points=points + shift, drawn=np.ones((3, 2), bool))
        for shift in ((0, 0), (24, 16))
    )
    np.testing.assert_allclose(
        render(kind, moved, 4.0)[:, 2:, 3:], render(kind, people, 4.0)[:, :-2, :-3], rtol=0, atol=1e-6
    )


@each(crowd=[1, 6], kind=["bilinear", "point"])
def test_no_array_of_the_full_resolution_is_allocated(kind, crowd):
    points, drawn = scatter(np.random.default_rng(5), crowd, 18, (1024, 1024))
    label = HeatmapLabel(
        grid=make_grid(kind, (1024, 1024), (128, 128)), keypoints=tuple(f"k{k}" for k in range(18)), sigma_px=8.0
    )
    scene = make_scene(points, drawn, (1024, 1024))
    tracemalloc.start()
    try:
        out = label.render(scene)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert out.nbytes <= peak < 0.15 * 19 * 1024 * 1024 * 4
