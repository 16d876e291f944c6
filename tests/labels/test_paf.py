"""Part affinity fields against the definition: at every position, for all grids."""

import tracemalloc

import numpy as np
import pytest
from each import each
from hypothesis import example, given, settings
from hypothesis import strategies as st
from label_oracle import (
    KINDS,
    LIMBS,
    People,
    expect_cell_paf,
    expect_paf,
    make_scene,
    people_strategy,
    scatter,
    scatter_anywhere,
)

from posegen.labels import PafLabel, paf, reference
from posegen.labels.grid import make_grid
from posegen.labels.paf import CellPafLabel
from posegen.skeleton import COCO_17, OPENPOSE_18

HALF_WIDTHS = st.sampled_from([0.3, 1.0, 2.0, 3.7, 8.0, 100.0])


def make_label(kind, size, cells, limbs=((0, 1),), half_width_px=2.0):
    return PafLabel(
        grid=make_grid(kind, size, cells),
        limbs=limbs,
        limb_names=tuple(f"{a}-{b}" for a, b in limbs),
        half_width_px=half_width_px,
    )


def render(kind, people, limbs, half_width_px):
    return make_label(kind, people.size, people.cells, limbs, half_width_px).render(people.scene)


def people_with_limbs(*ends, size=(32, 32), cells=None):
    """People of one limb each, from (x, y) to (x, y); without `cells` every pixel is one."""
    points = np.array(ends, float).reshape(-1, 2, 2)
    return People(size=size, cells=cells or size, points=points, drawn=np.ones(points.shape[:2], bool))


def draw(*ends, half_width_px=2.0):
    """The (x, y) components of the field of such people, at every pixel of 32 x 32."""
    return render("point", people_with_limbs(*ends), ((0, 1),), half_width_px)


@settings(max_examples=80)
@given(people=people_strategy(8, 32, keypoints=3), half_width_px=HALF_WIDTHS)
@example(
    # Going back from the difference of its ends, the limb would end at 27.999999999999993.
    people=people_with_limbs(((-39.6, 20), (28, 20)), size=(48, 48), cells=(6, 6)),
    half_width_px=8.0,
)
def test_the_bilinear_field_is_what_a_loop_over_pixels_draws(people, half_width_px):
    limbs = LIMBS if people.drawn.shape[1] == 3 else ((0, 1),)
    expected = reference.render_paf_loop(
        people.points, people.drawn, limbs, input_size=people.size, cells=people.cells, half_width_px=half_width_px
    )
    np.testing.assert_allclose(render("bilinear", people, limbs, half_width_px), expected, rtol=0, atol=1e-6)


@each(kind=KINDS)
@settings(max_examples=200)
@given(people=people_strategy(keypoints=3), half_width_px=HALF_WIDTHS)
def test_the_field_is_as_defined(kind, people, half_width_px):
    found = render(kind, people, LIMBS, half_width_px)
    np.testing.assert_allclose(found, expect_paf(kind, people, LIMBS, half_width_px), rtol=0, atol=1e-6)


@each(kind=KINDS)
def test_fields_of_any_size_reduce_by_any_ratio(kind):
    for seed in range(150):
        people, half_width_px = scatter_anywhere(seed), 0.5 + seed % 13 * 0.7
        np.testing.assert_allclose(
            render(kind, people, LIMBS, half_width_px),
            expect_paf(kind, people, LIMBS, half_width_px),
            rtol=0,
            atol=1e-6,
            err_msg=f"seed {seed}: {people.size} to {people.cells}",
        )


@each(skeleton=[OPENPOSE_18, COCO_17], people_count=[0, 1, 4, 30])
def test_the_field_of_the_default_size_is_what_the_reference_draws(people_count, skeleton):
    points, drawn = scatter(np.random.default_rng(people_count), people_count, len(skeleton.keypoints), (368, 368))
    people = People(size=(368, 368), cells=(46, 46), points=points, drawn=drawn)
    expected = reference.render_paf_vectorized(
        points, drawn, skeleton.limbs, input_size=(368, 368), cells=(46, 46), half_width_px=8.0
    )
    np.testing.assert_allclose(render("bilinear", people, skeleton.limbs, 8.0), expected, rtol=0, atol=1e-6)


@each(kind=KINDS, block=[1, 40, 3000])
def test_it_does_not_matter_how_many_positions_are_drawn_at_once(kind, block, monkeypatch):
    points, drawn = scatter(np.random.default_rng(8), 5, 8, (64, 64), share=1)
    # The first keypoint is nobody's and the second one person's: limbs of none, one and several people alternate.
    drawn[:, 0], drawn[1:, 1] = False, False
    limbs = ((2, 3), (0, 1), (1, 2), (3, 4), (1, 5), (5, 6), (2, 0), (6, 7))
    people = People(size=(64, 64), cells=(8, 8), points=points, drawn=drawn)
    monkeypatch.setattr(paf, "_BLOCK", block)
    np.testing.assert_allclose(
        render(kind, people, limbs, 4.0), expect_paf(kind, people, limbs, 4.0), rtol=0, atol=1e-6
    )


def test_a_limb_has_the_unit_vector_from_its_first_end_to_its_second():
    field = draw(((4, 6), (16, 22)))
    assert field[:, 14, 10] == pytest.approx([0.6, 0.8], abs=1e-6)
    assert np.hypot(*field)[np.hypot(*field) > 0] == pytest.approx(1, abs=1e-6)


def test_swapping_the_ends_of_a_limb_turns_its_field():
    np.testing.assert_array_equal(draw(((16, 22), (4, 6))), -draw(((4, 6), (16, 22))))


def test_each_limb_has_its_x_before_its_y():
    people = people_with_limbs(((8, 8), (8, 24)))
    field = render("point", people, ((0, 1), (1, 0)), 2.0)
    assert field[:, 16, 8].tolist() == [0, 1, 0, -1]


def test_a_pixel_exactly_half_a_width_from_an_upright_limb_belongs_to_it():
    # Columns 10 - 3 to 10 + 3; the box ends before 10 + 3.
    assert draw(((10, 8), (10, 24)), half_width_px=3.0)[1, 16].nonzero()[0].tolist() == [7, 8, 9, 10, 11, 12]


def test_a_pixel_exactly_half_a_width_from_a_lying_limb_belongs_to_it():
    assert draw(((8, 10.5), (24, 10.5)), half_width_px=2.5)[0, :, 16].nonzero()[0].tolist() == [8, 9, 10, 11, 12]


def test_a_pixel_exactly_half_a_width_from_a_slanted_limb_belongs_to_it():
    # Direction (3, 4) / 5: (x, y) is |4 x - 3 y| / 5 away from the line through the origin.
    field = draw(((0, 0), (24, 32)), half_width_px=5.0)
    # (10, 5): |40 - 15| / 5 = 5. (11, 6): |44 - 18| / 5 = 5.2. (4, 13): |16 - 39| / 5 = 4.6; (4, 14): 26 / 5 = 5.2.
    assert [bool(field[0, y, x]) for x, y in ((10, 5), (11, 6), (4, 13), (4, 14))] == [True, False, True, False]


def test_the_field_reaches_half_a_width_beyond_the_ends():
    # The box: 8 - 2 to before 20 + 2.
    assert draw(((8, 16), (20, 16)))[0, 16].nonzero()[0].tolist() == list(range(6, 22))


def test_the_box_of_a_limb_is_truncated_and_not_rounded():
    # 8.9 - 2 = 6.9 and 20.9 + 2 = 22.9.
    assert draw(((8.9, 16), (20.9, 16)))[0, 16].nonzero()[0].tolist() == list(range(6, 22))


def test_a_limb_of_one_pixel_is_a_box():
    field = draw(((16, 16), (17, 16)))
    assert field[0].nonzero()[0].min() == 14
    np.testing.assert_array_equal(field[0, 14:18, 14:19], np.ones((4, 5)))
    assert field[0].sum() == 20
    assert not field[1].any()


def test_a_limb_without_length_draws_nothing():
    assert not draw(((16, 16), (16, 16))).any()


def test_a_limb_without_length_does_not_count_in_the_mean():
    np.testing.assert_array_equal(draw(((4, 16), (28, 16)), ((16, 16), (16, 16))), draw(((4, 16), (28, 16))))


@each(undrawn=[0, 1])
def test_a_limb_with_an_undrawn_end_draws_nothing_and_does_not_count(undrawn):
    people = people_with_limbs(((4, 16), (28, 16)), ((16, 4), (16, 28)))
    people.drawn[1, undrawn] = False
    people.points[1, undrawn] = np.nan
    np.testing.assert_array_equal(render("point", people, ((0, 1),), 2.0), draw(((4, 16), (28, 16))))


def test_two_limbs_that_agree_are_not_halved():
    field = draw(((4, 16), (28, 16)), ((4, 17), (28, 17)))
    assert field[0][field[0] != 0].tolist() == [1] * np.count_nonzero(field[0])
    assert np.count_nonzero(field[0, :, 16]) == 5


def test_two_limbs_that_oppose_each_other_cancel():
    field = draw(((4, 16), (28, 16)), ((28, 16), (4, 16)))
    assert not field.any()


def test_where_limbs_cross_the_field_is_their_mean():
    field = draw(((4, 16), (28, 16)), ((16, 4), (16, 28)), ((4, 16), (28, 16)))
    assert field[:, 16, 16] == pytest.approx([2 / 3, 1 / 3], abs=1e-6)
    assert field[:, 16, 8].tolist() == [1, 0]
    assert field[:, 8, 16].tolist() == [0, 1]


def test_the_mean_over_people_is_taken_before_the_reduction():
    # The cell reads rows and columns 3 and 4. The upright limb covers column 3 of it only, the lying limb everything.
    people = people_with_limbs(((-20, 3.5), (28, 3.5)), ((1, -20), (1, 28)), size=(8, 8), cells=(1, 1))
    field = render("bilinear", people, ((0, 1),), 2.0)[:, 0, 0]
    assert field == pytest.approx([1, 0], abs=1e-6)
    people = people_with_limbs(((-20, 3.5), (28, 3.5)), ((2, -20), (2, 28)), size=(8, 8), cells=(1, 1))
    field = render("bilinear", people, ((0, 1),), 2.0)[:, 0, 0]
    assert field == pytest.approx([(0.5 + 1) / 2, 0.25], abs=1e-6)


@each(
    ends=[
        ((-30, 16), (60, 16)),
        ((16, -30), (16, 60)),
        ((-5, -5), (10, 12)),
        ((40, 16), (20, 60)),
        ((-20, 16), (-1, 16)),
        ((33, 16), (60, 16)),
        ((16, 33.5), (16, 60)),
        ((0, 0), (31, 31)),
        ((-1e6, -1e6), (1e6, 1e6)),
    ]
)
def test_a_limb_partly_outside_draws_its_part_inside(ends):
    expected = expect_paf("point", people_with_limbs(ends), ((0, 1),), 2.0)
    assert expected.any()
    np.testing.assert_allclose(draw(ends), expected, rtol=0, atol=1e-6)


@each(
    ends=[
        ((-30, 16), (-3, 16)),
        ((35, 16), (60, 16)),
        ((16, -30), (16, -4)),
        ((16, 1e9), (20, 1e12)),
        ((-40, 20), (20, -40)),
    ]
)
def test_a_limb_outside_draws_nothing(ends):
    assert not draw(ends).any()


@each(kind=KINDS)
def test_a_skeleton_without_limbs_has_no_channels(kind):
    points, drawn = scatter(np.random.default_rng(0), 2, 3, (32, 32))
    people = People(size=(32, 32), cells=(4, 4), points=points, drawn=drawn)
    assert render(kind, people, (), 2.0).shape == (0, 4, 4)


@each(kind=KINDS)
def test_crowded_limbs_average_whatever_order_people_come_in(kind):
    points, drawn = scatter(np.random.default_rng(4), 30, 3, (48, 48), share=0.9)
    people = People(size=(48, 48), cells=(6, 6), points=points, drawn=drawn)
    turned = People(size=(48, 48), cells=(6, 6), points=points[::-1], drawn=drawn[::-1])
    found = render(kind, people, LIMBS, 8.0)
    np.testing.assert_allclose(found, expect_paf(kind, people, LIMBS, 8.0), rtol=0, atol=1e-6)
    np.testing.assert_allclose(render(kind, turned, LIMBS, 8.0), found, rtol=0, atol=1e-6)


def test_channels_are_named_after_limbs_and_axes():
    spec = make_label("point", (32, 32), (32, 32), ((0, 1), (1, 2))).spec
    assert spec.channels == ("0-1:x", "0-1:y", "1-2:x", "1-2:y")
    assert spec.signed


@each(crowd=[1, 6], kind=["bilinear", "point"])
def test_no_array_of_the_full_resolution_is_allocated(kind, crowd):
    points, drawn = scatter(np.random.default_rng(5), crowd, 18, (1024, 1024))
    label = make_label(kind, (1024, 1024), (128, 128), OPENPOSE_18.limbs, 8.0)
    scene = make_scene(points, drawn, (1024, 1024))
    tracemalloc.start()
    try:
        out = label.render(scene)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert out.nbytes <= peak < 0.15 * 38 * 1024 * 1024 * 4


def render_on_cells(people, half_width):
    label = CellPafLabel(
        input_size=people.size,
        cells=people.cells,
        limbs=LIMBS,
        limb_names=tuple("wxyz"),
        half_width_cells=half_width,
    )
    return label.render(people.scene)


@settings(max_examples=100)
@given(people=people_strategy(8, 64, keypoints=3), half_width=st.sampled_from([0.5, 1.0, 1.3, 3.0]))
def test_fields_on_cells_are_as_openpose_defines_them(people, half_width):
    expected = expect_cell_paf(people, LIMBS, half_width)
    np.testing.assert_allclose(render_on_cells(people, half_width), expected, rtol=0, atol=1e-6)


def test_fields_on_cells_of_the_default_size_are_as_openpose_defines_them():
    points, drawn = scatter(np.random.default_rng(0), 30, 3, (368, 368))
    people = People(size=(368, 368), cells=(46, 46), points=points, drawn=drawn)
    np.testing.assert_allclose(render_on_cells(people, 1.0), expect_cell_paf(people, LIMBS, 1.0), rtol=0, atol=1e-6)


def test_a_field_on_cells_lies_where_the_points_are_divided_by_the_stride():
    people = People(
        size=(64, 64),
        cells=(8, 8),
        points=np.array([[[16.0, 24.0], [40.0, 24.0], [0.0, 0.0]]]),
        drawn=np.array([[True, True, False]]),
    )
    x = render_on_cells(people, 1.0)[0]
    # From (2, 3) to (5, 3): the columns round(2 - 1) to before round(5 + 1), the rows 2 to 3, as 4 is excluded.
    expected = np.zeros((8, 8))
    expected[2:4, 1:6] = 1
    np.testing.assert_array_equal(x, expected)
