"""The slow code that is the specification: its loops and its NumPy expressions both say what is defined."""

import numpy as np
from each import each
from hypothesis import given, settings
from hypothesis import strategies as st
from label_oracle import LIMBS, expect_heatmap, expect_paf, people_strategy

from posegen.labels import reference


@settings(max_examples=60)
@given(people=people_strategy(8, 24), sigma_px=st.sampled_from([0.5, 2.0, 8.0, 100.0]))
def test_both_reference_heatmaps_are_as_defined(people, sigma_px):
    expected = expect_heatmap("bilinear", people, sigma_px)
    for render in (reference.render_heatmap_loop, reference.render_heatmap_vectorized):
        found = render(people.points, people.drawn, input_size=people.size, cells=people.cells, sigma_px=sigma_px)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


@settings(max_examples=60)
@given(people=people_strategy(8, 24, keypoints=3), half_width_px=st.sampled_from([0.5, 1.0, 8.0, 100.0]))
def test_both_reference_fields_are_as_defined(people, half_width_px):
    expected = expect_paf("bilinear", people, LIMBS, half_width_px)
    for render in (reference.render_paf_loop, reference.render_paf_vectorized):
        found = render(
            people.points,
            people.drawn,
            LIMBS,
            input_size=people.size,
            cells=people.cells,
            half_width_px=half_width_px,
        )
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


@each(render=[reference.render_heatmap_loop, reference.render_heatmap_vectorized])
def test_a_reference_heatmap_has_more_channels_than_opencv_resizes_at_once(render):
    keypoints = 600
    points = np.zeros((1, keypoints, 2))
    points[0, -1] = 5, 3
    drawn = np.zeros((1, keypoints), bool)
    drawn[0, -1] = True
    found = render(points, drawn, input_size=(8, 8), cells=(8, 8), sigma_px=1.0)
    assert found.shape == (keypoints + 1, 8, 8)
    assert found[-2, 3, 5] == 1
    assert not found[:-2].any()


@each(render=[reference.render_paf_loop, reference.render_paf_vectorized])
def test_a_reference_field_points_from_the_first_keypoint_to_the_second(render):
    points = np.array([[[2.0, 8.0], [12.0, 8.0]]])
    field = render(
        points, np.ones((1, 2), bool), [(0, 1), (1, 0)], input_size=(16, 16), cells=(16, 16), half_width_px=2.0
    )
    assert field[:, 8, 7].tolist() == [1, 0, -1, 0]
    # From 8 - 2 to before 8 + 2: the box is half open.
    assert field[0, :, 7].nonzero()[0].tolist() == [6, 7, 8, 9]
