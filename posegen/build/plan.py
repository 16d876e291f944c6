"""Which sample goes to which shard, from the seed and the ids alone."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from posegen.annotations import Annotations, Sample
from posegen.annotations.audit import Audit, counted
from posegen.annotations.columns import SampleColumns
from posegen.annotations.sources import rank_image
from posegen.build.persons import find_croppable
from posegen.build.pictures import OldPicture
from posegen.build.planned import PlannedSamples
from posegen.config import BuildConfig
from posegen.errors import ConfigError
from posegen.files import canonical_json
from posegen.shards import SampleKey
from posegen.skeleton import SKELETONS, Skeleton
from posegen.storage import AnyPath

_SHOWN = 20


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ShardTask:
    """All that a worker needs to build one shard; what it is sent.

    Attributes
    ----------
    file_name
        Of the shard.
    samples
        In the order in which they are stored; made when they are asked for.
    names
        The annotated keypoints' names.
    skeleton
        Of the labels.
    config
        Of the build.
    images
        The directory, archive or URL that the samples' file names are relative to.
    directory
        Where to write the shard.
    quarantined
        Reasons not to touch a sample, by its key: those that killed their workers.
    hopeless
        After how many samples to stop, if all of them failed; None: never.
    careful
        Whether samples are built one by one and each is reported, as a worker died: it is known at which, then.
    pictures
        Where a dataset has their pictures, by their keys; None if none are copied.
    """

    file_name: str
    samples: Sequence[Sample]
    names: tuple[str, ...]
    skeleton: Skeleton
    config: BuildConfig
    images: AnyPath
    directory: AnyPath
    quarantined: Mapping[SampleKey, str] = field(default_factory=dict)
    hopeless: int | None = None
    careful: bool = False
    pictures: Mapping[SampleKey, OldPicture] | None = None

    @property
    def digest(self) -> str:
        """A hash of all that determines the shard but the pictures (sha256, hexadecimal), which takes its time."""
        return self.hash_with([self.config])[0]

    def hash_with(self, configs: Sequence[BuildConfig]) -> list[str]:
        """Return the digests that the task has with some configurations."""
        samples, described, digests = PlannedSamples.of(self.samples), dict[bool, bytes](), []
        for config in configs:
            unknown = config.reads_unknown
            if unknown not in described:
                described[unknown] = b"".join(samples.describe(unknown=unknown))
            hashed = hashlib.sha256(canonical_json([config.digest, self.names, self.skeleton.to_dict()]).encode())
            hashed.update(described[unknown])
            digests.append(hashed.hexdigest())
        return digests

    @property
    def file_names(self) -> list[str]:
        """Those of the samples."""
        return PlannedSamples.of(self.samples).file_names


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BuildPlan:
    """The samples of a dataset, shard by shard."""

    annotations: Annotations
    config: BuildConfig
    shards: tuple[PlannedSamples, ...]

    @property
    def samples(self) -> int:
        """How many samples there are in all shards."""
        return sum(map(len, self.shards))

    def file_name(self, index: int) -> str:
        """Name the file of a shard."""
        return f"shard-{index:05d}-of-{len(self.shards):05d}.h5"

    def task(
        self,
        index: int,
        *,
        directory: AnyPath,
        quarantined: Mapping[SampleKey, str] | None = None,
        hopeless: int | None = None,
        careful: bool = False,
    ) -> ShardTask:
        """Make the task of one shard; made when it is sent, so that the plan is all that stays in memory."""
        return ShardTask(
            file_name=self.file_name(index),
            samples=self.shards[index],
            names=self.annotations.names,
            skeleton=self.annotations.skeleton,
            config=self.config,
            images=self.annotations.images,
            directory=directory,
            quarantined=dict(quarantined or {}),
            hopeless=hopeless,
            careful=careful,
        )


def make_plan(annotations: Annotations, config: BuildConfig) -> BuildPlan:
    """Shuffle the samples, keep the first `config.limit`, and cut them into shards of `config.shard_size`.

    Samples are ordered by a hash of the seed, their image id and, of several sources, the source's name, so the order
    of two images never depends on which others there are; the copies of an image are ordered as if they were images.
    People who are samples of their own follow each other where they share an image, which is then decoded once. Who
    cannot be one, and what the limit leaves out, is counted in the audit; which labels the skeleton cannot have is
    noted there.

    Raises
    ------
    ConfigError
        If no label is left for the annotations' skeleton, or the configuration does not know the sources they are of.
    """
    if len(annotations.sources) != len(config.sources):
        raise ConfigError(
            "annotations of several sources need a configuration that has them: see JoinedSource.configure"
        )
    annotations.audit.notes += _note_labels(config, annotations)
    annotations.audit.notes += _note_flips(config, annotations)
    annotations.audit.notes += _note_doubts(config, annotations)
    order = _order(annotations, config)
    if config.limit is not None and len(order) > config.limit:
        _count_lost(order, config.limit, annotations.audit)
        order = order[: config.limit]
    shards = tuple(order[i : i + config.shard_size] for i in range(0, len(order), config.shard_size))
    return BuildPlan(annotations=annotations, config=config, shards=shards)


def find_key(sample: Sample, config: BuildConfig) -> SampleKey:
    """Return what tells a sample of a plan from all others, as `ShardReader.key` does of one that is stored."""
    return SampleKey.of(config, sample.image_id, sample.annotation_ids.tolist(), sample.copy, sample.source)


def _order(annotations: Annotations, config: BuildConfig) -> PlannedSamples:
    """Put the samples and their copies in order."""
    columns, people = SampleColumns.of(annotations.samples), None
    images = np.arange(len(columns))
    if config.unit == "person":
        people = find_croppable(columns, annotations.audit)
        images = columns.images[people]
    rank = _rank(config.seed, columns, images, config.copies)
    copies = np.repeat(np.arange(config.copies), len(images))
    images = np.tile(images, config.copies)
    people = None if people is None else np.tile(people, config.copies)
    keys = [copies, columns.image_ids[images], rank]
    if people is not None:
        keys.insert(1, columns.annotation_ids[people])
    order = np.lexsort(keys)
    people = None if people is None else people[order]
    return PlannedSamples(columns=columns, images=images[order], people=people, copies=copies[order])


def _rank(seed: int, columns: SampleColumns, images: NDArray[np.int64], copies: int) -> NDArray[np.uint64]:
    """Say where the samples of some images come, those of each copy behind those of the one before."""
    ids, sources = columns.image_ids.tolist(), columns.sources
    named = [""] * len(ids) if sources is None else sources
    ranks = b"".join(
        rank_image(seed, source, image_id, copy)
        for copy in range(copies)
        for source, image_id in zip(named, ids, strict=True)
    )
    return np.frombuffer(ranks, ">u8").reshape(copies, len(ids))[:, images].ravel().astype(np.uint64)


def _count_lost(order: PlannedSamples, limit: int, audit: Audit) -> None:
    """Count what the limit leaves out: of what keeps a copy nothing is."""
    named = order.images if order.people is None else order.people
    lost = np.setdiff1d(named[limit:], named[:limit])
    if not len(lost):
        return
    if order.people is not None:
        audit.not_drawn["beyond the limit"] = len(lost)
        return
    audit.left_out["beyond the limit"] = len(lost)
    if people := int(np.diff(order.columns.starts)[lost].sum()):
        audit.not_drawn["on images beyond the limit"] = people


def _note_doubts(config: BuildConfig, annotations: Annotations) -> list[str]:
    """Say which labels cannot be decoded well; sigmas that differ are never too small."""
    if config.sigma_scale != "fixed" or config.sigma_keypoints != "equal":
        return []
    labels = config.create_labels(annotations.skeleton)
    doubts = {label.spec.name: getattr(getattr(label, "label", label), "doubt", "") for label in labels}
    return [f"{name}: {doubt}" for name, doubt in doubts.items() if doubt]


def _note_labels(config: BuildConfig, annotations: Annotations) -> list[str]:
    """Say which labels the skeleton, having no limbs, cannot have."""
    skeleton = annotations.skeleton
    missing = config.find_undrawable(skeleton)
    why = f"skeleton '{skeleton.name}' has no limbs"
    if missing and len(missing) == len(config.labels):
        raise ConfigError(f"{why}, and so no {', '.join(missing)}; give it limbs with --skeleton NAME or FILE.toml")
    if missing and annotations.limbs_left_out and config.labels != BuildConfig().labels:
        raise ConfigError(
            f"{annotations.place}: {', '.join(missing)} was asked for, but {annotations.limbs_left_out}; mend them, or "
            "take other limbs with --skeleton NAME or FILE.toml"
        )
    return [f"{name} is left out: {why}" for name in missing]


def _note_flips(config: BuildConfig, annotations: Annotations) -> list[str]:
    """Say which pairs of keypoints a mirror swaps, where the file's own names tell it and views are flipped.

    Raises
    ------
    ConfigError
        If the file's names tell none: nobody could say of a mirrored view which side a keypoint is on.
    """
    if config.augment is None or not config.augment.flip:
        return []
    skeleton = annotations.skeleton
    names, pairs = skeleton.keypoints, skeleton.flip_pairs
    if config.skeleton is not None or len(names) == 1:
        what = "none of its keypoints change places" if len(names) > 1 and not pairs else ""
        return [f"views are flipped, and skeleton '{skeleton.name}' has no flip pairs: {what}"] if what else []
    if not pairs:
        shown = f"{', '.join(names[:_SHOWN])}{', ...' if len(names) > _SHOWN else ''}"
        raise ConfigError(
            f"{annotations.place}: views are to be flipped, but the names of the keypoints do not tell which a mirror "
            f"swaps ({shown}); write them as flip_pairs into a "
            f"skeleton file for --skeleton, from what 'posegen skeleton show {annotations.path} --toml' prints "
            "(flip_pairs = [] if a mirror swaps none), or leave flip out of --augment"
        )
    if any(skeleton.keypoints == known.keypoints for known in SKELETONS.values()):
        return []
    paired = {k for pair in pairs for k in pair}
    alone = [name for k, name in enumerate(names) if k not in paired]
    listed = ", ".join(f"{names[a]} and {names[b]}" for a, b in pairs[:_SHOWN])
    more = ", ..." if len(pairs) > _SHOWN else ""
    rest = f"; not {', '.join(alone[:_SHOWN])}{', ...' if len(alone) > _SHOWN else ''}" if alone else ""
    return [f"a mirror swaps {counted(len(pairs), 'pair')} of keypoints, by their names: {listed}{more}{rest}"]
