"""What is kept on this machine between runs: lists of what is in archives, and shards that came from elsewhere."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from posegen.files import write_atomically

_WORTH_KEEPING = 1000
"""Files of an archive, below which listing it takes no time."""


def find_home() -> Path:
    """Return the directory for what is kept: `POSEGEN_CACHE`, or `posegen` where the system has its caches."""
    if named := os.environ.get("POSEGEN_CACHE"):
        return Path(named)
    above = os.environ.get("XDG_CACHE_HOME")
    return (Path(above) if above else Path.home() / ".cache") / "posegen"


def recall(name: str, make: Callable[[], list[Any]]) -> list[Any]:
    """Return a list that JSON can write, made once for a name; where nothing can be kept it is made again."""
    path = find_home() / "lists" / f"{hashlib.sha256(name.encode()).hexdigest()}.json"
    with contextlib.suppress(OSError, ValueError):
        found = json.loads(path.read_bytes())
        if isinstance(found, list):
            return found
    made = make()
    if len(made) >= _WORTH_KEEPING:
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, json.dumps(made).encode())
    return made
