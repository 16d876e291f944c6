"""Datasets of several sources: whose ids and file names repeat, and each sample keeps what is its own."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from builds import shards
from executors import InProcess, Threads

import posegen
from posegen.annotations import read_annotations
from posegen.build.failures import read_failures
from posegen.build.plan import make_plan
from posegen.build.repair import repair
from posegen.config import BuildConfig, Source
from posegen.errors import BuildError, ConfigError
from posegen.images.augment import Augmentation
from posegen.inspect.diff import compare
from posegen.inspect.score import save_score, score
from posegen.inspect.summary import describe
from posegen.inspect.verify import verify
from posegen.loader import PoseDataset
from posegen.shards import ShardReader
from posegen.shards.manifest import Manifest
from posegen.skeleton import COCO_17, Skeleton

if TYPE_CHECKING:
    from conftest import Coco

build = partial(posegen.build, executor=InProcess())

# COCO's people, and toes that one source alone has.
NAMES = (*COCO_17.keypoints, "left_big_toe", "right_big_toe")
SKELETON = Skeleton(name="toes", keypoints=NAMES, limbs=((15, 17), (16, 18), (5, 6)))
CONFIG = BuildConfig(
    skeleton=SKELETON,
    labels=("heatmap", "heatmap_mask", "paf_mask"),
    input_size=(96, 96),
    shard_size=3,
    label_dtype="float32",
    image_encoding="png",
    box_padding=1.0,
)
COLOURS = {"body": (10, 20, 200), "toes": (200, 30, 10)}


def write(coco: Coco, name: str, images: int) -> Path:
    """Write images of one colour a source, with the ids and names that every source has."""
    toes = name == "toes"
    coco.document["categories"][0] |= {"keypoints": [*NAMES[: 19 if toes else 17]], "skeleton": []}
    for i in range(images):
        picture = np.full((80, 80 + 4 * i, 3), COLOURS[name], np.uint8)
        image = coco.image(80 + 4 * i, 80, data=cv2.imencode(".png", picture)[1].tobytes(), name=f"{i}.png")
        coco.person(image, coco.keypoints(80, 80) + ([30, 70, 2, 50, 70, 2] if toes else []))
    return coco.write()


@pytest.fixture
def body(make_coco: type[Coco], tmp_path: Path) -> Path:
    return write(make_coco(tmp_path / "body", seed=1), "body", 4)


@pytest.fixture
def toes(make_coco: type[Coco], tmp_path: Path) -> Path:
    return write(make_coco(tmp_path / "toes", seed=2), "toes", 5)


def read(out: Path) -> list[dict]:
    found = []
    for path in sorted(out.glob("*.h5")):
        with ShardReader(path) as reader:
            for i in range(len(reader)):
                labels = {label.spec.name: reader.label(label, i) for label in reader.labels}
                picture = reader.picture(i).show(reader.config.input_size)
                found.append(reader.sample(i) | labels | {"picture": picture, "key": reader.key(i)})
    return found


def test_ids_and_names_may_repeat_and_each_sample_has_its_own_picture_and_people(
    body: Path, toes: Path, tmp_path: Path
) -> None:
    build([body, toes], tmp_path / "out", CONFIG)
    samples = read(tmp_path / "out")
    assert len({sample["key"] for sample in samples}) == len(samples) == 9
    assert describe(tmp_path / "out")["sources"] == {"body": 4, "toes": 5}
    assert {sample["source"] for sample in samples[:4]} == {"body", "toes"}  # shuffled over all
    for sample in samples:
        source = sample["source"]
        np.testing.assert_array_equal(sample["picture"][48, 48], COLOURS[source][::-1])
        (path,) = ((body if source == "body" else toes) / "annotations").glob("*.json")
        document = json.loads(path.read_text())
        image = next(i for i in document["images"] if i["id"] == sample["image_id"])
        person = next(a for a in document["annotations"] if a["image_id"] == image["id"])
        assert (sample["file_name"], sample["annotation_id"].tolist()) == (image["file_name"], [person["id"]])
        visibility = np.reshape(person["keypoints"], (-1, 3))[:, 2].tolist()
        assert sample["keypoints"][0, :, 2].tolist() == visibility + [0] * (19 - len(visibility))


def test_what_a_source_does_not_label_counts_nowhere_but_there(body: Path, toes: Path, tmp_path: Path) -> None:
    build([body, toes], tmp_path / "out", CONFIG)
    for sample in read(tmp_path / "out"):
        heat, limbs = sample["heatmap_mask"], sample["paf_mask"]
        inside = slice(2, -2)
        if sample["source"] == "body":
            assert sample["unknown"].tolist() == [[0] * 17 + [2, 2]]
            assert not heat[17:19].any()  # of nobody in this picture is it known where the toes are
            assert not limbs[:4].any()
        else:
            assert not sample["unknown"].any()
            assert (heat[17:19, inside, inside] == 1).all()
            assert (limbs[:4, inside, inside] == 1).all()
        assert (heat[:17, inside, inside] == 1).all()
        assert (limbs[4:, inside, inside] == 1).all()


def test_neither_workers_nor_the_order_of_sources_change_a_byte(body: Path, toes: Path, tmp_path: Path) -> None:
    build([body, toes], tmp_path / "one", CONFIG)
    sources = [Source(coco=toes), Source(coco=body / "annotations/person_keypoints_train2017.json", name="body")]
    posegen.build(sources, tmp_path / "two", CONFIG, executor=Threads(2))
    assert shards(tmp_path / "one") == shards(tmp_path / "two")
    manifests = [json.loads((tmp_path / out / "manifest.json").read_text()) for out in ("one", "two")]
    assert manifests[0] == manifests[1]


def test_an_image_keeps_its_place_among_those_of_its_source_whatever_comes_beside_them(
    make_coco: type[Coco], body: Path, toes: Path, tmp_path: Path
) -> None:
    build([body, toes], tmp_path / "two", CONFIG)
    third = write(make_coco(tmp_path / "third", seed=5), "toes", 2)
    build([third, body, toes], tmp_path / "three", CONFIG)
    two, three = ([(s["source"], s["image_id"]) for s in read(tmp_path / out)] for out in ("two", "three"))
    assert [key for key in three if key[0] != "third"] == two


def test_the_manifest_has_the_sha256_of_each_source_and_of_all(body: Path, toes: Path, tmp_path: Path) -> None:
    manifest = build([body, toes], tmp_path / "out", CONFIG)
    for root in (body, toes):
        (path,) = (root / "annotations").glob("*.json")
        assert manifest.source[f"{root.name}.sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
        assert manifest.source[f"{root.name}.annotations"] == path.name
        assert manifest.source[f"{root.name}.images"] == "train2017"
    assert Manifest.read(tmp_path / "out").source == manifest.source
    assert len(manifest.source["sha256"]) == 64


def test_a_dataset_is_verified_and_repaired_with_its_sources(body: Path, toes: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    build([body, toes], out, CONFIG)
    check = partial(verify, out, deep=True, executor=InProcess())
    assert check(coco=[toes, body]) == []
    assert check(coco=[Source(coco=toes, name="whatever"), body]) == []  # known by its sha256
    before = shards(out)
    shard = out / min(before)
    shard.write_bytes(b"damaged")
    assert repair(out, [body, toes], executor=InProcess()) == [shard.name]
    assert shards(out) == before
    for few in (body, [body], [body, toes, Source(coco=body, name="more")]):
        with pytest.raises(ConfigError, match=r"name them all|expected several"):
            check(coco=few)


def test_verification_says_which_source_has_changed(body: Path, toes: Path, tmp_path: Path) -> None:
    build([body, toes], tmp_path / "out", CONFIG)
    (path,) = (toes / "annotations").glob("*.json")
    path.write_text(path.read_text() + " ")
    # However it is called now: by the only name, or the only file, that is not taken.
    for given in ([body, toes], [Source(coco=toes, name="mine"), body], [Source(coco=path, name="aaa"), body]):
        (problem,) = verify(tmp_path / "out", coco=given, executor=InProcess())
        assert problem.what.startswith(f"source 'toes': was built from other annotations than {path}")


def test_sources_that_all_changed_are_known_by_their_files_names(body: Path, toes: Path, tmp_path: Path) -> None:
    paths = []
    for root in (body, toes):
        paths.append(root / "annotations" / f"{root.name}.json")
        (root / "annotations/person_keypoints_train2017.json").rename(paths[-1])
    named = [Source(coco=path, images=path.parents[1] / "train2017", name=f"my {path.stem}") for path in paths]
    build(named, tmp_path / "out", CONFIG)
    for path in paths:
        path.write_text(path.read_text() + " ")
    problems = verify(tmp_path / "out", coco=paths, executor=InProcess())
    assert [problem.what[:18] for problem in problems] == ["source 'my body': ", "source 'my toes': "]


def test_a_dataset_of_one_source_wants_one(body: Path, toes: Path, tmp_path: Path) -> None:
    build(toes, tmp_path / "out", CONFIG)
    with pytest.raises(ConfigError, match="was built from one source, not from 2"):
        verify(tmp_path / "out", coco=[body, toes], executor=InProcess())
    assert "source" not in read(tmp_path / "out")[0]


def test_shards_of_a_source_that_did_not_change_stand(body: Path, toes: Path, tmp_path: Path) -> None:
    config = dataclasses.replace(CONFIG, shard_size=1)
    build([body, toes], tmp_path / "out", config)
    (path,) = (toes / "annotations").glob("*.json")
    document = json.loads(path.read_text())
    document["annotations"][0]["keypoints"][:3] = [1, 2, 2]
    path.write_text(json.dumps(document))
    told: list[str] = []
    build([body, toes], tmp_path / "out", config, notify=told.append)
    assert any("8 of 9 shards stand from an earlier run" in line for line in told)


def test_other_sources_are_other_options(body: Path, toes: Path, tmp_path: Path) -> None:
    build([body, toes], tmp_path / "out", CONFIG)
    with pytest.raises(ConfigError, match="sources"):
        build([body, Source(coco=toes, limit=2)], tmp_path / "out", CONFIG)


def test_samples_that_fail_are_named_with_their_source(body: Path, toes: Path, tmp_path: Path) -> None:
    (toes / "train2017" / "1.png").unlink()
    out = tmp_path / "out"
    with pytest.raises(BuildError, match=r"source toes, image 107: .*toes/train2017/1.png"):
        build([body, toes], out, CONFIG)
    manifest = build([body, toes], out, CONFIG, max_failures=1)
    (failure,) = read_failures(out, manifest)
    assert (failure.key.source, failure.key.image_id) == ("toes", 107)
    assert (manifest.samples, manifest.failures) == (8, 1)


def test_datasets_of_several_sources_are_compared_source_by_source(body: Path, toes: Path, tmp_path: Path) -> None:
    build([body, toes], tmp_path / "a", CONFIG)
    build([body, Source(coco=toes, limit=2)], tmp_path / "b", CONFIG)
    found = compare(tmp_path / "a", tmp_path / "b", executor=InProcess())
    assert (found.samples, len(found.only_a), found.only_b) == (6, 3, ())
    assert found.named_by == ("source", "image")
    assert {key.source for key in found.only_a} == {"toes"}
    assert not [array for array in found.arrays if array.largest]


def test_people_and_views_of_several_sources_are_told_apart(body: Path, toes: Path, tmp_path: Path) -> None:
    config = BuildConfig(
        skeleton=SKELETON,
        labels=("heatmap", "weight"),
        unit="person",
        input_size=(64, 48),
        copies=2,
        augment=Augmentation(rotate=20),
    )
    build([body, toes], tmp_path / "out", config)
    samples = read(tmp_path / "out")
    assert len({sample["key"] for sample in samples}) == 18
    assert {str(sample["key"]) for sample in samples} >= {
        "source body, image 100, person 1000, copy 0",
        "source toes, image 100, person 1000, copy 1",
    }
    assert verify(tmp_path / "out", deep=True, coco=[body, toes], executor=InProcess()) == []


def test_readers_have_the_source_as_a_field(body: Path, toes: Path, tmp_path: Path) -> None:
    build([body, toes], tmp_path / "out", CONFIG)
    dataset = PoseDataset(tmp_path / "out", fields=["image_id", "source"])
    assert sorted(sample["source"] for sample in dataset) == ["body"] * 4 + ["toes"] * 5


def test_several_sources_are_scored_together_each_person_by_its_own_annotations(
    body: Path, toes: Path, tmp_path: Path
) -> None:
    crop = {"unit": "person", "box_padding": 6.0, "input_size": (256, 256), "stride": 2, "sigma_px": 4.0}
    config = dataclasses.replace(CONFIG, labels=("heatmap",), **crop)
    build([body, Source(coco=toes, limit=3)], tmp_path / "out", config)
    found = score(tmp_path / "out", [toes, body])
    assert (found.samples, found.people, found.problems, found.lost) == (7, 7, [], {})
    rows = {row.name: row for row in found.rows}
    # Who has no toes, for its source does not label them, is not held against them.
    assert (rows["left_big_toe"].count, rows["left_big_toe"].missed, rows["all"].missed) == (3, 0, 0)
    save_score(tmp_path / "out", found, tmp_path / "worst.png")
    with pytest.raises(ConfigError, match="expected several: body, toes; name them all"):
        score(tmp_path / "out", body)
    results = tmp_path / "results.json"
    results.write_text("[]")
    with pytest.raises(ConfigError, match="numbers, which several sources of this dataset have"):
        score(tmp_path / "out", [body, toes], results=results)
    # All of the toes' people are somewhere else now; those of the same numbers are not.
    (file,) = toes.rglob("*.json")
    document = json.loads(file.read_text())
    for annotation in document["annotations"]:
        annotation["keypoints"] = [v + 40 * (i % 3 == 0) for i, v in enumerate(annotation["keypoints"])]
    file.write_text(json.dumps(document))
    moved = score(tmp_path / "out", [body, toes])
    (lost,) = moved.lost.values()
    assert len(lost) == 3
    assert all(name.startswith("toes/1") for name in lost)


def test_images_of_one_id_are_seen_differently_in_each_source(body: Path, toes: Path, tmp_path: Path) -> None:
    config = dataclasses.replace(CONFIG, augment=Augmentation(rotate=90), labels=("heatmap",))
    build([body, toes], tmp_path / "out", config)
    views = {(s["source"], s["image_id"]): s["view"].tolist() for s in read(tmp_path / "out")}
    assert views["body", 100] != views["toes", 100]


def test_a_plan_wants_the_sources_that_annotations_are_of(body: Path, toes: Path) -> None:
    with pytest.raises(ConfigError, match="annotations of several sources"):
        make_plan(read_annotations([body, toes], CONFIG), CONFIG)
