from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from posegen.annotations import read_coco
from posegen.annotations.coco.quick import read_quickly
from posegen.bench.drawn_up import write_annotations
from posegen.bench.planning import measure_planning
from posegen.cli import main
from posegen.cli.bench import _format
from posegen.config import BuildConfig


def ignore(_what: str) -> None:
    """Tell nobody."""


def test_what_is_drawn_up_has_people_as_coco_has_them(tmp_path: Path) -> None:
    path = tmp_path / "drawn.json"
    count = write_annotations(path, 800)
    document = json.loads(path.read_bytes())
    assert len(document["images"]) == 800
    assert len(document["annotations"]) == count == 1800
    labelled = sum(annotation["num_keypoints"] > 0 for annotation in document["annotations"])
    assert 0.5 < labelled / count < 0.65
    assert 0 < sum(annotation["iscrowd"] for annotation in document["annotations"]) < 0.03 * count
    assert 600 < path.stat().st_size / count < 1200
    found = read_coco(path, BuildConfig())
    assert found.audit.images == 800
    assert read_quickly(path, path.read_bytes(), BuildConfig(), None) is not None


def test_what_is_drawn_up_depends_on_the_seed_alone(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("a", "b", "c")]
    for path, seed in zip(files, (0, 0, 1), strict=True):
        write_annotations(path, 16, seed)
    first, again, other = (path.read_bytes() for path in files)
    assert first == again != other


def test_planning_is_measured_beside_pycocotools_each_in_a_process_of_its_own(tmp_path: Path) -> None:
    found = measure_planning(tmp_path, 1, ignore, images=40)
    (comparison,) = found["comparisons"]
    assert comparison["measured"]["median"] > 0
    assert comparison["ratio"]["kind"] == "share"
    assert (found["images"], found["annotations"]) == (40, 90)
    assert set(found["cpu_s"]) == set(found["peak_bytes"]) == {"plan", "pycocotools"}
    assert not list(tmp_path.iterdir())
    machine = {"processor": "", "cpus": 1, "system": "", "versions": {}}
    source = {"name": "", "samples": 0, "people": 0, "keypoints": 0}
    shown = _format({"machine": machine, "source": source, "sections": {"plan": found}})
    assert "90 annotations of 40 images" in shown
    assert "pycocotools.COCO(file)" in shown


def test_how_many_images_are_planned_must_be_some() -> None:
    result = CliRunner().invoke(main, ["bench", "plan", "--plan-images", "0"])
    assert result.exit_code == 2
    assert "plan_images must be at least 1" in result.output
