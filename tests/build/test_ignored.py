"""The region of an image where the loss must not count: ignored people and crowds without the drawn."""

from __future__ import annotations

import itertools

import numpy as np
from conftest import compressed, run_lengths
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from posegen.annotations import Sample, Shape
from posegen.build.ignored import IgnoredRegions, decode, find_ignored
from posegen.geometry import Affine

Mask = NDArray[np.uint8]


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
        for column, top, bottom in zip(region.column, region.top, region.bottom, strict=True):
            pixels[top:bottom, column] += 1
    assert np.isin(pixels, (0, 1)).all()
    return pixels.astype(np.uint8)


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
    return Shape(segmentation=compressed(pixels), bbox=None), pixels


class TestIgnored:
    def test_it_is_the_union_of_the_ignored_without_the_drawn(self) -> None:
        for seed in range(60):
            random = np.random.default_rng(seed)
            size = tuple(random.integers(20, 60, 2).tolist())
            ignored = [random_shape(random, size) for _ in range(random.integers(1, 4))]
            drawn = [random_shape(random, size) for _ in range(random.integers(0, 3))]
            expected = np.max([pixels for _, pixels in ignored], axis=0)
            for _, pixels in drawn:
                expected[pixels > 0] = 0
            sample = make_sample(size, [s for s, _ in ignored], [s for s, _ in drawn])
            np.testing.assert_array_equal(paint(sample), expected)

    def test_one_shape_decodes_as_pycocotools_decodes_it(self) -> None:
        for seed in range(20):
            random = np.random.default_rng(1000 + seed)
            shape, expected = random_shape(random, (40, 50))
            np.testing.assert_array_equal(decode(shape, (40, 50)), expected)

    def test_a_drawn_person_at_the_very_edge_is_taken_away(self) -> None:
        size = 30, 30
        ignored = Shape(segmentation=None, bbox=(10, 10, 10, 10))
        for x, y in ((1, 10), (19, 10), (10, 1), (10, 19)):
            polygon = [x, y, x + 10, y, x + 10, y + 10, x, y + 10]
            expected = np.zeros(size, np.uint8)
            expected[10:20, 10:20] = 1
            expected[coco_mask.decode(coco_mask.frPyObjects([polygon], *size))[..., 0] > 0] = 0
            assert 80 <= expected.sum() < 100
            sample = make_sample(size, [ignored], [Shape(segmentation=[polygon], bbox=None)])
            np.testing.assert_array_equal(paint(sample), expected)

    def test_small_drawn_polygons_anywhere_in_a_wide_or_high_picture_are_taken_from_a_crowd(self) -> None:
        for height, width in ((20, 300), (300, 20)):
            # A crowd in a corner, along an edge, and everywhere.
            for box in ((0, 0, 9, 9), (width - 9, height - 9, 9, 9), (0, 0, width, 4), (0, 0, width, height)):
                crowd = np.zeros((height, width), np.uint8)
                crowd[box[1] : box[1] + box[3], box[0] : box[0] + box[2]] = 1
                touched = 0
                for x, y in itertools.product((0, width // 2, width - 5), (0, height // 2, height - 5)):
                    polygon = [x, y, x + 5, y, x + 5, y + 5, x, y + 5]
                    person = coco_mask.decode(coco_mask.frPyObjects([polygon], height, width))[..., 0]
                    expected = crowd & (1 - person)
                    touched += int(expected.sum() < crowd.sum())
                    sample = make_sample(
                        (height, width),
                        [Shape(segmentation=run_lengths(crowd), bbox=None)],
                        [Shape(segmentation=[polygon], bbox=None)],
                    )
                    np.testing.assert_array_equal(paint(sample), expected)
                assert touched > 0

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

    def test_a_box_is_cut_at_the_picture(self) -> None:
        for bbox, rows, columns in (
            ((2, 3, 4, 5), (3, 8), (2, 6)),
            ((-5, -5, 8, 9), (0, 4), (0, 3)),
            ((7, 6, 100, 100), (6, 10), (7, 12)),
            ((-50, -50, 500, 500), (0, 10), (0, 12)),
            ((20, 20, 5, 5), (0, 0), (0, 0)),
            ((-9, -9, 5, 5), (0, 0), (0, 0)),
            ((-9, 3, 5, 4), (0, 0), (0, 0)),
            ((3, -9, 5, 4), (0, 0), (0, 0)),
            ((3, 3, 0, 4), (0, 0), (0, 0)),
        ):
            expected = np.zeros((10, 12), np.uint8)
            expected[slice(*rows), slice(*columns)] = 1
            sample = make_sample((10, 12), [Shape(segmentation=None, bbox=bbox)], [])
            np.testing.assert_array_equal(paint(sample), expected)


def test_a_pixel_of_the_input_is_ignored_if_its_middle_lies_in_an_ignored_pixel() -> None:
    random = np.random.default_rng(5)
    for _ in range(40):
        height, width = (int(side) for side in random.integers(1, 40, 2))
        x, y, wide, high = (float(number) for number in random.uniform(-5, 30, 4))
        box = (x, y, abs(wide), abs(high))
        sample = make_sample((height, width), [Shape(segmentation=None, bbox=box)], [])
        scale_x, scale_y, x0, y0 = (*random.uniform(0.3, 3, 2), *random.uniform(-20, 20, 2))
        turned = float(random.choice([0.0, 0.2]))
        affine = Affine(float(scale_x), turned, float(x0), -turned, float(scale_y), float(y0))
        found = IgnoredRegions().map(sample, affine, (24, 32))
        pixels, expected = paint(sample), np.zeros((24, 32), bool)
        for row, column in itertools.product(range(24), range(32)):
            px, py = affine.inverse().apply(np.array([column, row], np.float64))
            i, j = int(np.floor(py + 0.5)), int(np.floor(px + 0.5))
            expected[row, column] = 0 <= i < height and 0 <= j < width and pixels[i, j]
        assert (found is None) == (not expected.any())
        if found is not None:
            # A middle on an edge may be rounded to either side of it.
            assert np.count_nonzero(found != expected) <= 1
