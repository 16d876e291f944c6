"""Classification and offset maps against their definition, cell by cell."""

import numpy as np
import pytest
from each import each
from hypothesis import given
from hypothesis import strategies as st
from label_oracle import make_scene, people_strategy, scatter_anywhere

from posegen.errors import ConfigError
from posegen.labels.offset import UDP_RADIUS, OffsetLabel


def expect_offset(people, factor, corners):
    """The definition as loops over keypoints, cells and people."""
    (height, width), (rows, columns) = people.size, people.cells
    radius = factor * max(rows, columns)
    out = np.zeros((people.drawn.shape[1], 3, rows, columns))
    nearest = np.full((people.drawn.shape[1], rows, columns), np.inf)
    for points, drawn in zip(people.points.tolist(), people.drawn.tolist(), strict=True):
        for k, (x, y) in enumerate(points):
            if not drawn[k]:
                continue
            if corners:
                mu_x, mu_y = x / ((width - 1) / (columns - 1)), y / ((height - 1) / (rows - 1))
            else:
                mu_x, mu_y = (x + 0.5) / (width / columns) - 0.5, (y + 0.5) / (height / rows) - 0.5
            for i in range(rows):
                for j in range(columns):
                    dx, dy = (mu_x - j) / radius, (mu_y - i) / radius
                    if dx**2 + dy**2 <= 1 and dx**2 + dy**2 < nearest[k, i, j]:
                        nearest[k, i, j] = dx**2 + dy**2
                        out[k, :, i, j] = 1, dx, dy
    return out.reshape(-1, rows, columns)


def make_label(people, factor, corners=False):
    return OffsetLabel(
        input_size=people.size, cells=people.cells, keypoints=tuple("abc"), radius_factor=factor, corners=corners
    )


@each(corners=[False, True], factor=[UDP_RADIUS, 0.2, 1.0], seed=range(4))
def test_it_is_its_definition(seed, factor, corners):
    people = scatter_anywhere(seed)
    if min(people.cells) > 1:
        found = make_label(people, factor, corners).render(people.scene)
        np.testing.assert_allclose(found, expect_offset(people, factor, corners), rtol=0, atol=1e-6)


@given(people_strategy(largest=16, keypoints=3), st.floats(0.05, 1))
def test_it_draws_any_people_without_leaving_its_range(people, factor):
    found = make_label(people, factor).render(people.scene)
    assert np.isfinite(found).all()
    assert -1 <= found.min() <= found.max() <= 1
    near = found[::3]
    assert set(np.unique(near)) <= {0, 1}
    assert not found[1::3][near == 0].any()
    assert not found[2::3][near == 0].any()


def test_a_keypoint_can_be_read_back_from_every_cell_near_it():
    """As MMPose decodes the combined maps of an input of 192 x 256: the cell plus the offset times the radius."""
    points = np.array([[[100.25, 80.75]]])
    scene = make_scene(points, np.ones((1, 1), bool), (256, 192))
    label = OffsetLabel(input_size=(256, 192), cells=(64, 48), keypoints=("a",), corners=True)
    near, x, y = label.render(scene)
    rows, columns = np.nonzero(near)
    assert len(rows) > 30
    radius = 0.0546875 * 64
    assert radius == 3.5
    np.testing.assert_allclose((columns + radius * x[rows, columns]) * 191 / 47, 100.25, rtol=0, atol=2e-5)
    np.testing.assert_allclose((rows + radius * y[rows, columns]) * 255 / 63, 80.75, rtol=0, atol=2e-5)


def test_of_two_people_the_nearest_counts_whoever_comes_first():
    points = np.array([[[20.0, 20.0]], [[28.0, 20.0]]])
    label = OffsetLabel(input_size=(64, 64), cells=(64, 64), keypoints=("a",), radius_factor=0.125)
    for order in (points, points[::-1]):
        near, x, _ = label.render(make_scene(order, np.ones((2, 1), bool), (64, 64)))
        assert near[20, 12:37].all()
        np.testing.assert_array_equal(x[20, 22:27] * 8, [-2, -3, -4, 3, 2])  # between them, cell 24 is as far from both


def test_channels_come_in_threes():
    label = OffsetLabel(input_size=(8, 8), cells=(4, 4), keypoints=("a", "b"))
    assert label.spec.channels == ("a", "a:x", "a:y", "b", "b:x", "b:y")
    assert (label.spec.low, label.spec.high) == (-1, 1)


@each(
    "options, message",
    [({"radius_factor": 0.0}, "radius_factor must be"), ({"radius_factor": 1.5}, "radius_factor must be")],
)
def test_a_radius_that_is_none_is_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        OffsetLabel(input_size=(8, 8), cells=(4, 4), keypoints=("a",), **options)


def test_corners_of_a_single_row_are_refused():
    with pytest.raises(ConfigError, match="corners need two cells along each axis, not 4x1"):
        OffsetLabel(input_size=(8, 8), cells=(1, 4), keypoints=("a",), corners=True)
