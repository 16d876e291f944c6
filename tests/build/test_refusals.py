"""What a build refuses, and what it says then, word by word; and what may be given in more than one way."""

from __future__ import annotations

import dataclasses
import os
import platform
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import pytest
from builds import CONFIG
from conftest import Coco
from executors import InProcess
from test_persons import AT_ONE_SPOT, NO_BOX, make_sample

from posegen.annotations import read_annotations
from posegen.annotations.audit import Audit
from posegen.build import checkpoint, parts, relabel, repair, store, worker
from posegen.build.decoding import describe_unturned
from posegen.build.executors.local import LocalExecutor, choose_executor
from posegen.build.failures import Allowance, Failure, describe_failures
from posegen.build.lock import hold_lock, share_lock
from posegen.build.occupied import refuse_foreign
from posegen.build.part import Part
from posegen.build.persons import find_box
from posegen.build.plan import make_plan
from posegen.config import BuildConfig
from posegen.errors import BuildError, ConfigError, ImageError, ShardError
from posegen.images.augment import Augmentation
from posegen.shards import Manifest, SampleKey

pytest_plugins = ("built",)


def refuse(action: Any) -> str:
    with pytest.raises((BuildError, ConfigError, ShardError)) as caught:
        action()
    return str(caught.value)


def test_a_part_may_be_given_as_an_object_as_well(source: Path, tmp_path: Path) -> None:
    executor = InProcess()
    for part in (Part(2, 4), "2/4"):
        report = parts.build_part(source, tmp_path / "out", CONFIG, part=part, executor=executor)
        assert (report.part, report.shards, report.samples, report.built, report.of) == (Part(2, 4), 1, 4, 1, 4)
    for text in ("3", "1234567890/1", "1/1234567890"):
        assert refuse(lambda text=text: Part.parse(text)) == (
            f"a part must be written as in 3/16, the third of sixteen, not {text!r}"
        )
    assert Part.parse("123456789/999999999") == Part(123456789, 999999999)
    for number, of in ((0, 3), (4, 3)):
        assert refuse(lambda number=number, of=of: Part(number, of)) == (
            f"there is no part {number}/{of}: of 3 parts the first is 1, the last is 3"
        )
    assert Part(3, 16).name == "part-3-of-16"
    assert f"{Part(3, 16)}" == "3/16"


def test_how_many_may_fail_is_a_number_or_a_share_and_what_failed_is_told() -> None:
    for text, samples, most in (
        ("1.5%", 1000, 15), ("100%", 7, 7), ("0%", 7, 0), ("0.5%", 199, 0), ("0.5%", 200, 1), (3, 2, 3), ("3", 9, 3),
        (0, 5, 0),
    ):  # fmt: skip
        assert Allowance.parse(text).of(samples) == most
    for wrong in ("100.5%", "101%", -1, "1.5", "%", "1 %", "", "1.%", True):
        assert refuse(lambda wrong=wrong: Allowance.parse(wrong)) == (
            f"max_failures must be a number, as in 10, or a share, as in 1%, not {wrong!r}"
        )
    failures = [Failure(key=SampleKey(n, None, 1), file="f", reason=f"why {n}") for n in range(12)]
    for count in (1, 9, 10, 11, 12):
        rest = [f"  ... and {count - 10} more"] if count > 10 else []
        assert describe_failures(Path("out"), failures[:count], 20).splitlines() == [
            f"{count} of 20 samples could not be built; there is no dataset",
            *(f"  image {n}, copy 1: why {n}" for n in range(min(count, 10))),
            *rest,
            "all are in out/failures.jsonl; mend the files and run again, or allow them with --max-failures",
        ]


def test_no_worker_is_too_few() -> None:
    for workers in (0, -1):
        assert refuse(lambda workers=workers: LocalExecutor(workers)) == f"workers must be at least 1, not {workers}"
        assert refuse(lambda workers=workers: choose_executor(None, workers)) == (
            f"workers must be at least 1, not {workers}"
        )
    assert LocalExecutor(1).workers == 1


def test_a_directory_of_somebody_else_or_in_use_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    refuse_foreign(out)
    out.write_bytes(b"")
    assert refuse(lambda: refuse_foreign(out)) == f"{out}: is a file; the output must be a directory"
    out.unlink()
    for name in ("manifest.json", "failures.jsonl", ".a.partial", "shard-1-of-2.h5"):
        out.mkdir(exist_ok=True)
        (out / name).touch()
    refuse_foreign(out)
    for name in ("thesis.txt", "xshard-1-of-2.h5", "shard-1-of-2.h5x", "shard-a-of-2.h5"):
        (out / name).touch()
        assert refuse(lambda: refuse_foreign(out)) == (
            f"{out}: holds {name}, which is no part of a dataset; choose an empty or new directory"
        )
        (out / name).unlink()
    monkeypatch.setattr("posegen.build.lock._TIDYING_S", 0.01)
    who = f"process {os.getpid()} on {platform.node()}"
    rest = "is building here; wait for it, or choose another directory"

    def enter(lock: Any) -> None:
        with lock(out):
            raise AssertionError

    with hold_lock(out):
        for lock in (hold_lock, share_lock):
            assert refuse(lambda lock=lock: enter(lock)) == f"{out}: {who} {rest}"
        (out / ".posegen" / "lock").write_text("")
        assert refuse(lambda: enter(hold_lock)) == f"{out}: process ? {rest}"
    with share_lock(out):
        assert refuse(lambda: enter(hold_lock)) == f"{out}: {who} (or another that builds a part) {rest}"


def test_views_cannot_be_flipped_of_keypoints_whose_names_tell_no_pairs(coco: Coco) -> None:
    config = BuildConfig.preset("coco", labels=("heatmap",), augment=Augmentation(flip=0.5))

    def plan(names: list[str]) -> Audit:
        coco.document["categories"] = [{"id": 1, "name": "thing", "keypoints": names, "skeleton": []}]
        for person in coco.document["annotations"]:
            person["keypoints"] = [5, 6, 2] * len(names)
        coco.write()
        return make_plan(read_annotations(coco.root, config), config).annotations.audit

    for count in (20, 21):
        names = [f"k{i}x" for i in range(count)]
        shown = ", ".join(names[:20]) + (", ..." if count > 20 else "")
        assert refuse(lambda names=names: plan(names)) == (
            f"{coco.annotations}: views are to be flipped, but the names of the keypoints do not tell which a mirror "
            f"swaps ({shown}); write them as flip_pairs into a skeleton file for --skeleton, from what 'posegen "
            f"skeleton show {coco.annotations} --toml' prints (flip_pairs = [] if a mirror swaps none), or leave flip "
            "out of --augment"
        )
    for pairs, alone in ((1, 0), (20, 20), (21, 21)):
        sides = [f"{side}_{chr(97 + i)}" for i in range(pairs) for side in ("left", "right")]
        others = [f"n{i}x" for i in range(alone)]
        listed = ", ".join(f"left_{chr(97 + i)} and right_{chr(97 + i)}" for i in range(min(pairs, 20)))
        more = ", ..." if pairs > 20 else ""
        rest = f"; not {', '.join(others[:20])}{more}" if alone else ""
        said = f"a mirror swaps {pairs} pair{'s'[: pairs - 1]} of keypoints, by their names: {listed}{more}{rest}"
        assert said in plan(sides + others).notes


def test_what_is_said_of_pictures_and_people(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: Path) -> None:
    assert refuse(lambda: find_box(make_sample((NO_BOX, AT_ONE_SPOT)))) == "annotation 10 has no box to crop by"
    for count, said in ((1, "1 picture"), (2, "2 pictures")):
        assert describe_unturned(6, count, "a.jpg") == (
            "EXIF orientation 6 (on its left side) not applied, as COCO counts pixels as they are stored: "
            f"{said}, such as a.jpg; --exif shown applies it"
        )
    plan = make_plan(read_annotations(source, CONFIG), CONFIG)
    failures: list[Failure] = []
    builder, sample = worker._SampleBuilder(plan.task(0, directory=tmp_path), failures, []), plan.shards[0][0]
    place, key = sample.file_name, SampleKey(sample.image_id)
    refused = f"{place}: there is not enough memory for it, or OpenCV refuses it: "
    for error, reason in (
        (ImageError("as it is"), "as it is"), (MemoryError("too large"), f"{refused}too large"),
        (cv2.error("who"), f"{refused}who"),
    ):  # fmt: skip

        def step(_: Any, error: Exception = error) -> None:
            raise error

        assert builder._try(step, sample) is None
        assert failures.pop() == Failure(key=key, file=place, reason=reason)
    assert builder._try(lambda of, more: (of, more), sample, 3) == (sample, 3)

    def fail(*_: Any) -> None:
        raise ZeroDivisionError("by nought")

    monkeypatch.setattr(worker, "draw_stored", fail)
    label: Any = SimpleNamespace(spec=SimpleNamespace(name="own"), storage=SimpleNamespace(dtype="float16"))
    samples: Any = [SimpleNamespace(image_id=7), SimpleNamespace(image_id=9)]
    for count, where in ((1, "7"), (2, "7 or 9")):
        assert refuse(lambda count=count: worker._draw(label, label, [], samples[:count])) == (
            f"label 'own' cannot be drawn for image {where}: ZeroDivisionError: by nought"
        )


def test_what_pictures_cannot_be_taken_from_is_told(built: Path, tmp_path: Path) -> None:
    manifest, copy = Manifest.read(built), tmp_path / "copy"
    assert refuse(lambda: relabel.find_old_pictures("s3://pail/pose", None, CONFIG)) == (
        "s3://pail/pose: pictures are copied from a dataset on this disk: posegen fetch brings it"
    )
    assert refuse(lambda: relabel._refuse_others(copy, dataclasses.replace(manifest, format_version=2), CONFIG)) == (
        f"{copy}: has format version 2, and pictures can be taken from version 3 alone"
    )
    shutil.copytree(built, copy)
    relabel.OldPictures(copy, CONFIG)
    first, second = (copy / shard.file for shard in manifest.shards[:2])
    fewer = dataclasses.replace(manifest.shards[0], samples=3)
    dataclasses.replace(manifest, shards=(fewer,)).write(copy)
    assert refuse(lambda: relabel.OldPictures(copy, CONFIG)) == f"{first}: is not the shard that the manifest tells of"
    dataclasses.replace(manifest, shards=manifest.shards[1:]).write(copy)
    shutil.rmtree(copy / ".posegen")
    assert refuse(lambda: relabel.OldPictures(copy, CONFIG)) == (
        f"{copy}: it is not recorded which files the pictures of {second.name} were encoded from, so none can be taken "
        "from there: an older posegen built it, or its directory .posegen is missing"
    )


def test_what_is_gone_or_lies_elsewhere_is_told(built: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    manifest = Manifest.read(built)
    state = checkpoint.BuildState(tmp_path, CONFIG)
    assert refuse(lambda: state.publish(manifest)) == (
        f"{tmp_path}: {manifest.shards[0].file} was changed or removed while others were built; run again"
    )
    monkeypatch.setattr(repair, "find_dataset", lambda _: "s3://pail/pose")
    assert refuse(lambda: repair.repair("pose", "coco")) == (
        "s3://pail/pose: shards are repaired in a directory on this disk: posegen fetch s3://pail/pose DIR"
    )
    far: Any = store.Store(tmp_path / "out", tmp_path / "home")
    far.out = type("Far", (), {"__truediv__": lambda *_: tmp_path / "far.h5"})()
    with pytest.raises(OSError, match="cannot be moved there") as caught:
        far.move(tmp_path / "a.h5", manifest.shards[0])
    assert (caught.value.errno, caught.value.strerror, caught.value.filename) == (
        5, "cannot be moved there", str(tmp_path / "far.h5"),
    )  # fmt: skip
