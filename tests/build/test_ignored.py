from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from posegen.annotations import Sample, Shape
from posegen.annotations.coco import rle
from posegen.annotations.coco.segmentation import is_segmentation
from posegen.build.ignored import decode, find_ignored

Mask = NDArray[np.uint8]


def random_mask(seed: int) -> Mask:
    random = np.random.default_rng(seed)
    height, width = random.integers(1, 70, 2)
    kind = seed % 4
    if kind == 0:
        return random.integers(0, 2, (height, width), np.uint8)
    if kind == 1:
        return np.full((height, width), seed // 4 % 2, np.uint8)
    rows, columns = np.ogrid[:height, :width]
    return (
        (columns - random.uniform(0, width)) ** 2 + (rows - random.uniform(0, height)) ** 2 < random.uniform(1, 900)
    ).astype(np.uint8)


def compress(pixels: Mask) -> str:
    return coco_mask.encode(np.asfortranarray(pixels))["counts"].decode()


def encode_run(value: int, padding: int = 0) -> str:
    """Write a number as cocoapi's compressed RLE does, with `padding` characters more than it needs."""
    text = ""
    while True:
        bits, value = value & 0x1F, value >> 5
        last = (value == -1) if bits & 0x10 else (value == 0)
        if last and padding:
            last, padding = False, padding - 1
        text += chr(bits + 48 + (0 if last else 0x20))
        if last:
            return text


def encode_runs(runs: list[int], padding: list[int]) -> str:
    differences = [run - (runs[i - 2] if i > 2 else 0) for i, run in enumerate(runs)]
    return "".join(map(encode_run, differences, padding))


def total(counts: str) -> int:
    """Add up what a compressed mask decodes to; -1 if it is refused."""
    try:
        return int(rle.run_lengths(counts.encode("ascii")).sum())
    except ValueError:
        return -1


class TestCompressedRunLengths:
    @pytest.mark.parametrize("seed", range(60))
    def test_what_pycocotools_encodes_is_accepted_for_the_size_of_the_picture_alone(self, seed: int) -> None:
        pixels = random_mask(seed)
        (height, width), counts = pixels.shape, compress(pixels)
        assert is_segmentation({"size": [height, width], "counts": counts}, (height, width))
        assert not is_segmentation({"size": [height, width + 1], "counts": counts}, (height, width + 1))
        assert not is_segmentation({"size": [height + 1, width], "counts": counts}, (height + 1, width))

    def test_large_pictures_are_accepted(self) -> None:
        pixels = np.zeros((3000, 9000), np.uint8)
        pixels[:, 4000:] = 1
        assert is_segmentation({"size": [3000, 9000], "counts": compress(pixels)}, (3000, 9000))

    @pytest.mark.parametrize(
        "size", [[3, 4], [4, 3, 1], [12], [], "34", None, [True, 12]], ids=lambda size: str(size).replace(" ", "")
    )
    def test_another_size_is_refused(self, size: Any) -> None:
        counts = compress(np.ones((4, 3), np.uint8))
        assert is_segmentation({"size": [4, 3], "counts": counts}, (4, 3))
        assert not is_segmentation({"size": size, "counts": counts}, (4, 3))

    @pytest.mark.parametrize("counts", ["", "P", "1P", "/", "p", "é", "1\0", "oooooooo", " ", "\U0001f600", "\ud800"])
    def test_what_is_no_code_is_refused(self, counts: str) -> None:
        for size in ((1, 1), (1, 32), (4, 3)):
            assert not is_segmentation({"size": list(size), "counts": counts}, size)

    @given(seed=st.integers(0, 200), data=st.data())
    def test_a_corrupted_string_is_refused_or_decodes_to_the_picture_size(self, seed: int, data: st.DataObject) -> None:
        pixels = random_mask(seed)
        counts = list(compress(pixels))
        for _ in range(data.draw(st.integers(1, 3))):
            place = data.draw(st.integers(0, len(counts) - 1))
            counts[place] = chr(data.draw(st.integers(40, 120)))
        self.check("".join(counts), pixels.shape)

    @given(
        runs=st.lists(st.integers(0, 400), min_size=1, max_size=9),
        padding=st.lists(st.integers(0, 9), min_size=9, max_size=9),
    )
    def test_codes_longer_than_needed_are_refused_or_decode_to_their_runs(
        self, runs: list[int], padding: list[int]
    ) -> None:
        counts = encode_runs(runs, padding)
        pixels = self.check(counts, (1, sum(runs)))
        if pixels is not None:
            np.testing.assert_array_equal(pixels[0], np.repeat(np.arange(len(runs)) % 2, runs))

    @pytest.mark.parametrize("runs", [[3, 5, 4, 2, 6], [0, 400, 1, 3, 0, 90], [20]])
    @pytest.mark.parametrize("padding", range(10))
    def test_one_code_longer_than_needed_is_refused_or_decodes_to_its_run(self, runs: list[int], padding: int) -> None:
        for place in range(len(runs)):
            counts = encode_runs(runs, [padding if i == place else 0 for i in range(len(runs))])
            pixels = self.check(counts, (1, sum(runs)))
            if pixels is not None:
                np.testing.assert_array_equal(pixels[0], np.repeat(np.arange(len(runs)) % 2, runs))
            assert pixels is not None or padding > 3

    @pytest.mark.parametrize("runs", [[5, -2, 9], [-3, 15], [5, 7, -1, 1], [1, 2, 3, -4, 10]])
    def test_negative_runs_are_refused_though_they_add_up(self, runs: list[int]) -> None:
        assert sum(runs) == 12
        assert not is_segmentation({"size": [3, 4], "counts": encode_runs(runs, [0] * 9)}, (3, 4))

    @given(runs=st.lists(st.integers(0, 1 << 24), min_size=1, max_size=9))
    def test_codes_as_long_as_needed_are_accepted(self, runs: list[int]) -> None:
        assert total(encode_runs(runs, [0] * 9)) == sum(runs)

    @staticmethod
    def check(counts: str, size: tuple[int, int]) -> Mask | None:
        """Decode by pycocotools what we accept; it writes where it likes if the runs are not those of the size."""
        segmentation = {"size": list(size), "counts": counts}
        if not size[1] or not is_segmentation(segmentation, size):
            return None
        pixels = coco_mask.decode(segmentation)
        assert pixels.shape == size
        assert pixels.max() <= 1
        return pixels


class TestOtherSegmentations:
    @pytest.mark.parametrize(
        "counts",
        [[12], [0, 12], [3, 0, 9], [0] * 5 + [12]],
    )
    def test_uncompressed_run_lengths_that_add_up_are_accepted(self, counts: list[int]) -> None:
        assert is_segmentation({"size": [3, 4], "counts": counts}, (3, 4))

    @pytest.mark.parametrize(
        "counts", [[11], [], [13, -1], [12.0], [True] * 12, ["12"], [[12]], None, 12, {"a": 12}, b"12"]
    )
    def test_uncompressed_run_lengths_that_are_none_are_refused(self, counts: Any) -> None:
        assert not is_segmentation({"size": [3, 4], "counts": counts}, (3, 4))

    @pytest.mark.parametrize("polygon", [[0, 0, 5, 0, 5, 5], [0.5, -3, 5, 0, 5, 5, 1, 7.25]])
    def test_polygons_of_three_or_more_points_are_accepted(self, polygon: list[float]) -> None:
        assert is_segmentation([polygon, polygon], (6, 8))

    @pytest.mark.parametrize(
        "polygon",
        [[], [0, 0, 5, 0], [0, 0, 5, 0, 5], [0, 0, 5, 0, 5, None], [[0, 0], [5, 0], [5, 5]], "abcdef", 5,
         [0, 0, 5, 0, 5, math.inf], [0, 0, 5, 0, 5, 2e8], [0, 0, 5, 0, 5, -9]],
    )  # fmt: skip
    def test_what_is_no_polygon_is_refused(self, polygon: Any) -> None:
        assert not is_segmentation([[0, 0, 5, 0, 5, 5], polygon], (6, 8))


def make_sample(size: tuple[int, int], ignored: list[Shape], drawn: list[Shape]) -> Sample:
    return Sample(
        image_id=1,
        file_name="a.jpg",
        width=size[1],
        height=size[0],
        keypoints=np.zeros((0, 17, 3)),
        bboxes=np.zeros((0, 4)),
        annotation_ids=np.zeros(0, np.int64),
        ignored=tuple(ignored),
        drawn=tuple(drawn),
    )


def paint(sample: Sample) -> NDArray[np.float64]:
    """Lay what `find_ignored` found into the whole picture."""
    pixels = np.zeros((sample.height, sample.width))
    region = find_ignored(sample)
    if region is not None:
        for column, top, bottom, sign in zip(region.column, region.top, region.bottom, region.sign, strict=True):
            pixels[top:bottom, column] += sign
    assert np.isin(pixels, (0, 1)).all()
    return pixels.astype(np.uint8)


def run_lengths(pixels: Mask) -> dict[str, Any]:
    """Write uncompressed RLE: how many 0, how many 1, how many 0 ... column by column."""
    counts = [0]
    value = 0
    for pixel in pixels.T.ravel().tolist():
        if pixel != value:
            counts.append(0)
            value = pixel
        counts[-1] += 1
    return {"size": list(pixels.shape), "counts": counts}


def random_shape(random: np.random.Generator, size: tuple[int, int]) -> tuple[Shape, Mask]:
    """Make a shape of any kind, and its pixels by pycocotools or plain slices."""
    height, width = size
    kind = random.integers(4)
    if kind == 0:
        polygons = [
            (random.uniform(-0.2, 1.2, (int(random.integers(3, 8)), 2)) * (width, height)).ravel().tolist()
            for _ in range(random.integers(1, 4))
        ]
        each = coco_mask.decode(coco_mask.frPyObjects(polygons, height, width))
        return Shape(segmentation=polygons, bbox=None), each.max(axis=2)
    if kind == 3:
        x, y = random.integers(-10, (width, height)).tolist()
        w, h = random.integers(0, 60, 2).tolist()
        pixels = np.zeros(size, np.uint8)
        pixels[max(y, 0) : max(y + h, 0), max(x, 0) : max(x + w, 0)] = 1
        return Shape(segmentation=None, bbox=(x, y, w, h)), pixels
    rows, columns = np.ogrid[:height, :width]
    centre = random.uniform(0, (width, height))
    pixels = ((columns - centre[0]) ** 2 + (rows - centre[1]) ** 2 < random.uniform(10, 400)).astype(np.uint8)
    if kind == 1:
        return Shape(segmentation=run_lengths(pixels), bbox=None), pixels
    return Shape(segmentation={"size": list(size), "counts": compress(pixels)}, bbox=None), pixels


class TestIgnored:
    @pytest.mark.parametrize("seed", range(60))
    def test_it_is_the_union_of_the_ignored_without_the_drawn(self, seed: int) -> None:
        random = np.random.default_rng(seed)
        size = tuple(random.integers(20, 60, 2).tolist())
        ignored = [random_shape(random, size) for _ in range(random.integers(1, 4))]
        drawn = [random_shape(random, size) for _ in range(random.integers(0, 3))]
        expected = np.max([pixels for _, pixels in ignored], axis=0)
        for _, pixels in drawn:
            expected[pixels > 0] = 0
        sample = make_sample(size, [s for s, _ in ignored], [s for s, _ in drawn])
        np.testing.assert_array_equal(paint(sample), expected)

    @pytest.mark.parametrize("seed", range(20))
    def test_one_shape_decodes_as_pycocotools_decodes_it(self, seed: int) -> None:
        random = np.random.default_rng(1000 + seed)
        shape, expected = random_shape(random, (40, 50))
        np.testing.assert_array_equal(decode(shape, (40, 50)), expected)

    @pytest.mark.parametrize("side", ["left", "right", "above", "below"])
    def test_a_drawn_person_at_the_very_edge_is_taken_away(self, side: str) -> None:
        size = 30, 30
        ignored = Shape(segmentation=None, bbox=(10, 10, 10, 10))
        x, y = {"left": (1, 10), "right": (19, 10), "above": (10, 1), "below": (10, 19)}[side]
        polygon = [x, y, x + 10, y, x + 10, y + 10, x, y + 10]
        expected = np.zeros(size, np.uint8)
        expected[10:20, 10:20] = 1
        expected[coco_mask.decode(coco_mask.frPyObjects([polygon], *size))[..., 0] > 0] = 0
        assert 80 <= expected.sum() < 100
        sample = make_sample(size, [ignored], [Shape(segmentation=[polygon], bbox=None)])
        np.testing.assert_array_equal(paint(sample), expected)

    def test_nobody_ignored_is_nowhere(self) -> None:
        assert find_ignored(make_sample((9, 9), [], [])) is None

    def test_a_shape_that_is_nothing_is_nowhere(self) -> None:
        nothing = Shape(segmentation=None, bbox=None)
        assert find_ignored(make_sample((9, 9), [nothing], [])) is None
        assert decode(nothing, (9, 9)) is None

    def test_a_shape_without_pixels_is_nowhere(self) -> None:
        empty = Shape(segmentation={"size": [9, 9], "counts": [81]}, bbox=(1, 1, 5, 5))
        assert find_ignored(make_sample((9, 9), [empty], [])) is None

    def test_the_box_does_not_count_where_there_is_a_segmentation(self) -> None:
        shape = Shape(segmentation={"size": [9, 9], "counts": [80, 1]}, bbox=(0, 0, 9, 9))
        assert paint(make_sample((9, 9), [shape], [])).sum() == 1

    @pytest.mark.parametrize(
        ("bbox", "rows", "columns"),
        [
            ((2, 3, 4, 5), (3, 8), (2, 6)),
            ((-5, -5, 8, 9), (0, 4), (0, 3)),
            ((7, 6, 100, 100), (6, 10), (7, 12)),
            ((-50, -50, 500, 500), (0, 10), (0, 12)),
            ((20, 20, 5, 5), (0, 0), (0, 0)),
            ((-9, -9, 5, 5), (0, 0), (0, 0)),
            ((-9, 3, 5, 4), (0, 0), (0, 0)),
            ((3, -9, 5, 4), (0, 0), (0, 0)),
            ((3, 3, 0, 4), (0, 0), (0, 0)),
        ],
    )
    def test_a_box_is_cut_at_the_picture(
        self, bbox: tuple[float, float, float, float], rows: tuple[int, int], columns: tuple[int, int]
    ) -> None:
        expected = np.zeros((10, 12), np.uint8)
        expected[slice(*rows), slice(*columns)] = 1
        np.testing.assert_array_equal(paint(make_sample((10, 12), [Shape(segmentation=None, bbox=bbox)], [])), expected)
