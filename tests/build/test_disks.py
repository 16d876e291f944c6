"""Disks that are full, read-only or gone: one line each, and no finished shard is lost."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from builds import CONFIG, build_command, run_limited, shards, write_source
from executors import InProcess

import posegen
from posegen.errors import BuildError
from posegen.files import TEMPORARY_SUFFIX

build = partial(posegen.build, executor=InProcess())


@pytest.fixture(scope="module")
def coco(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_source(tmp_path_factory.mktemp("coco") / "source")


@pytest.fixture(scope="module")
def reference(coco: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The shards of an undisturbed build."""
    out = tmp_path_factory.mktemp("reference") / "out"
    build(coco, out, CONFIG)
    return shards(out)


def _mounted(directory: Path, size: str) -> bool:
    directory.mkdir()
    if shutil.which("mount") is None:
        return False
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(directory)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 176 kB, for one of four shards, if this process may mount one."""
    disk = tmp_path / "disk"
    if not _mounted(disk, "176k"):
        pytest.skip("mounting a file system takes more rights; the file size limit is tested everywhere")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk_is_one_line_and_the_build_goes_on_when_there_is_room(
    small_disk: Path, coco: Path, reference: dict[str, bytes]
) -> None:
    told: list[str] = []
    with pytest.raises(BuildError, match="No space left on device") as caught:
        build(coco, small_disk / "out", CONFIG, notify=told.append)
    assert "\n" not in str(caught.value)
    assert any("warning" in line for line in told)
    assert not list(small_disk.rglob(f"*{TEMPORARY_SUFFIX}"))
    kept = {path.name: path.read_bytes() for path in small_disk.rglob("*.h5")}
    assert kept
    assert kept.items() <= reference.items()
    subprocess.run(["mount", "-o", "remount,size=8m", str(small_disk)], check=True)
    build(coco, small_disk / "out", CONFIG, notify=told.append)
    assert shards(small_disk / "out") == reference


def test_a_read_only_disk_is_one_line(small_disk: Path, coco: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(BuildError, match="Read-only file system"):
        build(coco, small_disk / "out", CONFIG)


def test_lost_permissions_are_one_line_and_cost_no_finished_shard(
    coco: Path, reference: dict[str, bytes], tmp_path: Path
) -> None:
    without_rights: list[str] = []
    if os.geteuid() == 0:  # whom permissions do not stop
        if shutil.which("setpriv") is None:
            pytest.skip("root without setpriv cannot give its rights up")
        without_rights = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
    out = tmp_path / "out"
    build(coco, out, CONFIG)
    victim = sorted(reference)[1]
    (out / victim).unlink()
    (staged,) = out.glob(".posegen/*/shards")
    staged.chmod(0o555)
    run = subprocess.run(
        [*without_rights, *build_command(coco, out)], capture_output=True, text=True, timeout=60, check=False
    )
    staged.chmod(0o755)
    assert run.returncode == 1
    assert "Permission denied" in run.stderr.splitlines()[-1]
    assert "Traceback" not in run.stderr
    assert shards(out) == {name: data for name, data in reference.items() if name != victim}
    build(coco, out, CONFIG)
    assert shards(out) == reference


def test_a_file_that_may_not_grow_ends_the_build_with_one_line(
    coco: Path, reference: dict[str, bytes], tmp_path: Path
) -> None:
    # 16 kB: the records fit, no shard does. Python ignores SIGXFSZ, so the write fails as on a full disk.
    run = run_limited(build_command(coco, tmp_path / "out"), "-f 16")
    assert run.returncode == 1
    assert os.strerror(errno.EFBIG) in run.stderr.splitlines()[-1]
    assert "Traceback" not in run.stderr
    assert not (tmp_path / "out" / "manifest.json").exists()
    build(coco, tmp_path / "out", CONFIG)
    assert shards(tmp_path / "out") == reference


def test_too_few_open_files_end_the_build_with_one_line(coco: Path, tmp_path: Path) -> None:
    run = run_limited(build_command(coco, tmp_path / "out"), "-n 10")
    assert run.returncode == 1
    assert os.strerror(errno.EMFILE) in run.stderr.splitlines()[-1]
    assert "Traceback" not in run.stderr


def test_an_output_that_vanishes_ends_the_build_with_one_line(coco: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"

    def vanish(done: int, total: int) -> None:
        if done:
            shutil.rmtree(out, ignore_errors=True)

    with pytest.raises(BuildError, match="No such file or directory") as caught:
        build(coco, out, CONFIG, progress=vanish)
    assert "\n" not in str(caught.value)
