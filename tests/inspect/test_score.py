"""Scoring: sound labels are sound, and each planted fault is said."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
from conftest import Coco

import posegen
from posegen import COCO_17, OPENPOSE_18, BuildConfig, PoseDataset
from posegen.config import PRESETS
from posegen.errors import ConfigError
from posegen.inspect.score.errors import match
from posegen.skeleton import SKELETONS

if TYPE_CHECKING:
    from conftest import Run

Arrays = dict[str, Any]


FEET = [f"{side}_{part}" for side in ("left", "right") for part in ("big_toe", "small_toe", "heel")]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Coco:
    """Thirty images of one person each, who is labelled all over, and has a box around that."""
    return scatter(Coco(tmp_path_factory.mktemp("people"), seed=5))


@pytest.fixture(scope="module")
def footed(tmp_path_factory: pytest.TempPathFactory) -> Coco:
    """The same with feet."""
    coco = Coco(tmp_path_factory.mktemp("footed"), seed=5)
    category = coco.document["categories"][0]
    category["keypoints"] = [*category["keypoints"], *FEET]
    return scatter(coco)


def scatter(coco: Coco) -> Coco:
    count = len(coco.document["categories"][0]["keypoints"])
    for _ in range(30):
        image = coco.image(160, 160)
        points = np.concatenate([coco.random.uniform(20, 140, (count, 2)), np.full((count, 1), 2)], axis=1)
        low, high = points[:, :2].min(axis=0) - 8, points[:, :2].max(axis=0) + 8
        box = [*low.tolist(), *(high - low).tolist()]
        coco.person(image, points.round(2).ravel().tolist(), bbox=box, area=float(np.prod(high - low)))
    coco.write()
    return coco


@pytest.fixture(scope="module")
def built(source: Coco, footed: Coco, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Build a preset of them, once."""
    root = tmp_path_factory.mktemp("scored")

    def build(preset: str) -> Path:
        if not (root / preset).exists():
            config = BuildConfig.preset(preset, image_encoding="jpeg", shard_size=16)
            posegen.build((footed if preset == "openpose-25" else source).root, root / preset, config, workers=1)
        return root / preset

    return build


def plant(monkeypatch: pytest.MonkeyPatch, fault: Callable[[Arrays], None]) -> None:
    """Let labels be read as if they had been built with a fault."""
    read = PoseDataset.batch

    def batch(self: PoseDataset, *arguments: Any, **options: Any) -> Arrays:
        found = read(self, *arguments, **options)
        if "heatmap" in found:
            fault(found)
        return found

    monkeypatch.setattr(PoseDataset, "batch", batch)


def test_labels_of_every_preset_come_back_without_bias(
    source: Coco, footed: Coco, built: Callable[[str], Path]
) -> None:
    least = {"msra": 0.97, "megvii": 0.95}
    others = {"tf-pose": OPENPOSE_18, "openpose": OPENPOSE_18, "openpose-25": SKELETONS["body-25"]}
    for preset in PRESETS:
        found = posegen.score(built(preset), (footed if preset == "openpose-25" else source).root)
        assert (found.samples, found.people, found.problems, found.swapped) == (30, 30, [], 0), preset
        assert found.coco["AP"] >= least.get(preset, 0.99), (preset, found.coco)
        assert not found.lost
        every = found.rows[0]
        skeleton = others.get(preset, COCO_17)
        keypoints = len(skeleton.keypoints)
        assert (every.name, every.far, every.missed) == ("all", 0, 0)
        assert 0.9 * 30 * keypoints < every.count <= 30 * keypoints
        assert every.rms < (2.0 if preset in least else 1.0 if preset == "higherhrnet" else 0.3), preset
        assert [row.name for row in found.rows[1 : keypoints + 1]] == list(skeleton.keypoints)


def test_half_a_cell_is_a_bias_of_everything(
    source: Coco, built: Callable[[str], Path], run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = built("udp")
    assert run("score", path, "--coco", source.root).status == 0

    def shift(found: Arrays) -> None:
        found["heatmap"] = (found["heatmap"] + np.roll(found["heatmap"], 1, axis=-1)) / 2

    plant(monkeypatch, shift)
    found = posegen.score(path, source.root)
    half = 191 / 47 / 2
    assert found.rows[0].bias == pytest.approx((half, 0), abs=0.05)
    assert sum(" input pixels from where annotated" in problem for problem in found.problems) == len(found.rows)
    outcome = run("score", path, "--coco", source.root)
    assert outcome.status == 1
    assert "wrong: all: found (+2.03, " in outcome.out
    assert "labels are not what was annotated: all: found" in outcome.err


def test_sides_that_changed_places_show(
    source: Coco, built: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def swap(found: Arrays) -> None:
        found["heatmap"] = found["heatmap"][:, COCO_17.mirrored]

    plant(monkeypatch, swap)
    found = posegen.score(built("udp"), source.root)
    assert found.swapped > 0.9 * found.pairs > 200
    assert f"left and right changed places in {found.swapped} of {found.pairs} pairs of keypoints" in found.problems
    assert any(problem.startswith("left_wrist: ") for problem in found.problems)
    assert not any(problem.startswith("nose: ") for problem in found.problems)
    assert found.coco["AP"] < 0.1
    assert [*found.lost] == ["not near enough"]


def test_a_neck_that_is_elsewhere_shows_though_coco_has_none(
    source: Coco, built: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    neck, nose = OPENPOSE_18.keypoints.index("neck"), OPENPOSE_18.keypoints.index("nose")

    def move(found: Arrays) -> None:
        found["heatmap"][:, neck] = np.roll(found["heatmap"][:, neck], 1, axis=1)

    plant(monkeypatch, move)
    found = posegen.score(built("tf-pose"), source.root)
    assert [row.name for row in found.rows[1:19] if row.is_biased] == ["neck"]
    assert any(problem.startswith("neck: found (") for problem in found.problems)
    row = next(row for row in found.rows if row.name == "neck")
    assert row.bias == pytest.approx((0, 8), abs=0.1)

    def take(found: Arrays) -> None:
        found["heatmap"][:, neck] = found["heatmap"][:, nose]

    monkeypatch.undo()
    plant(monkeypatch, take)
    found = posegen.score(built("tf-pose"), source.root)
    row = next(row for row in found.rows if row.name == "neck")
    assert row.far + row.missed > 20 > row.count


def test_fields_that_changed_places_show(
    source: Coco, built: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = posegen.score(built("coco"), source.root)
    assert all(mean > 0.9 and count == 30 for mean, count in sound.limbs.values())
    assert len(sound.limbs) == 19

    def turn(found: Arrays) -> None:
        found["paf"] = found["paf"].reshape(-1, 19, 2, 46, 46)[:, :, ::-1].reshape(found["paf"].shape)

    plant(monkeypatch, turn)
    found = posegen.score(built("coco"), source.root)
    assert sum(problem.startswith("limb ") for problem in found.problems) == 19
    assert found.coco["AP"] < 0.5

    def exchange(found: Arrays) -> None:
        found["paf"] = found["paf"][:, [*range(4), 6, 7, 4, 5, *range(8, 38)]]

    monkeypatch.undo()
    plant(monkeypatch, exchange)
    found = posegen.score(built("coco"), source.root)
    names = [*sound.limbs][2:4]
    assert [problem.split(":")[0] for problem in found.problems] == [f"limb {name}" for name in names]


def test_who_is_lost_is_named_with_the_cause(make_coco: type[Coco], tmp_path: Path, run: Run) -> None:
    coco = make_coco(tmp_path / "coco", seed=2)
    image = coco.image(400, 100)
    body = np.concatenate([coco.random.uniform((170, 10), (230, 90), (17, 2)), np.full((17, 1), 2)], axis=1)
    whole = coco.person(image, body.ravel().tolist())
    far = body * [1, 1, 1] - [165, 0, 0]
    outside = coco.person(image, far.ravel().tolist())
    apart = body.copy()
    apart[1:16] = 0
    alone = coco.person(image, apart.ravel().tolist())
    few = coco.person(image, [*body[0].tolist(), *[0] * 48])
    coco.write()
    config = BuildConfig.preset("coco", fit="cover", min_keypoints=2)
    posegen.build(coco.root, tmp_path / "out", config, workers=1)
    found = posegen.score(tmp_path / "out", coco.root)
    assert found.people == 4
    assert found.lost == {
        "outside the input": [outside],
        "nothing joins enough of its keypoints": [alone],
        "left out of the dataset": [few],
    }
    assert not any(whole in ids for ids in found.lost.values())
    picture = tmp_path / "worst.png"
    outcome = run("score", tmp_path / "out", "--coco", coco.root, "--save", picture)
    assert f"1 left out of the dataset: annotation {few}" in outcome.out
    drawn = cv2.imread(str(picture))
    assert drawn.shape[1] > 1.9 * drawn.shape[0]
    assert (drawn[:, : drawn.shape[1] // 2] != drawn[:, -(drawn.shape[1] // 2) :]).any()


def test_results_are_scored_instead_of_labels(
    source: Coco, built: Callable[[str], Path], tmp_path: Path, run: Run
) -> None:
    path, file = built("coco"), tmp_path / "results.json"
    right = [
        {"image_id": a["image_id"], "category_id": 1, "keypoints": a["keypoints"], "score": 0.9}
        for a in source.document["annotations"]
    ]
    file.write_text(json.dumps(right))
    found = posegen.score(path, source.root, results=file)
    assert (found.coco["AP"], found.rows[0].rms, found.of) == (1.0, pytest.approx(0, abs=1e-6), str(file))
    for entry in right:
        entry["keypoints"] = [v + 3 * (i % 3 == 0) for i, v in enumerate(entry["keypoints"])]
    file.write_text(json.dumps(right))
    outcome = run("score", path, "--coco", source.root, "--results", file, "--json")
    assert outcome.status == 0
    record = json.loads(outcome.out)
    # 160 image pixels are 368 input pixels.
    assert record["rows"][0]["bias"] == pytest.approx([6.9, 0], abs=1e-6)
    assert record["problems"][0].startswith("all: found (+6.90, ")
    for entry in right[::2]:
        entry["keypoints"] = [v + 80 * (i % 3 == 0) for i, v in enumerate(entry["keypoints"])]
    file.write_text(json.dumps(right))
    found = posegen.score(path, source.root, results=file)
    assert found.coco["AP"] < 0.6
    assert len(found.lost["not found, or mixed with others"]) == 15
    what = "expected COCO results, a list of image_id, 17 keypoints and score"
    short = json.dumps([right[0], right[1] | {"keypoints": [1, 2, 3]}])
    for text, why in (
        ("[{}]", f"{what}; entry 0 has no keypoints"),
        (short, f"{what}; entry 1 is something else: cannot reshape array of size 3 into shape (17,3)"),
        ('["people"]', f"{what}; entry 0 is something else: "),
        ('{"annotations": []}', f"{what}; it holds no list"),
        ("[", f"{what}; it is not JSON: "),
    ):
        file.write_text(text)
        with pytest.raises(ConfigError, match=re.escape(f"{file}: {why}")):
            posegen.score(path, source.root, results=file)
    file.unlink()
    with pytest.raises(ConfigError, match="cannot be read: No such file or directory"):
        posegen.score(path, source.root, results=file)


def test_what_cannot_be_scored_is_said(
    source: Coco, coco: Coco, built: Callable[[str], Path], run: Run, tmp_path: Path
) -> None:
    outcome = run("score", built("udp"))
    assert (outcome.status, "--coco PATH" in outcome.err) == (2, True)
    coco.write()
    posegen.build(coco.root, tmp_path / "bare", BuildConfig(labels=("mask",)), workers=1)
    with pytest.raises(ConfigError, match="mask does not tell where people are; it takes labels"):
        posegen.score(tmp_path / "bare", coco.root)
    with pytest.raises(ConfigError, match="was built from another file"):
        posegen.score(built("udp"), coco.root)


def test_people_are_matched_the_nearest_first_and_never_twice() -> None:
    nan = np.nan
    distance = np.array([[[1.0, nan], [9, 9]], [[0.5, nan], [2, nan]], [[99, nan], [99, 99]]])
    assert match(distance, 20.0) == [(1, 0), (0, 1)]
    assert match(np.zeros((0, 2, 3)), 20.0) == []
