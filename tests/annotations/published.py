"""Datasets laid out as published ones are, and built by the code of the workers, in this process."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from posegen.annotations import read_annotations
from posegen.build.plan import make_plan
from posegen.build.worker import build_shard
from posegen.config import BuildConfig
from posegen.errors import AnnotationError
from posegen.shards import ShardReader
from posegen.skeleton import SKELETONS

SMALL = {"input_size": (48, 64), "stride": 8, "label_dtype": "float32", "image_encoding": "png"}
Document = dict[str, Any]


class Dataset:
    """One annotation file and its pictures, 64x48 pixels unless said otherwise, so that points stay where they are."""

    def __init__(self, root: Path, name: str = "annotations/train.json", images: str = "images/train") -> None:
        self.path = root / name
        self.images = root / images
        self.document: Any = {"images": [], "annotations": [], "categories": []}

    def category(self, names: Sequence[str] | None, limbs: Any = (), **entry: Any) -> None:
        number = len(self.document["categories"]) + 1
        made: Document = {"id": number, "name": "person"}
        if names is not None:
            made |= {"keypoints": list(names), "skeleton": [list(limb) for limb in limbs]}
        self.document["categories"].append(made | entry)

    def image(self, name: str = "a.png", data: bytes | None = None, **entry: Any) -> None:
        path = self.images / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode(picture()) if data is None else data)
        number = len(self.document["images"]) + 1
        made = {"id": number, "file_name": name, "width": 64, "height": 48} | entry
        self.document["images"].append({key: value for key, value in made.items() if value is not ...})

    def person(self, keypoints: Any = ..., **entry: Any) -> None:
        number = len(self.document["annotations"]) + 1
        made = {"id": number, "image_id": 1, "category_id": 1, "keypoints": keypoints} | entry
        self.document["annotations"].append({key: value for key, value in made.items() if value is not ...})

    def write(self) -> Path:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(json.dumps(self.document))
        return self.path

    def build(self, **config: Any) -> tuple[dict[str, Any], Document]:
        """Build the first shard: its first sample with its labels by name, and the audit."""
        settings = BuildConfig(**({"skeleton": None} | SMALL | config))
        found = read_annotations(self.write(), settings)
        plan = make_plan(found, settings)
        out = self.path.parent / "built"
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        task = plan.task(0, directory=out)
        result = build_shard(task, lambda _: None)
        assert result.failures == ()
        with ShardReader(out / task.file_name) as reader:
            labels = {label.spec.name: reader.label(label, 0) for label in reader.labels}
            pixels = reader.picture(0).show(reader.config.input_size)[..., ::-1]
            sample = reader.sample(0) | labels | {"picture": pixels, "skeleton": reader.skeleton}
        return sample, found.audit.to_dict()

    def refusal(self, error: type[Exception] = AnnotationError, **config: Any) -> str:
        with pytest.raises(error) as caught:
            self.build(**config)
        assert len(str(caught.value)) < 1500
        return str(caught.value)


def picture(seed: int = 0, width: int = 64, height: int = 48) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, 256, (4, 5, 3), np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)


def encode(pixels: np.ndarray, suffix: str = ".png") -> bytes:
    return cv2.imencode(suffix, pixels)[1].tobytes()


def points(count: int, v: float = 2) -> list[float]:
    """Make keypoints, all different, whole, and inside the picture."""
    return [number for k in range(count) for number in (1 + k * 7 % 61, 1 + k * 5 % 45, v)]


def triplets(values: Sequence[float]) -> list[list[float]]:
    return [list(values[i : i + 3]) for i in range(0, len(values), 3)]


def make_person(root: Path) -> Dataset:
    """Make a dataset of one picture with one person of COCO's 17 keypoints, and nothing that a file need not have."""
    dataset = Dataset(root)
    coco_17 = SKELETONS["coco-17"]
    dataset.category(coco_17.keypoints, [(a + 1, b + 1) for a, b in coco_17.limbs])
    dataset.image()
    dataset.person(points(17))
    return dataset


def check_person(sample: Document, expected: Any) -> None:
    """Check the sample's only person, and that its keypoints are where the heatmap has its peaks."""
    np.testing.assert_allclose(sample["keypoints"][0], np.reshape(expected, (-1, 3)), atol=1e-4)
    for (x, y, v), channel in zip(sample["keypoints"][0], sample["heatmap"], strict=False):
        row, column = np.unravel_index(channel.argmax(), channel.shape)
        assert (channel.max() > 0.5) == (v > 0)
        if v > 0:
            assert abs(8 * column + 3.5 - x) <= 8
            assert abs(8 * row + 3.5 - y) <= 8
