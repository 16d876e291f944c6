"""A bucket that is a folder of this disk, behind URLs of a scheme of its own: without fsspec, without a network."""

from __future__ import annotations

import errno
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from posegen.shards import Manifest
from posegen.storage import remote

SCHEME = "pail"
Spoil = Callable[[str, bytes], bytes]


class Bucket:
    """As much of a file system of fsspec as reading needs; remembers what is asked of it, and may give other bytes."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.asked: list[tuple[str, int | None, int | None]] = []
        self.written: list[str] = []
        self.spoil: Spoil = lambda path, data: data
        self.before: Callable[[str], None] = lambda path: None
        self.most_at_once = self._at_once = 0
        self._lock = threading.Lock()

    def cat_file(self, path: str, start: int | None = None, end: int | None = None) -> bytes:
        with self._lock:
            self.asked.append((path, start, end))
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            self.before(path)
            return self.spoil(path, (self.root / path).read_bytes()[start:end])
        finally:
            with self._lock:
                self._at_once -= 1

    def info(self, path: str) -> dict[str, Any]:
        place = self.root / path
        if not place.exists():
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", f"{SCHEME}://{path}")
        kind = "directory" if place.is_dir() else "file"
        return {"name": path, "type": kind, "size": place.stat().st_size, "ETag": str(place.stat().st_mtime_ns)}

    def ls(self, path: str, detail: bool) -> list[dict[str, Any]]:
        self.info(path)
        return [self.info(f"{path}/{inner.name}") for inner in sorted((self.root / path).iterdir())]

    def pipe_file(self, path: str, data: bytes) -> None:
        self.written.append(path)
        self.before(path)
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)

    def cp_file(self, path: str, target: str) -> None:
        (self.root / target).write_bytes((self.root / path).read_bytes())

    def rm_file(self, path: str) -> None:
        (self.root / path).unlink()

    def find(self, path: str) -> list[str]:
        return [str(p.relative_to(self.root)) for p in (self.root / path).rglob("*") if p.is_file()]

    def fetched(self) -> list[str]:
        """The names of the shards that were read, each as often as its first byte was."""
        return [path.rpartition("/")[2] for path, start, _ in self.asked if path.endswith(".h5") and not start]


@pytest.fixture
def bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    made = Bucket(tmp_path / "bucket")
    made.root.mkdir()
    monkeypatch.setattr(remote, "_open_system", lambda url: (made, url.removeprefix(f"{SCHEME}://")))
    monkeypatch.setattr(remote, "_FIRST_PAUSE", 0.0)
    monkeypatch.setenv("POSEGEN_CACHE", str(tmp_path / "kept"))
    return made


@pytest.fixture
def elsewhere(bucket: Bucket, dataset: Path) -> Manifest:
    """The dataset of three shards, in the bucket at `some/pose`."""
    shutil.copytree(dataset, bucket.root / "some" / "pose", ignore=shutil.ignore_patterns(".posegen"))
    return Manifest.read(dataset)
