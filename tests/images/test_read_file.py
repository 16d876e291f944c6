"""Which files are read, and what is said of those that cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest
from each import each

from posegen.errors import ImageError
from posegen.images.files import read_file


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

    @each(
        "name, expected",
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
