"""Views drawn on the device are those that the dataset draws."""

import dataclasses

import numpy as np
import pytest
import torch

from posegen import BuildConfig, PoseDataset
from posegen.build.pipeline import build
from posegen.errors import ConfigError
from posegen.images.augment import Augmentation
from posegen.loader.torch import DeviceViews, PoseLoader, TorchPoseDataset, collate
from posegen.skeleton import COCO_17, OPENPOSE_18, Skeleton

USUAL = Augmentation(scale=(0.6, 1.1), rotate=40, shift=40, flip=0.5)
SMALL = {"skeleton": COCO_17, "input_size": (128, 96), "image_encoding": "png", "label_dtype": "float32"}


def see_usually(epoch, number):
    return USUAL.draw(3, (epoch, number))


@pytest.fixture(scope="module")
def make(corpus, tmp_path_factory):
    def make_dataset(preset="coco", **options):
        out = tmp_path_factory.mktemp("device") / "out"
        build(corpus.root, out, BuildConfig.preset(preset, **SMALL | options), workers=1)
        return out

    return make_dataset


def read_both(path, compiled=None, views=see_usually, **options):
    """Read all samples, drawn on the device and by the dataset, with all fields."""
    fields = list(PoseDataset(path).fields)
    expected = PoseDataset(path, views=views)
    data = TorchPoseDataset(path, fields=fields, labels="device", views=views)
    drawer = DeviceViews(data.data, **options)
    draw = drawer if compiled is None else torch.compile(drawer, backend=compiled, fullgraph=True)
    for epoch in (0, 1):
        data.set_epoch(epoch)
        expected.epoch = epoch
        batch = collate(data.__getitems__(range(len(data))))
        yield draw(batch), expected[:], batch


def compare(found, expected, layout="chw"):
    """Compare all that a batch has with what NumPy makes; pictures by their mean, masks to 1/8 of a cell."""
    assert set(expected) <= set(found)
    assert set(found) - set(expected) <= {"people"}
    for name, values in expected.items():
        if name == "image":
            off = found[name].permute(0, 2, 3, 1).float().numpy() - values / np.float32(255)
            assert np.abs(off).mean() < 1 / 255
        elif name in {"keypoints", "bbox", "annotation_id", "unknown"}:
            for people, others in zip(found[name], values, strict=True):
                np.testing.assert_allclose(people[: len(others)].numpy(), others, rtol=1e-6, atol=1e-4, err_msg=name)
                assert not people[len(others) :].any()
        elif name == "file_name":
            assert found[name] == values
        else:
            assert found[name].shape == values.shape, name
            off = np.abs(found[name].numpy() - values)
            assert off.max() <= (1 / 8 if "mask" in name else 1e-5), name
            if "mask" in name:
                assert off.mean() < 0.01


def test_a_batch_is_what_the_dataset_draws(dataset):
    for found, expected, _ in read_both(dataset):
        compare(found, expected)
        assert found["image"].is_contiguous(memory_format=torch.channels_last)
        assert {"heatmap", "paf", "mask", "affine", "bbox"} <= set(expected)
        assert 0.05 < expected["mask"].mean() < 0.95


def test_heatmaps_and_fields_of_every_kind_are_drawn(make):
    for preset in ("openpose", "msra", "msra-unbiased", "udp", "megvii"):
        labels = () if preset != "openpose" else {"labels": ("heatmap", "paf", "mask"), "input_size": (128, 128)}
        for found, expected, _ in read_both(make(preset, **dict(labels))):
            compare(found, expected)
            assert any(name.startswith("heatmap") for name in expected), preset


def test_people_of_their_own_crops_are_drawn(make):
    for heatmap, labels in (("udp", ("heatmap", "weight", "mask")), ("gaussian", ("heatmap", "paf", "mask"))):
        path = make("coco", unit="person", stride=(4, 8), heatmap=heatmap, labels=labels)
        for found, expected, batch in read_both(path):
            compare(found, expected)
            assert {"heatmap_s4", "heatmap_s8"} <= set(expected)
            # Of what lies beside a picture nothing is shown, and at its edges a part.
            assert batch["shown"].min() == 0
            assert batch["shown"].max() == 255


def test_gaussians_as_wide_as_people_and_keypoints_are_drawn(make):
    for options in (
        {"sigma_scale": "area", "layout": "hwc"},
        {"sigma_keypoints": "oks", "sigma_scale": "area", "grid": "area", "stride": (4, 8), "paf": "cells"},
        {"sigma_scale": "area", "heatmap": "msra", "labels": ("heatmap", "weight"), "label_options": {}},
    ):
        for found, expected, _ in read_both(make("coco", **options)):
            compare(found, expected)


def test_labels_of_several_widths_and_of_sums_are_drawn(make):
    options = {"heatmap": {"sigmas": "3,1", "normalize": "sum"}, "weight": {"by_keypoint": True}}
    path = make("msra", unit="person", labels=("heatmap", "weight"), label_options=options)
    for found, expected, _ in read_both(path):
        compare(found, expected)
        assert "heatmap_sigma3" in expected


def test_without_views_labels_are_those_that_are_stored(make):
    path = make("coco")
    for found, _, batch in read_both(path, views=None):
        stored = PoseDataset(path)[:]
        np.testing.assert_array_equal(batch["views"], [[1, 0, 0, 0, 0]] * len(batch["views"]))
        compare(found, stored)


def test_compiled_it_is_one_graph_and_the_same_for_any_number_of_people(make):
    # Graphs of few channels are compiled in less time; nose and shoulders are labelled of everybody.
    names, limbs = ("nose", "left_shoulder", "right_shoulder"), ((0, 1), (0, 2))
    few = {"skeleton": Skeleton(name="three", keypoints=names, limbs=limbs, flip_pairs=((1, 2),))}
    every = ["image", "heatmap", "paf", "mask", "weight", "affine", "file_name"]
    wide = make("coco", labels=("heatmap", "paf", "mask", "weight"), sigma_scale="area", **few)
    crops = make("udp", unit="person", labels=("heatmap", "weight"), **few)
    for path, fields in ((wide, every), (make("coco", **few), None), (crops, None)):
        data = TorchPoseDataset(path, fields=fields, labels="device", views=see_usually)
        torch.compiler.reset()
        plain = DeviceViews(data.data)
        drawer, counts = torch.compile(plain, backend="aot_eager", fullgraph=True), set()
        for numbers in ([0, 1], [2, 3], [6, 7]):
            batch = collate(data.__getitems__(numbers))
            counts.add(batch["keypoints"].shape[1])
            found, expected = drawer(batch), plain(batch)
            assert set(found) == set(expected)
            for name, value in expected.items():
                if isinstance(value, torch.Tensor):
                    torch.testing.assert_close(found[name], value, rtol=0, atol=1e-5)
                else:
                    assert found[name] == value
        assert len(counts) > 1 or path is crops


def test_nothing_is_drawn_of_nobody_nor_of_what_is_no_place(make):
    for options in ({}, {"sigma_scale": "area"}, {"heatmap": "udp", "labels": ("heatmap", "weight")}):
        data = TorchPoseDataset(make("coco", **options), labels="device")
        batch, drawer = collate(data.__getitems__([0])), DeviceViews(data.data)
        people = batch["keypoints"]
        nan, nobody = torch.full_like(people, torch.nan), people[:, :0]
        nan[..., 2] = 2
        for keypoints, count in ((nan, 1), (nobody, 0)):
            changed = {"keypoints": keypoints, "bbox": batch["bbox"][:, : keypoints.shape[1]]}
            found = drawer(batch | changed | {"people": torch.tensor([count])})
            assert not found["heatmap"][:, :17].any()
            assert not found.get("paf", torch.zeros(1)).any()
            assert not found.get("weight", torch.zeros(1)).any()


def test_loaders_hand_over_what_labels_are_drawn_of(dataset):
    fields = ["image", "heatmap", "image_id"]
    expected = {"image", "keypoints", "bbox", "views", "image_id", "people"}
    loader = PoseLoader(dataset, batch_size=3, fields=fields, labels="device", views=see_usually, shuffle=False)
    draw, numbers = DeviceViews(loader.data, image_dtype="uint8"), PoseDataset(dataset, views=see_usually)
    for epoch in (0, 1):
        numbers.epoch = epoch
        for i, batch in enumerate(loader.epoch(epoch)):
            assert set(batch) == expected
            assert batch["image"].dtype == torch.uint8
            found, read = draw(batch), numbers[3 * i : 3 * i + 3]
            assert set(found) == expected - {"views"} | {"heatmap"}
            np.testing.assert_allclose(found["heatmap"], read["heatmap"], rtol=0, atol=1e-5)
            assert found["image"].dtype == torch.uint8
    with_mask = PoseLoader(dataset, fields=["mask"], labels="device")
    (batch,) = with_mask
    assert set(batch) == {"shown", "keypoints", "bbox", "views", "people"}
    assert set(DeviceViews(with_mask.data)(batch)) == {"mask", "keypoints", "bbox", "people"}


def test_pictures_are_normalised_as_loaders_do(dataset):
    numbers = {"mean": (0.4, 0.5, 0.6), "std": (0.2, 0.3, 0.25)}
    data = TorchPoseDataset(dataset, fields=["image"], labels="device")
    found = DeviceViews(data.data, **numbers)(collate(data.__getitems__([0, 1])))["image"]
    expected = collate(TorchPoseDataset(dataset, fields=["image"], **numbers).__getitems__([0, 1]))["image"]
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


def test_predictions_are_decoded_into_views_that_the_device_draws(dataset):
    data = PoseDataset(dataset, labels="device", views=see_usually, fields=["heatmap", "paf"])
    seen = PoseDataset(dataset, views=see_usually)
    batch = seen[:2]
    outputs = {name: batch[name] for name in ("heatmap", "paf")}
    found, expected = data.decode(outputs, [0, 1]), seen.decode(outputs, [0, 1])
    for people, others in zip(found, expected, strict=True):
        np.testing.assert_array_equal(people.keypoints, others.keypoints)


def test_offsets_centres_and_limbs_are_drawn(make):
    center = {"root": "box", "min_diagonal": 3.0, "radius_cells": 2.5, "background_weight": 0.25}
    for options in (
        {"labels": ("offset", "center", "limb")},
        {"labels": ("offset", "center", "limb"), "stride": (4, 8), "layout": "hwc", "sigma_scale": "area"},
        {"labels": ("offset", "center"), "label_options": {"offset": {"corners": True}, "center": center}},
        {"labels": ("offset",), "label_options": {"offset": {"radius_factor": 0.4}}, "sigma_keypoints": "oks"},
    ):
        for found, expected, _ in read_both(make("coco", **options)):
            compare(found, expected)
            assert any(name.startswith("offset") and np.abs(values).sum() > 20 for name, values in expected.items())


def test_coordinates_are_drawn_as_curves_and_as_numbers(make):
    standard = {"smoothing": "standard", "label_smooth": 0.1, "split_ratio": 1.5}
    for unit in ("person", "image"):
        for simcc in ({}, standard, {"normalize": False, "sigma_x": 4.0, "sigma_y": 2.5}):
            options = {"labels": ("simcc", "weight"), "label_options": {"simcc": simcc}}
            for found, expected, _ in read_both(make("udp", unit=unit, **options)):
                compare(found, expected)
                assert {"simcc_x", "simcc_y", "weight"} <= set(expected)
                assert 0 < expected["weight"].mean() < 1
        for found, expected, _ in read_both(make("udp", unit=unit, labels=("regression", "weight"))):
            compare(found, expected)


def test_compiled_they_are_one_graph_too(make):
    names, limbs = ("nose", "left_shoulder", "right_shoulder"), ((0, 1), (0, 2))
    few = {"skeleton": Skeleton(name="three", keypoints=names, limbs=limbs, flip_pairs=((1, 2),))}
    ways = make("coco", labels=("offset", "center", "limb"), **few)
    coordinates = make("udp", unit="person", labels=("simcc", "regression", "weight"), **few)
    for path in (ways, coordinates):
        torch.compiler.reset()
        data = TorchPoseDataset(path, labels="device", views=see_usually)
        plain, nobody = DeviceViews(data.data), torch.tensor([0, 0])
        drawer = torch.compile(plain, backend="aot_eager", fullgraph=True)
        batch = collate(data.__getitems__([0, 1]))
        found, expected = drawer(batch), plain(batch)
        for name, value in expected.items():
            torch.testing.assert_close(found[name], value, rtol=0, atol=1e-5)
        none = {"keypoints": batch["keypoints"][:, :0], "bbox": batch["bbox"][:, :0], "people": nobody}
        empty = plain(batch | none)
        for name in set(expected) - {"center_heatmap_weights", "image", "image_id", *none}:
            assert empty[name].shape == expected[name].shape
            assert not empty[name].any(), name


def test_what_it_cannot_draw_is_refused(dataset, make):
    for name, options in (("heatmap_mask", {}), ("caf", {}), ("centernet_hm", {}), ("keypoint_indices", {"stride": 8})):
        labels = (name.removesuffix("_hm"), "heatmap", "paf") if "mask" in name else (name.removesuffix("_hm"),)
        data = PoseDataset(make("coco", labels=labels, **options), fields=[name], labels="device")
        with pytest.raises(ConfigError, match=f"'{name}' cannot be drawn on the device; leave it out of the fields"):
            DeviceViews(data)
    with pytest.raises(ConfigError, match="opened with labels='device'"):
        DeviceViews(PoseDataset(dataset))
    for options, message in (
        ({"labels": "gpu"}, "'here' or on the 'device', not 'gpu'"),
        ({"labels": "device", "raw": True}, "raw does not go with them"),
        ({"labels": "device", "flip": "random"}, "views and flip do not go together"),
        ({"labels": "device", "mean": (0, 0, 0)}, "give mean and std to DeviceViews"),
    ):
        with pytest.raises(ConfigError, match=message):
            TorchPoseDataset(dataset, **options)


def test_with_another_skeleton_limbs_and_neck_are_drawn(corpus, tmp_path):
    config = dataclasses.replace(BuildConfig.preset("tf-pose"), skeleton=OPENPOSE_18, visibility="visible")
    build(corpus.root, tmp_path / "out", config, workers=1)
    for found, expected, _ in read_both(tmp_path / "out"):
        compare(found, expected)
