"""People on the picture of a sample, its captions, and the file it is written to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from each import each
from shards_by_hand import DOTS, FACTOR, Drawn, Open, cut_panels, find_centroid, written_in

from posegen.errors import ConfigError, ImageError
from posegen.inspect.drawing.canvas import write_png
from posegen.inspect.drawing.sample import draw_sample, draw_sheet
from posegen.shards import ShardReader
from posegen.skeleton import Skeleton


@pytest.fixture
def open_shard(tmp_path: Path) -> Iterator[Open]:
    with written_in(tmp_path) as write:
        yield write


@each("x, y", [(20.0, 16.0), (12.25, 20.5), (27.9, 9.4)])
def test_a_keypoint_is_drawn_where_its_pixel_is_in_the_enlarged_picture(open_shard: Open, x: float, y: float) -> None:
    reader = open_shard(Drawn(people=[[(x, y, 2), (0, 0, 0)]]), skeleton=DOTS, labels=("mask",))
    found = find_centroid(cut_panels(draw_sample(reader, 0), 2)[0])
    # The edge of the picture, at -0.5, stays at -0.5.
    assert found == pytest.approx(((x + 0.5) * FACTOR - 0.5, (y + 0.5) * FACTOR - 0.5), abs=0.1)


def test_visible_keypoints_are_filled_and_occluded_ones_hollow(open_shard: Open) -> None:
    people = [[(10, 10, 2), (30, 20, 1)]]
    panel = cut_panels(draw_sample(open_shard(Drawn(image=128, people=people), labels=("mask",), skeleton=DOTS), 0), 2)[
        0
    ]
    visible, occluded = panel[10 * FACTOR + 8, 10 * FACTOR + 8], panel[20 * FACTOR + 8, 30 * FACTOR + 8]
    assert visible.min() == 255
    assert occluded.max() < 64


@each("v, joined", [(2, True), (1, True), (0, False)])
def test_a_limb_is_drawn_where_both_its_keypoints_are_labelled(open_shard: Open, v: int, joined: bool) -> None:
    people = [[(10, 16, 2), (30, 16, v)]]
    panel = cut_panels(draw_sample(open_shard(Drawn(people=people), labels=("mask",)), 0), 2)[0]
    assert bool(panel[round(16.5 * FACTOR), 20 * FACTOR].any()) is joined


def test_limbs_have_different_colours(open_shard: Open) -> None:
    skeleton = Skeleton(name="two", keypoints=("a", "b"), limbs=((0, 1), (1, 0)))
    first = replace(skeleton, limbs=((0, 1),))
    people = [[(10, 16, 2), (30, 16, 2)]]
    colours = [
        cut_panels(draw_sample(open_shard(Drawn(people=people), labels=("mask",), skeleton=s), 0), 2)[0][264, 320]
        for s in (skeleton, first)
    ]
    assert np.abs(colours[0] - colours[1]).max() > 100


def test_a_box_is_drawn_at_the_edges_of_its_pixels(open_shard: Open) -> None:
    sample = Drawn(people=[[(20, 16, 2), (0, 0, 0)]], boxes=[(5, 4, 30, 24)])
    panel = cut_panels(draw_sample(open_shard(sample, labels=("mask",)), 0), 2)[0].sum(axis=2)
    row = panel[8 * FACTOR]
    left, right = row[:320], row[320:]
    # Pixel 5 begins at 4.5, pixel 34 ends at 34.5, counted between pixel centres.
    assert (left * np.arange(320)).sum() / left.sum() == pytest.approx(5 * FACTOR - 0.5, abs=0.1)
    assert (right * np.arange(320, 640)).sum() / right.sum() == pytest.approx(35 * FACTOR - 0.5, abs=0.1)


def test_a_person_without_a_box_or_far_outside_the_frame_is_no_error(open_shard: Open) -> None:
    people: list[Any] = [[(20, 16, 2), (3e38, -3e38, 2)], [(-1e6, 16, 2), (1e6, 16, 1)]]
    panel = cut_panels(draw_sample(open_shard(Drawn(people=people), labels=("mask",)), 0), 2)[0]
    assert panel[round(16.5 * FACTOR), ::64].any(axis=1).all(), (
        "a limb from beyond left to beyond right crosses the frame"
    )


def test_nobody_on_a_picture_leaves_it_as_it_is(open_shard: Open) -> None:
    panel = cut_panels(draw_sample(open_shard(Drawn(image=(10, 20, 30)), labels=("mask",)), 0), 2)[0]
    assert (panel == (10, 20, 30)).all()


@each(encoding=["raw", "png"])
def test_colours_are_blue_green_red_however_pictures_are_stored(open_shard: Open, encoding: str) -> None:
    reader = open_shard(Drawn(image=(255, 0, 9)), labels=("mask",), image_encoding=encoding)
    panel = cut_panels(draw_sample(reader, 0), 2)[0]
    assert (panel == (255, 0, 9)).all()


@each(size=[(8, 8), (640, 8), (8, 640), (640, 160)])
def test_pictures_of_any_size_have_captions_that_fit(open_shard: Open, size: tuple[int, int]) -> None:
    name = "a very long name " * 20
    reader = open_shard(Drawn(image=200, file_name=name), input_size=size, labels=("paf",))
    factor = max(1, 640 // max(size))
    picture = draw_sample(reader, 0)
    bar = picture[: -factor * size[0]]
    assert 20 <= len(bar) < 40
    ends = bar[:, factor * size[1] - 4 : factor * size[1]]
    assert (ends == bar[0, 0]).all(), "the text ends before the panel does"


def test_what_cannot_be_printed_does_not_break_the_caption(open_shard: Open) -> None:
    reader = open_shard(Drawn(file_name="new\nline"), Drawn(file_name="new?line"), labels=("mask",))
    np.testing.assert_array_equal(draw_sample(reader, 0), draw_sample(reader, 1))


def test_the_caption_tells_pictures_apart(open_shard: Open) -> None:
    reader = open_shard(
        Drawn(image_id=7), Drawn(image_id=8), Drawn(image_id=7, file_name="eight.jpg"), labels=("mask",)
    )
    pictures = [draw_sample(reader, i) for i in range(3)]
    for other in pictures[1:]:
        changed = np.argwhere((pictures[0] != other).any(axis=2))
        assert len(changed)
        assert changed.max(axis=0)[0] < len(other) - 512, "only captions differ"
        assert changed.max(axis=0)[1] < 640, "only the first panel's"


@each(index=[-1, 2], draw=[draw_sample, lambda reader, index: draw_sheet(reader, [0, index])])
def test_an_index_out_of_range_is_refused_and_the_range_named(
    open_shard: Open, draw: Callable[[ShardReader, int], object], index: int
) -> None:
    with pytest.raises(ConfigError, match=f"has samples 0 to 1, no sample {index}"):
        draw(open_shard(Drawn(), Drawn()), index)


def test_a_damaged_picture_is_named(open_shard: Open) -> None:
    reader = open_shard(Drawn(image=1), Drawn(image=b"no image"), image_encoding="png")
    with pytest.raises(ImageError, match=r"shard-0\.h5: the picture of sample 1: is not an image"):
        draw_sample(reader, 1)


def test_a_written_picture_is_read_back_pixel_by_pixel(tmp_path: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (30, 20, 3), np.uint8)
    write_png(tmp_path / "a.png", picture)
    read = cv2.imread(str(tmp_path / "a.png"))
    assert read is not None
    np.testing.assert_array_equal(read, picture)
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_writing_into_a_missing_directory_says_so(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "a.png"
    with pytest.raises(ConfigError) as caught:
        write_png(path, np.zeros((2, 2, 3), np.uint8))
    assert str(caught.value) == f"{path}: cannot be written: there is no directory {path.parent}; create it first"


def test_writing_over_a_directory_says_so_and_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.mkdir()
    with pytest.raises(ConfigError, match=r"a\.png: cannot be written: Is a directory"):
        write_png(path, np.zeros((2, 2, 3), np.uint8))
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
