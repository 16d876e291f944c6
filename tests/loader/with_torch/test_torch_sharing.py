"""Batches that are handed over in memory that is used again, by real loaders with real workers."""

import copy
import gc
import multiprocessing
import pickle

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset, IterableDataset, get_worker_info

from posegen.loader.torch import TorchPoseDataset, collate
from posegen.loader.torch.halves import widen_halves
from posegen.loader.torch.sharing import SharedBatch, make_tensor

SIZE = 50_000


class Numbers(Dataset):
    """Batches that are made in shared memory: every element of one is its first sample's number."""

    def __init__(self, length, sizes=(SIZE,)):
        self.length = length
        self.sizes = sizes

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        return index

    def __getitems__(self, indices):
        batch = SharedBatch()
        for i, size in enumerate(self.sizes):
            batch[f"x{i}"] = make_tensor((len(indices), size), torch.int64).fill_(indices[0] + 1000 * i)
        return batch


def identity(batch):
    return batch


def load(length, workers=2, batch=1, collate_fn=identity, sizes=(SIZE,), **options):
    data = Numbers(length, sizes)
    return DataLoader(data, batch, num_workers=workers, collate_fn=collate_fn, **options)


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_batches_arrive_as_they_were_made(method):
    with_sizes = (SIZE, 3, 70_000)
    for number, batch in enumerate(load(12, sizes=with_sizes, multiprocessing_context=method)):
        assert type(batch) is dict
        for i, size in enumerate(with_sizes):
            assert batch[f"x{i}"].shape == (1, size)
            assert (batch[f"x{i}"] == number + 1000 * i).all()


@pytest.mark.parametrize("strategy", sorted(torch.multiprocessing.get_all_sharing_strategies()))
def test_either_of_pytorchs_ways_to_share_memory_will_do(strategy):
    before = torch.multiprocessing.get_sharing_strategy()
    torch.multiprocessing.set_sharing_strategy(strategy)
    try:
        found = [int(batch["x0"][0, 7]) for batch in load(30)]
    finally:
        torch.multiprocessing.set_sharing_strategy(before)
    assert found == list(range(30))


def test_memory_is_used_again():
    places = [batch["x0"].data_ptr() for batch in load(60, workers=1)]
    assert len(places) == 60
    assert len(set(places)) < 8


def test_what_is_kept_is_not_written_over():
    kept = list(load(40))
    assert [int(batch["x0"].min()) for batch in kept] == [int(batch["x0"].max()) for batch in kept] == list(range(40))
    assert len({batch["x0"].data_ptr() for batch in kept}) == 40


@pytest.mark.parametrize("view", [lambda x: x[0, 5:9], lambda x: x.numpy()[:, ::7], lambda x: x.view(torch.int32).T])
def test_a_view_that_is_kept_is_not_written_over(view):
    kept, places = [], []
    for batch in load(40, workers=1):
        places.append(batch["x0"].data_ptr())
        kept.append(view(batch["x0"]))
    assert len(set(places)) == 40
    assert [int(np.asarray(values).max()) for values in kept] == list(range(40))


def test_smaller_batches_lie_where_larger_ones_did():
    loader = load(11, workers=1, batch=8, persistent_workers=True)
    places = [{len(batch["x0"]): batch["x0"].data_ptr() for batch in loader} for _ in range(20)]
    assert all(place.keys() == {8, 3} for place in places)
    assert len({address for place in places for address in place.values()}) < 8


def drop(held):
    held.clear()
    gc.collect()


def test_a_child_of_the_training_process_does_not_free_what_that_has():
    loader = iter(load(40, workers=1))
    held = [next(loader)]
    child = multiprocessing.get_context("fork").Process(target=drop, args=(held,))
    child.start()
    child.join()
    assert [int(batch["x0"].max()) for batch in loader] == list(range(1, 40))
    assert (held[0]["x0"] == 0).all()


class Keeping(Numbers):
    """Keeps in the worker what it handed over, and tells whether that changes."""

    kept = None

    def __getitems__(self, indices):
        batch = super().__getitems__(indices)
        if self.kept is None:
            self.kept = batch["x0"]
        batch["same"] = torch.tensor(int(self.kept.min()) == int(self.kept.max()) == 0)
        return batch


def test_what_a_worker_keeps_is_not_written_over():
    loader = DataLoader(Keeping(40), 1, num_workers=1, collate_fn=identity, prefetch_factor=1)
    assert [bool(batch["same"]) for batch in loader] == [True] * 40


@pytest.mark.parametrize(
    "collate_fn", [tuple, lambda batch: batch["x0"], lambda batch: {"a": [batch["x0"]], "b": batch["x0"][:, 1:]}]
)
def test_a_collate_function_may_take_a_batch_apart(collate_fn):
    for number, found in enumerate(load(20, collate_fn=collate_fn, multiprocessing_context="fork")):
        if isinstance(found, tuple):
            assert found == ("x0",)
        elif isinstance(found, dict):
            assert (found["a"][0] == number).all()
            assert (found["b"] == number).all()
            assert found["b"].shape == (1, SIZE - 1)
        else:
            assert (found == number).all()


class Twice(Numbers):
    """Hands every tensor over under two names, and a view of it."""

    def __getitems__(self, indices):
        batch = super().__getitems__(indices)
        return SharedBatch(batch | {"again": batch["x0"], "view": batch["x0"][:, 10:]})


def test_a_tensor_may_be_in_a_batch_twice():
    kept = []
    for number, batch in enumerate(DataLoader(Twice(20), 1, num_workers=1, collate_fn=identity)):
        for name in ("x0", "again", "view"):
            assert (batch[name] == number).all()
        kept.append(batch[("again", "view")[number % 2]])
    assert [int(values.min()) for values in kept] == [int(values.max()) for values in kept] == list(range(20))


def test_workers_that_stay_go_on_where_an_epoch_was_left():
    loader = load(20, persistent_workers=True)
    for epoch in range(4):
        for number, batch in enumerate(loader):
            assert (batch["x0"] == number).all()
            if epoch % 2 and number == 3:
                break


def test_what_ended_workers_shared_is_let_go():
    from posegen.loader.torch import sharing

    for _ in range(5):
        assert len(list(load(6))) == 6
    assert len(sharing._BORROWED) <= 4


def test_a_copy_of_a_batch_is_a_copy():
    batch = SharedBatch(x=torch.arange(5), name=["a"])
    for found in (copy.copy(batch), copy.deepcopy(batch), pickle.loads(pickle.dumps(batch))):
        assert found.keys() == batch.keys()
        assert found["name"] == ["a"]
        torch.testing.assert_close(found["x"], batch["x"])
    assert copy.deepcopy(batch)["x"].data_ptr() != batch["x"].data_ptr()


class Places(IterableDataset):
    def __iter__(self):
        tensor = make_tensor((3, 5), torch.float32)
        yield get_worker_info() is not None and not tensor.untyped_storage().is_shared()
        yield make_tensor((0, 5), torch.float32).shape == (0, 5)


def test_only_workers_lend_memory():
    assert list(DataLoader(Places(), batch_size=None, num_workers=1)) == [True, True]
    assert make_tensor((3, 5), torch.float32).shape == (3, 5)


def test_a_dataset_is_read_by_workers_as_by_this_process(dataset):
    fields = ["image", "heatmap", "paf", "mask", "image_id", "file_name", "keypoints", "affine"]
    data = TorchPoseDataset(dataset, fields=fields)
    alone = list(DataLoader(data, 3, collate_fn=collate))
    for _ in range(3):
        for found, expected in zip(DataLoader(data, 3, num_workers=2, collate_fn=collate), alone, strict=True):
            assert found.keys() == expected.keys()
            for name, value in expected.items():
                np.testing.assert_array_equal(found[name], value)


def test_halves_are_widened_as_numpy_widens_them():
    halves = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    halves = halves[np.isfinite(halves)]
    out = np.full(len(halves), 7, np.float32)
    widen_halves(halves, out)
    np.testing.assert_array_equal(out.view(np.uint32), halves.astype(np.float32).view(np.uint32))


def test_what_is_no_plain_tensor_is_left_to_pytorch():
    odd = {
        "half": torch.ones(3, dtype=torch.bfloat16),
        "conj": torch.ones(3, dtype=torch.complex64).conj(),
        "turned": torch.arange(6).reshape(2, 3).T,
        "neg": torch.ones(3, dtype=torch.complex64).conj().imag,
        "scalar": torch.tensor(7),
        "nothing": torch.zeros(0, 4),
        "text": ["a"],
    }
    loader = load(3, collate_fn=lambda batch: SharedBatch(batch | odd), multiprocessing_context="fork")
    for number, batch in enumerate(loader):
        assert (batch["x0"] == number).all()
        for name, expected in odd.items():
            if isinstance(expected, torch.Tensor):
                assert batch[name].dtype == expected.dtype
                np.testing.assert_array_equal(
                    *(np.array(x.to(torch.complex64).resolve_conj()) for x in (batch[name], expected))
                )
            else:
                assert batch[name] == expected


class Named(torch.Tensor):
    pass


def test_a_tensor_of_another_class_keeps_it():
    loader = load(2, collate_fn=lambda batch: SharedBatch(a=torch.ones(3).as_subclass(Named), **batch),
                  multiprocessing_context="fork")  # fmt: skip
    assert [type(batch["a"]) for batch in loader] == [Named, Named]


def test_outside_of_a_worker_a_batch_is_a_dict(dataset):
    assert type(next(iter(DataLoader(TorchPoseDataset(dataset), 2, collate_fn=collate)))) is dict


def count_shared():
    """How many bytes of shared memory this process has mapped for batches."""
    from posegen.loader.torch import sharing

    return sum(len(block.memory) for blocks in sharing._BORROWED.values() for block in blocks.values())


def test_what_a_worker_shared_in_excess_is_let_go():
    loader = load(120, workers=1, persistent_workers=True)
    kept = list(loader)
    assert count_shared() >= 120 * SIZE * 8
    del kept
    for _ in range(2):
        assert [int(batch["x0"].max()) for batch in loader] == list(range(120))
    assert count_shared() < 40 * SIZE * 8
