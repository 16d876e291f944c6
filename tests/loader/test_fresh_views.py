"""Fresh views of a dataset are those that a dataset has that was built with them."""

from __future__ import annotations

import dataclasses
import multiprocessing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Coco, Install
from datasets_read import digest, send_digest

from posegen.build.pipeline import build
from posegen.config import BuildConfig
from posegen.errors import ConfigError
from posegen.images.augment import Augmentation, View
from posegen.loader import PoseDataset
from posegen.shards.manifest import Manifest
from posegen.shards.pool import ShardPool
from posegen.skeleton import COCO_17, OPENPOSE_18

USUAL = Augmentation(scale=(0.5, 1.1), rotate=40, shift=40, flip=0.5)
SMALL: dict[str, Any] = {"skeleton": COCO_17, "image_encoding": "png", "shard_size": 3, "label_dtype": "float32"}
PLAIN = {"keypoints", "bbox", "affine", "image_id", "annotation_id", "file_name", "width", "height"}
Make = Callable[..., Path]


@pytest.fixture(scope="module")
def make(corpus: Coco, tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Build the corpus with a preset and some options, once for equal ones."""
    built: dict[str, Path] = {}

    def make_dataset(preset: str = "coco", **options: Any) -> Path:
        key = repr((preset, sorted(options.items(), key=repr)))
        if key not in built:
            out = tmp_path_factory.mktemp("views") / "out"
            build(corpus.root, out, BuildConfig.preset(preset, **{**SMALL, **options}), workers=1)
            built[key] = out
        return built[key]

    return make_dataset


def identity(sample: dict[str, Any]) -> tuple[Any, ...]:
    return sample["image_id"], *sample["annotation_id"].tolist()


def pair(make: Make, preset: str, reading: dict[str, Any] | None = None, **options: Any) -> list[tuple[Any, Any]]:
    """Pair each sample of a dataset built with views with the same view of the plain dataset."""
    built = list(PoseDataset(make(preset, copies=2, augment=USUAL, **options)))
    plain = make(preset, **options)
    numbers = {identity(sample): i for i, sample in enumerate(PoseDataset(plain, fields=["image_id", "annotation_id"]))}
    keys = {number: key for key, number in numbers.items()}
    stored = {(sample["copy"], identity(sample)): sample["view"] for sample in built}

    def find_view(epoch: int, number: int) -> View:
        scale, rotation, x, y, flip = stored[epoch, keys[number]].tolist()
        return View(scale=scale, rotation=rotation, shift=(x, y), flip=bool(flip))

    data = PoseDataset(plain, views=find_view, **(reading or {}))
    pairs = []
    for epoch in (0, 1):
        data.epoch = epoch
        batch = data.batch(range(len(data)))
        assert len(numbers) * 2 == len(built)
        of_copy = {identity(sample): sample for sample in built if sample["copy"] == epoch}
        for key, number in numbers.items():
            pairs.append((of_copy[key], {name: values[number] for name, values in batch.items()}))
    assert {bool(sample["view"][4]) for sample, _ in pairs} == {True, False}
    return pairs


def compare(pairs: list[tuple[Any, Any]], mask: float = 1 / 8) -> set[str]:
    """Compare all but pictures; return the names of what was compared."""
    names = set(pairs[0][1]) - {"image"}
    for built, seen in pairs:
        for name in names:
            a, b = built[name], seen[name]
            if "mask" in name:
                assert np.abs(a - b).max() <= mask, name
            elif isinstance(a, (str, int)):
                assert a == b
            elif name in PLAIN:
                np.testing.assert_array_equal(a, b, name)
            else:
                np.testing.assert_allclose(b, a, rtol=0, atol=1e-6, err_msg=name)
    return names


class TestEquality:
    def test_labels_people_and_maps_are_those_of_a_build(self, make: Make) -> None:
        every = ("heatmap", "paf", "mask", "offset", "center", "limb", "weight")
        pairs = pair(make, "coco", input_size=(184, 240), labels=every)
        assert compare(pairs) > {"heatmap", "paf", "mask", "limb", "weight"} | PLAIN

    def test_masks_have_no_bias(self, make: Make) -> None:
        pairs = pair(make, "coco", input_size=(184, 240), labels=("mask",))
        differences = np.array([(built["mask"] - seen["mask"]).mean() for built, seen in pairs])
        assert 0.05 < np.mean([built["mask"].mean() for built, _ in pairs]) < 0.95
        assert np.abs(differences).max() < 0.01

    def test_every_preset_can_be_seen(self, make: Make) -> None:
        for preset in ("tf-pose", "openpose", "msra", "msra-unbiased", "udp", "megvii"):
            size = (128, 128) if preset in {"tf-pose", "openpose"} else (128, 96)
            names = compare(pair(make, preset, input_size=size))
            assert any(name.startswith("heatmap") for name in names), preset

    def test_tables_indices_and_composite_fields_are_drawn_anew(self, make: Make) -> None:
        # Boxes of what is ignored are not stored: what depends on them is near, and what does not is the same.
        boxes = {f"centernet_{part}" for part in ("hm", "wh", "reg", "ind", "left_out")}
        labels, known = ("centernet", "cif", "caf", "keypoint_indices"), 0
        for built, seen in pair(make, "centernet", input_size=(96, 96), stride=8, labels=labels):
            for name in set(seen) - PLAIN - {"image"}:
                a, b = built[name], seen[name]
                if name in {"cif", "caf"}:
                    both = np.repeat(~np.isnan(a[:, :1] + b[:, :1]), a.shape[1], axis=1)
                    known += int(both.sum())
                    a, b = a[both], b[both]
                if name in boxes:
                    people = min(len(built["keypoints"]), 32)
                    a, b = (a, b) if name == "centernet_hm" else (a[:people], b[:people])
                    assert np.mean(np.abs(a - b) > 1e-5) < 0.05, name
                else:
                    np.testing.assert_allclose(b, a, rtol=0, atol=2e-5, err_msg=name)
        assert known > 1000
        path, fields = make("centernet", input_size=(96, 96), stride=8, labels=labels), ["keypoint_indices"]
        values, stored = (PoseDataset(path, views=USUAL, seed=1, fields=fields, raw=raw) for raw in (False, True))
        for one, other in zip(values, stored, strict=True):
            assert str(other["keypoint_indices"].dtype) == stored.fields["keypoint_indices"].dtype
            np.testing.assert_array_equal(
                one["keypoint_indices"], other["keypoint_indices"] * stored.scales["keypoint_indices"]
            )

    def test_masks_by_channel_know_what_is_unknown(self, make: Make) -> None:
        labels = ("heatmap", "heatmap_mask", "paf_mask")
        # Of the corpus both shoulders are always labelled, but not both hips.
        parents = tuple(("left_hip", "right_hip") if len(of) > 1 else of for of in OPENPOSE_18.parents)
        skeleton = dataclasses.replace(OPENPOSE_18, parents=parents)
        pairs = pair(make, "openpose", input_size=(128, 128), skeleton=skeleton, labels=labels)
        assert compare(pairs) > {*labels, "unknown"}
        assert any(seen["unknown"].any() for _, seen in pairs)

    def test_several_strides_other_layouts_and_stored_values(self, make: Make) -> None:
        pairs = pair(make, "coco", input_size=(96, 128), stride=(4, 8), layout="hwc")
        assert compare(pairs, 1 / 4) > {"heatmap_s4", "heatmap_s8", "mask_s8"}
        of_bytes = pair(make, "coco", {"raw": True}, input_size=(96, 128), label_dtype="uint8", labels=("heatmap",))
        for built, seen in of_bytes:
            assert seen["heatmap"].dtype == np.uint8
            # What is stored was rounded once more when it was read as values.
            assert np.abs(built["heatmap"] * 255 - seen["heatmap"]).max() <= 1

    def test_gaussians_that_follow_the_person_do(self, make: Make) -> None:
        compare(pair(make, "coco", input_size=(96, 128), sigma_scale="area", sigma_keypoints="oks"))


class TestPictures:
    def test_they_are_what_a_build_shows(self, make: Make) -> None:
        # A build warps the original picture, a reader what is stored of it: smooth ones come out alike.
        for options in ({}, {"picture_size": (368, 480)}, {"image_encoding": "raw"}):
            pairs = pair(make, "coco", input_size=(184, 240), **options)
            off = [np.abs(built["image"].astype(float) - seen["image"]).mean() for built, seen in pairs]
            assert np.median(off) < 4, options
            assert max(off) < 16, options

    def test_a_view_of_nothing_but_a_move_moves_pixels(self, make: Make) -> None:
        path = make("coco", input_size=(96, 128))
        views = {(0, number): View(shift=(7, -3), flip=number % 2 == 1) for number in range(8)}
        seen = PoseDataset(path, views=lambda epoch, number: views[epoch, number])
        for number, (plain, moved) in enumerate(zip(PoseDataset(path), seen, strict=True)):
            expected = np.full_like(plain["image"], 128)
            picture = plain["image"][:, ::-1] if number % 2 else plain["image"]
            expected[:-3, 7:] = picture[3:, :-7]
            np.testing.assert_array_equal(moved["image"], expected)

    def test_they_are_the_same_with_and_without_a_mask(self, make: Make) -> None:
        path = make("coco", input_size=(96, 128))
        whole = PoseDataset(path, views=USUAL, seed=1).batch(range(8))
        for name in ("image", "mask", "heatmap"):
            alone = PoseDataset(path, views=USUAL, seed=1, fields=[name]).batch(range(8))
            assert list(alone) == [name]
            np.testing.assert_array_equal(alone[name], whole[name])


class TestChance:
    def test_a_seed_an_epoch_and_a_number_decide(self, make: Make) -> None:
        path = make("coco", input_size=(96, 128))

        def read(epoch: int, seed: int | None, order: Any = range(8), views: Any = USUAL) -> Any:
            data = PoseDataset(path, views=views, seed=seed, fields=["affine"])
            data.epoch = epoch
            return data.batch(order)["affine"]

        first = read(0, 5)
        for views in ("scale=0.5-1.1,rotate=40,shift=40,flip=0.5",
                      {"scale": [0.5, 1.1], "rotate": 40, "shift": 40, "flip": 0.5}):  # fmt: skip
            np.testing.assert_array_equal(read(0, 5, views=views), first)
        np.testing.assert_array_equal(read(0, 5, [6, -7, 6]), first[[6, 1, 6]])
        for other in (read(1, 5), read(0, 6), read(0, None), read(0, None)):
            assert (np.abs(other - first).max(axis=(1, 2)) > 0).all()

    def test_views_are_these_whatever_draws_them(self, make: Make) -> None:
        data = PoseDataset(make("coco", input_size=(96, 128)), views=USUAL, seed=5, fields=["affine"])
        plain = PoseDataset(data.path, fields=["affine"])
        for epoch, pinned in ((0, PINNED[0]), (2, PINNED[1])):
            data.epoch = epoch
            before, after = (np.vstack([d[3]["affine"], [0, 0, 1]]) for d in (plain, data))
            found = (after @ np.linalg.inv(before))[:2]
            # NumPy's generator of seed, epoch and number: scale, degrees, shift along x and y, and whether mirrored.
            scale, angle, x, y, flip = np.random.default_rng([5, epoch, 3]).random(5)
            turn = np.radians((2 * angle - 1) * 40)
            linear = (0.5 + 0.6 * scale) * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
            linear[:, 0] *= -1 if flip < 0.5 else 1
            middle = np.array([63.5, 47.5])
            shift = middle + 80 * np.array([x, y]) - 40 - linear @ middle
            np.testing.assert_allclose(found, np.column_stack([linear, shift]), atol=1e-9)
            np.testing.assert_allclose(found, pinned, atol=1e-4)

    def test_samples_are_the_same_one_by_one(self, make: Make) -> None:
        data = PoseDataset(make("coco", input_size=(96, 128)), views=USUAL, seed=2)
        batch = data[:]
        for i in range(8):
            for name, value in data[i].items():
                np.testing.assert_array_equal(value, batch[name][i], name)

    @pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
    def test_other_processes_see_the_same(self, make: Make) -> None:
        data = PoseDataset(make("coco", input_size=(96, 128)), views=USUAL, seed=2)
        expected = digest(data)
        for method in ("fork", "spawn"):
            context = multiprocessing.get_context(method)
            ours, theirs = context.Pipe(duplex=False)
            process = context.Process(target=send_digest, args=(theirs, data))
            process.start()
            theirs.close()
            assert ours.recv() == expected, method
            process.join()


PINNED = (
    [[-0.5971, 0.1131, 85.9307], [0.1131, 0.5971, 10.0899]],
    [[0.8888, -0.3632, 22.3737], [0.3632, 0.8888, -44.1116]],
)
"""Of seed 5, epochs 0 and 2, sample 3: mirrored first, then not."""


class TestRefusals:
    def test_what_is_no_view_is_refused(self, make: Make) -> None:
        path = make("coco", input_size=(96, 128))
        for views, message in (
            ("rotat=40", "did you mean 'rotate'"),
            ({"rotat": 40}, "views have scale, rotate, shift, flip, but no 'rotat'"),
            ({"flip": 2}, "flip must be a number from 0 to 1"),
            (40, "views are written scale=0.5-1.1"),
        ):
            with pytest.raises(ConfigError, match=message):
                PoseDataset(path, views=views)
        for flip in (True, "random"):
            with pytest.raises(ConfigError, match=r"do not go together: .* flip=0\.5 among the views"):
                PoseDataset(path, views=USUAL, flip=flip)

    def test_a_mask_of_format_1_is_refused_and_the_rest_is_seen(
        self, make: Make, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = make("coco", input_size=(96, 128))
        older = dataclasses.replace(Manifest.read(path), format_version=1)
        monkeypatch.setattr(Manifest, "read", lambda path: older)
        monkeypatch.setattr(ShardPool, "_compare", lambda self, reader, record: None)
        with pytest.raises(ConfigError) as caught:
            PoseDataset(path, views=USUAL)
        assert str(caught.value) == (
            f"{path}: views have no 'mask': shards of format 1 do not say what is ignored in a picture; build the "
            "dataset again, or leave it out of the fields"
        )
        assert PoseDataset(path, views=USUAL, fields=["image", "heatmap"])[0]["heatmap"].shape == (18, 12, 16)

    def test_another_label_than_the_one_that_was_built_is_refused(
        self, make: Make, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = make("coco", input_size=(96, 128))
        monkeypatch.setattr(BuildConfig, "create_labels", lambda self, skeleton: ())
        with pytest.raises(ConfigError) as caught:
            PoseDataset(path, views=USUAL)
        assert str(caught.value) == (
            "'heatmap' cannot be drawn for views: it is another label than when the dataset was built; leave it out of "
            "the fields, or build the dataset again"
        )

    def test_a_label_of_another_package_that_asks_what_is_ignored_is_told(self, coco: Coco, install: Install) -> None:
        code = (
            "import numpy as np\n"
            "from posegen.labels import ArraySpec, keep_channels\n"
            "class Area:\n"
            "    needs_ignored = True\n"
            "    spec = ArraySpec(name='area', channels=('area',), cells=(), high=1e9, mirror=keep_channels(1))\n"
            "    def render(self, scene):\n"
            "        area = 0 if scene.ignored is None else scene.ignored.paint(scene.image_size).sum()\n"
            "        return np.array([area], np.float32)\n"
            "def create(context):\n"
            "    return [Area()]\n"
        )
        install("pose-area", code, area="pose_area:create")
        image = coco.image(120, 80)
        coco.person(image, bbox=[0, 0, 9, 9], segmentation=[[0, 0, 9, 0, 9, 9, 0, 9]])
        nobody = {"keypoints": [0] * 51, "num_keypoints": 0}
        coco.person(image, **nobody, segmentation=[[30, 20, 90, 20, 90, 60, 30, 60]])
        config = BuildConfig(input_size=(160, 240), labels=("area",), label_dtype="float32")
        build(coco.write(), coco.root / "out", config, workers=1)
        told = [sample for sample in PoseDataset(coco.root / "out") if sample["image_id"] == image]
        seen = [s for s in PoseDataset(coco.root / "out", views=USUAL, seed=1) if s["image_id"] == image]
        assert [sample["area"].tolist() for sample in told] == [[2400]]
        assert seen[0]["area"] == pytest.approx(2400, abs=1)
