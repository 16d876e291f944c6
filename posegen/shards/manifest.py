"""The record of a dataset, written last: a directory without one is no dataset."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from posegen.config import BuildConfig
from posegen.errors import ConfigError, ShardError
from posegen.files import write_atomically
from posegen.shards.record import ShardRecord, locate, parse_json, read_count
from posegen.shards.schema import FORMAT_VERSION, READABLE, READABLE_TEXT
from posegen.skeleton import Skeleton
from posegen.storage import AnyPath, read_checked

MANIFEST_NAME = "manifest.json"

_FORMAT = "posegen-dataset"

_MOST_BYTES = 1 << 26
"""Of a manifest: enough for 50,000 shards."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a dataset consists of and where it comes from.

    Attributes
    ----------
    config, skeleton
        What it was built with; the skeleton is that of the labels, wherever it came from.
    source
        `annotations` and `images`: the names of the annotation file and of the image directory; `sha256` of the former.
    shards
        A record for each, in the order of their numbers.
    failures
        How many samples could not be built.
    audit
        What was left out or noticed in the annotations, as `posegen.annotations.Audit.to_dict` gives it.
    versions
        Of the libraries that wrote it.
    format_version
        Of its shards.
    preset
        The name of what its configuration was laid over, if that is known.
    description
        What its builder says of it.
    """

    config: BuildConfig
    skeleton: Skeleton
    source: Mapping[str, str]
    shards: tuple[ShardRecord, ...]
    failures: int
    audit: Mapping[str, Any]
    versions: Mapping[str, str]
    format_version: int = FORMAT_VERSION
    preset: str | None = None
    description: str = ""

    @property
    def samples(self) -> int:
        """Samples in all shards."""
        return sum(shard.samples for shard in self.shards)

    @property
    def people(self) -> int:
        """People drawn on all samples."""
        return sum(shard.people for shard in self.shards)

    @property
    def bytes(self) -> int:
        """Size of all shards."""
        return sum(shard.bytes for shard in self.shards)

    @property
    def keypoints(self) -> dict[str, int]:
        """How often each keypoint is labelled."""
        counts = zip(*(shard.keypoints for shard in self.shards), strict=True)
        return dict(zip(self.skeleton.keypoints, map(sum, counts), strict=False))

    def write(self, directory: AnyPath) -> AnyPath:
        """Write the manifest, whole or not at all, and return its path. Raises `OSError` if that fails."""
        record = {
            "format": _FORMAT,
            "format_version": self.format_version,
            "samples": self.samples,
            "people": self.people,
            "failures": self.failures,
            "description": self.description,
            "source": dict(self.source),
            "preset": self.preset,
            "config": self.config.to_dict(),
            "config_digest": self.config.digest,
            "skeleton": self.skeleton.to_dict(),
            "keypoints": self.keypoints,
            "audit": dict(self.audit),
            "versions": dict(self.versions),
            "shards": [dataclasses.asdict(shard) for shard in self.shards],
        }
        path = directory / MANIFEST_NAME
        write_atomically(path, (json.dumps(record, indent=2, ensure_ascii=False) + "\n").encode())
        return path

    @classmethod
    def read(cls, directory: AnyPath) -> Manifest:
        """Read the manifest of a dataset.

        Raises
        ------
        ShardError
            If there is none, or it is damaged or of an unknown format version.
        """
        path = locate(directory, MANIFEST_NAME)
        try:
            if isinstance(path, Path) and path.exists() and (not path.is_file() or path.stat().st_size > _MOST_BYTES):
                raise ShardError(f"{path}: is no file of at most {_MOST_BYTES >> 20} MiB, as a manifest is")
            record = parse_json(read_checked(path))
        except FileNotFoundError as error:
            if not directory.is_dir():
                raise ShardError(f"{directory}: no such directory; expected that of a dataset") from error
            raise ShardError(
                f"{directory}: has no {MANIFEST_NAME}, so it is no dataset, or its build has not ended"
            ) from error
        except (OSError, ValueError, RecursionError) as error:
            raise ShardError(f"{path}: cannot be read: {error}") from error
        if not isinstance(record, dict) or record.get("format") != _FORMAT:
            raise ShardError(f"{path}: is not the manifest of a posegen dataset")
        version = record.get("format_version")
        if type(version) is not int or version not in READABLE:
            raise ShardError(
                f"{path}: has format version {version!s:.40}, this posegen reads "
                f"{READABLE_TEXT}; use the posegen that wrote it, or build the dataset again"
            )
        try:
            manifest = cls(
                config=BuildConfig.from_dict(record["config"]),
                skeleton=Skeleton.from_dict(record["skeleton"]),
                source={str(k): str(v) for k, v in record["source"].items()},
                shards=tuple(ShardRecord.from_dict(shard) for shard in record["shards"]),
                failures=read_count(record, "failures"),
                audit=dict(record["audit"]),
                versions=dict(record["versions"]),
                format_version=version,
                preset=_read_text(record.get("preset")),
                description=_read_text(record.get("description")) or "",
            )
        except (
            ArithmeticError,
            AttributeError,
            ConfigError,
            LookupError,
            RecursionError,
            TypeError,
            ValueError,
        ) as error:
            raise ShardError(f"{path}: is damaged: {error!r:.300}") from error
        if len({shard.file for shard in manifest.shards}) != len(manifest.shards):
            raise ShardError(f"{path}: is damaged: it names a shard more than once")
        if any(len(shard.keypoints) != len(manifest.skeleton.keypoints) for shard in manifest.shards):
            raise ShardError(f"{path}: is damaged: a shard counts other keypoints than the skeleton has")
        return manifest


def _read_text(value: object) -> str | None:
    if value is not None and not isinstance(value, str):
        raise TypeError(f"expected text, not {value!r:.40}")
    return value
