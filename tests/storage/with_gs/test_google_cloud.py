"""Google Cloud Storage, by its own client and a server of its protocol: what is built there, and read from it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import fsspec
import numpy as np
import pytest
from builds import CONFIG, build_command, shards
from executors import InProcess

from posegen import PoseDataset
from posegen.build.pipeline import build
from posegen.inspect.diff import compare
from posegen.inspect.verify import verify
from posegen.shards.fetch import fetch

pytest_plugins = ("built",)

BUCKET = "gs://pose"
_PATIENCE_S = 30.0


@pytest.fixture(scope="module")
def server() -> Iterator[None]:
    """Run the server, and have clients in this process and its children speak to it, without a key."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {
        "STORAGE_EMULATOR_HOST": f"http://127.0.0.1:{port}",
        "GOOGLE_CLOUD_PROJECT": "tests",
        "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false",  # which asks for a key to ask what the bucket is
    }
    command = Path(sys.executable).with_name("gcp-storage-emulator")
    process = subprocess.Popen(
        [command, "start", "--host=127.0.0.1", f"--port={port}", "--in-memory", "--default-bucket=pose"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        try:
            _wait_for(port, process)
            yield
        finally:
            process.terminate()
            process.wait()


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + _PATIENCE_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            assert process.poll() is None, "the server ended"
            assert time.monotonic() < end, "the server does not answer"
            time.sleep(0.05)
        else:
            return


@pytest.mark.usefixtures("server")
def test_a_dataset_built_there_has_the_bytes_of_one_on_the_disk(source: Path, built: Path, tmp_path: Path) -> None:
    url = f"{BUCKET}/built"
    build(source, url, CONFIG, workers=2)
    fetch(url, tmp_path / "fetched")
    assert shards(tmp_path / "fetched") == shards(built)
    assert verify(url, executor=InProcess()) == []
    assert compare(url, built, executor=InProcess()).equal
    there, here = PoseDataset(url), PoseDataset(built)
    assert len(there) == len(here) == 16
    for index in (0, 15):
        for name, values in here[index].items():
            if isinstance(values, np.ndarray):
                np.testing.assert_array_equal(there[index][name], values)


@pytest.mark.usefixtures("server")
def test_annotations_and_pictures_are_read_there(source: Path, built: Path, tmp_path: Path) -> None:
    fsspec.filesystem("gs").put(str(source), f"{BUCKET}/coco", recursive=True)
    build(f"{BUCKET}/coco", tmp_path / "out", CONFIG, workers=2)
    assert shards(tmp_path / "out") == shards(built)


@pytest.mark.usefixtures("server")
def test_what_was_changed_there_is_found_and_built_again(source: Path, built: Path, tmp_path: Path) -> None:
    url, bucket = f"{BUCKET}/changed", fsspec.filesystem("gs")
    build(source, url, CONFIG, workers=2)
    name = sorted(shards(built))[1]
    bucket.pipe(f"{url}/{name}", shards(built)[name][:-1] + b"\1")
    assert {problem.file for problem in verify(url, executor=InProcess())} == {name}
    build(source, url, CONFIG, workers=2)
    assert verify(url, executor=InProcess()) == []


@pytest.mark.usefixtures("server")
def test_the_command_line_takes_such_urls(source: Path, built: Path) -> None:
    url = f"{BUCKET}/commanded"
    done = subprocess.run(build_command(source, url), capture_output=True, text=True, check=False, env=dict(os.environ))
    assert done.returncode == 0, done.stderr
    assert url in done.stdout
    assert len(PoseDataset(url)) == len(PoseDataset(built))
