"""Limb heatmaps against their definition, pixel by pixel."""

import dataclasses
import math

import numpy as np
from each import each
from hypothesis import given
from hypothesis import strategies as st
from label_oracle import KINDS, LIMBS, People, make_scene, people_strategy, reduce_full, scatter_anywhere

from posegen.config import BuildConfig
from posegen.labels import HeatmapLabel, LabelContext, create_label
from posegen.labels.grid import make_grid
from posegen.labels.limb import LimbLabel
from posegen.skeleton import COCO_17, Skeleton

NAMES = tuple("wxyz")


def find_distance(x, y, start, end):
    """From a point to a segment: to an end, or where the foot of the perpendicular is on it, to its line."""
    (ax, ay), (bx, by) = start, end
    length = math.hypot(bx - ax, by - ay)
    along = (x - ax) * (bx - ax) + (y - ay) * (by - ay)
    if not length or along <= 0:
        return math.hypot(x - ax, y - ay)
    if along >= length**2:
        return math.hypot(x - bx, y - by)
    return abs((x - ax) * (by - ay) - (y - ay) * (bx - ax)) / length


def expect_limb(kind, people, sigma):
    """The definition as loops: the nearest point of the segment, a Gaussian of the distance to it, the maximum."""
    (height, width), (rows, columns) = people.size, people.cells
    if kind == "point":
        ys = [i * (height / rows) + (height / rows - 1) / 2 for i in range(rows)]
        xs = [i * (width / columns) + (width / columns - 1) / 2 for i in range(columns)]
    else:
        ys, xs = range(height), range(width)
    full = np.zeros((len(LIMBS), len(ys), len(xs)))
    for points, drawn in zip(people.points.tolist(), people.drawn.tolist(), strict=True):
        for e, (a, b) in enumerate(LIMBS):
            if not (drawn[a] and drawn[b]):
                continue
            for i, y in enumerate(ys):
                for j, x in enumerate(xs):
                    d = find_distance(x, y, points[a], points[b]) ** 2 / (2 * sigma**2)
                    if d < 4.6052:
                        full[e, i, j] = max(full[e, i, j], math.exp(-d))
    return reduce_full(kind, full, people.cells)


def render(kind, people, sigma):
    grid = make_grid(kind, people.size, people.cells)
    return LimbLabel(grid=grid, limbs=LIMBS, limb_names=NAMES, sigma_px=sigma).render(people.scene)


@each(kind=KINDS, seed=range(6))
def test_it_is_its_definition(kind, seed):
    people = scatter_anywhere(seed)
    sigma = (0.6, 2.0, 5.0)[seed % 3]
    np.testing.assert_allclose(render(kind, people, sigma), expect_limb(kind, people, sigma), rtol=0, atol=2e-6)


@given(people_strategy(largest=16, keypoints=3), st.sampled_from(KINDS))
def test_it_draws_any_people_without_leaving_its_range(people, kind):
    found = render(kind, people, 3.0)
    assert found.shape == (4, *people.cells)
    assert np.isfinite(found).all()
    assert 0 <= found.min() <= found.max() <= 1 + 5e-7


@each(kind=KINDS)
def test_a_limb_of_no_length_is_a_keypoint(kind):
    points, drawn = np.full((1, 3, 2), (21.25, 30.5)), np.ones((1, 3), bool)
    people = People(size=(64, 48), cells=(16, 12), points=points, drawn=drawn)
    grid = make_grid(kind, people.size, people.cells)
    keypoint = HeatmapLabel(grid=grid, keypoints=tuple("abc"), sigma_px=3.0, background=False).render(people.scene)
    # A keypoint's box may cut a pixel off at its far side.
    np.testing.assert_allclose(render(kind, people, 3.0)[0], keypoint[0], rtol=0, atol=0.0101)


def test_the_line_itself_is_one_and_beyond_its_ends_it_falls_off():
    scene = make_scene(np.array([[[10.0, 20.0], [40.0, 20.0]]]), np.ones((1, 2), bool), (64, 64))
    grid = make_grid("point", (64, 64), (64, 64))
    found = LimbLabel(grid=grid, limbs=((0, 1),), limb_names=("a",), sigma_px=2.0).render(scene)[0]
    assert (found[20, 10:41] == 1).all()
    np.testing.assert_allclose(found[20, 41:44], np.exp([-1 / 8, -4 / 8, -9 / 8]), rtol=1e-6)
    np.testing.assert_allclose(found[22, 25], np.exp(-0.5), rtol=1e-6)
    assert found[20, 47] == 0  # 7^2 / 8 is beyond 4.6052


def test_channels_are_the_limbs_and_without_limbs_there_is_none():
    (label,) = BuildConfig(labels=("limb",)).create_labels(COCO_17)
    assert label.spec.channels == COCO_17.limb_names
    assert (label.spec.low, label.spec.high) == (0, 1)
    context = LabelContext(grid=make_grid("point", (8, 8), (8, 8)), skeleton=Skeleton(name="x", keypoints=("a",)))
    assert create_label("limb", context) == ()


def test_where_sigmas_differ_a_limb_has_the_mean_of_its_ends():
    points, drawn = np.array([[[10.0, 20.0], [40.0, 20.0]]]), np.ones((1, 2), bool)
    scene = dataclasses.replace(make_scene(points, drawn, (64, 64)), spread=np.array([[0.5, 1.0]]))
    grid = make_grid("point", (64, 64), (64, 64))
    found = LimbLabel(grid=grid, limbs=((0, 1),), limb_names=("a",), sigma_px=4.0).render(scene)[0]
    np.testing.assert_allclose(found[20:26, 25], np.exp(-(np.arange(6) ** 2) / 18), rtol=1e-6)
