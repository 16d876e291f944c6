"""Corners that no whole build comes to: odd files, equal ranks, tasks in any order, a worker that is gone."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from builds import CONFIG, files_of, shards, write_source
from conftest import Coco
from executors import InProcess
from test_checking import turned
from test_persons import AT_ONE_SPOT, NO_BOX, POINTS
from test_persons import make_sample as make_people
from test_plan import IMAGES, OUT, make_coco, make_sample, task_of

import posegen
from posegen.annotations.audit import Audit
from posegen.build import lock, parts, plan, prepare, run, store
from posegen.build.checkpoint import read_identities
from posegen.build.executors import cpus, create_executor
from posegen.build.failures import FAILURES_NAME, Failure, read_failures, write_failures
from posegen.build.occupied import refuse_other_options
from posegen.build.persons import split_people
from posegen.build.pictures import identify_picture
from posegen.config import BuildConfig
from posegen.errors import BuildError, ShardError, UnfinishedError
from posegen.images.augment import Augmentation
from posegen.shards import Manifest, SampleKey, ShardRecord

pytest_plugins = ("built",)

SHARD = ShardRecord(file="shard-00001-of-00004.h5", samples=4, people=5, bytes=3, sha256="a" * 64, keypoints=(1,))


class Backwards(InProcess):
    """Runs the last task first."""

    def run(self, function: Any, tasks: Any, on_progress: Any) -> Iterator[Any]:
        yield from super().run(function, [*tasks][::-1], on_progress)


def test_shards_and_failures_are_in_their_order_whichever_was_built_first(tmp_path: Path) -> None:
    coco = write_source(tmp_path / "coco")
    for path in files_of(coco)[::3]:
        path.write_bytes(b"no picture")
    whole, out = tmp_path / "whole", tmp_path / "out"
    made = [
        posegen.build(coco, at, CONFIG, executor=executor, max_failures=6)
        for at, executor in ((whole, InProcess()), (out, Backwards()))
    ]
    assert made[0] == made[1]
    assert shards(whole) == shards(out)
    names = [shard.file for shard in made[1].shards]
    assert names == sorted(names)
    lines = [(at / FAILURES_NAME).read_text().splitlines() for at in (whole, out)]
    assert lines[0] == lines[1]
    assert [json.loads(line)["image_id"] for line in lines[0]] == [int(path.stem) for path in files_of(coco)[::3]]


def test_one_failure_is_one_too_many_unless_it_is_allowed(tmp_path: Path) -> None:
    coco, out = write_source(tmp_path / "coco"), tmp_path / "out"
    files_of(coco)[0].write_bytes(b"no picture")
    executor = InProcess()
    for build in (
        lambda: posegen.build(coco, tmp_path / "whole", CONFIG, executor=executor),
        lambda: parts.build_part(coco, out, CONFIG, part="1/1", executor=executor),
        lambda: parts.finish_parts(coco, out, CONFIG),
    ):
        with pytest.raises(BuildError, match=r"^1 of 16 samples could not be built; there is no dataset\n"):
            build()


def test_of_ten_missing_shards_all_are_named(source: Path, tmp_path: Path) -> None:
    config, out = dataclasses.replace(CONFIG, shard_size=1), tmp_path / "out"
    parts.build_part(source, out, config, part="1/3", executor=InProcess())
    with pytest.raises(UnfinishedError) as caught:
        parts.finish_parts(source, out, config)
    assert str(caught.value).splitlines() == [
        f"{out}: 10 of 16 shards are missing, so there is no dataset",
        *(f"  shard-{i:05d}-of-00016.h5 (part {i % 3 + 1}/3) was not built" for i in range(16) if i % 3),
    ]
    assert (caught.value.parts, caught.value.of) == ((2, 3), 3)


def test_what_is_no_record_tells_nothing_of_pictures(tmp_path: Path) -> None:
    home = tmp_path / ".posegen" / CONFIG.digest[:16]
    home.mkdir(parents=True)
    for text in ("{", "{}", "[]", "3", json.dumps({"shard": {"sha256": SHARD.sha256}, "files": []})):
        (home / "shard-00001-of-00004.json").write_text(text)
        assert read_identities(tmp_path, CONFIG, SHARD) is None
    (home / "lacking-00001-of-00004.json").write_text(
        json.dumps({"shard": {"sha256": SHARD.sha256}, "files": {"a": "1 2"}})
    )
    assert read_identities(tmp_path, CONFIG, SHARD) == {"a": "1 2"}
    assert identify_picture(tmp_path, "a\0b") is identify_picture(tmp_path, "gone") is None


def test_odd_files_beside_a_dataset_are_passed_over(tmp_path: Path) -> None:
    home = tmp_path / ".posegen" / "abc"
    (home / "options.json").mkdir(parents=True)
    (home / "shard-00000-of-00001.json").touch()
    refuse_other_options(tmp_path, CONFIG)
    (home / ".a.partial").mkdir()
    (home.parent / ".b.partial").touch()
    with lock.hold_lock(tmp_path):
        pass
    assert (home / ".a.partial").exists()
    assert not (home.parent / ".b.partial").exists()


def test_lists_of_failures_are_written_as_they_are_and_read_where_they_are_the_datasets(
    source: Path, tmp_path: Path
) -> None:
    manifest = posegen.build(source, tmp_path / "out", CONFIG, executor=InProcess())
    write_failures(tmp_path, [Failure(key=SampleKey(7), file="größe.jpg", reason="ü")])
    text = (tmp_path / FAILURES_NAME).read_text("utf-8")
    assert text == '{"image_id": 7, "file": "größe.jpg", "reason": "ü"}\n'
    (tmp_path / FAILURES_NAME).write_text("{")
    assert read_failures(tmp_path, manifest) == []
    one = dataclasses.replace(manifest, failures=1)
    with pytest.raises(ShardError) as caught:
        read_failures(tmp_path, one)
    assert str(caught.value).startswith(f"{tmp_path / FAILURES_NAME}: is damaged: JSONDecodeError(")
    (tmp_path / FAILURES_NAME).unlink()
    assert read_failures(tmp_path, one) == []


def test_samples_of_equal_rank_are_ordered_by_image_person_and_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "rank_image", lambda *_: bytes(8))
    samples = [make_sample(number, annotation_ids=np.array(ids)) for number, ids in ((3, [1, 9]), (1, [8, 5]))]
    views: dict[str, Any] = {"copies": 2, "augment": Augmentation(flip=0.5)}
    people = [(1, a, c) for a in (5, 8) for c in (0, 1)] + [(3, a, c) for a in (1, 9) for c in (0, 1)]
    for unit, first, expected in (("image", 0, [(1, 0), (1, 1), (3, 0), (3, 1)]), ("person", 1, people)):
        made = plan.make_plan(make_coco(samples), BuildConfig(unit=unit, **views))
        found = [(one.image_id, *one.annotation_ids[:first], one.copy) for one in made.shards[0]]
        assert found == expected


def test_a_task_is_no_more_than_is_asked_for_and_knows_what_is_unknown() -> None:
    task = task_of([make_sample(1)])
    assert (task.quarantined, task.hopeless, task.careful, task.pictures) == ({}, None, False, None)
    assert (task.images, task.directory) == (IMAGES, OUT)
    other = make_sample(1, unknown=np.eye(2, 17, dtype=np.uint8))
    for labels, same in ((("heatmap",), True), (("heatmap", "heatmap_mask"), False)):
        config = BuildConfig(labels=labels)
        assert (task_of([make_sample(1)], config).digest == task_of([other], config).digest) is same


def test_labels_that_cannot_be_decoded_well_are_noted_unless_sigmas_differ() -> None:
    for options, count in (
        ({"sigma_px": 1.0}, 1), ({"sigma_px": 8.0}, 0), ({"sigma_px": 1.0, "sigma_scale": "area"}, 0),
        ({"sigma_px": 1.0, "sigma_keypoints": "oks"}, 0),
    ):  # fmt: skip
        made = plan.make_plan(make_coco([make_sample(1)]), BuildConfig(labels=("heatmap",), **options))
        assert [note.startswith("heatmap: ") for note in made.annotations.audit.notes] == [True] * count


def test_who_cannot_be_cropped_is_counted_beside_who_was_before() -> None:
    audit = Audit()
    lost = "their box is empty or outside the image, and their keypoints span none to crop by"
    audit.not_drawn[lost], audit.left_out["nobody on it can be cropped"] = 5, 7
    split_people([make_people((NO_BOX, AT_ONE_SPOT)), make_people((NO_BOX, POINTS))], audit)
    assert (audit.not_drawn[lost], audit.left_out["nobody on it can be cropped"]) == (6, 8)


def test_what_is_written_is_known_beside_what_was_listed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(store, "list_names", lambda _: frozenset({"a.json"}))
    home: Any = type("Home", (), {"__truediv__": lambda *_: None})()
    kept = store.Store(home, home)
    assert kept.has_any("a.json")
    kept.wrote("b.json")
    assert kept.has_any("a.json")
    assert kept.has_any("b.json")
    here: Any = store.Store(tmp_path, tmp_path / "home")

    def fail(_: Path) -> str:
        raise ShardError("odd")

    (tmp_path / SHARD.file).write_bytes(b"abc")
    here._hash = fail
    assert here.find(SHARD) is None


def test_an_error_before_anything_is_there_is_told_alone(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise OSError(5, "Input/output error", "/far")

    monkeypatch.setattr(prepare, "open_state", fail)
    with pytest.raises(BuildError) as caught:
        posegen.build(source, "out", CONFIG, executor=InProcess())
    assert str(caught.value) == "/far: Input/output error"
    assert not Path("out").exists()


def test_a_lock_is_tried_until_the_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    now, tries = 0, 0

    def refuse(*_: Any, **__: Any) -> None:
        nonlocal tries
        tries += 1
        raise BlockingIOError

    def sleep(seconds: float) -> None:
        nonlocal now
        now += int(seconds)

    monkeypatch.setattr(lock, "_lock", refuse)
    monkeypatch.setattr(lock, "_TIDYING_S", 50)
    monkeypatch.setattr(lock, "time", SimpleNamespace(monotonic=lambda: now, sleep=sleep))
    with pytest.raises(BlockingIOError):
        lock._wait_to_share(3)
    assert (now, tries) == (51, 52)


def test_quotas_that_mean_nothing_and_groups_above_a_container_are_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (str(cpus._GROUPS), str(cpus._MOUNTED)) == ("/proc/self/cgroup", "/sys/fs/cgroup")
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.setattr(cpus, "_GROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(cpus, "_MOUNTED", tmp_path)
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "cpu" / "a").mkdir(parents=True)
    (tmp_path / "cgroup").write_text("7:cpu,cpuacct:/a\n0::/../a//b\n")
    for name, text, expected in (
        ("cpu.max", "100000 0", 8), ("a/cpu.max", "1", 8), ("cpu/cpu.cfs_quota_us", "many", 8),
        ("cpu/cpu.cfs_period_us", "0", 8), ("cpu/cpu.cfs_quota_us", "9", 8), ("a/b/cpu.max", "500000 100000", 5),
        ("cpu/a/cpu.cfs_quota_us", "300000", 5), ("cpu/a/cpu.cfs_period_us", "100000", 3),
    ):  # fmt: skip
        (tmp_path / name).write_text(text)
        assert cpus.available_cpus() == expected, name
    monkeypatch.delattr("os.sched_getaffinity")
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    assert cpus.available_cpus() == 2
    monkeypatch.setattr("os.cpu_count", lambda: None)
    assert cpus.available_cpus() == 1


def test_an_executor_of_another_package_is_asked_for_with_all_that_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = SimpleNamespace(DaskExecutor=lambda *of, **more: (of, more))
    monkeypatch.setitem(sys.modules, "posegen.build.executors.dask", fake)
    made = create_executor("dask", workers=3, scheduler="tcp://a:1", notify=print)
    assert made == (("tcp://a:1",), {"workers": 3, "notify": print})
    assert create_executor("dask") == ((None,), {"workers": None, "notify": None})


def test_opencv_has_one_thread_in_a_task_and_then_what_it_had(coco: Coco, tmp_path: Path) -> None:
    coco.person(coco.image(60, 40, "one.jpg"))
    coco.write()
    before, seen = cv2.getNumThreads(), []
    cv2.setNumThreads(3)
    try:
        config = dataclasses.replace(CONFIG, labels=())
        tell = lambda *_: seen.append(cv2.getNumThreads())  # noqa: E731
        posegen.build(coco.root, tmp_path / "out", config, executor=InProcess(), progress=tell)
        assert (seen[-1], cv2.getNumThreads()) == (1, 3)
    finally:
        cv2.setNumThreads(before)


def test_pictures_that_are_to_be_shown_turned_are_stored_so(coco: Coco, tmp_path: Path) -> None:
    coco.document |= {"images": [], "annotations": []}
    coco.person(coco.image(60, 40, "turned.jpg", data=turned(coco, 3)))
    coco.write()
    small, found = BuildConfig(input_size=(40, 60), stride=4, labels=("mask",), image_encoding="png"), dict[str, Any]()
    for exif in ("stored", "shown"):
        told: list[str] = []
        config, out = dataclasses.replace(small, exif=exif), tmp_path / exif
        posegen.build(coco.root, out, config, executor=InProcess(), notify=told.append)
        assert any("not applied" in line for line in told) is (exif == "stored")
        found[exif] = posegen.PoseDataset(out)[0]["image"].astype(int)
    assert abs(found["shown"] - found["stored"][::-1, ::-1]).max() <= 1
    assert abs(found["shown"] - found["stored"]).max() > 9


def test_what_is_only_gone_on_with_is_not_copied_from(source: Path, tmp_path: Path) -> None:
    for limit in (4, 8, None):
        told: list[str] = []
        config = dataclasses.replace(CONFIG, limit=limit)
        posegen.build(source, tmp_path / "out", config, executor=InProcess(), notify=told.append)
        assert not [line for line in told if "copied" in line]


def test_large_numbers_of_megabytes_are_those_of_the_bytes(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(run, "estimate_bytes", lambda _: 10**12)
    monkeypatch.setattr(store.Store, "free", lambda _: 10**13)
    posegen.build(source, tmp_path / "out", CONFIG, executor=InProcess(), notify=told.append)
    assert (
        "this will take about 16,000,000.0 MB on disk; 10,000,000 MB are free; warning: that may not be enough" in told
    )
    assert Manifest.read(tmp_path / "out").samples == 16
