"""Captions, sheets of many samples, what cannot be drawn, and the files that pictures are written to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from drawn import Drawn, Open, writing_shards

from posegen.errors import ConfigError, ImageError
from posegen.inspect.drawing.canvas import write_png
from posegen.inspect.drawing.sample import draw_sample, draw_sheet


@pytest.fixture
def open_shard(tmp_path: Path) -> Iterator[Open]:
    with writing_shards(tmp_path) as write:
        yield write


def test_pictures_of_any_size_have_captions_that_fit(open_shard: Open) -> None:
    for size in [(8, 8), (640, 8), (8, 640), (640, 160)]:
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


def test_an_index_out_of_range_is_refused_and_the_range_named(open_shard: Open) -> None:
    for index in [-1, 2]:
        for draw in [draw_sample, lambda reader, index: draw_sheet(reader, [0, index])]:
            with pytest.raises(ConfigError, match=f"has samples 0 to 1, no sample {index}"):
                draw(open_shard(Drawn(), Drawn()), index)


def test_a_damaged_picture_is_named(open_shard: Open) -> None:
    reader = open_shard(Drawn(image=1), Drawn(image=b"no image"), image_encoding="png")
    with pytest.raises(ImageError, match=r"shard-0\.h5: the picture of sample 1: is not an image"):
        draw_sample(reader, 1)


def test_a_sheet_shows_samples_in_the_order_asked_for(open_shard: Open) -> None:
    greys = [10, 60, 110, 160, 210]
    reader = open_shard(*(Drawn(image=grey) for grey in greys), labels=("heatmap",))
    sheet = draw_sheet(reader, [4, 0, 3, 1, 2], columns=3)
    # A tile is the picture enlarged 8 times, under its caption.
    height, width = sheet.shape[0] / 2, sheet.shape[1] / 3
    assert 256 < height < 300
    assert 320 <= width < 330
    seen = [sheet[round((i // 3 + 0.6) * height), round((i % 3 + 0.5) * width)].tolist() for i in range(5)]
    assert seen == [[greys[i]] * 3 for i in (4, 0, 3, 1, 2)]


def test_a_sheet_of_few_samples_has_no_empty_columns(open_shard: Open) -> None:
    assert draw_sheet(open_shard(Drawn()), [0], columns=4).shape[1] == 320


def test_the_tile_of_a_sheet_shows_skeleton_and_heatmap(open_shard: Open) -> None:
    heat = np.zeros((3, 4, 5), np.float32)
    heat[0, 0, 4] = 1
    people = [[(5, 20, 2), (15, 20, 2)]]
    reader = open_shard(Drawn(people=people, labels={"heatmap": heat}))
    tile = draw_sheet(reader, [0])[-256:].astype(int)
    assert tile[round(20.5 * 8), round(10.5 * 8)].any()
    assert tile[4 * 8, 36 * 8].any()
    assert not tile[28 * 8, 36 * 8].any()


def test_a_sheet_of_nothing_is_refused(open_shard: Open) -> None:
    for indices, columns in [([], 4), ([0], 0)]:
        with pytest.raises(ConfigError, match="at least one sample and one column"):
            draw_sheet(open_shard(Drawn()), indices, columns)


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
