"""What a build says that it will need on disk, held against what it takes."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Coco

from posegen.annotations import find_coco, read_coco
from posegen.build.estimate import _estimate_label, _find_density, estimate_bytes
from posegen.build.pipeline import build
from posegen.build.plan import make_plan
from posegen.config import BuildConfig
from posegen.labels import ArraySpec
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
            {"label_dtype": "float32", "compression": "gzip"},
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


def test_a_guess_is_by_what_files_have_and_labels_leave(coco: Path) -> None:
    base: dict[str, Any] = {"input_size": (64, 96), "stride": 8, "labels": ("heatmap", "paf", "mask"), "shard_size": 5}
    plan = make_plan(read_coco(find_coco(coco).annotations, BuildConfig(**base), find_coco(coco).images), BuildConfig())
    samples = [sample for shard in plan.shards for sample in shard]
    coded = [sample for sample in samples if sample.file_name.endswith(".jpg")]
    size = sum((find_coco(coco).images / sample.file_name).stat().st_size for sample in coded)
    density = math.sqrt(size / sum(sample.width * sample.height for sample in coded))
    ratios = [64 * sample.width / (96 * sample.height) for sample in samples]
    shown = sum(min(ratio, 1 / ratio) for ratio in ratios) / len(ratios)
    assert 0 < len(coded) < len(samples) <= 64
    cells = 2 * 8 * 12
    labels = {  # of half floats: 18 keypoints and the background, 19 limbs, and a mask
        "zstd": cells * (19 * 0.045 + 38 * 0.009 + 0.05),
        "none": cells * (19 + 38 + 1.0),
    }
    index, pixels = 1000 + 10_000 / 5, 64 * 96
    for options, guess in (
        ({}, 1.05 * (pixels * shown * density * 0.63 * (95 / 95) ** 4 + labels["zstd"])),
        ({"jpeg_quality": 80, "fit": "stretch"}, 1.05 * (pixels * density * 0.63 * (80 / 95) ** 4 + labels["zstd"])),
        ({"image_encoding": "png", "compression": "gzip"}, 1.05 * (pixels * shown * density * 2.4 + labels["zstd"])),
        ({"image_encoding": "raw"}, 1.05 * (3 * pixels + labels["zstd"])),
        ({"image_encoding": "raw", "compression": "none"}, 3 * pixels + labels["none"]),
        ({"compression": "none", "fit": "cover"}, 1.05 * (pixels * density * 0.63 + labels["none"])),
    ):
        found = estimate(coco, BuildConfig(**{**base, "jpeg_quality": 95, **options}))
        assert found == pytest.approx(guess + index, abs=1.01), options
    rows = ArraySpec(name="rows", channels=("x", "y"), cells=(), by_person=True)
    assert _estimate_label(rows, 2.5, BuildConfig()) == 2 * 4 * 2.5


def test_of_many_pictures_some_are_measured_and_of_these_the_jpegs(coco: Path, tmp_path: Path) -> None:
    many = Coco(tmp_path / "coco", seed=1)
    image = many.image(60, 40, "a.jpg")
    many.person(image)
    many.write()
    (sample,) = read_coco(many.annotations, BuildConfig(), many.images).samples
    for name, size in (("a.jpg", 100), ("b.JPEG", 300), ("c.png", 10_000)):
        (many.images / name).write_bytes(bytes(size))
    of = [dataclasses.replace(sample, file_name=name) for name in ("a.jpg", "b.JPEG", "c.png", "gone.jpg")]
    assert _find_density(of, many.images) == pytest.approx(400 / (2 * 60 * 40))
    for none in ([], of[2:]):
        assert _find_density(none, many.images) == 0.55
    plan = make_plan(read_coco(find_coco(coco).annotations, BuildConfig(), find_coco(coco).images), BuildConfig())
    (first,) = plan.shards
    for count in (127, 128, 129, 300):
        chosen = np.arange(count) % len(first)
        shard = dataclasses.replace(first, images=first.images[chosen], copies=first.copies[chosen], people=None)
        looked: list[int] = []

        class Watched:
            def __init__(self, start: int) -> None:
                self.start = start

            def __len__(self) -> int:
                return min(100, count - self.start)  # noqa: B023

            def __getitem__(self, index: int) -> Any:
                looked.append(self.start + index)  # noqa: B023
                return shard[self.start + index]  # noqa: B023

        config = BuildConfig(shard_size=100)
        shards: Any = tuple(Watched(start) for start in range(0, count, 100))
        estimate_bytes(dataclasses.replace(plan, shards=shards, config=config))
        assert looked == list(range(0, count, count // 64))
