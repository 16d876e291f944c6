"""Batches made by processes: what they are, and that nothing is left of the processes."""

import gc
import multiprocessing
import os
import pickle
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import h5py
import pytest
import torch

from posegen.errors import ConfigError, ShardError
from posegen.loader.torch import PoseLoader

EVERYTHING = ["image", "heatmap", "paf", "mask", "image_id", "file_name", "affine", "keypoints", "bbox"]
SHARED = Path("/dev/shm")

pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


@pytest.fixture(autouse=True)
def nothing_stays():
    gc.collect()
    before = set(SHARED.iterdir()) if SHARED.exists() else set()
    yield
    gc.collect()
    assert not multiprocessing.active_children()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("posegen-loader")]
    mine = set(SHARED.iterdir()) - before if SHARED.exists() else set()
    assert not [path for path in mine if f"torch_{os.getpid()}" in path.name]


@pytest.fixture
def start_method():
    """Choose how processes start, until the end of the test."""
    before = multiprocessing.get_start_method()
    yield lambda method: multiprocessing.set_start_method(method, force=True)
    multiprocessing.set_start_method(before, force=True)


def list_processes():
    return {child.pid for child in multiprocessing.active_children()}


def assert_same(found, expected):
    found, expected = list(found), list(expected)
    assert len(found) == len(expected)
    for batch, other in zip(found, expected, strict=True):
        assert list(batch) == list(other)
        for name, value in other.items():
            if isinstance(value, torch.Tensor):
                torch.testing.assert_close(batch[name], value, rtol=0, atol=0, equal_nan=True)
                assert batch[name].stride() == value.stride()
            else:
                assert batch[name] == value


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize(
    "options",
    [
        {"fields": EVERYTHING, "mean": (0.5, 0.4, 0.3), "std": (0.2, 0.3, 0.1)},
        {"fields": EVERYTHING, "views": "scale=0.5-1.1,rotate=40,shift=40,flip=0.5", "image_dtype": "uint8"},
        {"fields": ["image", "heatmap", "keypoints"], "flip": "random", "raw": True},
    ],
)
def test_batches_are_those_of_threads(dataset, options, workers):
    by_threads = PoseLoader(dataset, batch_size=3, seed=5, threads=2, **options)
    loader = PoseLoader(dataset, batch_size=3, seed=5, threads=2, workers=workers, **options)
    for epoch in (0, 1, 4):
        assert_same(loader.epoch(epoch), by_threads.epoch(epoch))


@pytest.mark.parametrize("method", ["forkserver", "spawn"])
def test_processes_need_not_be_forked(dataset, start_method, method):
    start_method(method)
    assert_same(PoseLoader(dataset, batch_size=4, workers=1), PoseLoader(dataset, batch_size=4))
    if method == "forkserver":
        multiprocessing.forkserver._forkserver._stop()


def test_a_saved_state_goes_on_whatever_makes_the_batches(dataset):
    loader = PoseLoader(dataset, batch_size=2, seed=1, workers=2)
    batches = loader.epoch(3)
    next(batches)
    state, left = loader.state_dict(), list(batches)
    again = PoseLoader(dataset, batch_size=2, seed=1)
    again.load_state_dict(state)
    assert_same(again, left)
    loader.load_state_dict(state)
    assert_same(loader, left)


def test_processes_stay_for_the_next_epoch_and_end_with_the_loader(dataset):
    loader = PoseLoader(dataset, batch_size=2, workers=2, fields=["image", "image_id"])
    assert not list_processes()
    list(loader)
    processes = list_processes()
    assert len(processes) == 2
    list(loader)
    assert list_processes() == processes
    loader.close()
    assert not list_processes()
    list(loader)
    assert len(list_processes() - processes) == 2
    del loader
    assert not list_processes()


def test_a_loop_that_is_left_leaves_no_process(dataset):
    loader = PoseLoader(dataset, batch_size=1, workers=2)
    list(loader)
    for _ in loader:
        break
    assert not list_processes()
    batches = iter(loader)
    next(batches)
    del batches
    assert not list_processes()

    def fail():
        for _ in loader:
            raise ValueError("of training")

    with pytest.raises(ValueError, match="of training"):
        fail()
    gc.collect()  # a generator that a traceback has hold of goes on when that is gone
    assert not list_processes()
    assert len(list(loader)) == 8


def test_an_interrupt_leaves_no_process(dataset):
    loader = PoseLoader(dataset, batch_size=1, workers=2)

    def train():
        for _ in loader:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(10)

    with pytest.raises(KeyboardInterrupt):
        train()
    gc.collect()
    assert not list_processes()


def test_passes_may_go_on_at_the_same_time(dataset):
    loader = PoseLoader(dataset, batch_size=2, workers=1, seed=3)
    expected = [list(PoseLoader(dataset, batch_size=2, seed=3).epoch(epoch)) for epoch in (0, 1)]
    found = list(zip(loader.epoch(0), loader.epoch(1), strict=True))
    for batches, others in zip(zip(*found, strict=True), expected, strict=True):
        assert_same(batches, others)
    assert len(list_processes()) == 1
    assert_same(pickle.loads(pickle.dumps(loader)).epoch(1), expected[1])


@pytest.mark.parametrize("threads", [1, 2])
def test_damage_is_raised_at_its_batch_and_names_the_sample(build, tmp_path, threads):
    damaged = tmp_path / "damaged"
    shutil.copytree(build(), damaged)
    shard = sorted(damaged.glob("shard-*.h5"))[1]  # samples 3 to 5
    with h5py.File(shard) as file:
        place = file["heatmap"].id.get_chunk_info_by_coord((1, 0, 0, 0))
    with shard.open("r+b") as file:
        file.seek(place.byte_offset + place.size // 2)
        file.write(b"\xff" * 8)
    found = []
    loader = PoseLoader(damaged, batch_size=2, shuffle=False, workers=2, threads=threads)
    with pytest.raises(ShardError, match=r"heatmap\[1\]") as raised:
        found.extend(loader)
    assert str(raised.value).startswith(str(shard))
    assert len(found) == 2
    assert not list_processes()


def test_what_training_draws_does_not_depend_on_the_processes(dataset):
    torch.manual_seed(4)
    list(PoseLoader(dataset, workers=1, fields=["image_id"]))
    drawn = torch.rand(5)
    torch.manual_seed(4)
    torch.testing.assert_close(drawn, torch.rand(5), rtol=0, atol=0)


def test_a_killed_process_leaves_no_other_and_no_shared_memory(dataset):
    code = (
        "import multiprocessing, sys\n"
        "from posegen.loader.torch import PoseLoader\n"
        "if __name__ == '__main__':\n"
        "    for batch in PoseLoader(sys.argv[1], batch_size=2, workers=2).epoch(0):\n"
        "        print(*(child.pid for child in multiprocessing.active_children()), flush=True)\n"
        "        sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(dataset)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        children = [int(pid) for pid in process.stdout.readline().split()]
        assert len(children) == 2
        process.kill()
    names = [f"torch_{pid}_" for pid in (process.pid, *children)]
    # A process looks for the one that made it every five seconds.
    deadline = time.monotonic() + 120
    while any(map(_is_alive, children)) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not any(map(_is_alive, children))
    assert not SHARED.exists() or not [path for path in SHARED.iterdir() if path.name.startswith(tuple(names))]


def _is_alive(pid):
    """Tell whether there is such a process; one that nobody has taken leave of is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in {"Z", "X"}
    except OSError:
        return False


def test_workers_cannot_be_less_than_none(dataset):
    with pytest.raises(ConfigError, match="workers must be at least 0"):
        PoseLoader(dataset, workers=-1)
