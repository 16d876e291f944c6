"""Modules import only from rows above their own, as DESIGN.md has it."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import posegen

ROOMS = (
    "errors",
    "files",
    "skeleton",
    "geometry",
    "augmentation",
    "grid",
    "labels",
    "config",
    "headers",
    "images",
    "spread",
    "rle",
    "audit",
    "annotations",
    "segmentation",
    "crops",
    "plan",
    "estimate",
    "chunks",
    "hdf5",
    "shard",
    "worker",
    "manifest",
    "shuffling",
    "pool",
    "mirror",
    "dataset",
    "adapters",
    "state",
    "executors",
    "pipeline",
    "comparison",
    "verification",
    "differences",
    "restoration",
    "synthetic",
    "pictures",
    "diagram",
    "inspection",
    "bench",
    "cli",
)
"""From the lowest to the highest. A package is one room; `posegen/__init__` and `__main__` are the doors."""

PACKAGE = Path(posegen.__file__).parent
DOORS = {"__init__.py", "__main__.py"}


def modules() -> list[str]:
    """Every module of the package but the doors, as a path relative to it."""
    found = (path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py"))
    return sorted(set(found) - DOORS)


def room_of(module: str) -> str:
    return module.split("/", maxsplit=1)[0].removesuffix(".py")


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the line and the full name of everything a module imports, at whatever depth."""
    package = ("posegen", *path.relative_to(PACKAGE).parent.parts)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = list(package[: len(package) - node.level + 1]) if node.level else []
            start = ".".join([*base, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{start}.{alias.name}") for alias in node.names)


def own_imports(module: str) -> Iterator[tuple[int, str]]:
    """Yield the line and the room of what a module imports from posegen."""
    for line, name in imports(PACKAGE / module):
        parts = name.split(".")
        if parts[0] == "posegen" and name != "posegen.__version__":
            yield line, parts[1] if len(parts) > 1 else "posegen itself"


@pytest.mark.parametrize("module", modules())
def test_a_module_has_its_room(module: str) -> None:
    assert room_of(module) in ROOMS


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_has_modules(room: str) -> None:
    assert room in {room_of(module) for module in modules()}


@pytest.mark.parametrize("module", modules())
def test_a_module_imports_from_rows_above_its_own_alone(module: str) -> None:
    mine = room_of(module)
    allowed = {mine, *ROOMS[: ROOMS.index(mine)]}
    wrong = [f"{module}:{line} imports {room}" for line, room in own_imports(module) if room not in allowed]
    assert wrong == []


def test_the_walk_finds_imports_at_every_depth(tmp_path: Path) -> None:
    names = {name for _, name in imports(PACKAGE / "inspection.py")}
    assert "posegen.shard.ShardReader" in names
    assert "posegen.pictures.draw_sample" in names
    assert {room for _, room in own_imports("worker.py")} >= {"images", "labels", "plan", "shard"}


def test_the_specification_is_read_by_benchmarks_alone() -> None:
    readers = set()
    for module in modules():
        for _, name in imports(PACKAGE / module):
            if name.startswith("posegen.labels.reference"):
                readers.add(room_of(module))
    assert readers <= {"bench"}


@pytest.mark.parametrize("module", modules())
def test_click_is_known_to_the_command_line_alone(module: str) -> None:
    foreign = {name.split(".")[0] for _, name in imports(PACKAGE / module)}
    assert room_of(module) == "cli" or not foreign & {"click", "tqdm"}


@pytest.mark.parametrize("module", [m for m in modules() if room_of(m) == "cli"])
def test_the_command_line_knows_no_hdf5_and_no_pixels(module: str) -> None:
    foreign = {name.split(".")[0] for _, name in imports(PACKAGE / module)}
    assert not foreign & {"h5py", "hdf5plugin", "cv2", "numpy", "pycocotools", "multiprocessing"}


@pytest.mark.parametrize("module", modules())
def test_a_module_imports_only_what_pyproject_promises(module: str) -> None:
    promised = {"click", "cv2", "h5py", "hdf5plugin", "numpy", "pycocotools", "tomli", "tqdm"}
    foreign = {name.split(".")[0] for _, name in imports(PACKAGE / module)}
    foreign -= {*sys.stdlib_module_names, "posegen", "typing_extensions"}
    if room_of(module) == "adapters":
        foreign -= {module.split("/")[1]}  # an adapter's extra has its name
    if room_of(module) == "bench":
        foreign -= {"torch"}  # it measures the DataLoader that others read with
    # They do without.
    foreign -= {"chunks.py": {"zstandard"}, "images.py": {"simplejpeg"}}.get(module, set())
    assert foreign <= promised
