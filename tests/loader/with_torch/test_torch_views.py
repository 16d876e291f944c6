"""Views and flips in PyTorch: fresh in every epoch, whoever reads, and the same for a seed."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from posegen import PoseDataset
from posegen.errors import ConfigError
from posegen.loader.torch import PoseLoader, ShardShuffleSampler, TorchPoseDataset, collate

VIEWS = "scale=0.5-1.1,rotate=40,shift=40,flip=0.5"
FIELDS = ["image", "heatmap", "mask", "image_id", "affine"]


def read_plainly(dataset, epoch, **options):
    """Read by image what `PoseDataset` gives in an epoch."""
    data = PoseDataset(dataset, fields=FIELDS, **options)
    data.epoch = epoch
    return {sample["image_id"]: sample for sample in data}


def assert_equal(batches, expected):
    seen = []
    for batch in batches:
        for i, number in enumerate(batch["image_id"].tolist()):
            seen.append(number)
            np.testing.assert_array_equal(batch["image"][i].permute(1, 2, 0), expected[number]["image"])
            for name in ("heatmap", "mask", "affine"):
                np.testing.assert_array_equal(batch[name][i], expected[number][name])
    assert sorted(seen) == sorted(expected)


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_that_stay_draw_every_epoch_anew(dataset, method):
    for options in ({"views": VIEWS, "seed": 4}, {"flip": "random", "seed": 4}):
        data = TorchPoseDataset(dataset, fields=FIELDS, image_dtype="uint8", **options)
        sampler = ShardShuffleSampler(data)
        loader = DataLoader(
            data, 3, sampler=sampler, num_workers=2, collate_fn=collate, persistent_workers=True,
            multiprocessing_context=method,
        )  # fmt: skip
        maps = []
        for epoch in (0, 1, 5):
            sampler.set_epoch(epoch)
            expected = read_plainly(dataset, epoch, **options)
            assert_equal(loader, expected)
            maps.append([expected[number]["affine"].tolist() for number in sorted(expected)])
        assert maps[0] != maps[1] != maps[2] != maps[0]


def test_a_dataset_without_our_sampler_hears_of_epochs_itself(dataset):
    data = TorchPoseDataset(dataset, fields=FIELDS, image_dtype="uint8", views=VIEWS, seed=4)
    loader = DataLoader(data, 3, num_workers=1, collate_fn=collate, persistent_workers=True)
    for epoch in (2, 0):
        data.set_epoch(epoch)
        assert_equal(loader, read_plainly(dataset, epoch, views=VIEWS, seed=4))
    again = pickle.loads(pickle.dumps(data))
    again.set_epoch(2)
    assert_equal([collate([again[i] for i in range(8)])], read_plainly(dataset, 2, views=VIEWS, seed=4))
    assert_equal(loader, read_plainly(dataset, 0, views=VIEWS, seed=4))


def test_a_sampler_that_goes_on_says_which_epoch_it_is(dataset):
    data = TorchPoseDataset(dataset, fields=FIELDS, image_dtype="uint8", views=VIEWS, seed=4)
    sampler = ShardShuffleSampler(data)
    sampler.set_epoch(3)
    state = sampler.state_dict(0)
    data.set_epoch(0)
    ShardShuffleSampler(data).load_state_dict(state)
    assert_equal([collate(data.__getitems__(range(8)))], read_plainly(dataset, 3, views=VIEWS, seed=4))


def test_a_pose_loader_gives_the_same_whatever_its_threads(dataset):
    for threads in (1, 3):
        loader = PoseLoader(
            dataset, batch_size=3, fields=FIELDS, image_dtype="uint8", views=VIEWS, seed=4, threads=threads
        )
        for epoch in (0, 1):
            assert_equal(loader.epoch(epoch), read_plainly(dataset, epoch, views=VIEWS, seed=4))


def test_a_transform_changes_the_colours_of_every_picture(dataset):
    def invert(picture):
        assert (picture.shape, picture.dtype) == ((3, 368, 368), torch.uint8)
        return 255 - picture

    options = {"fields": ["image", "image_id"], "transform": invert, "mean": (0.5, 0.4, 0.3), "std": (0.2, 0.3, 0.1)}
    plain = {sample["image_id"]: sample["image"] for sample in PoseDataset(dataset)}
    data = TorchPoseDataset(dataset, **options)
    found = [data[0], *data.__getitems__([1, 2])]
    for batch in PoseLoader(dataset, batch_size=4, threads=2, **options).epoch(0):
        found += [{"image": batch["image"][i], "image_id": n} for i, n in enumerate(batch["image_id"].tolist())]
    assert len(found) == 11
    for sample in found:
        inverted = (255 - plain[sample["image_id"]].astype(np.float64)) / 255
        expected = (inverted - (0.5, 0.4, 0.3)) / (0.2, 0.3, 0.1)
        np.testing.assert_allclose(sample["image"].permute(1, 2, 0), expected, rtol=0, atol=1e-5)


def test_a_transform_that_does_more_is_refused(dataset):
    for transform, found in (
        (lambda p: p / 255, "torch.float32"),
        (lambda p: p[:, 1:], "367"),
        (lambda p: None, "None"),
    ):
        data = TorchPoseDataset(dataset, fields=["image"], transform=transform)
        with pytest.raises(ConfigError, match=f"transform must make a uint8 picture .* not .*{found}"):
            data[0]
