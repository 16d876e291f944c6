"""A build that stopped goes on by the same words, whatever they are, and by no others."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from command_line import catch_build, configure
from conftest import Coco
from executors import InProcess

from posegen.build.checkpoint import open_state
from posegen.config import FIELDS, BuildConfig
from posegen.errors import ConfigError

if TYPE_CHECKING:
    from conftest import Run

WORDS = [
    "--category dog --category cat", "--skeleton coco-17", "--skeleton {skeleton}", "--labels heatmap", "--labels none",
    "--labels offset --label-option offset.radius_factor=0.1 --label-option offset.corners=true",
    "--labels center,heatmap --label-option center.root=mean --label-option center.radius_cells=3",
    "--input-size 432x368", "--stride 4", "--stride 4,8", "--grid area", "--heatmap udp", "--sigma 7.5",
    "--sigma-cells 2", "--sigma-scale area", "--sigma-keypoints oks", "--paf cells", "--half-width 3", "--unit person",
    "--crop udp", "--box-padding 1.5", "--fit cover", "--visibility visible", "--origin unlabelled",
    "--exif stored", "--min-keypoints 5", "--min-area 1024.5",
    "--keep-empty", "--label-dtype uint8", "--layout hwc", "--compression none", "--image-encoding raw",
    "--jpeg-quality 80", "--augment scale=0.5-1.1,rotate=40,shift=40,flip=0.5 --copies 2", "--augment flip=0.5",
    "--augment flip=1 --plain-copy", "--shard-size 3", "--seed 42", "--limit 7", "--preset coco", "--preset udp",
    "--origin unlabelled", "--exif stored", "--picture-size 736x736",
]  # fmt: skip

OF_THE_RUN = [
    "--workers 2", "--split train2017", "--images {root}/train2017", "--max-failures 50%", "--config {options}",
    "--quiet", "--overwrite", "--description mine",
]  # fmt: skip


def shards(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(out.glob("*.h5"))}


class Interrupted(InProcess):
    """Is interrupted when one task is done."""

    def run(self, *arguments: Any) -> Iterator[Any]:
        yield next(iter(super().run(*arguments)))
        raise KeyboardInterrupt


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six images, each with two people, of three categories that have the same keypoints."""
    coco = Coco(tmp_path_factory.mktemp("going-on") / "coco", seed=5)
    person = coco.document["categories"][0]
    coco.document["categories"] += [{**person, "id": 2, "name": "dog"}, {**person, "id": 3, "name": "cat"}]
    for i in range(6):
        image = coco.image(300, 200)
        coco.person(image, category_id=1 + i % 3)
        coco.person(image, category_id=2)
    return coco.write()


@pytest.fixture
def spy(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    return catch_build(monkeypatch)


def stop(out: Path, config: BuildConfig) -> None:
    """Leave what a build leaves that was stopped after its first shard."""
    with open_state(out, config, overwrite=False) as state:
        (state.home / "shard-00000-of-00002.json").write_text("{}")


def test_the_words_are_those_of_every_field() -> None:
    assert {f"--{field.option}" for field in FIELDS if not field.of_file} <= set(
        re.findall(r"--[\w-]+", " ".join(WORDS))
    )


def test_it_goes_on_with_the_same_words(run: Run, spy: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "two.toml").write_text('keypoints = ["nose", "left_eye"]\nsigmas = [0.026, 0.025]\n')
    for i, template in enumerate(WORDS):
        words, out = template.format(skeleton=tmp_path / "two.toml").split(), tmp_path / str(i)
        stop(out, configure(run, spy, *words))
        with open_state(out, configure(run, spy, *words), overwrite=False) as state:
            assert state.has_record("shard-00000-of-00002.h5"), words


def test_it_does_not_go_on_with_others(run: Run, spy: dict[str, Any], tmp_path: Path) -> None:
    stop(tmp_path / "out", configure(run, spy))
    for template in WORDS:
        if "{" not in template:
            with pytest.raises(ConfigError, match="was built with other options"):
                stop(tmp_path / "out", configure(run, spy, *template.split()))


def test_what_was_interrupted_is_gone_on_with_to_the_same_bytes(
    run: Run, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "two.toml").write_text('keypoints = ["nose", "left_eye"]\nsigmas = [0.026, 0.025]\n')
    (tmp_path / "options.toml").write_text("visibility = 'visible'\njpeg-quality = 70\n")
    places = {"skeleton": tmp_path / "two.toml", "options": tmp_path / "options.toml", "root": root}
    for i, template in enumerate([*WORDS, *OF_THE_RUN]):
        words = template.format(**places).split()
        words += [] if "--input-size" in words else ["--input-size", "64x64"]
        words += [] if "--shard-size" in words else ["--shard-size", "2"]
        made = []
        for name, executors in (("whole", [InProcess()]), ("resumed", [Interrupted(), InProcess()])):
            out = tmp_path / f"{name}-{i}"
            for executor in executors:
                monkeypatch.setattr("posegen.build.pipeline.choose_executor", lambda *_, it=executor: it)
                outcome = run("build", "--coco", root, "--out", out, *words)
                assert outcome.status == (130 if isinstance(executor, Interrupted) else 0), (words, outcome.err)
            made.append(shards(out))
        assert "1 of " in outcome.err or "--quiet" in words, (words, outcome.err)
        assert len(made[0]) > 1, words
        assert made[0] == made[1], words


def test_a_limit_is_for_trying_out_and_then_all_is_built(run: Run, root: Path, tmp_path: Path) -> None:
    common = "--coco", root, "--input-size", "64x64", "--shard-size", 2, "--workers", 1
    assert run("build", *common, "--out", tmp_path / "whole").status == 0
    for limit in (3, 5):
        assert run("build", *common, "--out", tmp_path / "out", "--limit", limit).status == 0
    outcome = run("build", *common, "--out", tmp_path / "out")
    assert (outcome.status, "the first 5 samples" in outcome.err) == (0, True)
    assert shards(tmp_path / "out") == shards(tmp_path / "whole")
    outcome = run("build", *common, "--out", tmp_path / "out", "--limit", 5)
    assert (outcome.status, "limit: was None, is now 5" in outcome.err) == (2, True)
