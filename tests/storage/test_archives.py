"""Files inside of archives: found, listed, read, told from others; and what is said of those that cannot be."""

from __future__ import annotations

import pickle
import random
import tarfile
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from packing import pack

from posegen.build.store import find_output
from posegen.config.kinds import FilePath
from posegen.errors import ConfigError, ImageError
from posegen.images.files import read_file
from posegen.shards.source import find_directory
from posegen.storage import find_place, identify, list_names
from posegen.storage.find import is_url


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Forty files of random bytes, some of them in folders, one of them empty."""
    drawn = random.Random(5)
    for i in range(40):
        path = tmp_path / "folder" / ("deep/er" if i % 7 == 0 else "") / f"{i} \u00fc.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(drawn.randbytes(drawn.randrange(5000)) if i else b"")
    return tmp_path / "folder"


def archives(folder: Path, at: Path) -> list[Path]:
    return [
        pack(folder, at / "stored.zip", "inner/"),
        pack(folder, at / "deflated.zip", "inner/", zipfile.ZIP_DEFLATED),
        pack(folder, at / "plain.tar", "inner/"),
        pack(folder, at / "dotted.tar", "./inner/"),
    ]


def test_every_file_has_its_bytes_in_any_order_from_many_threads_and_through_a_pickle(
    folder: Path, tmp_path: Path
) -> None:
    files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    for archive in archives(folder, tmp_path):
        place = pickle.loads(pickle.dumps(find_place(archive) / "inner"))
        names = [*files] * 3
        random.Random(1).shuffle(names)
        with ThreadPoolExecutor(8) as threads:
            for name, data in zip(names, threads.map(lambda n, p=place: (p / n).read_bytes(), names), strict=True):
                assert data == files[name], (archive, name)


def test_folders_are_listed_as_they_would_be_unpacked(folder: Path, tmp_path: Path) -> None:
    for archive in archives(folder, tmp_path):
        place = find_place(archive)
        assert list_names(place) == {"inner"}
        assert list_names(place / "inner") == {path.name for path in folder.iterdir()}
        assert list_names(place / "inner/deep") == {"er"}
        assert (place / "inner/deep").is_dir()
        assert not (place / "inner/deep").is_file()
        assert not (place / "inner/none").exists()
        assert [path.name for path in (place / "inner").glob("1* *")] == sorted(p.name for p in folder.glob("1* *"))


def test_a_path_leads_into_an_archive(folder: Path, tmp_path: Path) -> None:
    archive = pack(folder, tmp_path / "some.zip")
    inside = find_place(f"{archive}/1 \u00fc.bin")
    assert inside.read_bytes() == (folder / "1 \u00fc.bin").read_bytes()
    assert (str(inside), inside.name, inside.parent.name) == (f"{archive}/1 \u00fc.bin", "1 \u00fc.bin", "some")
    assert find_place(f"file://{archive}").is_dir()
    assert find_place(tmp_path / "another.zip") == tmp_path / "another.zip"  # which there is not
    assert (tmp_path / "folder.zip").mkdir() is None
    assert find_place(tmp_path / "folder.zip") == tmp_path / "folder.zip"  # which is a folder


def test_urls_are_known_as_a_path_writes_them_too() -> None:
    for text in ("s3://bucket/a b/c", Path("s3://bucket/a b/c"), "s3:/bucket/a b/c"):
        assert is_url(text)
        assert str(find_place(text)) == "s3://bucket/a b/c"
    assert str(find_place("https://host.org/d/x")) == "https://host.org/d/x"
    for text in ("/data/s3", "c:/data", "file:///data", "data:x"):
        assert not is_url(text)


def test_a_url_of_a_file_is_a_path_but_for_a_folder_of_that_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for text in ("file:///some/pose", Path("file:///some/pose"), "FILE:///some/pose/"):
        for find in (find_place, find_output, find_directory, FilePath().read):
            assert find(text) == Path("/some/pose")
    (tmp_path / "file:" / "some" / "pose").mkdir(parents=True)
    assert find_place("file:///some/pose") == Path("file:/some/pose")
    for text in ("/some/pose", "some/file:/pose", "files:x"):
        assert find_place(text) == find_output(text) == Path(text)


def test_what_changes_a_file_changes_its_identity(folder: Path, tmp_path: Path) -> None:
    first = find_place(pack(folder, tmp_path / "a.zip"))
    before = {name: identify(first / name) for name in list_names(first) if (first / name).is_file()}
    changed = folder / "3 \u00fc.bin"
    changed.write_bytes(changed.read_bytes()[::-1])
    second = find_place(pack(folder, tmp_path / "b.zip"))
    assert [name for name in before if identify(second / name) != before[name]] == ["3 \u00fc.bin"]


def test_damage_is_named(folder: Path, tmp_path: Path) -> None:
    archive = pack(folder, tmp_path / "bad.zip")
    data = bytearray(archive.read_bytes())
    with zipfile.ZipFile(archive) as whole:
        info = whole.getinfo("3 \u00fc.bin")
    data[info.header_offset + 80] ^= 1
    archive.write_bytes(data)
    place = find_place(archive)
    with pytest.raises(ImageError, match=r"bad\.zip/3 ü\.bin: cannot be read: is damaged in the archive: its CRC-32"):
        read_file(place, "3 \u00fc.bin")
    assert read_file(place, "1 \u00fc.bin") == (folder / "1 \u00fc.bin").read_bytes()
    for name, said in (("none.jpg", "No such file"), ("0 \u00fc.bin", "No such file|is empty"), ("../x", "leads out")):
        with pytest.raises(ImageError, match=said):
            read_file(place, name)
    archive.write_bytes(data[: len(data) // 2])
    with pytest.raises(ConfigError, match=r"bad\.zip: is no whole zip or tar archive"):
        find_place(archive)


def test_an_archive_that_is_changed_while_it_is_read_is_refused(folder: Path, tmp_path: Path) -> None:
    place = find_place(pack(folder, tmp_path / "a.zip"))
    (folder / "new.bin").write_bytes(b"new")
    fresh = find_place(pack(folder, tmp_path / "a.zip"))
    assert (fresh / "new.bin").read_bytes() == b"new"
    with pytest.raises(ImageError, match="the archive was changed while it was read; run again"):
        read_file(place, "1 \u00fc.bin")


def test_names_that_lead_out_of_an_archive_are_not_in_it(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as zipped:
        for name in ("../secret", "/abs", "a/../../secret", "fine"):
            zipped.writestr(name, "x")
    assert list_names(find_place(tmp_path / "a.zip")) == {"fine"}


def test_a_hard_link_in_a_tar_is_the_file_it_is_of(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"whole")
    with tarfile.open(tmp_path / "t.tar", "w") as tar:
        tar.add(tmp_path / "a", "a")
        link = tarfile.TarInfo("b")
        link.type, link.linkname = tarfile.LNKTYPE, "a"
        tar.addfile(link)
    assert (find_place(tmp_path / "t.tar") / "b").read_bytes() == b"whole"


def test_the_list_of_a_large_tar_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSEGEN_CACHE", str(tmp_path / "kept"))
    many = tmp_path / "many"
    many.mkdir()
    for i in range(1100):
        (many / f"{i}").write_bytes(b"%d" % i)
    archive = pack(many, tmp_path / "many.tar")
    assert list_names(find_place(archive)) == {str(i) for i in range(1100)}
    # Another process, which has listed nothing.
    monkeypatch.setattr("posegen.storage.archives._indices", {})
    monkeypatch.setattr(tarfile, "open", None)
    assert (find_place(archive) / "77").read_bytes() == b"77"
