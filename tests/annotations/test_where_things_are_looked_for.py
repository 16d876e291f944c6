"""Where pictures and files are looked for, in which order, and what is passed over on the way."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from posegen.annotations import find_coco
from posegen.annotations.coco import paths
from posegen.annotations.coco.names import Names
from posegen.errors import ConfigError


def lay(root: Path, *names: str, text: str = '{"images": [{"file_name": "1.jpg"}]}') -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_directories_that_are_usual_are_asked_in_their_order(tmp_path: Path) -> None:
    usual = ("a", "images/a", "annotations/a", "annotations/images")
    for first in range(len(usual)):
        root = lay(tmp_path / str(first), "annotations/person_keypoints_a.json")
        for name in usual[first:]:
            (root / name).mkdir(parents=True)
        for path in (root, root / "annotations" / "person_keypoints_a.json"):
            assert find_coco(path).images == root / usual[first]  # none has the picture
        if first < 3:
            lay(root, f"{usual[-1]}/1.jpg")
            assert find_coco(root).images == root / usual[-1]
            lay(root, f"{usual[first]}/1.jpg")
            assert find_coco(root).images == root / usual[first]


def test_a_directory_of_another_name_is_found_by_the_first_names_that_can_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, text in enumerate((
        '{"file_name": "1.jpg"}', '{"file_name" :\n "1.jpg"}', '{"file_name": "\\u0031.jpg"}',
        '{"file_name": "\\q.jpg", "x": {"file_name": "1.jpg"}}', '{"file_name":"sub\\\\1.jpg"}',
        '{"file_name": "' + "y" * 300 + '", "x": {"file_name": "1.jpg"}}',
        '{"a": "' + "x" * 200 + '", "file_name": "1.jpg"}',
    )):  # fmt: skip
        monkeypatch.setattr(paths, "_PEEKED", 100)
        root = lay(tmp_path / str(number), "set/any.json", text=text)
        lay(root, "set/pictures/1.jpg", "set/pictures/sub/1.jpg", ".hidden/1.jpg", "set/.hidden/1.jpg")
        assert find_coco(root / "set" / "any.json").images == root / "set" / "pictures", text
    root = lay(tmp_path / "hidden", "set/any.json")
    lay(root, "set/.hidden/1.jpg")
    with pytest.raises(ConfigError) as caught:
        find_coco(root / "set" / "any.json")
    assert str(caught.value) == (
        f"no directory of images for {root}/set/any.json: expected {root}/any; name it with --images DIR"
    )
    assert find_coco(root / "set" / "any.json", need_images=False).images == root / "any"


def test_annotation_files_that_a_directory_has_are_named_from_two_folders_deep(tmp_path: Path) -> None:
    def said(root: Path) -> str:
        with pytest.raises(ConfigError) as caught:
            find_coco(root)
        return str(caught.value).removeprefix(f"{root}: expected annotations/person_keypoints_<split>.json in it, ")

    assert said(lay(tmp_path / "one", "a/b/c.JSON", "a/d.txt")) == (
        f"found none; it has a/b/c.JSON: one annotation file may be named itself, as in {tmp_path}/one/a/b/c.JSON"
    )
    assert said(lay(tmp_path / "five", "a/1.json", "b/2.json", "b/c/3.json")) == (
        "found none; it has a/1.json, b/2.json, b/c/3.json: one annotation file may be named itself, as in "
        f"{tmp_path}/five/a/1.json"
    )
    assert said(lay(tmp_path / "two", "a/b/c/d.json", ".e/f.json")) == "found none"
    assert said(lay(tmp_path / "three", "a/b/c.zip", "a/d.tar")) == "found none; it has a/d.tar: unpack that first"
    assert said(lay(tmp_path / "four", "a/c.zip", "e/d.json")) == (
        f"found none; it has e/d.json: one annotation file may be named itself, as in {tmp_path}/four/e/d.json"
    )


def test_what_may_be_meant_by_a_name_for_which_there_is_no_file_is_told(tmp_path: Path) -> None:
    lay(tmp_path, "b.jpg", "b c.jpg", "sub/d.jpg", "sub/d.png")
    names = Names(tmp_path)
    relative = f"is in {tmp_path}: name it so, or say with --images what names are relative to"
    for name, hint in (
        ("b", "; 'b.jpg' is there"), ("b.png", "; 'b.jpg' is there"), ("x/b.jpg", f"; 'b.jpg' {relative}"),
        ("x\\b.jpg", f"; 'b.jpg' {relative}"), ("x/b%20c.jpg", f"; 'b c.jpg' {relative}"), ("x/b", ""),
        ("x/y/sub/d.jpg", f"; 'sub/d.jpg' {relative}"), ("sub/d.gif", "; 'd.jpg', 'd.png' is there"), ("e.jpg", ""),
        ("x" * 300 + "/b.gif", ""), ("\0/b.gif", ""),
    ):  # fmt: skip
        found = names.find(name)
        assert (found, names.missing[name]) == (name, hint)
    nowhere = Names(tmp_path / "nothing")
    assert (nowhere.directory, nowhere.find("x/b.jpg"), nowhere.missing, [*nowhere.describe()]) == (
        None, "x/b.jpg", {}, [],
    )  # fmt: skip
    for name, said in (("../b.jpg", f"; 'b.jpg' {relative}"), ("../e.jpg", "")):
        with pytest.raises(ValueError, match="leaves the image directory") as caught:
            names.find(name)
        assert str(caught.value) == f"file_name {name!r} leaves the image directory{said}"


def test_what_cannot_be_opened_is_told_of_archives_and_left_to_be_told_of_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.json", "{}")
    inside = f"{tmp_path}/a.zip/a.json"
    for error, said in ((OSError(5, "it is gone", "/x/y"), "/x/y: it is gone"), (OSError("odd"), None)):

        def fail(*_: object, error: OSError = error, **options: bool) -> None:
            assert options == {"need_images": True}
            raise error

        monkeypatch.setattr(paths, "_find", fail)
        with pytest.raises(OSError, match=r"gone|odd") as raised:
            find_coco(tmp_path, images=tmp_path)
        assert raised.value is error
        for path, images in ((inside, None), (inside, tmp_path), (tmp_path, inside)):
            with pytest.raises(ConfigError) as caught:
                find_coco(path, images=images)
            assert str(caught.value) == (said or f"{path}: odd")
