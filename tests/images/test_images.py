from __future__ import annotations

import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from posegen.errors import ImageError
from posegen.geometry import Affine, crop, fit
from posegen.images import ImageEncoding, codec
from posegen.images.codec import decode, decode_input, encode
from posegen.images.files import read_file
from posegen.images.warp import PADDING, warp_fitted, warp_linear

Picture = NDArray[np.uint8]


def draw_picture(height: int, width: int, seed: int = 0) -> Picture:
    """Smooth noise, every channel on its own."""
    coarse = np.random.default_rng(seed).integers(0, 256, (7, 9, 3), np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def pack(picture: NDArray[np.uint8] | NDArray[np.uint16], suffix: str, *parameters: int) -> bytes:
    written, data = cv2.imencode(suffix, picture, list(parameters))
    assert written
    return data.tobytes()


def orient(jpeg: bytes, orientation: int) -> bytes:
    """Put an EXIF segment that states an orientation behind the start of a JPEG."""
    tag = struct.pack(">HHIHH", 0x0112, 3, 1, orientation, 0)
    tiff = b"MM\0*" + struct.pack(">I", 8) + struct.pack(">H", 1) + tag + struct.pack(">I", 0)
    body = b"Exif\0\0" + tiff
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + jpeg[2:]


class TestDecode:
    @pytest.mark.parametrize("suffix", [".png", ".bmp", ".webp"])
    def test_lossless_files_give_their_pixels(self, suffix: str) -> None:
        picture = draw_picture(31, 45)
        lossless = [cv2.IMWRITE_WEBP_QUALITY, 101] if suffix == ".webp" else []
        np.testing.assert_array_equal(decode(pack(picture, suffix, *lossless), (31, 45), "a"), picture)

    def test_a_jpeg_gives_about_its_pixels(self) -> None:
        picture = draw_picture(64, 80)
        found = decode(pack(picture, ".jpg", cv2.IMWRITE_JPEG_QUALITY, 98), (64, 80), "a")
        assert np.abs(found.astype(int) - picture).mean() < 3

    @pytest.mark.parametrize("suffix", [".png", ".jpg"])
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

    @pytest.mark.parametrize(
        ("suffix", "parameters"),
        [(".jpg", ()), (".jpg", (cv2.IMWRITE_JPEG_PROGRESSIVE, 1)), (".png", ()), (".webp", ()), (".bmp", ())],
        ids=["baseline", "progressive", "png", "webp", "bmp"],
    )
    def test_a_truncated_file_is_refused_wherever_it_ends(self, suffix: str, parameters: tuple[int, ...]) -> None:
        data = pack(draw_picture(90, 120), suffix, *parameters)
        decode(data, (90, 120), "a")
        tail = range(len(data) - 24, len(data) - 2)
        for length in [*range(1, len(data), max(1, len(data) // 60)), *tail]:
            with pytest.raises(ImageError, match=r"^a: is not an image, or is truncated"):
                decode(data[:length], (90, 120), "a")

    @pytest.mark.parametrize("data", [b"x", b"\xff\xd8\xff\xe0", b"\0" * 5000, b"{}" * 999])
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
    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_it_is_not_applied_where_the_annotation_has_the_stored_size(self, orientation: int) -> None:
        data = pack(draw_picture(40, 60), ".jpg")
        expected = decode(data, (40, 60), "a")
        np.testing.assert_array_equal(decode(orient(data, orientation), (40, 60), "a"), expected)

    @pytest.mark.parametrize(
        ("orientation", "turn"), [(6, cv2.ROTATE_90_CLOCKWISE), (8, cv2.ROTATE_90_COUNTERCLOCKWISE)]
    )
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


class TestReadFile:
    @pytest.fixture
    def images(self, tmp_path: Path) -> Path:
        images = tmp_path / "images"
        (images / "sub").mkdir(parents=True)
        (images / "a.jpg").write_bytes(b"abc")
        (images / "sub" / "b c.jpg").write_bytes(b"def")
        (tmp_path / "secret.jpg").write_bytes(b"secret")
        return images

    def test_it_gives_the_bytes(self, images: Path) -> None:
        assert read_file(images, "a.jpg") == b"abc"
        assert read_file(images, "sub/b c.jpg") == b"def"

    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            ("missing.jpg", "missing.jpg: cannot be read: No such file or directory"),
            ("sub", "sub: is no regular file"),
            ("a.jpg/b.jpg", "a.jpg/b.jpg: cannot be read: Not a directory"),
            ("x" * 300, "cannot be read: File name too long"),
            ("a\0b", "is not the name of a file"),
            ("../secret.jpg", "leads out of the image directory"),
        ],
    )
    def test_what_cannot_be_read_says_why(self, images: Path, name: str, expected: str) -> None:
        with pytest.raises(ImageError) as caught:
            read_file(images, name)
        assert expected in str(caught.value)

    def test_an_empty_file_says_so(self, images: Path) -> None:
        (images / "empty.jpg").touch()
        with pytest.raises(ImageError, match=r"empty\.jpg: is empty"):
            read_file(images, "empty.jpg")

    def test_links_are_followed_wherever_they_lead(self, images: Path) -> None:
        stored = (images.parent / "secret.jpg").read_bytes()
        (images / "link.jpg").symlink_to(images.parent / "secret.jpg")
        (images / "up").symlink_to(images.parent)
        assert read_file(images, "link.jpg") == stored
        assert read_file(images, "up/secret.jpg") == stored

    def test_a_name_that_leads_out_by_its_own_words_is_refused(self, images: Path) -> None:
        for name in ("../secret.jpg", "sub/../../secret.jpg", str(images.parent / "secret.jpg")):
            with pytest.raises(ImageError, match="leads out of the image directory"):
                read_file(images, name)

    def test_a_link_within_the_directory_is_followed(self, images: Path) -> None:
        (images / "link.jpg").symlink_to("sub/b c.jpg")
        assert read_file(images, "link.jpg") == b"def"

    def test_the_directory_itself_may_be_a_link(self, images: Path) -> None:
        (images.parent / "linked").symlink_to(images)
        assert read_file(images.parent / "linked", "a.jpg") == b"abc"

    def test_links_in_a_circle_are_refused(self, images: Path) -> None:
        (images / "one").symlink_to("two")
        (images / "two").symlink_to("one")
        with pytest.raises(ImageError, match="one: cannot be read"):
            read_file(images, "one")

    def test_a_relative_directory_is_fine(self, images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(images.parent)
        assert read_file(Path("images"), "a.jpg") == b"abc"


def find_blob(size: tuple[int, int], at: tuple[float, float], sigma: float) -> NDArray[np.float64]:
    """Draw a Gaussian of height 1, (height, width)."""
    rows, columns = np.ogrid[: size[0], : size[1]]
    return np.exp(-((columns - at[0]) ** 2 + (rows - at[1]) ** 2) / (2 * sigma**2))


def find_centre(values: NDArray[np.float64]) -> tuple[float, float]:
    """Measure the centre of mass x, y."""
    rows, columns = np.indices(values.shape)
    return float((columns * values).sum() / values.sum()), float((rows * values).sum() / values.sum())


class TestWarp:
    @pytest.mark.parametrize("size", [(200, 300), (97, 640), (480, 101)])
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

    @pytest.mark.parametrize("height", [400, 20], ids=["both axes shrink", "one axis grows"])
    def test_fine_stripes_shrink_to_their_mean(self, height: int) -> None:
        stripes = np.zeros((height, 400, 3), np.uint8)
        stripes[:, ::4] = 255
        found = warp_fitted(stripes, fit((height, 400), (50, 50), "stretch"), (50, 50))
        assert np.abs(found.astype(int) - 64).max() <= 1

    @pytest.mark.parametrize("mode", ["letterbox", "stretch", "cover"])
    @pytest.mark.parametrize(
        ("size", "target"),
        [
            ((400, 300), (96, 96)),
            ((301, 417), (128, 64)),
            ((60, 47), (368, 368)),
            ((51, 90), (200, 120)),
            ((97, 300), (150, 120)),
            ((128, 128), (96, 160)),
        ],
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

    @pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (2, 3)])
    @pytest.mark.parametrize("mode", ["letterbox", "stretch", "cover"])
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

    @pytest.mark.parametrize("encoding", ["jpeg", "png", "raw"])
    def test_equal_pictures_give_equal_bytes(self, encoding: str) -> None:
        assert encode(draw_picture(40, 40), encoding, 90) == encode(draw_picture(40, 40), encoding, 90)


class TestDecodeInput:
    @pytest.mark.parametrize("quality", [30, 90, 100])
    @pytest.mark.parametrize("size", [(1, 1), (8, 8), (33, 47), (368, 368)])
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

    @pytest.mark.parametrize("kept", [2, 3, 200, -40])
    def test_a_truncated_jpeg_is_refused(self, kept: int) -> None:
        data = encode(draw_picture(64, 64), "jpeg", 90)
        with pytest.raises(ImageError, match="it: is not an image of 64x64 pixels, or is truncated"):
            decode_input(data[:kept], (64, 64), "it", np.zeros((64, 64, 3), np.uint8))

    @pytest.mark.parametrize("size", [(64, 32), (32, 64), (63, 64), (640, 640)])
    def test_a_jpeg_of_another_size_is_refused(self, size: tuple[int, int]) -> None:
        out = np.full((64, 64, 3), 7, np.uint8)
        with pytest.raises(ImageError, match="is not an image of 64x64 pixels"):
            decode_input(encode(draw_picture(*size), "jpeg", 90), (64, 64), "it", out)
        assert (out == 7).all()


class TestTransform:
    @pytest.mark.parametrize("degrees", [0, 33, -120])
    @pytest.mark.parametrize("scale", [0.6, 1.0, 3.1])
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
        assert np.abs(warp_linear(picture, affine, (50, 40)) - expected).max() <= 0.51

    @pytest.mark.parametrize("box", [(30.0, 20.0, 40.0, 90.0), (10.5, 60.2, 100.7, 20.1), (-0.5, 3.0, 30.0, 7.0)])
    @pytest.mark.parametrize("corners", [False, True])
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
