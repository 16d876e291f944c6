"""Pictures of a shard, drawn from shards that are written by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from each import each
from numpy.typing import NDArray

from posegen.config import BuildConfig
from posegen.errors import ConfigError, ImageError
from posegen.images.codec import encode
from posegen.inspect.drawing.canvas import write_png
from posegen.inspect.drawing.sample import draw_sample, draw_sheet
from posegen.shards import BuiltSample, ShardReader, ShardWriter, StoredLabel
from posegen.shards.quantize import choose_storage
from posegen.skeleton import Skeleton

PAIR = Skeleton(name="pair", keypoints=("a", "b"), limbs=((0, 1),))
DOTS = Skeleton(name="dots", keypoints=("a", "b"))

CONFIG = BuildConfig(
    skeleton=PAIR, input_size=(32, 40), stride=8, label_dtype="float32", image_encoding="raw", compression="none"
)
"""Pictures of 40x32 pixels, enlarged 16 times to 640x512; labels of 5x4 cells, each of 128x128 pixels there."""

FACTOR = 16
BLOCK = FACTOR * 8

Open = Callable[..., ShardReader]


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """What a test puts into a sample; the rest is blank."""

    image: int | tuple[int, int, int] | bytes = 0
    people: Sequence[Sequence[tuple[float, float, int]]] = ()
    boxes: Sequence[tuple[float, float, float, float]] = ()
    labels: Mapping[str, NDArray[np.float32]] | None = None
    image_id: int = 7
    file_name: str = "seven.jpg"


@pytest.fixture
def open_shard(tmp_path: Path) -> Iterator[Open]:
    """Write a shard of some samples and open it."""
    with ExitStack() as stack:

        def write(*samples: Drawn, skeleton: Skeleton = PAIR, **changes: Any) -> ShardReader:
            config = replace(CONFIG, skeleton=skeleton, **changes)
            stored = [
                StoredLabel(
                    spec=label.spec, storage=choose_storage(config.label_dtype, label.spec), layout=config.layout
                )
                for label in config.create_labels(skeleton)
            ]
            writer = ShardWriter(len(samples), stored, config=config, skeleton=skeleton, task_digest="")
            for sample in samples:
                writer.append([_built(sample, config)], _arrange(sample, stored))
            path = tmp_path / f"shard-{len(list(tmp_path.iterdir()))}.h5"
            writer.finish(path)
            return stack.enter_context(ShardReader(path))

        yield write


def _arrange(sample: Drawn, stored: list[StoredLabel]) -> dict[str, NDArray[Any]]:
    blank = {label.spec.name: np.zeros(label.spec.shape, np.float32) for label in stored}
    if "mask" in blank:
        blank["mask"] += 1
    values = {**blank, **(sample.labels or {})}
    return {label.spec.name: label.arrange(values[label.spec.name][None]) for label in stored}


def _built(sample: Drawn, config: BuildConfig) -> BuiltSample:
    height, width = config.input_size
    picture = np.empty((height, width, 3), np.uint8)
    image = sample.image
    if not isinstance(image, bytes):
        picture[...] = image
        image = encode(picture, config.image_encoding, 95)
    people = len(sample.people)
    return BuiltSample(
        image_id=sample.image_id,
        file_name=sample.file_name,
        width=width,
        height=height,
        affine=np.eye(2, 3),
        image=image,
        keypoints=np.array(sample.people, np.float32).reshape(people, 2, 3),
        bboxes=np.array(sample.boxes or [(np.nan,) * 4] * people, np.float32).reshape(people, 4),
        annotation_ids=np.arange(people),
    )


def _panels(picture: NDArray[np.uint8], count: int, size: tuple[int, int] = (512, 640)) -> list[NDArray[np.int64]]:
    """Cut a picture of `count` panels of one size into these, without the captions over them."""
    height, width = size
    gap = (picture.shape[1] - count * width) // max(1, count - 1)
    assert picture.shape[1] == count * width + (count - 1) * gap
    starts = [i * (width + gap) for i in range(count)]
    return [picture[-height:, start : start + width].astype(np.int64) for start in starts]


def _centroid(weights: NDArray[np.int64]) -> tuple[float, float]:
    """Find the (x, y) middle of a (rows, columns, 3) picture's light."""
    total = weights.sum(axis=2)
    rows, columns = np.mgrid[: total.shape[0], : total.shape[1]]
    return (total * columns).sum() / total.sum(), (total * rows).sum() / total.sum()


def _block(row: int, column: int) -> NDArray[np.bool_]:
    """Return the pixels of a panel that stand for a cell, which covers input pixels 8 column to 8 column + 7."""
    inside = np.zeros((512, 640), np.bool_)
    inside[row * BLOCK : (row + 1) * BLOCK, column * BLOCK : (column + 1) * BLOCK] = True
    return inside


@each("x, y", [(20.0, 16.0), (12.25, 20.5), (27.9, 9.4)])
def test_a_keypoint_is_drawn_where_its_pixel_is_in_the_enlarged_picture(open_shard: Open, x: float, y: float) -> None:
    reader = open_shard(Drawn(people=[[(x, y, 2), (0, 0, 0)]]), skeleton=DOTS, labels=("mask",))
    found = _centroid(_panels(draw_sample(reader, 0), 2)[0])
    # The edge of the picture, at -0.5, stays at -0.5.
    assert found == pytest.approx(((x + 0.5) * FACTOR - 0.5, (y + 0.5) * FACTOR - 0.5), abs=0.1)


@each("x, y", [(19.5, 11.5), (17.0, 14.25), (24.2, 16.9)])
def test_a_heatmap_glows_around_its_keypoint(open_shard: Open, x: float, y: float) -> None:
    heat = np.zeros((3, 16, 20), np.float32)
    rows, columns = np.mgrid[:16, :20] * 2 + 0.5  # the middles of cells of 2x2 pixels
    heat[1] = np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / (2 * 3.0**2))
    reader = open_shard(Drawn(labels={"heatmap": heat}), Drawn(), labels=("heatmap",), stride=2)
    lit, dark = (_panels(draw_sample(reader, i), 2)[1] for i in range(2))
    assert _centroid(lit - dark) == pytest.approx(((x + 0.5) * FACTOR - 0.5, (y + 0.5) * FACTOR - 0.5), abs=1)


def test_the_background_channel_does_not_glow(open_shard: Open) -> None:
    background = np.zeros((3, 4, 5), np.float32)
    background[2] = 1
    reader = open_shard(Drawn(image=90, labels={"heatmap": background}), Drawn(image=90), labels=("heatmap",))
    np.testing.assert_array_equal(draw_sample(reader, 0), draw_sample(reader, 1))


@each("visibility, dots", [("labelled", 2), ("visible", 1)])
def test_the_heatmap_panel_has_a_dot_at_every_drawn_keypoint(open_shard: Open, visibility: str, dots: int) -> None:
    people = [[(10, 10, 2), (30, 20, 1)], [(20, 5, 0), (20, 25, 0)]]
    reader = open_shard(Drawn(people=people), labels=("heatmap",), visibility=visibility)
    panel = _panels(draw_sample(reader, 0), 2)[1]
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
    plain, masked = _panels(draw_sample(reader, 0), 2)
    np.testing.assert_array_equal((plain != masked).any(axis=2), _block(1, 2) | _block(3, 4))
    assert (masked[..., 2] > plain[..., 2])[_block(1, 2)].all(), "the tint is red"


def test_a_cell_that_counts_in_part_is_tinted_less(open_shard: Open) -> None:
    mask = np.ones((1, 4, 5), np.float32)
    mask[0, 0, 0], mask[0, 0, 1] = 0.7, 0
    reader = open_shard(Drawn(labels={"mask": mask}), labels=("mask",))
    tint = _panels(draw_sample(reader, 0), 2)[1].sum(axis=2)
    assert 0.25 < tint[_block(0, 0)].mean() / tint[_block(0, 1)].mean() < 0.35


def test_cells_of_a_grid_that_does_not_divide_the_pixels_tint_their_own_pixels(open_shard: Open) -> None:
    mask = np.ones((1, 8, 16), np.float32)
    mask[0, 2, 3] = 0
    reader = open_shard(Drawn(labels={"mask": mask}), labels=("mask",), input_size=(20, 40), stride=2.5)
    plain, masked = _panels(draw_sample(reader, 0), 2, (320, 640))
    expected = np.zeros((320, 640), np.bool_)
    expected[2 * 40 : 3 * 40, 3 * 40 : 4 * 40] = True  # 2.5 pixels, enlarged 16 times
    np.testing.assert_array_equal((plain != masked).any(axis=2), expected)


def test_a_part_affinity_field_colours_its_cell_by_its_direction(open_shard: Open) -> None:
    field = np.zeros((2, 4, 5), np.float32)
    field[:, 1, 1], field[:, 2, 3] = (1, 0), (-0.6, 0.8)
    reader = open_shard(Drawn(labels={"paf": field}), labels=("paf",))
    panel = _panels(draw_sample(reader, 0), 2)[1]
    np.testing.assert_array_equal(panel.any(axis=2), _block(1, 1) | _block(2, 3))
    right, other = (np.median(panel[block], axis=0) for block in (_block(1, 1), _block(2, 3)))
    assert right.argmax() == 2, "what points to the right is red"
    assert other.argmax() == 1, "127 degrees on, it is green"


def test_the_arrow_of_a_part_affinity_field_points_where_the_field_does(open_shard: Open) -> None:
    field = np.zeros((2, 4, 5), np.float32)
    field[:, 1, 1], field[:, 2, 3] = (0, 1), (0, -1)
    reader = open_shard(Drawn(labels={"paf": field}), labels=("paf",))
    panel = _panels(draw_sample(reader, 0), 2)[1]
    for row, column, direction in ((1, 1, 1), (2, 3, -1)):
        cell = panel[_block(row, column)].reshape(BLOCK, BLOCK, 3)
        ink = np.abs(cell - cell[0, 0])
        x, y = _centroid(ink)
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


def test_visible_keypoints_are_filled_and_occluded_ones_hollow(open_shard: Open) -> None:
    people = [[(10, 10, 2), (30, 20, 1)]]
    panel = _panels(draw_sample(open_shard(Drawn(image=128, people=people), labels=("mask",), skeleton=DOTS), 0), 2)[0]
    visible, occluded = panel[10 * FACTOR + 8, 10 * FACTOR + 8], panel[20 * FACTOR + 8, 30 * FACTOR + 8]
    assert visible.min() == 255
    assert occluded.max() < 64


@each("v, joined", [(2, True), (1, True), (0, False)])
def test_a_limb_is_drawn_where_both_its_keypoints_are_labelled(open_shard: Open, v: int, joined: bool) -> None:
    people = [[(10, 16, 2), (30, 16, v)]]
    panel = _panels(draw_sample(open_shard(Drawn(people=people), labels=("mask",)), 0), 2)[0]
    assert bool(panel[round(16.5 * FACTOR), 20 * FACTOR].any()) is joined


def test_limbs_have_different_colours(open_shard: Open) -> None:
    skeleton = Skeleton(name="two", keypoints=("a", "b"), limbs=((0, 1), (1, 0)))
    first = replace(skeleton, limbs=((0, 1),))
    people = [[(10, 16, 2), (30, 16, 2)]]
    colours = [
        _panels(draw_sample(open_shard(Drawn(people=people), labels=("mask",), skeleton=s), 0), 2)[0][264, 320]
        for s in (skeleton, first)
    ]
    assert np.abs(colours[0] - colours[1]).max() > 100


def test_a_box_is_drawn_at_the_edges_of_its_pixels(open_shard: Open) -> None:
    sample = Drawn(people=[[(20, 16, 2), (0, 0, 0)]], boxes=[(5, 4, 30, 24)])
    panel = _panels(draw_sample(open_shard(sample, labels=("mask",)), 0), 2)[0].sum(axis=2)
    row = panel[8 * FACTOR]
    left, right = row[:320], row[320:]
    # Pixel 5 begins at 4.5, pixel 34 ends at 34.5, counted between pixel centres.
    assert (left * np.arange(320)).sum() / left.sum() == pytest.approx(5 * FACTOR - 0.5, abs=0.1)
    assert (right * np.arange(320, 640)).sum() / right.sum() == pytest.approx(35 * FACTOR - 0.5, abs=0.1)


def test_a_person_without_a_box_or_far_outside_the_frame_is_no_error(open_shard: Open) -> None:
    people: list[Any] = [[(20, 16, 2), (3e38, -3e38, 2)], [(-1e6, 16, 2), (1e6, 16, 1)]]
    panel = _panels(draw_sample(open_shard(Drawn(people=people), labels=("mask",)), 0), 2)[0]
    assert panel[round(16.5 * FACTOR), ::64].any(axis=1).all(), (
        "a limb from beyond left to beyond right crosses the frame"
    )


def test_nobody_on_a_picture_leaves_it_as_it_is(open_shard: Open) -> None:
    panel = _panels(draw_sample(open_shard(Drawn(image=(10, 20, 30)), labels=("mask",)), 0), 2)[0]
    assert (panel == (10, 20, 30)).all()


@each(encoding=["raw", "png"])
def test_colours_are_blue_green_red_however_pictures_are_stored(open_shard: Open, encoding: str) -> None:
    panel = _panels(draw_sample(open_shard(Drawn(image=(255, 0, 9)), labels=("mask",), image_encoding=encoding), 0), 2)[
        0
    ]
    assert (panel == (255, 0, 9)).all()


def test_labels_stored_channels_last_in_whole_numbers_look_the_same(open_shard: Open) -> None:
    labels = {"heatmap": np.zeros((3, 4, 5), np.float32), "paf": np.zeros((2, 4, 5), np.float32)}
    labels["heatmap"][1, 2, 3] = labels["paf"][1, 2, 3] = 1
    plain = open_shard(Drawn(labels=labels))
    other = open_shard(Drawn(labels=labels), layout="hwc", label_dtype="uint8")
    np.testing.assert_allclose(draw_sample(plain, 0).astype(int), draw_sample(other, 0), atol=1)


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


@each("indices, columns", [([], 4), ([0], 0)])
def test_a_sheet_of_nothing_is_refused(open_shard: Open, indices: list[int], columns: int) -> None:
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


def test_any_other_label_shows_the_largest_magnitude_over_its_channels(open_shard: Open) -> None:
    values = np.zeros((1, *CONFIG.cells), np.float32)
    values[0, 1, 2] = 1
    reader = open_shard(Drawn(labels={"center": values}), labels=("center",))
    assert [label.spec.name for label in reader.labels] == ["center", "center_offset", "center_weight"]
    _, centers, offsets, weights = _panels(draw_sample(reader, 0), 4)
    light = centers.sum(axis=2)
    row, column = np.unravel_index(light.argmax(), light.shape)
    assert _block(1, 2)[row, column]
    np.testing.assert_array_equal(offsets, weights)
    assert not offsets.any()


def test_negative_values_show_as_much_as_positive_ones(open_shard: Open) -> None:
    shown = []
    for sign in (1, -1):
        values = np.zeros((6, *CONFIG.cells), np.float32)
        values[4, 2, 1] = sign
        reader = open_shard(Drawn(labels={"offset": values}), labels=("offset",))
        shown.append(_panels(draw_sample(reader, 0), 2)[1])
    np.testing.assert_array_equal(*shown)
    assert shown[0].any()


def test_a_label_without_cells_has_no_panel(open_shard: Open) -> None:
    reader = open_shard(Drawn(), labels=("mask", "weight"))
    assert draw_sample(reader, 0).shape == draw_sample(open_shard(Drawn(), labels=("mask",)), 0).shape
