"""The one door to a dataset's annotations, whoever wrote them: find them, and read what was found."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import overload

from posegen.annotations.coco.held import hash_annotations
from posegen.annotations.coco.paths import find_coco
from posegen.annotations.coco.read import read_coco
from posegen.annotations.sample import Annotations
from posegen.annotations.sources import configure, join_sources
from posegen.config import BuildConfig, Source, SourceRules
from posegen.config.sources import name_sources
from posegen.errors import AnnotationError, ConfigError
from posegen.files import canonical_json
from posegen.storage import AnyPath, Location, Place

Sources = Location | Source | Sequence[str | os.PathLike[str] | Source]
"""A path, or several things to build from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotationSource:
    """Annotations that were found and not read yet; made by `find_annotations`.

    Attributes
    ----------
    path, images
        The annotation file, and the directory that its file names are relative to.
    """

    path: AnyPath
    images: AnyPath

    def configure(self, config: BuildConfig) -> BuildConfig:
        """Return what is built from it with a configuration. Raises `ConfigError` if that has several sources."""
        if config.sources:
            listed = ", ".join(rules.name for rules in config.sources)
            raise ConfigError(f"{self.path}: this is one source, expected several: {listed}; name them all")
        return config

    def read(self, config: BuildConfig) -> Annotations:
        """Read, check and count them.

        Parameters
        ----------
        config
            Which categories and which skeleton, and who is drawn.

        Raises
        ------
        ConfigError
            If `config` does not fit the file.
        AnnotationError
            If the file is not what it has to be.
        """
        return read_coco(self.path, self.configure(config), self.images)

    def describe(self) -> dict[str, str]:
        """Return the names of file and directory, and the file's `sha256`. Raises `OSError` if it cannot be read."""
        return {"annotations": self.path.name, "sha256": hash_annotations(self.path), "images": self.images.name}

    def compare(self, recorded: Mapping[str, str]) -> Iterator[str]:
        """Say whether it is other than what `describe` gave once, if it is known what that was."""
        before = recorded.get("sha256")
        if before is not None and (now := hash_annotations(self.path)) != before:
            yield (
                f"was built from other annotations than {self.path} (sha256 {before[:12]}..., now {now[:12]}...): "
                "build again to see how many shards change, or name those it was built from"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinedSource:
    """Several sources that were found and not read yet, by name; made by `find_annotations`."""

    rules: tuple[Source, ...]
    found: Mapping[str, AnnotationSource]

    def configure(self, config: BuildConfig) -> BuildConfig:
        """Return what is built from them with a configuration, which may know their rules already.

        Raises
        ------
        ConfigError
            If it knows other sources.
        """
        rules = tuple(source.rules for source in self.rules)
        if not config.sources:
            return dataclasses.replace(config, sources=rules)
        expected, given = ([one.name for one in of] for of in (config.sources, rules))
        if expected != given:
            raise ConfigError(f"expected the sources {', '.join(expected)}, not {', '.join(given)}; name them all")
        for own, known in zip(rules, config.sources, strict=True):
            if own not in (known, SourceRules(name=own.name)):
                raise ConfigError(f"source '{own.name}' is read in one way by the configuration, and is given another")
        return config

    def read(self, config: BuildConfig) -> Annotations:
        """Read, check, count and join them; raises what `AnnotationSource.read` raises, and says of which."""
        config = self.configure(config)
        found = {}
        for rules in config.sources:
            try:
                found[rules.name] = self.found[rules.name].read(configure(config, rules))
            except (AnnotationError, ConfigError) as error:
                raise type(error)(f"source '{rules.name}': {error}") from error
        return join_sources(found, config)

    def describe(self) -> dict[str, str]:
        """Return what `AnnotationSource.describe` gives of each, by `NAME.sha256` and so on, and a `sha256` of all."""
        each = {name: source.describe() for name, source in self.found.items()}
        whole = canonical_json([[name, of["sha256"]] for name, of in sorted(each.items())])
        flat = {f"{name}.{key}": value for name, of in each.items() for key, value in of.items()}
        return {"sha256": hashlib.sha256(whole.encode()).hexdigest(), **flat}

    def compare(self, recorded: Mapping[str, str]) -> Iterator[str]:
        """Say which are others than what `describe` gave once."""
        for name, source in self.found.items():
            before = recorded.get(f"{name}.sha256")
            for what in source.compare({} if before is None else {"sha256": before}):
                yield f"source '{name}': {what}"

    def name_alike(self, config: BuildConfig, recorded: Mapping[str, str]) -> JoinedSource:
        """Give each the name that a dataset has for it, however it is called here.

        It is known by its file's sha256, or else by its own name, or by that of its file; the only one that is left
        after this must be the only one that is missing.
        """
        free = [rules.name for rules in config.sources]
        names: dict[str, str] = {}
        digests = {own: hash_annotations(source.path) for own, source in self.found.items()}
        for key in ("sha256", "", "annotations"):
            for own, source in self.found.items():
                known = {"sha256": digests[own], "": own, "annotations": source.path.name}[key]
                alike = [name for name in free if known == (recorded.get(f"{name}.{key}") if key else name)]
                # Two sources of one file are the same whichever is which; two files of one name are not.
                if own not in names and alike and (own in alike or len(alike) == 1 or key == "sha256"):
                    names[own] = own if own in alike else alike[0]
                    free.remove(names[own])
        if len(free) == len(self.found) - len(names) == 1:
            names |= dict.fromkeys(self.found.keys() - names.keys(), free[0])
        if len(names) < len(self.found):
            return self
        renamed = tuple(dataclasses.replace(source, name=names[source.name]) for source in self.rules)
        found = {names[own]: source for own, source in self.found.items()}
        return JoinedSource(rules=name_sources(renamed), found=dict(sorted(found.items())))


@overload
def find_annotations(
    path: Location,
    *,
    split: str | None = None,
    images: Location | None = None,
    need_images: bool = True,
) -> AnnotationSource: ...
@overload
def find_annotations(
    path: Sources,
    *,
    split: str | None = None,
    images: Location | None = None,
    need_images: bool = True,
) -> AnnotationSource | JoinedSource: ...
def find_annotations(
    path: Sources,
    *,
    split: str | None = None,
    images: Location | None = None,
    need_images: bool = True,
) -> AnnotationSource | JoinedSource:
    """Find a dataset's annotations and images, which says what is wrong with a path before long work begins.

    Parameters
    ----------
    path
        A COCO root or an annotation file; see `posegen.annotations.find_coco`. Or a `Source`, or several of all these.
    split, images
        Which split of a root, and the image directory, archive or URL, if that is not obvious; a `Source` has its own.
    need_images
        Whether it is an error that there is no image directory.

    Raises
    ------
    ConfigError
        If something does not exist, or several things could be meant.
    """
    if isinstance(path, (str, os.PathLike, Place)):
        return _find(path, split, images, need_images=need_images)
    if split is not None or images is not None:
        raise ConfigError("split and images go with one path: of several sources each has its own")
    listed = [path] if isinstance(path, Source) else path
    if not listed:
        raise ConfigError("there is no source: expected a path, or several of them")
    named = name_sources(one if isinstance(one, Source) else Source(coco=one) for one in listed)
    found = {source.name: _find(source.coco, source.split, source.images, need_images=need_images) for source in named}
    return JoinedSource(rules=named, found=found)


def find_recorded(
    path: Sources,
    config: BuildConfig,
    recorded: Mapping[str, str],
    *,
    split: str | None = None,
    images: Location | None = None,
    need_images: bool = True,
) -> AnnotationSource | JoinedSource:
    """Find what a dataset was built from: as `find_annotations`, and sources are known by their files' sha256.

    Parameters
    ----------
    config, recorded
        Of the dataset: its configuration, and what `describe` gave when it was built.

    Raises
    ------
    ConfigError
        If something does not exist, or it was built from another number of sources, or from others.
    """
    found = find_annotations(path, split=split, images=images, need_images=need_images)
    if isinstance(found, JoinedSource):
        if not config.sources:
            raise ConfigError(f"the dataset was built from one source, not from {len(found.found)}: name that alone")
        found = found.name_alike(config, recorded)
    found.configure(config)
    return found


def read_annotations(
    path: Sources,
    config: BuildConfig,
    *,
    split: str | None = None,
    images: Location | None = None,
    need_images: bool = True,
) -> Annotations:
    """Find a dataset's annotations and images, read, check and count them.

    Parameters
    ----------
    path, split, images, need_images
        As for `find_annotations`.
    config
        Which categories and which skeleton, and who is drawn.

    Raises
    ------
    ConfigError
        If something does not exist, or `config` does not fit the file.
    AnnotationError
        If the file is not what it has to be.
    """
    return find_annotations(path, split=split, images=images, need_images=need_images).read(config)


def _find(path: Location, split: str | None, images: Location | None, *, need_images: bool) -> AnnotationSource:
    found = find_coco(path, split=split, images=images, need_images=need_images)
    return AnnotationSource(path=found.annotations, images=found.images)
