"""What a build says that it will need on disk, held against what it takes."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from posegen.annotations import find_coco, read_coco
from posegen.build.estimate import estimate_bytes
from posegen.build.pipeline import build
from posegen.build.plan import make_plan
from posegen.config import BuildConfig
from posegen.synthetic import write_sample_coco


@pytest.fixture(scope="module")
def coco(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sample_coco(tmp_path_factory.mktemp("coco") / "sample", images=24, seed=2)


def estimate(coco: Path, config: BuildConfig) -> int:
    paths = find_coco(coco)
    return estimate_bytes(make_plan(read_coco(paths.annotations, config, paths.images), config))


def test_it_is_right_to_within_a_third(coco: Path, tmp_path: Path) -> None:
    for number, options in enumerate(
        [
            {},
            {"label_dtype": "uint8", "jpeg_quality": 80},
            {"label_dtype": "float32", "compression": "lzf"},
            {"compression": "none", "fit": "cover"},
            {"image_encoding": "raw"},
            {"image_encoding": "png", "fit": "stretch"},
        ]
    ):
        config = BuildConfig(**options)
        manifest = build(coco, tmp_path / str(number), config, workers=1)
        assert 0.85 < estimate(coco, config) * manifest.samples / manifest.bytes < 1.33


def test_pictures_that_are_not_there_are_taken_for_usual_ones(coco: Path, tmp_path: Path) -> None:
    config = BuildConfig()
    plan = make_plan(read_coco(find_coco(coco).annotations, config, tmp_path), config)
    usual = estimate_bytes(plan)
    assert 0.5 < usual / estimate(coco, config) < 2


def test_padding_counts_for_nothing(coco: Path) -> None:
    padded, filled = (estimate(coco, dataclasses.replace(BuildConfig(), fit=fit)) for fit in ("letterbox", "stretch"))
    assert padded < filled
