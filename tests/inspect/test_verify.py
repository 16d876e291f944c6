"""Checking datasets against their manifest, on copies of a built one that are damaged on purpose."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import pytest
from conftest import Build, Coco
from damage import accept, copy_of, edit, flip, offset_of, said, shards_of
from executors import Deadly, InProcess

import posegen
from posegen.config import BuildConfig
from posegen.errors import ConfigError
from posegen.inspect import verify as verifying
from posegen.inspect.verify import Problem
from posegen.shards.manifest import Manifest

verify = partial(verifying.verify, executor=InProcess())


@pytest.fixture
def copy(dataset: Path, tmp_path: Path) -> Path:
    """A copy of the dataset, to be damaged."""
    return copy_of(dataset, tmp_path / "copy")


class TestInProcesses:
    def test_a_fresh_dataset_is_as_recorded_and_as_rendered_again(self, build: Build, corpus: Coco) -> None:
        for variant in ("plain", "packed", "raw"):
            steps: list[tuple[int, int]] = []
            problems = posegen.verify(
                build(variant),
                deep=True,
                coco=corpus.root,
                workers=2,
                progress=lambda *step, steps=steps: steps.append(step),
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
        assert set(said(posegen.verify(copy, workers=2))) == {first.name, last.name}
        assert posegen.repair(copy, corpus.root, workers=2) == [first.name, last.name]
        assert [path.read_bytes() for path in shards_of(copy)] == good
        assert posegen.verify(copy, workers=1) == []

    def test_a_shard_at_which_the_reader_dies_is_a_problem_and_the_others_are_checked(self, copy: Path) -> None:
        first, second, third = shards_of(copy)
        third.unlink()
        deadly = Deadly(lambda task: 0 if task.shard.file == second.name else None, "was killed by SIGSEGV")
        assert said(posegen.verify(copy, executor=deadly)) == {
            second.name: ["cannot be checked: the process that read it was killed by SIGSEGV"],
            third.name: ["missing"],
        }
        assert first.exists()

    def test_they_are_at_hand_in_the_package(self) -> None:
        assert posegen.verify is verifying.verify


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
        damaged = "is damaged: image/bytes[0] cannot be read: its checksum is wrong"
        assert verify(copy) == [Problem(file=changed.name, what=what), Problem(file=changed.name, what=damaged)]

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

    def test_what_is_no_file_is_not_opened(self, copy: Path) -> None:
        first, _, last = shards_of(copy)
        for shard in (first, last):
            shard.unlink()
        first.mkdir()
        os.mkfifo(last)
        assert verify(copy) == [Problem(file=shard.name, what="is no regular file") for shard in (first, last)]

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


class TestManifest:
    def test_a_sum_that_does_not_agree_with_its_parts_is_a_problem(self, copy: Path) -> None:
        whole = (copy / "manifest.json").read_text()
        for key in ("samples", "people", "keypoints", "config_digest"):
            (copy / "manifest.json").write_text(whole)
            edit(copy, lambda record, key=key: record.update({key: 1}))
            assert verify(copy) == [Problem(file="manifest.json", what=f"its {key} does not agree with the rest of it")]

    def test_counts_are_held_against_the_shard(self, copy: Path) -> None:
        shard, whole = shards_of(copy)[0], (copy / "manifest.json").read_text()
        with h5py.File(shard) as file:
            counts = {"samples": 3, "people": len(file["person/annotation_id"])}
        for key, count in counts.items():

            def change(record: dict[str, Any], key: str = key) -> None:
                record[key] += 1
                record["shards"][0][key] += 1

            (copy / "manifest.json").write_text(whole)
            edit(copy, change)
            assert said(verify(copy)) == {shard.name: [f"has {count} {key}, the manifest says {count + 1}"]}

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
        posegen.build(corpus.root, other, BuildConfig(shard_size=3, sigma_px=5), executor=InProcess())
        shutil.copy(shards_of(other)[1], shards_of(copy)[1])
        accept(copy)
        assert said(verify(copy)) == {
            shards_of(copy)[1].name: ["was built with other options than the manifest says: sigma_px"]
        }
