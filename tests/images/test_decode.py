"""Files of any kind become the pixels that their annotation speaks of, or are refused."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from drawn_pictures import draw_picture, orient, pack
from each import each

from posegen.errors import ImageError
from posegen.images.codec import decode


class TestDecode:
    @each(suffix=[".png", ".bmp", ".webp"])
    def test_lossless_files_give_their_pixels(self, suffix: str) -> None:
        picture = draw_picture(31, 45)
        lossless = [cv2.IMWRITE_WEBP_QUALITY, 101] if suffix == ".webp" else []
        np.testing.assert_array_equal(decode(pack(picture, suffix, *lossless), (31, 45), "a"), picture)

    def test_a_jpeg_gives_about_its_pixels(self) -> None:
        picture = draw_picture(64, 80)
        found = decode(pack(picture, ".jpg", cv2.IMWRITE_JPEG_QUALITY, 98), (64, 80), "a")
        assert np.abs(found.astype(int) - picture).mean() < 3

    def test_a_jpeg_gives_the_pixels_that_opencv_has_whoever_decodes_it(self) -> None:
        samplings = [0x411111, 0x211111, 0x221111, 0x121111, 0x111111]
        for height, width in ((64, 80), (33, 47), (1, 9), (17, 1)):
            for picture in (draw_picture(height, width), draw_picture(height, width)[..., 0]):
                for sampling in samplings:
                    for progressive in (0, 1):
                        options = [
                            cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
                            sampling,
                            cv2.IMWRITE_JPEG_PROGRESSIVE,
                            progressive,
                        ]
                        data = pack(picture, ".jpg", *options, cv2.IMWRITE_JPEG_RST_INTERVAL, 3)
                        found = decode(data, (height, width), "a")
                        expected = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
                        np.testing.assert_array_equal(found, expected)
                        with pytest.raises(ImageError):
                            decode(data[: len(data) * 2 // 3], (height, width), "a")

    @each(suffix=[".png", ".jpg"])
    def test_gray_becomes_three_equal_channels(self, suffix: str) -> None:
        gray = draw_picture(40, 50)[..., 0]
        data = pack(gray, suffix)
        found = decode(data, (40, 50), "a")
        assert found.shape == (40, 50, 3)
        expected = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        assert expected.ndim == 2
        for channel in range(3):
            np.testing.assert_array_equal(found[..., channel], expected)

    def test_sixteen_bits_become_eight(self) -> None:
        deep = np.random.default_rng(0).integers(0, 1 << 16, (20, 30, 3)).astype(np.uint16)
        found = decode(pack(deep, ".png"), (20, 30), "a")
        assert found.dtype == np.uint8
        assert np.abs(found - deep / 257).max() <= 1

    def test_transparency_is_left_out(self) -> None:
        picture = draw_picture(20, 30)
        alpha = np.random.default_rng(0).integers(0, 256, (20, 30, 1), np.uint8)
        found = decode(pack(np.concatenate([picture, alpha], axis=2), ".png"), (20, 30), "a")
        np.testing.assert_array_equal(found, picture)

    @each(
        "suffix, parameters",
        [(".jpg", ()), (".jpg", (cv2.IMWRITE_JPEG_PROGRESSIVE, 1)), (".png", ()), (".webp", ()), (".bmp", ())],
    )
    def test_a_truncated_file_is_refused_wherever_it_ends(self, suffix: str, parameters: tuple[int, ...]) -> None:
        data = pack(draw_picture(90, 120), suffix, *parameters)
        decode(data, (90, 120), "a")
        tail = range(len(data) - 24, len(data) - 2)
        for length in [*range(1, len(data), max(1, len(data) // 60)), *tail]:
            with pytest.raises(ImageError, match=r"^a: is not an image, or is truncated"):
                decode(data[:length], (90, 120), "a")

    @each(data=[b"x", b"\xff\xd8\xff\xe0", b"\0" * 5000, b"{}" * 999])
    def test_what_is_no_image_is_refused(self, data: bytes) -> None:
        with pytest.raises(ImageError) as caught:
            decode(data, (1, 1), "folder/a.jpg")
        assert str(caught.value) == f"folder/a.jpg: is not an image, or is truncated ({len(data)} bytes)"

    def test_a_kind_that_cannot_be_read_is_named(self) -> None:
        for data, kind in (
            (b"<html></html>", "HTML page"),
            (b"\0\0\0\x18ftypheic\0\0\0\0", "HEIC"),
            (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "Git LFS pointer"),
            (b"%PDF-1.7", "PDF"),
        ):
            with pytest.raises(ImageError, match=f"is not an image, or is truncated .*; it is of the kind {kind}"):
                decode(data, (1, 1), "a.jpg")

    def test_another_size_is_refused_with_both_sizes(self) -> None:
        with pytest.raises(ImageError) as caught:
            decode(pack(draw_picture(40, 50), ".jpg"), (80, 100), "a.jpg")
        assert "a.jpg: is 50x40 pixels, but its annotation says 100x80" in str(caught.value)

    def test_a_turned_size_without_orientation_is_refused(self) -> None:
        with pytest.raises(ImageError, match="is 50x40 pixels, but its annotation says 40x50"):
            decode(pack(draw_picture(40, 50), ".jpg"), (50, 40), "a.jpg")


class TestOrientation:
    @each(orientation=range(1, 9))
    def test_it_is_not_applied_where_the_annotation_has_the_stored_size(self, orientation: int) -> None:
        data = pack(draw_picture(40, 60), ".jpg")
        expected = decode(data, (40, 60), "a")
        np.testing.assert_array_equal(decode(orient(data, orientation), (40, 60), "a"), expected)

    @each("orientation, turn", [(6, cv2.ROTATE_90_CLOCKWISE), (8, cv2.ROTATE_90_COUNTERCLOCKWISE)])
    def test_it_is_applied_where_the_annotation_has_the_turned_size(self, orientation: int, turn: int) -> None:
        data = pack(draw_picture(40, 60), ".jpg")
        stored = decode(data, (40, 60), "a")
        turned = decode(orient(data, orientation), (60, 40), "a")
        np.testing.assert_array_equal(turned, cv2.rotate(stored, turn))

    def test_half_a_turn_does_not_explain_a_turned_size(self) -> None:
        with pytest.raises(ImageError, match="is 60x40 pixels, but its annotation says 40x60"):
            decode(orient(pack(draw_picture(40, 60), ".jpg"), 3), (60, 40), "a")

    def test_a_truncated_oriented_file_is_refused(self) -> None:
        data = orient(pack(draw_picture(40, 60), ".jpg"), 6)
        with pytest.raises(ImageError):
            decode(data[:-300], (60, 40), "a")
