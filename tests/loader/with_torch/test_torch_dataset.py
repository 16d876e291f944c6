"""A dataset as PyTorch tensors, read by real loaders."""

import pickle

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from posegen import PoseDataset
from posegen.errors import ConfigError, ShardError
from posegen.loader.torch import PoseLoader, ShardShuffleSampler, TorchPoseDataset, collate, render_heatmap_torch
from posegen.loader.torch.sharing import SharedArrays
from posegen.shards import COLUMNS, Column, schema
from posegen.shards.manifest import Manifest

EVERYTHING = [
    "image", "heatmap", "paf", "mask", "image_id", "width", "height", "file_name", "affine", "keypoints", "bbox",
    "annotation_id",
]  # fmt: skip


@pytest.mark.parametrize("variant", ["plain", "packed"])
def test_a_sample_is_that_of_the_dataset_with_its_picture_as_channels(build, variant):
    data, plain = TorchPoseDataset(build(variant), fields=EVERYTHING), PoseDataset(build(variant))
    assert len(data) == len(plain)
    for i in range(len(plain)):
        sample, expected = data[i], plain[i]
        assert sample.keys() == expected.keys()
        image = torch.from_numpy(expected.pop("image")).permute(2, 0, 1) / 255
        torch.testing.assert_close(sample["image"], image, rtol=0, atol=1e-6)
        assert sample["image"].permute(1, 2, 0).is_contiguous()
        for name, value in expected.items():
            np.testing.assert_array_equal(sample[name], value)


def test_a_picture_is_normalised_by_channel(dataset):
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    found = TorchPoseDataset(dataset, fields=["image"], mean=mean, std=std)[2]["image"].numpy()
    expected = (PoseDataset(dataset)[2]["image"].transpose(2, 0, 1) / 255.0 - np.reshape(mean, (3, 1, 1))) / np.reshape(
        std, (3, 1, 1)
    )
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


def test_a_picture_may_stay_bytes(dataset):
    found = TorchPoseDataset(dataset, image_dtype="uint8")[2]["image"]
    assert found.dtype == torch.uint8
    np.testing.assert_array_equal(found, PoseDataset(dataset)[2]["image"].transpose(2, 0, 1))


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        if isinstance(value, torch.Tensor):
            torch.testing.assert_close(found[name], value, rtol=0, atol=0, equal_nan=True)
        else:
            assert found[name] == value


def test_the_default_fields_are_stacked_by_any_collate_function(dataset):
    data = TorchPoseDataset(dataset)
    for ours, theirs in zip(DataLoader(data, 3, collate_fn=collate), DataLoader(data, 3), strict=True):
        assert_same(ours, theirs)
        assert theirs["heatmap"].shape[1:] == (19, 46, 46)


def test_a_batch_is_its_samples_with_people_padded(dataset):
    data = TorchPoseDataset(dataset, fields=EVERYTHING)
    samples = [data[i] for i in (5, 0, 7, 5)]
    batch = collate(data.__getitems__([5, 0, 7, 5]))
    assert_same(batch, collate(samples))
    assert_same(collate(list(data.__getitems__([5, 0, 7, 5]))), batch)
    assert batch["people"].tolist() == [len(sample["keypoints"]) for sample in samples]
    assert len(set(batch["people"].tolist())) > 1
    for i, sample in enumerate(samples):
        count = len(sample["keypoints"])
        for name in ("keypoints", "bbox", "annotation_id"):
            np.testing.assert_array_equal(batch[name][i, :count], sample[name])
            assert not batch[name][i, count:].any()
        np.testing.assert_array_equal(batch["affine"][i], sample["affine"])
        assert batch["file_name"][i] == sample["file_name"]


def test_a_column_that_the_table_has_of_people_is_padded(monkeypatch):
    area = Column(name="area", dtype="float32", of="person", take=lambda sample: sample.bboxes[:, 2])
    samples = [{"area": torch.tensor([1.0, 2.0]), "width": 3}, {"area": torch.tensor([4.0]), "width": 5}]
    monkeypatch.setattr(schema, "COLUMNS", (*COLUMNS, area))
    batch = collate(samples)
    assert batch["area"].tolist() == [[1, 2], [4, 0]]
    assert batch["people"].tolist() == [2, 1]
    assert batch["width"].tolist() == [3, 5]


@pytest.mark.parametrize("variant", ["plain", "packed"])
def test_samples_of_a_batch_are_samples(build, variant):
    data = TorchPoseDataset(build(variant), fields=EVERYTHING)
    for found, i in zip(data.__getitems__([3, 1]), (3, 1), strict=True):
        assert_same(found, data[i])
        assert isinstance(found["image_id"], int)


def test_a_loader_reads_a_batch_in_one_go(dataset, monkeypatch):
    calls = []
    read = PoseDataset.batch
    monkeypatch.setattr(
        PoseDataset, "batch", lambda self, some, make: calls.append(list(some)) or read(self, some, make)
    )
    monkeypatch.setattr(PoseDataset, "__getitem__", lambda self, index: pytest.fail("read one by one"))
    list(DataLoader(TorchPoseDataset(dataset), 3))
    assert calls == [[0, 1, 2], [3, 4, 5], [6, 7]]


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_workers_read_what_one_process_reads(dataset, start):
    data = TorchPoseDataset(dataset, fields=EVERYTHING)
    expected = list(DataLoader(data, 2, sampler=ShardShuffleSampler(data), collate_fn=collate))
    # The files are open here when the workers start.
    loader = DataLoader(
        data,
        2,
        sampler=ShardShuffleSampler(data),
        collate_fn=collate,
        num_workers=2,
        multiprocessing_context=start,
        persistent_workers=True,
    )
    for _ in range(2):
        for found, batch in zip(loader, expected, strict=True):
            assert_same(found, batch)


def test_a_worker_that_finds_no_shard_names_it(build):
    dataset = build(run="without a shard")
    (missing,) = dataset.glob("shard-00001*.h5")
    data = TorchPoseDataset(dataset)
    missing.unlink()
    with pytest.raises(ShardError, match=missing.name):
        list(DataLoader(data, 4, num_workers=1))


def test_padded_people_draw_the_labels_that_were_built(build):
    data = TorchPoseDataset(build("raw"), fields=["heatmap", "keypoints"])
    batch = collate(data.__getitems__(range(len(data))))
    points, v = batch["keypoints"][..., :2], batch["keypoints"][..., 2]
    # The variant draws visible keypoints alone. Keypoints are stored in single precision, labels were drawn in double.
    found = render_heatmap_torch(points, v == 2, input_size=(72, 128), stride=4)
    assert (found - batch["heatmap"]).abs().max() < 1e-4


def test_a_flip_is_that_of_the_dataset(dataset):
    found, expected = TorchPoseDataset(dataset, flip=True)[1], PoseDataset(dataset, flip=True)[1]
    np.testing.assert_array_equal(found["heatmap"], expected["heatmap"])
    np.testing.assert_allclose(found["image"], expected["image"].transpose(2, 0, 1) / np.float32(255), atol=1e-6)


def test_a_seeded_chance_is_another_in_another_epoch(dataset):
    data, plain = TorchPoseDataset(dataset, flip="random", seed=1), TorchPoseDataset(dataset)

    def flipped():
        return [not torch.equal(data[i]["image"], plain[i]["image"]) for i in range(len(data))]

    first = flipped()
    assert flipped() == first
    data.set_epoch(1)
    assert flipped() != first


def test_it_can_be_pickled(dataset):
    data = TorchPoseDataset(dataset, mean=(0.5, 0.5, 0.5))
    expected = data[0]
    assert_same(pickle.loads(pickle.dumps(data))[0], expected)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fields": ["heat"]}, "has no 'heat'"),
        ({"image_dtype": "float16"}, "float32 or uint8"),
        ({"image_dtype": "uint8", "std": (1, 1, 1)}, "normalise after"),
        ({"mean": (0.5,)}, "mean must be three numbers"),
        ({"std": (1, 0, 1)}, "std must not be 0"),
    ],
)
def test_options_that_cannot_be_are_refused(dataset, options, message):
    with pytest.raises(ConfigError, match=message):
        TorchPoseDataset(dataset, **options)


class TestSharedArrays:
    def test_outside_of_a_worker_they_are_ordinary(self) -> None:
        shared = SharedArrays()
        array = shared.allocate((2, 3), np.dtype("float32"))
        array[:] = 5
        assert not shared.tensor(array).is_shared()
        assert shared.tensor(array).tolist() == [[5.0] * 3] * 2

    def test_what_a_worker_makes_is_handed_over(self) -> None:
        for tensor in DataLoader(_Makers(), batch_size=2, num_workers=1, collate_fn=lambda made: made[0]):
            assert tensor.tolist() == [[7, 7, 7], [7, 7, 7]]

    def test_an_array_of_another_place_is_a_tensor_too(self) -> None:
        assert SharedArrays().tensor(np.arange(3)).tolist() == [0, 1, 2]


class _Makers(Dataset):
    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> object:
        shared = SharedArrays()
        array = shared.allocate((2, 3), np.dtype("uint8"))
        array[:] = 7
        return shared.tensor(array)


def test_the_older_name_of_the_room_has_all_of_its_names():
    from posegen.adapters import torch as older
    from posegen.loader import torch as room

    assert older.__all__ == room.__all__
    assert all(getattr(older, name) is getattr(room, name) for name in room.__all__)


def test_a_dataset_is_opened_once_whether_fields_are_named_or_not(dataset, monkeypatch):
    read, opened = Manifest.read.__func__, []
    monkeypatch.setattr(Manifest, "read", classmethod(lambda cls, path: opened.append(path) or read(cls, path)))
    for fields in (None, ["image", "heatmap"]):
        for make in (TorchPoseDataset, PoseLoader):
            opened.clear()
            names = set(make(dataset, fields=fields).data.fields)
            assert len(opened) == 1
            assert names == ({"image", "heatmap"} if fields else {"image", "heatmap", "paf", "mask", "image_id"})
