"""What lies beside a dataset while it is built, word by word; and what is made of it when it is odd or gone."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import hashlib
import json
import os
import platform
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import h5py
import numpy as np
import pytest
from builds import CONFIG, change_annotations, write_source
from conftest import Coco
from executors import InProcess
from test_checking import turned

import posegen
from posegen.annotations import read_annotations
from posegen.build import checkpoint, lock, prepare, repair, store
from posegen.build.checkpoint import BuildState, look_at_pictures, open_state, read_identities
from posegen.build.failures import Failure
from posegen.build.occupied import describe_changes, refuse_other_options
from posegen.build.plan import BuildPlan, make_plan
from posegen.config import BuildConfig
from posegen.errors import BuildError, ConfigError
from posegen.shards import Manifest, SampleKey, ShardRecord, library_versions

pytest_plugins = ("built",)

SHARD = ShardRecord(file="shard-00001-of-00004.h5", samples=4, people=5, bytes=3, sha256="a" * 64, keypoints=(1,))


@pytest.fixture(scope="module")
def plan(source: Path) -> BuildPlan:
    return make_plan(read_annotations(source, CONFIG), CONFIG)


def test_what_is_noted_of_a_shard_is_all_that_it_was_built_from(plan: BuildPlan, source: Path, tmp_path: Path) -> None:
    with open_state(tmp_path, CONFIG, overwrite=False) as state:
        assert state.home == tmp_path / ".posegen" / CONFIG.digest[:16]
        assert json.loads((state.home / "options.json").read_text()) == json.loads(json.dumps(CONFIG.to_dict()))
        task = plan.task(1, directory=state.staged)
        places = [source / "train2017" / name for name in task.file_names]
        identities = look_at_pictures(task, {task.file_names[0]: "7 known"})
        stats = [place.stat() for place in places]
        known = ["7 known", *(f"{status.st_size} {status.st_mtime_ns}" for status in stats[1:])]
        assert identities == dict(zip(task.file_names, known, strict=True))
        failure = Failure(key=SampleKey(7), file="a.jpg", reason="why")
        gone = {**identities, task.file_names[1]: None}
        state.commit(task, SHARD, (), gone)
        state.commit(task, None, [failure], gone, digest="told")
        told = "".join("missing\n" if name == task.file_names[1] else f"{gone[name]}\n" for name in task.file_names)
        of = {
            "task": task.digest, "pictures": hashlib.sha256(told.encode()).hexdigest(), "format": 3,
            "versions": library_versions(CONFIG.labels),
        }  # fmt: skip
        files = {name: identity for name, identity in gone.items() if identity is not None}
        shard = json.loads(json.dumps(dataclasses.asdict(SHARD)))
        assert json.loads((state.home / "shard-00001-of-00004.json").read_text()) == {
            "of": of, "files": files, "shard": shard, "tag": None, "failures": [],
        }  # fmt: skip
        assert json.loads((state.home / "lacking-00001-of-00004.json").read_text()) == {
            "of": {**of, "task": "told"}, "files": files, "shard": None, "tag": None,
            "failures": [{"image_id": 7, "file": "a.jpg", "reason": "why"}],
        }  # fmt: skip
        assert read_identities(tmp_path, CONFIG, SHARD) == files
        assert read_identities(tmp_path, CONFIG, dataclasses.replace(SHARD, sha256="b" * 64)) is None
        assert state.parts is None
        state.note_parts(3)
        assert (state.parts, (state.home / "parts.json").read_text()) == (3, '{"of":3}')
        for text in ("{", "{}", "[]", '{"of":"x"}', '{"of":null}'):
            (state.home / "parts.json").write_text(text)
            assert state.parts is None
        assert (state.has_record(SHARD.file), state.has_any_record(SHARD.file), state.has_records()) == (True,) * 3
        (state.home / "shard-00001-of-00004.json").unlink()
        assert (state.has_record(SHARD.file), state.has_any_record(SHARD.file), state.has_records()) == (
            False, True, False,
        )  # fmt: skip


def test_a_record_of_before_failures_and_tags_is_believed(plan: BuildPlan, tmp_path: Path) -> None:
    with open_state(tmp_path, CONFIG, overwrite=False) as state:
        task = plan.task(1, directory=state.staged)
        shard = dataclasses.replace(SHARD, bytes=3, sha256=hashlib.sha256(b"abc").hexdigest())
        (state.staged / shard.file).write_bytes(b"abc")
        state.commit(task, shard)
        path = state.home / "shard-00001-of-00004.json"
        record = json.loads(path.read_text())
        path.write_text(json.dumps({key: record[key] for key in ("of", "files", "shard")}))
        assert state.find(task) == shard
        assert state.examine(task) == (shard, ())
        (state.staged / shard.file).write_bytes(b"abd")
        assert state.find(task) is None
        assert state.examine(task) == "was changed or removed since it was built"


def test_a_disk_that_does_not_answer_has_no_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = BuildState(tmp_path, CONFIG)

    def fail(*_: Any) -> Any:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(state.store, "has_any", fail)
    monkeypatch.setattr(Path, "glob", fail)
    assert (state.has_record("a.h5"), state.has_any_record("a.h5"), state.has_records()) == (False,) * 3


def test_shards_that_another_process_moves_or_removes_are_no_trouble(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: Path
) -> None:
    out = tmp_path / "out"
    manifest = posegen.build(source, out, CONFIG, executor=InProcess())
    kept, shard = store.Store(out, tmp_path / "home"), manifest.shards[0]
    kept.move(tmp_path / "gone.h5", shard)
    with pytest.raises(FileNotFoundError):
        kept.move(tmp_path / "gone.h5", dataclasses.replace(shard, sha256="0" * 64))
    real = checkpoint.list_folder
    monkeypatch.setattr(checkpoint, "list_folder", lambda of: [*real(of), of / "shard-9-of-9.h5"])
    (out / "shard-00000-of-00001.h5").touch()
    BuildState(out, CONFIG).publish(manifest)
    assert sorted(path.name for path in out.glob("*.h5")) == [one.file for one in manifest.shards]


def test_which_options_were_others_is_told_briefly(tmp_path: Path) -> None:
    before = {
        "input_size": (64, 96),
        "picture_size": None,
        "skeleton": {"name": "own", "x": 1},
        "sigma": 7,
        "same": [1],
    }
    now = {"input_size": [32, 48], "picture_size": [8, 9], "skeleton": {"y": 2}, "same": [1], "more": (1, 2)}
    assert describe_changes(before, now, {**before, **now}) == [
        "input_size: was 96x64, is now 48x32", "picture_size: was None, is now 9x8",
        "skeleton: was own, is now {'y': 2}", "sigma: was 7, is now None", "more: was None, is now (1, 2)",
    ]  # fmt: skip
    assert describe_changes({"input_size": (1, 2, 3)}, {"input_size": 5}, ["input_size"]) == [
        "input_size: was (1, 2, 3), is now 5"
    ]
    home = tmp_path / ".posegen" / "abc"
    home.mkdir(parents=True)
    for was, now_, more, refused in (
        (5, 9, {}, False), (5, None, {}, False), (5, 5, {}, False), (5, 4, {}, True), (None, 5, {}, True),
        (5, 9, {"sigma_px": 3.0}, True), (None, None, {"sigma_px": 3.0}, True),
    ):  # fmt: skip
        options = json.dumps(dataclasses.replace(CONFIG, limit=was).to_dict())
        (home / "options.json").write_text(options)
        (home / "shard-00000-of-00001.json").touch()
        config = dataclasses.replace(CONFIG, limit=now_, **more)
        with pytest.raises(ConfigError) if refused else contextlib.nullcontext():
            refuse_other_options(tmp_path, config)
        (home / "shard-00000-of-00001.json").unlink()
        refuse_other_options(tmp_path, config)
    (home / "shard-00000-of-00001.json").touch()
    (home / "options.json").write_text("{")
    refuse_other_options(tmp_path, CONFIG)


def test_a_lock_is_signed_and_waited_for_and_what_is_a_day_old_goes_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / ".posegen" / "lock"
    file.parent.mkdir()
    for hold, more in ((lock.hold_lock, ""), (lock.share_lock, " (or another that builds a part)")):
        file.write_text("x" * 500)
        with hold(tmp_path):
            assert file.read_text() == f"{os.getpid()} on {platform.node()}{more}\n"
    now, tries = 100.0, 0

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    def refuse(_: int, how: int) -> None:
        nonlocal tries
        tries += 1
        if tries < free_at:
            raise BlockingIOError
        assert how == fcntl.LOCK_SH | fcntl.LOCK_NB

    monkeypatch.setattr(lock, "time", SimpleNamespace(monotonic=lambda: now, sleep=sleep, time=time.time))
    monkeypatch.setattr(fcntl, "flock", refuse)
    for free_at, waited in ((1, 0.0), (3, 0.12), (50, 2.94)):
        now, tries = 100.0, 0
        lock._wait_to_share(3)
        assert (tries, now - 100) == (free_at, pytest.approx(waited))
    now, tries, free_at = 100.0, 0, 1000
    with pytest.raises(BlockingIOError):
        lock._wait_to_share(3)
    assert now - 100 == pytest.approx(3.0, abs=0.07)
    for error, said in ((OSError("odd"), "odd"), (OSError(37, "No locks available"), "No locks available")):

        def fail(*_: Any, error: OSError = error) -> None:
            raise error

        monkeypatch.setattr(fcntl, "flock", fail)
        with pytest.raises(BuildError) as caught, lock.hold_lock(tmp_path):
            pass
        assert str(caught.value) == (
            f"{file}: cannot be locked: {said}; build on a file system with locks, and copy, or in parts, which need "
            "none"
        )
    left = {hours: tmp_path / ".posegen" / f".{hours}.partial" for hours in (0, 23, 25)}
    for hours, path in left.items():
        path.touch()
        os.utime(path, (time.time() - 3600 * hours,) * 2)
    (tmp_path / ".posegen" / "repair").mkdir()
    with lock.share_lock(tmp_path):
        assert all(path.exists() for path in left.values())
    assert [hours for hours, path in left.items() if path.exists()] == [0, 23]
    assert (tmp_path / ".posegen" / "repair").exists()


def test_what_has_no_name_or_no_number_is_told_with_the_directory(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    manifest = posegen.build(source, out, CONFIG, executor=InProcess())
    (out / manifest.shards[0].file).write_bytes(b"")
    for error, said in (
        (OSError("odd"), f"{out}: odd"), (OSError(5, "Input/output error"), f"{out}: Input/output error"),
        (OSError(5, "Input/output error", "/a"), "/a: Input/output error"),
    ):  # fmt: skip

        def fail(*_: Any, error: OSError = error) -> Any:
            raise error

        monkeypatch.setattr(repair, "make_plan", fail)
        monkeypatch.setattr(prepare, "make_plan", fail)
        with pytest.raises(BuildError) as caught:
            repair.repair(out, source, executor=InProcess())
        assert str(caught.value) == said
        with pytest.raises(BuildError) as caught:
            posegen.build(source, out, CONFIG, executor=InProcess())
        assert str(caught.value) == f"{said}; finished shards stay, run again to go on"


def test_why_a_shard_is_not_what_it_was_is_told_of_all_that_is_other(plan: BuildPlan, tmp_path: Path) -> None:
    one: Any = object.__new__(repair._Repairing)
    one.plan, one.directory, one.left_out = plan, tmp_path, {SampleKey(1): "known"}
    one.versions = {"torch": "1.0", **library_versions()}
    task = plan.task(0, directory=tmp_path)
    failures = tuple(Failure(key=SampleKey(number), file="f", reason=f"why {number}") for number in (1, 2, 3))
    explain = repair._Repairing._explain
    result: Any = SimpleNamespace(failures=failures, record=None)
    assert explain(one, task, result) == "image 2 cannot be built: why 2"
    result.failures = failures[:1]
    for digest, said in (
        (None, "its annotations or pictures are others"), (task.digest, "its pictures are others"),
        (plan.task(1, directory=tmp_path).digest, "its annotations or pictures are others"),
        ("0" * 64, "its annotations are others"), (5, "its annotations or pictures are others"),
        (np.zeros(3), "its annotations or pictures are others"),
    ):  # fmt: skip
        (tmp_path / task.file_name).unlink(missing_ok=True)
        if digest is not None:
            with h5py.File(tmp_path / task.file_name, "w") as file:
                file.attrs["task_digest"] = np.bytes_(digest) if isinstance(digest, str) else digest
        assert explain(one, task, result) == said
    now = library_versions()
    one.versions |= {"opencv": "4.0.0", "numpy": "1.0"}
    assert explain(one, task, result) == (
        f"the libraries are others: numpy {now['numpy']}, not 1.0, opencv {now['opencv']}, not 4.0.0"
    )


def test_what_a_run_says_of_turned_pictures_of_endless_room_and_of_annotations_without_a_hash(
    coco: Coco, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for i, orientation in enumerate((3, 2, 3, 1)):
        coco.person(coco.image(60, 40, f"turned-{i}.jpg", data=turned(coco, orientation)))
    coco.write()
    told: list[str] = []
    monkeypatch.setattr(store.Store, "free", lambda _: None)
    small = BuildConfig(input_size=(64, 64), labels=("heatmap",))
    posegen.build(coco.root, tmp_path / "turned", small, executor=InProcess(), notify=told.append)
    rest = "not applied, as COCO counts pixels as they are stored"
    assert [line for line in told if "EXIF" in line] == [
        f"note: EXIF orientation 2 (mirrored) {rest}: 1 picture, such as turned-1.jpg; --exif shown applies it",
        f"note: EXIF orientation 3 (upside down) {rest}: 2 pictures, such as turned-0.jpg; --exif shown applies it",
    ]
    (takes,) = [line for line in told if "this will take" in line]
    assert takes == "this will take about 0.1 MB"
    root, out = write_source(tmp_path / "own"), tmp_path / "out"
    manifest = posegen.build(root, out, CONFIG, executor=InProcess())
    dataclasses.replace(manifest, source={k: v for k, v in manifest.source.items() if k != "sha256"}).write(out)
    change_annotations(root, lambda document: document["annotations"][0]["bbox"].reverse())
    told.clear()
    posegen.build(root, out, CONFIG, executor=InProcess(), notify=told.append)
    assert not [line for line in told if "are others" in line]
    assert "sha256" in Manifest.read(out).source
