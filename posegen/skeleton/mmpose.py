"""The skeleton of a dataset as MMPose defines it: a Python file that sets `dataset_info`, read as data and never run.

Of Python such files use literals, `dict(key=value)`, and lists that are added up or repeated; nothing else is taken.
The format: https://mmpose.readthedocs.io/en/latest/user_guides/prepare_datasets.html
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from posegen.errors import ConfigError, nearest
from posegen.skeleton.flip_pairs import Limb
from posegen.skeleton.skeleton import MOST_KEYPOINTS, Skeleton

_VARIABLE = "dataset_info"
_MOST_BYTES = 1 << 22
_UNUSED = {"color", "paper_info"}
"""What is not looked at, however it is written."""


def read_mmpose(path: Path) -> Skeleton:
    """Read the skeleton of a file such as `configs/_base_/datasets/coco.py`.

    Names and pairs are those of `keypoint_info` and its `swap`, limbs those of `skeleton_info`; `sigmas`, and
    `joint_weights` that are not all 1, come with them.

    Raises
    ------
    ConfigError
        If the file cannot be read, sets no `dataset_info`, needs to be run to be known, or has in it what is not of its
        format; says where and what was expected.
    """
    try:
        return _make_skeleton(path, _read_info(path))
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def _read_info(path: Path) -> Mapping[str, Any]:
    try:
        data = path.read_bytes()
        if len(data) > _MOST_BYTES:
            raise ConfigError(f"has {len(data)} bytes, more than a definition of keypoints has")
        module = ast.parse(data)
    except OSError as error:
        raise ConfigError(error.strerror or str(error)) from error
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ConfigError(f"is no Python file that can be read: {error}") from error
    values = {
        target.id: node.value
        for node in module.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    if _VARIABLE not in values:
        found = ", ".join(values) or "nothing"
        raise ConfigError(f"expected '{_VARIABLE} = dict(...)', as MMPose's datasets have it, but it sets {found}")
    try:
        info = ast.literal_eval(_Literals().visit(values[_VARIABLE]))
    except (ValueError, TypeError, RecursionError, MemoryError) as error:
        raise ConfigError(f"'{_VARIABLE}' is not written out: {error}") from error
    if not isinstance(info, dict):
        raise ConfigError(f"'{_VARIABLE}' must be a dict, not {type(info).__name__}")
    return info


class _Literals(ast.NodeTransformer):
    """Writes `dict(a=1)` as `{'a': 1}`, and lists that are added up or repeated as what they become."""

    def visit_Call(self, node: ast.Call) -> ast.expr:
        named = [keyword.arg for keyword in node.keywords]
        if not isinstance(node.func, ast.Name) or node.func.id != "dict" or node.args or None in named:
            raise ConfigError(
                f"line {node.lineno}: '{ast.unparse(node)[:60]}' would have to be run; only dict(name=value, ...) is "
                "read: write its value there"
            )
        used = [keyword for keyword in node.keywords if keyword.arg not in _UNUSED]
        keys = [ast.copy_location(ast.Constant(value=keyword.arg), node) for keyword in used]
        values = [self.visit(keyword.value) for keyword in used]
        return ast.copy_location(ast.Dict(keys=list(keys), values=values), node)

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        left, right = (self.visit(side) for side in (node.left, node.right))
        if isinstance(left, ast.List) and isinstance(right, ast.List) and isinstance(node.op, ast.Add):
            return ast.copy_location(ast.List(elts=[*left.elts, *right.elts], ctx=ast.Load()), node)
        times = right.value if isinstance(right, ast.Constant) else None
        if isinstance(left, ast.List) and isinstance(node.op, ast.Mult) and isinstance(times, int):
            if not 0 <= times * len(left.elts) <= MOST_KEYPOINTS:
                raise ConfigError(f"line {node.lineno}: a list of {times * len(left.elts)} elements")
            return ast.copy_location(ast.List(elts=left.elts * times, ctx=ast.Load()), node)
        return node


def _make_skeleton(path: Path, info: Mapping[str, Any]) -> Skeleton:
    entries = _read_entries(info, "keypoint_info", "name")
    names = [str(entry["name"]) for entry in entries]
    name = str(info.get("dataset_name") or path.stem)
    Skeleton(name=name, keypoints=tuple(names))  # which refuses two of one name, before one is looked for
    links = _read_entries(info, "skeleton_info", "link") if info.get("skeleton_info") else []
    weights = _read_numbers(info, "joint_weights", len(names))
    return Skeleton(
        name=name,
        keypoints=tuple(names),
        limbs=tuple(_find_limb(entry["link"], names) for entry in links),
        flip_pairs=_find_pairs(entries, names),
        sigmas=_read_numbers(info, "sigmas", len(names)),
        weights=weights if set(weights) != {1} else (),
    )


def _read_entries(info: Mapping[str, Any], key: str, needed: str) -> list[Mapping[str, Any]]:
    """Return the entries of a table by number, in their order, each of which has what is needed.

    As for MMPose the number is what stands before an entry; the `id` in it is wrong in some of its own files.
    """
    table = info.get(key)
    if not isinstance(table, dict) or not table:
        hint = nearest(key, [str(name) for name in info])
        raise ConfigError(f"'{_VARIABLE}' must have '{key}', a dict of entries by number{hint}")
    if set(table) != set(range(len(table))):
        raise ConfigError(f"'{key}' must count its {len(table)} entries from 0 to {len(table) - 1}")
    for number, entry in table.items():
        if not isinstance(entry, dict) or needed not in entry:
            raise ConfigError(f"{key}[{number}] must be a dict with '{needed}', not {entry!r}")
    return [table[number] for number in range(len(table))]


def _find_limb(link: Any, names: list[str]) -> Limb:
    if not isinstance(link, (tuple, list)) or len(link) != 2:
        raise ConfigError(f"skeleton_info: a link must be a pair of names, not {link!r}")
    a, b = (_find(name, names, "skeleton_info") for name in link)
    return a, b


def _find_pairs(entries: list[Mapping[str, Any]], names: list[str]) -> tuple[Limb, ...]:
    pairs = set()
    for k, entry in enumerate(entries):
        if not entry.get("swap"):
            continue
        other = _find(entry["swap"], names, "keypoint_info: swap")
        if entries[other].get("swap") != names[k]:
            raise ConfigError(
                f"keypoint_info: '{names[k]}' swaps with '{names[other]}', which swaps with "
                f"{entries[other].get('swap')!r}; a mirror swaps both ways"
            )
        if other != k:
            pairs.add((min(k, other), max(k, other)))
    return tuple(sorted(pairs))


def _find(name: Any, names: list[str], where: str) -> int:
    if name not in names:
        raise ConfigError(f"{where}: '{name}' is no keypoint{nearest(str(name), names)}")
    return names.index(name)


def _read_numbers(info: Mapping[str, Any], key: str, count: int) -> tuple[float, ...]:
    numbers = info.get(key) or []
    if (
        not isinstance(numbers, (list, tuple))
        or (numbers and len(numbers) != count)
        or not all(isinstance(number, (int, float)) for number in numbers)
    ):
        raise ConfigError(f"'{key}' must be a list of {count} numbers, one for each keypoint, or an empty one")
    return tuple(numbers)
