"""Building the bad shards of a dataset again: to the recorded byte, or not at all."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import h5py
import pytest
from conftest import Coco, encode
from damage import copy_of, edit, flip, offset_of, said, shards_of
from executors import Deadly, InProcess

import posegen
from posegen.build import repair as repairing
from posegen.build.plan import ShardTask
from posegen.config import BuildConfig
from posegen.errors import BuildError, ConfigError, ShardError

build, verify = (partial(function, executor=InProcess()) for function in (posegen.build, posegen.verify))
repair = partial(repairing.repair, executor=InProcess())


@pytest.fixture
def copy(dataset: Path, tmp_path: Path) -> Path:
    """A copy of the dataset, to be damaged."""
    return copy_of(dataset, tmp_path / "copy")


@pytest.fixture
def own(tmp_path: Path) -> Coco:
    """Annotations and pictures of four samples that may be changed."""
    dataset = Coco(tmp_path / "own", seed=5)
    for _ in range(4):
        dataset.person(dataset.image(60, 40))
    dataset.write()
    return dataset


@pytest.fixture
def built(own: Coco, tmp_path: Path) -> Path:
    """Built from them in two shards."""
    out = tmp_path / "built"
    build(own.root, out, BuildConfig(shard_size=2, input_size=(48, 64)))
    return out


def test_only_bad_shards_are_built_again_even_without_commit_records(copy: Path, corpus: Coco) -> None:
    first, second, third = shards_of(copy)
    shutil.copy(first, copy / "shard-00009-of-00003.h5")
    good = {path: path.read_bytes() for path in shards_of(copy)}
    untouched = first.stat()
    flip(second, 5000)
    third.unlink()
    notes: list[str] = []
    assert repair(copy, corpus.root, notify=notes.append) == [second.name, third.name]
    assert {path: path.read_bytes() for path in shards_of(copy)} == good
    assert (first.stat().st_ino, first.stat().st_mtime_ns) == (untouched.st_ino, untouched.st_mtime_ns)
    assert sorted(path.name for path in (copy / ".posegen").iterdir()) == ["lock"]
    assert [note.split(": ")[0] for note in notes] == [second.name, third.name]
    assert notes[1] == f"{third.name}: missing; building it again"


def test_swapped_shards_are_put_right(built: Path, own: Coco) -> None:
    first, second = shards_of(built)
    good = first.read_bytes(), second.read_bytes()
    first.write_bytes(good[1])
    second.write_bytes(good[0])
    repair(built, own.root)
    assert (first.read_bytes(), second.read_bytes()) == good


def test_a_dataset_that_is_as_recorded_is_left_alone(built: Path, tmp_path: Path) -> None:
    assert repair(built, tmp_path / "no annotations are read then") == []


def test_with_other_pictures_a_shard_stays_as_it_is_and_the_pictures_are_blamed(built: Path, own: Coco) -> None:
    shard = shards_of(built)[0]
    flip(shard, offset_of(shard, "heatmap", 0))
    bad = shard.read_bytes()
    for path in own.images.iterdir():
        path.write_bytes(encode(255 - cv2.imread(str(path)), ".jpg"))
    with pytest.raises(BuildError) as caught:
        repair(built, own.root)
    assert "1 of 1 bad shards cannot be built as they were" in str(caught.value)
    assert f"{shard.name}: its pictures are others" in str(caught.value)
    assert shard.read_bytes() == bad
    assert not (built / ".posegen" / "repair").exists()


def test_with_other_annotations_they_are_blamed(built: Path, own: Coco) -> None:
    shard = shards_of(built)[1]
    flip(shard, offset_of(shard, "paf", 0))
    for annotation in own.document["annotations"]:
        annotation["keypoints"][0] += 1
    own.write()
    with pytest.raises(BuildError, match=f"{shard.name}: its annotations are others"):
        repair(built, own.root)


def test_annotations_that_give_no_such_shard_are_blamed(built: Path, own: Coco) -> None:
    shards_of(built)[1].unlink()
    own.document["images"] = own.document["images"][:2]
    own.document["annotations"] = own.document["annotations"][:2]
    own.write()
    with pytest.raises(BuildError, match="the annotations do not give such a shard"):
        repair(built, own.root)


def test_where_nothing_is_left_to_ask_both_are_possible(built: Path, own: Coco) -> None:
    shard = shards_of(built)[1]
    shard.unlink()
    for annotation in own.document["annotations"]:
        annotation["keypoints"][0] += 1
    own.write()
    with pytest.raises(BuildError, match=f"{shard.name}: its annotations or pictures are others"):
        repair(built, own.root)


def test_other_libraries_are_blamed_by_name(built: Path, own: Coco) -> None:
    edit(built, lambda record: record["versions"].update(opencv="4.9.0"))
    edit(built, lambda record: record["shards"][0].update(sha256="0" * 64))
    with pytest.raises(BuildError, match=rf"the libraries are others: opencv {cv2.__version__}, not 4\.9\.0"):
        repair(built, own.root)


def test_a_picture_that_is_gone_is_named(built: Path, own: Coco) -> None:
    for shard in shards_of(built):
        shard.unlink()
    gone = sorted(own.images.iterdir())[1]
    gone.unlink()
    with pytest.raises(BuildError, match=rf"image 107 cannot be built: .*{gone.name}: cannot be read"):
        repair(built, own.root)
    assert len(shards_of(built)) == 1, "the other one is repaired all the same"
    assert [problem.what for problem in verify(built)] == ["missing"]


def test_samples_that_failed_in_the_build_are_left_out_again(own: Coco, tmp_path: Path) -> None:
    broken = sorted(own.images.iterdir())[2]
    picture = broken.read_bytes()
    broken.write_bytes(b"no picture")
    out = tmp_path / "out"
    config = BuildConfig(shard_size=2, input_size=(48, 64))
    build(own.root, out, config, max_failures=1)
    good = {path: path.read_bytes() for path in shards_of(out)}
    broken.write_bytes(picture)
    for path in good:
        path.unlink()
    repair(out, own.root)
    assert {path: path.read_bytes() for path in shards_of(out)} == good


def test_a_link_that_leads_out_is_replaced_and_its_target_is_not_touched(
    built: Path, own: Coco, tmp_path: Path
) -> None:
    shard, outside = shards_of(built)[0], tmp_path / "outside.h5"
    shard.rename(outside)
    shard.symlink_to(outside)
    good = outside.read_bytes()
    assert said(verify(built)) == {shard.name: [f"leads out of its directory, to {outside}"]}
    repair(built, own.root)
    assert not shard.is_symlink()
    assert (shard.read_bytes(), outside.read_bytes()) == (good, good)


def test_while_another_process_builds_there_nothing_is_done(built: Path, own: Coco) -> None:
    shards_of(built)[0].unlink()
    with (built / ".posegen" / "lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write("4711\n")
        lock.truncate()
        with pytest.raises(BuildError, match="process 4711 is building here"):
            repair(built, own.root)
    assert len(shards_of(built)) == 1


def test_a_worker_that_keeps_dying_is_reported(built: Path, own: Coco) -> None:
    attempts: list[str] = []

    def die(task: ShardTask) -> int:
        attempts.append(task.file_name)
        return 0

    shards_of(built)[0].unlink()
    with pytest.raises(BuildError, match="its worker was killed by SIGKILL"):
        repairing.repair(built, own.root, executor=Deadly(die))
    assert len(attempts) == 3


def test_a_missing_directory_is_not_made(own: Coco, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nowhere: no such directory"):
        repair(tmp_path / "nowhere", own.root)
    assert not (tmp_path / "nowhere").exists()


def test_without_a_manifest_there_is_nothing_to_go_by(own: Coco, tmp_path: Path) -> None:
    with pytest.raises(ShardError, match="it is no dataset"):
        repair(tmp_path, own.root)
    assert not (tmp_path / ".posegen").exists()


def test_a_worker_that_dies_once_costs_nothing(built: Path, own: Coco) -> None:
    good = {path: path.read_bytes() for path in shards_of(built)}
    for path in good:
        path.unlink()
    deaths = iter([0, None, 1])
    steps: list[tuple[int, int]] = []
    repairing.repair(
        built, own.root, executor=Deadly(lambda _: next(deaths, None)), progress=lambda *step: steps.append(step)
    )
    assert {path: path.read_bytes() for path in shards_of(built)} == good
    assert steps[-1] == (4, 4)


def test_a_disk_that_fails_is_an_error_and_no_shard_is_said_to_be_built_again(
    built: Path, own: Coco, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Failing(InProcess):
        def run(self, function: Any, tasks: Any, on_progress: Any) -> Iterator[Any]:
            for task in tasks:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(task.directory / task.file_name))
                yield  # it is a generator, as the protocol says

    shard = shards_of(built)[0]
    flip(shard, offset_of(shard, "heatmap", 0))
    bad = shard.read_bytes()
    with pytest.raises(BuildError, match=rf"{shard.name}: No space left on device"):
        repairing.repair(built, own.root, executor=Failing())
    assert shard.read_bytes() == bad
    (built / ".posegen" / "lock").unlink()
    (built / ".posegen" / "lock").mkdir()
    with pytest.raises(BuildError, match="lock: Is a directory"):
        repair(built, own.root)
    assert shard.read_bytes() == bad


def test_a_shard_of_which_no_sample_can_be_built_stays_as_it_is_and_the_first_is_named(built: Path, own: Coco) -> None:
    shard, other = shards_of(built)
    good = other.read_bytes()
    with h5py.File(shard) as file:
        ids = file["sample/image_id"][...].tolist()
    for image in own.document["images"]:
        if image["id"] in ids:
            (own.images / image["file_name"]).unlink()
    for path in (shard, other):
        flip(path, offset_of(path, "heatmap", 0))
    bad = shard.read_bytes()
    with pytest.raises(BuildError, match=rf"1 of 2 bad shards .*\n  {shard.name}: image {ids[0]} cannot be built: "):
        repair(built, own.root)
    assert (shard.read_bytes(), other.read_bytes()) == (bad, good)


def test_what_killed_processes_left_is_gone_before_the_first_shard_is_built(built: Path, own: Coco) -> None:
    (home,) = {path.parent for path in (built / ".posegen").glob("*/options.json")}
    left = [directory / ".shard.h5.4711.partial" for directory in (built, built / ".posegen", home, home / "shards")]
    left.append(built / ".posegen" / "repair" / "shard-00000-of-00002.h5")
    for path in left:
        path.parent.mkdir(exist_ok=True)
        path.touch()
    shards_of(built)[0].unlink()
    found: list[Path] = []
    repair(built, own.root, notify=lambda _: found.extend(path for path in left if path.exists()))
    assert found == []
    for path in left:
        path.parent.mkdir(exist_ok=True)
        path.touch()
    repair(built, own.root)
    assert [path for path in left if path.exists()] == [], "even if there is nothing to repair"
