"""The sources of a dataset that is built from several: what each is called, where it lies, and how it is read.

    [[source]]
    coco = "/data/coco"                    # with split and images, if they are not obvious
    [[source]]
    name = "feet"                          # by default that of the directory, or of the file
    coco = "/data/feet/train.json"
    category = ["person"]
    rename = {left_bigtoe = "left_big_toe"}  # what the file calls a keypoint, and what the skeleton does
    limit = 5000                           # images
    weight = 2.0                           # of each of its samples, where training draws by it

Paths belong to a run; the rest changes what is built, and is part of `BuildConfig`.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from posegen.config.kinds import FilePath, Kind, Names, Number, Whole
from posegen.errors import ConfigError, nearest
from posegen.storage.archives import SUFFIXES
from posegen.storage.find import is_url

_NAME = re.compile(r"(?!\.\.?$)[^/\\\x00-\x1f]{1,100}")
_LIMIT = Whole(low=1, high=1 << 31, optional=True)
_PLACES = ("coco", "images")
_KEYS = ("name", "coco", "split", "images", "category", "rename", "limit", "weight")

EQUAL_WEIGHT = 1.0
"""Of a source of which nothing else is said."""

WEIGHT = Number(low=1e-6, high=1e6)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRules:
    """What of a source changes the bytes of a dataset that is built from it and others.

    Attributes
    ----------
    name
        What its samples are told from those of others by; it goes into the order of all samples.
    category
        Names of the categories to use; none takes what the configuration says of all sources.
    rename
        What the file calls annotated keypoints, and what the skeleton calls them.
    limit
        Use so many of its images, the first in the order of all samples; None uses all.
    weight
        How often one of its samples is drawn while training, compared with one of a source of weight 1. All samples are
        stored once, whatever it is; see `posegen.loader.weights`.

    Raises
    ------
    ConfigError
        If one of them cannot be.
    """

    name: str
    category: tuple[str, ...] = ()
    rename: Mapping[str, str] = field(default_factory=dict, hash=False)
    limit: int | None = None
    weight: float = EQUAL_WEIGHT

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not _NAME.fullmatch(self.name):
            raise ConfigError(
                f"a source's name must be text of up to 100 characters without slashes, not {self.name!r}"
            )
        where = f"source '{self.name}'"
        Names().check(f"{where}: category", self.category)
        _LIMIT.check(f"{where}: limit", self.limit)
        object.__setattr__(self, "weight", WEIGHT.check(f"{where}: weight", self.weight))
        if not isinstance(self.rename, Mapping) or not all(
            isinstance(name, str) and name for pair in self.rename.items() for name in pair
        ):
            raise ConfigError(
                f"{where}: rename must be a table of the file's names and the skeleton's, as in "
                f'{{left_bigtoe = "left_big_toe"}}, not {self.rename!r}'
            )
        if doubled := [name for name, times in Counter(self.rename.values()).items() if times > 1]:
            raise ConfigError(f"{where}: rename makes several keypoints '{doubled[0]}'")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One of several things that a dataset is built from.

    Attributes
    ----------
    coco
        A COCO root or an annotation file; see `posegen.annotations.find_coco`.
    split, images
        Which split of a root, and where the images are, if that is not obvious.
    name, category, rename, limit, weight
        As `SourceRules` has them; without a name it is that of the root's directory, or of the file.
    """

    coco: str | os.PathLike[str]
    split: str | None = None
    images: str | os.PathLike[str] | None = None
    name: str = ""
    category: tuple[str, ...] = ()
    rename: Mapping[str, str] = field(default_factory=dict, hash=False)
    limit: int | None = None
    weight: float = EQUAL_WEIGHT

    @property
    def rules(self) -> SourceRules:
        """All but the places; raises `ConfigError` if there is no name yet, or one of them cannot be."""
        return SourceRules(
            name=self.name, category=self.category, rename=self.rename, limit=self.limit, weight=self.weight
        )


def name_sources(sources: Iterable[Source]) -> tuple[Source, ...]:
    """Give a name to each source that has none, and sort them by name: their order means nothing.

    Raises
    ------
    ConfigError
        If two are called alike, or a name cannot be.
    """
    named = [source if source.name else replace(source, name=_find_name(source.coco)) for source in sources]
    for name, times in Counter(source.name for source in named).items():
        if times > 1:
            listed = " and ".join(str(source.coco) for source in named if source.name == name)
            raise ConfigError(
                f"{listed} would all be the source '{name}': say in [[source]] tables of a file for --config what "
                'each is called, as in name = "mine"'
            )
    for source in named:
        _ = source.rules
    return tuple(sorted(named, key=lambda source: source.name))


def match_words(coco: Sequence[Path], split: Sequence[str], images: Sequence[Path]) -> tuple[Source, ...]:
    """Make sources of options that are given several times: one split for all, or one for each in their order.

    Raises
    ------
    ConfigError
        If there are other numbers of them.
    """
    for option, words, alike in (("split", split, "once, or once for each"), ("images", images, "once for each")):
        if len(words) not in {0, len(coco)} and not (option == "split" and len(words) == 1):
            raise ConfigError(
                f"--coco is given {len(coco)} times and --{option} {len(words)} times: give --{option} {alike}, in the "
                "same order, or write [[source]] tables into a file for --config"
            )
    splits: list[str | None] = [*split] * (len(coco) if len(split) == 1 else 1) or [None] * len(coco)
    places: list[Path | None] = [*images] or [None] * len(coco)
    return tuple(
        Source(coco=path, split=of_split, images=place)
        for path, of_split, place in zip(coco, splits, places, strict=True)
    )


def read_tables(tables: Any, directory: Path) -> tuple[Source, ...]:
    """Read the `[[source]]` tables of a file, whose paths are relative to a directory.

    A table of which only the rules are known has no `coco`; then that is empty.

    Raises
    ------
    ConfigError
        If something in them cannot be.
    """
    if not isinstance(tables, list) or not tables or not all(isinstance(table, dict) for table in tables):
        raise ConfigError('sources are tables, as in [[source]] and coco = "/data/coco", one for each')
    found = []
    for number, table in enumerate(tables, start=1):
        where = f"source '{table['name']}'" if "name" in table else f"source {number}"
        for key, value in table.items():
            if key not in _KEYS:
                raise ConfigError(f"{where}: '{key}' is nothing that a source has{nearest(key, _KEYS)}")
            if key in {"name", "split", *_PLACES} and (not isinstance(value, str) or not value):
                raise ConfigError(f"{where}: {key} must be text, not {value!r}")
        if "name" not in table and "coco" not in table:
            raise ConfigError(f"{where}: it needs coco, a COCO root or an annotation file")
        values: dict[str, Any] = {"coco": "", **table}
        values |= {k: table[k] if is_url(table[k]) else directory / table[k] for k in _PLACES if k in table}
        if "category" in table:
            values["category"] = Names().read(table["category"])
        found.append(Source(**values))
    return name_sources(found)


class SourceTables(Kind):
    """The rules of several sources, by name; written as tables."""

    def check(self, name: str, value: Any) -> Any:
        """Refuse what are no rules with different names."""
        if not isinstance(value, tuple) or not all(isinstance(rules, SourceRules) for rules in value):
            raise ConfigError(f"{name} must be a tuple of SourceRules, not {value!r}")
        if len({rules.name for rules in value}) < len(value):
            raise ConfigError(f"{name}: two of them have one name")
        return tuple(sorted(value, key=lambda rules: rules.name))

    def read(self, value: Any) -> Any:
        """Read tables, but for the places that they name; rules are what they are."""
        return value if isinstance(value, tuple) else tuple(source.rules for source in read_tables(value, Path()))

    def write(self, value: Any) -> Any:
        """Write tables."""
        return [write_table(rules) for rules in value]


class Coco(FilePath):
    """A path, or a tuple of several sources, which a file writes as tables of their own."""

    def check(self, name: str, value: Any) -> Any:
        """Refuse what is neither."""
        if isinstance(value, tuple) and value and all(isinstance(source, Source) for source in value):
            return value
        return super().check(name, value)


def write_table(of: Source | SourceRules) -> dict[str, Any]:
    """Write what there is to say of a source, its paths whole."""
    table: dict[str, Any] = {}
    for key in _KEYS:
        value = getattr(of, key, None)
        if value and (key, value) != ("weight", EQUAL_WEIGHT):
            table[key] = FilePath().write(Path(value)) if key in _PLACES else value
    return table | ({"category": list(of.category)} if of.category else {})


def write_rules(records: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Write what `dataclasses.asdict` gave of rules; a weight, which came later, only where it says something."""
    return [{k: of for k, of in record.items() if (k, of) != ("weight", EQUAL_WEIGHT)} for record in records]


def read_rules(records: Iterable[Mapping[str, Any]]) -> tuple[SourceRules, ...]:
    """Read what `write_rules` wrote; raises `TypeError` where it is not that."""
    return tuple(SourceRules(**{**record, "category": tuple(record["category"])}) for record in records)


def _find_name(coco: str | os.PathLike[str]) -> str:
    path = Path(os.fspath(coco))
    resolved = path if path.name not in {"", ".", ".."} else path.resolve()
    return resolved.stem if resolved.suffix.lower() in {".json", *SUFFIXES} else resolved.name
