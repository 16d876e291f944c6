"""The samples that could not be built: how many may be, how they are told, and the file that keeps them.

failures.jsonl   one JSON object a line: image_id, annotation_id and copy where they tell samples apart, file, reason
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from posegen.errors import ConfigError, ShardError
from posegen.files import write_atomically
from posegen.shards import Manifest, locate

FAILURES_NAME = "failures.jsonl"

_SHOWN_FAILURES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A sample that could not be built; with an annotation id where a sample is one person, a number where a copy."""

    image_id: int
    annotation_id: int | None = None
    copy: int | None = None
    file: str
    reason: str

    @property
    def sample(self) -> str:
        """Name the sample for people."""
        person = "" if self.annotation_id is None else f", person {self.annotation_id}"
        copy = "" if self.copy is None else f", copy {self.copy}"
        return f"image {self.image_id}{person}{copy}"


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


def write_failures(out: Path, failures: Sequence[Failure]) -> None:
    """Write the file of failures; without any there is none. Raises `OSError` if that fails."""
    path = out / FAILURES_NAME
    if failures:
        records = ({k: v for k, v in dataclasses.asdict(failure).items() if v is not None} for failure in failures)
        lines = [json.dumps(record, ensure_ascii=False) + "\n" for record in records]
        write_atomically(path, "".join(lines).encode())
    else:
        path.unlink(missing_ok=True)


def read_failures(directory: Path, manifest: Manifest) -> Mapping[int, str]:
    """Read which samples failed when the dataset was built: without them its shards are what they were."""
    path = locate(directory, FAILURES_NAME)
    if not manifest.failures or not path.is_file():
        return {}
    try:
        failures = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        found = {int(failure["image_id"]): str(failure["reason"]) for failure in failures}
    except (ArithmeticError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise ShardError(f"{path}: is damaged: {error!r:.300}") from error
    # A file of another number is that of a later build, which ended without a dataset.
    return found if len(failures) == manifest.failures else {}


def describe_failures(out: Path, failures: Sequence[Failure], samples: int) -> str:
    """Say what failed, the first few by name, and what to do."""
    lines = [f"{len(failures)} of {samples} samples could not be built; there is no dataset"]
    lines += [f"{failure.sample}: {failure.reason}" for failure in failures[:_SHOWN_FAILURES]]
    if len(failures) > _SHOWN_FAILURES:
        lines.append(f"... and {len(failures) - _SHOWN_FAILURES} more")
    advice = f"all are in {out / FAILURES_NAME}; mend the files and run again, or allow them with --max-failures"
    return "\n  ".join(lines) + "\n" + advice
