"""Segmentations: what is one, and what would make pycocotools write where it likes."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from posegen.annotations.coco import rle
from posegen.annotations.coco.segmentation import is_segmentation

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
    def test_what_pycocotools_encodes_is_accepted_for_the_size_of_the_picture_alone(self) -> None:
        for seed in range(60):
            pixels = random_mask(seed)
            (height, width), counts = pixels.shape, compress(pixels)
            assert is_segmentation({"size": [height, width], "counts": counts}, (height, width))
            assert not is_segmentation({"size": [height, width + 1], "counts": counts}, (height, width + 1))
            assert not is_segmentation({"size": [height + 1, width], "counts": counts}, (height + 1, width))

    def test_large_pictures_are_accepted(self) -> None:
        pixels = np.zeros((3000, 9000), np.uint8)
        pixels[:, 4000:] = 1
        assert is_segmentation({"size": [3000, 9000], "counts": compress(pixels)}, (3000, 9000))

    def test_another_size_is_refused(self) -> None:
        counts = compress(np.ones((4, 3), np.uint8))
        assert is_segmentation({"size": [4, 3], "counts": counts}, (4, 3))
        others: list[Any] = [[3, 4], [4, 3, 1], [12], [], "34", None, [True, 12]]
        for size in others:
            assert not is_segmentation({"size": size, "counts": counts}, (4, 3)), size

    def test_what_is_no_code_is_refused(self) -> None:
        codes = ["", "P", "1P", "/", "p", "é", "1\0", "oooooooo", " ", "\U0001f600", "\ud800"]
        for counts, size in itertools.product(codes, [(1, 1), (1, 32), (4, 3)]):
            assert not is_segmentation({"size": list(size), "counts": counts}, size), repr(counts)

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

    def test_one_code_longer_than_needed_is_refused_or_decodes_to_its_run(self) -> None:
        for runs, padding in itertools.product([[3, 5, 4, 2, 6], [0, 400, 1, 3, 0, 90], [20]], range(10)):
            for place in range(len(runs)):
                counts = encode_runs(runs, [padding if i == place else 0 for i in range(len(runs))])
                pixels = self.check(counts, (1, sum(runs)))
                if pixels is not None:
                    np.testing.assert_array_equal(pixels[0], np.repeat(np.arange(len(runs)) % 2, runs))
                assert pixels is not None or padding > 3

    def test_negative_runs_are_refused_though_they_add_up(self) -> None:
        for runs in ([5, -2, 9], [-3, 15], [5, 7, -1, 1], [1, 2, 3, -4, 10]):
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
    def test_uncompressed_run_lengths_that_add_up_are_accepted(self) -> None:
        for counts in ([12], [0, 12], [3, 0, 9], [0] * 5 + [12]):
            assert is_segmentation({"size": [3, 4], "counts": counts}, (3, 4))

    def test_uncompressed_run_lengths_that_are_none_are_refused(self) -> None:
        wrong: list[Any] = [[11], [], [13, -1], [12.0], [True] * 12, ["12"], [[12]], None, 12, {"a": 12}, b"12"]
        for counts in wrong:
            assert not is_segmentation({"size": [3, 4], "counts": counts}, (3, 4)), counts

    def test_polygons_of_three_or_more_points_are_accepted(self) -> None:
        for polygon in ([0, 0, 5, 0, 5, 5], [0.5, -3, 5, 0, 5, 5, 1, 7.25]):
            assert is_segmentation([polygon, polygon], (6, 8))

    def test_what_is_no_polygon_is_refused(self) -> None:
        wrong: list[Any] = [
            [], [0, 0, 5, 0], [0, 0, 5, 0, 5], [0, 0, 5, 0, 5, None], [[0, 0], [5, 0], [5, 5]], "abcdef", 5,
            [0, 0, 5, 0, 5, math.inf], [0, 0, 5, 0, 5, 2e8], [0, 0, 5, 0, 5, -9],
        ]  # fmt: skip
        for polygon in wrong:
            assert not is_segmentation([[0, 0, 5, 0, 5, 5], polygon], (6, 8)), polygon
