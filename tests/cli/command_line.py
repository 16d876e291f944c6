"""How tests call the command line: in a process of its own, or with what it would do caught before it is done."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import posegen

if TYPE_CHECKING:
    from conftest import Outcome, Run

    from posegen.config import BuildConfig
    from posegen.shards.manifest import Manifest


def run_process(*arguments: object, flags: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """Run the command line as a user does, in a process of its own, from anywhere."""
    environment = os.environ | {"PYTHONPATH": str(Path(posegen.__file__).parents[1])}
    command = [sys.executable, *flags, "-m", "posegen", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120, check=False)


def imported(log: str) -> set[str]:
    """Read the packages from what `python -X importtime` prints."""
    return {line.rsplit("|", maxsplit=1)[-1].strip().split(".")[0] for line in log.splitlines() if "|" in line}


class CaughtError(Exception):
    """Thrown out of `build` by `catch_build`, with how it was called."""


def catch_build(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Catch how `posegen.build.pipeline.build` is called instead of building."""
    call: dict[str, Any] = {}

    def build(coco: Path, out: Path, config: BuildConfig, **options: Any) -> Manifest:
        call.update(coco=coco, out=out, config=config, **options)
        raise CaughtError

    monkeypatch.setattr("posegen.build.pipeline.build", build)
    return call


def configure(run: Run, call: dict[str, Any], *options: object) -> BuildConfig:
    """Call `posegen build` and return the configuration that was caught."""
    call.clear()
    with pytest.raises(CaughtError):
        run("build", "--coco", "coco", "--out", "out", *options)
    return call["config"]


def fail_to_build(run: Run, out: Path, coco: Path, status: int, *options: object) -> str:
    """Build what cannot be built; returns the message, which is checked for what every message has to be."""
    workers = () if "--workers" in options else ("--workers", 1)
    outcome: Outcome = run("build", "--coco", coco, "--out", out, *workers, *options)
    assert (outcome.status, outcome.out) == (status, ""), outcome.err
    assert "Traceback" not in outcome.err
    message = outcome.err[outcome.err.index("Error: ") :]
    assert len(message.splitlines()) <= 25
    assert not (out / "manifest.json").exists()
    return message
