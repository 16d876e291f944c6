"""Each label of a sample in a panel of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from each import each
from shards_by_hand import (
    BLOCK,
    CONFIG,
    DOTS,
    FACTOR,
    PAIR,
    Drawn,
    Open,
    cell_block,
    cut_panels,
    find_centroid,
    written_in,
)

from posegen.inspect.drawing.composite import find_nearness, find_ways
from posegen.inspect.drawing.sample import draw_sample
from posegen.skeleton import Skeleton


@pytest.fixture
def open_shard(tmp_path: Path) -> Iterator[Open]:
    with written_in(tmp_path) as write:
        yield write


@each("x, y", [(19.5, 11.5), (17.0, 14.25), (24.2, 16.9)])
def test_a_heatmap_glows_around_its_keypoint(open_shard: Open, x: float, y: float) -> None:
    heat = np.zeros((3, 16, 20), np.float32)
    rows, columns = np.mgrid[:16, :20] * 2 + 0.5  # the middles of cells of 2x2 pixels
    heat[1] = np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / (2 * 3.0**2))
    reader = open_shard(Drawn(labels={"heatmap": heat}), Drawn(), labels=("heatmap",), stride=2)
    lit, dark = (cut_panels(draw_sample(reader, i), 2)[1] for i in range(2))
    assert find_centroid(lit - dark) == pytest.approx(((x + 0.5) * FACTOR - 0.5, (y + 0.5) * FACTOR - 0.5), abs=1)


def test_the_background_channel_does_not_glow(open_shard: Open) -> None:
    background = np.zeros((3, 4, 5), np.float32)
    background[2] = 1
    reader = open_shard(Drawn(image=90, labels={"heatmap": background}), Drawn(image=90), labels=("heatmap",))
    np.testing.assert_array_equal(draw_sample(reader, 0), draw_sample(reader, 1))


@each("visibility, dots", [("labelled", 2), ("visible", 1)])
def test_the_heatmap_panel_has_a_dot_at_every_drawn_keypoint(open_shard: Open, visibility: str, dots: int) -> None:
    people = [[(10, 10, 2), (30, 20, 1)], [(20, 5, 0), (20, 25, 0)]]
    reader = open_shard(Drawn(people=people), labels=("heatmap",), visibility=visibility)
    panel = cut_panels(draw_sample(reader, 0), 2)[1]
    assert cv2.connectedComponents((panel.min(axis=2) > 128).astype(np.uint8))[0] - 1 == dots


@each(
    "labels, skeleton, panels",
    [
        (("heatmap", "paf", "mask"), PAIR, 4),
        (("heatmap", "paf"), PAIR, 3),
        (("mask",), PAIR, 2),
        (("paf",), PAIR, 2),
        (("heatmap", "paf", "mask"), DOTS, 3),
    ],
)
def test_only_labels_in_the_shard_have_a_panel(
    open_shard: Open, labels: tuple[str, ...], skeleton: Skeleton, panels: int
) -> None:
    picture = draw_sample(open_shard(Drawn(), labels=labels, skeleton=skeleton), 0)
    assert picture.dtype == np.uint8
    assert picture.shape[2] == 3
    assert panels * 640 <= picture.shape[1] < panels * 640 + 40


def test_the_mask_tints_the_cells_that_do_not_count_and_no_pixel_else(open_shard: Open) -> None:
    mask = np.ones((1, 4, 5), np.float32)
    mask[0, 1, 2] = mask[0, 3, 4] = 0
    reader = open_shard(Drawn(image=(90, 120, 60), labels={"mask": mask}), labels=("mask",))
    plain, masked = cut_panels(draw_sample(reader, 0), 2)
    np.testing.assert_array_equal((plain != masked).any(axis=2), cell_block(1, 2) | cell_block(3, 4))
    assert (masked[..., 2] > plain[..., 2])[cell_block(1, 2)].all(), "the tint is red"


def test_a_cell_that_counts_in_part_is_tinted_less(open_shard: Open) -> None:
    mask = np.ones((1, 4, 5), np.float32)
    mask[0, 0, 0], mask[0, 0, 1] = 0.7, 0
    reader = open_shard(Drawn(labels={"mask": mask}), labels=("mask",))
    tint = cut_panels(draw_sample(reader, 0), 2)[1].sum(axis=2)
    assert 0.25 < tint[cell_block(0, 0)].mean() / tint[cell_block(0, 1)].mean() < 0.35


def test_cells_of_a_grid_that_does_not_divide_the_pixels_tint_their_own_pixels(open_shard: Open) -> None:
    mask = np.ones((1, 8, 16), np.float32)
    mask[0, 2, 3] = 0
    reader = open_shard(Drawn(labels={"mask": mask}), labels=("mask",), input_size=(20, 40), stride=2.5)
    plain, masked = cut_panels(draw_sample(reader, 0), 2, (320, 640))
    expected = np.zeros((320, 640), np.bool_)
    expected[2 * 40 : 3 * 40, 3 * 40 : 4 * 40] = True  # 2.5 pixels, enlarged 16 times
    np.testing.assert_array_equal((plain != masked).any(axis=2), expected)


def test_a_part_affinity_field_colours_its_cell_by_its_direction(open_shard: Open) -> None:
    field = np.zeros((2, 4, 5), np.float32)
    field[:, 1, 1], field[:, 2, 3] = (1, 0), (-0.6, 0.8)
    reader = open_shard(Drawn(labels={"paf": field}), labels=("paf",))
    panel = cut_panels(draw_sample(reader, 0), 2)[1]
    np.testing.assert_array_equal(panel.any(axis=2), cell_block(1, 1) | cell_block(2, 3))
    right, other = (np.median(panel[block], axis=0) for block in (cell_block(1, 1), cell_block(2, 3)))
    assert right.argmax() == 2, "what points to the right is red"
    assert other.argmax() == 1, "127 degrees on, it is green"


def test_the_arrow_of_a_part_affinity_field_points_where_the_field_does(open_shard: Open) -> None:
    field = np.zeros((2, 4, 5), np.float32)
    field[:, 1, 1], field[:, 2, 3] = (0, 1), (0, -1)
    reader = open_shard(Drawn(labels={"paf": field}), labels=("paf",))
    panel = cut_panels(draw_sample(reader, 0), 2)[1]
    for row, column, direction in ((1, 1, 1), (2, 3, -1)):
        cell = panel[cell_block(row, column)].reshape(BLOCK, BLOCK, 3)
        ink = np.abs(cell - cell[0, 0])
        x, y = find_centroid(ink)
        assert x == pytest.approx((BLOCK - 1) / 2, abs=1)
        assert direction * (y - (BLOCK - 1) / 2) > 5, "most of an arrow's ink is in its head"


def test_the_strongest_limb_of_a_cell_is_shown(open_shard: Open) -> None:
    skeleton = replace(PAIR, limbs=((0, 1), (1, 0)))
    both = np.zeros((4, 4, 5), np.float32)
    both[:, 1, 1] = (0.2, 0, 0, 0.9)
    strong = both.copy()
    strong[:2] = 0
    reader = open_shard(Drawn(labels={"paf": both}), Drawn(labels={"paf": strong}), skeleton=skeleton, labels=("paf",))
    np.testing.assert_array_equal(draw_sample(reader, 0), draw_sample(reader, 1))


def test_labels_stored_channels_last_in_whole_numbers_look_the_same(open_shard: Open) -> None:
    labels = {"heatmap": np.zeros((3, 4, 5), np.float32), "paf": np.zeros((2, 4, 5), np.float32)}
    labels["heatmap"][1, 2, 3] = labels["paf"][1, 2, 3] = 1
    plain = open_shard(Drawn(labels=labels))
    other = open_shard(Drawn(labels=labels), layout="hwc", label_dtype="uint8")
    np.testing.assert_allclose(draw_sample(plain, 0).astype(int), draw_sample(other, 0), atol=1)


def test_any_other_label_shows_the_largest_magnitude_over_its_channels(open_shard: Open) -> None:
    values = np.zeros((1, *CONFIG.cells), np.float32)
    values[0, 1, 2] = 1
    reader = open_shard(Drawn(labels={"center": values}), labels=("center",))
    assert [label.spec.name for label in reader.labels] == [
        "center",
        "center_offset",
        "center_weight",
        "center_heatmap_weights",
    ]
    _, centers, offsets, weights, _ = cut_panels(draw_sample(reader, 0), 5)
    light = centers.sum(axis=2)
    row, column = np.unravel_index(light.argmax(), light.shape)
    assert cell_block(1, 2)[row, column]
    np.testing.assert_array_equal(offsets, weights)
    assert not offsets.any()


def test_negative_values_show_as_much_as_positive_ones(open_shard: Open) -> None:
    shown = []
    for sign in (1, -1):
        values = np.zeros((6, *CONFIG.cells), np.float32)
        values[4, 2, 1] = sign
        reader = open_shard(Drawn(labels={"offset": values}), labels=("offset",))
        shown.append(cut_panels(draw_sample(reader, 0), 2)[1])
    np.testing.assert_array_equal(*shown)
    assert shown[0].any()


def test_a_label_without_cells_has_no_panel(open_shard: Open) -> None:
    reader = open_shard(Drawn(), labels=("mask", "weight"))
    assert draw_sample(reader, 0).shape == draw_sample(open_shard(Drawn(), labels=("mask",)), 0).shape


def test_composite_fields_are_near_where_they_point_to_and_point_along_limbs() -> None:
    cif, caf = np.full((2, 5, 3, 4), np.nan, np.float32), np.full((1, 9, 3, 4), np.nan, np.float32)
    cif[:, 0] = caf[:, 0] = 0
    cif[1, :, 2, 1] = 1, 0, 0, 0.1, 2
    cif[1, :, 2, 2] = 1, -1, 0, 0.1, 2
    caf[0, :, 1, 1] = 1, -3, 0, 0, 4, 0.1, 0.1, 2, 2
    caf[0, 0, 0] = np.nan
    near, ways = find_nearness(cif), find_ways(caf)
    assert near[1, 2].tolist() == pytest.approx([0, 1, np.exp(-0.5), 0])
    assert near[0].max() == 0
    assert ways[:, 1, 1].tolist() == pytest.approx([0.6, 0.8])
    assert np.count_nonzero(ways) == 2
