"""What is stored is read back."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from drawn_pictures import draw_picture
from each import each

from posegen.errors import ImageError
from posegen.images import ImageEncoding, codec
from posegen.images.codec import decode_input, encode


class TestEncode:
    def test_png_gives_the_pixels_back(self) -> None:
        picture = draw_picture(33, 47)
        data = encode(picture, "png", 50)
        assert data.startswith(b"\x89PNG")
        np.testing.assert_array_equal(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), picture)

    def test_raw_is_the_pixels_as_red_green_blue(self) -> None:
        picture = draw_picture(5, 7)
        expected = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
        np.testing.assert_array_equal(np.frombuffer(encode(picture, "raw", 50), np.uint8).reshape(5, 7, 3), expected)

    def test_jpeg_gives_about_the_pixels_back(self) -> None:
        picture = draw_picture(64, 64)
        data = encode(picture, "jpeg", 95)
        assert data[:3] == b"\xff\xd8\xff"
        found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        assert np.abs(found.astype(int) - picture).mean() < 4

    def test_a_lower_jpeg_quality_is_smaller(self) -> None:
        picture = draw_picture(64, 64)
        sizes = [len(encode(picture, "jpeg", quality)) for quality in (20, 60, 95)]
        assert sizes == sorted(sizes)
        assert len(set(sizes)) == 3

    @each(encoding=["jpeg", "png", "raw"])
    def test_equal_pictures_give_equal_bytes(self, encoding: str) -> None:
        assert encode(draw_picture(40, 40), encoding, 90) == encode(draw_picture(40, 40), encoding, 90)


class TestDecodeInput:
    @each(quality=[30, 90, 100], size=[(1, 1), (8, 8), (33, 47), (368, 368)])
    def test_a_jpeg_is_decoded_as_opencv_decodes_it(self, size: tuple[int, int], quality: int) -> None:
        data = encode(draw_picture(*size), "jpeg", quality)
        out = np.zeros((*size, 3), np.uint8)
        assert decode_input(data, size, "it", out) is out
        np.testing.assert_array_equal(out, cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB))
        np.testing.assert_array_equal(decode_input(data, size, "it"), out)

    @pytest.mark.parametrize("encoding", ["jpeg", "png"])
    def test_without_simplejpeg_the_pixels_are_the_same(
        self, encoding: ImageEncoding, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        data = encode(draw_picture(40, 60), encoding, 90)
        expected = decode_input(data, (40, 60), "it")
        monkeypatch.setattr(codec, "simplejpeg", None)
        out = np.zeros((40, 60, 3), np.uint8)
        assert decode_input(data, (40, 60), "it", out) is out
        np.testing.assert_array_equal(out, expected)
        np.testing.assert_array_equal(decode_input(data, (40, 60), "it"), expected)

    def test_a_gray_jpeg_has_three_equal_channels(self) -> None:
        data = cv2.imencode(".jpg", draw_picture(24, 24)[..., 0])[1].tobytes()
        found = decode_input(data, (24, 24), "it")
        np.testing.assert_array_equal(found, cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB))

    @each(kept=[2, 3, 200, -40])
    def test_a_truncated_jpeg_is_refused(self, kept: int) -> None:
        data = encode(draw_picture(64, 64), "jpeg", 90)
        with pytest.raises(ImageError, match="it: is not an image of 64x64 pixels, or is truncated"):
            decode_input(data[:kept], (64, 64), "it", np.zeros((64, 64, 3), np.uint8))

    @each(size=[(64, 32), (32, 64), (63, 64), (640, 640)])
    def test_a_jpeg_of_another_size_is_refused(self, size: tuple[int, int]) -> None:
        out = np.full((64, 64, 3), 7, np.uint8)
        with pytest.raises(ImageError, match="is not an image of 64x64 pixels"):
            decode_input(encode(draw_picture(*size), "jpeg", 90), (64, 64), "it", out)
        assert (out == 7).all()
