from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import pytest
from pycocotools.coco import COCO

import posegen
from posegen.config import BuildConfig
from posegen.shards.manifest import Manifest
from posegen.skeleton import COCO_17, OPENPOSE_18

if TYPE_CHECKING:
    from conftest import Coco, Run

COMMANDS = sorted(
    p.stem for p in (Path(posegen.__file__).parent / "cli").glob("*.py") if p.stem not in {"__init__", "tables"}
)
"""One file a command."""

BUILD_OPTIONS = [
    "--coco", "--out", "--split", "--images", "--category", "--preset", "--input-size", "--stride", "--sigma",
    "--grid", "--labels", "--fit", "--keep-empty", "--skeleton", "--visibility", "--min-keypoints",
    "--min-area", "--label-dtype", "--layout", "--compression", "--image-encoding", "--jpeg-quality",
    "--shard-size", "--seed", "--limit", "--workers", "--max-failures", "--overwrite", "--audit-only",
    "--config", "--quiet", "--copies", "--augment", "--plain-copy", "--label-option",
]  # fmt: skip


def run_process(*arguments: object, flags: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """Run the command line as a user does, in a process of its own, from anywhere."""
    environment = os.environ | {"PYTHONPATH": str(Path(posegen.__file__).parents[1])}
    command = [sys.executable, *flags, "-m", "posegen", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120, check=False)


def imported(log: str) -> set[str]:
    """Read the packages from what `python -X importtime` prints."""
    return {line.rsplit("|", maxsplit=1)[-1].strip().split(".")[0] for line in log.splitlines() if "|" in line}


class TestHelp:
    @pytest.mark.parametrize("flag", ["-h", "--help"])
    def test_it_lists_the_commands_and_the_exit_statuses(self, run: Run, flag: str) -> None:
        outcome = run(flag)
        assert (outcome.status, outcome.err) == (0, "")
        for command in COMMANDS:
            assert re.search(rf"^  {command} +\w", outcome.out, re.MULTILINE)
        assert len(COMMANDS) >= 4
        assert "0 done, 1 the work failed, 2 the call was wrong, 130 interrupted" in outcome.out

    @pytest.mark.parametrize("command", COMMANDS)
    def test_every_command_has_its_own(self, run: Run, command: str) -> None:
        outcome = run(command, "--help")
        assert (outcome.status, outcome.err) == (0, "")
        assert outcome.out.startswith(f"Usage: posegen {command} ")
        assert "\\b" not in outcome.out
        assert "\b" not in outcome.out

    @pytest.mark.parametrize("option", BUILD_OPTIONS)
    def test_build_names_every_option(self, run: Run, option: str) -> None:
        assert re.search(rf"^  {option}\b", run("build", "--help").out, re.MULTILINE)

    @pytest.mark.parametrize("option", ["--json", "--sample", "--save", "--sheet"])
    def test_inspect_names_every_option(self, run: Run, option: str) -> None:
        assert re.search(rf"^  {option}\b", run("inspect", "--help").out, re.MULTILINE)

    @pytest.mark.parametrize("option", ["--images", "--seed"])
    def test_sample_names_every_option(self, run: Run, option: str) -> None:
        assert re.search(rf"^  {option}\b", run("sample", "--help").out, re.MULTILINE)

    @pytest.mark.parametrize(
        "default",
        ["[default: 368x368]", "[default: 8]", "[default: bilinear]", "[default: heatmap,paf,mask]", "[default: 1024]",
         "[default: float16]", "[default: zstd]", "[default: openpose-18]", "[default: train2017, or the only one]"],
    )  # fmt: skip
    def test_build_tells_its_defaults(self, run: Run, default: str) -> None:
        assert default in " ".join(run("build", "--help").out.split())

    @pytest.mark.parametrize("command", ["build", "inspect"])
    def test_examples_stand_on_lines_of_their_own(self, run: Run, command: str) -> None:
        assert re.search(rf"^    posegen {command} /data|^    posegen {command} --coco /data/coco --out /data/pose$",
                         run(command, "--help").out, re.MULTILINE)  # fmt: skip

    def test_the_version_is_that_of_the_package(self, run: Run) -> None:
        assert run("--version").out == f"posegen {posegen.__version__}\n"


class TestStatus:
    @pytest.mark.parametrize(
        "arguments",
        [
            ("nonsense",),
            ("build",),
            ("build", "--coco", "x"),
            ("build", "--coco", "x", "--out", "y", "--nonsense"),
            ("build", "--coco", "x", "--out", "y", "--workers", "many"),
            ("build", "--coco", "x", "--out", "y", "--preset", "nonsense"),
            ("build", "--coco", "x", "--out", "y", "--grid", "nonsense"),
            ("inspect",),
            ("inspect", "a", "b"),
            ("sample",),
        ],
    )
    def test_a_call_that_cannot_be_understood_is_two(self, run: Run, arguments: tuple[str, ...]) -> None:
        outcome = run(*arguments)
        assert (outcome.status, outcome.out) == (2, "")
        assert "Error: " in outcome.err

    def test_a_traceback_is_never_shown(self, tmp_path: Path) -> None:
        (tmp_path / "manifest.json").write_text("{")
        for arguments, status in (
            (("inspect", tmp_path), 1),
            (("inspect", tmp_path / "nowhere"), 2),
            (("sample", tmp_path / "manifest.json" / "sample"), 1),
        ):
            done = run_process(*arguments)
            assert (done.returncode, done.stdout) == (status, "")
            assert done.stderr.startswith("Error: ")
            assert len(done.stderr.splitlines()) == 1


class CaughtError(Exception):
    """Thrown out of `build` by `spy`, with how it was called."""


@pytest.fixture
def spy(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Catch how `posegen.build.pipeline.build` is called instead of building."""
    call: dict[str, Any] = {}

    def build(coco: Path, out: Path, config: BuildConfig, **options: Any) -> Manifest:
        call.update(coco=coco, out=out, config=config, **options)
        raise CaughtError

    monkeypatch.setattr("posegen.build.pipeline.build", build)
    return call


def configure(run: Run, spy: dict[str, Any], *options: object) -> BuildConfig:
    with pytest.raises(CaughtError):
        run("build", "--coco", "coco", "--out", "out", *options)
    return spy["config"]


class TestBuildOptions:
    def test_without_any_it_is_the_preset_tf_pose(self, run: Run, spy: dict[str, Any]) -> None:
        assert configure(run, spy) == BuildConfig.preset("tf-pose")
        assert (spy["coco"], spy["out"]) == (Path("coco"), Path("out"))
        assert (spy["split"], spy["images"], spy["workers"]) == (None, None, None)
        assert (spy["max_failures"], spy["overwrite"]) == ("0", False)

    @pytest.mark.parametrize(
        ("options", "field", "value"),
        [
            ("--category dog", "category", ("dog",)),
            ("--category dog --category cat", "category", ("dog", "cat")),
            ("--labels mask,heatmap", "labels", ("mask", "heatmap")),
            ("--input-size 432x368", "input_size", (368, 432)),
            ("--stride 4", "stride", 4.0),
            ("--stride 2.875", "stride", 2.875),
            ("--sigma 7.5", "sigma_px", 7.5),
            ("--half-width 3", "half_width_px", 3.0),
            ("--grid area", "grid", "area"),
            ("--fit cover", "fit", "cover"),
            ("--visibility visible", "visibility", "visible"),
            ("--min-keypoints 5", "min_keypoints", 5),
            ("--min-area 1024.5", "min_area", 1024.5),
            ("--keep-empty", "keep_empty", True),
            ("--label-dtype uint8", "label_dtype", "uint8"),
            ("--layout hwc", "layout", "hwc"),
            ("--compression none", "compression", "none"),
            ("--image-encoding raw", "image_encoding", "raw"),
            ("--jpeg-quality 80", "jpeg_quality", 80),
            ("--shard-size 10", "shard_size", 10),
            ("--seed 42", "seed", 42),
            ("--limit 7", "limit", 7),
            ("--skeleton coco-17", "skeleton", COCO_17),
            ("--preset coco", "skeleton", None),
        ],
    )
    def test_each_changes_its_own_field(
        self, run: Run, spy: dict[str, Any], options: str, field: str, value: object
    ) -> None:
        config = configure(run, spy, *options.split())
        changed = {k for k in BuildConfig.__slots__ if getattr(config, k) != getattr(BuildConfig(), k)}
        assert changed == {field}
        assert getattr(config, field) == value

    @pytest.mark.parametrize(
        ("options", "name", "value"),
        [
            ("--split val2017", "split", "val2017"),
            ("--images pictures", "images", Path("pictures")),
            ("--workers 3", "workers", 3),
            ("--max-failures 5%", "max_failures", "5%"),
            ("--overwrite", "overwrite", True),
        ],
    )
    def test_those_that_change_no_bytes_are_no_configuration(
        self, run: Run, spy: dict[str, Any], options: str, name: str, value: object
    ) -> None:
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

    def test_options_are_laid_over_its_values(self, run: Run, spy: dict[str, Any], file: Path) -> None:
        file.write_text('input_size = "256x192"\nseed = 3\nkeep-empty = true\n')
        config = configure(run, spy, "--config", file, "--seed", 4)
        assert config == BuildConfig(input_size=(192, 256), seed=4, keep_empty=True)

    def test_the_preset_of_the_call_wins(self, run: Run, spy: dict[str, Any], file: Path) -> None:
        file.write_text('preset = "coco"\nseed = 3\n')
        assert configure(run, spy, "--config", file, "--preset", "tf-pose") == BuildConfig(seed=3)

    def test_labels_may_be_one_word_with_commas(self, run: Run, spy: dict[str, Any], file: Path) -> None:
        file.write_text('labels = "paf,mask"\n')
        assert configure(run, spy, "--config", file).labels == ("paf", "mask")

    def test_a_skeleton_file_is_found_beside_it(
        self, run: Run, spy: dict[str, Any], file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (file.parent / "two.toml").write_text('keypoints = ["nose", "left_eye"]\nlimbs = [["nose", "left_eye"]]\n')
        file.write_text('skeleton = "two.toml"\n')
        monkeypatch.chdir("/")
        skeleton = configure(run, spy, "--config", file).skeleton
        assert (skeleton.name, skeleton.keypoints, skeleton.limbs) == ("two", ("nose", "left_eye"), ((0, 1),))

    def test_a_skeleton_of_the_call_is_found_from_here(
        self, run: Run, spy: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "two.toml").write_text('keypoints = ["nose", "left_eye"]\n')
        monkeypatch.chdir(tmp_path)
        assert configure(run, spy, "--skeleton", "two.toml").skeleton.keypoints == ("nose", "left_eye")

    def test_a_built_in_skeleton_goes_by_its_name(self, run: Run, spy: dict[str, Any], file: Path) -> None:
        file.write_text('preset = "coco"\nskeleton = "openpose-18"\n')
        assert configure(run, spy, "--config", file).skeleton == OPENPOSE_18

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("sigma_pix = 7", "'sigma_pix' is no build option (did you mean 'sigma-px'?)"),
            ("workers = 3", "'workers' is no build option"),
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
        ],
    )
    def test_a_mistake_in_it_is_a_wrong_call(
        self, run: Run, spy: dict[str, Any], file: Path, text: str, expected: str
    ) -> None:
        file.write_text(text)
        outcome = run("build", "--coco", "coco", "--out", "out", "--config", file)
        assert (outcome.status, outcome.out) == (2, "")
        assert expected in outcome.err
        assert len(outcome.err.splitlines()) == 1
        assert not spy


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

    def test_quiet_does_not_silence_the_audit_that_was_asked_for(self, run: Run, corpus: Coco) -> None:
        loud, quiet = (run("build", "--coco", corpus.root, "--audit-only", *more) for more in ([], ["--quiet"]))
        assert quiet == loud
        assert "num_keypoints disagrees" in quiet.out


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
