"""What is told of an annotation file without reading it: whose keypoints it has, and where it lies in archives."""

from __future__ import annotations

import json
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
from conftest import KEYPOINTS, Coco

from posegen.annotations import fits_skeleton
from posegen.annotations.coco.packed import find_folder, find_packed, list_archives
from posegen.annotations.coco.segmentation import read_regions
from posegen.skeleton import COCO_17, OPENPOSE_18, Skeleton
from posegen.storage.archives import ArchivePath

ANIMAL = Skeleton(name="animal", keypoints=("tail", "paw"), aliases=(("foot", "paw"),))


def fits(path: Path, document: dict[str, Any] | str, skeleton: Skeleton, encoding: str = "utf-8") -> bool:
    path.write_text(document if isinstance(document, str) else json.dumps(document), encoding=encoding)
    return fits_skeleton(path, skeleton)


def test_a_skeleton_fits_a_file_whose_categories_name_all_that_it_is_derived_from(coco: Coco, tmp_path: Path) -> None:
    path, document = tmp_path / "a.json", coco.document
    for skeleton, expected in ((COCO_17, True), (OPENPOSE_18, True), (ANIMAL, False)):
        assert fits(path, document, skeleton) is expected
    document["categories"].insert(0, {"id": 3, "name": "cat", "keypoints": ["foot", "tail", "ear"]})
    assert fits(path, document, ANIMAL)
    document["categories"][0]["keypoints"] = ["foot", "ear"]
    assert not fits(path, document, ANIMAL)
    # Names that are numbers name nothing.
    document["categories"] = [{"id": 1, "name": "person", "keypoints": ["0", "1.5"]}]
    assert not fits(path, document, ANIMAL)


def test_it_is_found_wherever_it_stands_and_in_whatever_encoding(coco: Coco, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    first = {"categories": coco.document["categories"], "images": [], "annotations": []}
    for encoding in ("utf-8", "utf-16", "utf-32"):
        for before, behind in ((0, 0), (300_000, 0), (0, 300_000), (300_000, 300_000)):
            document = {"before": "x" * before, **first, "behind": "y" * behind}
            assert fits(path, document, COCO_17, encoding), (encoding, before, behind)
            assert not fits(path, document, ANIMAL, encoding), (encoding, before, behind)


def test_without_names_keypoints_are_nobody_s_and_no_keypoints_are_anybody_s(coco: Coco, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    for keypoints, expected in (
        ([1, 2, 2], False), ([-1.5, 2, 2], False), ([[1, 2, 2]], False), ([], True), (None, True), ("a", True),
    ):  # fmt: skip
        for document in (
            {"annotations": [{"keypoints": keypoints}]},
            {"annotations": [{"keypoints": keypoints}], "categories": []},
        ):
            assert fits(path, json.dumps(document, indent=2), COCO_17) is expected, keypoints
    assert fits(path, '{"keypoints": ["nose", "left_', COCO_17)
    assert fits(
        path, '{"keypoints" : ["no\\qse"], "b": {"keypoints":[' + ", ".join(f'"{k}"' for k in KEYPOINTS) + "]}", COCO_17
    )
    assert fits_skeleton(tmp_path / "nothing.json", ANIMAL)
    assert fits_skeleton(tmp_path, ANIMAL)


def test_of_a_large_file_whose_categories_come_last_only_the_end_is_read(
    coco: Coco, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"before": "x" * 300_000, "categories": coco.document["categories"]}))
    monkeypatch.setattr(Path, "read_bytes", lambda self: pytest.fail("that takes long"))
    assert fits_skeleton(path, COCO_17)


def write_zip(path: Path, *names: str) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, name)
    return path


def test_archives_stand_beside_the_folder_that_they_would_be_unpacked_to(tmp_path: Path) -> None:
    write_zip(tmp_path / "train.zip", "a.jpg")
    with tarfile.open(tmp_path / "train.tar", "w") as archive:
        archive.add(tmp_path / "train.zip", "b.zip")
    write_zip(tmp_path / "val.zip", "a.jpg")
    (tmp_path / "spoilt.zip").write_bytes(b"PK\x03\x04 and nothing else")
    (tmp_path / "folder.zip").mkdir()
    found = [place for place in find_packed(tmp_path / "train") if isinstance(place, ArchivePath)]
    assert sorted(place.file.name for place in found) == ["train.tar", "train.zip"]
    assert [*find_packed(tmp_path / "spoilt"), *find_packed(tmp_path / "folder"), *find_packed(found[0] / "x")] == []
    for prefix, expected in (("", ["train.tar", "train.zip", "val.zip"]), ("va", ["val.zip"]), ("x", [])):
        assert sorted(place.file.name for place in list_archives(tmp_path, prefix)) == expected
    assert [*list_archives(tmp_path / "nothing"), *list_archives(found[0])] == []


def test_the_folder_of_pictures_is_looked_for_three_folders_deep_and_first_where_it_is_likely(tmp_path: Path) -> None:
    asked: list[str] = []

    def find(*names: str, likely: tuple[str, ...] = ()) -> str | None:
        (place,) = list_archives(write_zip(tmp_path / "a.zip", *names).parent)
        asked.clear()

        def holds(folder: Any) -> bool:
            asked.append(str(folder).removeprefix(str(place)))
            return (folder / "a.jpg").is_file()

        found = find_folder(place, holds, likely)
        return None if found is None else str(found).removeprefix(str(place))

    assert find("a.jpg", "b/a.jpg") == ""
    assert find("b/c/a.jpg") == "/b/c"
    assert asked == ["", "/b", "/b/c"]
    assert find("b/c/d/a.jpg") is None
    assert find("b/a.jpg", "c/a.jpg", likely=("c",)) == "/c"
    assert asked == ["", "/c"]
    assert find_folder(tmp_path, lambda folder: folder == tmp_path) == tmp_path
    assert find_folder(tmp_path, lambda folder: folder != tmp_path) is None


def test_regions_to_be_ignored_are_lists_of_x_and_of_y() -> None:
    def read(x: Any, y: Any) -> Any:
        return [shape.segmentation for shape in read_regions({"ignore_regions_x": x, "ignore_regions_y": y})]

    assert read_regions({}) == ()
    assert read(None, None) == read([], []) == []
    assert read([1, 5, 3], [2, 2, 9]) == read([[1, 5, 3]], [[2, 2, 9]]) == [[[1, 2, 5, 2, 3, 9]]]
    assert read([[1, 5, 3], [0, 1], [7, 8, 8.5]], [[2, 2, 9], [0, 1], [0, 0, 4]]) == [
        [[1, 2, 5, 2, 3, 9]], [[7, 0, 8, 0, 8.5, 4]],
    ]  # fmt: skip
    assert all(
        shape.bbox is None for shape in read_regions({"ignore_regions_x": [1, 5, 3], "ignore_regions_y": [2, 2, 9]})
    )
    for x, y in (
        ([1, 2, 3], [1, 2]), ([[1, 2, 3]], []), ([], [[1, 2, 3]]), ("abc", "abc"), ([[1, 2, 3]], [[1, 2, "3"]]),
        ([[1, 2, "3"]], [[1, 2, 3]]), ([[1, 2, 3], [1]], [[1, 2, 3]]), ([[1, 2]], [[1]]), ({}, [[1, 2, 3]]), (5, 5),
    ):  # fmt: skip
        with pytest.raises(ValueError) as caught:  # noqa: PT011 (the whole of it is compared)
            read(x, y)
        assert str(caught.value) == (
            "'ignore_regions_x' and 'ignore_regions_y' must be lists of as many x as y for each region"
        )
