"""COCO as it is downloaded: the same dataset, byte for byte, is built from archives as from what is in them."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path

import pytest
from builds import CONFIG, build_command, files_of, shards
from conftest import Coco, Run
from executors import InProcess
from packing import pack

from posegen.annotations import find_coco, fits_skeleton
from posegen.build.pipeline import audit, build
from posegen.errors import BuildError, ConfigError
from posegen.skeleton import OPENPOSE_18
from posegen.storage.archives import ArchivePath

pytest_plugins = ("built",)

NAME = "person_keypoints_train2017.json"


@pytest.fixture(scope="module")
def expected(source: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    out = tmp_path_factory.mktemp("expected") / "out"
    build(source, out, CONFIG, executor=InProcess())
    return shards(out) | {"manifest": (out / "manifest.json").read_bytes()}


def found(out: Path) -> dict[str, bytes]:
    return shards(out) | {"manifest": (out / "manifest.json").read_bytes()}


def test_archives_where_they_were_downloaded_to_give_the_same_bytes(
    source: Path, expected: dict[str, bytes], tmp_path: Path
) -> None:
    zipped, images = zipfile.ZIP_DEFLATED, source / "train2017"
    root = tmp_path / "down"
    pack(images, root / "train2017.zip", "train2017/")
    pack(source / "annotations", root / "annotations_trainval2017.zip", "annotations/", zipped)
    all_in_one = pack(source, tmp_path / "one" / "coco.tar", "coco/")
    apart = pack(images, tmp_path / "apart" / "pictures.tar", "some/train2017/")
    places = {
        "root": {"coco": root},
        "annotations": {"coco": root / "annotations_trainval2017.zip"},
        "file": {"coco": root / "annotations_trainval2017.zip" / "annotations" / NAME},
        "all in one": {"coco": all_in_one / "coco"},
        "pictures named": {"coco": source, "images": apart},
        "folder named": {"coco": source, "images": root / "train2017.zip" / "train2017"},
    }
    for name, where in places.items():
        out = tmp_path / name
        build(where["coco"], out, CONFIG, images=where.get("images"), executor=InProcess())
        assert found(out) == expected, name


def test_processes_read_archives_too(source: Path, expected: dict[str, bytes], tmp_path: Path) -> None:
    pack(source / "annotations", tmp_path / "down" / "annotations_trainval2017.zip", "annotations/")
    pack(source / "train2017", tmp_path / "down" / "train2017.tar", "train2017/")
    build(tmp_path / "down", tmp_path / "out", CONFIG, workers=2)
    assert found(tmp_path / "out") == expected


def test_a_missing_picture_is_named_before_the_first_shard(source: Path, tmp_path: Path) -> None:
    missing = files_of(source)[3].name
    with zipfile.ZipFile(tmp_path / "train2017.zip", "w") as zipped:
        for path in (source / "train2017").iterdir():
            if path.name != missing:
                zipped.write(path, path.name)
    with pytest.raises(BuildError, match=rf"1 of 16 samples could not be built.*\n.*train2017\.zip/{missing}"):
        build(source, tmp_path / "out", CONFIG, images=tmp_path / "train2017.zip", executor=InProcess())
    assert not list((tmp_path / "out").rglob("*.h5"))
    assert [*audit(source, CONFIG, images=tmp_path / "train2017.zip").bad_pictures] == [missing]


def test_going_on_with_another_archive_builds_what_changed_alone(
    source: Path, expected: dict[str, bytes], tmp_path: Path
) -> None:
    archive, out = pack(source / "train2017", tmp_path / "train2017.zip", "train2017/"), tmp_path / "out"
    build(source, out, CONFIG, images=archive, executor=InProcess())
    said: list[str] = []
    pack(source / "train2017", archive, "train2017/")  # the same pictures, in a newer file
    build(source, out, CONFIG, images=archive, executor=InProcess(), notify=said.append)
    assert any("4 of 4 shards stand" in line for line in said)
    changed = files_of(source)[0]
    with zipfile.ZipFile(archive, "w") as zipped:
        for path in sorted((source / "train2017").iterdir()):
            other = files_of(source)[3] if path == changed else path
            zipped.writestr(path.name, other.read_bytes())
    said.clear()
    with pytest.raises(BuildError, match="1 of 16 samples could not be built"):  # it has another size
        build(source, out, CONFIG, images=archive, executor=InProcess(), notify=said.append)
    assert any("3 of 4 shards stand" in line for line in said)


def test_what_archives_beside_the_annotations_hold_decides_which_is_taken(
    tmp_path: Path, make_coco: type[Coco]
) -> None:
    coco = make_coco(tmp_path / "coco")
    coco.person(coco.image(60, 40, "mine.jpg"))
    coco.write()
    file = tmp_path / "set" / "any.json"
    file.parent.mkdir()
    file.write_text(json.dumps(coco.document))
    with zipfile.ZipFile(file.parent / "b.zip", "w") as zipped:
        zipped.writestr("x/other.jpg", "")
    pack(coco.images, file.parent / "c.zip", "deep/er/")
    (file.parent / "broken.zip").write_bytes(b"PK")
    assert str(find_coco(file).images) == f"{file.parent}/c.zip/deep/er"
    pack(coco.images, file.parent / "d.tar")
    with pytest.raises(ConfigError, match=r"several directories have the images of .*any\.json: .*c\.zip/deep/er, "):
        find_coco(file)


def test_the_command_takes_a_broken_archive_for_a_mistake(source: Path, tmp_path: Path, run: Run) -> None:
    (tmp_path / "train2017.zip").write_bytes(b"PK\x03\x04 nothing")
    command = [*build_command(source, tmp_path / "out")[3:], "--images", str(tmp_path / "train2017.zip")]
    outcome = run(*command)
    assert outcome.status != 0
    assert "is no whole zip or tar archive" in outcome.err


def test_an_annotation_file_in_an_archive_is_unpacked_once(
    source: Path, expected: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, unpacked = tmp_path / "down", []
    pack(source / "train2017", root / "train2017.zip", "train2017/")
    archive = pack(source / "annotations", root / "annotations_trainval2017.zip", "annotations/")
    read = ArchivePath.read_bytes

    def count(path: ArchivePath) -> bytes:
        if path.name == NAME:
            unpacked.append(path)
        return read(path)

    monkeypatch.setattr(ArchivePath, "read_bytes", count)
    for turn in ("first", "again"):
        assert fits_skeleton(find_coco(root).annotations, OPENPOSE_18)
        build(root, tmp_path / turn, CONFIG, executor=InProcess())
        assert found(tmp_path / turn) == expected
        assert len(unpacked) == (1 if turn == "first" else 2)
    # What lies there meanwhile is what is read, and hashed.
    other = json.loads((source / "annotations" / NAME).read_bytes())
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr(f"annotations/{NAME}", json.dumps(other, indent=1))
    manifest = build(root, tmp_path / "other", CONFIG, executor=InProcess())
    assert manifest.source["sha256"] == hashlib.sha256(json.dumps(other, indent=1).encode()).hexdigest()
    assert shards(tmp_path / "other") == {name: data for name, data in expected.items() if name != "manifest"}
