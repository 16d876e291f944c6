"""What `posegen build` makes of its options, and of a file of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from command_line import CaughtError, catch_build, configure

from posegen.config import BuildConfig
from posegen.images.augment import Augmentation
from posegen.skeleton import COCO_17, OPENPOSE_18

if TYPE_CHECKING:
    from conftest import Run

EACH = [
    ("--category dog", "category", ("dog",)),
    ("--category dog --category cat", "category", ("dog", "cat")),
    ("--labels mask,heatmap", "labels", ("mask", "heatmap")),
    ("--labels none", "labels", ()),
    ("--label-option mask.a=1 --label-option mask.b=x", "label_options", {"mask": {"a": 1, "b": "x"}}),
    ("--input-size 432x368", "input_size", (368, 432)),
    ("--stride 4", "stride", 4.0),
    ("--stride 2.875", "stride", 2.875),
    ("--stride 4,8", "stride", (4.0, 8.0)),
    ("--sigma 7.5", "sigma_px", 7.5),
    ("--sigma-scale area", "sigma_scale", "area"),
    ("--sigma-keypoints oks", "sigma_keypoints", "oks"),
    ("--half-width 3", "half_width_px", 3.0),
    ("--grid area", "grid", "area"),
    ("--heatmap udp", "heatmap", "udp"),
    ("--paf cells", "paf", "cells"),
    ("--unit person", "unit", "person"),
    ("--crop udp", "crop", "udp"),
    ("--box-padding 1.5", "box_padding", 1.5),
    ("--fit cover", "fit", "cover"),
    ("--visibility visible", "visibility", "visible"),
    ("--picture-size 400x400", "picture_size", (400, 400)),
    ("--origin unlabelled", "origin", "unlabelled"),
    ("--exif shown", "exif", "shown"),
    ("--min-keypoints 5", "min_keypoints", 5),
    ("--min-area 1024.5", "min_area", 1024.5),
    ("--keep-empty", "keep_empty", True),
    ("--label-dtype uint8", "label_dtype", "uint8"),
    ("--layout hwc", "layout", "hwc"),
    ("--compression none", "compression", "none"),
    ("--image-encoding raw", "image_encoding", "raw"),
    ("--jpeg-quality 80", "jpeg_quality", 80),
    ("--picture-size 736x736", "picture_size", (736, 736)),
    ("--augment scale=0.5-1.1,flip=1", "augment", Augmentation(scale=(0.5, 1.1), flip=1)),
    ("--shard-size 10", "shard_size", 10),
    ("--seed 42", "seed", 42),
    ("--limit 7", "limit", 7),
    ("--skeleton coco-17", "skeleton", COCO_17),
    ("--preset coco", "skeleton", None),
]


@pytest.fixture
def spy(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    return catch_build(monkeypatch)


def test_without_any_it_is_the_preset_tf_pose(run: Run, spy: dict[str, Any]) -> None:
    assert configure(run, spy) == BuildConfig.preset("tf-pose")
    assert (spy["coco"], spy["out"]) == (Path("coco"), Path("out"))
    assert (spy["split"], spy["images"], spy["workers"]) == (None, None, None)
    assert (spy["max_failures"], spy["overwrite"]) == ("0", False)


def test_each_changes_its_own_field(run: Run, spy: dict[str, Any]) -> None:
    for options, field, value in EACH:
        config = configure(run, spy, *options.split())
        changed = {k for k in BuildConfig.__slots__ if getattr(config, k) != getattr(BuildConfig(), k)}
        assert changed == {field}, options
        assert getattr(config, field) == value, options
    assert {field for _, field, _ in EACH} == {*BuildConfig.__slots__} - {
        "sources",
        "sigma_cells",
        "copies",
        "plain_copy",
    }


def test_some_go_with_others(run: Run, spy: dict[str, Any]) -> None:
    cells = configure(run, spy, "--sigma-cells", 2)
    assert (cells.sigma_px, cells.sigma_cells) == (None, 2)
    config = configure(run, spy, "--copies", 3, "--augment", "flip=0.5", "--plain-copy")
    assert config == BuildConfig(copies=3, augment=Augmentation(flip=0.5), plain_copy=True)


def test_spaces_between_labels_are_nothing(run: Run, spy: dict[str, Any]) -> None:
    assert configure(run, spy, "--labels", "heatmap, paf").labels == ("heatmap", "paf")


def test_those_that_change_no_bytes_are_no_configuration(run: Run, spy: dict[str, Any]) -> None:
    for options, name, value in (
        ("--split val2017", "split", "val2017"),
        ("--images pictures", "images", Path("pictures")),
        ("--workers 3", "workers", 3),
        ("--max-failures 5%", "max_failures", "5%"),
        ("--overwrite", "overwrite", True),
    ):
        assert configure(run, spy, *options.split()) == BuildConfig()
        assert spy[name] == value


class TestConfigFile:
    @pytest.fixture
    def file(self, tmp_path: Path) -> Path:
        return tmp_path / "build.toml"

    def test_its_values_are_laid_over_the_preset(self, run: Run, spy: dict[str, Any], file: Path) -> None:
        file.write_text('preset = "coco"\ninput-size = "256x192"\nsigma_px = 5\nlabels = ["heatmap", "mask"]\n')
        config = configure(run, spy, "--config", file)
        assert config == BuildConfig(skeleton=None, input_size=(192, 256), sigma_px=5, labels=("heatmap", "mask"))
        assert config == BuildConfig.from_file(file)

    def test_options_are_laid_over_its_values(self, run: Run, spy: dict[str, Any], file: Path) -> None:
        file.write_text('input_size = "256x192"\nseed = 3\nkeep-empty = true\nsigma = 4\n')
        config = configure(run, spy, "--config", file, "--seed", 4, "--sigma-cells", 1.5)
        assert config == BuildConfig(input_size=(192, 256), seed=4, keep_empty=True, sigma_px=None, sigma_cells=1.5)

    def test_the_preset_of_the_call_wins(self, run: Run, spy: dict[str, Any], file: Path) -> None:
        file.write_text('preset = "coco"\nseed = 3\n')
        assert configure(run, spy, "--config", file, "--preset", "tf-pose") == BuildConfig(seed=3)

    def test_it_says_what_to_run_where_the_call_does_not(self, run: Run, spy: dict[str, Any], file: Path) -> None:
        file.write_text('coco = "data"\nout = "built"\nsplit = "val2017"\nworkers = 3\nmax-failures = 2\n')
        with pytest.raises(CaughtError):
            run("build", "--config", file, "--workers", 1)
        assert (spy["coco"], spy["out"]) == (file.parent / "data", file.parent / "built")
        assert (spy["split"], spy["images"], spy["workers"], spy["max_failures"]) == ("val2017", None, 1, 2)

    def test_labels_may_be_one_word_with_commas(self, run: Run, spy: dict[str, Any], file: Path) -> None:
        file.write_text('labels = "paf,mask"\n')
        assert configure(run, spy, "--config", file).labels == ("paf", "mask")

    def test_options_of_labels_are_laid_over_its_own_one_by_one(
        self, run: Run, spy: dict[str, Any], file: Path
    ) -> None:
        file.write_text("[label-option.mask]\na = 1\nb = 2\n")
        config = configure(run, spy, "--config", file, "--label-option", "mask.b=3", "--label-option", "paf.c=x")
        assert config.label_options == {"mask": {"a": 1, "b": 3}, "paf": {"c": "x"}}

    def test_a_skeleton_file_is_found_beside_it(
        self, run: Run, spy: dict[str, Any], file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (file.parent / "two.toml").write_text('keypoints = ["nose", "left_eye"]\nlimbs = [["nose", "left_eye"]]\n')
        file.write_text('skeleton = "two.toml"\n')
        monkeypatch.chdir("/")
        skeleton = configure(run, spy, "--config", file).skeleton
        assert skeleton is not None
        assert (skeleton.name, skeleton.keypoints, skeleton.limbs) == ("two", ("nose", "left_eye"), ((0, 1),))

    def test_a_skeleton_of_the_call_is_found_from_here(
        self, run: Run, spy: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "two.toml").write_text('keypoints = ["nose", "left_eye"]\n')
        monkeypatch.chdir(tmp_path)
        skeleton = configure(run, spy, "--skeleton", "two.toml").skeleton
        assert skeleton is not None
        assert skeleton.keypoints == ("nose", "left_eye")

    def test_a_built_in_skeleton_goes_by_its_name(self, run: Run, spy: dict[str, Any], file: Path) -> None:
        file.write_text('preset = "coco"\nskeleton = "openpose-18"\n')
        assert configure(run, spy, "--config", file).skeleton == OPENPOSE_18

    def test_a_mistake_in_it_is_a_wrong_call(self, run: Run, spy: dict[str, Any], file: Path) -> None:
        for text, expected in (
            ("sigma_pix = 7", "'sigma_pix' is no build option (did you mean 'sigma-px'?)"),
            ("overwrite = true", "'overwrite' is no build option"),
            ('preset = "tf-poze"', "there is no preset 'tf-poze' (did you mean 'tf-pose'?)"),
            ("preset = 5", "there is no preset '5'"),
            ("labels = 5", "not '5'"),
            ('labels = ["Heat"]', "labels must be names of small letters, digits and '_'"),
            ('labels = ["mask", "mask"]', "none of them twice"),
            ("input-size = [368, 368]", "input size must be WIDTHxHEIGHT, as in 368x368"),
            ('skeleton = ["a"]', "there is no skeleton"),
            ('skeleton = "nowhere.toml"', "nowhere.toml"),
            ('sigma_px = "wide"', "sigma_px must be a number"),
            ("min_area = true", "min_area must be a number"),
            ('grid = "finest"', "grid must be bilinear, area or point, not 'finest'"),
            ("category = 3", "category must be names of categories"),
            ('category = ["dog", 3]', "category must be names of categories"),
            ("a = ", "is not TOML"),
        ):
            file.write_text(text)
            outcome = run("build", "--coco", "coco", "--out", "out", "--config", file)
            assert (outcome.status, outcome.out) == (2, ""), text
            assert expected in outcome.err
            assert len(outcome.err.splitlines()) == 1
            assert not spy


class TestDumpConfig:
    def test_the_file_it_prints_does_the_same(self, run: Run, spy: dict[str, Any], tmp_path: Path) -> None:
        (tmp_path / "two.toml").write_text('keypoints = ["nose", "left_eye"]\n')
        (tmp_path / "base.toml").write_text('preset = "udp"\nseed = 5\nworkers = 7\n[label-option.heatmap]\na = 1\n')
        for options in (
            "",
            *(options for options, _, _ in EACH),
            "--sigma-cells 2 --copies 3 --augment scale=0.5-1.1,rotate=40.25 --plain-copy",
            f"--skeleton {tmp_path / 'two.toml'} --split val2017 --images pictures --workers 2 --max-failures 5%",
            f"--config {tmp_path / 'base.toml'} --label-option heatmap.b=0.5 --sigma 3 --max-failures 3",
        ):
            configure(run, spy, *options.split())
            called = dict(spy)
            dumped = run("build", "--coco", "coco", "--out", "out", *options.split(), "--dump-config")
            assert (dumped.status, dumped.err) == (0, ""), options
            (tmp_path / "dumped.toml").write_text(dumped.out)
            with pytest.raises(CaughtError):
                run("build", "--config", tmp_path / "dumped.toml")
            for name in ("coco", "out", "images"):
                called[name] = called[name] and called[name].absolute()
            unlike = {name for name in called if called[name] != spy[name]}
            assert unlike <= {"progress", "notify"}, options

    def test_it_says_only_what_differs_and_does_nothing_else(
        self, run: Run, spy: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        outcome = run("build", "--out", "out", "--preset", "udp", "--seed", 3, "--dump-config")
        assert (outcome.status, outcome.err) == (0, "")
        assert outcome.out == f'out = "{tmp_path / "out"}"\npreset = "udp"\nseed = 3\n'
        assert not spy
        assert list(tmp_path.iterdir()) == []

    def test_what_cannot_be_is_refused_as_by_the_build(self, run: Run) -> None:
        outcome = run("build", "--stride", 7, "--dump-config")
        assert (outcome.status, outcome.out) == (2, "")
        assert "a stride of 7 does not divide" in outcome.err
