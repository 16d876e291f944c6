"""COCO in a bucket: the same bytes are built as from the disk, from objects and archives, through a bad network."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from builds import CONFIG, files_of, shards, write_source
from conftest import Run
from executors import InProcess
from packing import pack

from posegen.build.pipeline import build
from posegen.errors import BuildError, ConfigError

if TYPE_CHECKING:
    from s3_server import Bucket, Spoil

pytest_plugins = ("s3_server",)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixteen samples as files, as archives beside their annotations, and as a tar of all."""
    root = tmp_path_factory.mktemp("source")
    write_source(root / "files")
    pack(root / "files" / "train2017", root / "zipped" / "train2017.zip", "train2017/")
    zipped = root / "zipped" / "annotations_trainval2017.zip"
    pack(root / "files" / "annotations", zipped, "annotations/", zipfile.ZIP_DEFLATED)
    pack(root / "files", root / "tarred" / "coco.tar")
    return root


@pytest.fixture(scope="module")
def expected(source: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    out = tmp_path_factory.mktemp("expected") / "out"
    build(source / "files", out, CONFIG, executor=InProcess())
    return shards(out) | {"manifest": (out / "manifest.json").read_bytes()}


def found(out: Path) -> dict[str, bytes]:
    return shards(out) | {"manifest": (out / "manifest.json").read_bytes()}


def test_every_form_gives_the_same_bytes_through_a_bad_network(
    bucket: Bucket, spoil: Spoil, source: Path, expected: dict[str, bytes], tmp_path: Path
) -> None:
    url = bucket.put_folder(source, "coco")
    with spoil(share=0.1, seed=5) as faults:
        for form in ("files", "zipped", "tarred/coco.tar"):
            build(f"{url}/{form}", tmp_path / form, CONFIG, executor=InProcess())
            assert found(tmp_path / form) == expected, form
        build(source / "files", tmp_path / "apart", CONFIG, images=f"{url}/files/train2017", executor=InProcess())
        assert found(tmp_path / "apart") == expected
    assert faults.total > 5
    build(f"{url}/files", tmp_path / "workers", CONFIG, workers=2)
    assert found(tmp_path / "workers") == expected


def test_what_changed_in_the_bucket_is_built_again_alone(
    bucket: Bucket, source: Path, expected: dict[str, bytes], tmp_path: Path
) -> None:
    url = bucket.put_folder(source / "files", "coco")
    said: list[str] = []
    build(url, tmp_path / "out", CONFIG, executor=InProcess())
    build(url, tmp_path / "out", CONFIG, executor=InProcess(), notify=said.append)
    assert any("4 of 4 shards stand" in line for line in said)
    changed = files_of(source / "files")[2]
    bucket.put(f"coco/train2017/{changed.name}", changed.read_bytes() + b"\0")
    build(url, tmp_path / "out", CONFIG, executor=InProcess(), notify=said.append)
    assert any("3 of 4 shards stand" in line for line in said)


def test_what_is_missing_or_cannot_be_reached_is_named(
    bucket: Bucket, source: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = bucket.put_folder(source / "files", "coco")
    missing = files_of(source / "files")[1].name
    bucket.client.delete_object(Bucket=bucket.name, Key=f"coco/train2017/{missing}")
    with pytest.raises(BuildError, match=rf"1 of 16 samples could not be built.*\n.*s3://.*/train2017/{missing}"):
        build(url, tmp_path / "out", CONFIG, executor=InProcess())
    with pytest.raises(ConfigError, match=r"s3://.*/none: no such file or directory"):
        build(f"{bucket.url}/none", tmp_path / "out", CONFIG)
    with pytest.raises(ConfigError, match=r"Protocol not known"):
        build("nowhere://a/b", tmp_path / "out", CONFIG)
    monkeypatch.setattr("posegen.storage.remote.ATTEMPTS", 2)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    import fsspec

    fsspec.get_filesystem_class("s3").clear_instance_cache()
    outcome = run("audit", url)
    assert outcome.status == 2
    assert "(tried 2 times)" in outcome.err


def test_many_pictures_are_read_right_whatever_the_network_does(bucket: Bucket, spoil: Spoil, source: Path) -> None:
    from posegen.errors import ImageError
    from posegen.images.files import read_file
    from posegen.storage import find_place, list_names

    url = bucket.put_folder(source, "coco")
    wanted = int(os.environ.get("POSEGEN_FAULTS", "60"))
    files = {path.name: path.read_bytes() for path in (source / "files" / "train2017").iterdir()}
    good = bad = 0
    with spoil(share=0.3, seed=6) as faults:
        while faults.total < wanted:
            for form in ("files/train2017", "zipped/train2017.zip/train2017", "tarred/coco.tar/train2017"):
                place = find_place(f"{url}/{form}")
                assert list_names(place) == files.keys()
                for name, data in files.items():
                    try:
                        assert read_file(place, name) == data, (form, name)
                        good += 1
                    except ImageError as error:
                        assert "tried 8 times" in str(error)  # noqa: PT017 (it may come or not)
                        bad += 1
    assert good > 10 * bad
