"""Where a view puts points, and what its picture shows there."""

from __future__ import annotations

import math

import hdf5plugin  # noqa: F401 (registers the compressor)
import numpy as np
from each import each

from posegen.geometry import Affine
from posegen.images import warp
from posegen.images.augment import Augmentation, View

USUAL = Augmentation(scale=(0.5, 1.1), rotate=40, shift=40, flip=0.5)


class TestView:
    @each(flip=[False, True], degrees=[0, 30, -117])
    def test_it_mirrors_scales_and_turns_about_the_middle_and_then_moves(self, degrees: float, *, flip: bool) -> None:
        view = View(scale=0.7, rotation=degrees, shift=(5.0, -3.0), flip=flip)
        found = view.affine((96, 128)).apply(np.array([[63.5, 47.5], [100.0, 20.0]]))
        x, y = (-36.5 if flip else 36.5), -27.5
        angle = math.radians(degrees)
        expected = [
            63.5 + 5 + 0.7 * (math.cos(angle) * x - math.sin(angle) * y),
            47.5 - 3 + 0.7 * (math.sin(angle) * x + math.cos(angle) * y),
        ]
        np.testing.assert_allclose(found, [[68.5, 44.5], expected], rtol=0, atol=1e-9)

    def test_a_mirror_alone_swaps_the_columns(self) -> None:
        found = View(flip=True).affine((96, 128)).apply(np.array([[0.0, 7.0], [127.0, 0.0]]))
        np.testing.assert_allclose(found, [[127, 7], [0, 0]], rtol=0, atol=1e-9)

    def test_it_depends_on_the_seed_and_the_ids_and_on_nothing_else(self) -> None:
        seen = {
            tuple(USUAL.draw(seed, (image, copy)).values)
            for seed in (0, 1)
            for image in (-5, 7, 1 << 62)
            for copy in (0, 1, 2)
        }
        assert len(seen) == 18
        assert USUAL.draw(3, (7, 1)) == USUAL.draw(3, (7, 1))

    def test_views_are_spread_evenly_over_the_ranges(self) -> None:
        drawn = np.array([USUAL.draw(0, (image, 0)).values for image in range(4000)])
        for column, (low, high) in enumerate([(0.5, 1.1), (-40, 40), (-40, 40), (-40, 40)]):
            values = np.sort((drawn[:, column] - low) / (high - low))
            assert 0 <= values[0] <= values[-1] <= 1
            assert np.abs(values - (np.arange(4000) + 0.5) / 4000).max() < 0.03  # Kolmogorov, 0.1 %
        assert abs(drawn[:, 4].mean() - 0.5) < 0.03
        assert np.abs(np.corrcoef(drawn.T) - np.eye(5)).max() < 0.06


class TestPictures:
    @each("scale, degrees", [(0.3, 20), (0.31, -70), (0.9, 133), (2.5, 45)])
    def test_each_pixel_shows_what_its_place_shows_in_the_picture(self, scale: float, degrees: float) -> None:
        rows, columns = np.mgrid[:300, :400]
        picture = np.stack([columns / 2, rows / 2, (rows + columns) / 4], axis=2)
        affine = Affine.resize((300, 400), (round(300 * scale), round(400 * scale)), (10, -5))
        affine = affine.then(View(rotation=degrees, flip=True).affine((96, 128)))
        found = warp.warp_view(np.rint(picture).astype(np.uint8), affine, (96, 128)).astype(float)
        (a, b, c), (d, e, f) = np.linalg.inv(np.vstack([affine.matrix, [0, 0, 1]]))[:2]
        y, x = np.mgrid[:96, :128]
        x, y = a * x + b * y + c, d * x + e * y + f
        margin = 2 / scale + 2
        inside = (x > margin) & (x < 399 - margin) & (y > margin) & (y < 299 - margin)
        assert inside.sum() > 500
        expected = np.stack([x / 2, y / 2, (x + y) / 4], axis=2)
        assert np.abs(found - expected)[inside].max() <= 1.3
        outside = (x < -margin) | (x > 399 + margin) | (y < -margin) | (y > 299 + margin)
        assert (found[outside] == 128).all()

    def test_what_is_shrunk_is_averaged(self) -> None:
        """Stripes of one pixel become gray, where interpolation alone would show some and pass over others."""
        stripes = np.zeros((400, 400, 3), np.uint8)
        stripes[:, ::2] = 255
        affine = Affine.resize((400, 400), (100, 100)).then(View(rotation=17).affine((100, 100)))
        middle = warp.warp_view(stripes, affine, (100, 100))[35:65, 35:65].astype(float)
        assert np.abs(middle - 127.5).max() < 8
        assert warp.warp_linear(stripes, affine, (100, 100))[35:65, 35:65].std() > 30
