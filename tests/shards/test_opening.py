"""Opening sound shards where the system makes it hard, and saying so where it cannot be done."""

from __future__ import annotations

import contextlib
import errno
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import pytest
from hostile import find_error, read, write

import posegen
from posegen.errors import ShardError
from posegen.shards import ShardReader

fcntl = pytest.importorskip("fcntl")


def hold(path: Path, held: Any, end: Any) -> None:
    """Lock a file for oneself until told to end."""
    with path.open("r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        held.set()
        end.wait(120)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Have another process hold a lock on a file that admits nobody else's."""
    spawning = multiprocessing.get_context("spawn")
    held, end = spawning.Event(), spawning.Event()
    process = spawning.Process(target=hold, args=(path, held, end))
    process.start()
    try:
        assert held.wait(120)
        yield
    finally:
        end.set()
        process.join()


@pytest.fixture
def shard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("HDF5_USE_FILE_LOCKING", raising=False)
    return write(tmp_path / "shard.h5")


def test_a_shard_that_somebody_else_has_locked_is_read(shard: Path) -> None:
    expected = read(shard)
    with locked(shard):
        with pytest.raises(OSError, match="unable to lock file"):
            h5py.File(shard)
        found = read(shard)
        # Twice at once, too: HDF5 opens a file again only as it did before.
        with ShardReader(shard) as one, ShardReader(shard) as other:
            assert len(one) == len(other) == 3
    assert found.keys() == expected.keys()
    assert all((found[key] == expected[key]).all() for key in expected)


def test_a_shard_on_a_file_system_without_locks_is_read(shard: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened, real = [], h5py.File

    def open_file(path: Path, mode: str, **options: Any) -> h5py.File:
        opened.append(options.get("locking"))
        if options.get("locking") is not False:
            raise OSError(errno.ENOLCK, "Unable to synchronously open file (unable to lock file, errno = 37)")
        return real(path, mode, **options)

    monkeypatch.setattr(h5py, "File", open_file)
    with ShardReader(shard) as reader:
        assert len(reader) == 3
    assert opened == [None, False]


def test_plain_h5py_opens_a_shard_that_is_being_read(shard: Path) -> None:
    with ShardReader(shard) as reader, h5py.File(shard) as file:
        assert len(reader) == len(file["heatmap"])
    with h5py.File(shard) as file, ShardReader(shard) as reader:
        assert len(reader) == len(file["heatmap"])


def run_limited(path: Path, before: str, **environment: str) -> str:
    """Open a shard in a process of its own, to which something happens when all is imported."""
    code = f"""
import os, resource, sys
from pathlib import Path
from posegen.errors import ShardError
from posegen.shards import ShardReader
{before}
try:
    ShardReader(Path(sys.argv[1]))
except ShardError as error:
    print(error)
else:
    print("opened")
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        env=os.environ | environment, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_what_the_system_refuses_is_said_and_is_no_damage(shard: Path) -> None:
    assert run_limited(shard, "") == "opened"
    few = "resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))"
    assert run_limited(shard, few) == f"{shard}: cannot be opened: Too many open files"
    shard.chmod(0)
    nobody = "os.getuid() or os.setuid(65534)"
    assert run_limited(shard, nobody) == f"{shard}: cannot be opened: Permission denied"


def test_a_lock_that_the_environment_asks_for_is_named(shard: Path) -> None:
    with locked(shard):
        said = run_limited(shard, "", HDF5_USE_FILE_LOCKING="TRUE")
    assert said.startswith(f"{shard}: cannot be opened: ")
    assert "HDF5_USE_FILE_LOCKING" in said
    assert "damaged" not in said


def test_a_disk_that_fails_while_a_shard_is_read_is_no_damage(shard: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> bytes:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with ShardReader(shard) as reader:
        monkeypatch.setattr(os, "pread", fail)
        said = find_error(lambda: reader.label(reader.labels[0], 1))
    assert said == f"{shard}: heatmap[1] cannot be read: Input/output error"


def test_a_path_that_nothing_can_have_names_no_shard(tmp_path: Path, shard: Path) -> None:
    for path in (shard / "below.h5", tmp_path / "a\0b.h5"):
        with pytest.raises(ShardError, match="no such shard"):
            ShardReader(path)


def test_a_dataset_is_read_wherever_the_process_goes(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(dataset.parent)
    data = posegen.PoseDataset(dataset.name)
    monkeypatch.chdir(tmp_path)
    assert data[0]["image_id"] == posegen.PoseDataset(dataset)[0]["image_id"]
    assert str(dataset) in repr(data)


def test_a_system_that_cannot_read_shards_says_so_and_nothing_of_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shard = write(tmp_path / "shard.h5")
    monkeypatch.delattr(os, "pread")
    said = find_error(lambda: ShardReader(shard))
    assert said == f"{shard}: cannot be read here: posegen works under Linux and macOS"
