"""Views drawn on the device are those that the dataset draws."""

import numpy as np
import pytest
import torch
from people import SHAPES, scatter

import posegen
from posegen import BuildConfig, PoseDataset
from posegen.errors import ConfigError
from posegen.images.augment import Augmentation, View
from posegen.loader.torch import DeviceViews, TorchPoseDataset, collate, render_paf_torch
from posegen.skeleton import COCO_17, OPENPOSE_18

USUAL = Augmentation(scale=(0.6, 1.1), rotate=40, shift=40, flip=0.5)
LIMBS = ((0, 1), (1, 2), (3, 4), (2, 0))


def test_fields_are_what_numpy_draws_image_by_image():
    for size, stride, half_width in SHAPES:
        for grid in ("bilinear", "area", "point"):
            options = {"input_size": size, "stride": stride, "half_width": half_width, "grid": grid}
            images = [scatter(seed, 4, 5, size) for seed in range(3)]
            points, drawn = (torch.as_tensor(np.stack(arrays)) for arrays in zip(*images, strict=True))
            found = render_paf_torch(points, drawn, LIMBS, **options)
            expected = np.stack([posegen.render_paf(*image, LIMBS, **options) for image in images])
            assert found.dtype == torch.float32
            assert np.abs(expected).max() > 0.5
            np.testing.assert_allclose(found.numpy(), expected, rtol=0, atol=1e-5)


def test_fields_of_nobody_are_empty_and_mistakes_are_refused():
    nobody = torch.zeros(2, 0, 3, 2), torch.zeros(2, 0, 3)
    found = render_paf_torch(*nobody, ((0, 1),))
    assert found.shape == (2, 2, 46, 46)
    assert not found.any()
    point = torch.full((1, 1, 2, 2), torch.nan), torch.ones(1, 1, 2)
    for arguments, options, message in (
        ((*nobody, ((0, 3),)), {}, "limb 0-3 must join two of the keypoints 0..2"),
        ((*nobody, ((0, 1),)), {"half_width": 0.0}, "half_width must be above 0"),
        ((*point, ((0, 1),)), {}, "not finite"),
    ):
        with pytest.raises(ConfigError, match=message):
            render_paf_torch(*arguments, **options)


def test_compiled_it_draws_nothing_of_what_is_no_place():
    nan = torch.full((1, 1, 2, 2), torch.nan)
    images, drawer = torch.zeros(1, 3, 368, 368, dtype=torch.uint8), DeviceViews(BuildConfig(), COCO_17)
    people = torch.cat([nan, torch.ones(1, 1, 2, 1)], dim=-1).repeat(1, 1, 9, 1)[:, :, :17]
    found = torch.compile(drawer, backend="eager", fullgraph=True)(images, people, torch.tensor([[1.0, 0, 0, 0, 0]]))
    assert not found["heatmap"][:, :-1].any()
    assert not found["paf"].any()


def read_both(dataset, compiled=None):
    """Read a batch of views from the dataset and the same on the device."""
    views = [USUAL.draw(3, (0, i)) for i in range(8)]
    assert len({view.flip for view in views}) == 2
    expected = PoseDataset(dataset, views=lambda epoch, number: views[number])[:]
    plain = TorchPoseDataset(dataset, fields=["image", "keypoints"], image_dtype="uint8")
    batch = collate(plain.__getitems__(range(8)))
    drawer = DeviceViews(plain.data.config, plain.data.skeleton)
    if compiled is not None:
        drawer = torch.compile(drawer, backend=compiled, fullgraph=True)
    found = drawer(batch["image"], batch["keypoints"], torch.tensor(np.stack([view.values for view in views])))
    return found, expected


def test_a_batch_is_what_the_dataset_draws(dataset):
    found, expected = read_both(dataset)
    for name in ("heatmap", "paf"):
        np.testing.assert_allclose(found[name].numpy(), expected[name], rtol=0, atol=1e-5)
    for people, others in zip(found["keypoints"], expected["keypoints"], strict=True):
        np.testing.assert_allclose(people[: len(others)].numpy(), others, rtol=0, atol=1e-4)
        assert not people[len(others) :].any()
    off = found["image"].permute(0, 2, 3, 1).float().numpy() - expected["image"]
    assert np.abs(off).mean() < 1


def test_compiled_it_is_one_graph_and_the_same(dataset):
    plain, _ = read_both(dataset)
    for backend in ("eager", "aot_eager"):
        found, _ = read_both(dataset, backend)
        for name, value in plain.items():
            torch.testing.assert_close(found[name], value, rtol=0, atol=1e-6)


def test_the_mask_is_what_is_there_warped():
    config = BuildConfig(input_size=(96, 128), skeleton=COCO_17)
    images, nobody = torch.zeros(2, 3, 96, 128, dtype=torch.uint8), torch.zeros(2, 0, 17, 3)
    there = torch.zeros(2, 96, 128)
    there[:, 16:32, 8:40] = 1
    views = torch.tensor(np.stack([View(shift=(8, 16)).values, View(flip=True).values]))
    mask = DeviceViews(config, COCO_17)(images, nobody, views, there)["mask"][:, 0]
    expected = torch.zeros(2, 12, 16)
    expected[0, 4:6, 2:6] = 1
    expected[1, 2:4, 11:15] = 1
    torch.testing.assert_close(mask, expected, rtol=0, atol=1e-5)


def test_labels_that_it_cannot_draw_are_refused():
    for config in (BuildConfig(stride=(4, 8)), BuildConfig(paf="cells"), BuildConfig(sigma_scale="area")):
        with pytest.raises(ConfigError, match="views on the device have no such labels"):
            DeviceViews(config, OPENPOSE_18)
