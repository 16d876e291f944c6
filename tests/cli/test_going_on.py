"""A build that stopped goes on by the same words, whatever they are, and by no others."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from command_line import catch_build, configure

from posegen.build.checkpoint import open_state
from posegen.config import FIELDS, BuildConfig
from posegen.errors import ConfigError

if TYPE_CHECKING:
    from conftest import Run

WORDS = [
    "--category dog --category cat", "--skeleton coco-17", "--skeleton {skeleton}", "--labels heatmap", "--labels none",
    "--label-option mask.a=1 --label-option mask.b=0.5 --label-option paf.c=x --label-option paf.d=true",
    "--input-size 432x368", "--stride 4", "--stride 4,8", "--grid area", "--heatmap udp", "--sigma 7.5",
    "--sigma-cells 2", "--sigma-scale area", "--sigma-keypoints oks", "--paf cells", "--half-width 3", "--unit person",
    "--crop udp", "--box-padding 1.5", "--fit cover", "--visibility visible", "--origin unlabelled",
    "--exif stored", "--min-keypoints 5", "--min-area 1024.5",
    "--keep-empty", "--label-dtype uint8", "--layout hwc", "--compression none", "--image-encoding raw",
    "--jpeg-quality 80", "--augment scale=0.5-1.1,rotate=40,shift=40,flip=0.5 --copies 2", "--augment flip=0.5",
    "--augment flip=1 --plain-copy", "--shard-size 10", "--seed 42", "--limit 7", "--preset coco", "--preset udp",
]  # fmt: skip


@pytest.fixture
def spy(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    return catch_build(monkeypatch)


def stop(out: Path, config: BuildConfig) -> None:
    """Leave what a build leaves that was stopped after its first shard."""
    with open_state(out, config, overwrite=False) as state:
        (state.home / "shard-00000-of-00002.json").write_text("{}")


def test_the_words_are_those_of_every_field() -> None:
    assert {f"--{field.option}" for field in FIELDS} <= set(re.findall(r"--[\w-]+", " ".join(WORDS)))


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
