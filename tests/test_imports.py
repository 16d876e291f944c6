"""What modules import from other packages; import-linter's contracts in pyproject.toml hold the rooms apart."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import posegen

PACKAGE = Path(posegen.__file__).parent
PROMISED = {"click", "cv2", "h5py", "hdf5plugin", "numpy", "pycocotools", "tomli", "tqdm"}
EXTRAS = {
    "annotations/coco/outlines.py": {"msgspec"},
    "annotations/coco/quick.py": {"msgspec"},
    "annotations/coco/typed.py": {"msgspec"},
    "bench": {"torch"},  # it measures the DataLoader that others read with
    "build/executors/dask.py": {"dask", "distributed"},
    "build/executors/remote.py": {"distributed"},
    "bench/peers": {"ffcv", "litdata", "streaming", "webdataset"},
    "images/codec.py": {"simplejpeg"},
    "labels/online/tensorflow.py": {"tensorflow"},
    "labels/online/torch/": {"torch"},
    "loader/tensorflow": {"tensorflow"},
    "loader/torch": {"torch"},
    "shards/checksum.py": {"isal"},
    "shards/codecs.py": {"zstandard"},
}
"""What some modules and rooms may import that is no dependency: they do without, or say what brings it."""


def imported(path: Path) -> Iterator[str]:
    """Yield the packages that a module imports, at whatever depth."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: imports are absolute"
            yield (node.module or "").partition(".")[0]


def test_a_module_imports_only_what_pyproject_promises() -> None:
    seen = set()
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).as_posix()
        extras = {package for place, some in EXTRAS.items() if name.startswith(place) for package in some}
        foreign = set(imported(path)) - {*sys.stdlib_module_names, "posegen", "typing_extensions"}
        assert foreign <= PROMISED | extras, name
        seen |= foreign
    assert seen >= PROMISED - {"tomli"}  # imported by its name where Python has no tomllib


WINDOWS = """
import importlib, os, signal, sys
import multiprocessing.resource_tracker, multiprocessing.synchronize, subprocess, tempfile, cv2, h5py, tqdm, click

for name in ("fcntl", "grp", "posix", "pwd", "resource", "termios"):
    sys.modules[name] = None
for name in ("SIGHUP", "SIGKILL", "SIG_BLOCK", "SIG_UNBLOCK", "SIG_SETMASK", "pthread_sigmask"):
    delattr(signal, name)
for name in ("sched_getaffinity", "register_at_fork", "getuid"):
    delattr(os, name)
for name in sys.argv[1:]:
    importlib.import_module(name)
"""


def test_modules_can_be_imported_where_there_is_no_posix() -> None:
    paths = [path.relative_to(PACKAGE.parent).with_suffix("") for path in sorted(PACKAGE.rglob("*.py"))]
    names = [".".join(path.parts).removesuffix(".__init__") for path in paths]
    named = [name for name in names if not {"torch", "tensorflow", "__main__", "reading"} & {*name.split(".")}]
    command = [sys.executable, "-c", WINDOWS, *named]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd=PACKAGE.parent)
    assert done.returncode == 0, done.stderr
