"""Checking datasets and building their bad shards again, on copies of a built dataset that are damaged on purpose."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import cv2
import h5py
import hdf5plugin  # noqa: F401 (registers zstd)
import numpy as np
import pytest
from conftest import Build, Coco, Run, encode

import posegen
from posegen.build import repair as repairing
from posegen.build.executors import Done, Lost, Report
from posegen.build.pipeline import build as build_dataset
from posegen.build.repair import repair
from posegen.config import BuildConfig
from posegen.errors import BuildError, ConfigError, PosegenError, ShardError
from posegen.inspect import verify as verifying
from posegen.inspect.verify import Problem, ShardCheck, check_shard, verify
from posegen.shards import ShardReader
from posegen.shards.manifest import Manifest

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy")


class InProcess:
    """An executor without processes, for the many tests that are not about them."""

    def __init__(self, workers: int) -> None:
        self.workers = workers

    def run(
        self, function: Callable[[Any, Report], Any], tasks: Iterable[Any], on_progress: Report
    ) -> Iterator[Done[Any, Any] | Lost[Any]]:
        for task in tasks:
            yield Done(task, function(task, on_progress))


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (verifying, repairing):
        monkeypatch.setattr(module, "choose_executor", lambda _, workers: InProcess(workers or 1))


@pytest.fixture
def copy(dataset: Path, tmp_path: Path) -> Path:
    """A copy of the dataset, to be damaged; without what a build could go on from."""
    return Path(shutil.copytree(dataset, tmp_path / "copy", ignore=shutil.ignore_patterns(".posegen")))


def shards_of(dataset: Path) -> list[Path]:
    return sorted(dataset.glob("shard-*.h5"))


def flip(path: Path, offset: int, bit: int = 0) -> None:
    data = bytearray(path.read_bytes())
    data[offset] ^= 1 << bit
    path.write_bytes(data)


def offset_of(path: Path, name: str, index: int) -> int:
    """Find a byte in the middle of a chunk."""
    with h5py.File(path) as file:
        chunk = file[name].id.get_chunk_info(index)
    return chunk.byte_offset + chunk.size // 2


def edit(dataset: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the manifest."""
    record = json.loads((dataset / "manifest.json").read_text(encoding="utf-8"))
    change(record)
    (dataset / "manifest.json").write_text(json.dumps(record), encoding="utf-8")


def accept(dataset: Path) -> None:
    """Make the manifest say of its shards what they are by now, as somebody would who wants them to be believed."""

    def change(record: dict[str, Any]) -> None:
        for shard in record["shards"]:
            data = (dataset / shard["file"]).read_bytes()
            shard |= {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}

    edit(dataset, change)


def said(problems: Iterable[Problem]) -> dict[str, list[str]]:
    """Sort what is wrong by file."""
    found: dict[str, list[str]] = {}
    for problem in problems:
        found.setdefault(problem.file, []).append(problem.what)
    return found


class TestInProcesses:
    @pytest.mark.parametrize("variant", ["plain", "packed", "raw"])
    def test_a_fresh_dataset_is_as_recorded_and_as_rendered_again(
        self, build: Build, corpus: Coco, variant: str
    ) -> None:
        steps: list[tuple[int, int]] = []
        problems = verify(
            build(variant), deep=True, coco=corpus.root, workers=2, progress=lambda *step: steps.append(step)
        )
        assert problems == []
        samples = Manifest.read(build(variant)).samples
        assert [done for done, _ in steps if done < samples] == list(range(1, samples))
        assert steps[-1] == (samples, samples)

    def test_bad_shards_are_found_and_built_again_in_worker_processes(self, copy: Path, corpus: Coco) -> None:
        first, _, last = shards_of(copy)
        good = [path.read_bytes() for path in shards_of(copy)]
        flip(first, 9000)
        last.unlink()
        assert set(said(verify(copy, workers=2))) == {first.name, last.name}
        assert repair(copy, corpus.root, workers=2) == [first.name, last.name]
        assert [path.read_bytes() for path in shards_of(copy)] == good
        assert verify(copy, workers=1) == []

    def test_a_shard_at_which_the_reader_dies_is_a_problem_and_the_others_are_checked(
        self, copy: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first, second, third = shards_of(copy)
        third.unlink()

        class Deadly(InProcess):
            def run(self, function: Any, tasks: Any, on_progress: Report) -> Iterator[Any]:
                for task in tasks:
                    if task.shard.file == second.name:
                        yield Lost(task, 0, "was killed by SIGSEGV")
                    else:
                        yield from super().run(function, [task], on_progress)

        monkeypatch.setattr(verifying, "choose_executor", lambda _, workers: Deadly(workers or 1))
        assert said(verify(copy)) == {
            second.name: ["cannot be checked: the process that read it was killed by SIGSEGV"],
            third.name: ["missing"],
        }
        assert first.exists()

    def test_they_are_at_hand_in_the_package(self) -> None:
        assert (posegen.verify, posegen.repair) == (verify, repair)


@pytest.mark.usefixtures("in_process")
class TestFiles:
    def test_a_missing_shard_is_named(self, copy: Path) -> None:
        gone = shards_of(copy)[1]
        gone.unlink()
        assert verify(copy) == [Problem(file=gone.name, what="missing")]

    def test_a_truncated_shard_is_named_with_both_sizes(self, copy: Path) -> None:
        short = shards_of(copy)[1]
        data = short.read_bytes()
        short.write_bytes(data[:-7])
        found = said(verify(copy))
        assert set(found) == {short.name}
        assert found[short.name][0] == f"has {len(data) - 7} bytes, the manifest says {len(data)}"

    def test_a_shard_whose_bytes_have_changed_is_named_with_both_hashes(self, copy: Path) -> None:
        changed = shards_of(copy)[0]
        before = hashlib.sha256(changed.read_bytes()).hexdigest()
        with h5py.File(changed) as file:
            inside_a_picture = file["image/bytes"].id.get_offset() + 500
        flip(changed, inside_a_picture)
        after = hashlib.sha256(changed.read_bytes()).hexdigest()
        what = f"its bytes have changed (sha256 {after[:12]}..., the manifest says {before[:12]}...)"
        assert verify(copy) == [Problem(file=changed.name, what=what)]

    def test_shards_that_are_swapped_are_recognised(self, copy: Path) -> None:
        first, second, _ = shards_of(copy)
        (copy / "aside").write_bytes(first.read_bytes())
        second.replace(first)
        (copy / "aside").replace(second)
        assert said(verify(copy)) == {
            first.name: [f"is {second.name}'s content"],
            second.name: [f"is {first.name}'s content"],
        }

    def test_a_foreign_shard_is_named(self, copy: Path) -> None:
        shutil.copy(shards_of(copy)[0], copy / "shard-00007-of-00003.h5")
        (copy / "other.h5").touch()
        assert verify(copy) == [
            Problem(file="other.h5", what="is not in the manifest"),
            Problem(file="shard-00007-of-00003.h5", what="is not in the manifest"),
        ]

    @pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo])
    def test_what_is_no_file_is_not_opened(self, copy: Path, make: Callable[[Path], None]) -> None:
        shard = shards_of(copy)[2]
        shard.unlink()
        make(shard)
        assert verify(copy) == [Problem(file=shard.name, what="is no regular file")]

    def test_a_damaged_chunk_is_named_with_its_sample(self, copy: Path) -> None:
        shard = shards_of(copy)[0]
        flip(shard, offset_of(shard, "paf", 1))
        changed, chunk = said(verify(copy))[shard.name]
        assert changed.startswith("its bytes have changed")
        assert chunk.startswith("damaged chunk: paf of sample 1: ")

    def test_all_problems_are_reported_together_in_the_order_of_the_manifest(self, copy: Path) -> None:
        first, second, third = shards_of(copy)
        shutil.copy(first, copy / "another.h5")
        flip(first, offset_of(first, "heatmap", 0))
        flip(first, offset_of(first, "heatmap", 2))
        second.write_bytes(b"")
        third.unlink()
        edit(copy, lambda record: record.update(samples=9))
        problems = verify(copy)
        assert list(said(problems)) == ["manifest.json", first.name, second.name, third.name, "another.h5"]
        assert len(said(problems)[first.name]) == 3

    def test_a_manifest_that_cannot_be_read_is_the_problem(self, copy: Path) -> None:
        (copy / "manifest.json").write_text("{")
        (problem,) = verify(copy)
        assert problem.file == "manifest.json"
        assert problem.what.startswith("cannot be read: ")

    def test_a_directory_without_a_manifest_is_no_dataset(self, tmp_path: Path) -> None:
        (problem,) = verify(tmp_path)
        assert str(problem) == ("manifest.json: has no manifest.json, so it is no dataset, or its build has not ended")

    def test_a_missing_directory_is_a_wrong_call(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="nowhere: no such directory"):
            verify(tmp_path / "nowhere")


@pytest.mark.usefixtures("in_process")
class TestManifest:
    @pytest.mark.parametrize("key", ["samples", "people", "keypoints", "config_digest"])
    def test_a_sum_that_does_not_agree_with_its_parts_is_a_problem(self, copy: Path, key: str) -> None:
        edit(copy, lambda record: record.update({key: 1}))
        assert verify(copy) == [Problem(file="manifest.json", what=f"its {key} does not agree with the rest of it")]

    @pytest.mark.parametrize(("key", "count"), [("samples", 3), ("people", None)])
    def test_counts_are_held_against_the_shard(self, copy: Path, key: str, count: int | None) -> None:
        def change(record: dict[str, Any]) -> None:
            record[key] += 1
            record["shards"][0][key] += 1

        edit(copy, change)
        with h5py.File(shards_of(copy)[0]) as file:
            count = count or len(file["person/annotation_id"])
        assert said(verify(copy)) == {shards_of(copy)[0].name: [f"has {count} {key}, the manifest says {count + 1}"]}

    def test_counts_of_keypoints_are_held_against_the_shard(self, copy: Path) -> None:
        def change(record: dict[str, Any]) -> None:
            record["keypoints"]["neck"] -= 1
            record["shards"][1]["keypoints"][1] -= 1

        edit(copy, change)
        found = said(verify(copy))
        assert list(found) == [shards_of(copy)[1].name]
        assert re.fullmatch(
            r"has \(.*\) labelled keypoints, the manifest says \(.*\)", found[shards_of(copy)[1].name][0]
        )

    def test_a_shard_of_other_options_is_named_with_them(self, copy: Path, corpus: Coco, tmp_path: Path) -> None:
        other = tmp_path / "other"
        build_dataset(corpus.root, other, BuildConfig(shard_size=3, sigma_px=5), workers=1)
        shutil.copy(shards_of(other)[1], shards_of(copy)[1])
        accept(copy)
        assert said(verify(copy)) == {
            shards_of(copy)[1].name: ["was built with other options than the manifest says: sigma_px"]
        }


@pytest.fixture(scope="module")
def small(corpus: Coco, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The corpus with labels of 8x6 cells, for tests that read a shard hundreds of times."""
    out = tmp_path_factory.mktemp("small") / "out"
    config = BuildConfig(shard_size=4, input_size=(48, 64), jpeg_quality=30)
    build_dataset(corpus.root, out, config, workers=1)
    return out


class TestFlippedBits:
    """Random bits of a shard, flipped one at a time in a copy whose other bytes stay."""

    FLIPS = 250

    @pytest.fixture
    def shard(self, small: Path, tmp_path: Path) -> Path:
        return shards_of(Path(shutil.copytree(small, tmp_path / "flipped")))[0]

    def flips(self, shard: Path) -> Iterator[tuple[int, int]]:
        """Flip bits anywhere, and as many more among the labels, and put each right again."""
        random = np.random.default_rng(4)
        size = shard.stat().st_size
        with h5py.File(shard) as file:
            chunks = [file[name].id.get_chunk_info(i) for name in ("heatmap", "paf", "mask") for i in range(4)]
        anywhere = random.integers(size, size=self.FLIPS).tolist()
        labels = [
            int(c.byte_offset + random.integers(c.size))
            for c in map(chunks.__getitem__, random.integers(len(chunks), size=200))
        ]
        descriptor = os.open(shard, os.O_RDWR)
        try:
            for offset in [*anywhere, *labels]:
                (byte,), bit = os.pread(descriptor, 1, offset), int(random.integers(8))
                os.pwrite(descriptor, bytes([byte ^ 1 << bit]), offset)
                yield offset, bit
                os.pwrite(descriptor, bytes([byte]), offset)
        finally:
            os.close(descriptor)

    def test_all_are_found(self, shard: Path) -> None:
        manifest = Manifest.read(shard.parent)
        check = ShardCheck(
            directory=shard.parent, shard=manifest.shards[0], config=manifest.config, skeleton=manifest.skeleton
        )
        missed = [at for at in self.flips(shard) if not check_shard(check, lambda _: None)]
        assert missed == []
        assert check_shard(check, lambda _: None) == ()

    def test_none_gives_a_wrong_label_or_an_error_that_is_not_ours(self, shard: Path) -> None:
        def read() -> dict[tuple[str, int], Any]:
            found: dict[tuple[str, int], Any] = {}
            try:
                with ShardReader(shard) as reader:
                    for label in reader.labels:
                        for i in range(len(reader)):
                            try:
                                found[label.spec.name, i] = reader.label(label, i).tobytes()
                            except ShardError:
                                refused.add(at)
            except PosegenError:
                refused.add(at)
            return found

        refused: set[object] = set()
        at: object = None
        expected = read()
        assert len(expected) == 12
        for at in self.flips(shard):
            for key, values in read().items():
                assert values == expected[key], (at, key)
        assert len(refused) >= 100, "those among the labels at least"
        assert None not in refused


@pytest.mark.usefixtures("in_process")
class TestDeep:
    """Labels that were changed by somebody who kept all checksums right."""

    @staticmethod
    def change(dataset: Path, shard: Path, name: str, change: Callable[[Any], None]) -> None:
        with h5py.File(shard, "r+") as file:
            values = file[name][...]
            change(values)
            file[name][...] = values
        accept(dataset)

    @pytest.mark.parametrize(("name", "cell"), [("heatmap", (3, 20, 20)), ("paf", (30, 7, 9))])
    def test_a_changed_value_is_named_with_its_sample_and_the_difference(
        self, copy: Path, name: str, cell: tuple[int, int, int]
    ) -> None:
        shard = shards_of(copy)[1]

        def change(values: Any) -> None:
            values[2][cell] -= 0.25

        self.change(copy, shard, name, change)
        assert verify(copy) == []
        assert said(verify(copy, deep=True)) == {
            shard.name: [f"{name} of sample 2 is not what was annotated: it differs by up to 0.25"]
        }

    def test_what_is_not_a_number_is_found(self, copy: Path) -> None:
        def change(values: Any) -> None:
            values[0, 0, 0, 0] = np.nan

        self.change(copy, shards_of(copy)[0], "heatmap", change)
        assert said(verify(copy, deep=True)) == {
            # A half that is no number is read as one that no label has, 1.5 * 2^16.
            shards_of(copy)[0].name: ["heatmap of sample 0 is not what was annotated: it differs by up to 9.83e+04"]
        }

    def test_a_moved_keypoint_is_found(self, copy: Path) -> None:
        shard = shards_of(copy)[2]
        with h5py.File(shard) as file:
            labelled = np.argwhere(file["person/keypoints"][..., 2] > 0)
            person = int(labelled[0][0])

        def change(values: Any) -> None:
            values[person, :, 0] += 8

        self.change(copy, shard, "person/keypoints", change)
        assert any(what.startswith("heatmap of sample") for what in said(verify(copy, deep=True))[shard.name])

    @pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30])
    def test_keypoints_that_cannot_be_drawn_are_a_problem(self, copy: Path, value: float) -> None:
        def change(values: Any) -> None:
            values[0, 0, :2] = value

        self.change(copy, shards_of(copy)[0], "person/keypoints", change)
        with h5py.File(shards_of(copy)[0]) as file:
            sample = int(np.argmax(file["person/offsets"][1:] > 0))
        assert (
            f"sample {sample} has keypoints that cannot be drawn"
            in said(verify(copy, deep=True))[shards_of(copy)[0].name]
        )

    def test_a_mask_that_is_lower_than_the_picture_is_found_with_the_annotations_alone(
        self, copy: Path, corpus: Coco
    ) -> None:
        def change(values: Any) -> None:
            values[1] *= 0.5

        self.change(copy, shards_of(copy)[0], "mask", change)
        assert verify(copy, deep=True) == []
        assert said(verify(copy, deep=True, coco=corpus.root)) == {
            shards_of(copy)[0].name: ["mask of sample 1 is not what was annotated: it differs by up to 0.5"]
        }

    @pytest.mark.parametrize("value", [1.25, -0.25])
    def test_a_mask_out_of_its_range_is_found_without_annotations(self, copy: Path, value: float) -> None:
        def change(values: Any) -> None:
            rows, columns = np.unravel_index(values[0, 0].argmax(), values[0, 0].shape)
            values[0, 0, rows, columns] = value

        self.change(copy, shards_of(copy)[0], "mask", change)
        assert said(verify(copy, deep=True)) == {
            shards_of(copy)[0].name: ["mask of sample 0 is not what was annotated: it differs by up to 0.25"]
        }

    def test_a_mask_on_the_padding_is_found_without_annotations(self, copy: Path) -> None:
        wide = next(
            (shard, i)
            for shard in shards_of(copy)
            for i, name in enumerate(h5py.File(shard)["sample/file_name"][...])
            if name == b"wide.png"
        )

        def change(values: Any) -> None:
            assert values[wide[1], 0, 0, 0] == 0
            values[wide[1], 0, 0, 0] = 1

        self.change(copy, wide[0], "mask", change)
        assert said(verify(copy, deep=True)) == {
            wide[0].name: [f"mask of sample {wide[1]} is not what was annotated: it differs by up to 1"]
        }

    def test_annotations_of_other_images_are_noticed(self, copy: Path, coco: Coco) -> None:
        problems = verify(copy, deep=True, coco=coco.write())
        assert len(problems) == 8
        assert all("which the annotations do not have there" in problem.what for problem in problems)


@pytest.mark.usefixtures("in_process")
class TestRepair:
    @pytest.fixture
    def own(self, tmp_path: Path) -> Coco:
        """Annotations and pictures of four samples that may be changed."""
        dataset = Coco(tmp_path / "own", seed=5)
        for _ in range(4):
            dataset.person(dataset.image(60, 40))
        dataset.write()
        return dataset

    @pytest.fixture
    def built(self, own: Coco, tmp_path: Path) -> Path:
        """Built from them in two shards."""
        out = tmp_path / "built"
        build_dataset(own.root, out, BuildConfig(shard_size=2, input_size=(48, 64)), workers=1)
        return out

    def test_only_bad_shards_are_built_again_even_without_commit_records(self, copy: Path, corpus: Coco) -> None:
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

    def test_swapped_shards_are_put_right(self, built: Path, own: Coco) -> None:
        first, second = shards_of(built)
        good = first.read_bytes(), second.read_bytes()
        first.write_bytes(good[1])
        second.write_bytes(good[0])
        repair(built, own.root)
        assert (first.read_bytes(), second.read_bytes()) == good

    def test_a_dataset_that_is_as_recorded_is_left_alone(self, built: Path, tmp_path: Path) -> None:
        assert repair(built, tmp_path / "no annotations are read then") == []

    def test_with_other_pictures_a_shard_stays_as_it_is_and_the_pictures_are_blamed(
        self, built: Path, own: Coco
    ) -> None:
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

    def test_with_other_annotations_they_are_blamed(self, built: Path, own: Coco) -> None:
        shard = shards_of(built)[1]
        flip(shard, offset_of(shard, "paf", 0))
        for annotation in own.document["annotations"]:
            annotation["keypoints"][0] += 1
        own.write()
        with pytest.raises(BuildError, match=f"{shard.name}: its annotations are others"):
            repair(built, own.root)

    def test_annotations_that_give_no_such_shard_are_blamed(self, built: Path, own: Coco) -> None:
        shards_of(built)[1].unlink()
        own.document["images"] = own.document["images"][:2]
        own.document["annotations"] = own.document["annotations"][:2]
        own.write()
        with pytest.raises(BuildError, match="the annotations do not give such a shard"):
            repair(built, own.root)

    def test_where_nothing_is_left_to_ask_both_are_possible(self, built: Path, own: Coco) -> None:
        shard = shards_of(built)[1]
        shard.unlink()
        for annotation in own.document["annotations"]:
            annotation["keypoints"][0] += 1
        own.write()
        with pytest.raises(BuildError, match=f"{shard.name}: its annotations or pictures are others"):
            repair(built, own.root)

    def test_other_libraries_are_blamed_by_name(self, built: Path, own: Coco) -> None:
        edit(built, lambda record: record["versions"].update(opencv="4.9.0"))
        edit(built, lambda record: record["shards"][0].update(sha256="0" * 64))
        with pytest.raises(BuildError, match=rf"the libraries are others: opencv {cv2.__version__}, not 4\.9\.0"):
            repair(built, own.root)

    def test_a_picture_that_is_gone_is_named(self, built: Path, own: Coco) -> None:
        for shard in shards_of(built):
            shard.unlink()
        gone = sorted(own.images.iterdir())[1]
        gone.unlink()
        with pytest.raises(BuildError, match=rf"image 107 cannot be built: .*{gone.name}: cannot be read"):
            repair(built, own.root)
        assert len(shards_of(built)) == 1, "the other one is repaired all the same"
        assert [problem.what for problem in verify(built)] == ["missing"]

    def test_samples_that_failed_in_the_build_are_left_out_again(self, own: Coco, tmp_path: Path) -> None:
        broken = sorted(own.images.iterdir())[2]
        picture = broken.read_bytes()
        broken.write_bytes(b"no picture")
        out = tmp_path / "out"
        config = BuildConfig(shard_size=2, input_size=(48, 64))
        build_dataset(own.root, out, config, workers=1, max_failures=1)
        good = {path: path.read_bytes() for path in shards_of(out)}
        broken.write_bytes(picture)
        for path in good:
            path.unlink()
        repair(out, own.root)
        assert {path: path.read_bytes() for path in shards_of(out)} == good

    def test_a_link_that_leads_out_is_replaced_and_its_target_is_not_touched(
        self, built: Path, own: Coco, tmp_path: Path
    ) -> None:
        shard, outside = shards_of(built)[0], tmp_path / "outside.h5"
        shard.rename(outside)
        shard.symlink_to(outside)
        good = outside.read_bytes()
        assert said(verify(built)) == {shard.name: [f"leads out of its directory, to {outside}"]}
        repair(built, own.root)
        assert not shard.is_symlink()
        assert (shard.read_bytes(), outside.read_bytes()) == (good, good)

    def test_while_another_process_builds_there_nothing_is_done(self, built: Path, own: Coco) -> None:
        shards_of(built)[0].unlink()
        with (built / ".posegen" / "lock").open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            lock.write("4711\n")
            lock.truncate()
            with pytest.raises(BuildError, match="process 4711 is building here"):
                repair(built, own.root)
        assert len(shards_of(built)) == 1

    def test_a_worker_that_keeps_dying_is_reported(
        self, built: Path, own: Coco, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class Deadly(InProcess):
            def run(self, function: Any, tasks: Any, on_progress: Report) -> Iterator[Any]:
                for task in tasks:
                    attempts.append(task.file_name)
                    yield Lost(task, 0, "was killed by SIGKILL")

        attempts: list[str] = []
        monkeypatch.setattr(repairing, "choose_executor", lambda _, workers: Deadly(workers or 1))
        shards_of(built)[0].unlink()
        with pytest.raises(BuildError, match="its worker was killed by SIGKILL"):
            repair(built, own.root)
        assert len(attempts) == 3

    def test_a_missing_directory_is_not_made(self, own: Coco, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="nowhere: no such directory"):
            repair(tmp_path / "nowhere", own.root)
        assert not (tmp_path / "nowhere").exists()

    def test_without_a_manifest_there_is_nothing_to_go_by(self, own: Coco, tmp_path: Path) -> None:
        with pytest.raises(ShardError, match="it is no dataset"):
            repair(tmp_path, own.root)
        assert not (tmp_path / ".posegen").exists()


@pytest.mark.usefixtures("in_process")
class TestCommand:
    def test_a_good_dataset_is_one_line_and_status_0(self, run: Run, dataset: Path) -> None:
        outcome = run("verify", dataset)
        assert (outcome.status, outcome.out, outcome.err) == (0, "3 shards, 8 samples: all as recorded\n", "")

    def test_problems_are_lines_and_status_1(self, run: Run, copy: Path) -> None:
        first, second, _ = shards_of(copy)
        first.unlink()
        second.unlink()
        outcome = run("verify", copy)
        assert outcome.status == 1
        assert outcome.out == f"{first.name}: missing\n{second.name}: missing\n"
        assert outcome.err.startswith(f"Error: {copy}: 2 problems in 2 files; --repair --coco PATH builds")
        assert len(outcome.err.splitlines()) == 1

    def test_json_is_all_there_is_on_stdout(self, run: Run, copy: Path, dataset: Path) -> None:
        gone = shards_of(copy)[0]
        gone.unlink()
        outcome = run("verify", copy, "--json")
        assert outcome.status == 1
        assert json.loads(outcome.out) == {
            "path": str(copy),
            "repaired": [],
            "problems": [{"file": gone.name, "what": "missing"}],
        }
        assert json.loads(run("verify", dataset, "--json", "--deep").out)["problems"] == []

    def test_long_lists_are_cut_and_counted(self, run: Run, copy: Path) -> None:
        for i in range(60):
            (copy / f"{i:02d}.h5").touch()
        outcome = run("verify", copy)
        assert len(outcome.out.splitlines()) == 51
        assert outcome.out.endswith("... and 10 more; --json lists all\n")
        assert len(json.loads(run("verify", copy, "--json").out)["problems"]) == 60

    def test_it_says_that_masks_were_not_rendered(self, run: Run, dataset: Path, corpus: Coco, build: Build) -> None:
        alone, with_annotations = (
            run("verify", dataset, "--deep"),
            run("verify", dataset, "--deep", "--coco", corpus.root),
        )
        assert (alone.status, with_annotations.status) == (0, 0)
        assert "is not stored: mask; to have all rendered again, add --coco PATH" in alone.out
        assert "held only" not in with_annotations.out
        assert "held only" not in run("verify", build("raw"), "--deep").out, "it has none"

    def test_repair_builds_again_says_so_and_ends_with_a_good_dataset(self, run: Run, copy: Path, corpus: Coco) -> None:
        bad = shards_of(copy)[1]
        flip(bad, 9999)
        outcome = run("verify", copy, "--repair", "--coco", corpus.root)
        assert outcome.status == 0
        assert outcome.out == f"1 shard built again: {bad.name}\n3 shards, 8 samples: all as recorded\n"
        assert f"{bad.name}: its bytes have changed" in outcome.err

    def test_what_cannot_be_repaired_stays_a_problem(self, run: Run, copy: Path, corpus: Coco) -> None:
        (copy / "foreign.h5").touch()
        outcome = run("verify", copy, "--repair", "--coco", corpus.root)
        assert (outcome.status, outcome.out) == (1, "foreign.h5: is not in the manifest\n")
        assert (copy / "foreign.h5").exists()

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (["--repair"], "--coco PATH"),
            (["--coco", "x"], "--coco goes with --deep or --repair"),
            (["--deep", "--split", "x"], "go with --coco PATH"),
            (["--workers", "0"], "workers must be at least 1"),
            (["--deep", "--coco", "nowhere"], "nowhere: no such file or directory"),
            (["--quick"], "No such option"),
        ],
    )
    def test_a_wrong_call_is_status_2(
        self, run: Run, dataset: Path, options: list[str], message: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        if "--workers" in options:
            monkeypatch.undo()
        outcome = run("verify", dataset, *options)
        assert outcome.status == 2
        assert message in outcome.err
        assert outcome.out == ""

    def test_a_missing_directory_is_status_2(self, run: Run, tmp_path: Path) -> None:
        outcome = run("verify", tmp_path / "nowhere")
        assert (outcome.status, outcome.out) == (2, "")
        assert "no such directory" in outcome.err
