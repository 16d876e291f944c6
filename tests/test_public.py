"""The names that users import."""

from __future__ import annotations

import inspect
import subprocess
import sys

import posegen
from posegen.build.pipeline import build


def test_every_public_name_is_there() -> None:
    assert all(hasattr(posegen, name) for name in posegen.__all__)
    assert set(posegen.__all__) <= set(dir(posegen))


def test_build_is_a_function_to_who_calls_it_whether_its_room_was_imported_or_not() -> None:
    ask = "import posegen, inspect; print(callable(posegen.build), list(inspect.signature(posegen.build).parameters))"
    expected = f"True {list(inspect.signature(build).parameters)}"
    for before in ("", "import posegen.build.plan; "):
        found = subprocess.run([sys.executable, "-c", before + ask], capture_output=True, text=True, check=True)
        assert found.stdout.strip() == expected
