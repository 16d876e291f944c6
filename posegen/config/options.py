"""Reading build options from a file."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from posegen.config.config import BuildConfig
from posegen.errors import ConfigError, nearest
from posegen.files import load_toml


def load_options(path: Path) -> dict[str, Any]:
    """Read build options from a TOML file: keys are the fields of `BuildConfig`, with `-` or `_`, and `preset`.

    `input-size` is "WIDTHxHEIGHT", `skeleton` the path of a skeleton file relative to this one. Values are checked
    where they are used, by `BuildConfig`.

    Raises
    ------
    ConfigError
        If the file cannot be read, or has a key that is no option; the message names the nearest.
    """
    fields = {field.name for field in dataclasses.fields(BuildConfig)} | {"preset"}
    options = {}
    for key, value in load_toml(path).items():
        name = key.replace("-", "_")
        if name not in fields:
            raise ConfigError(f"{path}: '{key}' is no build option{nearest(name, fields).replace('_', '-')}")
        options[name] = value
    return options
