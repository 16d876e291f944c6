"""Augmented copies: several views of each sample, drawn when the dataset is built."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import h5py
import hdf5plugin  # noqa: F401 (registers the compressor)
import numpy as np
import pytest
from by_hand import show_picture
from conftest import Coco, Run
from each import each

from posegen.build.pipeline import build
from posegen.config import BuildConfig
from posegen.errors import ConfigError
from posegen.images import warp
from posegen.images.augment import Augmentation
from posegen.inspect.diff import compare
from posegen.inspect.verify import verify
from posegen.loader import PoseDataset
from posegen.shards.manifest import Manifest
from posegen.skeleton import COCO_17

USUAL = Augmentation(scale=(0.5, 1.1), rotate=40, shift=40, flip=0.5)
SMALL: dict[str, Any] = {"input_size": (96, 128), "skeleton": COCO_17, "image_encoding": "png", "shard_size": 7}
Make = Callable[..., Path]
OTHER_SIDE = {"left": "right", "right": "left"}

PARTNER = [
    COCO_17.keypoints.index("_".join(OTHER_SIDE.get(part, part) for part in name.split("_")))
    for name in COCO_17.keypoints
]
"""Which keypoint is at a keypoint's place in a mirror, by its name."""


@pytest.fixture(scope="module")
def make(corpus: Coco, tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Build the corpus with some options, small, once for equal options."""
    built: dict[str, Path] = {}

    def make_dataset(workers: int = 1, **options: Any) -> Path:
        key = repr((workers, options))
        if key not in built:
            out = tmp_path_factory.mktemp("views") / "out"
            build(corpus.root, out, BuildConfig(**SMALL | options), workers=workers)
            built[key] = out
        return built[key]

    return make_dataset


def read(directory: Path) -> list[dict[str, Any]]:
    """Read all samples by plain h5py, in the order of the shards."""
    samples = []
    for path in sorted(directory.glob("*.h5")):
        with h5py.File(path) as file:
            people = file["person/offsets"][:]
            for i in range(len(people) - 1):
                who = slice(people[i], people[i + 1])
                sample = {name: file[f"sample/{name}"][i] for name in file["sample"]}
                sample |= {name: file[f"person/{name}"][who] for name in ("keypoints", "bbox", "annotation_id")}
                sample |= {
                    name: file[name][i].astype(np.float64) for name in ("heatmap", "paf", "mask") if name in file
                }
                samples.append(sample | {"picture": show_picture(file, i)[..., ::-1]})
    return samples


def by_key(directory: Path) -> dict[tuple[int, int], dict[str, Any]]:
    return {(int(sample["image_id"]), int(sample.get("copy", 0))): sample for sample in read(directory)}


@pytest.fixture(scope="module")
def views(make: Make) -> dict[tuple[int, int], dict[str, Any]]:
    return by_key(make(copies=3, augment=USUAL, plain_copy=True))


class TestRanges:
    @each(
        "text, expected",
        [
            ("scale=0.5-1.1,rotate=40,shift=40,flip=0.5", USUAL),
            ("flip=.5", Augmentation(flip=0.5)),
            ("scale=0.8, rotate=30", Augmentation(scale=(0.8, 0.8), rotate=30)),
            ("shift=12.5,scale=1-2", Augmentation(scale=(1, 2), shift=12.5)),
        ],
    )
    def test_they_are_read_from_text(self, text: str, expected: Augmentation) -> None:
        assert Augmentation.parse(text) == expected

    @each(
        "text, message",
        [
            ("", "augment is written scale="),
            ("rotat=40", r"not 'rotat=40' \(did you mean 'rotate'\?\)"),
            ("rotate=40,rotate=20", "not 'rotate=20'"),
            ("rotate=-40", "not 'rotate=-40'"),
            ("rotate=20-40", "not 'rotate=20-40'"),
            ("flip", "not 'flip'"),
            ("flip=1.5", "flip must be a number from 0 to 1, not 1.5"),
            ("rotate=181", "rotate must be a number from 0 to 180"),
            ("scale=1.1-0.5", "scale must be a range"),
            ("scale=0-1", "scale must be a range"),
        ],
    )
    def test_what_is_no_range_is_refused(self, text: str, message: str) -> None:
        with pytest.raises(ConfigError, match=message):
            Augmentation.parse(text)

    def test_they_are_part_of_a_stored_configuration(self) -> None:
        config = BuildConfig(copies=3, augment=USUAL, plain_copy=True)
        again = BuildConfig.from_dict(json.loads(json.dumps(config.to_dict())))
        assert again == config
        assert again.digest != dataclasses.replace(config, copies=4).digest

    @each("options, said", [({"copies": 2}, "would all be the same"), ({"plain_copy": True}, "is for views")])
    def test_copies_without_views_are_refused(self, options: dict[str, Any], said: str) -> None:
        with pytest.raises(ConfigError, match=said):
            BuildConfig(**options)

    @each(augment=["flip=0.5", 3, {"flip": 0.5}])
    def test_what_is_no_augmentation_is_refused(self, augment: Any) -> None:
        with pytest.raises(ConfigError, match="augment must be ranges"):
            BuildConfig(augment=augment)

    def test_they_are_options_of_the_command(self, corpus: Coco, tmp_path: Path, run: Run) -> None:
        call = ["build", "--coco", corpus.root, "--out", tmp_path / "out", "--limit", 2, "--workers", 1, "--copies", 2]
        assert run(*call, "--augment", "scale=0.5-1.1,flip=1", "--plain-copy").status == 0
        shown = json.loads(run("inspect", tmp_path / "out", "--json").out)
        assert shown["config"]["augment"] == {"scale": [0.5, 1.1], "rotate": 0, "shift": 0, "flip": 1}
        assert (shown["config"]["copies"], shown["config"]["plain_copy"]) == (2, True)
        assert shown["arrays"]["sample/view"]["shape"] == [2, 5]
        assert run("inspect", tmp_path / "out", "--sample", 1, "--save", tmp_path / "s.png").status == 0
        assert run(*call, "--augment", "spin=1").status == 2


class TestBuild:
    def test_each_image_has_its_copies(self, views: dict[tuple[int, int], dict[str, Any]], make: Make) -> None:
        plain = {image for image, _ in by_key(make())}
        assert set(views) == {(image, copy) for image in plain for copy in range(3)}

    def test_the_plain_copy_is_the_sample_without_views(
        self, views: dict[tuple[int, int], dict[str, Any]], make: Make
    ) -> None:
        for (image, _), sample in by_key(make()).items():
            copy = views[image, 0]
            assert copy["view"].tolist() == [1, 0, 0, 0, 0]
            for name in ("picture", "heatmap", "paf", "mask", "keypoints", "bbox", "affine"):
                np.testing.assert_array_equal(copy[name], sample[name])

    def test_the_map_is_the_plain_one_and_then_the_view(self, views: dict[tuple[int, int], dict[str, Any]]) -> None:
        flips = 0
        for (image, copy), sample in views.items():
            scale, degrees, shift_x, shift_y, flip = sample["view"].tolist()
            turn = np.eye(3)
            turn[:2] = cv2.getRotationMatrix2D((63.5, 47.5), -degrees, scale)
            turn[:2, 2] += shift_x, shift_y
            mirror = np.array([[-1, 0, 127], [0, 1, 0], [0, 0, 1.0]]) if flip else np.eye(3)
            expected = turn @ mirror @ np.vstack([views[image, 0]["affine"], [0, 0, 1]])
            np.testing.assert_allclose(sample["affine"], expected[:2], rtol=0, atol=1e-9)
            assert copy or not flip
            flips += int(flip)
        assert 0 < flips < 16

    def test_points_follow_and_left_and_right_are_swapped_where_it_is_mirrored(
        self, views: dict[tuple[int, int], dict[str, Any]], corpus: Coco
    ) -> None:
        annotated = {entry["id"]: np.reshape(entry["keypoints"], (17, 3)) for entry in corpus.document["annotations"]}
        for sample in views.values():
            matrix = sample["affine"]
            order = PARTNER if sample["view"][4] else range(17)
            for person, found in zip(sample["annotation_id"].tolist(), sample["keypoints"], strict=True):
                x, y, v = annotated[person][list(order)].T
                expected = np.column_stack([*(matrix @ [x, y, np.ones(17)]), v])
                np.testing.assert_allclose(found, np.where(v[:, None] > 0, expected, 0), rtol=0, atol=1e-3)

    def test_a_box_is_the_upright_one_around_the_turned_one(
        self, views: dict[tuple[int, int], dict[str, Any]], corpus: Coco
    ) -> None:
        boxes = {entry["id"]: entry["bbox"] for entry in corpus.document["annotations"]}
        for sample in views.values():
            for person, found in zip(sample["annotation_id"].tolist(), sample["bbox"], strict=True):
                x, y, w, h = boxes[person]
                corners = np.array([[x, x + w, x, x + w], [y, y, y + h, y + h]]) - 0.5
                mapped = sample["affine"][:, :2] @ corners + sample["affine"][:, 2:] + 0.5
                expected = [*mapped.min(axis=1), *np.ptp(mapped, axis=1)]
                np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-3)

    def test_a_mirrored_sample_has_mirrored_labels(self, make: Make) -> None:
        plain, mirrored = by_key(make()), by_key(make(augment=Augmentation(flip=1.0)))
        for key, sample in mirrored.items():
            expected = plain[key]["heatmap"][[*PARTNER, 17], :, ::-1]
            # Where a Gaussian is cut, int() is not the same from both sides.
            np.testing.assert_allclose(sample["heatmap"], expected, rtol=0, atol=0.011)
            np.testing.assert_allclose(sample["mask"], plain[key]["mask"][..., ::-1], rtol=0, atol=1e-3)

    def test_a_picture_shows_a_keypoint_where_it_is_said_to_be(self, tmp_path: Path) -> None:
        coco = Coco(tmp_path / "coco")
        picture = np.zeros((240, 320, 3), np.uint8)
        cv2.circle(picture, (150, 100), 9, (255, 255, 255), cv2.FILLED)
        written, data = cv2.imencode(".png", picture)
        assert written
        coco.person(coco.image(320, 240, "dot.png", data=data.tobytes()), [150, 100, 2] + [0] * 48)
        ranges = Augmentation(scale=(0.6, 1.2), rotate=180, shift=10, flip=0.5)
        config = BuildConfig(**SMALL | {"copies": 12, "augment": ranges, "labels": ("heatmap",)})
        build(coco.write(), tmp_path / "out", config, workers=1)
        for sample in read(tmp_path / "out"):
            light = sample["picture"][..., 0].astype(float)
            light[light == warp.PADDING] = 0  # the frame's edge mixes padding and black
            light[light < 150] = 0
            rows, columns = np.mgrid[:96, :128]
            found = (light * columns).sum() / light.sum(), (light * rows).sum() / light.sum()
            np.testing.assert_allclose(found, sample["keypoints"][0, 0, :2], rtol=0, atol=0.25)

    def test_the_mask_follows(self, tmp_path: Path) -> None:
        coco = Coco(tmp_path / "coco")
        image = coco.image(320, 240)
        coco.person(image, segmentation=[], bbox=None)
        ignored = [[40.0, 50.0, 200.0, 30.0, 220.0, 180.0]]
        coco.person(image, [0] * 51, segmentation=ignored)
        config = BuildConfig(**SMALL | {"copies": 6, "augment": USUAL, "labels": ("mask",)})
        build(coco.write(), tmp_path / "out", config, workers=1)
        counts = np.full((240 * 4, 320 * 4), 255, np.uint8)
        cv2.fillPoly(counts, [np.array(ignored).reshape(-1, 2).round().astype(int) * 4], 0)
        for sample in read(tmp_path / "out"):
            fine = np.vstack([sample["affine"], [0, 0, 1]])
            # Of both, a pixel x becomes 4 x + 1.5: edges stay edges.
            enlarge = np.array([[4, 0, 1.5], [0, 4, 1.5], [0, 0, 1]])
            matrix = (enlarge @ fine @ np.linalg.inv(enlarge))[:2]
            shown = cv2.warpAffine(counts, matrix, (128 * 4, 96 * 4), flags=cv2.INTER_LINEAR, borderValue=0)
            expected = shown.reshape(12, 32, 16, 32).mean(axis=(1, 3)) / 255
            difference = np.abs(sample["mask"][0] - expected)
            assert difference.max() < 0.08
            assert difference.mean() < 0.01

    def test_copies_of_an_image_are_not_side_by_side(self, make: Make) -> None:
        order = [int(sample["image_id"]) for sample in read(make(copies=3, augment=USUAL, plain_copy=True))]
        together = sum(a == b for a, b in itertools.pairwise(order))
        assert together < len(order) / 3

    def test_more_copies_leave_those_there_are_as_they_are(self, make: Make) -> None:
        found = compare(make(copies=2, augment=USUAL), make(copies=3, augment=USUAL), workers=1)
        assert found.named_by == ("image", "copy")
        assert (found.samples, found.only_a, len(found.only_b)) == (16, (), 8)
        assert all(array.largest == 0 for array in found.arrays)

    def test_another_seed_draws_other_views(self, make: Make) -> None:
        found = compare(make(copies=2, augment=USUAL), make(copies=2, augment=USUAL, seed=1), workers=1)
        affine = next(array for array in found.arrays if array.array == "affine")
        assert affine.samples == 16

    def test_workers_change_no_byte(self, make: Make) -> None:
        one, two = (make(workers=n, copies=3, augment=USUAL, plain_copy=True) for n in (1, 2))
        files = sorted(path.name for path in one.glob("*.h5"))
        assert len(files) == 4
        assert all((one / name).read_bytes() == (two / name).read_bytes() for name in files)

    @each(options=[{}, {"unit": "person", "sigma_scale": "area"}])
    def test_labels_are_verified_as_they_were_drawn(self, make: Make, corpus: Coco, options: dict[str, Any]) -> None:
        labels = ("heatmap", "paf", "mask", "limb", "offset", "center")
        out = make(copies=2, augment=USUAL, labels=labels, **options)
        assert verify(out, deep=True, workers=1) == []
        assert verify(out, deep=True, coco=corpus.root, workers=1) == []

    def test_each_persons_view_is_its_own(self, make: Make) -> None:
        people = read(make(copies=2, augment=USUAL, unit="person"))
        views = {tuple(sample["view"]) for sample in people}
        assert len(views) == len(people)
        assert len({(int(s["image_id"]), int(s["annotation_id"][0]), int(s["copy"])) for s in people}) == len(people)

    def test_the_limit_counts_copies(self, make: Make) -> None:
        everything = read(make(copies=3, augment=USUAL, plain_copy=True))
        first = read(make(copies=3, augment=USUAL, plain_copy=True, limit=5))
        keys = [[(int(s["image_id"]), int(s["copy"])) for s in samples] for samples in (everything, first)]
        assert keys[1] == keys[0][:5]

    def test_images_that_keep_no_copy_are_counted_as_left_out(self, make: Make) -> None:
        out = make(copies=3, augment=USUAL, plain_copy=True, limit=5)
        left = {int(sample["image_id"]) for sample in read(out)}
        audit = Manifest.read(out).audit
        assert audit["left_out"]["beyond the limit"] == 8 - len(left)

    def test_a_picture_that_fails_is_counted_once_a_copy(self, tmp_path: Path) -> None:
        coco = Coco(tmp_path / "coco")
        coco.person(coco.image(60, 40))
        bad = coco.image(60, 40, data=b"no picture")
        coco.person(bad)
        config = BuildConfig(**SMALL | {"copies": 3, "augment": USUAL})
        manifest = build(coco.write(), tmp_path / "out", config, workers=1, max_failures=3)
        assert (manifest.samples, manifest.failures) == (3, 3)
        lines = [json.loads(line) for line in (tmp_path / "out" / "failures.jsonl").read_text().splitlines()]
        assert [(line["image_id"], line["copy"]) for line in lines] == [(bad, 0), (bad, 1), (bad, 2)]

    def test_training_reads_which_copy_a_sample_is_and_how_it_is_seen(self, make: Make) -> None:
        out = make(copies=3, augment=USUAL, plain_copy=True)
        data = PoseDataset(out, fields=["image_id", "copy", "view"])
        batch = data.batch(range(len(data)))
        assert data[3]["view"].shape == (5,)
        data.close()
        for i, sample in enumerate(read(out)):
            assert (batch["image_id"][i], batch["copy"][i]) == (sample["image_id"], sample["copy"])
            np.testing.assert_array_equal(batch["view"][i], sample["view"])
        assert not {"copy", "view"} & set(PoseDataset(make()).fields)
