"""What is in an output directory already: nothing of anybody else, and nothing that was built with other options."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from posegen.build.failures import FAILURES_NAME
from posegen.build.lock import STATE_NAME
from posegen.config import BuildConfig
from posegen.errors import ConfigError, ShardError
from posegen.files import TEMPORARY_SUFFIX
from posegen.shards.manifest import MANIFEST_NAME, Manifest
from posegen.storage import AnyPath, Place, list_folder

SHARD_FILE = re.compile(r"shard-\d+-of-\d+\.h5")
OPTIONS_NAME = "options.json"


def refuse_foreign(out: AnyPath) -> None:
    """Keep away from a directory that is not ours; raises `ConfigError` if it holds something else."""
    if not out.exists():
        return
    if not out.is_dir():
        raise ConfigError(f"{out}: is a file; the output must be a directory")
    ours = {MANIFEST_NAME, FAILURES_NAME, STATE_NAME}
    for path in list_folder(out):
        if path.name not in ours and not SHARD_FILE.fullmatch(path.name) and path.suffix != TEMPORARY_SUFFIX:
            raise ConfigError(
                f"{out}: holds {path.name}, which is no part of a dataset; choose an empty or new directory"
            )


def refuse_other_options(out: AnyPath, config: BuildConfig) -> None:
    """Compare the options with those of the dataset, or else of the finished shards, that are in `out`.

    Raises
    ------
    ConfigError
        If they are others. A larger limit, or none where there was one, is no other option.
    """
    stored: list[dict[str, Any]] = []
    if isinstance(out, Place):
        with contextlib.suppress(FileNotFoundError):
            (out / MANIFEST_NAME).read_bytes()  # what cannot be reached may be there
    with contextlib.suppress(ShardError):
        stored.append(Manifest.read(out).config.to_dict())
    if not stored:
        found: list[AnyPath] = [*(out / STATE_NAME).glob(f"*/{OPTIONS_NAME}")]
        for path in sorted(found, key=str):
            with contextlib.suppress(OSError, ValueError):
                if any(path.parent.glob("shard-*.json")):
                    stored.append(json.loads(path.read_bytes()))
    now = config.to_dict()
    for before in stored:
        lines = describe_changes(before, now, {**before, **now})
        only_limit = len(lines) == 1 and before.get("limit") != now.get("limit")
        if lines and not (only_limit and _goes_further(before["limit"], config.limit)):
            raise ConfigError(
                f"{out}: was built with other options\n  " + "\n  ".join(lines) + "\n"
                "use the same options to go on, another directory, or --overwrite to replace what is there: it stays "
                "until its successor is whole, and pictures and labels that stay the same are copied from it"
            )


def describe_changes(before: Mapping[str, Any], now: Mapping[str, Any], keys: Iterable[str]) -> list[str]:
    """Say which of some options were others before, one a line."""
    changed = ((key, before.get(key), now.get(key)) for key in keys)
    return [
        f"{key}: was {_brief(key, was)}, is now {_brief(key, value)}" for key, was, value in changed if was != value
    ]


def _goes_further(before: Any, now: int | None) -> bool:
    """Tell whether a limit lets through all that another did, and more: what was tried out is then built whole."""
    return isinstance(before, int) and (now is None or now > before)


def _brief(key: str, value: Any) -> str:
    if key in {"input_size", "picture_size"} and isinstance(value, (list, tuple)) and len(value) == 2:
        return f"{value[1]}x{value[0]}"
    return str(value.get("name", value)) if isinstance(value, dict) else str(value)
