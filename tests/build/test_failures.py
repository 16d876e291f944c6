"""Samples that cannot be built, by their pictures or because they kill workers: left out by name, or no dataset."""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import signal
import struct
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import pytest
from builds import ANNOTATIONS, CONFIG, build_command, files_of, run_limited, shards
from executors import Deadly, InProcess

import posegen
from posegen.annotations import Sample
from posegen.build.executors import LocalExecutor, Lost
from posegen.build.failures import Failure, describe_failures, read_failures, write_failures
from posegen.build.plan import ShardTask, find_key
from posegen.errors import BuildError, ConfigError, ShardError
from posegen.images import files
from posegen.shards import SampleKey
from posegen.shards.manifest import Manifest

pytest_plugins = ("built",)

build = partial(posegen.build, executor=InProcess())


@pytest.fixture(scope="module")
def reference(source: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The shards of an undisturbed build."""
    out = tmp_path_factory.mktemp("reference") / "out"
    build(source, out, CONFIG)
    return shards(out)


def test_failures_leave_no_dataset_but_a_list(copy: Path, tmp_path: Path) -> None:
    out, bad = tmp_path / "out", files_of(copy)[0]
    bad.write_bytes(bad.read_bytes()[:1000])
    with pytest.raises(BuildError, match=rf"1 of \d+ samples could not be built; there is no dataset(?s:.*){bad.name}"):
        build(copy, out, CONFIG)
    assert not (out / "manifest.json").exists()
    (line,) = (out / "failures.jsonl").read_text().splitlines()
    failure = json.loads(line)
    assert failure["file"] == bad.name
    assert "truncated" in failure["reason"]


def test_mended_files_are_built_with_their_shards_alone(
    copy: Path, reference: dict[str, bytes], tmp_path: Path
) -> None:
    out, bad = tmp_path / "out", files_of(copy)[0]
    whole = bad.read_bytes()
    status = bad.stat()
    bad.write_bytes(whole[:1000])
    with pytest.raises(BuildError):
        build(copy, out, CONFIG)
    bad.write_bytes(whole)
    os.utime(bad, ns=(status.st_atime_ns, status.st_mtime_ns))
    told: list[str] = []
    build(copy, out, CONFIG, notify=told.append)
    assert shards(out) == reference
    assert not (out / "failures.jsonl").exists()
    assert any(line.endswith("building 1") for line in told)


def test_allowed_failures_are_counted_in_the_manifest(copy: Path, tmp_path: Path) -> None:
    files_of(copy)[0].unlink()
    for allowance in (1, "1", "10%"):
        manifest = build(copy, tmp_path / str(allowance), CONFIG, max_failures=allowance)
        assert manifest.failures == 1
        assert manifest.samples == len(files_of(copy)) - 1
    for allowance in (0, "0", "6%"):
        with pytest.raises(BuildError, match="1 of 16 samples could not be built"):
            build(copy, tmp_path / "none", CONFIG, max_failures=allowance)


def test_a_dataset_without_a_sample_is_none_however_many_failures_are_allowed(copy: Path, tmp_path: Path) -> None:
    for path in files_of(copy):
        path.unlink()
    with pytest.raises(BuildError, match="there is no dataset"):
        build(copy, tmp_path / "out", CONFIG, max_failures="100%")
    assert not (tmp_path / "out" / "manifest.json").exists()


def test_a_picture_that_claims_to_be_huge_is_a_failure_and_takes_no_memory(copy: Path, tmp_path: Path) -> None:
    bad = next(path for path in files_of(copy) if path.suffix == ".png")
    header = struct.pack(">IIBBBBB", 30_000, 20_000, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    bad.write_bytes(b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk)))
    run = run_limited(build_command(copy, tmp_path / "out"), f"-v {2 << 20}")
    assert run.returncode == 1
    assert f"{bad.name}: is 30000x20000 pixels, but its annotation says" in run.stderr
    assert "Traceback" not in run.stderr


def test_an_allowance_that_is_neither_number_nor_share_is_refused(source: Path, tmp_path: Path) -> None:
    for allowance in ("-1", "some", "101%", "1.5", "%"):
        with pytest.raises(ConfigError, match="max_failures"):
            build(source, tmp_path / "out", CONFIG, max_failures=allowance)


def test_failures_are_written_read_and_named_by_what_tells_samples_apart(tmp_path: Path, dataset: Path) -> None:
    keys = [SampleKey(7), SampleKey(7, 31), SampleKey(7, copy=0), SampleKey(7, 31, 2)]
    failures = [Failure(key=key, file="größe.jpg", reason=f"why {i}") for i, key in enumerate(keys)]
    names = ["image 7", "image 7, person 31", "image 7, copy 0", "image 7, person 31, copy 2"]
    assert [str(failure) for failure in failures] == [f"{name}: why {i}" for i, name in enumerate(names)]
    write_failures(tmp_path, failures)
    assert [json.loads(line) for line in (tmp_path / "failures.jsonl").read_text("utf-8").splitlines()] == [
        {"image_id": 7, "file": "größe.jpg", "reason": "why 0"},
        {"image_id": 7, "annotation_id": 31, "file": "größe.jpg", "reason": "why 1"},
        {"image_id": 7, "copy": 0, "file": "größe.jpg", "reason": "why 2"},
        {"image_id": 7, "annotation_id": 31, "copy": 2, "file": "größe.jpg", "reason": "why 3"},
    ]
    manifest = dataclasses.replace(Manifest.read(dataset), failures=4)
    assert read_failures(tmp_path, manifest) == failures
    assert read_failures(tmp_path, dataclasses.replace(manifest, failures=3)) == [], "they are of another build"
    for line in ("{", "[]", '{"image_id": "x", "file": "a", "reason": "b"}', '{"image_id": 1, "reason": "b"}'):
        (tmp_path / "failures.jsonl").write_text(line)
        with pytest.raises(ShardError, match=r"failures\.jsonl: is damaged"):
            read_failures(tmp_path, manifest)
    write_failures(tmp_path, [])
    assert not (tmp_path / "failures.jsonl").exists()


def test_the_first_ten_failures_are_shown_and_the_rest_is_counted(tmp_path: Path) -> None:
    failures = [Failure(key=SampleKey(i), file=f"{i}.jpg", reason="is empty") for i in range(13)]
    lines = describe_failures(tmp_path, failures, 20).splitlines()
    assert lines[0] == "13 of 20 samples could not be built; there is no dataset"
    assert lines[1:11] == [f"  image {i}: is empty" for i in range(10)]
    assert lines[11] == "  ... and 3 more"
    assert str(tmp_path / "failures.jsonl") in lines[12]


def _deadly(task: Any, report: Callable[[int], None], *, function: Callable[..., Any], image_ids: set[int]) -> Any:
    """Run a task in a worker that dies of the pictures of some images."""
    names = {sample.file_name for sample in task.samples if sample.image_id in image_ids}
    read = files.read_identified

    def read_or_die(directory: Path, name: str) -> tuple[bytes, str]:
        if name in names:
            os.kill(os.getpid(), signal.SIGKILL)
        return read(directory, name)

    files.read_identified = read_or_die
    try:
        return function(task, report)
    finally:
        files.read_identified = read


def _is_left_out(task: ShardTask, sample: Sample) -> bool:
    return find_key(sample, task.config) in task.quarantined


class DeadlyExecutor(LocalExecutor):
    """Workers that die of some images, as they would of a decoder that takes all memory."""

    image_ids: ClassVar[set[int]] = set()

    def run(self, function: Any, tasks: Any, on_progress: Any) -> Iterator[Any]:
        deadly = functools.partial(_deadly, function=function, image_ids=self.image_ids)
        return super().run(deadly, tasks, on_progress)


def test_images_that_kill_their_workers_are_left_out_by_name_and_the_rest_is_built(
    source: Path, reference: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, document = tmp_path / "out", json.loads((source / ANNOTATIONS).read_text())
    names = {files_of(source)[i].name for i in (0, 5)}
    monkeypatch.setattr(DeadlyExecutor, "image_ids", {i["id"] for i in document["images"] if i["file_name"] in names})
    manifest = posegen.build(source, out, CONFIG, executor=DeadlyExecutor(2), max_failures=2)
    assert manifest.samples == len(files_of(source)) - 2
    failures = [json.loads(line) for line in (out / "failures.jsonl").read_text().splitlines()]
    assert {failure["file"] for failure in failures} == names
    assert {failure["image_id"] for failure in failures} == DeadlyExecutor.image_ids
    assert all("SIGKILL" in failure["reason"] for failure in failures)
    build(source, out, CONFIG)
    assert shards(out) == reference, "they are built by a run in which they do no harm"


def test_a_shard_may_have_any_number_of_images_that_kill(source: Path, tmp_path: Path) -> None:
    def die(task: ShardTask) -> int | None:
        return next((i for i, s in enumerate(task.samples) if i % 2 and not _is_left_out(task, s)), None)

    config = dataclasses.replace(CONFIG, shard_size=1024)
    samples = len(files_of(source))
    manifest = posegen.build(source, tmp_path / "out", config, executor=Deadly(die), max_failures="50%")
    assert (manifest.samples, manifest.failures) == (samples - samples // 2, samples // 2)
    assert manifest.failures > 6


def test_deaths_by_chance_are_blamed_on_no_image(source: Path, reference: dict[str, bytes], tmp_path: Path) -> None:
    deaths = iter([0, 2, 0, 2, 0, 2])

    def die(task: ShardTask) -> int | None:
        return next(deaths, None) if task.file_name.startswith("shard-00000") else None

    assert posegen.build(source, tmp_path / "out", CONFIG, executor=Deadly(die)).failures == 0
    assert next(deaths, None) is None
    assert shards(tmp_path / "out") == reference


def test_a_shard_whose_workers_die_again_and_again_at_no_image_ends_the_build(source: Path, tmp_path: Path) -> None:
    class NeverAnything(InProcess):
        def run(self, function: Any, tasks: Any, on_progress: Any) -> Iterator[Any]:
            yield from [Lost(task, None, "was killed by SIGKILL") for task in tasks]

    # Having begun no sample, after all of them, and at one that is left out by then.
    for executor in (NeverAnything(), Deadly(lambda task: len(task.samples)), Deadly(lambda _: 1)):
        with pytest.raises(
            BuildError, match=r"shard-0000\d-of-0000\d\.h5: its worker died \d+ times; the last was killed"
        ):
            posegen.build(source, tmp_path / "out", CONFIG, executor=executor)
