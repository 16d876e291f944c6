"""What `build`, `inspect` and `sample` print, and what they do not wait for."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import h5py
import pytest
from command_line import imported, run_process
from pycocotools.coco import COCO

import posegen

if TYPE_CHECKING:
    from conftest import Coco, Run


@pytest.fixture(scope="module")
def said(corpus: Coco, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """A build in a process of its own: where to, and what it printed."""
    out = tmp_path_factory.mktemp("said") / "out"
    options = ("--input-size", "64x64", "--workers", 1)
    return out, run_process("build", "--coco", corpus.root, "--out", out, *options)


class TestBuild:
    def test_the_summary_says_what_was_built_and_what_was_not(self, said: tuple[Path, Any]) -> None:
        out, done = said
        assert done.returncode == 0
        first, *rest = done.stdout.splitlines()
        assert re.fullmatch(rf"8 samples with 11 people in 1 shard, \d+\.\d MB: {re.escape(str(out))}", first)
        assert "2 of 10 images left out: 1 no people on it; 1 nobody is labelled on it" in rest
        assert "7 of 18 annotations not drawn: 2 crowd; 5 no keypoint is labelled" in rest

    def test_what_was_noticed_is_told_beforehand(self, said: tuple[Path, Any]) -> None:
        _, done = said
        assert "num_keypoints disagrees with the keypoints; they were counted: 1 annotation" in done.stderr

    def test_progress_is_silent_where_nobody_looks(self, said: tuple[Path, Any]) -> None:
        _, done = said
        assert "samples/s" not in done.stderr
        assert "\r" not in done.stderr
        assert "Warning" not in done.stderr

    def test_quiet_prints_nothing(self, corpus: Coco, tmp_path: Path) -> None:
        done = run_process("build", "--coco", corpus.root, "--out", tmp_path / "out", "--limit", 1, "--quiet")
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert (tmp_path / "out" / "manifest.json").exists()


class TestInspect:
    def test_json_is_all_there_is_on_stdout(self, run: Run, dataset: Path) -> None:
        outcome = run("inspect", dataset, "--json")
        assert (outcome.status, outcome.err) == (0, "")
        record = json.loads(outcome.out)
        assert (record["samples"], record["people"], record["kind"]) == (8, 11, "dataset")
        assert record["arrays"]["paf"]["shape"] == [8, 38, 46, 46]

    def test_text_tells_all_that_was_asked_for(self, run: Run, dataset: Path) -> None:
        outcome = run("inspect", dataset)
        assert (outcome.status, outcome.err) == (0, "")
        text = " ".join(outcome.out.split())
        for part in (
            "dataset, 8 samples with 11 people in 3 shards",
            "heatmap 8x19x46x46 float16 1x19x46x46 zstd",
            "person/keypoints 11x18x3 float32",
            "openpose-18",
            "neck-right_hip",
            "input_size=368x368",
            "shard_size=3",
            "left out: 1 no people on it",
            "images=train2017",
            f"posegen={posegen.__version__}",
        ):
            assert part in text
        assert max(map(len, outcome.out.splitlines())) <= 140

    def test_keypoints_are_counted_by_name(self, run: Run, dataset: Path, corpus: Coco) -> None:
        labelled = sum(
            a["keypoints"][2] > 0 for a in corpus.document["annotations"] if not a["iscrowd"]
        )  # the nose comes first
        assert re.search(rf"^ +0 +nose +{labelled} ", run("inspect", dataset).out, re.MULTILINE)

    def test_a_shard_can_be_looked_at_alone(self, run: Run, dataset: Path) -> None:
        outcome = run("inspect", dataset / "shard-00002-of-00003.h5")
        assert outcome.out.startswith(f"{dataset}/shard-00002-of-00003.h5: shard, 2 samples with ")

    def test_a_sample_is_drawn_to_a_png(self, run: Run, dataset: Path, tmp_path: Path) -> None:
        path = tmp_path / "a.png"
        outcome = run("inspect", dataset, "--sample", 7, "--save", path)
        assert (outcome.status, outcome.out, outcome.err) == (0, f"{path}\n", "")
        picture = cv2.imread(str(path))
        assert path.read_bytes().startswith(b"\x89PNG")
        # Four panels side by side, not smaller than the input.
        assert picture.shape[1] > 4 * 368
        assert picture.std() > 10

    def test_a_sample_is_found_by_its_image_and_its_file(self, run: Run, dataset: Path, tmp_path: Path) -> None:
        pictures = []
        with h5py.File(dataset / "shard-00002-of-00003.h5") as file:
            image, name = file["sample/image_id"][1], file["sample/file_name"][1].decode()
        for sample in (7, f"image:{image}", name):
            outcome = run("inspect", dataset, "--sample", sample, "--save", tmp_path / "a.png")
            assert (outcome.status, outcome.err) == (0, "")
            pictures.append((tmp_path / "a.png").read_bytes())
        assert pictures[0] == pictures[1] == pictures[2]

    def test_samples_are_drawn_on_a_sheet(self, run: Run, dataset: Path, tmp_path: Path) -> None:
        path = tmp_path / "a.png"
        outcome = run("inspect", dataset, "--sheet", path)
        assert (outcome.status, outcome.out, outcome.err) == (0, f"{path}\n", "")
        assert cv2.imread(str(path)).std() > 10

    def test_it_does_not_wait_for_what_it_does_not_need(self, dataset: Path) -> None:
        done = run_process("inspect", dataset, flags=("-X", "importtime"))
        assert done.returncode == 0
        packages = imported(done.stderr)
        assert {"click", "h5py", "numpy"} <= packages
        assert not packages & {"cv2", "pycocotools", "tqdm", "multiprocessing"}

    def test_help_does_not_wait_for_anything(self) -> None:
        packages = imported(run_process("--help", flags=("-X", "importtime")).stderr)
        assert "click" in packages
        assert not packages & {"cv2", "numpy", "h5py", "pycocotools", "tqdm"}


class TestSample:
    def test_it_writes_a_dataset_that_pycocotools_and_build_find(
        self, run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        outcome = run("sample", tmp_path / "coco", "--images", 2, "--seed", 5)
        assert (outcome.status, outcome.err) == (0, "")
        assert outcome.out == f"2 images: {tmp_path / 'coco'}\n"
        assert len(COCO(str(tmp_path / "coco/annotations/person_keypoints_train2017.json")).imgs) == 2
        assert len(list((tmp_path / "coco/train2017").iterdir())) == 2
