"""What commands say where nobody sees a bar, and where the system lacks something."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import posegen
from posegen.cli import progress

if TYPE_CHECKING:
    from conftest import Run


def test_without_a_terminal_there_is_a_line_every_half_minute(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = 1000.0
    monkeypatch.setattr(progress.time, "monotonic", lambda: now)
    with progress.show_samples() as bar:
        for step in range(151):  # one sample a second, of which the first 100 stood already
            now = 1000.0 + step
            bar.show(100 + step, 1100)
    assert capsys.readouterr().err.splitlines() == [
        "130 of 1,100 samples, 1.0 a second, about 16 min left",
        "160 of 1,100 samples, 1.0 a second, about 16 min left",
        "190 of 1,100 samples, 1.0 a second, about 15 min left",
        "220 of 1,100 samples, 1.0 a second, about 15 min left",
        "250 of 1,100 samples, 1.0 a second, about 14 min left",
    ]


def test_quiet_is_quiet_and_short_work_needs_no_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = 0.0
    monkeypatch.setattr(progress.time, "monotonic", lambda: now)
    for quiet, seconds in ((True, 1000.0), (False, 20.0)):
        now = 0.0
        with progress.show_samples(quiet=quiet) as bar:
            bar.show(1, 10)
            now = seconds
            bar.show(9, 10)
    assert capsys.readouterr().err == ""


def test_a_command_works_where_its_streams_are_closed(tmp_path: Path) -> None:
    root = dataset_source(tmp_path)
    environment = os.environ | {"PYTHONPATH": str(Path(posegen.__file__).parents[1])}
    for name, closed in (("err", "2>&-"), ("both", ">&- 2>&-")):
        words = ["build", "--coco", str(root), "--out", str(tmp_path / name), "--workers", "1"]
        shell = ["sh", "-c", f'exec "$@" {closed}', "sh", sys.executable, "-m", "posegen", *words]
        done = subprocess.run(shell, capture_output=True, text=True, env=environment, timeout=60, check=False)
        assert done.returncode == 0
        assert (tmp_path / name / "manifest.json").exists()
        assert "disk" not in done.stdout, "what is said meanwhile"


def test_a_directory_that_cannot_be_made_speaks_of_no_shards(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    root = dataset_source(tmp_path)
    outcome = run("build", "--coco", root, "--out", tmp_path / "file" / "out", "--workers", 1)
    assert outcome.status == 1
    assert "Not a directory" in outcome.err
    assert "shards" not in outcome.err


def dataset_source(directory: Path) -> Path:
    from conftest import Coco

    coco = Coco(directory / "coco")
    coco.person(coco.image(40, 30))
    return coco.write()


def test_a_library_that_the_system_lacks_is_a_message(tmp_path: Path) -> None:
    (tmp_path / "cv2").mkdir()
    said = "libGL.so.1: cannot open shared object file: No such file or directory"
    (tmp_path / "cv2" / "__init__.py").write_text(f"raise ImportError({said!r})\n")
    paths = os.pathsep.join([str(tmp_path), str(Path(posegen.__file__).parents[1])])
    for arguments in (["build", "--coco", dataset_source(tmp_path), "--out", tmp_path / "out"], ["sample", "x"]):
        command = [sys.executable, "-m", "posegen", *map(str, arguments)]
        environment = os.environ | {"PYTHONPATH": paths}
        done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, check=False)
        assert done.returncode == 2, done.stderr
        assert done.stderr.startswith("Error: the system has no libGL.so.1, which a package needs")
        assert "opencv-python-headless" in done.stderr
        assert "Traceback" not in done.stderr
