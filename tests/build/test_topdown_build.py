"""Datasets of one sample a person, from the annotations to the shards and back."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
from pathlib import Path

import cv2
import h5py
import numpy as np
import pytest
from by_hand import sum_again
from executors import Deadly

import posegen
from posegen.build.pipeline import build
from posegen.build.plan import find_key
from posegen.config import BuildConfig
from posegen.errors import BuildError
from posegen.shards import ShardReader
from posegen.shards.manifest import Manifest

CONFIG = BuildConfig(
    unit="person",
    skeleton=None,
    input_size=(64, 48),
    stride=4,
    labels=("heatmap", "mask"),
    label_dtype="float32",
    image_encoding="png",
    compression="gzip",
    shard_size=3,
)


def read_samples(out: Path) -> list[dict]:
    """All that is known of every sample, with its picture."""
    found = []
    for path in sorted(out.glob("*.h5")):
        with ShardReader(path) as reader:
            for index in range(len(reader)):
                labels = {label.spec.name: reader.label(label, index) for label in reader.labels}
                picture = reader.picture(index).show(reader.config.input_size)[..., ::-1]
                found.append(reader.sample(index) | labels | {"picture": picture})
    return found


def shards(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(out.glob("*.h5"))}


@pytest.fixture(scope="module")
def built(corpus, tmp_path_factory):
    out = tmp_path_factory.mktemp("people") / "out"
    build(corpus.root, out, CONFIG, workers=1)
    return out


def test_each_drawn_person_is_one_sample(corpus, built):
    drawn = {
        (a["image_id"], a["id"])
        for a in corpus.document["annotations"]
        if not a["iscrowd"] and any(v > 0 for v in a["keypoints"][2::3])
    }
    samples = read_samples(built)
    found = [(s["image_id"], *s["annotation_id"].tolist()) for s in samples]
    assert len(found) == len(drawn)
    assert set(found) == drawn


def test_the_affine_is_the_definitions_crop_and_maps_the_keypoints(corpus, built):
    annotations = {a["id"]: a for a in corpus.document["annotations"]}
    for sample in read_samples(built):
        annotation = annotations[int(sample["annotation_id"][0])]
        x, y, w, h = annotation["bbox"]
        right, bottom = min(x + w, sample["width"]), min(y + h, sample["height"])
        x, y = max(x, 0), max(y, 0)
        cx, cy, sw, sh = (x + right) / 2, (y + bottom) / 2, (right - x) * 1.25, (bottom - y) * 1.25
        sw, sh = max(sw, sh * 48 / 64), max(sh, sw * 64 / 48)
        for got, (px, py, v) in zip(
            sample["keypoints"][0], np.reshape(annotation["keypoints"], (-1, 3)).tolist(), strict=True
        ):
            expected = ((px - cx + sw / 2) * 48 / sw, (py - cy + sh / 2) * 64 / sh, v) if v else (0, 0, 0)
            np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-3)


def test_the_picture_is_the_crop_of_the_image(corpus, built):
    sample = next(s for s in read_samples(built) if s["file_name"] == "wide.png")
    image = cv2.imread(str(corpus.images / "wide.png"))
    expected = cv2.warpAffine(image, sample["affine"], (48, 64), flags=cv2.INTER_LINEAR, borderValue=(128,) * 3)
    # OpenCV inverts the map itself here, which may round a value of a pixel the other way.
    assert np.abs(sample["picture"].astype(int) - expected).max() <= 1


def test_neighbours_are_not_drawn(corpus, built):
    """The heatmap is that of the person alone, wherever the others of its image are."""
    for sample in read_samples(built):
        keypoints = sample["keypoints"]
        assert len(keypoints) == 1
        expected = posegen.render_heatmap(
            keypoints[..., :2], keypoints[..., 2] > 0, input_size=(64, 48), stride=4, sigma=8.0
        )
        np.testing.assert_allclose(sample["heatmap"], expected, rtol=0, atol=1e-6)


def test_the_mask_of_a_crop_is_zero_outside_of_the_picture(built):
    for sample in read_samples(built):
        ys, xs = (np.arange(n) * 4 + 1.5 for n in (16, 12))
        back = np.linalg.inv(np.vstack([sample["affine"], [0, 0, 1]]))
        x, y = (back[i, 0] * xs[None] + back[i, 1] * ys[:, None] + back[i, 2] for i in (0, 1))
        # Half a pixel to the picture's edge, two input pixels to the cell's.
        margin = 0.5 + 2.001 * back[0, 0]
        last_x, last_y = sample["width"] - 1, sample["height"] - 1
        outside = (x < -margin) | (y < -margin) | (x > last_x + margin) | (y > last_y + margin)
        assert (sample["mask"][0][outside] == 0).all()


def test_the_bytes_do_not_depend_on_the_workers(corpus, built, tmp_path):
    build(corpus.root, tmp_path / "other", CONFIG, workers=2)
    assert shards(tmp_path / "other") == shards(built)


def test_a_build_goes_on_where_it_stopped(corpus, built, tmp_path):
    out, calls = tmp_path / "other", []

    def stop(done: int, _: int) -> None:
        calls.append(done)
        if done >= 7 > max(calls[:-1], default=0):  # of samples that follow fast progress is told together
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        build(corpus.root, out, CONFIG, workers=1, progress=stop)
    lines: list[str] = []
    build(corpus.root, out, CONFIG, workers=1, notify=lines.append)
    assert any("stand from an earlier run" in line for line in lines)
    assert shards(out) == shards(built)


def test_a_broken_image_fails_each_of_its_people_by_name(make_coco, tmp_path):
    dataset = make_coco(tmp_path / "coco")
    broken, whole = dataset.image(40, 30, data=b"no picture"), dataset.image(40, 30)
    people = [dataset.person(broken), dataset.person(broken), dataset.person(whole)]
    out = tmp_path / "out"
    with pytest.raises(BuildError, match=f"image {broken}, person {people[0]}: .* is not an image"):
        build(dataset.write(), out, CONFIG, workers=1)
    manifest = build(dataset.root, out, CONFIG, workers=1, max_failures=2)
    assert (manifest.samples, manifest.failures) == (1, 2)
    failures = [json.loads(line) for line in (out / "failures.jsonl").read_text().splitlines()]
    assert [(f["image_id"], f["annotation_id"]) for f in failures] == [(broken, people[0]), (broken, people[1])]


def test_a_shard_with_failed_people_is_repaired_to_its_bytes(make_coco, tmp_path):
    dataset = make_coco(tmp_path / "coco")
    broken, whole = dataset.image(40, 30, data=b"no picture"), dataset.image(40, 30)
    for image in (broken, broken, whole):
        dataset.person(image)
    out = tmp_path / "out"
    build(dataset.write(), out, CONFIG, workers=1, max_failures=2)
    (path,) = out.glob("*.h5")
    before = path.read_bytes()
    path.write_bytes(before[:-100])
    assert posegen.repair(out, dataset.root, workers=1) == [path.name]
    assert path.read_bytes() == before


def test_deep_verification_compares_each_person_with_its_own_annotation(corpus, built):
    assert posegen.verify(built, deep=True, coco=corpus.root, workers=1) == []


def test_deep_verification_finds_the_mask_of_another_person(corpus, built, tmp_path):
    copy = shutil.copytree(built, tmp_path / "copy")
    path = copy / Manifest.read(copy).shards[0].file
    with h5py.File(path, "r+") as file:
        masks = file["mask"][:]
        file["mask"][...] = masks[::-1]
    sum_again(path)
    what = [problem.what for problem in posegen.verify(copy, deep=True, coco=corpus.root, workers=1)]
    assert any(text.startswith("mask of sample 0 is not what was annotated") for text in what)


def test_the_picture_of_a_sample_names_the_image_and_the_person(built, run, tmp_path):
    assert run("inspect", built, "--sample", 0, "--save", tmp_path / "x.png").status == 0
    assert cv2.imread(str(tmp_path / "x.png")).shape[0] > 600


def test_people_cannot_be_asked_for_with_empty_images(corpus, run, tmp_path):
    outcome = run("build", "--coco", corpus.root, "--out", tmp_path / "o", "--unit", "person", "--keep-empty")
    assert outcome.status == 2
    assert "keep_empty goes with the unit image" in outcome.err


def test_people_with_few_keypoints_or_a_small_area_are_no_samples(corpus, tmp_path):
    annotations = {a["id"]: a for a in corpus.document["annotations"]}
    config = dataclasses.replace(CONFIG, min_keypoints=10, min_area=2000, labels=("weight",))
    build(corpus.root, tmp_path / "out", config, workers=1)
    found = [int(sample["annotation_id"][0]) for sample in read_samples(tmp_path / "out")]
    expected = [
        key
        for key, a in annotations.items()
        if not a["iscrowd"] and sum(v > 0 for v in a["keypoints"][2::3]) >= 10 and a["area"] >= 2000
    ]
    assert sorted(found) == sorted(expected)
    assert 0 < len(expected) < len(annotations)


def test_several_strides_of_a_sample_are_drawn(corpus, run, tmp_path):
    options = "--preset", "coco", "--input-size", "64x64", "--stride", "4,8", "--workers", 1, "--labels", "heatmap,limb"
    assert run("build", "--coco", corpus.root, "--out", tmp_path / "o", *options).status == 0
    outcome = run("inspect", tmp_path / "o", "--sample", 0, "--save", tmp_path / "x.png", "--sheet", tmp_path / "y.png")
    assert outcome.status == 0
    assert posegen.verify(tmp_path / "o", deep=True, workers=1) == []


def test_a_value_that_cannot_be_is_refused(corpus, run, tmp_path):
    for options, expected in (
        ("--stride 4,7", "a stride of 7 does not divide the input size 368x368"),
        ("--stride 4,four", "stride must be a number or several, as in 4,8, not '4,four'"),
        ("--stride 8,8", "stride must be a number or several different ones"),
        ("--sigma 8 --sigma-cells 1", "sigma must be given in pixels (sigma_px) or in cells (sigma_cells)"),
        ("--preset megvii --sigma-keypoints oks", "megvii blurs with one kernel"),
        ("--unit person --box-padding 0", "box_padding must be a number from 0.1 to 100"),
    ):
        outcome = run("build", "--coco", corpus.root, "--out", tmp_path / "o", *options.split())
        assert outcome.status == 2
        assert expected in outcome.err
        assert not (tmp_path / "o").exists()


def test_a_sigma_replaces_that_in_the_other_unit(corpus, run, tmp_path):
    (tmp_path / "c.toml").write_text("sigma-cells = 1.5\n")
    fixed = "--input-size", "64x64", "--stride", 8, "--labels", "heatmap", "--limit", 1, "--workers", 1
    for number, (options, expected) in enumerate(
        [
            ("--preset msra", (None, 2)),
            ("--preset msra --sigma 6", (6, None)),
            ("--preset msra --sigma-cells 3", (None, 3)),
            ("--config FILE", (None, 1.5)),
            ("--config FILE --sigma 6", (6, None)),
            ("", (8, None)),
        ]
    ):
        words, out = options.replace("FILE", str(tmp_path / "c.toml")).split(), tmp_path / str(number)
        assert run("build", "--coco", corpus.root, "--out", out, *words, *fixed).status == 0
        config = Manifest.read(out).config
        assert (config.sigma_px, config.sigma_cells) == expected


def test_an_image_that_kills_workers_leaves_out_all_its_people_and_nobody_else(corpus, tmp_path):
    deadly = corpus.document["images"][0]["id"]

    def die(task):
        people = enumerate(task.samples)
        return next(
            (i for i, s in people if s.image_id == deadly and find_key(s, CONFIG) not in task.quarantined), None
        )

    out, told = tmp_path / "out", []
    manifest = build(corpus.root, out, CONFIG, executor=Deadly(die), max_failures="50%", notify=told.append)
    failures = [json.loads(line) for line in (out / "failures.jsonl").read_text().splitlines()]
    people = [
        a["id"]
        for a in corpus.document["annotations"]
        if a["image_id"] == deadly and any(v > 0 for v in a["keypoints"][2::3])
    ]
    assert [failure["annotation_id"] for failure in failures] == people
    assert manifest.failures == len(people) > 1
    assert all(sample["image_id"] != deadly for sample in read_samples(out))
    assert sum(line.startswith(f"image {deadly} is left out: ") for line in told) == 1, "all of them at once"
