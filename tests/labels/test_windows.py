"""The windows of cells that a Gaussian reaches, against looking at each tap of each cell."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from each import each

from posegen.errors import ConfigError
from posegen.labels import LabelContext, create_label
from posegen.labels.base import ArraySpec, StridedLabel, find_limits, needs_ignored, needs_ignored_boxes, reads_shown
from posegen.labels.decode import limbs
from posegen.labels.gaussians import THRESHOLD
from posegen.labels.grid import make_grid
from posegen.labels.online.windows import CUT, FARTHEST, check_shapes, lay_axes, lay_grid
from posegen.labels.reference.indices import list_keypoint_indices_loop
from posegen.skeleton import Skeleton


@each(kind=["bilinear", "area", "point"], size=[((48, 64), 8.0), ((60, 40), 2.5), ((24, 32), 1.0)], sigma=[0.5, 4.0])
def test_a_window_has_all_cells_that_a_gaussian_reaches_and_few_more(kind, size, sigma):
    (height, width), stride = size
    made = make_grid(kind, (height, width), (int(height / stride), int(width / stride)))
    for i, axis in enumerate(lay_axes((height, width), stride, sigma, kind)):
        assert (axis.pixels, axis.stride, axis.cells) == ((height, width)[i], stride, made.cells[i])
        assert axis.reach == pytest.approx(sigma * math.sqrt(2 * THRESHOLD))
        np.testing.assert_array_equal(axis.positions, made.positions[:, i, : axis.cells].T)
        np.testing.assert_array_equal(axis.weights, made.weights[:, i, : axis.cells].T)
        assert axis.positions.flags.c_contiguous
        assert axis.weights.flags.c_contiguous
        most = 0
        # Where a Gaussian's edge meets a tap, and between.
        for c in np.arange(-3 * axis.reach, axis.pixels + 3 * axis.reach, stride / 16):
            reached = np.flatnonzero((np.abs(axis.positions - c) < axis.reach).any(axis=1))
            first = math.ceil((c - axis.before) / stride)
            inside = min(max(first, 0), axis.cells - axis.window)
            assert all(inside <= cell < inside + axis.window for cell in reached)
            most = max(most, len(reached))
            if len(reached):
                # It begins no more than the span of a cell's taps before.
                assert reached[0] - first <= 1 or reached[0] == 0
        assert most <= axis.window <= min(most + 2, axis.cells)
        assert lay_grid(made, sigma)[i].window == axis.window
    assert math.exp(-THRESHOLD) == CUT
    assert FARTHEST == 10**15


def test_sigmas_and_shapes_that_do_not_fit_are_refused():
    for sigma in (0, -1, math.inf, math.nan):
        with pytest.raises(ConfigError) as caught:
            lay_axes((8, 8), 2, sigma, "point")
        assert str(caught.value) == f"sigma must be above 0 input pixels, not {sigma}"
    for points, drawn in (
        ((3, 4, 2), (3, 4)),
        ((None, 4, 2), (None, 4)),
        ((0, 4, 2), (0, 4)),
        ((None, 4, 2), (3, None)),
    ):
        check_shapes(points, drawn, "N, K")
    check_shapes((5, 3, 4, 2), (5, 3, 4), "B, N, K")
    for points, drawn in (
        ((3, 4, 3), (3, 4)), ((3, 4), (3, 4)), ((3, 5, 2), (3, 4)), ((2, 4, 2), (3, 4)), ((3, 0, 2), (3, 0)),
        ((4, 2), (4,)), ((5, 3, 4, 2), (5, 3, 4)),
    ):  # fmt: skip
        with pytest.raises(ConfigError) as caught:
            check_shapes(points, drawn, "N, K")
        assert str(caught.value) == f"points must be (N, K, 2) and drawn (N, K), not {points} and {drawn}"


class Told:
    """A label that says of itself what it is asked, and draws numbers that nobody else would."""

    spec = ArraySpec(name="told", channels=("a",), cells=(2, 3), low=-1, high=4)

    def __init__(self, **says):
        self.__dict__.update(says)

    def render(self, scene):
        return np.full(self.spec.shape, scene, np.float32)


def test_a_label_of_one_of_several_strides_says_and_draws_what_it_is_of():
    asked = {"needs_ignored": needs_ignored, "needs_ignored_boxes": needs_ignored_boxes, "reads_shown": reads_shown}
    for name, ask in asked.items():
        for says in (True, False):
            strided = StridedLabel(label=Told(**{name: says}), stride=4)
            assert ask(strided) is getattr(strided, name) is says
            assert [other(strided) for key, other in asked.items() if key != name] == [False, False]
        assert ask(Told()) is False
    for stride, suffix in ((4, "4"), (4.0, "4"), (2.5, "2_5")):
        strided = StridedLabel(label=Told(), stride=stride)
        assert strided.spec == dataclasses.replace(Told.spec, name=f"told_s{suffix}")
    np.testing.assert_array_equal(strided.render(3), np.full((1, 2, 3), 3))
    np.testing.assert_array_equal(strided.render_many([1, 2]), [np.full((1, 2, 3), 1), np.full((1, 2, 3), 2)])
    limited = Told(limits=lambda scene: (np.zeros(1), np.full(1, scene)))
    for label in (limited, StridedLabel(label=limited, stride=4)):
        assert [of.tolist() for of in find_limits(label, 7)] == [[0], [7]]
    low, high = StridedLabel(label=Told(), stride=4).limits(7)
    assert (low.dtype, high.dtype) == (np.float32, np.float32)
    np.testing.assert_array_equal(low, np.full((1, 2, 3), -1))
    np.testing.assert_array_equal(high, np.full((1, 2, 3), 4))


def test_a_field_is_read_linearly_between_cells_and_no_farther_than_its_edge():
    rng = np.random.default_rng(0)
    for h, w in ((5, 7), (1, 4), (3, 1)):
        field = rng.uniform(-1, 1, (2, h, w)).astype(np.float32)
        at = rng.uniform((-2, -2), (w + 1, h + 1), (60, 2))
        at[:20] = np.rint(at[:20])
        found = limbs._sample(field, at)
        for (x, y), value in zip(np.clip(at, 0, (w - 1, h - 1)), found, strict=True):
            near = np.maximum(1 - np.abs(np.arange(h) - y), 0)[:, None] * np.maximum(1 - np.abs(np.arange(w) - x), 0)
            np.testing.assert_allclose(value, (field * near).sum(axis=(1, 2)), atol=1e-6)


def test_a_person_is_joined_where_limbs_lead_from_one_drawn_keypoint_to_three_or_more():
    context = LabelContext(
        grid=make_grid("point", (64, 64), (8, 8)),
        skeleton=Skeleton(name="chain", keypoints=tuple("abcdef"), limbs=((0, 1), (1, 2), (3, 4), (2, 5))),
    )
    (caf,) = create_label("caf", context)
    drawn = np.array(
        [[1, 1, 1, 0, 0, 0], [1, 1, 0, 1, 1, 0], [1, 1, 1, 1, 1, 1], [0] * 6, [1, 0, 1, 1, 0, 1], [0, 1, 1, 0, 0, 1]],
        bool,
    )
    np.testing.assert_array_equal(caf.joinable(drawn), [True, False, True, False, False, True])


def test_the_slow_list_of_cells_takes_the_one_whose_middle_is_nearest():
    points = np.array([[[3.4, 0.2], [3.6, 0.2], [0.2, 11.4], [0.2, 11.6], [-0.4, 0], [-0.6, 0]]])
    found = list_keypoint_indices_loop(
        points, np.ones((1, 6), bool), input_size=(16, 12), cells=(4, 3), cell="middle"
    )  # fmt: skip
    # Cells of 4 pixels: the first has the pixels 0 to 3, whose middles reach from -0.5 to 3.5.
    np.testing.assert_array_equal(found[0], [[0, 1], [1, 1], [6, 1], [9, 1], [0, 1], [0, 0]])
