"""What is asked for in words: by the command line's options, or by a TOML file that names them alike.

    coco = "/data/coco"            # of the run: coco, out, split, images, workers, max-failures, description, ...
    out = "/data/pose"
    preset = "udp"                 # all else is laid over it
    input-size = "288x384"
    sigma-cells = 3
    augment = {scale = [0.5, 1.1], rotate = 40}    # or "scale=0.5-1.1,rotate=40"
    [label-option.offset]
    radius_factor = 0.08
    [[source]]                     # in place of coco, for each of several; see `posegen.config.sources`
    coco = "/data/coco"

Paths in a file, and a skeleton that is none of the built-in ones, are relative to it.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from posegen.config.choices import Backend
from posegen.config.fields import FIELDS, RUN_FIELDS, Field
from posegen.config.kinds import FilePath
from posegen.config.sources import Source, match_words, name_sources, read_tables
from posegen.errors import ConfigError, nearest
from posegen.files import load_toml
from posegen.skeleton import SKELETONS
from posegen.storage.find import is_url

_OPTIONS: Mapping[str, Field] = {name: of for of in (*FIELDS, *RUN_FIELDS) for name in of.names}
_RUN_NAMES = frozenset(of.name for of in RUN_FIELDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """What is asked of one run of `posegen.build`, whose arguments these are; it changes no byte. None: not asked."""

    coco: Path | tuple[Source, ...] | None = None
    out: Path | None = None
    split: str | None = None
    images: Path | None = None
    workers: int | None = None
    backend: Backend | None = None
    scheduler: str | None = None
    max_failures: int | str | None = None
    pictures_from: Path | None = None
    description: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What is asked of a build, which may be little; `BuildConfig.from_options` makes a configuration of it.

    Attributes
    ----------
    preset
        The name of what all else is laid over; None where none was named.
    fields
        Values of `BuildConfig`'s fields.
    run
        What is asked of the run.
    skeleton
        What names the skeleton among the fields: a built-in one's name, or a file's path.
    """

    preset: str | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    run: RunOptions = field(default_factory=RunOptions)
    skeleton: str | None = None

    def over(self, other: Options) -> Options:
        """Lay these options over others: what is asked here counts; of two tables of label options both do."""
        # What others say of sources is of no use where others are named.
        kept = {name: of for name, of in other.fields.items() if name != "sources" or self.run.coco is None}
        fields = {**kept, **self.fields}
        tables = [of.fields["label_options"] for of in (other, self) if "label_options" in of.fields]
        if len(tables) == 2 and all(isinstance(table, Mapping) for table in tables):
            below, above = tables
            fields["label_options"] = {
                label: {**below.get(label, {}), **above.get(label, {})} for label in {**below, **above}
            }
        run = {name: getattr(self.run, name) for name in _RUN_NAMES if getattr(self.run, name) is not None}
        return Options(
            preset=other.preset if self.preset is None else self.preset,
            fields=fields,
            run=dataclasses.replace(other.run, **run),
            skeleton=other.skeleton if self.skeleton is None else self.skeleton,
        )


def read_words(words: Mapping[str, Any]) -> Options:
    """Read the words of a call, by the fields' names and `preset`; None and () stand for what was not given.

    Whether values are in their ranges is left to what is made of them.

    Raises
    ------
    ConfigError
        If a word cannot be read.
    """
    given = {name: value for name, value in words.items() if value is not None and value != ()}
    preset = given.pop("preset", None)
    given = _read_coco(given)
    values = {of.name: of.kind.read(given[of.name]) for of in (*FIELDS, *RUN_FIELDS) if of.name in given}
    return _sort(preset, values, str(given["skeleton"]) if "skeleton" in given else None)


def read_options(path: str | os.PathLike[str]) -> Options:
    """Read a TOML file that has options of `posegen build`, each as the command line calls it, and `preset`.

    The fields of `BuildConfig` go by their own names, too, and with `_` for `-`. A value is a number or truth value, a
    list where there are several, a table where there are names; or the command line's text.

    Raises
    ------
    ConfigError
        If the file cannot be read, has a key that is no option (the message names the nearest), says something twice,
        or has a value that cannot be.
    """
    path = Path(path)
    table = load_toml(path)
    preset = table.pop("preset", None)
    values = _read_sources(path, table)
    keys: dict[str, str] = {}
    skeleton = None
    for key, value in table.items():
        option = _OPTIONS.get(key.replace("_", "-"))
        if option is None:
            hint = nearest(key.replace("_", "-"), [*_OPTIONS, "preset"])
            raise ConfigError(f"{path}: '{key}' is no build option{hint}")
        if option.name in keys:
            raise ConfigError(f"{path}: '{keys[option.name]}' and '{key}' are the same option; leave one of them out")
        keys[option.name] = key
        if option.name == "skeleton":
            value = skeleton = _resolve_skeleton(value, path.parent)  # noqa: PLW2901 (the one that is read)
        try:
            read = option.kind.check(option.name, option.kind.read(value))
        except ConfigError as error:
            raise ConfigError(f"{path}: {error}") from error
        is_place = isinstance(option.kind, FilePath) and not is_url(str(read))
        values[option.name] = path.parent / read if is_place else read
    return _sort(None if preset is None else str(preset), values, skeleton)


def choose_sigma(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Let a sigma in one unit replace that in the other of what the fields are laid over."""
    given = [name for name in ("sigma_px", "sigma_cells") if name in fields]
    other = {"sigma_px": "sigma_cells", "sigma_cells": "sigma_px"}
    return {**fields, **({other[given[0]]: None} if len(given) == 1 else {})}


def _read_coco(given: Mapping[str, Any]) -> dict[str, Any]:
    """Make one path of `coco`, `split` and `images` that are given once, and sources of what is given several times."""
    words = {name: given[name] for name in ("coco", "split", "images") if name in given}
    several = {name: list(word) if isinstance(word, tuple) else [word] for name, word in words.items()}
    rest = {name: value for name, value in given.items() if name not in words}
    if len(several.get("coco", ())) < 2:
        for name, word in several.items():
            if len(word) > 1:
                raise ConfigError(
                    f"--{name} is given {len(word)} times, but takes one value, or one for each --coco if there are "
                    "several"
                )
        return rest | {name: word[0] for name, word in several.items()}
    found = name_sources(match_words(several["coco"], several.get("split", ()), several.get("images", ())))
    return rest | {"coco": found, "sources": tuple(source.rules for source in found)}


def _read_sources(path: Path, table: dict[str, Any]) -> dict[str, Any]:
    """Take the tables of sources out of a file's, and read them."""
    keys = [key for key in ("source", "sources", "coco") if key in table]
    if keys in ([], ["coco"]):
        return {}
    if len(keys) > 1:
        raise ConfigError(f"{path}: '{keys[0]}' and '{keys[1]}' say both what to build from; leave one of them out")
    try:
        found = read_tables(table.pop(keys[0]), path.parent)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error
    values: dict[str, Any] = {"sources": tuple(source.rules for source in found)}
    return values | ({"coco": found} if all(source.coco for source in found) else {})


def _resolve_skeleton(value: object, directory: Path) -> str:
    """Find what a file calls its skeleton beside it; a name that is nobody's is left to be refused as one."""
    name = str(value)
    is_name = Path(name).name == name and not Path(name).suffix and not (directory / name).exists()
    return name if name in SKELETONS or is_name else str(directory / name)


def _sort(preset: str | None, values: Mapping[str, Any], skeleton: str | None) -> Options:
    """Sort values of all options into those of the configuration and those of the run."""
    return Options(
        preset=preset,
        fields=choose_sigma({name: value for name, value in values.items() if name not in _RUN_NAMES}),
        run=RunOptions(**{name: value for name, value in values.items() if name in _RUN_NAMES}),
        skeleton=skeleton,
    )
