"""Every mistake in a call ends in a short message that names the file and what to do, and in the right exit status."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from command_line import fail_to_build

from posegen.config import PRESETS

if TYPE_CHECKING:
    from conftest import Coco, Run


@pytest.fixture
def fails(run: Run, tmp_path: Path) -> Callable[..., str]:
    """Build what cannot be built, into `tmp_path / "out"`, and return the message."""
    return partial(fail_to_build, run, tmp_path / "out")


class TestPaths:
    def test_a_missing_directory(self, fails: Any, tmp_path: Path) -> None:
        message = fails(tmp_path / "nowhere", 2)
        assert f"{tmp_path / 'nowhere'}: no such file or directory" in message
        assert "expected a COCO root or an annotation file" in message

    def test_a_directory_that_is_no_coco_root(self, fails: Any, tmp_path: Path) -> None:
        message = fails(tmp_path, 2)
        assert f"{tmp_path}: expected annotations/person_keypoints_<split>.json in it" in message

    def test_an_unknown_split(self, fails: Any, coco: Coco) -> None:
        message = fails(coco.write(), 2, "--split", "val2017")
        assert f"{coco.root} has no split 'val2017'; it has train2017" in message

    def test_several_splits_and_none_named(self, fails: Any, coco: Coco) -> None:
        coco.write()
        for split in ("a", "b"):
            (coco.annotations.parent / f"person_keypoints_{split}.json").write_text("{}")
        coco.annotations.unlink()
        assert "several splits: a, b; choose one with --split" in fails(coco.root, 2)

    def test_a_missing_image_directory(self, fails: Any, coco: Coco, tmp_path: Path) -> None:
        message = fails(coco.write(), 2, "--images", tmp_path / "nowhere")
        assert f"{tmp_path / 'nowhere'}: no such image directory" in message

    def test_no_image_directory_where_coco_has_it(self, fails: Any, coco: Coco) -> None:
        coco.write()
        coco.images.rename(coco.root.parent / "elsewhere")
        message = fails(coco.root, 2)
        assert f"expected {coco.images}" in message
        assert "--images DIR" in message

    def test_a_path_with_a_name_too_long(self, fails: Any, tmp_path: Path) -> None:
        assert "File name too long" in fails(tmp_path / ("x" * 300), 1)

    def test_an_output_that_is_a_file(self, run: Run, coco: Coco, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("mine")
        outcome = run("build", "--coco", coco.write(), "--out", tmp_path / "file")
        assert outcome.status == 2
        assert f"{tmp_path / 'file'}: is a file; the output must be a directory" in outcome.err
        assert (tmp_path / "file").read_text() == "mine"

    def test_an_output_that_holds_something_else(self, run: Run, coco: Coco, tmp_path: Path) -> None:
        outcome = run("build", "--coco", coco.write(), "--out", coco.root)
        assert outcome.status == 2
        assert f"{coco.root}: holds " in outcome.err
        assert sorted(p.name for p in coco.root.iterdir()) == ["annotations", "train2017"]

    def test_an_output_that_cannot_be_made(self, run: Run, coco: Coco, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("mine")
        outcome = run("build", "--coco", coco.write(), "--out", tmp_path / "file" / "out")
        assert outcome.status == 1
        assert "Not a directory" in outcome.err


class TestOptions:
    def test_a_value_that_cannot_be(self, fails: Any, coco: Coco) -> None:
        coco.write()
        for options, expected in (
            ("--input-size 368", "input size must be WIDTHxHEIGHT, as in 368x368, not '368'"),
            ("--input-size 256,192", "as in 368x368, not '256,192' (did you mean 256x192?)"),
            ("--input-size 0x368", "input_size must be a whole number from 1 to 16384, not 0"),
            ("--input-size 370x368", "a stride of 8 does not divide the input size 370x368 into whole cells"),
            ("--stride 0", "not 0"),
            ("--stride -8", "not -8"),
            ("--stride nan", "not nan"),
            ("--stride 1e-310", "not 1e-310"),
            ("--sigma 0", "sigma_px must be a number from 0.001 to 10000, not 0"),
            ("--sigma nan", "sigma_px must be a number from 0.001 to 10000, not nan"),
            ("--labels heatmap,pafs", "there is no label 'pafs' (did you mean 'paf'?)"),
            ("--labels heatmap,heatmap", "labels must be a tuple of names, none of them twice"),
            ("--min-keypoints 0", "min_keypoints must be a whole number from 1"),
            ("--jpeg-quality 101", "jpeg_quality must be a whole number from 1 to 100, not 101"),
            ("--shard-size 0", "shard_size must be a whole number from 1"),
            ("--limit 0", "limit must be a whole number from 1"),
            ("--seed -1", "seed must be a whole number from 0"),
            ("--workers 0", "workers must be at least 1, not 0"),
            ("--max-failures some", "max_failures must be a number, as in 10, or a share, as in 1%, not 'some'"),
            ("--max-failures 101%", "max_failures must be a number, as in 10, or a share, as in 1%, not '101%'"),
            ("--max-failures -1", "max_failures must be a number, as in 10, or a share, as in 1%, not '-1'"),
            (
                "--skeleton coco-18",
                "there is no skeleton 'coco-18' (did you mean 'coco-17'?): expected coco-17, openpose-18,",
            ),
            ("--config nowhere.toml", "nowhere.toml: cannot be read: No such file or directory"),
            ("--category dog", "no category 'dog' with keypoints; there is person"),
        ):
            message = fails(coco.root, 2, *options.split())
            assert expected in message, options
            assert len(message.splitlines()) == 1, options

    def test_a_preset_that_is_none_lists_those_there_are_and_the_nearest(self, fails: Any, coco: Coco) -> None:
        coco.write()
        for name, meant in (("tfpose", "tf-pose"), ("upd", "udp")):
            message = fails(coco.root, 2, "--preset", name)
            assert f"there is no preset '{name}' (did you mean '{meant}'?)" in message
            assert all(preset in message for preset in PRESETS)

    def test_what_to_build_and_where_to_have_to_be_said(self, run: Run, coco: Coco) -> None:
        for options, said in (
            (["--out", "x"], "--coco PATH is missing: a COCO root, or one annotation file"),
            (["--coco", coco.write()], "--out DIR is missing: where to write the dataset"),
        ):
            outcome = run("build", *options)
            assert (outcome.status, outcome.out) == (2, "")
            assert said in outcome.err

    def test_a_skeleton_file_that_misspells_a_keypoint(self, fails: Any, coco: Coco, tmp_path: Path) -> None:
        path = tmp_path / "s.toml"
        path.write_text('keypoints = ["nose", "left_eye"]\nlimbs = [["nose", "left_eie"]]\n')
        message = fails(coco.write(), 2, "--skeleton", path)
        assert f"{path}, line 2: limbs: 'left_eie' is not in 'keypoints' (did you mean 'left_eye'?)" in message

    def test_a_skeleton_that_the_annotations_do_not_have(self, fails: Any, coco: Coco, tmp_path: Path) -> None:
        path = tmp_path / "s.toml"
        path.write_text('keypoints = ["nose", "left_ere"]\n')
        message = fails(coco.write(), 1, "--skeleton", path)
        assert f"{coco.annotations}: " in message
        assert "'left_ere'" in message
        assert "did you mean 'left_e" in message


class TestInspect:
    def test_what_is_no_dataset(self, run: Run, tmp_path: Path) -> None:
        (tmp_path / "text.h5").write_text("text")
        for name, status, expected in (
            ("nowhere", 2, "nowhere: no such file or directory; expected a dataset's directory or a shard"),
            ("", 1, "has no manifest.json, so it is no dataset, or its build has not ended"),
            ("text.h5", 1, "text.h5: is not an HDF5 file, or is damaged"),
        ):
            outcome = run("inspect", tmp_path / name)
            assert (outcome.status, outcome.out) == (status, "")
            assert expected in outcome.err
            assert len(outcome.err.splitlines()) == 1

    def test_a_picture_that_cannot_be_drawn(self, run: Run, dataset: Path, tmp_path: Path) -> None:
        for options, expected in (
            ("--sample 8 --save {}/a.png", "there is no sample 8; samples are 0..7"),
            ("--sample -1 --save {}/a.png", "there is no sample -1; samples are 0..7"),
            ("--sample 0", "--sample SAMPLE and --save PNG go together"),
            ("--save {}/a.png", "--sample SAMPLE and --save PNG go together"),
            ("--json --sample 0 --save {}/a.png", "--json describes PATH; it does not go with"),
            ("--json --sheet {}/a.png", "--json describes PATH; it does not go with"),
            ("--sample 0 --save {}/nowhere/a.png", "nowhere/a.png: cannot be written"),
            ("--sheet {}/nowhere/a.png", "nowhere/a.png: cannot be written"),
        ):
            outcome = run("inspect", dataset, *options.format(tmp_path).split())
            assert (outcome.status, outcome.out) == (2, ""), options
            assert expected in outcome.err
            assert len(outcome.err.splitlines()) == 1
            assert list(tmp_path.iterdir()) == []


class TestSample:
    def test_a_number_that_cannot_be(self, run: Run, tmp_path: Path) -> None:
        for option, number in (("--images", 0), ("--images", -3), ("--seed", -1)):
            outcome = run("sample", tmp_path / "sample", option, number)
            assert (outcome.status, outcome.out) == (2, "")
            assert f"not {number}" in outcome.err
            assert not (tmp_path / "sample").exists()

    def test_a_place_that_cannot_be_written(self, run: Run, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("mine")
        outcome = run("sample", tmp_path / "file" / "sample")
        assert (outcome.status, outcome.out) == (1, "")
        assert f"{tmp_path / 'file'}" in outcome.err
        assert "Not a directory" in outcome.err
