"""Where values are just within what is taken and just beyond it, and words that stand for one."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Coco
from reading import afresh, explain, people, read

from posegen.annotations import read_coco
from posegen.annotations.audit import Audit
from posegen.annotations.coco import held
from posegen.annotations.coco.checks import are_numbers, as_flag, as_whole, is_number, is_size
from posegen.annotations.coco.keypoints import are_pairs
from posegen.annotations.coco.paths import find_coco
from posegen.config import BuildConfig
from posegen.errors import ConfigError
from posegen.storage import find_place

BESIDE = "most keypoints lie outside the person's box"


def check(points: list[tuple[float, ...]], bbox: list[float] | None, size: tuple[int, int] = (90, 90)) -> Audit:
    """Check a person with these x, y and, unless it is 2, v."""
    audit = Audit()
    keypoints = np.array([[*point, 2][:3] for point in points], float)
    entry = {"id": 1, "bbox": bbox, "area": 1, "iscrowd": 0, "segmentation": []}
    audit.check(entry | {"num_keypoints": len(points)}, keypoints, size)
    return audit


def test_two_keypoints_of_one_point_are_noticed_whatever_their_visibility_and_once_a_person() -> None:
    for a in (0, 1, 2):
        for b in (0, 1, 2):
            audit = Audit()
            audit.check_pairs(3, np.array([[4.0, 5, a], [4, 5, b], [6, 5, 1], [6, 8, 1], [9, 8, 1]]), [(2, 3), (0, 1)])
            audit.check_pairs(4, np.array([[4.0, 5, a], [4, 5, b]] * 2), [(0, 1), (2, 3)], "4.jpg")
            found = {"left and right keypoint at one point": 2 if a else 0}
            assert dict(audit.noticed) == (found if a and b else {})
    assert audit.pictures == {"left and right keypoint at one point": ["4.jpg"]}
    audit = Audit()
    audit.check_pairs(5, np.array([[6.0, 5, 1], [6, 8, 1], [9, 8, 1]]), [(0, 1), (1, 2)])
    assert not audit.noticed


def test_keypoints_lie_beside_a_box_from_a_tenth_of_its_sides_and_a_pixel_on() -> None:
    for x, y in ((7, 30), (33, 30), (20, 15), (20, 65), (7, 15), (33, 65)):
        assert BESIDE not in check([(x, y), (x, y)], [10, 20, 20, 40]).noticed
    for x, y in ((6.9, 30), (33.1, 30), (20, 14.9), (20, 65.1)):
        assert BESIDE in check([(x, y), (x, y, 1)], [10, 20, 20, 40]).noticed
        assert BESIDE in check([(x, y), (x, y), (20, 30)], [10, 20, 20, 40]).noticed
        assert BESIDE not in check([(x, y), (x, y), (20, 30), (20, 30)], [10, 20, 20, 40]).noticed
        assert BESIDE not in check([(x, y)], [10, 20, 20, 40]).noticed


def test_a_box_may_reach_out_by_a_pixel() -> None:
    for left, top, right, bottom in ((1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1)):
        for by, over in ((1, False), (1.01, True)):
            box = [-left * by, -top * by, 40 + (left + right) * by, 30 + (top + bottom) * by]
            audit = check([(5, 5), (6, 6)], box, (30, 40))
            assert ("box reaches out of the image" in audit.noticed) is over
            assert audit.tallies["boxes that reach out"] == over


def test_who_lies_in_the_first_pixel_or_at_its_corner_is_told_from_who_does_not() -> None:
    origin = "keypoint labelled at exactly 0,0"
    for points, first, at_origin in (
        ([(0.5, 0.5), (0.5, 0.7)], 1, False), ([(0.5, 0.5), (0.7, 0.5)], 1, False), ([(0.5, 0.5)] * 2, 0, False),
        ([(1, 1), (0, 0)], 1, True), ([(1.01, 1), (0, 1)], 0, False), ([(0, 5), (5, 0)], 0, False),
        ([(-0.1, 0.5), (0.5, 0.5)], 0, False), ([(0, 0, 1), (5, 5)], 0, True), ([(-1, -2), (0, 0)], 0, True),
    ):  # fmt: skip
        audit = check(points, None)
        assert (audit.tallies["people within one pixel"], origin in audit.noticed) == (first, at_origin), points


def test_a_box_fits_as_corners_that_keypoints_leave_by_no_more_than_a_pixel() -> None:
    for points, box, fits in (
        ([(9, 19), (41, 51)], [10, 20, 40, 50], True), ([(8.9, 19), (41, 51)], [10, 20, 40, 50], False),
        ([(9, 18.9), (41, 51)], [10, 20, 40, 50], False), ([(9, 19), (41.1, 51)], [10, 20, 40, 50], False),
        ([(9, 19), (41, 51.1)], [10, 20, 40, 50], False), ([(40, 30)], [40, 20, 40, 50], False),
        ([(30, 50)], [10, 50, 40, 50], False),
    ):  # fmt: skip
        assert check(points, box).tallies["boxes that fit as corners"] == fits, (points, box)
    for count, noted in ((1, False), (2, True)):
        audit = Audit()
        for _ in range(count):
            audit.check({"id": 1, "bbox": [10, 20, 80, 80]}, np.array([[20.0, 30, 2]]), (85, 85))
        audit.note_corners()
        assert bool(audit.notes) is noted


def test_of_several_examples_the_first_has_its_picture_and_older_records_have_none() -> None:
    audit = Audit()
    for number in (7, 8, 9):
        audit.notice("odd", number, f"{number}.jpg")
    assert audit.describe() == ["noticed: odd: 3 annotations, such as 7 (7.jpg), 8, 9"]
    record = audit.to_dict()
    assert "sources" not in record
    assert "bad_pictures" not in record
    del record["pictures"]
    assert Audit.from_dict(record).describe() == ["noticed: odd: 3 annotations, such as 7, 8, 9"]
    assert Audit.from_dict(record | {"bad_pictures": {"a": "b"}}).bad_pictures == {"a": "b"}


def test_words_and_numbers_that_stand_for_a_flag_are_these() -> None:
    for flag, values in (
        (False, (None, False, 0, 0.0, "0", "0.0", "false", "no", "", " No ", "FALSE")),
        (True, (True, 1, 1.0, "1", "1.0", "true", "yes", " TRUE ", "Yes")),
        (None, (2, -1, 0.5, "2", "maybe", "y", [], {}, [1])),
    ):
        for value in values:
            assert as_flag(value) is flag, value


def test_numbers_are_taken_up_to_the_largest_that_are_exact() -> None:
    most = 2.0**53
    for value, whole in (
        (7, 7), (7.0, 7), ("7", 7), (" -7.0 ", -7), ("+7.", 7), ("7.5", None), (7.5, None), (True, None), ("", None),
        (most, 1 << 53), (-most, -(1 << 53)), (most + 2, None), ("9" * 18, int("9" * 18)), ("1" * 19, int("1" * 19)),
        ("9" * 19, None), ("0" * 20, None), (None, None), ([7], None), ((1 << 63) - 1, (1 << 63) - 1), (1 << 63, None),
    ):  # fmt: skip
        found = as_whole(value)
        assert (found, type(found)) == (whole, type(whole)), value
    below = np.nextafter(1e15, 0).item()
    for value, taken in (
        (0, True), (below, True), (-below, True), (1e15, False), (-1e15, False), (float("nan"), False),
        (True, False), ("1", False), (10**400, False),
    ):  # fmt: skip
        assert (is_number(value), are_numbers([1, value])) == (taken, taken), value
    assert [are_numbers([3, value], 3, 5) for value in (2.9, 3, 5, 5.1)] == [False, True, True, False]
    assert are_numbers([])
    assert not are_numbers((1, 2))
    assert [is_size(value) for value in (1, 640.0, 0, 0.5, 1.5, -1, True)] == [True, True, *[False] * 5]


def test_pairs_are_as_many_as_the_keypoints_and_all_of_two_numbers() -> None:
    for values, pairs in (
        ([1, 2, 3, 4], True), ([[1, 2], [3, 4]], True), ([[1, 2]], False), ([[1, 2, 3], [4, 5, 6]], False),
        ([[1, 2], [3, 4], [5, 6]], False), ([[1, 2], [3]], False), ([1, 2, 3], False), ("abcd", False), (None, False),
    ):  # fmt: skip
        assert are_pairs(values, 2) is pairs, values


def test_without_pictures_nothing_is_turned(coco: Coco) -> None:
    expected = people(read(coco))
    for directory in (None, coco.root / "nothing"):
        found = read_coco(coco.annotations, BuildConfig(exif="shown"), directory)
        assert ({s.image_id: s.annotation_ids.tolist() for s in found.samples}, found.audit.notes) == (expected, [])


def test_a_picture_of_the_most_pixels_is_taken_and_a_larger_one_refused(coco: Coco) -> None:
    (image, _), whole = coco.document["images"], people(read(coco))
    for height in afresh(coco, (16384, 16385)):
        image = coco.document["images"][0]
        image |= {"width": 16384, "height": height}
        if height == 16384:
            assert people(read(coco)) == whole
        else:
            assert explain(coco) == (
                f"{coco.annotations}: 1 bad entry\n  image 100: 16384x16385 pixels are more than the 268435456 that "
                "are decoded\nmend or remove them and run again"
            )


def test_one_side_in_text_is_enough_and_one_that_is_missing_is_not(coco: Coco) -> None:
    width, height = (coco.document["images"][0][side] for side in ("width", "height"))
    for sides in afresh(coco, ((str(width), height), (width, str(height)), (f"{width}.0", float(height)))):
        coco.document["images"][0] |= {"width": sides[0], "height": sides[1]}
        assert (read(coco).samples[0].width, read(coco).samples[0].height) == (width, height)
    for sides in afresh(coco, ((None, height), (width, None), (0, height), (width, ""), (0.5, height))):
        coco.document["images"][0] |= {"width": sides[0], "height": sides[1]}
        assert f"must be whole numbers from 1 on, not {sides[0]!r} and {sides[1]!r}" in explain(coco)


def test_folders_that_have_images_beside_them_and_files_that_are_packed_are_called_so(tmp_path: Path) -> None:
    for folder in ("annotations", "annotation", "json", "labels", "other"):
        root = tmp_path / folder
        (root / folder).mkdir(parents=True)
        (root / "pictures").mkdir()
        (root / "pictures" / "1.jpg").touch()
        (root / folder / "a.json").write_text('{"images": [{"file_name": "1.jpg"}]}')
        if folder == "other":
            with pytest.raises(ConfigError) as caught:
                find_coco(root / folder / "a.json")
            assert str(caught.value) == (
                f"no directory of images for {root}/other/a.json: expected {root}/a; name it with --images DIR"
            )
        else:
            assert find_coco(root / folder / "a.json").images == root / "pictures"
    for suffix in (".zip", ".tar", ".gz", ".tgz", ".xz", ".bz2", ".7z", ".zst", ".ZIP", ".rar"):
        root = tmp_path / f"packed{suffix}"
        root.mkdir()
        (root / f"a{suffix}").write_bytes(b"nothing")
        said = f"; it has a{suffix}: unpack that first" if suffix != ".rar" else ""
        with pytest.raises(ConfigError) as caught:
            find_coco(root)
        assert (
            str(caught.value) == f"{root}: expected annotations/person_keypoints_<split>.json in it, found none{said}"
        )


def test_where_something_is_missing_or_may_be_several_things_is_said_word_by_word(tmp_path: Path) -> None:
    def said(path: Path, **options: Any) -> str:
        with pytest.raises(ConfigError) as caught:
            find_coco(path, **options)
        return str(caught.value)

    root = tmp_path / "root"
    for name in ("annotations", "a", "b"):
        (root / name).mkdir(parents=True)
    for split in "ab":
        (root / "annotations" / f"person_keypoints_{split}.json").write_text('{"images": [{"file_name": "1.jpg"}]}')
    file = root / "annotations" / "person_keypoints_a.json"
    assert said(root) == f"{root} has several splits: a, b; choose one with --split"
    assert said(root, split="c") == f"{root} has no split 'c'; it has a, b"
    assert said(file, split="a") == f"a split (a) goes with a COCO root, but {file} is one annotation file"
    assert said(root / "c") == f"{root}/c: no such file or directory; expected a COCO root or an annotation file"
    assert said(root, split="a", images=root / "c") == f"{root}/c: no such image directory"
    (root / "a").rmdir()
    for name in ("one", "two"):
        (root / name).mkdir()
        (root / name / "1.jpg").touch()
    assert said(root, split="a") == (
        f"several directories have the images of {file}: {root}/one, {root}/two; name one with --images DIR"
    )


def test_files_of_an_archive_are_held_until_they_are_read_and_no_more_of_them_than_so_many_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name in "123":
            archive.writestr(f"{name}.json", name * 6)
    one, two, three = (find_place(f"{tmp_path}/a.zip/{name}.json") for name in "123")
    monkeypatch.setattr(held, "_held", {})
    monkeypatch.setattr(held, "_hashes", {})
    monkeypatch.setattr(held, "_MOST_BYTES", 12)
    for place, names in ((one, "1"), (two, "12"), (one, "12"), (three, "23")):
        assert held.open_held(place).read() == held.hold(place) == place.read_bytes()
        assert "".join(data.decode()[0] for data in held._held.values()) == names
    assert held.take(two) == b"222222"
    assert [*held._held.values()] == [b"333333"]
    monkeypatch.setattr(held, "_MOST_BYTES", 3)
    assert held.take(two) == held.hold(two) == b"222222"
    assert [*held._held.values()] == [b"222222"]
    known = held.hash_annotations(two)
    monkeypatch.setattr(held, "hash_file", lambda path: f"hashed {path.name}")
    assert (held.hash_annotations(two), held.hash_annotations(one)) == (known, "hashed 1.json")
    monkeypatch.setattr(held, "identify", lambda path: (_ for _ in ()).throw(OSError(str(path))))
    assert held.hash_annotations(two) == "hashed 2.json"
