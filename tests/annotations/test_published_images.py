"""Images as published datasets have them: their sizes, where they lie, and what their pixels are."""

from __future__ import annotations

import base64
import itertools
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import Run
from published import Dataset, check_person, encode, make_person, picture, points

from posegen.errors import ConfigError, ImageError
from posegen.images.codec import decode
from posegen.images.files import read_size


@pytest.fixture
def coco(tmp_path: Path) -> Dataset:
    return make_person(tmp_path)


class TestImages:
    def test_a_size_that_is_not_stated_is_read_from_the_picture(self, tmp_path: Path) -> None:
        for suffix in (".png", ".jpg", ".webp", ".bmp"):
            dataset = Dataset(tmp_path / suffix[1:])
            dataset.category(["nose"])
            dataset.image(f"a{suffix}", encode(picture(width=30, height=50), suffix), width=..., height=...)
            dataset.person([3, 4, 2])
            sample, audit = dataset.build()
            assert (sample["width"], sample["height"]) == (30, 50)
            assert "1 of 1 images state no size; it was read from their pictures" in audit["notes"]

    def test_a_size_that_is_null_or_a_whole_float_is_taken(self, coco: Dataset) -> None:
        coco.document["images"][0] |= {"width": None, "height": None}
        check_person(coco.build()[0], points(17))
        coco.document["images"][0] |= {"width": 64.0, "height": 48.0}
        check_person(coco.build()[0], points(17))

    def test_a_size_of_a_picture_that_is_not_there_is_refused(self, coco: Dataset) -> None:
        coco.document["images"][0] = {"id": 1, "file_name": "missing.png"}
        message = coco.refusal()
        assert "image 1: it has no 'width' and 'height', and its picture does not tell: " in message
        assert "missing.png: cannot be read" in message

    def test_a_size_is_read_through_a_link(self, coco: Dataset, tmp_path: Path) -> None:
        (tmp_path / "store.png").write_bytes(encode(picture()))
        (coco.images / "link.png").symlink_to(tmp_path / "store.png")
        coco.document["images"][0] = {"id": 1, "file_name": "link.png"}
        sample, _ = coco.build()
        check_person(sample, points(17))

    def test_images_are_found_where_the_file_names_lead(self, tmp_path: Path) -> None:
        places = [
            ("images/train", "a.png"),
            ("images/train", "deep/er/a.png"),
            ("images", "a.png"),
            ("train", "a.png"),
            (".", "train2017/a.png"),
            (".", "images/train/a.png"),
            ("annotations", "a.png"),
            ("annotations/pictures", "a.png"),
            ("data", "a.png"),
        ]
        for number, (images, name) in enumerate(places):
            dataset = Dataset(tmp_path / str(number), images=images)
            dataset.category(["nose"])
            dataset.image(name)
            dataset.person([3, 4, 2])
            sample, _ = dataset.build()
            np.testing.assert_array_equal(sample["picture"], picture())

    def test_images_that_several_directories_have_are_not_guessed(self, tmp_path: Path) -> None:
        for place in ("small", "large"):
            dataset = Dataset(tmp_path, images=place)
            dataset.category(["nose"])
            dataset.image()
            dataset.person([3, 4, 2])
        assert f"several directories have the images of {dataset.path}: " in dataset.refusal(ConfigError)

    def test_deep_gray_transparent_and_printed_pictures_are_built(self, coco: Dataset) -> None:
        colours = picture()
        gray = cv2.cvtColor(colours, cv2.COLOR_BGR2GRAY)
        deep = colours.astype(np.uint16) * 257
        alpha = np.dstack([colours, np.zeros((48, 64), np.uint8)])
        for data, expected in (
            (encode(deep), colours),
            (encode(deep, ".tiff"), colours),
            (encode(gray), np.dstack([gray] * 3)),
            (encode(gray.astype(np.uint16) * 257), np.dstack([gray] * 3)),
            (encode(alpha), colours),
            (encode(alpha.astype(np.uint16) * 257), colours),
        ):
            (coco.images / "a.png").write_bytes(data)
            np.testing.assert_array_equal(coco.build()[0]["picture"], expected)

    def test_a_jpeg_of_four_inks_has_its_colours(self) -> None:
        found = decode(base64.b64decode(CMYK), (16, 24), "a.jpg")
        for column, colour in ((3, (220, 40, 30)), (12, (30, 200, 60)), (20, (40, 60, 210))):
            assert np.abs(found[8, column, ::-1].astype(int) - colour).max() <= 4

    def test_the_size_is_that_of_the_stored_pixels(self, tmp_path: Path) -> None:
        start = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0"
        for orientation in (1, 3, 6):
            exif = start + bytes([orientation]) + b"\0\0\0\0\0\0"
            jpeg = encode(picture(), ".jpg")
            segment = b"\xff\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif  # with a fill byte
            (tmp_path / "a.jpg").write_bytes(jpeg[:2] + segment + jpeg[2:])
            assert read_size(tmp_path, "a.jpg") == (48, 64)

    def test_the_size_comes_from_the_header_alone(self, tmp_path: Path) -> None:
        for name in ("progressive.jpg", "gray.jpg", "a.png"):
            pixels = picture()[..., 0] if name == "gray.jpg" else picture()
            flags = [cv2.IMWRITE_JPEG_PROGRESSIVE, 1] if name == "progressive.jpg" else []
            data = cv2.imencode(Path(name).suffix, pixels, flags)[1].tobytes()
            start = data.index(b"IDAT") if name == "a.png" else data.index(b"\xff\xda")
            (tmp_path / name).write_bytes(data[:start])
            assert read_size(tmp_path, name) == (48, 64)

    def test_the_size_is_in_the_first_thirty_bytes(self, tmp_path: Path) -> None:
        kinds = [(".webp", 80, 3), (".webp", 101, 3), (".webp", 80, 4), (".bmp", 0, 3)]
        for (suffix, quality, channels), size in itertools.product(kinds, [(48, 64), (1, 1), (300, 7), (5, 4099)]):
            pixels = np.random.default_rng(0).integers(0, 256, (*size, channels), np.uint8)
            flags = [cv2.IMWRITE_WEBP_QUALITY, quality] if suffix == ".webp" else []
            data = cv2.imencode(suffix, pixels, flags)[1].tobytes()
            assert cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR).shape[:2] == size
            (tmp_path / "a").write_bytes(data[:30])
            assert read_size(tmp_path, "a") == size

    def test_what_is_no_picture_has_no_size(self, tmp_path: Path) -> None:
        for data in (b"", b"\xff\xd8", b"\xff\xd8\xff\xe0\0\x01", b"\x89PNG\r\n\x1a\n", b"GIF", b"x" * 99):
            (tmp_path / "a.jpg").write_bytes(data)
            with pytest.raises(ImageError, match=r"a\.jpg"):
                read_size(tmp_path, "a.jpg")


def test_an_audit_reads_sizes_from_the_named_directory(tmp_path: Path, run: Run) -> None:
    dataset = Dataset(tmp_path / "here", images="../there")
    dataset.category(["nose"])
    dataset.image(width=..., height=...)
    dataset.person([3, 4, 2])
    call = ["audit", dataset.write(), "--preset", "coco"]
    assert "there is no image" in run(*call).err or "cannot be read" in run(*call).err
    done = run(*call, "--images", dataset.images)
    assert "note: 1 of 1 images state no size; it was read from their pictures" in done.out.splitlines()


CMYK = (
    "/9j/7gAOQWRvYmUAZAAAAAAA/9sAQwADAgIDAgIDAwMDBAMDBAUIBQUEBAUKBwcGCAwKDAwLCgsLDQ4SEA0OEQ4LCxAWEBETFBUVFQwP"
    "FxgWFBgSFBUU/8AAFAgAEAAYBEMRAE0RAFkRAEsRAP/EAB8AAAEFAQEBAQEBAAAAAAAAAAABAgMEBQYHCAkKC//EALUQAAIBAwMCBAMF"
    "BQQEAAABfQECAwAEEQUSITFBBhNRYQcicRQygZGhCCNCscEVUtHwJDNicoIJChYXGBkaJSYnKCkqNDU2Nzg5OkNERUZHSElKU1RVVldY"
    "WVpjZGVmZ2hpanN0dXZ3eHl6g4SFhoeIiYqSk5SVlpeYmZqio6Slpqeoqaqys7S1tre4ubrCw8TFxsfIycrS09TV1tfY2drh4uPk5ebn"
    "6Onq8fLz9PX29/j5+v/aAA4EQwBNAFkASwAAPwD71r4Ur8+q/VOvwFr9q69Qorar8iq/ZCiv3gria/B+ivwFr9q69Qorar8iq/ZCiv/Z"
)
"""A JPEG of 24x16 pixels in cyan, magenta, yellow and black, as printers' tools write it: red, green, blue."""
