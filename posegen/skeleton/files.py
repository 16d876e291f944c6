"""Skeleton files: a skeleton in TOML, read and written, and skeletons found by name or file."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from posegen.errors import ConfigError, nearest
from posegen.files import load_toml, quote_toml
from posegen.skeleton.builtin import SKELETONS
from posegen.skeleton.flip_pairs import Limb, find_flip_pairs
from posegen.skeleton.mmpose import read_mmpose
from posegen.skeleton.skeleton import Skeleton

_KEYS = ("name", "keypoints", "limbs", "flip_pairs", "sigmas", "weights", "derived", "aliases")


def load_skeleton(name: str) -> Skeleton:
    """Return a built-in skeleton by its name, or read a skeleton file.

    Raises
    ------
    ConfigError
        If it is neither, or the file is wrong.
    """
    if name in SKELETONS:
        return SKELETONS[name]
    path = Path(name)
    if not path.exists():
        raise ConfigError(
            f"there is no skeleton '{name}'{nearest(name, SKELETONS)}: expected {', '.join(SKELETONS)}, a TOML file, "
            "or a file of MMPose's with dataset_info"
        )
    return read_mmpose(path) if path.suffix == ".py" else read_skeleton(path)


def read_skeleton(path: Path) -> Skeleton:
    """Read a skeleton file of posegen's own; `posegen.skeleton.mmpose` reads those of MMPose.

    The file has `keypoints` (names in channel order) and may have `name`, `limbs` (pairs of names), `flip_pairs`
    (pairs of names; found from left/right in the names if absent), `sigmas` and `weights` (a number for each keypoint,
    as a list or as a table by name), a table `[derived]` of `keypoint = ["parent", ...]`, and a table `[aliases]` of
    `keypoint = ["other name", ...]`, by which annotated keypoints are found that are called so.

    Raises
    ------
    ConfigError
        If the file cannot be read, or names something that is not there; the message has the line and the nearest valid
        name.
    """
    reader = _Reader(path)
    try:
        return reader.read()
    except ConfigError as error:
        message = str(error)
        raise error if message.startswith(str(path)) else ConfigError(f"{path}: {message}") from error


def write_skeleton(skeleton: Skeleton) -> str:
    """Write a skeleton as `read_skeleton` reads it: TOML, one name or pair a line where there are many."""
    names = skeleton.keypoints
    lines = [f"name = {quote_toml(skeleton.name)}", *_array("keypoints", [quote_toml(name) for name in names])]
    for key, pairs in (("limbs", skeleton.limbs), ("flip_pairs", skeleton.flip_pairs)):
        lines += _array(key, [f"[{quote_toml(names[a])}, {quote_toml(names[b])}]" for a, b in pairs])
    for key, numbers in (("sigmas", skeleton.sigmas), ("weights", skeleton.weights)):
        if numbers:
            lines += _array(key, [str(number) for number in numbers])
    derived = [(n, p) for n, p in zip(names, skeleton.parents, strict=True) if p != (n,)]
    if derived:
        lines.append("\n[derived]")
        lines += [f"{quote_toml(name)} = [{', '.join(map(quote_toml, parents))}]" for name, parents in derived]
    if skeleton.aliases:
        lines.append("\n[aliases]")
        for name in dict.fromkeys(name for _, name in skeleton.aliases):
            others = [quote_toml(alias) for alias, of in skeleton.aliases if of == name]
            lines.append(f"{quote_toml(name)} = [{', '.join(others)}]")
    return "\n".join(lines) + "\n"


class _Reader:
    """Reads one file; knows its lines, to say where a mistake is."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.table = load_toml(path)
        self.names: list[str] = []

    def read(self) -> Skeleton:
        for key in self.table:
            if key not in _KEYS:
                raise self._error(f"unknown key '{key}'{nearest(key, _KEYS)}; a skeleton has {', '.join(_KEYS)}", key)
        self.names = self._keypoints()
        derived = self._derived()
        pairs = self._pairs("flip_pairs")
        return Skeleton(
            name=self._name(),
            keypoints=tuple(self.names),
            limbs=self._pairs("limbs") or (),
            flip_pairs=find_flip_pairs(self.names) if pairs is None else tuple((min(p), max(p)) for p in pairs),
            parents=tuple(tuple(derived.get(name, [name])) for name in self.names),
            sigmas=self._numbers("sigmas"),
            weights=self._numbers("weights"),
            aliases=self._aliases(derived),
        )

    def _name(self) -> str:
        name = self.table.get("name", self.path.stem)
        if not isinstance(name, str) or not name:
            raise self._error(f"'name' must be text, not {name!r}", "name")
        return name

    def _keypoints(self) -> list[str]:
        names = self.table.get("keypoints")
        if not isinstance(names, list) or not names or not all(isinstance(n, str) and n for n in names):
            raise self._error('\'keypoints\' must be a list of names, as in keypoints = ["nose", "neck"]', "keypoints")
        return names

    def _derived(self) -> dict[str, list[str]]:
        derived = self.table.get("derived", {})
        if not isinstance(derived, dict):
            raise self._error('\'derived\' must be a table, as in [derived] and neck = ["a", "b"]', "derived")
        for name, parents in derived.items():
            if name not in self.names:
                raise self._error(
                    f"derived keypoint '{name}' is not in 'keypoints'{nearest(name, self.names)}", "derived", name
                )
            if not isinstance(parents, list) or not parents or not all(isinstance(p, str) for p in parents):
                raise self._error(f"derived keypoint '{name}' must be a list of its parents' names", "derived", name)
        return derived

    def _aliases(self, derived: Mapping[str, list[str]]) -> tuple[tuple[str, str], ...]:
        aliases = self.table.get("aliases", {})
        if not isinstance(aliases, dict):
            raise self._error("'aliases' must be a table, as in [aliases] and nose = [\"nose_tip\"]", "aliases")
        annotated = list(dict.fromkeys(parent for name in self.names for parent in derived.get(name, [name])))
        for name, others in aliases.items():
            if name not in annotated:
                raise self._error(f"aliases: '{name}' is no keypoint{nearest(name, annotated)}", "aliases", name)
            if not isinstance(others, list) or not all(isinstance(other, str) and other for other in others):
                raise self._error(f"aliases: '{name}' must be a list of the names it may have", "aliases", name)
        return tuple((other, name) for name, others in aliases.items() for other in others)

    def _pairs(self, key: str) -> tuple[Limb, ...] | None:
        pairs = self.table.get(key)
        if pairs is None:
            return None
        if not isinstance(pairs, list):
            raise self._error(f'\'{key}\' must be a list of pairs of names, as in {key} = [["nose", "neck"]]', key)
        index = {name: i for i, name in enumerate(self.names)}
        found = []
        for pair in pairs:
            if not isinstance(pair, list) or len(pair) != 2:
                raise self._error(f"{key}: {pair!r} is not a pair of names", key, pair)
            for name in pair:
                if not isinstance(name, str) or name not in index:
                    raise self._error(
                        f"{key}: '{name}' is not in 'keypoints'{nearest(str(name), self.names)}", key, name
                    )
            found.append((index[pair[0]], index[pair[1]]))
        return tuple(found)

    def _numbers(self, key: str) -> tuple[float, ...]:
        numbers = self.table.get(key, [])
        if isinstance(numbers, dict):
            for name in numbers:
                if name not in self.names:
                    raise self._error(f"{key}: '{name}' is not in 'keypoints'{nearest(name, self.names)}", key, name)
            if missing := [name for name in self.names if name not in numbers]:
                raise self._error(f"{key}: there is none for {', '.join(missing)}", key)
            numbers = [numbers[name] for name in self.names]
        if not isinstance(numbers, list):
            raise self._error(f"'{key}' must be a list of numbers, or a table of them by keypoint", key)
        return tuple(numbers)

    def _error(self, message: str, key: str, word: object = None) -> ConfigError:
        line = _find_line(self.path.read_text(encoding="utf-8"), key, word if isinstance(word, str) else None)
        return ConfigError(f"{self.path}{f', line {line}' if line else ''}: {message}")


def _find_line(text: str, key: str, word: str | None) -> int | None:
    """Guess the line that a key, or a word of its value, is on: the first that has it."""
    start = re.search(rf"^\s*\[?\s*[\"']?{re.escape(key)}[\"']?\s*(?:\]|=|\.)", text, re.MULTILINE)
    if start is None:
        return None
    end = start.end()
    if word is not None:
        named = re.compile(rf"([\"']){re.escape(word)}\1|^\s*{re.escape(word)}\s*=", re.MULTILINE)
        end = found.end() if (found := named.search(text, end)) else end
    return text.count("\n", 0, end) + 1


def _array(key: str, items: Sequence[str]) -> list[str]:
    """Write an array on one line, or on as many as it takes."""
    if len(line := f"{key} = [{', '.join(items)}]") <= 100:
        return [line]
    lines = ["   "]
    for item in items:
        if len(lines[-1]) + len(item) > 96 and lines[-1].strip():
            lines.append("   ")
        lines[-1] += f" {item},"
    return [f"{key} = [", *lines, "]"]
