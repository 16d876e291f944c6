"""What is counted while shards are built: samples that are done, batches, deaths, copies, shards that are open."""

from __future__ import annotations

import dataclasses
import pickle
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from builds import CONFIG, write_source
from conftest import Coco
from test_plan import make_sample, task_of

from posegen.annotations import read_annotations
from posegen.annotations.audit import Audit
from posegen.build import batches, lock, pictures, prepare, progress, run, store, worker
from posegen.build.executors import process
from posegen.build.pictures import Copier, OldPicture
from posegen.build.plan import make_plan
from posegen.build.scene import place
from posegen.errors import BuildError
from posegen.labels import ArraySpec
from posegen.shards import Manifest, SampleKey, ShardReader

pytest_plugins = ("built",)


def test_samples_are_reported_at_most_once_in_a_while_and_none_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: now))
    told: list[int] = []
    teller = progress.Teller(told.append, 0.5)
    assert told == [0]
    for at, samples, expected in (
        (100.25, 1, [0]), (100.499, 2, [0]), (100.5, 1, [0, 4]), (100.75, 3, [0, 4]), (101.0, 1, [0, 4, 4]),
        (101.25, 2, [0, 4, 4]),
    ):  # fmt: skip
        now = at
        teller.count(samples)
        assert told == expected
    teller.close()
    teller.close()
    assert told == [0, 4, 4, 2]
    counted: list[tuple[int, int]] = []
    report = progress.count_up(lambda *of: counted.append(of), 9)
    for more in (2, 3, -1, 5):
        report(more)
    progress.count_up(None, 9)(3)
    progress.ignore(1, 2)
    assert counted == [(2, 9), (5, 9), (4, 9), (9, 9)]


def test_labels_are_drawn_together_as_far_as_they_fit_the_cache() -> None:
    def cut(*specs: ArraySpec) -> list[int]:
        labels: Any = [SimpleNamespace(spec=spec) for spec in specs]
        samples = list(range(40))
        cut = list(batches.cut_batches(samples, labels))
        assert [sample for batch in cut for sample in batch] == samples
        return [len(batch) for batch in cut]

    def label(megabytes: float, *, coarse: bool = False) -> ArraySpec:
        count = int(megabytes * (1 << 20)) // (1 if coarse else 4) // 1024
        return ArraySpec(name="own", channels=tuple(map(str, range(count))), cells=(32, 32), coarse=coarse)

    assert cut() == cut(label(0.125)) == [16, 16, 8]
    assert cut(label(0.5)) == cut(label(0.25), label(0.25)) == [7] * 5 + [5]  # and one byte
    assert cut(label(0.5), label(0.5, coarse=True)) == [7] * 5 + [5]
    assert cut(label(0.125), label(1, coarse=True)) == [3] * 13 + [1]
    assert cut(label(8)) == cut(label(5, coarse=True)) == [1] * 40
    assert (worker._TOLD_EVERY_S, worker._SILENT) == (0.2, 0)
    assert [[*batch] for batch in batches.cut_batches([5, 7], [], one_by_one=True)] == [[5], [7]]


def test_of_a_dataset_that_pictures_are_copied_from_few_shards_are_open(
    built: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert pictures._MOST_OPEN == 256
    monkeypatch.setattr(pictures, "_MOST_OPEN", 2)
    samples = {sample.image_id: sample for sample in read_annotations(source, CONFIG).samples}
    paths, old = [built / shard.file for shard in Manifest.read(built).shards], dict[SampleKey, OldPicture]()
    for path in paths:
        with ShardReader(path) as reader:
            affine, number = reader.sample(1)["affine"], reader.key(1).image_id
            expected = reader.picture(1)
        old[SampleKey(number)] = OldPicture(shard=path, row=1, identity="as it was")
        copier = Copier(old)
        assert copier.find(SampleKey(1), "as it was") is None
        assert copier.find(SampleKey(number), "changed") is copier.find(SampleKey(number), None) is None
        found = copier.find(SampleKey(number), "as it was")
        assert found is old[SampleKey(number)]
        assert copier.copy(found, samples[number], affine, None) == (expected.data, expected.box)
        assert copier.copy(found, samples[number], affine + 1, None) is None
        gone = OldPicture(shard=path.with_name("gone.h5"), row=1, identity="")
        beyond = OldPicture(shard=path, row=99, identity="")
        assert copier.copy(gone, samples[number], affine, None) is copier.copy(beyond, samples[number], affine, None)
        assert copier.copied == 1
        assert copier.afresh == {"not there": 1, "file changed": 2, "mapped elsewhere": 1, "cannot be read": 2}
        copier.close()
    copier, open_ = Copier(old), list[list[str]]()
    for path in (*paths[:2], paths[0], *paths[2:], paths[0]):
        copier._open(path)
        open_.append([of.name[6:11] for of in copier._open_shards])
    names = [f"0000{i}" for i in range(4)]
    assert open_ == [
        names[:1], names[:2], names[:2], names[1:3], names[2:4], [names[3], names[0]],
    ]  # fmt: skip
    copier.close()
    assert not copier._open_shards


def test_deaths_are_counted_in_a_row_and_by_shard(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (run.HOPELESS, run._DEATHS_AT_ONE_IMAGE, run._DEATHS_OF_ONE_SHARD) == (100, 3, 20)
    assert (lock._LONGEST_WRITE_S, lock._TIDYING_S) == (86_400, 3)
    assert (store._SETTLED_NS, store._FRESH_S) == (2 * 10**9, 5)
    assert process._TIMEOUT_S == 5
    assert process._ENVIRONMENT == {
        "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1",
        "OPENCV_IO_MAX_IMAGE_PIXELS": "268435456",
    }  # fmt: skip
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    before = dict(process.os.environ)
    with process._environment():
        assert {name: process.os.environ[name] for name in process._ENVIRONMENT} == process._ENVIRONMENT
    assert dict(process.os.environ) == before


class StubbornError(Exception):
    def __reduce__(self) -> Any:
        raise TypeError("I stay")


def test_what_a_worker_raises_is_sent_as_it_is_or_as_what_it_says() -> None:
    for error, kind, said in (
        (BuildError("what"), BuildError, "what"), (ZeroDivisionError("by nought"), ZeroDivisionError, "by nought"),
        (StubbornError("me"), BuildError, "StubbornError: me"),
    ):  # fmt: skip
        sent, trace = pickle.loads(pickle.dumps(process._portable(error)))
        assert (type(sent), str(sent)) == (kind, said)
        assert trace.endswith(f"{type(error).__name__}: {error}\n")
        assert str(process.RemoteTraceback(trace)) == f"\n{trace}"


def test_why_there_is_nothing_to_build_is_counted_by_reason_in_their_order() -> None:
    for left_out, not_drawn, said in (
        ({}, {}, "7 images (none)"), ({"b": 2, "a": 1}, {}, "7 images (1 left out: a, 2 left out: b)"),
        ({}, {"d": 4, "c": 3}, "7 images (none); 3 annotations not drawn: c; 4 annotations not drawn: d"),
    ):  # fmt: skip
        audit = Audit(images=7)
        audit.left_out.update(left_out)
        audit.not_drawn.update(not_drawn)
        plan: Any = SimpleNamespace(annotations=SimpleNamespace(audit=audit))
        assert prepare._why_empty(plan) == said


def test_what_the_limit_leaves_out_of_images_is_counted_with_its_people(coco: Coco) -> None:
    coco.write()
    for limit, left_out, not_drawn in ((1, 1, None), (2, None, None)):
        plan = make_plan(read_annotations(coco.root, CONFIG), dataclasses.replace(CONFIG, limit=limit))
        audit, kept = plan.annotations.audit, sum(len(sample.keypoints) for sample in plan.shards[0])
        people = sum(len(sample.keypoints) for sample in read_annotations(coco.root, CONFIG).samples)
        assert audit.left_out.get("beyond the limit") == left_out
        assert audit.not_drawn.get("on images beyond the limit", not_drawn) == (people - kept or None)


def test_where_a_store_looks_for_names_in_a_bucket_is_believed_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    now, listed = 50.0, list[Any]()

    def list_names(home: Any) -> frozenset[str]:
        listed.append(home)
        return frozenset({"a.json"})

    monkeypatch.setattr(store, "time", SimpleNamespace(monotonic=lambda: now))
    monkeypatch.setattr(store, "list_names", list_names)
    home: Any = type("Home", (), {"__truediv__": lambda *_: None})()
    kept = store.Store(home, home)
    assert kept.has_any("b.json", "a.json")
    assert not kept.has_any("b.json")
    kept.wrote("b.json")
    for at, there, times in ((54.0, True, 1), (55.0, True, 1), (55.1, False, 2)):
        now = at
        assert kept.has_any("b.json") is there
        assert listed == [home] * times
    assert kept.free() is None


def test_a_shard_has_one_digest_wherever_its_samples_are_among_others_and_places_are_floats(source: Path) -> None:
    samples = [make_sample(number) for number in (4, 9)]
    tasks = [task_of(order) for order in (samples, samples[::-1])]
    assert tasks[0].digest == tasks[1].digest
    assert [pickle.loads(pickle.dumps(task)).digest for task in tasks] == [task.digest for task in tasks]
    task = make_plan(read_annotations(source, CONFIG), CONFIG).task(0, directory=source)
    for sample in task.samples:
        placed = place(sample, task)
        assert (placed.keypoints.dtype, placed.bboxes.dtype) == ("float32", "float32")


def test_a_careful_worker_tells_of_each_sample_and_a_hopeless_one_stops(tmp_path: Path) -> None:
    coco = write_source(tmp_path / "coco")
    plan = make_plan(read_annotations(coco, CONFIG), CONFIG)
    task = plan.task(0, directory=tmp_path, careful=True)
    told: list[int] = []
    assert worker.build_shard(task, told.append).failures == ()
    assert told == [0, 1, 1, 1, 1]
    for name in task.file_names:
        (coco / "train2017" / name).write_bytes(b"no picture")
    for hopeless, count in ((1, 1), (2, 2), (4, 4), (5, 4), (None, 4)):
        found = worker.build_shard(dataclasses.replace(task, hopeless=hopeless), told.append)
        assert (found.record, len(found.failures)) == (None, count)
