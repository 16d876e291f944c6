"""Building: the same bytes whatever happens on the way, and never a dataset that only looks whole."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from builds import CONFIG, change_annotations, files_of, shards
from executors import InProcess

import posegen
from posegen.build.lock import hold_lock
from posegen.config import BuildConfig
from posegen.errors import BuildError, ConfigError
from posegen.images import files
from posegen.shards.manifest import Manifest

pytest_plugins = ("built",)

build = partial(posegen.build, executor=InProcess())


@pytest.fixture(scope="module")
def reference(source: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The shards of an undisturbed build."""
    out = tmp_path_factory.mktemp("reference") / "out"
    build(source, out, CONFIG)
    return shards(out)


class Rebuilt:
    """Tells which shards a run wrote, by the times of the files."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.before = self._times()

    def names(self) -> set[str]:
        return {name for name, when in self._times().items() if self.before.get(name) != when}

    def _times(self) -> dict[str, int]:
        return {path.name: path.stat().st_mtime_ns for path in self.out.glob("*.h5")}


def test_the_number_of_workers_changes_no_byte(source: Path, reference: dict[str, bytes], tmp_path: Path) -> None:
    assert len(reference) == 4
    for workers in (1, 4):
        posegen.build(source, tmp_path / str(workers), CONFIG, workers=workers)
        assert shards(tmp_path / str(workers)) == reference


def test_progress_ends_at_the_number_of_samples(source: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    manifest = build(source, tmp_path / "out", CONFIG, progress=lambda *at: seen.append(at))
    assert seen[-1] == (manifest.samples, manifest.samples)


def test_the_second_run_builds_nothing(source: Path, tmp_path: Path) -> None:
    told: list[str] = []
    first = build(source, tmp_path / "out", CONFIG)
    rebuilt = Rebuilt(tmp_path / "out")
    assert build(source, tmp_path / "out", CONFIG, notify=told.append) == first
    assert rebuilt.names() == set()
    assert any(f"{len(first.shards)} of {len(first.shards)} shards stand" in line for line in told)


def test_a_changed_annotation_rebuilds_its_shard_alone(copy: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    build(copy, out, CONFIG)
    rebuilt = Rebuilt(out)

    def move_a_joint(document: dict[str, Any]) -> None:
        person = next(a for a in document["annotations"] if a["num_keypoints"])
        first = next(k for k in range(17) if person["keypoints"][3 * k + 2])
        person["keypoints"][3 * first] += 1

    change_annotations(copy, move_a_joint)
    build(copy, out, CONFIG)
    assert len(rebuilt.names()) == 1
    build(copy, tmp_path / "fresh", CONFIG)
    assert shards(out) == shards(tmp_path / "fresh")


def test_a_changed_picture_rebuilds_its_shard_alone(copy: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    build(copy, out, CONFIG)
    rebuilt = Rebuilt(out)
    picture = files_of(copy)[0]
    picture.write_bytes(picture.read_bytes() + b"\0")
    build(copy, out, CONFIG)
    assert len(rebuilt.names()) == 1


def test_a_picture_that_changes_while_it_is_built_is_noticed_by_the_next_run(
    copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changing, said = files_of(copy)[0], list[str]()
    read = files.read_identified

    def change_and_read(directory: Path, name: str) -> tuple[bytes, str]:
        data, identity = read(directory, name)
        if name == changing.name:
            changing.write_bytes(data + b"\0")
        return data, identity

    monkeypatch.setattr(files, "read_identified", change_and_read)
    build(copy, tmp_path / "out", CONFIG)
    monkeypatch.undo()
    build(copy, tmp_path / "out", CONFIG, notify=said.append)
    assert "3 of 4 shards stand from an earlier run; building 1" in said


def test_a_harmed_shard_is_rebuilt_alone(source: Path, reference: dict[str, bytes], tmp_path: Path) -> None:
    out = tmp_path / "out"
    build(source, out, CONFIG)
    victim = out / sorted(reference)[1]
    whole = victim.read_bytes()
    middle = len(whole) // 2
    for harmed in (None, whole[:-1], whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]):
        rebuilt = Rebuilt(out)
        victim.unlink()
        if harmed is not None:
            victim.write_bytes(harmed)
        build(source, out, CONFIG)
        assert rebuilt.names() == {victim.name}
        assert shards(out) == reference


def test_a_harmed_commit_record_is_not_believed(source: Path, reference: dict[str, bytes], tmp_path: Path) -> None:
    out = tmp_path / "out"
    build(source, out, CONFIG)
    record = next((out / ".posegen").glob("*/shard-*.json"))
    record.write_text(record.read_text()[:-10])
    build(source, out, CONFIG)
    assert shards(out) == reference


def test_a_changed_option_is_refused_by_name_with_both_values(source: Path, tmp_path: Path) -> None:
    build(source, tmp_path / "out", CONFIG)
    before = shards(tmp_path / "out")
    other = BuildConfig(shard_size=4, input_size=(128, 128), sigma_px=7.0)
    with pytest.raises(ConfigError, match=r"(?s)sigma_px: was 8.0, is now 7.0.*--overwrite"):
        build(source, tmp_path / "out", other)
    assert shards(tmp_path / "out") == before


def test_other_options_are_refused_while_there_is_no_dataset_yet_but_a_finished_shard(
    source: Path, tmp_path: Path
) -> None:
    build(source, tmp_path / "out", CONFIG)
    (tmp_path / "out" / "manifest.json").unlink()
    with pytest.raises(ConfigError, match=r"(?s)sigma_px: was 8.0, is now 7.0.*--overwrite"):
        build(source, tmp_path / "out", BuildConfig(shard_size=4, input_size=(128, 128), sigma_px=7.0))


def test_a_build_that_finished_no_shard_does_not_bind_the_next_one_to_its_options(copy: Path, tmp_path: Path) -> None:
    hidden = (copy / "train2017").rename(copy / "elsewhere")
    (copy / "train2017").mkdir()
    with pytest.raises(BuildError):
        build(copy, tmp_path / "out", BuildConfig(shard_size=4, input_size=(128, 128), sigma_px=7.0))
    (copy / "train2017").rmdir()
    hidden.rename(copy / "train2017")
    assert build(copy, tmp_path / "out", CONFIG).config == CONFIG


def test_overwriting_gives_the_bytes_of_a_fresh_build(source: Path, tmp_path: Path) -> None:
    out, other = tmp_path / "out", BuildConfig(shard_size=7, input_size=(128, 128))
    build(source, out, CONFIG)
    build(source, out, other, overwrite=True)
    build(source, tmp_path / "fresh", other)
    assert shards(out) == shards(tmp_path / "fresh")
    assert Manifest.read(out).config == other


def test_a_dataset_stays_while_overwriting_it_fails(copy: Path, reference: dict[str, bytes], tmp_path: Path) -> None:
    out = tmp_path / "out"
    build(copy, out, CONFIG)
    files_of(copy)[0].unlink()
    other = BuildConfig(shard_size=7, input_size=(128, 128))
    with pytest.raises(BuildError):
        build(copy, out, other, overwrite=True)
    assert shards(out) == reference
    assert Manifest.read(out).config == CONFIG


def test_a_directory_with_other_files_is_not_touched(source: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("all my work")
    with pytest.raises(ConfigError, match=r"holds thesis\.txt"):
        build(source, tmp_path, CONFIG)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_second_build_into_a_directory_is_refused_with_the_firsts_process_id(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / ".posegen").mkdir(parents=True)
    holder = (
        "import fcntl, sys, os\n"
        "lock = open(sys.argv[1], 'a+'); fcntl.flock(lock, fcntl.LOCK_EX)\n"
        "lock.write(f'{os.getpid()}\\n'); lock.flush()\n"
        "print('held', flush=True); sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", holder, str(out / ".posegen" / "lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(BuildError, match=f"process {process.pid} is building here"):
            build(source, out, CONFIG)
        process.kill()
    assert build(source, out, CONFIG).samples > 0, "the lock of a dead process holds nobody back"


def test_what_killed_processes_left_is_gone_before_the_first_sample_is_built(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    build(source, out, CONFIG)
    min(out.glob("*.h5")).unlink()
    (home,) = {path.parent for path in (out / ".posegen").glob("*/options.json")}
    left = [directory / ".shard.h5.4711.partial" for directory in (out, out / ".posegen", home, home / "shards")]
    # Of a build with other options, and of a repair.
    left += [out / ".posegen/0123456789abcdef/shards/.x.1.partial", out / ".posegen/repair/shard-00000-of-00004.h5"]
    for path in left:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    mine = [out / ".posegen" / "notes.txt", home / "notes.txt"]
    for path in mine:
        path.touch()
    found: list[Path] = []
    build(source, out, CONFIG, notify=lambda _: found.extend(path for path in left if path.exists()))
    assert found == []
    assert [path for path in mine if not path.exists()] == [], "nothing else is"


def test_a_link_out_of_the_directory_is_not_followed_to_remove_anything(tmp_path: Path) -> None:
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    elsewhere.mkdir()
    kept = elsewhere / ".thesis.txt.1.partial"
    kept.touch()
    (out / ".posegen").mkdir(parents=True)
    (out / ".posegen" / "linked").symlink_to(elsewhere)
    (out / ".posegen" / "repair").symlink_to(elsewhere)
    with hold_lock(out):
        assert kept.exists()
    assert kept.exists()
