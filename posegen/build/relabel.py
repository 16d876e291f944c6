"""Which pictures of a dataset can be copied into another one: the options that have to agree, and where they lie."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path

from posegen.annotations import Sample
from posegen.build.checkpoint import read_identities
from posegen.build.occupied import describe_changes
from posegen.build.pictures import OldPicture
from posegen.build.plan import find_key
from posegen.config import BuildConfig
from posegen.errors import ConfigError, ShardError
from posegen.shards import FORMAT_VERSION, Manifest, SampleKey, ShardReader, ShardRecord, library_versions

_LIBRARIES = ("posegen", "numpy", "opencv")
"""Those that determine a picture's bytes."""


class OldPictures:
    """The pictures of a dataset, by the keys of its samples.

    Parameters
    ----------
    directory
        Of the dataset.
    config
        Of the build that would have its pictures.

    Raises
    ------
    ConfigError
        If an option or a library is another, so that its pictures have other bytes; if it is not known what its
        pictures were encoded from.
    ShardError
        If it is none, or damaged.
    """

    def __init__(self, directory: Path, config: BuildConfig) -> None:
        self.directory = directory
        self._config = config
        manifest = Manifest.read(directory)
        _refuse_others(directory, manifest, config)
        self._found: dict[SampleKey, OldPicture] = {}
        for shard in manifest.shards:
            self._index(manifest, shard)

    def choose(self, samples: Iterable[Sample]) -> dict[SampleKey, OldPicture]:
        """Choose what there is of some samples."""
        keys = (find_key(sample, self._config) for sample in samples)
        return {key: self._found[key] for key in keys if key in self._found}

    def _index(self, manifest: Manifest, shard: ShardRecord) -> None:
        """Note where the pictures of one shard are."""
        path = self.directory / shard.file
        identities = read_identities(self.directory, manifest.config, shard)
        if identities is None:
            raise ConfigError(
                f"{self.directory}: it is not recorded which files the pictures of {shard.file} were encoded from, so "
                "none can be taken from there: an older posegen built it, or its directory .posegen is missing"
            )
        with ShardReader(path) as reader:
            if reader.config != manifest.config or len(reader) != shard.samples:
                raise ShardError(f"{path}: is not the shard that the manifest tells of")
            rows = range(len(reader))
            ids, names = reader.column("image_id", rows), reader.column("file_name", rows)
            people = reader.column("annotation_id", rows)
            copies = reader.column("copy", rows) if manifest.config.copies > 1 else [0] * len(rows)
        for row, (image_id, name, persons, copy) in enumerate(zip(ids, names, people, copies, strict=True)):
            if name in identities:
                key = SampleKey.of(self._config, image_id, persons, copy)
                self._found[key] = OldPicture(shard=path, row=row, identity=identities[name])


def find_replaced(directory: Path, config: BuildConfig) -> OldPictures | None:
    """Find the pictures of a dataset that is about to be replaced, if it is one and they can be copied."""
    with contextlib.suppress(ConfigError, ShardError):
        if Manifest.read(directory).config != config:
            return OldPictures(directory, config)
    return None


def _refuse_others(directory: Path, manifest: Manifest, config: BuildConfig) -> None:
    """Raise `ConfigError` if the pictures of a dataset have other bytes than a build of a configuration gives them."""
    if manifest.format_version != FORMAT_VERSION:
        raise ConfigError(
            f"{directory}: has format version {manifest.format_version}, and pictures can be taken from version "
            f"{FORMAT_VERSION} alone"
        )
    before, now = manifest.config.to_dict(), config.to_dict()
    lines = describe_changes(before, now, _find_options(config))
    versions = library_versions()
    lines += describe_changes(manifest.versions, versions, _LIBRARIES)
    if lines:
        raise ConfigError(
            f"{directory}: its pictures have other bytes than these would have\n  " + "\n  ".join(lines) + "\n"
            "take the same options, or leave --pictures-from out to encode all pictures afresh"
        )


def _find_options(config: BuildConfig) -> list[str]:
    """List the options that determine the bytes of pictures."""
    names = ["unit", "input_size", "picture_size", "exif", "image_encoding", "copies", "augment", "plain_copy"]
    names += ["crop", "box_padding"] if config.unit == "person" else ["fit"]
    names += ["jpeg_quality"] if config.image_encoding == "jpeg" else []
    return names + (["seed"] if config.augment is not None else [])
