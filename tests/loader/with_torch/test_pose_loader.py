"""Batches made by threads: what they are, and in which order."""

import json
import os
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from posegen import PoseDataset
from posegen.errors import ConfigError
from posegen.loader.torch import PoseLoader, ShardShuffleSampler, TorchPoseDataset, collate

EVERYTHING = [
    "image", "heatmap", "paf", "mask", "image_id", "width", "height", "file_name", "affine", "keypoints", "bbox",
    "annotation_id",
]  # fmt: skip

BYTES = {"image_dtype": "uint8"}


def assert_same(found, expected):
    assert list(found) == list(expected)
    for name, value in expected.items():
        if isinstance(value, torch.Tensor):
            torch.testing.assert_close(found[name], value, rtol=0, atol=0, equal_nan=True)
        else:
            assert found[name] == value


def list_ids(batches):
    return [batch["image_id"].tolist() for batch in batches]


@pytest.mark.parametrize("variant", ["plain", "packed"])
@pytest.mark.parametrize(
    "options",
    [{}, {"image_dtype": "uint8", "flip": "random"}, {"mean": (0.5, 0.4, 0.3), "std": (0.2, 0.3, 0.1), "raw": True}],
)
def test_batches_are_those_of_a_data_loader(build, variant, options):
    fields = EVERYTHING if variant == "plain" or "flip" not in options else ["image", "heatmap", "keypoints"]
    data = TorchPoseDataset(build(variant), fields=fields, seed=5, **options)
    for epoch in (0, 3):
        sampler = ShardShuffleSampler(data, seed=5)
        sampler.set_epoch(epoch)
        data.set_epoch(epoch)
        expected = list(DataLoader(data, 3, sampler=sampler, collate_fn=collate))
        for threads in (1, 2, 7):
            loader = PoseLoader(build(variant), batch_size=3, fields=fields, seed=5, threads=threads, **options)
            found = list(loader.epoch(epoch))
            assert len(loader) == len(found) == len(expected)
            for batch, other in zip(found, expected, strict=True):
                assert_same(batch, other)


def test_views_are_those_of_the_dataset_and_others_in_each_epoch(dataset):
    views = "scale=0.5-1.1,rotate=40,shift=40,flip=0.5"
    plain = PoseDataset(dataset, views=views, seed=7)
    seen = []
    for epoch in (0, 1):
        plain.epoch = epoch
        expected = plain.batch(range(len(plain)))
        for threads in (1, 3):
            loader = PoseLoader(dataset, batch_size=8, shuffle=False, views=views, seed=7, threads=threads, **BYTES)
            (batch,) = loader.epoch(epoch)
            np.testing.assert_array_equal(batch["image"].permute(0, 2, 3, 1), expected["image"])
            for name in ("heatmap", "paf", "mask", "image_id"):
                np.testing.assert_array_equal(batch[name], expected[name])
        seen.append(batch["heatmap"])
    assert not torch.equal(*seen)


def test_pictures_lie_channels_last_and_are_normalised(dataset):
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    (batch,) = PoseLoader(dataset, batch_size=8, shuffle=False, mean=mean, std=std).epoch(0)
    expected = np.stack([(sample["image"] / 255.0 - mean) / std for sample in PoseDataset(dataset)])
    np.testing.assert_allclose(batch["image"].permute(0, 2, 3, 1), expected, rtol=0, atol=1e-5)
    assert batch["image"].is_contiguous(memory_format=torch.channels_last)


def test_a_last_batch_may_be_left_out(dataset):
    loader = PoseLoader(dataset, batch_size=3, shuffle=False, drop_last=True)
    everything = [sample["image_id"] for sample in PoseDataset(dataset)]
    assert len(loader) == 2
    assert list_ids(loader.epoch(0)) == [everything[:3], everything[3:6]]


def test_every_pass_is_another_epoch_and_an_epoch_is_always_the_same(dataset):
    loader = PoseLoader(dataset, batch_size=4, seed=2, fields=["image_id"])
    first, second = list_ids(loader), list_ids(loader)
    assert first != second
    assert list_ids(loader.epoch(1)) == second
    loader.set_epoch(0)
    assert list_ids(loader) == first
    assert list_ids(PoseLoader(dataset, batch_size=4, seed=2, fields=["image_id"]).epoch(1)) == second


def test_ranks_share_an_epoch_in_equally_many_batches(dataset):
    every = {sample["image_id"] for sample in PoseDataset(dataset)}
    loaders = [PoseLoader(dataset, batch_size=2, fields=["image_id"], rank=rank, ranks=3) for rank in range(3)]
    found = [list_ids(loader.epoch(4)) for loader in loaders]
    assert [len(batches) for batches in found] == [len(loader) for loader in loaders] == [2, 2, 2]
    assert {number for batches in found for batch in batches for number in batch} == every
    kept = [list_ids(PoseLoader(dataset, batch_size=1, rank=r, ranks=3, remainder="keep").epoch(0)) for r in range(3)]
    assert sorted(number for batches in kept for (number,) in batches) == sorted(every)


def test_ranks_are_asked_for_when_an_epoch_begins(dataset, tmp_path):
    loader = PoseLoader(dataset, batch_size=2, fields=["image_id"])
    assert len(loader) == 4
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/meeting", rank=0, world_size=1)
    try:
        assert len(list(loader)) == 4
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(torch.distributed, "get_world_size", lambda: 4)
            assert len(loader) == len(list(loader.epoch(0))) == 1
    finally:
        torch.distributed.destroy_process_group()


def test_a_saved_state_goes_on_in_the_middle_of_an_epoch(dataset):
    def make(threads):
        return PoseLoader(dataset, batch_size=2, seed=1, flip="random", threads=threads)

    loader = make(2)
    batches = loader.epoch(6)
    next(batches), next(batches)
    state = json.loads(json.dumps(loader.state_dict()))
    left, following = list(batches), list(loader)

    for threads in (1, 3):
        again = make(threads)
        again.load_state_dict(state)
        assert again.state_dict() == state
        passes = [list(again.epoch(epoch)) for epoch in (6, 7)]
        for found, expected in zip(passes, (left, following), strict=True):
            for batch, other in zip(found, expected, strict=True):
                assert_same(batch, other)
    again.load_state_dict(state)
    assert len(list(again.epoch(8))) == 4  # another epoch is a whole one


def test_a_state_from_behind_the_last_batch_starts_the_next_epoch(dataset):
    loader = PoseLoader(dataset, batch_size=3, fields=["image_id"])
    states = [loader.state_dict() for _ in loader.epoch(2)]
    assert [(state["epoch"], state["done"]) for state in states] == [(2, 3), (2, 6), (3, 0)]
    loader.load_state_dict(states[-1])
    assert list_ids(loader) == list_ids(loader.epoch(3))


def test_a_state_of_another_order_is_refused(dataset):
    state = PoseLoader(dataset, seed=1).state_dict()
    with pytest.raises(ConfigError, match="seed was 1 and is 2"):
        PoseLoader(dataset, seed=2).load_state_dict(state)


def test_passes_may_go_on_at_the_same_time(dataset):
    loader = PoseLoader(dataset, batch_size=2, flip="random", seed=3)
    expected = [list(loader.epoch(epoch)) for epoch in (0, 1)]
    for first, second, *others in zip(loader.epoch(0), loader.epoch(1), *expected, strict=True):
        assert_same(first, others[0])
        assert_same(second, others[1])
    with ThreadPoolExecutor(2) as pool:
        for found, batches in zip(pool.map(list, [loader.epoch(0), loader.epoch(1)]), expected, strict=True):
            for batch, other in zip(found, batches, strict=True):
                assert_same(batch, other)


def test_it_can_be_pickled(dataset):
    loader = PoseLoader(dataset, batch_size=4, seed=1)
    expected = list(loader.epoch(1))
    for batch, other in zip(pickle.loads(pickle.dumps(loader)).epoch(1), expected, strict=True):
        assert_same(batch, other)


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # it may, with threads that it leaves behind
def test_a_forked_child_has_its_own_threads(dataset):
    loader = PoseLoader(dataset, batch_size=2, fields=["image_id"])
    batches = loader.epoch(0)
    expected = [next(batches), *loader.epoch(0)]
    child = os.fork()
    if not child:
        code = 1
        try:
            code = int(list_ids(loader.epoch(0)) != list_ids(expected[1:]) or threading.active_count() != 1)
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
    assert len(list(batches)) == 3


def test_pinning_without_a_device_is_said_to_have_no_effect(dataset):
    if torch.accelerator.is_available():
        pytest.skip("there is one")
    with pytest.warns(UserWarning, match="no accelerator"):
        assert len(list(PoseLoader(dataset, batch_size=4, pin_memory=True))) == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fields": ["heat"]}, "has no 'heat'"),
        ({"batch_size": 0}, "batch_size must be at least 1"),
        ({"threads": 0}, "threads must be at least 1"),
        ({"ahead": 0}, "ahead must be at least 1"),
        ({"image_dtype": "uint8", "std": (1, 1, 1)}, "normalise after"),
        ({"rank": 2, "ranks": 2}, "rank must be"),
        ({"window": 0}, "window must be"),
        ({"remainder": "some"}, "remainder must be"),
    ],
)
def test_options_that_cannot_be_are_refused(dataset, options, message):
    with pytest.raises(ConfigError, match=message):
        PoseLoader(dataset, **options)
