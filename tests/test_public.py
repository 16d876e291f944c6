"""The names that users import."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import pkgutil
import subprocess
import sys

import posegen
from posegen.build.pipeline import build
from posegen.errors import MissingExtraError


def test_every_public_name_is_there() -> None:
    assert all(hasattr(posegen, name) for name in posegen.__all__)
    assert set(posegen.__all__) <= set(dir(posegen))


def test_every_name_that_a_module_offers_is_there() -> None:
    offering = []
    for info in pkgutil.walk_packages(posegen.__path__, "posegen.", onerror=lambda name: None):
        with contextlib.suppress(ImportError, MissingExtraError):  # what is for another package, which is not here
            offering += [module for module in [importlib.import_module(info.name)] if hasattr(module, "__all__")]
    assert len(offering) > 8
    for module in offering:
        assert len(set(module.__all__)) == len(module.__all__), module.__name__
        assert all(hasattr(module, name) for name in module.__all__), module.__name__


def test_build_is_a_function_to_who_calls_it_whether_its_room_was_imported_or_not() -> None:
    ask = "import posegen, inspect; print(callable(posegen.build), list(inspect.signature(posegen.build).parameters))"
    expected = f"True {list(inspect.signature(build).parameters)}"
    for before in ("", "import posegen.build.plan; "):
        found = subprocess.run([sys.executable, "-c", before + ask], capture_output=True, text=True, check=True)
        assert found.stdout.strip() == expected
