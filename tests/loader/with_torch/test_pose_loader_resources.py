"""What a loader holds and lets go: threads, memory, files; and how it fails."""

import gc
import itertools
import os
import shutil
import signal
import subprocess
import sys
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import h5py
import numpy as np
import pytest
import torch

from posegen.errors import ShardError
from posegen.loader.reading import BatchReader
from posegen.loader.torch import PoseLoader
from posegen.loader.torch import loader as loader_module
from posegen.loader.torch.buffers import Buffers
from posegen.loader.torch.halves import keep_to_one_thread

FLOAT, BYTE = np.dtype("float32"), np.dtype("uint8")


def list_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("posegen-loader")]


def test_threads_end_with_the_epoch(dataset):
    batches = PoseLoader(dataset, batch_size=2, threads=3).epoch(0)
    assert not list_threads()
    next(batches)
    assert len(list_threads()) == 3
    list(batches)
    assert not list_threads()


def test_a_loop_that_is_left_leaves_no_thread(dataset):
    loader = PoseLoader(dataset, batch_size=1, threads=3)
    for _ in loader:
        break
    assert not list_threads()

    def fail():
        for _ in loader:
            raise ValueError("of training")

    with pytest.raises(ValueError, match="of training"):
        fail()
    gc.collect()
    assert not list_threads()
    batches = iter(loader)
    next(batches)
    del batches
    assert not list_threads()


def test_opencv_starts_no_threads_beside_those_of_the_loader_and_has_what_it_had_afterwards(dataset):
    before = cv2.getNumThreads()
    cv2.setNumThreads(3)
    try:
        loader = PoseLoader(dataset, batch_size=1, threads=2)
        assert [cv2.getNumThreads() for _ in loader] == [1] * len(loader)
        assert cv2.getNumThreads() == 3
        batches = iter(loader)
        next(batches)
        del batches
        assert cv2.getNumThreads() == 3
    finally:
        cv2.setNumThreads(before)


def test_an_interrupt_leaves_no_thread(dataset, monkeypatch):
    loader = PoseLoader(dataset, batch_size=1, threads=2)
    unpack, started = BatchReader.unpack, threading.Event()

    def interrupt(self, packed, arrays):
        if not started.is_set():
            started.set()
            os.kill(os.getpid(), signal.SIGINT)
        unpack(self, packed, arrays)

    monkeypatch.setattr(BatchReader, "unpack", interrupt)
    with pytest.raises(KeyboardInterrupt):
        list(loader)
    gc.collect()
    assert not list_threads()
    assert len(list(loader)) == 8


def test_damage_is_raised_at_its_batch_and_names_the_sample(build, tmp_path):
    damaged = tmp_path / "damaged"
    shutil.copytree(build(), damaged)
    shard = sorted(damaged.glob("shard-*.h5"))[1]  # samples 3 to 5
    with h5py.File(shard) as file:
        place = file["heatmap"].id.get_chunk_info_by_coord((1, 0, 0, 0))
    with shard.open("r+b") as file:
        file.seek(place.byte_offset + place.size // 2)
        file.write(b"\xff" * 8)
    found = []
    with pytest.raises(ShardError, match=r"heatmap\[1\]") as raised:
        found.extend(PoseLoader(damaged, batch_size=2, shuffle=False, threads=2))
    assert shard.name in str(raised.value)
    assert len(found) == 2
    assert not list_threads()


def test_a_batch_that_is_held_is_not_written_to(dataset):
    loader = PoseLoader(dataset, batch_size=2, threads=2, image_dtype="uint8")
    held, copies, views = [], [], []
    for epoch in range(3):
        for batch in loader.epoch(epoch):
            held.append(batch)
            copies.append({name: value.clone() for name, value in batch.items()})
            views.append((batch["heatmap"][1, 2, 3:, 4].numpy(), batch["heatmap"][1, 2, 3:, 4].clone()))
    for batch, copied in zip(held, copies, strict=True):
        for name, value in batch.items():
            assert torch.equal(value, copied[name])
    # Of what is let go now, a view of one tensor stays.
    held.clear()
    del batch, value
    list(loader)
    for view, copied in views:
        np.testing.assert_array_equal(view, copied)


def test_memory_is_filled_again_and_does_not_grow(dataset):
    loader = PoseLoader(dataset, batch_size=2, threads=2)
    list(loader)
    places = set()
    for epoch in range(10):
        places |= {batch["heatmap"].data_ptr() for batch in loader.epoch(epoch)}
    # Three batches ahead, the one that is handed over, and the one that training still has.
    assert len(places) <= 5
    assert len(loader._buffers) <= 5 * 4  # picture and three labels


def test_files_and_batches_are_let_go(dataset):
    loader = PoseLoader(dataset, batch_size=2, threads=2, fields=["heatmap", "keypoints"])
    list(loader)
    opened = len(list(Path("/proc/self/fd").iterdir())) if Path("/proc/self/fd").exists() else None
    for _ in range(5):
        last = weakref.ref(list(loader)[-1]["heatmap"])
        assert last() is None
    if opened is not None:
        assert len(list(Path("/proc/self/fd").iterdir())) == opened


def test_a_killed_process_leaves_nothing_in_shared_memory(dataset):
    code = (
        "import sys; from posegen.loader.torch import PoseLoader\n"
        "for epoch in range(10**6):\n"
        "    for batch in PoseLoader(sys.argv[1], batch_size=2, threads=2).epoch(epoch):\n"
        "        print('a batch', flush=True)\n"
    )
    shared = Path("/dev/shm")
    before = set(shared.iterdir()) if shared.exists() else set()
    with subprocess.Popen([sys.executable, "-c", code, str(dataset)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "a batch\n"
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        assert not children.exists() or not children.read_text()
        process.kill()
    mine = {
        path for path in (set(shared.iterdir()) - before if shared.exists() else ()) if str(process.pid) in path.name
    }
    assert not mine


def test_batches_that_are_held_lie_apart(dataset, monkeypatch):
    laid = []
    lay = Buffers.lay
    monkeypatch.setattr(loader_module.Buffers, "lay", lambda self, *what: laid.append(lay(self, *what)) or laid[-1])
    list(PoseLoader(dataset, batch_size=2, threads=2))
    ranges = sorted((tensor.data_ptr(), tensor.data_ptr() + tensor.nbytes) for tensor in laid)
    assert all(stop <= start for (_, stop), (start, _) in itertools.pairwise(ranges))


class TestBuffers:
    def test_memory_is_lent_again_when_the_last_view_is_gone(self):
        buffers = Buffers()
        tensor = buffers.lay((4, 5), FLOAT)
        place, view = tensor.data_ptr(), tensor.permute(1, 0)[2:].numpy()
        del tensor
        assert buffers.lay((4, 5), FLOAT).data_ptr() != place
        del view
        assert place in [tensor.data_ptr() for tensor in [buffers.lay((4, 5), FLOAT), buffers.lay((4, 5), FLOAT)]]

    def test_a_tensor_has_its_shape_and_is_aligned(self):
        buffers = Buffers()
        for shape, dtype in (((3, 7), BYTE), ((2, 3, 5), FLOAT), ((0, 4), FLOAT)):
            tensor = buffers.lay(shape, dtype)
            assert (tuple(tensor.shape), tensor.numpy().dtype) == (shape, dtype)
            assert tensor.data_ptr() % 64 == 0

    def test_a_little_one_does_not_take_the_place_of_a_large_one(self):
        buffers = Buffers()
        place = buffers.lay((1000,), FLOAT).data_ptr()
        assert buffers.lay((100,), FLOAT).data_ptr() != place
        assert buffers.lay((900,), FLOAT).data_ptr() == place

    def test_what_nobody_uses_is_let_go_in_the_end(self):
        buffers = Buffers()
        many = [buffers.lay((1000,), FLOAT) for _ in range(100)]
        assert len(buffers) == 100
        many.clear()
        buffers.lay((1000,), FLOAT)
        assert len(buffers) <= 25


def test_a_thread_of_the_loader_leaves_the_threads_of_pytorch_to_others():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        with ThreadPoolExecutor(1, initializer=keep_to_one_thread) as pool:
            assert pool.submit(torch.get_num_threads).result() == 1
            with ThreadPoolExecutor(1) as other:
                assert other.submit(torch.get_num_threads).result() == 3
            assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
