"""What is measured, and what is told of it."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from conftest import run_command
from each import each

from posegen import bench
from posegen.annotations import find_coco, read_coco
from posegen.bench import labels
from posegen.bench.growth import measure_growth
from posegen.bench.reading import measure_reading
from posegen.bench.scale import measure_scale
from posegen.bench.scaling import make_people, measure_scaling
from posegen.bench.source import Source, open_source, replicate
from posegen.bench.throughput import FLOOR, measure_build
from posegen.build.pipeline import build
from posegen.config import BuildConfig
from posegen.errors import ConfigError, MissingExtraError
from posegen.labels import PafLabel
from posegen.shards import ShardReader
from posegen.synthetic import write_sample_coco

# pycocotools 2.0.x hands numpy an object without the `copy` keyword whenever it decodes a mask.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning")
IMAGES = 8


@pytest.fixture(scope="module")
def coco(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sample_coco(tmp_path_factory.mktemp("bench") / "coco", images=IMAGES)


@pytest.fixture
def source(coco: Path, tmp_path: Path) -> Source:
    return open_source(tmp_path, coco)


@pytest.fixture(scope="module")
def printed(coco: Path) -> tuple[dict[str, Any], str]:
    """What the command prints with --json, as JSON, and what it prints to stderr."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(labels, "_LOOP_IMAGES", 1)
        call = ["bench", "heatmap", "paf", "labels", "--coco", str(coco), "--repeats", "1", "--json"]
        outcome = run_command(*call)
    assert outcome.status == 0
    return json.loads(outcome.out), outcome.err


def ignore(_what: str) -> None:
    """Tell nobody."""


def is_spread(value: dict[str, float]) -> bool:
    return 0 < value["min"] <= value["median"] <= value["max"]


def test_json_goes_to_stdout_with_every_documented_field(printed: tuple[dict[str, Any], str]) -> None:
    found, stderr = printed
    assert stderr == ""
    assert set(found) == {"machine", "source", "sections"}
    assert set(found["machine"]) == {"processor", "cpus", "system", "versions"}
    assert found["source"]["name"] == "coco"
    assert list(found["sections"]) == ["heatmap", "paf", "labels"]
    comparisons = [c for section in found["sections"].values() for c in section["comparisons"]]
    assert len(comparisons) == 6
    for c in comparisons:
        assert is_spread(c["measured"])
        assert is_spread(c["compared_with"])
        assert is_spread(c["ratio"])
        assert c["unit"] == "ms/image"
        assert c["rounds"] == 1
        assert c["per_round"]["images"] > 0
    assert all(is_spread(part) for part in found["sections"]["labels"]["parts"].values())
    assert list(found["sections"]["labels"]["parts"]) == ["place and find ignored", "heatmap", "paf", "mask"]


def test_people_and_keypoints_are_counted(printed: tuple[dict[str, Any], str], coco: Path) -> None:
    document = json.loads(next((coco / "annotations").iterdir()).read_text())
    labelled = [
        (a["image_id"], n)
        for a in document["annotations"]
        if not a["iscrowd"] and (n := sum(v > 0 for v in a["keypoints"][2::3]))
    ]
    source = printed[0]["source"]
    assert source["samples"] == len({image for image, _ in labelled}) > 1
    assert source["people"] == len(labelled)
    assert source["keypoints"] == sum(n for _, n in labelled)


def test_renderers_equal_the_references_on_the_people_measured(printed: tuple[dict[str, Any], str]) -> None:
    for name in ("heatmap", "paf"):
        for c in printed[0]["sections"][name]["comparisons"]:
            assert 0 <= c["max_abs_difference"] <= 1e-6


def test_a_renderer_that_is_off_shows_in_the_difference(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    render = PafLabel.render_many
    monkeypatch.setattr(PafLabel, "render_many", lambda self, scenes: render(self, scenes) + np.float32(0.25))
    monkeypatch.setattr(labels, "_LOOP_IMAGES", 1)
    rows = labels.measure_paf(source, 1, ignore)["comparisons"]
    assert [row["max_abs_difference"] for row in rows] == pytest.approx([0.25, 0.25], abs=1e-6)


def test_the_presets_equal_the_patches_that_they_are_measured_against(
    coco: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("posegen.bench.presets._CROWD", {"people": 3, "keypoints": 19})
    (section,) = bench.run(coco, sections=["presets"], repeats=1)["sections"].values()
    differences = {c["figure"]: c["max_abs_difference"] for c in section["comparisons"]}
    crowds = {f"{name}, 3 people of 19 keypoints" for name in ("openpose", "msra")}
    assert differences.keys() == {"openpose", "msra", "msra-unbiased", "udp", "megvii", "simcc", "rtmpose", *crowds}
    assert all(value is None if name.startswith("openpose") else value <= 1e-6 for name, value in differences.items())
    assert all(is_spread(c[side]) for c in section["comparisons"] for side in ("measured", "compared_with"))


def test_labels_are_measured_on_jpegs_alone(printed: tuple[dict[str, Any], str], source: Source) -> None:
    jpegs = sum(sample.file_name.endswith(".jpg") for sample in source.samples)
    row = printed[0]["sections"]["labels"]["comparisons"][0]
    assert row["per_round"] == {"images": jpegs}
    assert jpegs < len(source.samples)


def test_opencv_gets_its_threads_back(source: Source) -> None:
    before = cv2.getNumThreads()
    seen: set[int] = set()
    try:
        cv2.setNumThreads(2)
        labels.measure_labels(source, 1, lambda _: seen.add(cv2.getNumThreads()))
        assert seen == {1}
        assert cv2.getNumThreads() == 2
    finally:
        cv2.setNumThreads(before)


def test_the_table_shows_each_figure_beside_what_it_is_compared_with(printed: tuple[dict[str, Any], str]) -> None:
    from posegen.cli import bench as command

    found = printed[0]
    rows = command._format(found).splitlines()
    for section in found["sections"].values():
        for c in section["comparisons"]:
            mine, other = f"{c['measured']['median']:.3f}", f"{c['compared_with']['median']:.3f}"
            assert any(mine in row and other in row and c["compared_with"]["name"] in row for row in rows)


def test_replicas_are_samples_with_the_same_pictures_and_people(source: Source, tmp_path: Path) -> None:
    count = 2 * len(source.samples) + 1
    paths = replicate(source, count, tmp_path / "many")
    copied = read_coco(find_coco(tmp_path / "many").annotations, BuildConfig()).samples
    assert len(copied) == count
    assert len({s.image_id for s in copied}) == count
    originals = {(source.paths.images / s.file_name).read_bytes(): s for s in source.samples}
    seen = set()
    for sample in copied:
        data = (paths.images / sample.file_name).read_bytes()
        original = originals[data]
        seen.add(data)
        np.testing.assert_array_equal(sample.keypoints, original.keypoints)
        assert [s.segmentation for s in sample.ignored] == [s.segmentation for s in original.ignored]
    assert len(seen) == len(originals)


def test_the_floor_holds_the_pictures_of_the_build_and_no_labels(coco: Path, tmp_path: Path) -> None:
    config = BuildConfig.preset("tf-pose")
    floor = dataclasses.replace(config, labels=())
    shards = []
    for name, settings in (("build", config), ("floor", floor)):
        manifest = build(coco, tmp_path / name, settings, workers=1)
        shards.append(tmp_path / name / manifest.shards[0].file)
    with ShardReader(shards[0]) as built, ShardReader(shards[1]) as bare:
        assert [label.spec.name for label in built.labels] == ["heatmap", "paf", "mask"]
        assert bare.labels == ()
        assert len(bare) == len(built) > 1
        for i in range(len(built)):
            assert (bare.picture(i).data, bare.picture(i).box) == (built.picture(i).data, built.picture(i).box)
            assert bare.sample(i)["image_id"] == built.sample(i)["image_id"]


def test_a_build_is_measured_against_its_floor_one_worker_and_copied_pictures(source: Source, tmp_path: Path) -> None:
    told: list[str] = []
    found = measure_build(source, tmp_path, 1, told.append, workers=2, seconds=0.2)
    assert told[2:] == [f"{name}, round 1 of 1" for name in ("build", "floor", "one worker", "sigma", "relabel")]
    against = [FLOOR, "build, 1 worker", "build, 2 workers", "build, 2 workers"]
    assert [c["compared_with"]["name"] for c in found["comparisons"]] == against
    copying = [c["measured"]["name"] for c in found["comparisons"][2:]]
    assert copying == ["another sigma, pictures copied", "all labels others, pictures copied"]
    for c in found["comparisons"]:
        assert c["unit"] == "samples/s"
        assert is_spread(c["measured"])
        assert is_spread(c["compared_with"])
        assert is_spread(c["ratio"])
        assert c["per_round"] == {"samples": found["samples"]}
    assert found["samples"] % found["shards"] == 0
    for name in ("build", "floor", "one worker", "sigma", "relabel"):
        assert is_spread(found["seconds"][name])
        assert is_spread(found["cpu_ms_sample"][name])
    rate = found["comparisons"][0]["measured"]["median"]
    assert rate == pytest.approx(found["samples"] / found["seconds"]["build"]["median"])
    assert 0 < found["starting_s"]["median"] < found["seconds"]["build"]["max"]
    assert not (tmp_path / "old").exists()


def test_scale_tells_time_and_memory_of_each_step(source: Source, tmp_path: Path) -> None:
    found = measure_scale(source, tmp_path, ignore, samples=(2000, 4000))
    assert (found["samples"], found["shards"]) == ([2000, 4000], [2, 4])
    assert [row["step"] for row in found["rows"]] == [
        "planned", "tasks made", "finished from parts", "opened", "shuffled by rank", "resumed in mid-epoch",
    ]  # fmt: skip
    for row in found["rows"]:
        assert [run["samples"] for run in row["runs"]] == [2000, 4000]
        assert all(run["seconds"] > 0 and run["bytes"] >= 0 for run in row["runs"])
        few, many = (run["seconds"] for run in row["runs"])
        assert row["time_growth"] == pytest.approx(many / max(few, 1e-3) / 2)


def test_growth_tells_time_and_memory_of_few_and_many(source: Source, tmp_path: Path) -> None:
    found = measure_growth(source, tmp_path, 1, ignore, workers=1, images=(2, 4))
    assert [row["images"] for row in found["rows"]] == [2, 4]
    assert is_spread(found["ratio"])
    for row in found["rows"]:
        assert is_spread(row["seconds"])
        assert row["ms_sample"]["median"] == pytest.approx(1e3 * row["seconds"]["median"] / row["images"])
        assert 0 < row["planning_share"]["median"] < 1
        assert 0 < row["again_s"]["median"] < row["seconds"]["median"]
        if Path("/proc/self/status").exists():
            assert row["parent_peak_bytes"] > 1e7
            assert row["worker_peak_bytes"] > 1e7
    assert not (tmp_path / "grown").exists()


def test_scaling_tells_time_and_memory_of_every_combination() -> None:
    found = measure_scaling(1, ignore, people=(1, 3), keypoints=(5,), cells=(46, 92))
    cases = [(row["label"], row["people"], row["keypoints"], row["cells"]) for row in found["rows"]]
    assert sorted(cases) == sorted(
        (label, n, 5, cells) for label in ("heatmap", "paf") for n in (1, 3) for cells in (46, 92)
    )
    for row in found["rows"]:
        assert is_spread(row["ms_image"])
        assert row["us_keypoint"] == pytest.approx(1e3 * row["ms_image"]["median"] / (row["people"] * 5))
    assert {row["grid"] for row in found["memory"]} == {"bilinear", "point"}
    for row in found["memory"]:
        channels = 6 if row["label"] == "heatmap" else 8
        assert row["output_bytes"] == channels * row["cells"] ** 2 * 4
        assert row["full_resolution_bytes"] == channels * 368 * 368 * 4
        assert row["peak_bytes"] >= row["output_bytes"]


def test_people_made_up_for_scaling_lie_inside_the_input_and_do_not_repeat() -> None:
    scene = make_people(20, 17, seed=1)
    assert scene.drawn.shape == (20, 17)
    assert scene.drawn.all()
    assert (scene.points >= 0).all()
    assert (scene.points <= 368).all()
    assert len(np.unique(scene.points.reshape(-1, 2), axis=0)) == 20 * 17
    np.testing.assert_array_equal(scene.points, make_people(20, 17, seed=1).points)


@each(
    "options, said",
    [
        (["heatmap", "speed"], "there is no section 'speed'"),
        (["--repeats", "0"], "repeats must be at least 1"),
        (["--workers", "0"], "workers must be at least 1"),
        (["--seconds", "nan"], "a build must last more than 0 seconds"),
        (["--coco", "/nowhere"], "/nowhere: no such file"),
    ],
)
def test_a_wrong_call_is_refused_before_anything_is_measured(options: list[str], said: str) -> None:
    outcome = run_command("bench", *options)
    assert (outcome.status, outcome.out) == (2, "")
    assert said in outcome.err


def test_a_dataset_on_which_nobody_is_labelled_is_refused(coco: Path, tmp_path: Path) -> None:
    path = next((coco / "annotations").iterdir())
    document = json.loads(path.read_text()) | {"annotations": []}
    (tmp_path / path.name).write_text(json.dumps(document))
    with pytest.raises(ConfigError, match="nobody is labelled"):
        bench.run(tmp_path / path.name, images=coco / "train2017", sections=["heatmap"])


def test_reading_is_not_measured_without_pytorch(
    source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'posegen\[torch\]'"):
        measure_reading(source, tmp_path, 1, lambda _: None)
    assert not (tmp_path / "to-read").exists(), "nor is anything built"
