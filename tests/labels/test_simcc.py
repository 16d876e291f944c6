"""Curves over bins, regression, visibility and weights, against their definitions: one number after the other."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from label_oracle import make_scene

from posegen.config import BuildConfig
from posegen.errors import ConfigError
from posegen.labels import LabelContext, create_label, render_scenes
from posegen.labels.grid import make_grid
from posegen.labels.reference import render_simcc_loop
from posegen.labels.simcc import SimccLabel
from posegen.skeleton import COCO_17, Skeleton

SIZE = (64, 48)
SKELETON = Skeleton(name="test", keypoints=tuple("abcdef"), flip_pairs=((0, 1),), weights=(1, 1, 1.2, 1.5, 1, 2))


def make_context(*, beside=None, size=SIZE, **options):
    grid = make_grid("point", size, (size[0] // 4, size[1] // 4))
    return LabelContext(grid=grid, skeleton=SKELETON, options=options, beside=beside or {})


def scatter(seed, people=1):
    """Keypoints in and around the input; many on halves of bins and on borders."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(-0.6, 1.6, (people, 6, 2)) * SIZE[::-1]
    points[rng.random((people, 6)) < 0.5] //= 0.25
    points[rng.random((people, 6)) < 0.5] *= 0.25
    drawn = rng.random((people, 6)) < 0.8
    points = points.astype(np.float32).astype(np.float64)
    points[~drawn] = np.nan
    return make_scene(points, drawn, SIZE)


def half_to_even(value):
    low = math.floor(value)
    if value - low == 0.5:
        return low if low % 2 == 0 else low + 1
    return math.floor(value + 0.5)


def expect(scene, ratio, sigmas, *, normalize, smoothing="gaussian", smooth=0.0):
    """Both curves of each keypoint, bin after bin, and the weights."""
    rows, columns = (half_to_even(n * ratio) for n in SIZE)
    along_x, along_y, weights = np.zeros((6, columns)), np.zeros((6, rows)), np.zeros(6)
    for k in np.flatnonzero(scene.drawn[0]):
        mu = [half_to_even(float(np.float32(c) * np.float32(ratio))) for c in scene.points[0, k]]
        if smoothing == "standard":
            outside = any(not 0 <= m < n for m, n in zip(mu, (columns, rows), strict=True))
        else:
            outside = any(
                m - 3 * s >= n or m + 3 * s + 1 < 0 for m, s, n in zip(mu, sigmas[::-1], (columns, rows), strict=True)
            )
        if outside:
            continue
        weights[k] = 1
        for curve, m, s in ((along_x[k], mu[0], sigmas[1]), (along_y[k], mu[1], sigmas[0])):
            for i in range(len(curve)):
                if smoothing == "standard":
                    curve[i] = 1 - smooth if i == m else smooth / (len(curve) - 1)
                else:
                    peak = s * math.sqrt(2 * math.pi) if normalize else 1
                    curve[i] = math.exp(-((i - m) ** 2) / (2 * s**2)) / peak
    return along_x, along_y, weights


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"sigma_x": 4.9, "sigma_y": 5.66, "normalize": False},
        {"split_ratio": 3.0, "sigma_x": 2.5},
        {"split_ratio": 1.3},
        {"smoothing": "standard"},
        {"smoothing": "standard", "label_smooth": 0.1},
    ],
    ids=str,
)
def test_curves_are_as_they_are_defined(options):
    weighed = 0
    for seed in range(40):
        scene = scatter(seed)
        along_x, along_y = create_label("simcc", make_context(**options))
        (weight,) = create_label("weight", make_context(beside={"simcc": options, "weight": {}}))
        sigma_x = options.get("sigma_x", 6.0)
        expected = expect(
            scene,
            options.get("split_ratio", 2.0),
            (options.get("sigma_y", sigma_x), sigma_x),
            normalize=options.get("normalize", True),
            smoothing=options.get("smoothing", "gaussian"),
            smooth=options.get("label_smooth", 0.0),
        )
        for label, values in zip((along_x, along_y, weight), expected, strict=True):
            found = label.render(scene)
            assert found.shape == label.spec.shape
            np.testing.assert_allclose(found, values, rtol=0, atol=1e-6)
        weighed += expected[2].sum()
        assert expected[2].sum() < scene.drawn.sum() or seed
    assert 0 < weighed < 40 * 6


def test_the_reference_is_as_they_are_defined():
    for seed in range(10):
        scene = scatter(seed)
        for sigmas, normalize in (((6.0, 6.0), True), ((5.66, 4.9), False)):
            expected = expect(scene, 2.0, sigmas, normalize=normalize)
            found = render_simcc_loop(
                scene.points[0], scene.drawn[0], input_size=SIZE, sigmas=sigmas, normalize=normalize
            )
            for one, other in zip(found, expected, strict=True):
                np.testing.assert_allclose(one, other, rtol=0, atol=1e-6)


def test_all_curves_are_the_same_bytes_but_for_their_place():
    label = SimccLabel(axis="x", input_size=SIZE, keypoints=tuple("abcdef"))
    points = np.full((1, 6, 2), 20.0)
    points[0, :, 0] = np.arange(6) * 3.3 + 20
    curves = label.render(make_scene(points, np.ones((1, 6), bool), SIZE))
    peaks = curves.argmax(axis=1)
    for curve, peak in zip(curves, peaks, strict=True):
        np.testing.assert_array_equal(curve[peak - 20 : peak + 8], curves[0][peaks[0] - 20 : peaks[0] + 8])


def test_curves_end_where_there_is_less_than_what_they_are_rounded_to():
    label = SimccLabel(axis="x", input_size=SIZE, keypoints=tuple("abcdef"), normalize=False)
    points = np.full((1, 6, 2), 24.0)
    curve = label.render(make_scene(points, np.ones((1, 6), bool), SIZE))[0]
    exact = np.exp(-((np.arange(96) - 48) ** 2) / 72)
    assert np.abs(curve - exact).max() <= 2.0**-21 + 2.0**-24
    np.testing.assert_array_equal(curve > 0, exact >= 2.0**-21)
    np.testing.assert_array_equal(curve * 2**20 % 1, 0)


def test_of_several_people_the_largest_value_counts():
    for label in create_label("simcc", make_context()):
        scene = scatter(1, people=3)
        expected = np.max([label.render(scene.take(slice(n, n + 1))) for n in range(3)], axis=0)
        np.testing.assert_array_equal(label.render(scene), expected)
        several = render_scenes(label, [scatter(2), scatter(3)])
        np.testing.assert_array_equal(several[1], label.render(scatter(3)))


def test_smoothing_does_not_go_with_gaussians():
    for options in ({"label_smooth": 0.1}, {"smoothing": "standard", "label_smooth": 1.5}, {"smoothing": "none"}):
        with pytest.raises(ConfigError):
            create_label("simcc", make_context(**options))


def test_presets_have_the_sizes_and_sigmas_of_their_networks():
    for name, sigmas, high in (("simcc", (6.0, 6.0), 1.0), ("rtmpose", (5.66, 4.9), 1.0)):
        labels = BuildConfig.preset(name).create_labels(COCO_17)
        specs = {label.spec.name: label.spec for label in labels}
        assert {key: spec.shape for key, spec in specs.items()} == {
            "simcc_x": (17, 384), "simcc_y": (17, 512), "weight": (17,),
        }  # fmt: skip
        assert labels[0].sigmas == sigmas
        assert labels[0].normalize == (name == "simcc")
        assert specs["simcc_x"].high == high
        assert labels[2].heatmap == labels[0]


def test_regression_is_a_share_of_the_input_and_weighs_inside():
    (label,) = create_label("regression", make_context())
    (weight,) = create_label("weight", make_context(beside={"heatmap": {}, "regression": {}, "weight": {}}))
    points = np.array([[[0.0, 0.0], [47.0, 63.0], [47.01, 5.0], [-0.01, 5.0], [24.0, 32.0], [5.0, 5.0]]])
    scene = make_scene(points, np.array([[True] * 5 + [False]]), SIZE)
    expected = points[0] / (48, 64)
    expected[5] = 0
    np.testing.assert_allclose(label.render(scene), expected, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(weight.render(scene), [1, 1, 0, 0, 1, 0])
    assert not label.spec.flips


def test_visibility_tells_absent_from_unknown():
    value, weight = create_label("visibility", make_context())
    scene = dataclasses.replace(
        make_scene(np.zeros((1, 6, 2)), np.array([[True, False, False, False, False, False]]), SIZE),
        unknown=np.array([[0, 0, 1, 2, 0, 0]], np.uint8),
        labelled=np.array([[True, True, False, False, False, False]]),
    )
    np.testing.assert_array_equal(value.render(scene), [1, 1, 0, 0, 0, 0])
    np.testing.assert_array_equal(weight.render(scene), [1, 1, 0, 0, 1, 1])


def test_weights_of_keypoints_multiply_when_they_are_asked_for():
    scene = scatter(0)
    plain, weighted = (
        create_label("weight", make_context(by_keypoint=asked, of="heatmap"))[0] for asked in (False, True)
    )
    np.testing.assert_array_equal(plain.render(scene), scene.drawn[0])
    np.testing.assert_allclose(weighted.render(scene), scene.drawn[0] * np.array([1, 1, 1.2, 1.5, 1, 2]), atol=1e-6)
    named = dict(zip(COCO_17.keypoints, COCO_17.weights, strict=True))
    assert (named["left_wrist"], named["right_ankle"], named["left_elbow"], named["right_knee"]) == (1.5, 1.5, 1.2, 1.2)
    assert sum(COCO_17.weights) == pytest.approx(9 + 4 * 1.2 + 4 * 1.5)
    bare = dataclasses.replace(make_context(by_keypoint=True), skeleton=dataclasses.replace(SKELETON, weights=()))
    with pytest.raises(ConfigError, match="has no weights"):
        create_label("weight", bare)


def test_a_preset_with_other_labels_leaves_the_options_of_its_own_behind():
    config = BuildConfig.preset("rtmpose", labels=("heatmap", "weight"), heatmap="msra")
    assert config.label_options == {}
    assert BuildConfig.preset("rtmpose", labels=("simcc",)).label_options["simcc"]["sigma_x"] == 4.9
