"""Datasets built into a bucket: the bytes of one on the disk or none, whatever the network does, whoever is killed."""

from __future__ import annotations

import contextlib
import json
import os
import random
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from builds import CONFIG, build_command, shards
from executors import InProcess

from posegen import PoseDataset
from posegen.build.parts import build_part, finish_parts
from posegen.build.pipeline import build
from posegen.errors import ConfigError, PosegenError
from posegen.inspect.verify import verify
from posegen.storage import find_place

if TYPE_CHECKING:
    from s3_server import Bucket, Spoil

pytest_plugins = ("s3_server", "built")


@pytest.fixture(scope="module")
def expected(source: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of the dataset as it is built on the disk."""
    out = tmp_path_factory.mktemp("expected") / "out"
    build(source, out, CONFIG, executor=InProcess())
    return shards(out) | {"manifest.json": (out / "manifest.json").read_bytes()}


def stored(bucket: Bucket, key: str) -> dict[str, bytes]:
    """What is in a bucket's prefix, but for what a build goes on from."""
    names = [name.removeprefix(f"{key}/") for name in bucket.list(f"{key}/")]
    return {name: bucket.get(f"{key}/{name}") for name in names if not name.startswith(".posegen/")}


def without_preset(files: dict[str, bytes]) -> dict[str, object]:
    """Parse the manifest and leave out the preset, which a command records."""
    return files | {"manifest.json": json.loads(files["manifest.json"]) | {"preset": None}}


def test_a_dataset_in_a_bucket_has_the_bytes_of_one_on_the_disk(
    bucket: Bucket, source: Path, expected: dict[str, bytes]
) -> None:
    build(source, f"{bucket.url}/a/pose", CONFIG, workers=2)
    assert stored(bucket, "a/pose") == expected
    assert not [name for name in bucket.list() if "/shards/" in name]
    assert verify(f"{bucket.url}/a/pose", executor=InProcess()) == []
    assert len(PoseDataset(f"{bucket.url}/a/pose")) == 16


def test_what_stands_is_taken_over_and_what_was_changed_is_built_again(
    bucket: Bucket, source: Path, expected: dict[str, bytes]
) -> None:
    url, said = f"{bucket.url}/pose", []
    build(source, url, CONFIG, executor=InProcess())
    build(source, url, CONFIG, executor=InProcess(), notify=said.append)
    assert any("4 of 4 shards stand" in line for line in said)
    names = [name for name in expected if name.endswith(".h5")]
    bucket.put(f"pose/{names[1]}", expected[names[1]][:-1] + b"\1")
    bucket.client.delete_object(Bucket=bucket.name, Key=f"pose/{names[2]}")
    build(source, url, CONFIG, executor=InProcess(), notify=said.append)
    assert any("2 of 4 shards stand" in line for line in said)
    assert stored(bucket, "pose") == expected


def test_what_is_in_the_bucket_already_is_not_replaced_unasked(
    bucket: Bucket, source: Path, expected: dict[str, bytes]
) -> None:
    import dataclasses

    url, other = f"{bucket.url}/pose", dataclasses.replace(CONFIG, label_dtype="uint8")
    build(source, url, CONFIG, executor=InProcess())
    with pytest.raises(ConfigError, match="label_dtype: was float16, is now uint8"):
        build(source, url, other, executor=InProcess())
    assert stored(bucket, "pose") == expected
    build(source, url, other, executor=InProcess(), overwrite=True)
    assert json.loads(bucket.get("pose/manifest.json"))["config"]["label_dtype"] == "uint8"
    assert verify(url, executor=InProcess()) == []
    bucket.put("pose/notes.txt", b"mine")
    with pytest.raises(ConfigError, match=r"holds notes\.txt"):
        build(source, url, CONFIG, executor=InProcess(), overwrite=True)


def test_parts_meet_in_a_bucket(bucket: Bucket, source: Path, expected: dict[str, bytes], spoil: Spoil) -> None:
    url = f"{bucket.url}/pose"
    with spoil(share=0.1, seed=3):
        for part in ("2/3", "1/3", "3/3"):
            report = build_part(source, url, CONFIG, part=part, executor=InProcess())
        assert (report.built, report.of) == (4, 4)
        finish_parts(source, url, CONFIG)
    assert stored(bucket, "pose") == expected


def test_killed_builds_leave_no_dataset_and_the_next_one_goes_on(
    bucket: Bucket, source: Path, expected: dict[str, bytes], spoil: Spoil
) -> None:
    command = [word if word != "OUT" else f"{bucket.url}/pose" for word in build_command(source, Path("OUT"))]
    drawn = random.Random(7)
    with spoil(share=0.1, seed=8):
        for _ in range(5):
            process = subprocess.Popen(command, stdout=-3, stderr=-3)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(drawn.uniform(1.0, 4.0))
            process.kill()
            process.wait()
            there = stored(bucket, "pose")
            if "manifest.json" in there:
                assert without_preset(there) == without_preset(expected)
    outcome = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    assert outcome.returncode == 0, outcome.stderr
    assert without_preset(stored(bucket, "pose")) == without_preset(expected)


def test_no_upload_is_taken_for_a_success_that_is_none(
    bucket: Bucket, source: Path, expected: dict[str, bytes], spoil: Spoil
) -> None:
    wanted = int(os.environ.get("POSEGEN_FAULTS", "60"))
    good = bad = turn = 0
    with spoil(share=0.25, seed=9) as faults:
        while faults.total < wanted:
            turn += 1
            try:
                build(source, f"{bucket.url}/{turn}", CONFIG, executor=InProcess())
            except PosegenError:
                bad += 1
                assert "manifest.json" not in stored(bucket, str(turn))
            else:
                good += 1
                assert stored(bucket, str(turn)) == expected
    assert good > bad


def test_a_server_that_keeps_other_bytes_than_it_was_sent_is_found_out(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    import s3fs

    send = s3fs.S3FileSystem.pipe_file
    monkeypatch.setattr(s3fs.S3FileSystem, "pipe_file", lambda self, path, data, **o: send(self, path, data[:-1], **o))
    with pytest.raises(OSError, match="what arrived is not what was sent"):
        find_place(f"{bucket.url}/file").write_bytes(b"some bytes")
    monkeypatch.setattr(s3fs.S3FileSystem, "pipe_file", lambda *_, **__: None)
    with pytest.raises(OSError, match="what arrived is not what was sent"):
        find_place(f"{bucket.url}/lost").write_bytes(b"some bytes")
