"""Top-down heatmaps and their weights against the definition, cell by cell, and against OpenCV's blur."""

import dataclasses
import math

import cv2
import numpy as np
import pytest
from each import each
from hypothesis import given, settings
from hypothesis import strategies as st
from label_oracle import People, coordinates, expect_top_down, make_scene

from posegen.errors import ConfigError
from posegen.labels import TopDownLabel, WeightLabel

KINDS = ("msra", "msra-unbiased", "udp", "megvii")


def make_label(kind, people, sigma=2.0):
    names = tuple(f"k{k}" for k in range(people.drawn.shape[1]))
    return TopDownLabel(kind=kind, input_size=people.size, cells=people.cells, keypoints=names, sigma_cells=sigma)


def make_weights(kind, people, sigma=2.0):
    label = make_label(kind, people, sigma)
    return WeightLabel(keypoints=label.keypoints, heatmap=label)


@st.composite
def crops(draw):
    """One to three people; keypoints in, on and beyond the borders of the input."""
    cells = draw(st.tuples(st.integers(2, 14), st.integers(2, 14)))
    stride = draw(st.sampled_from([1, 2, 4, 7]))
    size = cells[0] * stride, cells[1] * stride
    n, k = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    at = draw(st.lists(st.tuples(coordinates(size[1]), coordinates(size[0])), min_size=n * k, max_size=n * k))
    drawn = np.array(draw(st.lists(st.booleans(), min_size=n * k, max_size=n * k))).reshape(n, k)
    points = np.array(at, float).reshape(n, k, 2)
    points[~drawn] = np.nan
    return People(size=size, cells=cells, points=points, drawn=drawn)


@each(kind=KINDS)
@settings(max_examples=150)
@given(people=crops(), sigma=st.sampled_from([0.8, 1.0, 1.4, 2.0, 2.5, 3.0]))
def test_the_heatmap_and_the_weights_are_as_defined(kind, people, sigma):
    heat, weight = expect_top_down(kind, people, sigma)
    np.testing.assert_allclose(make_label(kind, people, sigma).render(people.scene), heat, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(make_weights(kind, people, sigma).render(people.scene), weight)


@each(kind=["msra", "msra-unbiased", "udp"])
@settings(max_examples=60)
@given(people=crops(), seed=st.integers(0, 1000))
def test_each_keypoint_may_have_a_sigma_of_its_own(kind, people, seed):
    spread = np.random.default_rng(seed).uniform(0.3, 3, people.drawn.shape)
    heat, weight = expect_top_down(kind, people, 1.3 * spread)
    scene = dataclasses.replace(people.scene, spread=spread)
    np.testing.assert_allclose(make_label(kind, people, 1.3).render(scene), heat, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(make_weights(kind, people, 1.3).render(scene), weight)


def one_person(*points, size=(256, 192), cells=(64, 48)):
    at = np.array([points], float)
    return People(size=size, cells=cells, points=at, drawn=np.ones(at.shape[:2], bool))


@each(kind=KINDS)
def test_the_heatmap_of_the_presets_size_is_as_defined(kind):
    rng = np.random.default_rng(4)
    people = one_person(*rng.uniform(-30, 280, (17, 2)))
    heat, weight = expect_top_down(kind, people, 2.0)
    np.testing.assert_allclose(make_label(kind, people).render(people.scene), heat, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(make_weights(kind, people).render(people.scene), weight)
    assert 0 < weight.sum() < 17


def test_msra_draws_around_a_whole_cell_and_ends_after_three_sigmas():
    channel = make_label("msra", one_person((81.9, 102.1))).render(one_person((81.9, 102.1)).scene)[0]
    assert channel[26, 20] == 1
    assert channel[26, 26] == pytest.approx(math.exp(-4.5), abs=1e-6)
    assert channel[32, 26] == pytest.approx(math.exp(-9), abs=1e-6)
    assert channel[26, 27] == 0
    assert np.count_nonzero(channel) == 13 * 13


@each(sigma=[1.0, 1.2, 1.4, 1.5, 1.8, 2.0, 2.5])
def test_the_middle_of_a_patch_is_the_keypoints_cell_whatever_sigma(sigma):
    people = one_person((80, 100))
    channel = make_label("msra", people, sigma).render(people.scene)[0]
    rows, columns = np.nonzero(channel)
    assert np.unravel_index(channel.argmax(), channel.shape) == (25, 20)
    assert (rows.min() + rows.max(), columns.min() + columns.max()) == (50, 40)


def test_unbiased_data_processing_scales_by_the_outermost_pixels():
    people = one_person((191.0, 255.0), (0.0, 0.0))
    first, second = make_label("udp", people).render(people.scene)
    assert first[63, 47] == 1
    assert second[0, 0] == 1


def test_megvii_peaks_at_one_in_the_cell_that_the_keypoint_lies_in():
    people = one_person((83.9, 103.9))
    channel = make_label("megvii", people).render(people.scene)[0]
    assert np.unravel_index(channel.argmax(), channel.shape) == (25, 20)
    assert channel.max() == 1
    # The kernel has 11 x 11 cells, for which OpenCV takes a sigma of 2.
    assert np.count_nonzero(channel) == 121
    assert channel[25, 22] == pytest.approx(math.exp(-0.5), abs=1e-6)


@each(cells=[(1, 1), (1, 5), (2, 3), (4, 4)])
def test_megvii_mirrors_small_maps_as_opencv_does(cells):
    people = one_person((cells[1] - 1, 0), size=cells, cells=cells)
    one = np.zeros(cells)
    one[0, -1] = 1
    blurred = cv2.GaussianBlur(one, (11, 11), 0)
    found = make_label("megvii", people).render(people.scene)[0]
    np.testing.assert_allclose(found, blurred / blurred.max(), rtol=0, atol=1e-6)


def test_a_patch_that_misses_the_map_weighs_nothing_and_one_that_touches_it_does():
    # The patch around cell -6 has one column on the map, that around cell -7 none; int(-7.5 + 0.5) is -7.
    people = one_person((-29.9, 100), (-30, 100), (100, 277.9), (100, 278), (-1e12, 0))
    np.testing.assert_array_equal(make_weights("msra", people).render(people.scene), [1, 0, 1, 0, 0])


def test_without_a_heatmap_the_weight_is_whether_somebody_is_drawn():
    scene = make_scene(np.zeros((2, 3, 2)), np.array([[True, False, False], [True, True, False]]), (8, 8))
    np.testing.assert_array_equal(WeightLabel(keypoints=tuple("abc")).render(scene), [1, 1, 0])


@each(kind=KINDS)
def test_people_merge_by_maximum(kind):
    both = People(
        size=(64, 64), cells=(16, 16), points=np.array([[[20.0, 30.0]], [[30.0, 33.0]]]), drawn=np.ones((2, 1), bool)
    )
    label = make_label(kind, both)
    apart = [label.render(make_scene(both.points[n : n + 1], both.drawn[:1], (64, 64))) for n in (0, 1)]
    np.testing.assert_array_equal(label.render(both.scene), np.maximum(*apart))


def test_an_unknown_kind_is_refused():
    with pytest.raises(ConfigError, match=r"msra, msra-unbiased, udp, megvii, higherhrnet, not 'mrsa'"):
        make_label("mrsa", one_person((0, 0)))


def test_unbiased_data_processing_needs_two_cells_an_axis():
    with pytest.raises(ConfigError, match="two cells along each axis, not 1x4"):
        make_label("udp", one_person((0, 0), size=(16, 4), cells=(4, 1)))


@each(kind=KINDS, most=[1, 3])
def test_scenes_drawn_together_are_drawn_as_alone(kind, most):
    rng = np.random.default_rng(most)
    scenes = []
    for people in [1, 0, most, 1, most]:
        points = rng.uniform(-20, 84, (people, 5, 2))
        scenes.append(make_scene(points, rng.random((people, 5)) < 0.7, (64, 64)))
    label = TopDownLabel(kind=kind, input_size=(64, 64), cells=(16, 16), keypoints=tuple("abcde"), sigma_cells=1.5)
    together = label.render_many(scenes)
    for scene, found in zip(scenes, together, strict=True):
        np.testing.assert_array_equal(found, label.render(scene))
