"""Files as published datasets and annotation tools write them: each builds, or is refused with a sentence.

The layouts are those of COCO, CrowdPose, COCO-WholeBody, AP-10K, Halpe, OneHand10K and MMPose's MPII; the contents are
made up. Samples are built by the code of the workers, in this process.
"""

from __future__ import annotations

import base64
import copy
import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from pycocotools import mask as coco_mask

from posegen.annotations import find_coco, read_coco
from posegen.build.plan import make_plan
from posegen.build.worker import build_shard
from posegen.config import BuildConfig
from posegen.errors import AnnotationError, ConfigError, ImageError
from posegen.images.codec import decode
from posegen.images.files import read_size
from posegen.shards import ShardReader
from posegen.skeleton import SKELETONS, Skeleton

SMALL = {"input_size": (48, 64), "stride": 8, "label_dtype": "float32", "image_encoding": "png"}
ANIMALS = ["antelope", "argali sheep", "bison", "zebra"]
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
        paths = find_coco(self.write())
        settings = BuildConfig(**({"skeleton": None} | SMALL | config))
        found = read_coco(paths.annotations, settings, paths.images)
        plan = make_plan(found, settings)
        out = self.path.parent / "built"
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        task = plan.task(0, directory=out)
        result = build_shard(task, lambda _: None)
        assert result.failures == ()
        with ShardReader(out / task.file_name) as reader:
            labels = {label.spec.name: reader.label(label, 0) for label in reader.labels}
            pixels = cv2.imdecode(np.frombuffer(reader.picture(0), np.uint8), cv2.IMREAD_COLOR)
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


@pytest.fixture
def coco(tmp_path: Path) -> Dataset:
    """One picture with one person of COCO's 17 keypoints, and nothing that a file need not have."""
    dataset = Dataset(tmp_path)
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


LEFT_HALF = np.asfortranarray(np.repeat([[1] * 32 + [0] * 32], 48, axis=0).astype(np.uint8))
SEGMENTATIONS: dict[str, Any] = {
    "absent": ...,
    "null": None,
    "none": [],
    "polygon": [[-0.5, -0.5, 31.5, -0.5, 31.5, 47.5, -0.5, 47.5]],
    "polygons": [[0, 0, 16, 0, 16, 47.5, 0, 47.5], [16, 0, 31.5, 0, 31.5, 47.5, 16, 47.5]],
    "rle": {"size": [48, 64], "counts": [0, 32 * 48, 32 * 48]},
    "compressed": {"size": [48, 64], "counts": coco_mask.encode(LEFT_HALF)["counts"].decode()},
    "a point": [[5, 5]],
    "not in a list": [5, 5, 40, 5, 40, 40],
    "of another picture": {"size": [64, 64], "counts": [64 * 64]},
}
"""All of these are the left half of a picture, if a box that is stands in for what cannot be drawn."""


class TestFields:
    def test_nothing_is_needed_but_ids_file_names_and_keypoints(self, coco: Dataset) -> None:
        coco.document["images"] = [{"id": 1, "file_name": "a.png"}]
        coco.document["annotations"] = [{"id": 1, "image_id": 1, "category_id": 1, "keypoints": points(17)}]
        coco.document["categories"] = [{"id": 1, "keypoints": list(SKELETONS["coco-17"].keypoints)}]
        sample, audit = coco.build()
        check_person(sample, points(17))
        for field in ("area", "bbox", "iscrowd", "num_keypoints", "segmentation"):
            assert audit["noticed"][f"no '{field}'"] == 1

    @pytest.mark.parametrize("field", ["info", "licenses"])
    def test_what_is_about_the_file_is_not_asked_for(self, coco: Dataset, field: str) -> None:
        coco.document[field] = "anything"
        check_person(coco.build()[0], points(17))

    @pytest.mark.parametrize("stated", [0, 3, 17, 99, None])
    def test_num_keypoints_is_not_trusted(self, coco: Dataset, stated: Any) -> None:
        coco.document["annotations"][0]["num_keypoints"] = stated
        check_person(coco.build()[0], points(17))

    @pytest.mark.parametrize("iscrowd", [..., 0, False])
    @pytest.mark.parametrize("segmentation", SEGMENTATIONS.values(), ids=SEGMENTATIONS)
    def test_every_segmentation_of_somebody_drawn(self, coco: Dataset, segmentation: Any, iscrowd: Any) -> None:
        coco.document["annotations"] = []
        coco.person(points(17), segmentation=segmentation, iscrowd=iscrowd, bbox=[0, 0, 32, 48])
        coco.person([0] * 51, iscrowd=1, bbox=[0, 0, 64, 48])
        sample, _ = coco.build()
        check_person(sample, points(17))
        np.testing.assert_allclose(sample["mask"][0], np.repeat([[1] * 4 + [0] * 4], 6, axis=0), atol=0.05)

    @pytest.mark.parametrize(("iscrowd", "keypoints"), [(1, points(17)), (1, [0] * 51), (0, [0] * 51), (..., [])])
    @pytest.mark.parametrize("segmentation", SEGMENTATIONS.values(), ids=SEGMENTATIONS)
    def test_every_segmentation_of_somebody_ignored(
        self, coco: Dataset, segmentation: Any, iscrowd: Any, keypoints: list[float]
    ) -> None:
        coco.document["annotations"] = []
        coco.person(points(17), bbox=[63, 0, 1, 1])
        coco.person(keypoints, segmentation=segmentation, iscrowd=iscrowd, bbox=[0, 0, 32, 48])
        sample, audit = coco.build()
        assert sum(audit["not_drawn"].values()) == 1
        np.testing.assert_allclose(sample["mask"][0], np.repeat([[0] * 4 + [1] * 4], 6, axis=0), atol=0.05)

    @pytest.mark.parametrize("bbox", [None, []])
    def test_a_box_may_be_nothing(self, coco: Dataset, bbox: Any) -> None:
        coco.document["annotations"][0]["bbox"] = bbox
        check_person(coco.build()[0], points(17))

    def test_fields_of_no_concern_are_ignored(self, coco: Dataset) -> None:
        coco.document["annotations"][0] |= {"attributes": {"occluded": False}, "track_id": "x", "score": None}
        coco.document["images"][0] |= {"crowdIndex": 0.6, "license": "?", "coco_url": 3, "date_captured": None}
        check_person(coco.build()[0], points(17))


class TestKeypoints:
    def test_they_may_be_a_list_for_each(self, coco: Dataset) -> None:
        coco.document["annotations"][0]["keypoints"] = triplets(points(17))
        sample, audit = coco.build()
        check_person(sample, points(17))
        assert audit["noticed"]["keypoints in a list for each"] == 1

    @pytest.mark.parametrize(
        "nested", [[[1, 2]] * 17, [[1, 2, 2]] * 16, [[1, 2, 2]] * 16 + [[1, 2]], [[[1, 2, 2]]] * 17]
    )
    def test_lists_that_are_no_triplets_are_refused(self, coco: Dataset, nested: Any) -> None:
        coco.document["annotations"][0]["keypoints"] = nested
        coco.person(points(17))
        assert "annotation 1: keypoints must be" in coco.refusal()

    def test_a_visibility_between_is_labelled_and_not_visible(self, coco: Dataset) -> None:
        keypoints = points(17)
        keypoints[2::3] = [0.02, 0.99, 1.5, 2, 1, 0, *[2] * 11]
        coco.document["annotations"][0]["keypoints"] = keypoints
        sample, audit = coco.build()
        assert sample["keypoints"][0, :6, 2].tolist() == [1, 1, 1, 2, 1, 0]
        assert audit["noticed"]["visibility between 0 and 2 that is no whole number; taken for 1"] == 1
        visible, _ = coco.build(visibility="visible")
        assert (visible["heatmap"][:3] == 0).all()
        assert visible["heatmap"][3].max() > 0.5

    def test_negative_coordinates_with_v_1_draw_what_reaches_inside(self, coco: Dataset) -> None:
        keypoints = points(17)
        keypoints[:3] = [-6, 20, 1]
        coco.document["annotations"][0]["keypoints"] = keypoints
        sample, audit = coco.build()
        assert sample["keypoints"][0, 0].tolist() == pytest.approx([-6, 20, 1])
        assert 0.1 < sample["heatmap"][0].max() < 1
        assert sample["heatmap"][0, :, 4:].max() == 0
        assert audit["noticed"]["keypoint outside the image"] == 1

    @pytest.mark.parametrize("blank", [None, float("nan"), -1, 1e300])
    def test_where_nothing_is_labelled_coordinates_may_be_anything(self, coco: Dataset, blank: Any) -> None:
        keypoints: list[Any] = points(17)
        keypoints[3:6] = [blank, blank, 0]
        coco.document["annotations"][0]["keypoints"] = keypoints
        sample, _ = coco.build()
        assert sample["keypoints"][0, 1].tolist() == [0, 0, 0]
        assert sample["keypoints"][0, 2, 2] == 2

    def test_coordinates_that_are_missing_but_labelled_are_refused(self, coco: Dataset) -> None:
        coco.document["annotations"][0]["keypoints"] = [None, None, 1, *points(16)]
        assert "annotation 1: keypoints must be finite numbers" in coco.refusal()

    def test_a_category_that_names_21_where_annotations_have_17_is_refused(self, coco: Dataset) -> None:
        coco.document["categories"] = []
        coco.category([f"p{i}" for i in range(21)], name="hand")
        message = coco.refusal()
        assert "category 'hand' names 21 keypoints, but its annotations have 17, as annotation 1 has" in message

    def test_one_annotation_of_another_count_is_refused_by_its_id(self, coco: Dataset) -> None:
        coco.person(points(16))
        assert "annotation 2: keypoints must be 51 numbers (x, y, v for each of 17), not 48" in coco.refusal()


class TestCategories:
    @pytest.mark.parametrize("categories", ["absent", "none", "without keypoints", "with no keypoints"])
    def test_keypoints_that_nobody_names_are_numbered(self, coco: Dataset, categories: str) -> None:
        if categories == "absent":
            del coco.document["categories"]
        else:
            named = {"without keypoints": [{"id": 1, "name": "hand"}], "none": []}
            empty = [{"id": 1, "name": "hand", "keypoints": [], "skeleton": []}]  # as Halpe has it
            coco.document["categories"] = named.get(categories, empty)
        sample, audit = coco.build()
        check_person(sample, points(17))
        assert sample["skeleton"].keypoints == tuple(f"keypoint_{i}" for i in range(17))
        assert "paf" not in sample
        assert "no category names its 17 keypoints; they are called keypoint_0 to keypoint_16" in audit["notes"]
        assert any(note.startswith("paf is left out: skeleton ") for note in audit["notes"])

    def test_an_annotation_may_leave_out_the_only_category(self, coco: Dataset) -> None:
        del coco.document["annotations"][0]["category_id"]
        check_person(coco.build()[0], points(17))

    def test_keypoints_that_nobody_names_are_those_of_a_skeleton_with_as_many(self, coco: Dataset) -> None:
        coco.document["categories"] = [{"id": 1, "name": "hand"}]
        coco.document["annotations"][0]["keypoints"] = points(21)
        sample, audit = coco.build(skeleton=SKELETONS["hand-21"])
        check_person(sample, points(21))
        assert sample["paf"].shape[0] == 40
        assert any("taken for those of 'hand-21', in its order" in note for note in audit["notes"])

    def test_a_skeleton_file_can_name_numbered_keypoints(self, coco: Dataset) -> None:
        coco.document["categories"] = []
        parents = (("keypoint_3",), ("keypoint_0", "keypoint_1"))
        sample, _ = coco.build(skeleton=Skeleton(name="two", keypoints=("ear", "eyes"), parents=parents))
        mean = (np.array(points(17)[:3]) + points(17)[3:6]) / 2
        check_person(sample, [*points(17)[9:12], *mean])

    def test_unnamed_keypoints_of_different_counts_are_refused(self, coco: Dataset) -> None:
        coco.document["categories"] = []
        coco.person(points(21))
        message = coco.refusal()
        assert "17 (annotation 1), 21 (annotation 2); all must have as many" in message

    def test_paf_alone_without_limbs_is_refused(self, coco: Dataset) -> None:
        coco.document["categories"] = []
        message = coco.refusal(ConfigError, labels=("paf",))
        assert "has no limbs, and so no paf" in message

    def test_categories_that_share_one_skeleton_are_read_together(self, tmp_path: Path) -> None:
        dataset = Dataset(tmp_path, "annotations/ap10k-train-split1.json", "data")
        ap10k = SKELETONS["ap10k-17"]
        for animal in ANIMALS:
            dataset.category(ap10k.keypoints, [(a + 1, b + 1) for a, b in ap10k.limbs], name=animal)
        dataset.image()
        for number in (2, 4):
            dataset.person(points(17), category_id=number)
        sample, _ = dataset.build()
        assert len(sample["keypoints"]) == 2
        assert (sample["skeleton"].limbs, sample["skeleton"].sigmas) == (ap10k.limbs, ap10k.sigmas)
        alone, audit = dataset.build(category=("zebra",))
        assert alone["annotation_id"].tolist() == [2]
        assert audit["not_drawn"] == {"of another category": 1}
        assert len(dataset.build(category=("zebra", "argali sheep"))[0]["keypoints"]) == 2

    def test_categories_of_different_keypoints_are_listed(self, coco: Dataset) -> None:
        coco.category(["nose", "tail"], name="dog")
        assert "several categories have keypoints: person, dog; their keypoints differ" in coco.refusal(ConfigError)
        check_person(coco.build(category=("person",))[0], points(17))

    def test_categories_of_different_limbs_need_a_skeleton(self, coco: Dataset) -> None:
        coco.category(SKELETONS["coco-17"].keypoints, [(1, 2)], name="child")
        assert "several categories have keypoints: person, child; their limbs differ" in coco.refusal(ConfigError)
        check_person(coco.build(skeleton=SKELETONS["coco-17"])[0], points(17))

    def test_crowdpose_carries_limbs_of_another_dataset(self, tmp_path: Path) -> None:
        dataset = Dataset(tmp_path, "json/crowdpose_train.json", "images")
        limbs = [[16, 14], [14, 12], [17, 15], [15, 13], [12, 13], [6, 12], [7, 13], [6, 7], [6, 8]]
        crowdpose = SKELETONS["crowdpose-14"]
        dataset.category(crowdpose.keypoints, limbs)
        dataset.image("100000.jpg", encode(picture(), ".jpg"), crowdIndex=0.31)
        dataset.person(points(14), num_keypoints=14, iscrowd=0, bbox=[1, 1, 60, 40])
        left_out = dataset.build()[1]["notes"]
        assert any(
            "'skeleton' must be a list of pairs of keypoint numbers 1..14, but has [16, 14]" in n for n in left_out
        )
        assert "paf is left out: skeleton 'person' has no limbs" in left_out
        assert "--skeleton" in dataset.refusal(ConfigError, labels=("heatmap", "paf"))
        sample, _ = dataset.build(skeleton=crowdpose)
        check_person(sample, points(14))
        assert sample["paf"].shape[0] == 30

    @pytest.mark.parametrize("count", [133, 300])
    def test_there_may_be_many_channels(self, coco: Dataset, count: int) -> None:
        coco.document["categories"] = []
        coco.category([f"p{i}" for i in range(count)], [(i + 1, i + 2) for i in range(count - 1)])
        coco.document["annotations"][0]["keypoints"] = points(count)
        for grid in ("bilinear", "area", "point"):
            sample, _ = coco.build(grid=grid)
            assert sample["heatmap"].shape == (count + 1, 6, 8)
            assert sample["paf"].shape == (2 * count - 2, 6, 8)

    def test_a_list_instead_of_an_object_is_refused(self, coco: Dataset) -> None:
        coco.document = [{"image": "015601864.jpg", "joints": [[620, 394]], "center": [594, 257], "scale": 3.02}]
        assert "expected an object with images, annotations, categories; found a list" in coco.refusal()


PARTS = {"foot_kpts": 6, "face_kpts": 68, "lefthand_kpts": 21, "righthand_kpts": 21}


class TestWholeBody:
    @pytest.fixture
    def wholebody(self, coco: Dataset) -> Dataset:
        for start, (part, count) in zip((17, 23, 91, 112), PARTS.items(), strict=True):
            coco.document["annotations"][0][part] = points(133)[3 * start : 3 * (start + count)]
            coco.document["annotations"][0][part.replace("kpts", "valid")] = True
        return coco

    def test_parts_follow_the_body_in_the_order_of_the_skeleton(self, wholebody: Dataset) -> None:
        sample, audit = wholebody.build(skeleton=SKELETONS["coco-wholebody-133"])
        check_person(sample, points(133))
        assert "num_keypoints disagrees with the keypoints; they were counted" not in audit["noticed"]

    def test_num_keypoints_counts_the_body_alone(self, wholebody: Dataset) -> None:
        wholebody.document["annotations"][0]["num_keypoints"] = 17
        _, audit = wholebody.build(skeleton=SKELETONS["coco-wholebody-133"])
        assert not any(kind.startswith("num_keypoints") for kind in audit["noticed"])

    def test_a_part_that_is_not_valid_is_not_drawn(self, wholebody: Dataset) -> None:
        wholebody.document["annotations"][0]["lefthand_valid"] = False
        sample, audit = wholebody.build(skeleton=SKELETONS["coco-wholebody-133"])
        expected = np.reshape(points(133), (133, 3))
        expected[91:112] = 0
        check_person(sample, expected)
        assert audit["noticed"]["lefthand_kpts that are said not to be valid; not drawn"] == 1

    def test_a_part_that_is_missing_is_not_labelled(self, wholebody: Dataset) -> None:
        del wholebody.document["annotations"][0]["face_kpts"]
        sample, _ = wholebody.build(skeleton=SKELETONS["coco-wholebody-133"])
        assert (sample["keypoints"][0, 23:91] == 0).all()
        assert (sample["keypoints"][0, 91:, 2] == 2).all()

    def test_a_part_of_another_count_is_refused(self, wholebody: Dataset) -> None:
        wholebody.document["annotations"][0]["foot_kpts"] = points(5)
        message = wholebody.refusal(skeleton=SKELETONS["coco-wholebody-133"])
        assert "annotation 1: foot_kpts: keypoints must be 18 numbers (x, y, v for each of 6), not 15" in message

    def test_a_skeleton_may_take_some_of_it(self, wholebody: Dataset) -> None:
        feet = Skeleton(name="feet", keypoints=("left_heel", "left_ankle"), limbs=((0, 1),))
        sample, _ = wholebody.build(skeleton=feet)
        check_person(sample, [*points(133)[57:60], *points(133)[45:48]])

    def test_without_such_a_skeleton_the_parts_are_left_out_with_a_note(self, wholebody: Dataset) -> None:
        sample, audit = wholebody.build()
        check_person(sample, points(17))
        assert any("lefthand_kpts" in note and "coco-wholebody-133" in note for note in audit["notes"])


class TestImages:
    @pytest.mark.parametrize(
        ("name", "suffix"), [("a.png", ".png"), ("a.jpg", ".jpg"), ("a.webp", ".webp"), ("a.bmp", ".bmp")]
    )
    def test_a_size_that_is_not_stated_is_read_from_the_picture(self, tmp_path: Path, name: str, suffix: str) -> None:
        dataset = Dataset(tmp_path)
        dataset.category(["nose"])
        dataset.image(name, encode(picture(width=30, height=50), suffix), width=..., height=...)
        dataset.person([3, 4, 2])
        sample, audit = dataset.build()
        assert (sample["width"], sample["height"]) == (30, 50)
        assert "1 of 1 images state no size; it was read from their pictures" in audit["notes"]

    def test_a_size_that_is_null_or_a_whole_float_is_taken(self, coco: Dataset) -> None:
        coco.document["images"][0] |= {"width": None, "height": None}
        check_person(coco.build()[0], points(17))
        coco.document["images"][0] |= {"width": 64.0, "height": 48.0}
        check_person(coco.build()[0], points(17))

    def test_a_size_of_a_picture_that_is_not_there_is_refused(self, coco: Dataset) -> None:
        coco.document["images"][0] = {"id": 1, "file_name": "missing.png"}
        message = coco.refusal()
        assert "image 1: it has no 'width' and 'height', and its picture does not tell: " in message
        assert "missing.png: cannot be read" in message

    def test_a_size_is_read_through_a_link(self, coco: Dataset, tmp_path: Path) -> None:
        (tmp_path / "store.png").write_bytes(encode(picture()))
        (coco.images / "link.png").symlink_to(tmp_path / "store.png")
        coco.document["images"][0] = {"id": 1, "file_name": "link.png"}
        sample, _ = coco.build()
        check_person(sample, points(17))

    @pytest.mark.parametrize(
        ("images", "name"),
        [
            ("images/train", "a.png"),
            ("images/train", "deep/er/a.png"),
            ("images", "a.png"),
            ("train", "a.png"),
            (".", "train2017/a.png"),
            (".", "images/train/a.png"),
            ("annotations", "a.png"),
            ("annotations/pictures", "a.png"),
            ("data", "a.png"),
        ],
    )
    def test_images_are_found_where_the_file_names_lead(self, tmp_path: Path, images: str, name: str) -> None:
        dataset = Dataset(tmp_path, images=images)
        dataset.category(["nose"])
        dataset.image(name)
        dataset.person([3, 4, 2])
        sample, _ = dataset.build()
        np.testing.assert_array_equal(sample["picture"], picture())

    def test_images_that_several_directories_have_are_not_guessed(self, tmp_path: Path) -> None:
        for place in ("small", "large"):
            dataset = Dataset(tmp_path, images=place)
            dataset.category(["nose"])
            dataset.image()
            dataset.person([3, 4, 2])
        assert f"several directories have the images of {dataset.path}: " in dataset.refusal(ConfigError)

    def test_deep_gray_transparent_and_printed_pictures_are_built(self, coco: Dataset) -> None:
        colours = picture()
        gray = cv2.cvtColor(colours, cv2.COLOR_BGR2GRAY)
        deep = colours.astype(np.uint16) * 257
        alpha = np.dstack([colours, np.zeros((48, 64), np.uint8)])
        for data, expected in (
            (encode(deep), colours),
            (encode(deep, ".tiff"), colours),
            (encode(gray), np.dstack([gray] * 3)),
            (encode(gray.astype(np.uint16) * 257), np.dstack([gray] * 3)),
            (encode(alpha), colours),
            (encode(alpha.astype(np.uint16) * 257), colours),
        ):
            (coco.images / "a.png").write_bytes(data)
            np.testing.assert_array_equal(coco.build()[0]["picture"], expected)

    def test_a_jpeg_of_four_inks_has_its_colours(self) -> None:
        found = decode(base64.b64decode(CMYK), (16, 24), "a.jpg")
        for column, colour in ((3, (220, 40, 30)), (12, (30, 200, 60)), (20, (40, 60, 210))):
            assert np.abs(found[8, column, ::-1].astype(int) - colour).max() <= 4

    @pytest.mark.parametrize("orientation", [1, 3, 6])
    def test_the_size_is_that_of_the_stored_pixels(self, tmp_path: Path, orientation: int) -> None:
        exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0" + bytes([orientation]) + b"\0\0\0\0\0\0"
        jpeg = encode(picture(), ".jpg")
        segment = b"\xff\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif  # with a fill byte
        (tmp_path / "a.jpg").write_bytes(jpeg[:2] + segment + jpeg[2:])
        assert read_size(tmp_path, "a.jpg") == (48, 64)

    @pytest.mark.parametrize("name", ["progressive.jpg", "gray.jpg", "a.png"])
    def test_the_size_comes_from_the_header_alone(self, tmp_path: Path, name: str) -> None:
        pixels = picture()[..., 0] if name == "gray.jpg" else picture()
        flags = [cv2.IMWRITE_JPEG_PROGRESSIVE, 1] if name == "progressive.jpg" else []
        data = cv2.imencode(Path(name).suffix, pixels, flags)[1].tobytes()
        start = data.index(b"IDAT") if name == "a.png" else data.index(b"\xff\xda")
        (tmp_path / name).write_bytes(data[:start])
        assert read_size(tmp_path, name) == (48, 64)

    @pytest.mark.parametrize(
        ("suffix", "quality", "channels"), [(".webp", 80, 3), (".webp", 101, 3), (".webp", 80, 4), (".bmp", 0, 3)]
    )
    @pytest.mark.parametrize("size", [(48, 64), (1, 1), (300, 7), (5, 4099)])
    def test_the_size_is_in_the_first_thirty_bytes(
        self, tmp_path: Path, suffix: str, quality: int, channels: int, size: tuple[int, int]
    ) -> None:
        pixels = np.random.default_rng(0).integers(0, 256, (*size, channels), np.uint8)
        flags = [cv2.IMWRITE_WEBP_QUALITY, quality] if suffix == ".webp" else []
        data = cv2.imencode(suffix, pixels, flags)[1].tobytes()
        assert cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR).shape[:2] == size
        (tmp_path / "a").write_bytes(data[:30])
        assert read_size(tmp_path, "a") == size

    @pytest.mark.parametrize(
        "data", [b"", b"\xff\xd8", b"\xff\xd8\xff\xe0\0\x01", b"\x89PNG\r\n\x1a\n", b"GIF", b"x" * 99]
    )
    def test_what_is_no_picture_has_no_size(self, tmp_path: Path, data: bytes) -> None:
        (tmp_path / "a.jpg").write_bytes(data)
        with pytest.raises(ImageError, match=r"a\.jpg"):
            read_size(tmp_path, "a.jpg")


def test_reading_twice_makes_the_same_plan(coco: Dataset) -> None:
    coco.document["images"][0] = {"id": 1, "file_name": "a.png"}
    settings = BuildConfig(skeleton=None)
    paths = find_coco(coco.write())
    digests = set()
    for _ in range(2):
        plan = make_plan(read_coco(paths.annotations, settings, paths.images), settings)
        digests.add(plan.task(0, directory=paths.images).digest)
    assert len(digests) == 1


MESSAGES: dict[str, Callable[[Document], Any]] = {
    "note: paf is left out: skeleton 'hand' has no limbs": lambda d: d["categories"].__setitem__(
        0, {"id": 1, "name": "hand"}
    ),
    "noticed: keypoints in a list for each: 1 annotation, such as 1 (a.png)": lambda d: d["annotations"][0].update(
        keypoints=triplets(points(17))
    ),
}


def test_an_audit_reads_sizes_from_the_named_directory(tmp_path: Path, run: Callable) -> None:
    dataset = Dataset(tmp_path / "here", images="../there")
    dataset.category(["nose"])
    dataset.image(width=..., height=...)
    dataset.person([3, 4, 2])
    call = ["audit", dataset.write(), "--preset", "coco"]
    assert "there is no image" in run(*call).err or "cannot be read" in run(*call).err
    done = run(*call, "--images", dataset.images)
    assert "note: 1 of 1 images state no size; it was read from their pictures" in done.out.splitlines()


@pytest.mark.parametrize(("line", "mutate"), MESSAGES.items(), ids=MESSAGES)
def test_the_audit_says_so(coco: Dataset, run: Callable, line: str, mutate: Callable) -> None:
    coco.document = copy.deepcopy(coco.document)
    mutate(coco.document)
    done = run("audit", coco.write(), "--preset", "coco")
    assert done.status == 0
    assert line in done.out.splitlines()


CMYK = (
    "/9j/7gAOQWRvYmUAZAAAAAAA/9sAQwADAgIDAgIDAwMDBAMDBAUIBQUEBAUKBwcGCAwKDAwLCgsLDQ4SEA0OEQ4LCxAWEBETFBUVFQwP"
    "FxgWFBgSFBUU/8AAFAgAEAAYBEMRAE0RAFkRAEsRAP/EAB8AAAEFAQEBAQEBAAAAAAAAAAABAgMEBQYHCAkKC//EALUQAAIBAwMCBAMF"
    "BQQEAAABfQECAwAEEQUSITFBBhNRYQcicRQygZGhCCNCscEVUtHwJDNicoIJChYXGBkaJSYnKCkqNDU2Nzg5OkNERUZHSElKU1RVVldY"
    "WVpjZGVmZ2hpanN0dXZ3eHl6g4SFhoeIiYqSk5SVlpeYmZqio6Slpqeoqaqys7S1tre4ubrCw8TFxsfIycrS09TV1tfY2drh4uPk5ebn"
    "6Onq8fLz9PX29/j5+v/aAA4EQwBNAFkASwAAPwD71r4Ur8+q/VOvwFr9q69Qorar8iq/ZCiv3gria/B+ivwFr9q69Qorar8iq/ZCiv/Z"
)
"""A JPEG of 24x16 pixels in cyan, magenta, yellow and black, as printers' tools write it: red, green, blue."""
