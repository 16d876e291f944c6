"""EXIF orientations: read from each kind of file, applied or counted, and decided on where points tell."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from conftest import Coco, encode

from posegen.annotations import read_annotations
from posegen.build.decoding import decode_all
from posegen.config import BuildConfig
from posegen.errors import AnnotationError
from posegen.images.codec import decode, find_unturned
from posegen.images.exif import find_orientation, is_sideways
from posegen.images.files import read_size, read_turn


def tiff(orientation: int, order: str = ">") -> bytes:
    """Make a TIFF block with another tag and the orientation."""
    head = b"MM\0*" if order == ">" else b"II*\0"
    entries = struct.pack(f"{order}HHIHH", 0x010F, 3, 1, 7, 0) + struct.pack(
        f"{order}HHIHH", 0x0112, 3, 1, orientation, 0
    )
    return head + struct.pack(f"{order}IH", 8, 2) + entries + b"\0" * 4


def with_orientation(jpeg: bytes, orientation: int, order: str = ">") -> bytes:
    block = b"Exif\0\0" + tiff(orientation, order)
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + jpeg[2:]


def picture(height: int = 20, width: int = 30) -> bytes:
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[:4, :4] = 255
    return encode(pixels, ".jpg")


class TestReading:
    def test_each_orientation_is_read_in_either_byte_order(self) -> None:
        for orientation in range(1, 9):
            for order in "<>":
                assert find_orientation(with_orientation(picture(), orientation, order)) == orientation

    def test_png_and_webp_have_it_in_chunks(self) -> None:
        png = encode(np.zeros((4, 4, 3), np.uint8), ".png")
        body = tiff(6)
        chunk = struct.pack(">I", len(body)) + b"eXIf" + body + struct.pack(">I", zlib.crc32(b"eXIf" + body))
        assert find_orientation(png[:33] + chunk + png[33:]) == 6
        data = b"VP8X" + struct.pack("<I", 10) + b"\x08" + b"\0" * 9 + b"EXIF" + struct.pack("<I", len(body)) + body
        assert find_orientation(b"RIFF" + struct.pack("<I", len(data) + 4) + b"WEBP" + data) == 6

    def test_what_states_none_or_is_damaged_is_as_stored(self) -> None:
        whole = with_orientation(picture(), 6)
        assert (
            find_orientation(picture())
            == find_orientation(b"")
            == find_orientation(with_orientation(picture(), 9))
            == 1
        )
        for length in range(60):
            assert find_orientation(whole[:length]) in {1, 6}


class TestDecoding:
    def test_shown_turns_and_stored_does_not(self) -> None:
        data = with_orientation(picture(), 3)
        assert decode(data, (20, 30), "a")[:4, :4].mean() > 200
        assert decode(data, (20, 30), "a", shown=True)[-4:, -4:].mean() > 200
        assert (find_unturned(data, (20, 30)), find_unturned(picture(), (20, 30))) == (3, 0)

    def test_a_size_that_is_turned_is_applied_and_so_not_counted(self) -> None:
        data = with_orientation(picture(), 6)
        assert find_unturned(data, (30, 20)) == 0
        assert find_unturned(data, (20, 30)) == 6
        assert is_sideways(6)
        assert not is_sideways(4)

    def test_sizes_are_read_as_stored_or_as_shown(self, tmp_path: Path) -> None:
        (tmp_path / "a.jpg").write_bytes(with_orientation(picture(), 8))
        assert read_size(tmp_path, "a.jpg") == (20, 30)
        assert read_size(tmp_path, "a.jpg", shown=True) == (30, 20)
        assert read_turn(tmp_path, "a.jpg") == 8


@pytest.fixture
def sideways(tmp_path: Path) -> Coco:
    """A picture of 30x20 stored pixels that is shown as 20x30, with points that fit only that."""
    coco = Coco(tmp_path / "coco")
    coco.image(30, 20, "a.jpg", data=with_orientation(picture(), 6))
    coco.person(100, [v for k in range(17) for v in (k, 12 + k, 2)], bbox=[0, 12, 17, 17])
    return coco


class TestDeciding:
    def test_points_that_fit_only_the_picture_as_shown_are_refused_with_both_ways_out(self, sideways: Coco) -> None:
        sideways.write()
        with pytest.raises(AnnotationError) as caught:
            read_annotations(sideways.annotations, BuildConfig(), images=sideways.images)
        assert str(caught.value) == (
            f"{sideways.annotations}: the points of 1 images, such as a.jpg, leave the 30x20 pixels that are stored, "
            "but fit the 20x30 that are shown: the annotating tool turned these pictures by their EXIF orientation. "
            "--exif shown turns all pictures so; --exif stored takes the points as they are"
        )
        stored = read_annotations(sideways.annotations, BuildConfig(exif="stored"), images=sideways.images)
        shown = read_annotations(sideways.annotations, BuildConfig(exif="shown"), images=sideways.images)
        assert (stored.samples[0].width, stored.samples[0].height) == (30, 20)
        assert (shown.samples[0].width, shown.samples[0].height) == (20, 30)
        assert "keypoint outside the image" not in shown.audit.noticed
        assert shown.audit.notes == [
            (
                "1 of 1 pictures are turned by their EXIF orientation, such as a.jpg; they are read as they are shown, "
                "and so must be their annotations"
            )
        ]

    def test_a_size_that_is_neither_of_a_turned_picture_stays_as_it_is_stated(self, sideways: Coco) -> None:
        for stated, shown in (((30, 20), (20, 30)), ((20, 30), (20, 30)), ((31, 20), (31, 20)), ((30, 40), (30, 40))):
            sideways.document["images"][0] |= {"width": stated[0], "height": stated[1]}
            sideways.write()
            found = read_annotations(sideways.annotations, BuildConfig(exif="shown"), images=sideways.images)
            assert (found.samples[0].width, found.samples[0].height) == shown

    def test_points_may_lie_a_pixel_outside(self, tmp_path: Path) -> None:
        for number, (far, near, refused) in enumerate((
            (21.0, 0, False), (21.5, 0, True), (30.5, 0, True), (31.5, 0, False), (25.0, -1, True), (25.0, -1.5, False)
        )):  # fmt: skip
            coco = Coco(tmp_path / str(number))
            coco.image(30, 20, "a.jpg", data=with_orientation(picture(), 6))
            points = [v for k in range(17) for v in (5, 6 + k / 4, 2)]
            points[:2] = near, far
            coco.person(100, points, bbox=[0, 0, 10, 20])
            coco.write()
            # Both ways of reading, the one that judges all at once and that of each by itself.
            for stated in (30, 0):
                coco.document["images"][0] |= {"width": stated, "height": 20 if stated else 0}
                coco.write()
                try:
                    found = read_annotations(coco.annotations, BuildConfig(), images=coco.images)
                except AnnotationError:
                    assert stated
                    assert refused, (far, near)
                else:
                    assert found.samples[0].height == (30 if refused and not stated else 20), (far, near)

    def test_without_a_stated_size_the_picture_is_read_as_its_points_fit(self, sideways: Coco) -> None:
        sideways.document["images"][0] |= {"width": 0, "height": 0}
        sideways.write()
        found = read_annotations(sideways.annotations, BuildConfig(), images=sideways.images)
        assert (found.samples[0].width, found.samples[0].height) == (20, 30)
        assert not found.audit.noticed
        assert found.audit.notes == [
            "1 of 1 images state no size; it was read from their pictures",
            (
                "1 of them lie on their side by their EXIF orientation, and their points fit only the picture as it is "
                "shown, such as a.jpg; they are read as shown"
            ),
        ]

    def test_orientations_that_were_not_applied_are_counted(self, tmp_path: Path) -> None:
        coco = Coco(tmp_path / "coco")
        for value in (3, 3, 1):
            coco.person(coco.image(30, 20, data=with_orientation(picture(), value)))
        coco.write()
        found = read_annotations(coco.annotations, BuildConfig(), images=coco.images)
        assert decode_all(found, BuildConfig(), lambda *_: None) == {}
        assert (
            sum("EXIF orientation 3 (upside down) not applied" in n and "2 pictures" in n for n in found.audit.notes)
            == 1
        )
