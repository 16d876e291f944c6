"""`posegen verify`: what it prints, and its exit status."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import Build, Coco, Run
from damage import copy_of, flip, shards_of
from executors import InProcess

from posegen.build import repair as repairing
from posegen.inspect import verify as verifying


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (verifying, repairing):
        monkeypatch.setattr(module, "choose_executor", lambda *_: InProcess())


@pytest.fixture
def copy(dataset: Path, tmp_path: Path) -> Path:
    """A copy of the dataset, to be damaged."""
    return copy_of(dataset, tmp_path / "copy")


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

    def test_nothing_is_to_be_repaired_where_the_manifest_is_to_blame(self, run: Run, copy: Path) -> None:
        (copy / "manifest.json").unlink()
        outcome = run("verify", copy)
        assert (outcome.status, outcome.err) == (1, f"Error: {copy}: 1 problem in 1 file\n")
        assert outcome.out.endswith("no manifest.json, so it is no dataset, or its build has not ended\n")

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
        assert "are not there: mask; to have all rendered again, add --coco PATH" in alone.out
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

    def test_a_wrong_call_is_status_2(self, run: Run, dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.undo()
        for options, message in (
            (["--repair"], "--coco PATH"),
            (["--coco", "nowhere"], "nowhere: no such file or directory"),
            (["--deep", "--split", "x"], "go with --coco PATH"),
            (["--workers", "0"], "workers must be at least 1"),
            (["--deep", "--coco", "nowhere"], "nowhere: no such file or directory"),
            (["--quick"], "No such option"),
        ):
            outcome = run("verify", dataset, *options)
            assert outcome.status == 2
            assert message in outcome.err
            assert outcome.out == ""

    def test_a_missing_directory_is_status_2(self, run: Run, tmp_path: Path) -> None:
        outcome = run("verify", tmp_path / "nowhere")
        assert (outcome.status, outcome.out) == (2, "")
        assert "no such directory" in outcome.err
