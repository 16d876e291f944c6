"""Datasets in a bucket: read as on the disk, through a cache that keeps to its size, whatever the network does."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from builds import CONFIG, write_source
from conftest import Run
from executors import InProcess

from posegen import PoseDataset
from posegen.build.pipeline import build
from posegen.errors import ConfigError, PosegenError, ShardError
from posegen.inspect.diff import compare
from posegen.inspect.summary import describe
from posegen.inspect.verify import verify
from posegen.loader.ahead import follow
from posegen.loader.shuffle import shuffle_shards
from posegen.shards.fetch import fetch

if TYPE_CHECKING:
    from s3_server import Bucket, Spoil

pytest_plugins = ("s3_server",)


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixteen samples in eight shards."""
    root = tmp_path_factory.mktemp("local")
    build(write_source(root / "coco"), root / "pose", dataclasses.replace(CONFIG, shard_size=2), executor=InProcess())
    return root / "pose"


@pytest.fixture
def url(bucket: Bucket, local: Path) -> str:
    return bucket.put_folder(local, "some/pose")


def same(a: PoseDataset, b: PoseDataset, order: list[int] | None = None) -> None:
    for i in range(len(b)) if order is None else order:
        mine, theirs = a[i], b[i]
        assert mine.keys() == theirs.keys()
        for name, value in theirs.items():
            np.testing.assert_array_equal(mine[name], value)


def kept(at: Path) -> list[Path]:
    return sorted((at / "kept" / "shards").glob("*.h5"))


def test_a_dataset_in_a_bucket_is_read_like_one_on_the_disk(url: str, local: Path, run: Run, tmp_path: Path) -> None:
    same(PoseDataset(url), PoseDataset(local))
    here, there = describe(local), describe(url)
    assert {**there, "path": None} == {**here, "path": None}
    assert verify(url, executor=InProcess()) == []
    assert compare(url, local, executor=InProcess()).equal
    assert compare(local, url, executor=InProcess()).equal
    assert run("inspect", url, "--sample", 3, "--save", tmp_path / "a.png").status == 0
    assert run("inspect", local, "--sample", 3, "--save", tmp_path / "b.png").status == 0
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert "all as recorded" in run("verify", url, "--workers", 2).out


def test_what_is_not_there_or_not_as_recorded_is_named(
    bucket: Bucket, url: str, local: Path, run: Run, tmp_path: Path
) -> None:
    manifest = json.loads((local / "manifest.json").read_text())
    names = [shard["file"] for shard in manifest["shards"]]
    data = bytearray(bucket.get(f"some/pose/{names[2]}"))
    data[len(data) // 2] ^= 1
    bucket.put(f"some/pose/{names[2]}", bytes(data))
    bucket.put(f"some/pose/{names[3]}", bytes(data[:-5]))
    bucket.client.delete_object(Bucket=bucket.name, Key=f"some/pose/{names[4]}")
    found = verify(url, executor=InProcess())
    assert {problem.file for problem in found} == {*names[2:5]}
    first = {name: next(problem.what for problem in found if problem.file == name) for name in names[2:5]}
    assert "its bytes have changed" in first[names[2]]
    assert f"has {len(data) - 5} bytes" in first[names[3]]
    assert first[names[4]] == "missing"
    dataset = PoseDataset(url)
    for shard, said in ((2, "its bytes have changed"), (3, "the manifest says"), (4, "No such file")):
        with pytest.raises(ShardError, match=rf"s3://.*{names[shard]}: .*{said}"):
            dataset[2 * shard]
    with pytest.raises(ShardError, match=f"{names[2]}: its bytes have changed"):
        fetch(url, tmp_path / "copy")
    assert not (tmp_path / "copy" / "manifest.json").exists()
    outcome = run("inspect", f"{bucket.url}/nothing")
    assert (outcome.status, "no such file or directory" in outcome.err) == (2, True)


def test_the_cache_keeps_to_its_size_and_to_what_was_opened_last(url: str, local: Path, tmp_path: Path) -> None:
    sizes = [shard.bytes for shard in PoseDataset(local).manifest.shards]
    room = 3 * max(sizes)
    dataset = PoseDataset(url, cache_size=room, max_open=1)
    for i in [0, 2, 4, 0, 6, 0, 8, 0, 10]:
        dataset[i]
        assert sum(path.stat().st_size for path in kept(tmp_path)) <= room
    assert any("shard-00000-" in path.name for path in kept(tmp_path))
    assert not any("shard-00001-" in path.name for path in kept(tmp_path))
    same(dataset, PoseDataset(local), [15, 3, 8, 0])
    with pytest.raises(ConfigError, match=r"cache_size lets only 1000 be kept"):
        PoseDataset(url, cache_size=1000)[14]
    with pytest.raises(ConfigError, match="cache_size must be a whole number"):
        PoseDataset(url, cache_size=0)


def test_shards_are_fetched_ahead_in_the_order_of_the_sampler(url: str, tmp_path: Path) -> None:
    dataset = PoseDataset(url)
    order = shuffle_shards(dataset.shard_sizes, seed=3, window=2).tolist()
    coming = follow([dataset], order)
    assert next(coming) == order[0]
    dataset[order[0]]
    wanted = {order[0] // 2, 0, *[i // 2 for i in order[:10]]}
    until = time.monotonic() + 30
    while len(kept(tmp_path)) < 5 and time.monotonic() < until:
        time.sleep(0.05)
    time.sleep(0.3)
    found = {int(path.name[6:11]) for path in kept(tmp_path)}
    assert 5 <= len(found) <= 6  # the first to know the labels, the one that is read, and four ahead of it
    assert found <= wanted


def test_forty_readers_share_what_is_fetched(url: str, local: Path, tmp_path: Path) -> None:
    sizes = [shard.bytes for shard in PoseDataset(local).manifest.shards]
    expected = PoseDataset(local)

    def read(seed: int) -> None:
        order = random.Random(seed).sample(range(16), 8)
        same(PoseDataset(url, cache_size=2 * max(sizes), max_open=2), expected, order)

    with ThreadPoolExecutor(10) as threads:
        list(threads.map(read, range(40)))
    assert sum(path.stat().st_size for path in kept(tmp_path)) <= 2 * max(sizes)
    assert not list((tmp_path / "kept" / "shards").glob(".*.partial"))


READER = """
import sys, random
from posegen import PoseDataset
data = PoseDataset(sys.argv[1], cache_size=int(sys.argv[2]))
drawn = random.Random(int(sys.argv[3]))
while True:
    data[drawn.randrange(len(data))]
    print(".", end="", flush=True)
"""


def test_killed_readers_leave_nothing_that_others_stumble_over(
    url: str, local: Path, tmp_path: Path, spoil: Spoil
) -> None:
    room = 2 * max(shard.bytes for shard in PoseDataset(local).manifest.shards)
    with spoil(share=0.1, seed=2) as faults:
        for seed in range(4):
            readers = [
                subprocess.Popen([sys.executable, "-c", READER, url, str(room), str(10 * seed + n)], stdout=-1)
                for n in range(3)
            ]
            for reader in readers:
                assert reader.stdout is not None
                reader.stdout.read(1)
            time.sleep(0.1 * seed)
            for reader in readers:
                reader.send_signal(signal.SIGKILL)
                reader.communicate()
    assert faults.total > 0
    same(PoseDataset(url, cache_size=room), PoseDataset(local))
    assert sum(path.stat().st_size for path in kept(tmp_path)) <= room
    assert not list((tmp_path / "kept" / "shards").glob(".*.partial"))


def read_in_a_fork(url: str, order: list[int], local: Path) -> None:
    same(PoseDataset(url), PoseDataset(local), order)


def test_a_dataset_is_read_by_forked_and_spawned_processes(url: str, local: Path) -> None:
    PoseDataset(url)[0]  # so that there is a connection to inherit
    for method in ("fork", "spawn"):
        context = multiprocessing.get_context(method)
        processes = [context.Process(target=read_in_a_fork, args=(url, [i, 15 - i], local)) for i in range(3)]
        for process in processes:
            process.start()
        for process in processes:
            process.join(120)
            assert process.exitcode == 0, method


def campaign(url: str, local: Path, at: Path, spoil: Spoil, *, wanted: int, seed: int) -> None:
    """Read and fetch until so many requests were spoilt; what is read is right, and what fails says so."""
    expected = PoseDataset(local)
    room = 3 * max(shard.bytes for shard in expected.manifest.shards)
    drawn = random.Random(seed)
    good = bad = 0
    with spoil(share=0.25, seed=seed, corrupt=True) as faults:
        while faults.total < wanted:
            try:
                if drawn.random() < 0.2:
                    fetch(url, at / "copy")
                    for path in (path for path in local.iterdir() if path.is_file()):
                        assert (at / "copy" / path.name).read_bytes() == path.read_bytes()
                    for path in (at / "copy").iterdir():
                        path.unlink()
                else:
                    same(PoseDataset(url, cache_size=room), expected, drawn.sample(range(16), 6))
                good += 1
            except PosegenError:
                bad += 1  # more faults in a row than are tried
            assert sum(path.stat().st_size for path in kept(at)) <= room
    assert good > bad
    same(PoseDataset(url, cache_size=room), expected)


def test_nothing_that_is_read_is_wrong_whatever_the_network_does(
    url: str, local: Path, tmp_path: Path, spoil: Spoil
) -> None:
    campaign(url, local, tmp_path, spoil, wanted=int(os.environ.get("POSEGEN_FAULTS", "60")), seed=1)


def test_fetching_goes_on_where_it_was_killed(url: str, local: Path, tmp_path: Path, spoil: Spoil) -> None:
    command = [sys.executable, "-m", "posegen", "fetch", url, str(tmp_path / "copy")]
    with spoil(share=0.2, seed=4):
        for wait in (0.8, 1.2, 1.6, 2.0):
            process = subprocess.Popen(command, stdout=-3, stderr=-3)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(wait)
            process.kill()
            process.wait()
    assert subprocess.run(command, check=False, capture_output=True, timeout=120).returncode == 0
    assert {path.name for path in (tmp_path / "copy").iterdir()} == {p.name for p in local.iterdir() if p.is_file()}
    assert verify(tmp_path / "copy", executor=InProcess()) == []
    (tmp_path / "copy" / "notes.txt").write_text("mine")
    with pytest.raises(ConfigError, match=r"holds notes\.txt"):
        fetch(url, tmp_path / "copy")


def test_a_server_that_lists_nothing_is_read_by_the_manifest(
    bucket: Bucket, local: Path, run: Run, tmp_path: Path
) -> None:
    bucket.client.put_bucket_acl(Bucket=bucket.name, ACL="public-read")
    bucket.put_folder(local, "pose")
    url = f"http://127.0.0.1:{bucket.port}/{bucket.name}/pose"
    same(PoseDataset(url), PoseDataset(local))
    assert "16 samples" in run("inspect", url).out
    fetch(url, tmp_path / "copy")
    assert verify(tmp_path / "copy", executor=InProcess()) == []
