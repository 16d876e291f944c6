"""Many samples on one sheet."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from each import each
from shards_by_hand import Drawn, Open, written_in

from posegen.errors import ConfigError
from posegen.inspect.drawing.sample import arrange_sheet, draw_sheet, draw_tile
from posegen.inspect.summary import save_sheet
from posegen.shards import ShardReader


@pytest.fixture
def open_shard(tmp_path: Path) -> Iterator[Open]:
    with written_in(tmp_path) as write:
        yield write


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


def test_the_sheet_of_a_dataset_goes_on_over_shards_and_counts_over_all(dataset: Path, tmp_path: Path) -> None:
    tiles = []
    for shard, numbers in zip(sorted(dataset.glob("*.h5")), ([0, 1, 2], [3, 4, 5], [6, 7]), strict=True):
        with ShardReader(shard) as reader:
            tiles += [draw_tile(reader, position, number=number) for position, number in enumerate(numbers)]
    for count in (2, 7, 100):
        save_sheet(dataset, count, tmp_path / "sheet.png")
        np.testing.assert_array_equal(cv2.imread(str(tmp_path / "sheet.png")), arrange_sheet(tiles[:count]))


@each("indices, columns", [([], 4), ([0], 0)])
def test_a_sheet_of_nothing_is_refused(open_shard: Open, indices: list[int], columns: int) -> None:
    with pytest.raises(ConfigError, match="at least one sample and one column"):
        draw_sheet(open_shard(Drawn()), indices, columns)


def test_the_tiles_of_a_sheet_tell_index_image_and_file_apart(open_shard: Open) -> None:
    one = Drawn()
    reader = open_shard(one, one, replace(one, image_id=8), replace(one, file_name="eight.jpg"))
    first, second = draw_sheet(reader, [0]), draw_sheet(reader, [1])
    assert (first != second).any(), "samples that are alike but for their index"
    caption, name = slice(0, 20), slice(20, 40)
    for index, changed, same in ((2, caption, name), (3, name, caption)):
        tile = draw_sheet(reader, [index])
        assert (tile[changed] != first[changed]).any()
        if same == name:
            np.testing.assert_array_equal(tile[same], first[same])
