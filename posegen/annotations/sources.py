"""Annotations of several sources, joined into those of one skeleton.

Each source is read for itself, by the names of its keypoints; what it does not label is unknown of all its people.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np

from posegen.annotations.audit import Audit, counted
from posegen.annotations.sample import Annotations, Sample
from posegen.config import BuildConfig, SourceRules
from posegen.errors import AnnotationError, ConfigError
from posegen.skeleton import Skeleton
from posegen.skeleton.partial import PartialSkeleton
from posegen.skeleton.unknown import OF_SOURCE
from posegen.storage import AnyPath

_SHOWN = 8


@dataclass(frozen=True, slots=True)
class SourceImages:
    """The image directories of several sources, in words of `pathlib.Path`: a name in it begins with the source's."""

    directories: Mapping[str, AnyPath]

    def __truediv__(self, name: str) -> AnyPath:
        source, _, inner = name.partition("/")
        return self.directories[source] / inner

    def __str__(self) -> str:
        return ", ".join(map(str, self.directories.values()))

    def is_dir(self) -> bool:
        """Tell whether all are there."""
        return all(directory.is_dir() for directory in self.directories.values())


def rank_image(seed: int, source: str, image_id: int, copy: int = 0) -> bytes:
    """Say where a copy of an image comes in the order that a seed gives: before those whose rank is larger.

    It depends on no other image, and on the source where there are several.
    """
    words = (seed, *([source] if source else []), image_id, *([copy] if copy else []))
    return hashlib.blake2b(" ".join(map(str, words)).encode(), digest_size=8).digest()


def configure(config: BuildConfig, rules: SourceRules) -> BuildConfig:
    """Return the configuration that one of several sources is read with.

    Raises
    ------
    ConfigError
        If keypoints are to be renamed, and there is no skeleton that says how.
    """
    if config.skeleton is None and rules.rename:
        raise ConfigError("rename needs a skeleton whose keypoints they become; name one with --skeleton")
    skeleton = None if config.skeleton is None else PartialSkeleton.of(config.skeleton, rules.rename)
    return dataclasses.replace(config, sources=(), skeleton=skeleton, category=rules.category or config.category)


def join_sources(found: Mapping[str, Annotations], config: BuildConfig) -> Annotations:
    """Join what several sources say.

    Parameters
    ----------
    found
        By the sources' names what each says, read with `configure`.
    config
        Of the build; `config.sources` has their rules.

    Raises
    ------
    AnnotationError
        If the skeleton has keypoints that no source labels.
    ConfigError
        If there is no skeleton, and the sources have different ones.
    """
    skeleton = _choose_skeleton(found, config)
    names = tuple(dict.fromkeys(parent for parents in skeleton.parents for parent in parents))
    labelled = {name for one in found.values() for name in one.names}
    if lacking := [name for name in names if name not in labelled]:
        listed = "; ".join(f"{source} names {_list(one.names)}" for source, one in found.items())
        raise AnnotationError(
            f"skeleton '{skeleton.name}' needs {_list(lacking)}, which no source labels: {listed}. Name another with "
            "--skeleton, or say with rename what is called otherwise"
        )
    samples: list[Sample] = []
    audit = Audit()
    for rules in config.sources:
        one = found[rules.name]
        samples += _limit(_rename(rules.name, one, names), rules, config, one.audit)
        if (said := _describe_names(one, names)) and said not in one.audit.notes:
            one.audit.notes.append(said)
        _add(audit, rules.name, one.audit)
    audit.notes += _find_shared(samples, found)
    first = next(iter(found.values()))
    directories = {name: one.images for name, one in found.items()}
    missing = {f"{source}/{name}": hint for source, one in found.items() for name, hint in one.missing.items()}
    return Annotations(
        path=first.path,
        images=cast("Path", SourceImages(directories)),  # it does all that is asked of a directory of images
        names=names,
        skeleton=skeleton,
        samples=tuple(samples),
        audit=audit,
        missing=missing,
        limbs_left_out=next((one.limbs_left_out for one in found.values() if one.limbs_left_out), ""),
        sources=dict(found),
    )


def _choose_skeleton(found: Mapping[str, Annotations], config: BuildConfig) -> Skeleton:
    if config.skeleton is not None:
        return config.skeleton
    first, *others = found.items()
    for name, one in others:
        if one.skeleton.keypoints != first[1].skeleton.keypoints:
            raise ConfigError(
                f"sources '{first[0]}' and '{name}' have different keypoints ({_list(first[1].names)}; and "
                f"{_list(one.names)}): say with --skeleton which they are to become"
            )
        if one.skeleton.limbs != first[1].skeleton.limbs:
            raise ConfigError(
                f"sources '{first[0]}' and '{name}' have different limbs: say with --skeleton which to draw"
            )
    return first[1].skeleton


def _rename(source: str, one: Annotations, names: Sequence[str]) -> Iterator[Sample]:
    """Give a source's samples the keypoints `names`, in their order."""
    place = {name: k for k, name in enumerate(one.names)}
    known = np.array([name in place for name in names])
    taken = [place[name] for name in names if name in place]
    for sample in one.samples:
        keypoints = np.zeros((len(sample.keypoints), len(names), 3))
        keypoints[:, known] = sample.keypoints[:, taken]
        unknown = None
        if sample.unknown is not None or not known.all():
            unknown = np.full(keypoints.shape[:2], OF_SOURCE, np.uint8)
            unknown[:, known] = 0 if sample.unknown is None else sample.unknown[:, taken]
        yield dataclasses.replace(
            sample, file_name=f"{source}/{sample.file_name}", keypoints=keypoints, unknown=unknown, source=source
        )


def _limit(samples: Iterator[Sample], rules: SourceRules, config: BuildConfig, audit: Audit) -> list[Sample]:
    """Keep the images that come first, if a source is to have so many."""
    found = list(samples)
    if rules.limit is None or len(found) <= rules.limit:
        return found
    ranked = sorted(found, key=lambda sample: (rank_image(config.seed, rules.name, sample.image_id), sample.image_id))
    kept = {sample.image_id for sample in ranked[: rules.limit]}
    audit.left_out["beyond the limit of its source"] += len(found) - len(kept)
    if lost := sum(len(sample.annotation_ids) for sample in found if sample.image_id not in kept):
        audit.not_drawn["on images beyond the limit of their source"] += lost
    return [sample for sample in found if sample.image_id in kept]


def _describe_names(one: Annotations, names: Sequence[str]) -> str:
    """Say which of the skeleton's keypoints a source does not label, and which of its own are not used."""
    lacking = [name for name in names if name not in one.names]
    unused = [name for name in one.names if name not in names]
    parts = [f"it does not label {_list(lacking)}: unknown of all its people"] if lacking else []
    if lacking and unused:
        parts.append(f"of what it labels {_list(unused)} {'is' if len(unused) == 1 else 'are'} not used")
    return "; ".join(parts)


def _add(total: Audit, name: str, audit: Audit) -> None:
    total.images += audit.images
    total.annotations += audit.annotations
    total.left_out.update(audit.left_out)
    total.not_drawn.update(audit.not_drawn)
    total.sources[name] = audit


def _find_shared(samples: Sequence[Sample], found: Mapping[str, Annotations]) -> list[str]:
    """Note pictures that several sources have: each becomes as many samples."""
    places = Counter(
        (str(found[source].images), name)
        for source, name in {(sample.source, sample.stated_name) for sample in samples}
    )
    shared = sorted(place for place, times in places.items() if times > 1)
    count = counted(len(shared), "picture")
    said = (
        f"{count} of several sources, such as {shared[0][1]}: a sample for each, with what it knows" if shared else ""
    )
    return [said] if said else []


def _list(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
