"""What a build stores since format 2: bitmaps of what is ignored, pictures in boxes, larger pictures."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import h5py
import hdf5plugin  # noqa: F401 (registers the compressor)
import numpy as np
import pytest
from conftest import Coco
from each import each
from executors import InProcess
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

import posegen
from posegen.errors import ConfigError
from posegen.images.augment import Augmentation
from posegen.shards import ShardReader
from posegen.shards.manifest import Manifest

HERE = InProcess()
VIEWS = Augmentation(scale=(0.4, 1.4), rotate=60, shift=20, flip=0.5)
BUILDS: dict[str, dict[str, Any]] = {
    "letterbox": {"labels": ("heatmap", "mask")},
    "cover": {"fit": "cover", "labels": ()},
    "views": {"augment": VIEWS, "labels": ("heatmap",)},
    "people": {"unit": "person", "labels": ("weight",), "input_size": (64, 48)},
}


def build(corpus: Coco, out: Path, **options: Any) -> Path:
    config = posegen.BuildConfig(**{"input_size": (64, 96), "shard_size": 4, "image_encoding": "png", **options})
    posegen.build(corpus.root, out, config, executor=HERE)
    return out


def read(dataset: Path) -> Iterator[tuple[ShardReader, int]]:
    for path in sorted(dataset.glob("*.h5")):
        with ShardReader(path) as reader:
            yield from ((reader, i) for i in range(len(reader)))


def paint(shapes: list[dict[str, Any]], height: int, width: int) -> NDArray[np.bool_]:
    """Paint annotations: their segmentation, or where that is missing or empty their box, cut to the image."""
    painted = np.zeros((height, width), bool)
    for shape in shapes:
        segmentation = shape.get("segmentation")
        if not segmentation:
            x, y, w, h = shape["bbox"]
            left, top, right, bottom = max(x, 0), max(y, 0), min(x + w, width), min(y + h, height)
            encoded = coco_mask.frPyObjects(
                np.array([[left, top, right - left, bottom - top]], np.float64), height, width
            )
        elif isinstance(segmentation, list):
            encoded = coco_mask.frPyObjects(segmentation, height, width)
        elif isinstance(segmentation["counts"], list):
            encoded = [coco_mask.frPyObjects(segmentation, height, width)]
        else:
            encoded = [segmentation]
        painted |= coco_mask.decode(coco_mask.merge(encoded)).astype(bool)
    return painted


def expect(corpus: Coco, sample: dict[str, Any], size: tuple[int, int]) -> NDArray[np.bool_]:
    """Look up, pixel by pixel, whether what lies at its middle is ignored."""
    height, width = sample["height"], sample["width"]
    of_image = [a for a in corpus.document["annotations"] if a["image_id"] == sample["image_id"]]
    drawn = [a for a in of_image if not a["iscrowd"] and any(a["keypoints"][2::3])]
    ignored = paint([a for a in of_image if a not in drawn], height, width) & ~paint(drawn, height, width)
    back = np.linalg.inv(np.vstack([sample["affine"], [0, 0, 1]]))
    found = np.zeros(size, bool)
    for y in range(size[0]):
        for x in range(size[1]):
            column, row, _ = np.floor(back @ [x, y, 1] + 0.5).astype(int)
            if 0 <= column < width and 0 <= row < height:
                found[y, x] = ignored[row, column]
    return found


@each(name=[*BUILDS])
def test_bitmaps_say_of_each_pixel_whether_it_is_ignored_whatever_the_labels(
    corpus: Coco, tmp_path_factory: pytest.TempPathFactory, name: str
) -> None:
    out = build(corpus, tmp_path_factory.mktemp(name) / "out", **BUILDS[name])
    seen = 0
    for reader, i in read(out):
        found = reader.ignored(i)
        expected = expect(corpus, reader.sample(i), reader.config.input_size)
        assert (found is None) is not expected.any()
        if found is not None:
            # A pixel whose middle is mapped right onto an edge may fall to either side of it.
            assert (found != expected).mean() < 2e-3
            assert found.any()
            seen += 1
    assert seen >= 3


def test_bitmaps_are_compared_with_the_annotations(corpus: Coco, tmp_path: Path) -> None:
    for name, options in BUILDS.items():
        out = build(corpus, tmp_path / name, **options)
        assert posegen.verify(out, deep=True, coco=corpus.root, executor=HERE) == []
    other = json.loads(corpus.annotations.read_text())
    crowd = next(a for a in other["annotations"] if a["iscrowd"])
    crowd["segmentation"] = [[0, 0, 20, 0, 20, 20, 0, 20]]
    (tmp_path / "other.json").write_text(json.dumps(other))
    about, found = posegen.verify(tmp_path / "cover", deep=True, coco=tmp_path / "other.json", executor=HERE)
    assert "was built from other annotations" in about.what
    assert "what is ignored of sample" in found.what
    assert "is not what was annotated" in found.what


def test_pictures_lie_in_the_box_that_the_map_says_and_are_whole_in_the_input(corpus: Coco, tmp_path: Path) -> None:
    whole = build(corpus, tmp_path / "raw", image_encoding="raw")
    cut = build(corpus, tmp_path / "png")
    for (reader, i), (raw, j) in zip(read(cut), read(whole), strict=True):
        sample, box = reader.sample(i), reader.picture(i).box
        corners = np.array([[-0.5, -0.5, 1], [sample["width"] - 0.5, sample["height"] - 0.5, 1]]) @ sample["affine"].T
        (left, top), (right, bottom) = corners + 0.5
        np.testing.assert_allclose(box, [left, top, right - left, bottom - top], atol=1e-6)
        assert raw.picture(j).box == box
        np.testing.assert_array_equal(reader.picture(i).show((64, 96)), raw.picture(j).show((64, 96)))
    sizes = [sum(path.stat().st_size for path in out.glob("*.h5")) for out in (cut, whole)]
    assert sizes[0] < sizes[1]


class TestLargerPictures:
    """Pictures that are stored larger than the input."""

    @each(options={"fit": {}, "cover": {"fit": "cover"}, "people": BUILDS["people"], "raw": {"image_encoding": "raw"}})
    def test_labels_and_people_are_those_of_the_input(
        self, corpus: Coco, tmp_path_factory: pytest.TempPathFactory, options: dict[str, Any]
    ) -> None:
        home = tmp_path_factory.mktemp("larger")
        height, width = options.get("input_size", (64, 96))
        plain = build(corpus, home / "plain", **options)
        large = build(corpus, home / "large", picture_size=(height * 5 // 2, width * 5 // 2), **options)
        found, expected = posegen.PoseDataset(large), posegen.PoseDataset(plain)
        for one, other in zip(found, expected, strict=True):
            assert one["image"].shape == other["image"].shape == (height, width, 3)
            for name in one.keys() - {"image"}:
                np.testing.assert_array_equal(one[name], other[name], name)
            # Of smooth pictures the shrunk one and the one that was never larger are alike.
            if one["file_name"] != "deep.png":
                assert np.abs(one["image"].astype(int) - other["image"]).mean() < 6
        assert posegen.verify(large, deep=True, coco=corpus.root, executor=HERE) == []

    def test_what_is_stored_is_the_picture_at_that_size(self, corpus: Coco, tmp_path: Path) -> None:
        out = build(corpus, tmp_path / "out", picture_size=(192, 288))
        for reader, i in read(out):
            sample, picture = reader.sample(i), reader.picture(i)
            if sample["file_name"].endswith(("wide.png", ".jpg")) and sample["width"] >= 150:
                original = cv2.imread(str(corpus.images / sample["file_name"]), cv2.IMREAD_COLOR)[..., ::-1]
                size = picture.box.width, picture.box.height
                assert size[0] == 288 or size[1] == 192
                shrinks = size[0] <= sample["width"]
                resized = cv2.resize(original, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
                np.testing.assert_array_equal(picture.decode()[..., :3], resized)

    def test_a_plain_reader_finds_the_size_in_the_configuration(self, corpus: Coco, tmp_path: Path) -> None:
        out = build(corpus, tmp_path / "out", picture_size=(128, 192))
        with h5py.File(min(out.glob("*.h5"))) as file:
            assert json.loads(file.attrs["config"])["picture_size"] == [128, 192]
            boxes = file["image/box"][...]
        assert ((boxes[:, 2] == 192) | (boxes[:, 3] == 128)).all()
        assert Manifest.read(out).config.picture_size == (128, 192)

    def test_one_of_another_form_or_smaller_than_the_input_is_refused(self) -> None:
        good = posegen.BuildConfig(input_size=(64, 96), picture_size=(128, 192))
        assert good.digest != posegen.BuildConfig(input_size=(64, 96)).digest
        assert posegen.BuildConfig.from_dict(good.to_dict()) == good
        assert posegen.BuildConfig(input_size=(64, 96), picture_size=(64, 96)).frame_size == (64, 96)
        for size in ((128, 193), (32, 48), (96, 96)):
            with pytest.raises(
                ConfigError, match=f"of the input, 96x64, and not be smaller; it is {size[1]}x{size[0]}"
            ):
                posegen.BuildConfig(input_size=(64, 96), picture_size=size)
