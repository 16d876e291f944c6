"""Fixtures: what `builds.write_source` writes and the dataset of it, both once a module; and a copy, to be changed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from builds import CONFIG, write_source
from executors import InProcess

import posegen


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_source(tmp_path_factory.mktemp("source") / "coco")


@pytest.fixture(scope="module")
def built(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("built") / "out"
    posegen.build(source, out, CONFIG, executor=InProcess())
    return out


@pytest.fixture
def copy(source: Path, tmp_path: Path) -> Path:
    """What `source` is, to be changed."""
    return shutil.copytree(source, tmp_path / "copy")
