"""Which pictures of a dataset can be copied into another one: the options that have to agree, and where they lie."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path

from posegen.annotations import Sample
from posegen.build.checkpoint import read_identities
from posegen.build.occupied import describe_changes
from posegen.build.pictures import OldPicture
from posegen.build.planned import PlannedSamples
from posegen.config import BuildConfig
from posegen.errors import ConfigError, ShardError
from posegen.shards import FORMAT_VERSION, Manifest, SampleKey, ShardReader, ShardRecord, library_versions
from posegen.storage import AnyPath
from posegen.storage.find import is_url, strip_file

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

    def choose(self, samples: Sequence[Sample]) -> dict[SampleKey, OldPicture]:
        """Choose what there is of some samples."""
        keys = PlannedSamples.of(samples).list_keys(self._config)
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
            people = reader.column("annotation_id", rows) if self._config.unit == "person" else [()] * len(rows)
            copies = reader.column("copy", rows) if manifest.config.copies > 1 else [0] * len(rows)
            sources = reader.column("source", rows) if manifest.config.sources else [""] * len(rows)
        for row, (image_id, name, persons, copy, source) in enumerate(
            zip(ids, names, people, copies, sources, strict=True)
        ):
            identity = identities.get(f"{source}/{name}" if source else name)
            if identity is not None:
                key = SampleKey.of(self._config, image_id, persons, copy, source)
                self._found[key] = OldPicture(shard=path, row=row, identity=identity)


def find_old_pictures(
    chosen: str | os.PathLike[str] | None, replaced: AnyPath | None, config: BuildConfig
) -> OldPictures | None:
    """Find the pictures of the dataset that was chosen, or else of the one that is replaced, if they will do.

    Raises
    ------
    ConfigError, ShardError
        As `OldPictures`, of the one that was chosen.
    """
    if chosen is not None:
        if is_url(chosen):
            raise ConfigError(f"{chosen}: pictures are copied from a dataset on this disk: posegen fetch brings it")
        return OldPictures(strip_file(chosen), config)
    with contextlib.suppress(ConfigError, ShardError):
        if isinstance(replaced, Path) and Manifest.read(replaced).config != config:
            return OldPictures(replaced, config)
    return None


def _refuse_others(directory: Path, manifest: Manifest, config: BuildConfig) -> None:
    """Raise `ConfigError` if the pictures of a dataset have other bytes than a build of a configuration gives them."""
    if manifest.format_version != FORMAT_VERSION:
        raise ConfigError(
            f"{directory}: has format version {manifest.format_version}, and pictures can be taken from version "
            f"{FORMAT_VERSION} alone"
        )
    names = _find_options(config)
    before, now = ({name: getattr(of, name) for name in names} for of in (manifest.config, config))
    lines = describe_changes(before, now, names)
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
