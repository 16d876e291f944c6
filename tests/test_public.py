"""The names that users import."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import inspect
import pkgutil
import subprocess
import sys
import types
import typing
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import posegen
from posegen.build.pipeline import build
from posegen.errors import MissingExtraError


def test_every_public_name_is_there() -> None:
    assert all(hasattr(posegen, name) for name in posegen.__all__)
    assert set(posegen.__all__) <= set(dir(posegen))


def test_every_name_that_a_module_offers_is_there() -> None:
    offering = [module for module in list_modules() if hasattr(module, "__all__")]
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


def list_modules() -> Iterator[types.ModuleType]:
    for info in pkgutil.walk_packages(posegen.__path__, "posegen.", onerror=lambda name: None):
        if not info.name.endswith("__main__"):
            with contextlib.suppress(ImportError, MissingExtraError):  # what is for another package, which is not here
                yield importlib.import_module(info.name)


def list_own(module: types.ModuleType) -> Iterator[Any]:
    """Yield the functions and classes of a module, and the functions of these."""
    for one in vars(module).values():
        if getattr(one, "__module__", None) == module.__name__ and (inspect.isfunction(one) or inspect.isclass(one)):
            yield one
            if inspect.isclass(one):
                for inner in vars(one).values():
                    inner = getattr(inner, "__func__", inner)  # noqa: PLW2901
                    made = inspect.isfunction(inner) and dataclasses.is_dataclass(one) and inner.__name__ == "__init__"
                    if inspect.isfunction(inner) and not made:
                        yield inner


def list_defaults(one: Any) -> Iterator[tuple[str, Any]]:
    if inspect.isfunction(one):
        found = inspect.signature(one).parameters.values()
        yield from ((each.name, each.default) for each in found if each.default is not inspect.Parameter.empty)
    elif dataclasses.is_dataclass(one):
        for field in dataclasses.fields(one):
            if field.default is not dataclasses.MISSING:
                yield field.name, field.default
            elif field.default_factory is not dataclasses.MISSING:
                yield field.name, field.default_factory()


def is_of(value: Any, hint: Any) -> bool:
    """Tell whether a value is of a type, as far as that can be told of what it holds."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return any(is_of(value, one) for one in inner)
    if origin is typing.Literal:
        return value in inner
    if origin is Callable or hint is Callable:
        return callable(value)
    if origin is tuple and isinstance(value, tuple):
        wanted = [inner[0]] * len(value) if inner[1:] == (...,) else inner
        return len(value) == len(wanted) and all(map(is_of, value, wanted))
    if hint in (int, float):
        return isinstance(value, (int, hint)) and not isinstance(value, bool)
    kind = type(None) if hint is None else origin or hint
    return hint is Any or not isinstance(kind, type) or getattr(kind, "_is_protocol", False) or isinstance(value, kind)


def test_every_default_is_of_the_type_that_is_said_of_it() -> None:
    seen, unread, wrong = 0, [], []
    for module in list_modules():
        for one in list_own(module):
            for name, default in list_defaults(one):
                where = f"{module.__name__}.{one.__qualname__}: {name}"
                try:
                    hint = eval(one.__annotations__[name], vars(module) | {"Self": Any})
                except (KeyError, NameError, TypeError):  # of a name that is there for mypy alone, or inherited
                    unread.append(where)
                    continue
                seen += 1
                if not is_of(default, hint):
                    wrong.append(f"{where} is {default!r}, but is to be {hint}")
    assert wrong == []
    assert seen > 300
    assert len(unread) < seen / 10, unread


OTHERWISE = {
    "images", "low", "high", "samples", "shard_size", "kind", "pictures", "stride", "of", "flip", "least", "background",
    "sigma", "remainder", "workers",
}  # fmt: skip
"""Names of what differs where they are used."""


def test_what_has_one_name_has_one_default() -> None:
    found: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for module in list_modules():
        for one in list_own(module):
            for name, default in list_defaults(one):
                if isinstance(default, (bool, int, float, str)):
                    found[name][repr(default)].append(f"{module.__name__}.{one.__qualname__}")
    several = {name: {**of} for name, of in found.items() if len(of) > 1 and name not in OTHERWISE}
    assert several == {}
    assert sum(sum(map(len, of.values())) > 1 for of in found.values()) > 30
