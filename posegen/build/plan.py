"""Which sample goes to which shard, from the seed and the ids alone."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from posegen.annotations import Annotations, Sample
from posegen.annotations.audit import counted
from posegen.annotations.sources import rank_image
from posegen.build.persons import split_people
from posegen.build.pictures import OldPicture
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
        In the order in which they are stored.
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
    digest
        A hash of all that determines the shard but the pictures (sha256, hexadecimal).
    quarantined
        Reasons not to touch a sample, by its key: those that killed their workers.
    hopeless
        After how many samples to stop, if all of them failed; None: never.
    pictures
        Where a dataset has their pictures, by their keys; None if none are copied.
    """

    file_name: str
    samples: tuple[Sample, ...]
    names: tuple[str, ...]
    skeleton: Skeleton
    config: BuildConfig
    images: AnyPath
    directory: AnyPath
    digest: str
    quarantined: Mapping[SampleKey, str] = field(default_factory=dict)
    hopeless: int | None = None
    pictures: Mapping[SampleKey, OldPicture] | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BuildPlan:
    """The samples of a dataset, shard by shard."""

    annotations: Annotations
    config: BuildConfig
    shards: tuple[tuple[Sample, ...], ...]

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
            digest=self._digest(self.shards[index]),
            quarantined=dict(quarantined or {}),
            hopeless=hopeless,
        )

    def _digest(self, samples: Sequence[Sample]) -> str:
        described = [self.config.digest, self.annotations.names, self.annotations.skeleton.to_dict()]
        hashed = hashlib.sha256(canonical_json(described).encode())
        before: Sample | None = None
        shapes = b""
        for sample in samples:
            # People of one image share its shapes, which take longest to write down.
            if before is None or sample.ignored is not before.ignored or sample.drawn is not before.drawn:
                listed = [[s.segmentation, s.bbox] for s in (*sample.ignored, *sample.drawn)]
                before, shapes = sample, canonical_json([len(sample.ignored), listed]).encode()
            record = [sample.image_id, sample.copy, sample.file_name, sample.width, sample.height]
            hashed.update(canonical_json(record).encode() + shapes)
            for array in (sample.keypoints, sample.bboxes, sample.annotation_ids):
                hashed.update(array.tobytes())
            if sample.unknown is not None and self.config.reads_unknown:
                hashed.update(sample.unknown.tobytes())
        return hashed.hexdigest()


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
    by_person = config.unit == "person"
    samples = split_people(annotations.samples, annotations.audit) if by_person else annotations.samples

    def rank(sample: Sample) -> tuple[bytes, SampleKey]:
        return rank_image(config.seed, sample.source, sample.image_id, sample.copy), find_key(sample, config)

    def name(sample: Sample) -> SampleKey:
        return dataclasses.replace(find_key(sample, config), copy=None)

    copies = range(1, config.copies)
    order = [*samples, *(dataclasses.replace(sample, copy=copy) for copy in copies for sample in samples)]
    order.sort(key=rank)
    if config.limit is not None and len(order) > config.limit:
        order, beyond = order[: config.limit], order[config.limit :]
        # Of what keeps a copy nothing is left out.
        if lost := {name(sample) for sample in beyond} - {name(sample) for sample in order}:
            counter = annotations.audit.not_drawn if by_person else annotations.audit.left_out
            counter["beyond the limit"] = len(lost)
            if not by_person and (people := _count_people(order, beyond)):
                annotations.audit.not_drawn["on images beyond the limit"] = people
    shards = tuple(_cut(order, config.shard_size))
    return BuildPlan(annotations=annotations, config=config, shards=shards)


def find_key(sample: Sample, config: BuildConfig) -> SampleKey:
    """Return what tells a sample of a plan from all others, as `ShardReader.key` does of one that is stored."""
    return SampleKey.of(config, sample.image_id, sample.annotation_ids.tolist(), sample.copy, sample.source)


def _count_people(kept: Sequence[Sample], beyond: Sequence[Sample]) -> int:
    """Count the people on images of which no copy is kept."""
    images = {(sample.source, sample.image_id) for sample in kept}
    lost = {(sample.source, sample.image_id): len(sample.annotation_ids) for sample in beyond}
    return sum(people for image, people in lost.items() if image not in images)


def _cut(samples: Sequence[Sample], size: int) -> list[tuple[Sample, ...]]:
    return [tuple(samples[i : i + size]) for i in range(0, len(samples), size)]


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
