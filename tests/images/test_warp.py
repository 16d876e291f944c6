"""Pixels go where points go."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from drawn_pictures import draw_picture, find_blob, find_centre
from each import each

from posegen.errors import ImageError
from posegen.geometry import Affine, crop, fit
from posegen.images import warp
from posegen.images.warp import PADDING, warp_fitted, warp_linear


class TestWarp:
    @each(size=[(200, 300), (97, 640), (480, 101)])
    def test_a_plain_shrinking_is_opencvs_area_resize(self, size: tuple[int, int]) -> None:
        picture = draw_picture(*size)
        affine = fit(size, (96, 64), "stretch")
        expected = cv2.resize(picture, (64, 96), interpolation=cv2.INTER_AREA)
        np.testing.assert_array_equal(warp_fitted(picture, affine, (96, 64)), expected)

    def test_a_plain_enlarging_is_opencvs_linear_resize(self) -> None:
        picture = draw_picture(30, 20)
        affine = fit((30, 20), (96, 64), "stretch")
        expected = cv2.resize(picture, (64, 96), interpolation=cv2.INTER_LINEAR)
        np.testing.assert_array_equal(warp_fitted(picture, affine, (96, 64)), expected)

    def test_the_same_size_is_left_alone(self) -> None:
        picture = draw_picture(96, 64)
        np.testing.assert_array_equal(warp_fitted(picture, fit((96, 64), (96, 64), "letterbox"), (96, 64)), picture)

    def test_a_letterbox_pads_a_wide_picture_above_and_below(self) -> None:
        picture = draw_picture(100, 200)
        found = warp_fitted(picture, fit((100, 200), (80, 80), "letterbox"), (80, 80))
        np.testing.assert_array_equal(found[20:60], cv2.resize(picture, (80, 40), interpolation=cv2.INTER_AREA))
        assert PADDING == 128
        assert (found[:20] == 128).all()
        assert (found[60:] == 128).all()

    def test_a_letterbox_pads_a_tall_picture_left_and_right(self) -> None:
        picture = draw_picture(30, 10)
        found = warp_fitted(picture, fit((30, 10), (60, 80), "letterbox"), (60, 80))
        np.testing.assert_array_equal(found[:, 30:50], cv2.resize(picture, (20, 60), interpolation=cv2.INTER_LINEAR))
        assert (found[:, :30] == 128).all()
        assert (found[:, 50:] == 128).all()

    def test_cover_cuts_the_middle_out(self) -> None:
        picture = draw_picture(100, 300)
        found = warp_fitted(picture, fit((100, 300), (50, 50), "cover"), (50, 50))
        np.testing.assert_array_equal(found, cv2.resize(picture, (150, 50), interpolation=cv2.INTER_AREA)[:, 50:100])

    @each(height={"both axes shrink": 400, "one axis grows": 20})
    def test_fine_stripes_shrink_to_their_mean(self, height: int) -> None:
        stripes = np.zeros((height, 400, 3), np.uint8)
        stripes[:, ::4] = 255
        found = warp_fitted(stripes, fit((height, 400), (50, 50), "stretch"), (50, 50))
        assert np.abs(found.astype(int) - 64).max() <= 1

    @each(
        "size, target",
        [
            ((400, 300), (96, 96)),
            ((301, 417), (128, 64)),
            ((60, 47), (368, 368)),
            ((51, 90), (200, 120)),
            ((97, 300), (150, 120)),
            ((128, 128), (96, 160)),
        ],
        mode=["letterbox", "stretch", "cover"],
    )
    def test_a_dot_moves_with_the_points(self, size: tuple[int, int], target: tuple[int, int], mode: str) -> None:
        affine = fit(size, target, mode)
        ground = warp_fitted(np.zeros((*size, 3), np.uint8), affine, target).astype(float)
        # Half a pixel of disagreement, as between pixel centres and pixel edges, is many times the tolerance.
        tolerance = 0.03 * max(1.0, affine.xx, affine.yy)
        for fraction in ((0.5, 0.5), (0.43, 0.58), (0.55, 0.46)):
            at = fraction[0] * size[1], fraction[1] * size[0]
            sigma = max(1.5, 1.5 / min(affine.xx, affine.yy))
            dot = np.rint(255 * find_blob(size, at, sigma)).astype(np.uint8)
            moved = warp_fitted(np.repeat(dot[..., None], 3, axis=2), affine, target).astype(float) - ground
            expected = affine.apply(np.array(at))
            np.testing.assert_allclose(find_centre(moved[..., 0]), expected, atol=tolerance)

    @each(size=[(1, 1), (1, 500), (500, 1), (2, 3)], mode=["letterbox", "stretch", "cover"])
    def test_tiny_and_thin_pictures_fill_the_input(self, size: tuple[int, int], mode: str) -> None:
        picture = np.full((*size, 3), 7, np.uint8)
        found = warp_fitted(picture, fit(size, (32, 48), mode), (32, 48))
        assert found.shape == (32, 48, 3)
        assert set(np.unique(found)) <= {7, 128}
        assert (found == 7).any()

    def test_an_affine_map_of_ones_own_may_leave_the_input(self) -> None:
        picture = np.full((10, 10, 3), 7, np.uint8)
        found = warp_fitted(picture, Affine.resize((10, 10), (20, 20), (-5, 25)), (30, 30))
        np.testing.assert_array_equal(np.argwhere(found[..., 0] == 7).min(axis=0), (25, 0))
        np.testing.assert_array_equal(np.argwhere(found[..., 0] == 7).max(axis=0), (29, 14))


class TestTransform:
    @each(degrees=[0, 33, -120], scale=[0.6, 1.0, 3.1])
    def test_each_pixel_is_interpolated_between_four_of_the_picture(self, scale: float, degrees: float) -> None:
        picture, (c, s) = draw_picture(60, 80), (f(np.radians(degrees)) * scale for f in (np.cos, np.sin))
        affine = Affine(c, -s, 20.3 - 40 * c + 30 * s, s, c, 25.8 - 40 * s - 30 * c)
        back = np.linalg.inv(np.vstack([affine.matrix, [0, 0, 1]]))
        padded = np.pad(picture.astype(float), ((1, 1), (1, 1), (0, 0)), constant_values=PADDING)
        expected = np.full((50, 40, 3), float(PADDING))
        for y, x in np.ndindex(50, 40):
            px, py, _ = back @ (x, y, 1)
            if -1 < px < 80 and -1 < py < 60:
                column, row = int(np.floor(px)), int(np.floor(py))
                fx, fy = px - column, py - row
                four = padded[row + 1 : row + 3, column + 1 : column + 3]
                expected[y, x] = np.einsum("ijc,i,j->c", four, [1 - fy, fy], [1 - fx, fx])
        assert (expected != PADDING).any()
        found = warp_linear(picture, affine, (50, 40))
        assert np.abs(found - expected).max() <= 0.51 + _find_tolerance(padded)

    @each(box=[(30.0, 20.0, 40.0, 90.0), (10.5, 60.2, 100.7, 20.1), (-0.5, 3.0, 30.0, 7.0)], corners=[False, True])
    def test_a_dot_comes_to_where_its_point_comes(self, box: tuple[float, ...], corners: bool) -> None:
        affine = crop(box, (256, 192), corners=corners)
        point = np.array([box[0] + 0.4 * box[2], box[1] + 0.7 * box[3]])
        rows, columns = np.mgrid[:150, :130]
        dot = np.exp(-((columns - point[0]) ** 2 + (rows - point[1]) ** 2) / (2 * 3.0**2))
        picture = np.repeat(np.rint(255 * dot).astype(np.uint8)[..., None], 3, axis=2)
        found = warp_linear(picture, affine, (256, 192))[..., 0].astype(float)
        found[found < 25] = 0
        found[warp_linear(np.full_like(picture, 255), affine, (256, 192))[..., 0] < 255] = 0
        y, x = np.mgrid[:256, :192]
        centre = np.array([(found * x).sum(), (found * y).sum()]) / found.sum()
        np.testing.assert_allclose(centre, affine.apply(point), rtol=0, atol=0.15)

    def test_a_map_that_shows_none_of_the_picture_gives_padding(self) -> None:
        assert (warp_linear(draw_picture(9, 9), Affine(1, 0, 100, 0, 1, 0), (20, 30)) == PADDING).all()

    def test_a_picture_wider_than_32767_pixels_is_mapped(self) -> None:
        picture = np.repeat((np.arange(40000) // 200).astype(np.uint8)[None, :, None], 8, axis=0).repeat(3, axis=2)
        found = warp_linear(picture, Affine(1, 0, -39000, 0, 1, 0), (8, 1000))
        np.testing.assert_array_equal(found, picture[:, 39000:])

    def test_the_part_of_it_that_opencv_4_is_given_is_all_that_is_seen(self, monkeypatch: pytest.MonkeyPatch) -> None:
        picture = draw_picture(60, 80)
        for x, y in ((-30.0, -10.0), (12.0, 7.0), (500.0, 0.0)):
            affine = Affine(1.2, 0.3, x, -0.3, 1.2, y)
            monkeypatch.setattr(warp, "_IS_OLD", False)
            whole = warp_linear(picture, affine, (24, 30))
            monkeypatch.setattr(warp, "_IS_OLD", True)
            monkeypatch.setattr(warp, "_MOST_SIDE", 70)
            np.testing.assert_array_equal(warp_linear(picture, affine, (24, 30)), whole)
        with pytest.raises(ImageError, match=r"80x60 pixels are too many for OpenCV"):
            warp_linear(picture, Affine(0.1, 0, 0, 0, 0.1, 0), (8, 10))


def _find_tolerance(picture: np.ndarray) -> float:
    """Find by how much OpenCV 4 may be off, which interpolates at the nearest 1/32 of a pixel; OpenCV 5 is exact."""
    if int(cv2.__version__.split(".")[0]) >= 5:
        return 0.0
    return float(sum(np.abs(np.diff(picture, axis=axis)).max() for axis in (0, 1)) / 64)
