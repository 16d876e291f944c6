"""Parts of a build: in any order, twice, by any split, and never a dataset that only looks whole."""

from __future__ import annotations

import errno
import fcntl
import sys
from functools import partial
from pathlib import Path

import pytest
from builds import CONFIG, change_annotations, files_of
from conftest import Run
from executors import InProcess

import posegen
from posegen.build import parts
from posegen.build.lock import hold_lock, share_lock
from posegen.build.part import Part
from posegen.errors import BuildError, ConfigError, UnfinishedError
from posegen.shards import Manifest, ShardReader

pytest_plugins = ("built",)

build = partial(posegen.build, executor=InProcess())
build_part = partial(parts.build_part, executor=InProcess())
finish = parts.finish_parts


@pytest.fixture(scope="module")
def whole(source: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    out = tmp_path_factory.mktemp("whole") / "out"
    build(source, out, CONFIG)
    return contents(out)


def contents(out: Path) -> dict[str, bytes]:
    """The files of a dataset, the manifest included."""
    return {path.name: path.read_bytes() for path in sorted(out.iterdir()) if path.is_file()}


def test_any_split_in_any_order_and_again_gives_the_files_of_a_build_at_once(
    source: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    orders = (["1/1"], ["2/2", "1/2", "2/2"], ["4/4", "1/4", "3/4", "2/4"], ["9/9", "1/2", "2/3", "4/4"])
    for i, order in enumerate(orders):
        out = tmp_path / str(i)
        reports = [build_part(source, out, CONFIG, part=part) for part in order]
        assert (reports[-1].built, reports[-1].of) == (4, 4)
        assert not (out / "manifest.json").exists()
        assert finish(source, out, CONFIG) == finish(source, out, CONFIG) == Manifest.read(out)
        assert contents(out) == whole, order
    assert reports[0].shards == 0, "the ninth of nine parts of four shards"


def test_a_part_that_was_built_is_not_built_again_by_another_split_nor_by_a_build(source: Path, tmp_path: Path) -> None:
    build_part(source, tmp_path / "out", CONFIG, part="1/2")
    said: list[str] = []
    build_part(source, tmp_path / "out", CONFIG, part="1/1", notify=said.append)
    assert "2 of the 4 shards of part 1/1 stand from an earlier run; building 2" in said
    said.clear()
    build(source, tmp_path / "out", CONFIG, notify=said.append)
    assert "4 of 4 shards stand from an earlier run; nothing is left to build" in said


def test_the_last_part_to_end_finishes_the_dataset_whichever_it_is(
    source: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    for part in ("3/4", "1/4", "4/4"):
        assert build_part(source, out, CONFIG, part=part, finish=True).manifest is None
        assert not (out / "manifest.json").exists()
    assert build_part(source, out, CONFIG, part="2/4", finish=True).manifest == Manifest.read(out)
    assert contents(out) == whole
    written = (out / "manifest.json").stat().st_ino
    assert build_part(source, out, CONFIG, part="1/2", finish=True).manifest == Manifest.read(out)
    assert (out / "manifest.json").stat().st_ino == written, "what is whole is not taken away while it is written again"


def test_what_keeps_the_last_part_from_finishing_is_told_and_no_error_of_it(copy: Path, tmp_path: Path) -> None:
    out, said = tmp_path / "out", list[str]()
    build_part(copy, out, CONFIG, part="1/2")
    next(out.glob(".posegen/*/shards/shard-00002-*.h5")).write_bytes(b"")
    assert build_part(copy, out, CONFIG, part="2/2", finish=True, notify=said.append).manifest is None
    assert "shard-00002-of-00004.h5 (part 1/2) was changed or removed since it was built" in said[-1]
    assert not (out / "manifest.json").exists()


def test_progress_is_that_of_the_part(source: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    build_part(source, tmp_path / "out", CONFIG, part="2/4", progress=lambda *at: seen.append(at))
    assert seen[-1] == (4, 4)


def test_what_is_missing_or_is_no_more_what_it_was_is_named_with_its_part(copy: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(UnfinishedError, match="4 of 4 shards are missing") as caught:
        finish(copy, out, CONFIG)
    assert (caught.value.parts, caught.value.of) == ((), 1)
    for number in (1, 2, 3):
        build_part(copy, out, CONFIG, part=f"{number}/4")
    with pytest.raises(UnfinishedError, match=r"shard-00003-of-00004\.h5 \(part 4/4\) was not built$") as caught:
        finish(copy, out, CONFIG)
    assert (caught.value.parts, caught.value.of) == ((4,), 4)
    build_part(copy, out, CONFIG, part="4/4")
    staged = {path.name: path for path in out.glob(".posegen/*/shards/*.h5")}
    harmed = staged["shard-00001-of-00004.h5"]
    harmed.write_bytes(harmed.read_bytes()[:-1] + b"?")
    staged["shard-00002-of-00004.h5"].unlink()
    min(out.glob(".posegen/*/shard-00000-*.json")).write_text("{")
    with pytest.raises(UnfinishedError) as caught:
        finish(copy, out, CONFIG)
    assert str(caught.value).splitlines()[1:] == [
        "  shard-00000-of-00004.h5 (part 1/4) has a record that cannot be read",
        "  shard-00001-of-00004.h5 (part 2/4) was changed or removed since it was built",
        "  shard-00002-of-00004.h5 (part 3/4) was changed or removed since it was built",
    ]
    for part in ("1/4", "2/4", "3/4"):
        build_part(copy, out, CONFIG, part=part)
    files_of(copy)[0].touch()
    with pytest.raises(UnfinishedError, match=r"was built from other pictures \(their sizes or times\)$"):
        finish(copy, out, CONFIG)
    change_annotations(copy, lambda document: document["annotations"].pop(0))
    with pytest.raises(UnfinishedError, match="was built from other annotations"):
        finish(copy, out, CONFIG)
    assert not (out / "manifest.json").exists()


def test_samples_that_fail_are_counted_over_all_parts_and_tried_again(copy: Path, tmp_path: Path) -> None:
    out, bad = tmp_path / "out", files_of(copy)[::5]
    kept = [path.read_bytes() for path in bad]
    for path in bad:
        path.write_bytes(b"no picture")
    for number in (1, 2):
        with pytest.raises(BuildError, match=r"could not be built; there is no dataset"):
            build_part(copy, out, CONFIG, part=f"{number}/2")
    assert not (out / "failures.jsonl").exists(), "the parts' own lists lie elsewhere"
    with pytest.raises(BuildError, match=r"^4 of 16 samples could not be built") as caught:
        finish(copy, out, CONFIG, max_failures=3)
    assert all(path.name in str(caught.value) for path in bad)
    assert finish(copy, out, CONFIG, max_failures=4).failures == 4
    build(copy, tmp_path / "whole", CONFIG, max_failures=4)
    assert contents(out) == contents(tmp_path / "whole")
    for path, data in zip(bad, kept, strict=True):
        path.write_bytes(data)
    for number in (1, 2):
        build_part(copy, out, CONFIG, part=f"{number}/2")
    assert finish(copy, out, CONFIG).failures == 0


def test_a_shard_without_a_sample_that_can_be_built_is_no_missing_one(copy: Path, tmp_path: Path) -> None:
    build(copy, tmp_path / "whole", CONFIG)
    with ShardReader(tmp_path / "whole" / "shard-00000-of-00004.h5") as reader:
        names = [reader.sample(i)["file_name"] for i in range(len(reader))]
    for name in names:
        (copy / "train2017" / name).write_bytes(b"no picture")
    for of in (1, 4):
        out = tmp_path / f"{of} parts"
        reports = [build_part(copy, out, CONFIG, part=f"{n}/{of}", max_failures=4) for n in range(1, of + 1)]
        assert (reports[0].failures, reports[0].samples) == (4, 12 if of == 1 else 0)
        assert len(finish(copy, out, CONFIG, max_failures=4).shards) == 3


def test_what_is_replaced_stays_until_the_parts_are_finished(
    source: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    out, other = tmp_path / "out", posegen.BuildConfig(shard_size=7, input_size=(128, 128))
    build(source, out, CONFIG)
    with pytest.raises(ConfigError, match="shard_size: was 4, is now 7"):
        build_part(source, out, other, part="1/2")
    build_part(source, out, other, part="1/2", overwrite=True)
    with pytest.raises(UnfinishedError):
        finish(source, out, other, overwrite=True)
    assert contents(out) == whole
    build_part(source, out, other, part="2/2", overwrite=True)
    finish(source, out, other, overwrite=True)
    build(source, tmp_path / "fresh", other)
    assert contents(out) == contents(tmp_path / "fresh")


def test_a_part_that_cannot_be_is_refused() -> None:
    assert Part.parse("3/16") == Part(3, 16)
    for text in ("3", "3/", "/3", "a/b", "1/2/3", "-1/3", " 1/2", "1.5/2"):
        with pytest.raises(ConfigError, match="must be written as in 3/16"):
            Part.parse(text)
    for text in ("0/3", "4/3", "1/0"):
        with pytest.raises(ConfigError, match="there is no part"):
            Part.parse(text)


def test_every_shard_is_of_one_part(tmp_path: Path) -> None:
    for of in (1, 2, 3, 7):
        chosen = [(shard, number) for number in range(1, of + 1) for shard in Part(number, of).choose(5)]
        assert sorted(shard for shard, _ in chosen) == list(range(5))
        assert all(Part.having(shard, of) == Part(number, of) for shard, number in chosen)


class TestLock:
    def test_parts_share_it_and_keep_a_build_away(self, source: Path, tmp_path: Path) -> None:
        out = tmp_path / "out"
        with share_lock(out):
            build_part(source, out, CONFIG, part="1/1")
            with pytest.raises(BuildError, match=r"another that builds a part\) is building here"):
                build(source, out, CONFIG)
            finish(source, out, CONFIG)

    def test_a_build_keeps_parts_away(self, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("posegen.build.lock._TIDYING_S", 0.05)
        with hold_lock(tmp_path / "out"), pytest.raises(BuildError, match="is building here; wait for it"):
            build_part(source, tmp_path / "out", CONFIG, part="1/1")

    def test_the_last_to_leave_removes_what_killed_processes_left(self, tmp_path: Path) -> None:
        left = tmp_path / ".posegen" / "0123456789abcdef" / ".shard.h5.1.partial"
        left.parent.mkdir(parents=True)
        with share_lock(tmp_path):
            left.touch()
            with share_lock(tmp_path):
                pass
            assert left.exists()
        assert not left.exists()

    def test_a_file_system_without_locks_will_do(
        self, source: Path, whole: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: object) -> None:
            raise OSError(errno.ENOLCK, "No locks available")

        monkeypatch.setattr(fcntl, "flock", refuse)
        out = tmp_path / "out"
        with pytest.raises(BuildError, match=r"cannot be locked: No locks available.*or in parts"):
            build(source, out, CONFIG)
        mine = out / ".posegen" / ".somebody-writes.h5.1.partial"
        mine.touch()
        for part in ("2/2", "1/2"):
            build_part(source, out, CONFIG, part=part)
        finish(source, out, CONFIG)
        assert contents(out) == whole
        assert mine.exists(), "nobody knows whether it is still written"

    def test_a_system_without_locks_says_where_posegen_builds_and_builds_parts(
        self, source: Path, whole: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "fcntl", None)
        out = tmp_path / "out"
        with pytest.raises(BuildError) as caught:
            build(source, out, CONFIG)
        assert str(caught.value) == (
            f"{out}/.posegen/lock: cannot be locked: posegen works under Linux and macOS; build "
            "on a file system with locks, and copy, or in parts, which need none"
        )
        assert isinstance(caught.value.__cause__, OSError)
        assert caught.value.__cause__.errno == errno.ENOTSUP
        build_part(source, out, CONFIG, part="1/1")
        finish(source, out, CONFIG)
        assert contents(out) == whole


def test_the_commands_that_are_named_build_what_is_missing(
    source: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("posegen.build.parts.choose_executor", lambda *_: InProcess())
    out = tmp_path / "out"
    words = ["build", "--coco", source, "--out", out, "--shard-size", 4, "--input-size", "128x128", "--quiet"]

    def call(*more: object) -> str:
        monkeypatch.setattr(sys, "argv", ["posegen", *map(str, [*words, *more])])
        outcome = run(*words, *more)
        assert outcome.status == (1 if outcome.err else 0), outcome.err
        return outcome.err

    assert "build it here, or in parts with --part: posegen build --coco" in call("--finish")
    call("--part", "2/3")
    commands = call("--finish").split("finish again\n")[1].splitlines()
    assert [command.split()[-2:] for command in commands] == [["--part", "1/3"], ["--part", "3/3"]]
    for command in commands:
        assert command.split()[:-2] == ["posegen", *map(str, words)]
        assert not (out / "manifest.json").exists()
        call(*command.split()[-2:])
    assert (out / "manifest.json").exists()
    assert call("--finish") == ""
    assert Manifest.read(out).samples == 16
    assert run(*words, "--part", "1/3", "--finish").status == 2
