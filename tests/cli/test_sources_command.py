"""Several sources on the command line: built, audited, dumped, verified, and refused where they do not go together."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from posegen.shards.manifest import Manifest

if TYPE_CHECKING:
    from conftest import Coco, Run

SMALL = ("--labels", "heatmap", "--input-size", "64x64", "--workers", 1)


@pytest.fixture
def roots(make_coco: type[Coco], tmp_path: Path) -> tuple[Path, Path]:
    """People with COCO's keypoints, and two with names of their own."""
    first, second = (make_coco(tmp_path / name) for name in ("first", "second"))
    for coco, count in ((first, 1), (second, 2)):
        for _ in range(count):
            coco.person(coco.image(40, 30))
    names = second.document["categories"][0]["keypoints"]
    second.document["categories"][0]["keypoints"] = ["snout", *names[1:]]
    return first.write(), second.write()


def test_several_are_built_into_one_dataset_and_named(run: Run, roots: tuple[Path, Path], tmp_path: Path) -> None:
    first, second = roots
    out = tmp_path / "out"
    outcome = run("build", "--coco", second, "--coco", first, "--split", "train2017", "--out", out, *SMALL)
    assert outcome.status == 0, outcome.err
    assert "second: note: it does not label nose: unknown of all its people" in outcome.err
    manifest = Manifest.read(out)
    assert [rules.name for rules in manifest.config.sources] == ["first", "second"]
    assert manifest.samples == 3
    shown = run("inspect", out).out
    assert "sources=first,second" in shown
    assert shown.splitlines()[1] == "1 of first, 2 of second"
    assert f"second.sha256={manifest.source['second.sha256']}" in shown
    assert run("verify", out, "--deep", "--coco", first, "--coco", second).status == 0
    assert "name them all" in run("verify", out, "--coco", first).err
    # What is dumped is the same: all shards stand.
    dumped = run("build", "--coco", first, "--coco", second, "--out", out, *SMALL, "--dump-config").out
    assert dumped.count("[[source]]") == 2
    (tmp_path / "again.toml").write_text(dumped)
    again = run("build", "--config", tmp_path / "again.toml", "--out", out)
    assert (again.status, "nothing is left to build" in again.err) == (0, True)


def test_the_weights_of_sources_are_shown_and_change_no_sample(
    run: Run, roots: tuple[Path, Path], tmp_path: Path
) -> None:
    first, second = roots
    tables = [f'[[source]]\ncoco = "{first}"\n', f'[[source]]\ncoco = "{second}"\nweight = 2.5\n']
    shards = []
    for name, order in (("one", 1), ("other", -1)):
        (tmp_path / "build.toml").write_text("".join(tables[::order]))
        outcome = run("build", "--config", tmp_path / "build.toml", "--out", tmp_path / name, *SMALL)
        assert outcome.status == 0, outcome.err
        shards.append([path.read_bytes() for path in sorted((tmp_path / name).glob("*.h5"))])
    assert shards[0] == shards[1]
    assert run("inspect", tmp_path / "one").out.splitlines()[1] == "1 of first, 2 of second of weight 2.5 each"
    described = json.loads(run("inspect", tmp_path / "one", "--json").out)
    assert (described["samples"], described["config"]["sources"][1]["weight"]) == (3, 2.5)
    assert run("verify", tmp_path / "one", "--coco", first, "--coco", second).status == 0


def test_the_audit_is_by_source(run: Run, roots: tuple[Path, Path], tmp_path: Path) -> None:
    outcome = run("audit", *roots)
    assert outcome.status == 0, outcome.err
    assert "second: note: it does not label nose" in outcome.out
    record = json.loads(run("audit", *roots, "--json").out)
    assert (record["images"], record["sources"]["first"]["images"], record["sources"]["second"]["images"]) == (3, 1, 2)
    (tmp_path / "audit.toml").write_text(
        f'[[source]]\ncoco = "{roots[0]}"\n[[source]]\ncoco = "{roots[1]}"\nrename = {{snout = "nose"}}\n'
    )
    renamed = run("audit", "--config", tmp_path / "audit.toml")
    assert (renamed.status, "does not label" in renamed.out) == (0, False)


def test_what_does_not_go_together_is_refused(run: Run, roots: tuple[Path, Path], tmp_path: Path) -> None:
    several = [word for root in roots for word in ("--coco", root)]
    for words, message in (
        ([*several, "--images", roots[0]], "--images 1 times"),
        ([*several, *several[:2]], "would all be the source 'first'"),
        ([*several[:2], "--split", "a", "--split", "b"], "--split is given 2 times, but takes one value"),
        ([*several, "--skeleton", "coco-foot-23"], "needs left_big_toe"),
        ([*several, "--preset", "coco"], "have different keypoints"),
    ):
        outcome = run("build", *words, "--out", tmp_path / "out", *SMALL)
        assert outcome.status != 0
        assert message in outcome.err
    assert run("audit").status == 2


def test_a_skeleton_of_mmpose_is_shown_and_read_by(run: Run, roots: tuple[Path, Path], tmp_path: Path) -> None:
    path = tmp_path / "ears.py"
    path.write_text(
        "dataset_info = dict(dataset_name='ears', skeleton_info={}, sigmas=[], keypoint_info={\n"
        "    0: dict(name='left_ear', id=0, swap='right_ear'), 1: dict(name='right_ear', id=1, swap='left_ear')})\n"
    )
    shown = run("skeleton", "show", path)
    assert shown.out.startswith("ears: 2 keypoints, 0 limbs, 1 flip pairs"), shown.err
    assert run("audit", roots[0], "--skeleton", path, "--labels", "heatmap").status == 0
    path.write_text("dataset_info = make()\n")
    for words in (("skeleton", "show", path), ("audit", roots[0], "--skeleton", path)):
        assert f"{path}: line 1: 'make()' would have to be run" in run(*words).err


def test_several_are_scored_together(run: Run, roots: tuple[Path, Path], tmp_path: Path) -> None:
    first, second = roots
    options = ("--labels", "heatmap,paf", "--preset", "coco", "--input-size", "128x128", "--workers", 1)
    (tmp_path / "build.toml").write_text(
        f'[[source]]\ncoco = "{first}"\n[[source]]\ncoco = "{second}"\nrename = {{snout = "nose"}}\n'
    )
    skeleton = ("--skeleton", "coco-17")
    built = run("build", "--config", tmp_path / "build.toml", "--out", tmp_path / "out", *options, *skeleton)
    assert built.status == 0, built.err
    record = json.loads(run("score", tmp_path / "out", "--coco", second, "--coco", first, "--json").out)
    assert (record["samples"], record["people"]) == (3, 3)
    assert all(name.startswith(("first/", "second/")) for names in record["lost"].values() for name in names)
    assert "name them all" in run("score", tmp_path / "out", "--coco", first).err
