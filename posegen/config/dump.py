"""Writing a configuration as the TOML file that `posegen.config.options` reads back to an equal one.

TOML is written by hand: of it a file of options has numbers, texts, truth values, lists of these, and tables of these,
and Python's own library only reads it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from posegen.config.config import BuildConfig
from posegen.config.fields import FIELDS, RUN_FIELDS, Field
from posegen.config.kinds import Word
from posegen.config.options import RunOptions
from posegen.config.presets import PRESETS
from posegen.config.sources import write_table
from posegen.errors import ConfigError
from posegen.files import quote_toml
from posegen.skeleton import SKELETONS


def write_options(
    config: BuildConfig,
    *,
    preset: str | None = None,
    skeleton: str | None = None,
    run: RunOptions | None = None,
    every: bool = False,
) -> str:
    """Write TOML from which `BuildConfig.from_file` returns an equal configuration, and `read_options` an equal run.

    Parameters
    ----------
    config
        What to write.
    preset
        What it is laid over; by default the one that leaves least to say.
    skeleton
        Where its skeleton comes from: a built-in one's name, or a file's path; needed if it is not built in.
    run
        What is asked of the run; its paths are written whole.
    every
        Whether to write all options that have a value, each with what it is, or only those that differ from the preset.

    Raises
    ------
    ConfigError
        If there is no such preset, the configuration cannot be laid over it (one without a skeleton over one with),
        or the skeleton is not built in and comes from nowhere.
    """
    if preset is None:
        preset = min(PRESETS, key=lambda name: _distance(config, BuildConfig.preset(name)))
    base = BuildConfig.preset(preset)
    if _lacks_skeleton(config, base):
        raise ConfigError(f"a configuration without a skeleton cannot be laid over '{preset}', which has one")
    values: dict[str, Any] = {}
    for of in RUN_FIELDS:
        if (asked := getattr(run, of.name, None)) is not None and not isinstance(asked, tuple):
            values[of.option] = of.kind.write(asked)
    values["preset"] = preset
    for of in FIELDS:
        value = getattr(config, of.name)
        if value is not None and (value != getattr(base, of.name) or (every and not of.of_file)):
            values[of.option] = _place(skeleton) if of.name == "skeleton" and skeleton else of.kind.write(value)
    if run is not None and isinstance(run.coco, tuple):
        values["source"] = [write_table(source) for source in run.coco]
    notes = {of.option: _explain(of) for of in FIELDS} if every else {}
    return "\n".join(_format(values, notes)) + "\n"


def _explain(of: Field) -> str:
    return f"{of.help} One of {', '.join(of.kind.words)}." if isinstance(of.kind, Word) else of.help


def _place(skeleton: str) -> str:
    return skeleton if skeleton in SKELETONS else str(Path(skeleton).absolute())


def _format(values: Mapping[str, Any], notes: Mapping[str, str]) -> Iterator[str]:
    """Write tables last: what follows one belongs to it."""
    for key, value in values.items():
        if not (isinstance(value, Mapping) and value) and not _are_tables(value):
            written = "{}" if isinstance(value, Mapping) else _quote(value)
            yield f"{key} = {written}" + (f"  # {notes[key]}" if key in notes else "")
    for key, value in values.items():
        if _are_tables(value):
            for table in value:
                yield f"\n[[{key}]]"
                yield from (f"{_quote_key(name)} = {_quote(of)}" for name, of in table.items())
        if not isinstance(value, Mapping) or not value:
            continue
        nested = {f"{key}.{_quote_key(name)}": of for name, of in value.items() if isinstance(of, Mapping)}
        for title, table in nested.items() if nested else [(key, value)]:
            yield f"\n[{title}]" + (f"  # {notes[key]}" if key in notes else "")
            yield from (f"{_quote_key(name)} = {_quote(of)}" for name, of in table.items())


def _are_tables(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(table, Mapping) for table in value)


def _quote(value: bool | float | str | list[Any] | Mapping[str, Any]) -> str:
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{_quote_key(name)} = {_quote(of)}' for name, of in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_quote, value))}]"
    if isinstance(value, str):
        return quote_toml(value)
    return str(value).lower() if isinstance(value, bool) else repr(value)


def _quote_key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else quote_toml(name)


def _distance(config: BuildConfig, base: BuildConfig) -> float:
    differing = sum(getattr(config, of.name) != getattr(base, of.name) for of in FIELDS)
    return float("inf") if _lacks_skeleton(config, base) else differing


def _lacks_skeleton(config: BuildConfig, base: BuildConfig) -> bool:
    """Tell whether the skeleton is None, which a file has no word for, where the preset's is not."""
    return config.skeleton is None and base.skeleton is not None
