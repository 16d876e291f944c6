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
