"""The doctor of annotations: planted errors are found, what is right is left alone, what is certain is put right."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
from conftest import KEYPOINTS

from posegen.bench.suspects import measure_suspects
from posegen.errors import ConfigError
from posegen.inspect.doctor import Examination, examine, write_mended
from posegen.synthetic import write_sample_coco

if TYPE_CHECKING:
    from conftest import Run

LEFT = [k for k, name in enumerate(KEYPOINTS) if name.startswith("left_")]
PAIRS = [(k, KEYPOINTS.index(KEYPOINTS[k].replace("left", "right"))) for k in LEFT]

Document = dict[str, Any]


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sample_coco(tmp_path_factory.mktemp("doctor") / "sample", images=40, seed=3)


@pytest.fixture(scope="module")
def original(sample: Path) -> Document:
    return dict(json.loads(next((sample / "annotations").iterdir()).read_text()))


def points_of(entry: Document) -> np.ndarray[Any, Any]:
    return np.array(entry["keypoints"], float).reshape(-1, 3)


def put(entry: Document, points: np.ndarray[Any, Any]) -> None:
    entry["keypoints"] = [int(v) if v == int(v) else v for v in points.ravel().tolist()]
    entry["num_keypoints"] = int((points[:, 2] > 0).sum())


def plain_people(document: Document, least: int = 14) -> list[Document]:
    """People of whom nearly all is labelled, and whose whole face is seen."""
    return [
        e
        for e in document["annotations"]
        if (points_of(e)[:, 2] > 0).sum() >= least and (points_of(e)[:3, 2] == 2).all()
    ]


def write(document: Document, directory: Path) -> Path:
    path = directory / "spoilt.json"
    path.write_text(json.dumps(document))
    return path


def ids(found: Examination, kind: Any) -> set[int | None]:
    return {suspicion.annotation_id for suspicion in found.of(kind)}


def test_what_is_right_is_left_alone(sample: Path) -> None:
    found = examine(sample)
    assert found.people > 80
    assert found.pictures == found.images > 25
    assert len(found.suspicions) <= 0.02 * found.people
    assert not any(suspicion.mend for suspicion in found.suspicions)


def test_people_whose_sides_are_swapped_are_found_and_swapped_back(original: Document, tmp_path: Path) -> None:
    spoilt = copy.deepcopy(original)
    chosen = [e for e in plain_people(spoilt) if np.ptp(points_of(e)[:3, :2], axis=0).min() >= 4][::6]
    for entry in chosen:
        points = points_of(entry)
        for left, right in PAIRS:
            points[[left, right]] = points[[right, left]]
        put(entry, points)
    assert len(chosen) >= 3
    path = write(spoilt, tmp_path)
    found = examine(path)
    wanted = {entry["id"] for entry in chosen}
    assert ids(found, "sides") <= wanted
    assert len(ids(found, "sides")) >= 0.8 * len(wanted)
    mended = {s.annotation_id for s in found.suspicions if s.mend}
    assert mended <= wanted
    assert mended
    changes = write_mended(path, tmp_path / "mended.json", found.suspicions)
    after = json.loads((tmp_path / "mended.json").read_text())
    assert after["mended"] == changes
    assert len(changes) == len(mended)
    before = {e["id"]: e for e in original["annotations"]}
    left = {e["id"]: e for e in spoilt["annotations"]}
    for entry in after["annotations"]:
        expected = before if entry["id"] in mended else left
        assert points_of(entry).tolist() == points_of(expected[entry["id"]]).tolist()
    assert after["images"] == original["images"]


def test_arms_that_are_swapped_are_named(original: Document, tmp_path: Path) -> None:
    spoilt = copy.deepcopy(original)
    elbows = (KEYPOINTS.index("left_elbow"), KEYPOINTS.index("right_elbow"))
    chosen = [e for e in plain_people(spoilt) if points_of(e)[list(elbows), 2].all()][::8]
    for entry in chosen:
        points = points_of(entry)
        points[list(elbows)] = points[list(elbows[::-1])]
        put(entry, points)
    found = examine(write(spoilt, tmp_path))
    named = {s.annotation_id for s in found.of("sides") if set(s.keypoints) == set(elbows)}
    assert len(named & {e["id"] for e in chosen}) >= 0.6 * len(chosen)


def test_people_who_are_there_twice_are_kept_once(original: Document, tmp_path: Path) -> None:
    spoilt = copy.deepcopy(original)
    same, alike = (copy.deepcopy(entry) for entry in plain_people(spoilt)[:2])
    same["id"], alike["id"] = 900001, 900002
    points = points_of(alike)
    points[points[:, 2] > 0, :2] += 0.012 * np.sqrt(alike["bbox"][2] * alike["bbox"][3])
    put(alike, points)
    spoilt["annotations"] += [same, alike]
    path = write(spoilt, tmp_path)
    found = examine(path)
    others = {s.annotation_id: s.other for s in found.of("twice")}
    pairs = [{same["id"], plain_people(original)[0]["id"]}, {alike["id"], plain_people(original)[1]["id"]}]
    assert all({a, b} in pairs for a, b in others.items())
    assert len(others) == 2
    write_mended(path, tmp_path / "mended.json", found.suspicions)
    after = json.loads((tmp_path / "mended.json").read_text())["annotations"]
    assert sorted(set(map(str, spoilt["annotations"])) - set(map(str, after))) != []
    assert len(spoilt["annotations"]) - len(after) in {1, 2}
    kept = [e for e in after if points_of(e).tolist() == points_of(same).tolist() and e["image_id"] == same["image_id"]]
    assert len(kept) == 1


def test_a_point_somewhere_else_and_a_person_beside_the_box(original: Document, tmp_path: Path) -> None:
    spoilt = copy.deepcopy(original)
    moved, stretched = plain_people(spoilt)[:2]
    points = points_of(moved)
    points[points[:, 2] > 0, 0] += moved["bbox"][2]
    put(moved, points)
    points = points_of(stretched)
    wrist = int(np.flatnonzero(points[:, 2] > 0)[-1])
    points[wrist, :2] += 1.1 * np.array(stretched["bbox"][2:])
    put(stretched, points)
    found = examine(write(spoilt, tmp_path))
    assert moved["id"] in ids(found, "outside")
    assert stretched["id"] in ids(found, "limbs")
    assert wrist in next(s for s in found.of("limbs") if s.annotation_id == stretched["id"]).keypoints


def test_visible_points_far_outside_the_outline(original: Document, tmp_path: Path) -> None:
    spoilt = copy.deepcopy(original)
    entry = plain_people(spoilt)[0]
    x, y, w, h = entry["bbox"]
    entry["segmentation"] = [[x, y, x + w, y, x + w, y + 0.2 * h, x, y + 0.2 * h]]
    mask = np.zeros((next(i for i in spoilt["images"] if i["id"] == entry["image_id"])["height"], 1), np.uint8)
    assert len(mask) > y + h - 2
    path = write(spoilt, tmp_path)
    assert entry["id"] in ids(examine(path), "outside")


def test_visibility_that_is_misused(original: Document, tmp_path: Path) -> None:
    spoilt = copy.deepcopy(original)
    origin, beyond, placed = plain_people(spoilt)[:3]
    width = next(i for i in spoilt["images"] if i["id"] == beyond["image_id"])["width"]
    for entry, value in ((origin, (0, 0, 2)), (beyond, (width + 9, 20, 2)), (placed, (30, 30, 0))):
        points = points_of(entry)
        points[9] = value
        put(entry, points)
    path = write(spoilt, tmp_path)
    found = examine(path)
    assert ids(found, "visibility") == {origin["id"], beyond["id"], placed["id"]}
    assert [s.annotation_id for s in found.suspicions if s.mend] == [origin["id"]]
    assert write_mended(path, tmp_path / "mended.json", found.suspicions) == [
        f"annotation {origin['id']}: no longer labelled: left_wrist"
    ]
    after = {e["id"]: e for e in json.loads((tmp_path / "mended.json").read_text())["annotations"]}
    assert points_of(after[origin["id"]])[9].tolist() == [0, 0, 0]
    assert after[origin["id"]]["num_keypoints"] == origin["num_keypoints"] - 1


class TestPictures:
    @pytest.fixture
    def scenes(self, sample: Path) -> list[np.ndarray[Any, Any]]:
        names = sorted(p for p in (sample / "train2017").iterdir() if p.suffix == ".jpg")
        return [cv2.imread(str(p)) for p in names[:6]]

    def test_the_same_file_a_smaller_one_and_one_in_a_mirror(
        self, make_coco: Any, tmp_path: Path, scenes: list[np.ndarray[Any, Any]]
    ) -> None:
        coco = make_coco(tmp_path / "coco")

        def add(picture: np.ndarray[Any, Any], quality: int = 90) -> int:
            data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
            number = coco.image(picture.shape[1], picture.shape[0], data=data)
            coco.person(number)
            return int(number)

        first = [add(scene) for scene in scenes]
        same = add(scenes[0])
        small = add(cv2.convertScaleAbs(cv2.resize(scenes[1], None, fx=0.6, fy=0.6), alpha=0.9, beta=10), 60)
        mirrored = add(np.ascontiguousarray(scenes[2][:, ::-1]))
        flat = [add(np.full((60, 80, 3), value, np.uint8)) for value in (90, 140)]
        coco.write()
        found = {s.image_id: (s.other, s.says.split(" 0")[0]) for s in examine(coco.root).of("pictures")}
        assert found == {
            same: (first[0], "is the same file as"),
            small: (first[1], "looks like"),
            mirrored: (first[2], "looks in a mirror like"),
        }
        assert not set(flat) & set(found)

    def test_two_splits_that_share_some(
        self, make_coco: Any, tmp_path: Path, scenes: list[np.ndarray[Any, Any]]
    ) -> None:
        numbers: dict[str, list[int]] = {}
        for split, some in (("train", scenes[:4]), ("val", scenes[3:])):
            coco = make_coco(tmp_path / split)
            numbers[split] = [
                coco.image(*s.shape[1::-1], data=cv2.imencode(".png", s)[1].tobytes(), name=f"{i}.png")
                for i, s in enumerate(some)
            ]
            for number in numbers[split]:
                coco.person(number)
            coco.write()
        found = examine(tmp_path / "train", against=tmp_path / "val").of("pictures")
        assert [(s.image_id, s.other) for s in found] == [(numbers["train"][3], numbers["val"][0])]
        assert found[0].says.endswith("of the other dataset")


def test_the_command_prints_draws_and_mends(original: Document, sample: Path, tmp_path: Path, run: Run) -> None:
    spoilt = copy.deepcopy(original)
    points = points_of(plain_people(spoilt)[0])
    points[9] = (0, 0, 1)
    put(plain_people(spoilt)[0], points)
    path, sheet, mended = write(spoilt, tmp_path), tmp_path / "sheet.png", tmp_path / "mended.json"
    where = (path, "--images", sample / "train2017", "--suspects")
    outcome = run("audit", *where, "--sheet", sheet, "--fix", mended)
    assert outcome.status == 0, outcome.err
    assert "1 visibility misused, 1 of them certain" in outcome.out
    assert f"\n\nlook at: {sheet}\n\n{mended}: 1 change\n" in outcome.out
    assert cv2.imread(str(sheet)).shape[1] > 300
    none = run("audit", mended, *where[1:], "--sheet", tmp_path / "none.png", "--fix", tmp_path / "again.json").out
    assert f"\n{tmp_path}/none.png is not drawn: nothing is suspicious\n\n{tmp_path}/again.json: 0 changes\n" in none
    assert not (tmp_path / "none.png").exists()
    assert run("audit", mended, "--images", sample / "train2017").status == 0
    report = json.loads(run("audit", *where, "--json").out)["suspects"]
    assert report["counts"]["visibility"] == 1
    assert report["suspicions"][0]["mend"] == {"what": "unlabelled", "keypoints": [9]}
    for wrong in (("--sheet", sheet), ("--fix", mended), ("--against", path)):
        assert run("audit", path, *wrong).status == 2
    for target, why in (
        (path, "is the file that is corrected"),
        (sheet, "is another kind of file, which is not replaced"),
        (tmp_path / "no" / "mended.json", "there is no directory .*no; create it first"),
    ):
        with pytest.raises(ConfigError, match=why):
            write_mended(path, target, [])


def test_the_measurement_counts_what_was_planted(sample: Path, tmp_path: Path) -> None:
    from posegen.annotations import CocoPaths

    annotations = next((sample / "annotations").iterdir())
    found = measure_suspects(
        CocoPaths(annotations=annotations, images=sample / "train2017"), tmp_path, 1, lambda _: None
    )
    rows = {row["kind"]: row for row in found["rows"]}
    assert all(row["planted"] == 3 and row["right"] <= row["suspected"] for row in rows.values())
    assert all(0 <= row["found"] + row["otherwise"] <= 3 for row in rows.values())
    # A keypoint that is put far away lies beside the body, or outside of the image: one or the other is noticed.
    assert rows["limbs"]["found"] + rows["limbs"]["otherwise"] == 3
    assert all(rows[kind]["recall"] == 1 for kind in ("twice", "pictures", "visibility", "outside"))
    assert all(rows[kind]["precision"] >= 0.6 for kind in rows if rows[kind]["suspected"])
    assert not list(tmp_path.iterdir())
