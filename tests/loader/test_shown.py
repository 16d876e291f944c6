"""What is ignored of an input, found again in the pixels of its image."""

from __future__ import annotations

import numpy as np

from posegen.geometry import Affine
from posegen.loader.shown import find_region


def test_ignored_pixels_of_an_input_are_those_of_the_image_whose_middles_they_hold() -> None:
    ignored = np.zeros((6, 8), np.bool_)
    ignored[2, 3] = ignored[5, 7] = True
    cases = (
        # An image of the input's own pixels; one twice as large; one that lies two pixels to the right and one below.
        (Affine(1, 0, 0, 0, 1, 0), (6, 8), [(2, 3), (5, 7)]),
        (
            Affine(0.5, 0, -0.25, 0, 0.5, -0.25),
            (12, 16),
            [(r + y, c + x) for r, c in ((4, 6), (10, 14)) for y in (0, 1) for x in (0, 1)],
        ),
        (Affine(1, 0, 2, 0, 1, 1), (5, 6), [(1, 1), (4, 5)]),
    )
    for affine, size, pixels in cases:
        region = find_region(ignored, affine, size)
        found = {
            (row, column)
            for column, top, bottom in zip(region.column, region.top, region.bottom, strict=True)
            for row in range(top, bottom)
        }
        assert found == set(pixels)


def test_of_an_image_that_reaches_out_of_its_input_what_is_seen_of_it_may_be_ignored_and_no_more() -> None:
    random = np.random.default_rng(0)
    for affine in (
        Affine(1, 0, -3, 0, 1, -2), Affine(1, 0, 2.4, 0, 1, 1.6), Affine(0, -1, 9, 1, 0, -2),
        Affine(0.6, 0.8, -5, -0.8, 0.6, 4), Affine(-1.5, 0, 14.2, 0, 1.5, -3.3),
    ):  # fmt: skip
        for ignored in (np.ones((6, 8), np.bool_), random.random((6, 8)) < 0.5):
            region = find_region(ignored, affine, (15, 17))
            found = {
                (row, column)
                for column, top, bottom in zip(region.column, region.top, region.bottom, strict=True)
                for row in range(top, bottom)
            }
            expected = set()
            for row in range(15):
                for column in range(17):
                    x = affine.xx * column + affine.xy * row + affine.x0
                    y = affine.yx * column + affine.yy * row + affine.y0
                    # A pixel reaches from half a pixel before its middle to half a one behind it.
                    inside = (
                        [k for k in range(6) if k - 0.5 <= y < k + 0.5],
                        [k for k in range(8) if k - 0.5 <= x < k + 0.5],
                    )
                    if all(inside) and ignored[inside[0][0], inside[1][0]]:
                        expected.add((row, column))
            assert found == expected
            assert 0 < len(expected) < 15 * 17
