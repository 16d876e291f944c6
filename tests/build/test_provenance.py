"""What a dataset says of where it comes from, and what is said when that has changed."""

from __future__ import annotations

import hashlib
import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from builds import ANNOTATIONS, CONFIG, change_annotations, write_source
from executors import InProcess

import posegen
from posegen.errors import ShardError
from posegen.inspect.verify import verify
from posegen.shards.manifest import Manifest

if TYPE_CHECKING:
    from conftest import Run

build = partial(posegen.build, executor=InProcess())


@pytest.fixture
def coco(tmp_path: Path) -> Path:
    return write_source(tmp_path / "source")


def move_somebody(document: dict[str, Any]) -> None:
    """Change one keypoint of one annotation: one shard."""
    document["annotations"][0]["keypoints"][:3] = [1, 2, 2]


def test_the_manifest_has_the_annotations_hash_the_preset_and_the_description(
    coco: Path, run: Run, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    words = "--preset", "udp", "--input-size", "64x64", "--workers", 1, "--description", "people, cropped: größer"
    assert run("build", "--coco", coco, "--out", out, *words).status == 0
    record = json.loads((out / "manifest.json").read_text())
    assert record["source"]["sha256"] == hashlib.sha256((coco / ANNOTATIONS).read_bytes()).hexdigest()
    assert (record["preset"], record["description"]) == ("udp", "people, cropped: größer")
    shown = run("inspect", out).out
    assert "people, cropped: größer" in shown
    assert "preset udp" in shown
    assert record["source"]["sha256"] in shown


def test_a_library_user_says_both_or_neither(coco: Path, tmp_path: Path) -> None:
    build(coco, tmp_path / "out", CONFIG)
    read = Manifest.read(tmp_path / "out")
    assert (read.preset, read.description) == (None, "")
    build(coco, tmp_path / "out", CONFIG, preset="tf-pose", description="mine")
    read = Manifest.read(tmp_path / "out")
    assert (read.preset, read.description) == ("tf-pose", "mine")


def test_manifests_of_before_have_neither_and_others_than_texts_are_refused(coco: Path, tmp_path: Path) -> None:
    path = build(coco, tmp_path / "out", CONFIG).write(tmp_path)
    record = json.loads(path.read_text())
    for key in ("preset", "description"):
        path.write_text(json.dumps(record | {key: 3}))
        with pytest.raises(ShardError, match="damaged"):
            Manifest.read(tmp_path)
    del record["preset"], record["description"]
    path.write_text(json.dumps(record))
    assert (Manifest.read(tmp_path).preset, Manifest.read(tmp_path).description) == (None, "")


def test_a_rerun_says_how_many_shards_change_before_it_replaces_them(coco: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    build(coco, out, CONFIG)
    before = (out / "manifest.json").read_bytes()
    change_annotations(coco, move_somebody)
    told: list[tuple[str, bool]] = []
    build(coco, out, CONFIG, notify=lambda line: told.append((line, (out / "manifest.json").read_bytes() == before)))
    assert [there for line, there in told if "1 of 4 shards change" in line] == [True]
    told.clear()
    build(coco, out, CONFIG, notify=lambda line: told.append((line, True)))
    assert not [line for line, _ in told if "change" in line]


def test_verify_says_when_the_annotations_are_others(coco: Path, run: Run, tmp_path: Path) -> None:
    out = tmp_path / "out"
    build(coco, out, CONFIG)
    assert verify(out, coco=coco, executor=InProcess()) == []
    change_annotations(coco, lambda document: document.update(info={"year": 2017}))
    (problem,) = verify(out, coco=coco, executor=InProcess())
    assert "built from other annotations" in problem.what
    assert verify(out, executor=InProcess()) == []
    outcome = run("verify", out, "--coco", coco, "--workers", 1)
    assert (outcome.status, "built from other annotations" in outcome.out) == (1, True)
