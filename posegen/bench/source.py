"""What is measured: the people and pictures of a COCO dataset, and datasets of any size that are made of them."""

from __future__ import annotations

import dataclasses
import json
import os
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from posegen.annotations import CocoPaths, Sample, read_annotations
from posegen.build.plan import ShardTask, make_plan
from posegen.config import BuildConfig
from posegen.errors import ConfigError
from posegen.images.files import read_file
from posegen.synthetic import write_sample_coco

PRESET = "tf-pose"
"""What everything is measured with: 368x368 pixels to 46x46 cells, 18 keypoints, 19 limbs."""

_MOST_SAMPLES = 256
_SYNTHETIC_IMAGES = 64


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Source:
    """Where the people and pictures come from.

    Attributes
    ----------
    name
        For the tables.
    paths
        The annotation file and the directory of pictures.
    task
        Up to 256 of its samples, the first ones in the order of a build, as a worker would be sent them.
    synthetic
        Whether the people are drawn.
    """

    name: str
    paths: CocoPaths
    task: ShardTask
    synthetic: bool = False

    @property
    def samples(self) -> Sequence[Sample]:
        """The samples."""
        return self.task.samples

    def to_dict(self) -> dict[str, Any]:
        """Return `name` and how many `samples`, `people` and labelled `keypoints` there are."""
        return {
            "name": self.name,
            "samples": len(self.samples),
            "people": sum(len(sample.keypoints) for sample in self.samples),
            "keypoints": sum(int((sample.keypoints[..., 2] > 0).sum()) for sample in self.samples),
        }


def open_source(scratch: Path, coco: Path | None, *, split: str | None = None, images: Path | None = None) -> Source:
    """Take the people of a COCO dataset, or of the synthetic sample, which is written to `scratch`.

    Raises
    ------
    ConfigError
        If there is no such dataset, or nobody is labelled in it.
    AnnotationError
        If its annotations are bad, or have not the keypoints of the preset.
    """
    synthetic = coco is None
    if coco is None:
        name = f"synthetic sample, {_SYNTHETIC_IMAGES} images"
        coco = write_sample_coco(scratch / "sample", images=_SYNTHETIC_IMAGES)
    else:
        name = coco.name or str(coco)
    config = dataclasses.replace(BuildConfig.preset(PRESET), limit=_MOST_SAMPLES, shard_size=_MOST_SAMPLES)
    plan = make_plan(read_annotations(coco, config, split=split, images=images), config)
    if not plan.samples:
        raise ConfigError(f"{plan.annotations.path}: nobody is labelled in it; measuring needs people")
    paths = CocoPaths(annotations=plan.annotations.path, images=plan.annotations.images)
    task = plan.task(0, directory=scratch)
    task = dataclasses.replace(task, samples=tuple(task.samples))  # as a worker has them
    return Source(name=name, paths=paths, task=task, synthetic=synthetic)


def replicate(source: Source, count: int, root: Path) -> CocoPaths:
    """Write a COCO dataset of `count` images, each of them a hard link to a picture of the source and a sample.

    Annotations are copied with new ids. `root` must not exist.
    """
    file, folder = root / "annotations" / "person_keypoints_train2017.json", root / "train2017"
    for directory in (file.parent, folder, root / "originals"):
        directory.mkdir(parents=True)
    document = json.loads(source.paths.annotations.read_bytes())
    annotations = defaultdict(list)
    for annotation in document["annotations"]:
        annotations[annotation["image_id"]].append(annotation)
    wanted = {sample.image_id for sample in source.samples}
    images = [image for image in document["images"] if image["id"] in wanted]
    originals = []
    for image in images:
        # Links cannot cross file systems, so each picture is copied once.
        originals.append(root / "originals" / f"{image['id']}{PurePosixPath(image['file_name']).suffix}")
        originals[-1].write_bytes(read_file(source.paths.images, image["file_name"]))
    copies: dict[str, list[Any]] = {"images": [], "annotations": []}
    for image_id in range(1, count + 1):
        image, original = images[image_id % len(images)], originals[image_id % len(images)]
        name = f"{image_id:012d}{original.suffix}"
        os.link(original, folder / name)
        copies["images"].append(image | {"id": image_id, "file_name": name})
        for annotation in annotations[image["id"]]:
            fresh = {"id": len(copies["annotations"]) + 1, "image_id": image_id}
            copies["annotations"].append(annotation | fresh)
    file.write_text(json.dumps(document | copies), encoding="utf-8")
    return CocoPaths(annotations=file, images=folder)
