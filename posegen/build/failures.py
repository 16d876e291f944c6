"""The samples that could not be built: how many may be, how they are told, and the file that keeps them.

failures.jsonl   one JSON object a line: image_id, and what else tells samples apart, as copy and source; file, reason
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from posegen.errors import ConfigError, ShardError
from posegen.files import write_atomically
from posegen.shards import Manifest, SampleKey, locate
from posegen.storage import AnyPath

FAILURES_NAME = "failures.jsonl"

_SHOWN_FAILURES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A sample that could not be built: which, the name of its picture's file, and why."""

    key: SampleKey
    file: str
    reason: str

    def __str__(self) -> str:
        return f"{self.key}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Allowance:
    """How many samples may fail: a number or a share."""

    number: int
    share: float

    @classmethod
    def parse(cls, text: int | str) -> Allowance:
        """Read a number, or a share as in `1%`; raises `ConfigError` if it is neither."""
        match = re.fullmatch(r"(\d+)|(\d+(?:\.\d+)?)%", str(text))
        if match is None or (match[2] and float(match[2]) > 100):
            raise ConfigError(f"max_failures must be a number, as in 10, or a share, as in 1%, not {text!r}")
        return cls(int(match[1] or 0), float(match[2] or 0) / 100)

    def of(self, samples: int) -> int:
        """Return how many of some samples may fail."""
        return max(self.number, int(self.share * samples))


def write_failures(out: AnyPath, failures: Sequence[Failure]) -> None:
    """Write the file of failures; without any there is none. Raises `OSError` if that fails."""
    path = out / FAILURES_NAME
    if failures:
        if isinstance(out, Path):
            out.mkdir(exist_ok=True)
        lines = (json.dumps(to_record(failure), ensure_ascii=False) + "\n" for failure in failures)
        write_atomically(path, "".join(lines).encode())
    else:
        path.unlink(missing_ok=True)


def read_failures(directory: Path, manifest: Manifest) -> list[Failure]:
    """Read which samples failed when the dataset was built: without them its shards are what they were.

    Raises
    ------
    ShardError
        If the file is damaged, or leads out of the directory.
    OSError
        If it cannot be read.
    """
    path = locate(directory, FAILURES_NAME)
    if not manifest.failures or not path.is_file():
        return []
    try:
        failures = [from_record(json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]
    except (ArithmeticError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise ShardError(f"{path}: is damaged: {error!r:.300}") from error
    # A file of another number is that of a later build, which ended without a dataset.
    return failures if len(failures) == manifest.failures else []


def describe_failures(out: AnyPath, failures: Sequence[Failure], samples: int) -> str:
    """Say what failed, the first few by name, and what to do."""
    lines = [f"{len(failures)} of {samples} samples could not be built; there is no dataset"]
    lines += map(str, failures[:_SHOWN_FAILURES])
    if len(failures) > _SHOWN_FAILURES:
        lines.append(f"... and {len(failures) - _SHOWN_FAILURES} more")
    advice = f"all are in {out / FAILURES_NAME}; mend the files and run again, or allow them with --max-failures"
    return "\n  ".join(lines) + "\n" + advice


def to_record(failure: Failure) -> dict[str, Any]:
    """Return a failure as JSON has it."""
    key = {name: number for name, number in dataclasses.asdict(failure.key).items() if number is not None}
    return {**key, "file": failure.file, "reason": failure.reason}


def from_record(record: Mapping[str, Any]) -> Failure:
    """Read what `to_record` gave; raises `LookupError`, `TypeError` or `ValueError` where it is not that."""
    person, copy = (int(record[name]) if name in record else None for name in ("annotation_id", "copy"))
    source = str(record["source"]) if "source" in record else None
    key = SampleKey(int(record["image_id"]), person, copy, source)
    return Failure(key=key, file=str(record["file"]), reason=str(record["reason"]))
