"""File names that are not quite those of the files: found with a note, or refused with what would fit."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from conftest import Coco
from reading import afresh

from posegen.annotations import Annotations, find_annotations, read_annotations
from posegen.annotations.coco.names import leaves
from posegen.config import BuildConfig
from posegen.errors import AnnotationError, ConfigError


def read(coco: Coco, config: BuildConfig | None = None) -> Annotations:
    coco.write()
    return read_annotations(coco.annotations, config or BuildConfig(), images=coco.images)


@pytest.fixture
def deep(coco: Coco) -> Coco:
    """A dataset whose first picture is `sub/Größe 1.jpg`."""
    (coco.images / "sub").mkdir()
    image = coco.document["images"][0]
    (coco.images / image["file_name"]).rename(coco.images / "sub" / unicodedata.normalize("NFD", "Größe 1.jpg"))
    return coco


class TestNames:
    def test_a_file_is_found_however_its_name_is_written(self, deep: Coco) -> None:
        stored = "sub/" + unicodedata.normalize("NFD", "Größe 1.jpg")
        for written, said in (
            (stored, ""),
            (f"./{stored}", ""),
            (stored.replace("/", "\\"), "with \\ for /"),
            (f"/{stored}", "with a slash in front"),
            (f"{deep.images.as_posix()}/{stored}", "from the root on"),
            ("sub/Größe 1.jpg", "in another form of Unicode"),
            ("SUB/GRÖSSE 1.JPG", "in another case"),
            ("sub/gr%C3%B6%C3%9Fe%201.jpg", "in another case"),
        ):
            deep.document["images"][0]["file_name"] = written
            found = read(deep)
            assert found.samples[0].file_name.removeprefix("./") == stored, written
            assert not found.missing
            assert sum(note.startswith("1 file name written ") for note in found.audit.notes) == bool(said)
            assert any(said in note for note in found.audit.notes) or not said

    def test_two_files_that_differ_in_case_alone_are_not_guessed_between(self, deep: Coco) -> None:
        (deep.images / "A.jpg").write_bytes(b"1")
        (deep.images / "a.jpg").write_bytes(b"2")
        deep.document["images"][0]["file_name"] = "a.JPG"
        assert "a.JPG" in read(deep).missing

    def test_a_name_that_is_missing_says_what_would_fit(self, deep: Coco) -> None:
        other = deep.document["images"][1]["file_name"]
        for written, hint in (
            (f"train/{other}", f"'{other}' is in"),
            (other.replace(".jpg", ".png"), f"'{other}' is there"),
            ("nothing.jpg", ""),
        ):
            deep.document["images"][0]["file_name"] = written
            found = read(deep)
            assert [*found.missing] == [written]
            assert hint in found.missing[written]

    def test_all_that_are_called_alike_are_named(self, deep: Coco) -> None:
        for ending in ("png", "bmp"):
            (deep.images / f"sub/two.{ending}").write_bytes(b"1")
        deep.document["images"][0]["file_name"] = "sub/two.jpg"
        assert read(deep).missing["sub/two.jpg"].endswith("; 'two.bmp', 'two.png' is there")

    def test_a_name_that_leads_out_is_refused_even_if_the_file_is_there(self, deep: Coco, tmp_path: Path) -> None:
        (tmp_path / "secret.jpg").write_bytes(b"1")
        other = deep.document["images"][1]["file_name"]
        for written in (f"..\\..\\media\\{other}", f"C:\\media\\{other}", f"/media/{other}", "../../secret.jpg"):
            deep.document["images"][0]["file_name"] = written
            with pytest.raises(AnnotationError, match="leaves the image directory") as caught:
                read(deep)
            assert (f"'{other}' is in" in str(caught.value)) == (other in written)

    def test_what_leaves_is_told_by_the_words_alone(self) -> None:
        for name in ("../a", "a/../../b", "a\\..\\b", "/a", "\\a", "c:/a", "C:\\a"):
            assert leaves(name), name
        for name in ("a", "a/b", "a..b", "..a", "a\\b", "c:a", ":/a"):
            assert not leaves(name), name

    def test_links_to_files_and_through_folders_are_followed(self, coco: Coco, tmp_path: Path) -> None:
        store = tmp_path / "store"
        store.mkdir()
        for path in list(coco.images.iterdir()):
            path.rename(store / path.name)
        coco.images.rmdir()
        coco.images.symlink_to(store)
        assert not read(coco).missing
        coco.images.unlink()
        coco.images.mkdir()
        for path in store.iterdir():
            (coco.images / path.name).symlink_to(path)
        assert not read(coco).missing

    def test_without_a_directory_names_stay_as_they_are(self, coco: Coco) -> None:
        coco.document["images"][0]["file_name"] = "a\\b.jpg"
        coco.write()
        found = read_annotations(coco.annotations, BuildConfig(), images=None, need_images=False)
        assert found.samples[0].file_name == "a\\b.jpg"


class TestDirectories:
    def test_a_directory_that_is_no_root_lists_the_annotation_files_it_has(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match=r"found none$"):
            find_annotations(tmp_path)
        (tmp_path / "all.zip").write_bytes(b"PK")
        with pytest.raises(ConfigError, match=r"it has all.zip: unpack that first"):
            find_annotations(tmp_path)
        (tmp_path / "train").mkdir()
        for name in ("_annotations.coco.json", "b.json"):
            (tmp_path / "train" / name).write_text("{}")
        with pytest.raises(
            ConfigError, match=r"it has train/_annotations.coco.json, train/b.json: one .* as in"
        ) as caught:
            find_annotations(tmp_path)
        assert str(caught.value).endswith(str(tmp_path / "train" / "_annotations.coco.json"))

    def test_pictures_are_found_by_names_with_backslashes_and_slashes_in_front(self, coco: Coco) -> None:
        whole = [image["file_name"] for image in coco.document["images"]]
        for write in afresh(coco, (lambda name: f"train2017\\{name}", lambda name: f"/train2017/{name}")):
            for image, name in zip(coco.document["images"], whole, strict=True):
                image["file_name"] = write(name)
            coco.write()
            path = coco.root / "here.json"
            coco.annotations.rename(path)
            found = read_annotations(path, BuildConfig())
            assert found.images == coco.root
            assert not found.missing
