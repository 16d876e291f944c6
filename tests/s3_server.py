"""Fixtures: an S3 server in a process of its own, a bucket in it, and the proxy that spoils requests to it."""

from __future__ import annotations

import contextlib
import itertools
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import boto3
import fsspec
import pytest
from botocore.config import Config
from faults import Faults

_numbers = itertools.count()


class Bucket:
    """A bucket of the server, spoken to directly."""

    def __init__(self, port: int, name: str) -> None:
        self.port = port
        self.name = name
        self.client = boto3.client(
            "s3", endpoint_url=f"http://127.0.0.1:{port}", config=Config(s3={"addressing_style": "path"})
        )
        self.client.create_bucket(Bucket=name)

    @property
    def url(self) -> str:
        return f"s3://{self.name}"

    def put(self, key: str, data: bytes) -> None:
        self.client.put_object(Bucket=self.name, Key=key, Body=data)

    def put_folder(self, folder: Path, key: str) -> str:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts):
                self.put(f"{key}/{path.relative_to(folder).as_posix()}", path.read_bytes())
        return f"{self.url}/{key}"

    def get(self, key: str) -> bytes:
        return self.client.get_object(Bucket=self.name, Key=key)["Body"].read()

    def list(self, key: str = "") -> list[str]:
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=key)
        return [item["Key"] for page in pages for item in page.get("Contents", [])]


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Start the server, and yield its port."""
    keys = {"AWS_ACCESS_KEY_ID": "tests", "AWS_SECRET_ACCESS_KEY": "tests", "AWS_DEFAULT_REGION": "us-east-1"}
    os.environ.update(keys)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    log = (tmp_path_factory.mktemp("server") / "log").open("wb")
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        until = time.monotonic() + 60
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.1)
        yield port
    finally:
        process.kill()
        process.wait()
        log.close()


@pytest.fixture
def bucket(server: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """Make a bucket that posegen reaches, in this process and in those it starts, and an empty cache."""
    monkeypatch.setenv("POSEGEN_CACHE", str(tmp_path / "kept"))
    point_at(server, monkeypatch)
    return Bucket(server, f"bucket-{next(_numbers)}")


def point_at(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let fsspec speak to another port."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    fsspec.get_filesystem_class("s3").clear_instance_cache()


Spoil = Callable[..., contextlib.AbstractContextManager[Faults]]


@pytest.fixture
def spoil(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> Spoil:
    """Put the proxy between posegen and the server: `with spoil(share=0.2, seed=1) as faults`."""

    @contextlib.contextmanager
    def between(**options: object) -> Iterator[Faults]:
        with Faults(bucket.port, **options) as faults:  # type: ignore[arg-type]
            point_at(faults.port, monkeypatch)
            try:
                yield faults
            finally:
                point_at(bucket.port, monkeypatch)

    return between
