"""Several sigmas and kernels, heatmaps that add up to 1, centres of people who are large enough and their weights."""

from __future__ import annotations

import numpy as np
import pytest
from label_oracle import People, expect_heatmap, expect_top_down, make_scene, scatter

from posegen.errors import ConfigError
from posegen.labels import LabelContext, create_label
from posegen.labels.grid import make_grid
from posegen.skeleton import Skeleton

SIZE, CELLS = (64, 96), (16, 24)
SKELETON = Skeleton(name="test", keypoints=tuple("abc"))


def make_context(heatmap="gaussian", **options):
    grid = make_grid("point", SIZE, CELLS)
    return LabelContext(grid=grid, skeleton=SKELETON, sigma_px=8.0, heatmap=heatmap, options=options)


def make_people(seed, people=1):
    points, drawn = scatter(np.random.default_rng(seed), people, 3, SIZE)
    return People(size=SIZE, cells=CELLS, points=points, drawn=drawn)


def test_heatmaps_of_several_sigmas_are_an_array_each():
    labels = create_label("heatmap", make_context(sigmas="3,2,1.5"))
    assert [label.spec.name for label in labels] == ["heatmap_sigma3", "heatmap_sigma2", "heatmap_sigma1_5"]
    for seed in range(5):
        people = make_people(seed, people=3)
        for label, sigma in zip(labels, (3, 2, 1.5), strict=True):
            expected = expect_heatmap("point", people, 4 * sigma)
            np.testing.assert_allclose(label.render(people.scene), expected, rtol=0, atol=1e-6)


def test_kernels_are_those_of_mspn():
    labels = create_label("heatmap", make_context("megvii", kernels="15,11,9,7"))
    assert [label.spec.name for label in labels] == ["heatmap_k15", "heatmap_k11", "heatmap_k9", "heatmap_k7"]
    for seed in range(5):
        people = make_people(seed)
        for label, sigma in zip(labels, (2.6, 2.0, 1.7, 1.4), strict=True):
            expected, _ = expect_top_down("megvii", people, sigma)
            np.testing.assert_allclose(label.render(people.scene), expected, rtol=0, atol=1e-6)


def test_a_heatmap_that_is_normalized_adds_up_to_one_or_is_empty():
    (label,), (plain,) = (create_label("heatmap", make_context("msra", normalize=how)) for how in ("sum", "none"))
    assert label.spec == plain.spec
    for seed in range(5):
        people = make_people(seed)
        values, _ = expect_top_down("msra", people, 2.0)
        expected = values / (values.sum(axis=(1, 2), keepdims=True) + 1e-24)
        np.testing.assert_allclose(label.render(people.scene), expected, rtol=0, atol=1e-6)
        assert set(np.round(expected.sum(axis=(1, 2)), 9)) <= {0, 1}
    np.testing.assert_allclose(
        label.locate({"heatmap": expected[None].astype(np.float32)})[..., :2],
        plain.locate({"heatmap": values[None].astype(np.float32)})[..., :2],
    )


@pytest.mark.parametrize(
    ("heatmap", "options"),
    [
        ("megvii", {"kernels": "8"}), ("msra", {"kernels": "11"}), ("megvii", {"kernels": "11", "sigmas": "2"}),
        ("msra", {"sigmas": "2,x"}), ("msra", {"sigmas": "0"}), ("msra", {"normalize": "max"}),
        ("megvii", {"kernels": "1"}),
    ],
)  # fmt: skip
def test_widths_that_cannot_be_are_refused(heatmap, options):
    with pytest.raises(ConfigError):
        create_label("heatmap", make_context(heatmap, **options))


def test_people_with_a_small_diagonal_have_no_centre_and_no_ways():
    # Boxes of 4 x 4 cells, of which the diagonal is 32 ** 0.5 exactly, and of a little less.
    points = np.array([[[20.0, 20], [36, 36], [0, 0]], [[60.0, 20], [76, 35.99], [0, 0]]])
    drawn = np.array([[True, True, False]] * 2)
    both = make_scene(points, drawn, SIZE)
    for root in ("mean", "box"):
        labels, all_labels = (
            create_label("center", make_context(root=root, radius_cells=2.0, **options))
            for options in ({"min_diagonal": 32**0.5}, {})
        )
        for label, every in zip(labels, all_labels, strict=True):
            np.testing.assert_array_equal(label.render(both), every.render(both.take(slice(1))))
            assert (every.render(both) != label.render(both)).any()


def test_weights_of_a_centre_are_less_where_none_is():
    center, *_, weights = create_label("center", make_context())
    assert weights.spec.name == "center_heatmap_weights"
    (*_, darker) = create_label("center", make_context(background_weight=0.0))
    for seed in range(5):
        people = make_people(seed, people=2)
        heat = center.render(people.scene)
        np.testing.assert_allclose(weights.render(people.scene), np.where(heat > 0, 1, 0.1), rtol=0, atol=1e-7)
        np.testing.assert_array_equal(darker.render(people.scene), heat > 0)
