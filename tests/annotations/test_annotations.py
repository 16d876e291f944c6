from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools.coco import COCO

from posegen.annotations import Annotations, find_coco, read_coco
from posegen.build.ignored import find_ignored
from posegen.build.plan import make_plan
from posegen.config import BuildConfig
from posegen.errors import AnnotationError, ConfigError, PosegenError
from posegen.skeleton import Skeleton

if TYPE_CHECKING:
    from conftest import Coco

Document = dict[str, Any]

NOBODY = {"keypoints": [0] * 51, "num_keypoints": 0}


def read(coco: Coco, **config: Any) -> Annotations:
    coco.write()
    return read_coco(coco.annotations, BuildConfig(**config))


def people(found: Annotations) -> dict[int, list[int]]:
    return {sample.image_id: sample.annotation_ids.tolist() for sample in found.samples}


def explain(coco: Coco, **config: Any) -> str:
    with pytest.raises(AnnotationError) as caught:
        read(coco, **config)
    return str(caught.value)


class TestReading:
    @pytest.fixture
    def api(self, corpus: Coco, capsys: pytest.CaptureFixture[str]) -> COCO:
        api = COCO(str(corpus.annotations))
        capsys.readouterr()
        return api

    @pytest.fixture
    def found(self, corpus: Coco) -> Annotations:
        return read_coco(corpus.annotations, BuildConfig())

    def test_samples_are_the_images_with_people_that_pycocotools_finds(self, api: COCO, found: Annotations) -> None:
        expected = {}
        for image_id in sorted(api.getImgIds()):
            on_it = api.loadAnns(api.getAnnIds(imgIds=[image_id], catIds=[1], iscrowd=False))
            if labelled := [a["id"] for a in on_it if any(v > 0 for v in a["keypoints"][2::3])]:
                expected[image_id] = labelled
        assert people(found) == expected
        assert len(expected) == 8

    def test_keypoints_boxes_names_and_sizes_are_those_of_pycocotools(self, api: COCO, found: Annotations) -> None:
        for sample in found.samples:
            (image,) = api.loadImgs([sample.image_id])
            drawn = api.loadAnns(sample.annotation_ids.tolist())
            assert (sample.file_name, sample.width, sample.height) == (
                image["file_name"],
                image["width"],
                image["height"],
            )
            np.testing.assert_array_equal(sample.keypoints, [np.reshape(a["keypoints"], (17, 3)) for a in drawn])
            np.testing.assert_array_equal(sample.bboxes, [a["bbox"] for a in drawn])

    def test_every_annotation_is_drawn_or_counted(self, api: COCO, found: Annotations) -> None:
        drawn = sum(len(sample.annotation_ids) for sample in found.samples)
        assert found.audit.annotations == len(api.getAnnIds()) == drawn + found.audit.not_drawn.total()

    def test_every_image_is_a_sample_or_counted(self, api: COCO, found: Annotations) -> None:
        assert found.audit.images == len(api.getImgIds()) == len(found.samples) + found.audit.left_out.total()

    def test_names_are_those_of_the_category(self, api: COCO, found: Annotations) -> None:
        assert list(found.names) == api.cats[1]["keypoints"]

    def test_the_skeleton_of_the_file_counts_from_zero(self, api: COCO, corpus: Coco) -> None:
        skeleton = read_coco(corpus.annotations, BuildConfig(skeleton=None)).skeleton
        assert [[a + 1, b + 1] for a, b in skeleton.limbs] == api.cats[1]["skeleton"]

    def test_samples_are_in_the_order_of_their_image_ids(self, coco: Coco) -> None:
        coco.document["images"].reverse()
        assert [sample.image_id for sample in read(coco).samples] == [100, 107]


class TestWhoIsDrawn:
    def test_a_crowd_is_not_even_with_keypoints(self, coco: Coco) -> None:
        coco.document["annotations"][0]["iscrowd"] = 1
        found = read(coco)
        assert people(found) == {100: [1003], 107: [1006]}
        assert found.audit.not_drawn == {"crowd": 1}

    @pytest.mark.parametrize("keypoints", [[0] * 51, [5, 5, 0] * 17, [], None], ids=["zeros", "v=0", "empty", "null"])
    def test_somebody_without_labelled_keypoints_is_ignored(self, coco: Coco, keypoints: Any) -> None:
        person = coco.document["annotations"][0] | {"keypoints": keypoints, "num_keypoints": 0}
        coco.document["annotations"][0] = person
        found = read(coco)
        first = found.samples[0]
        assert first.annotation_ids.tolist() == [1003]
        assert [shape.segmentation for shape in first.ignored] == [person["segmentation"]]
        assert [shape.bbox for shape in first.drawn] == [tuple(coco.document["annotations"][1]["bbox"])]
        assert found.audit.not_drawn == {"no keypoint is labelled": 1}

    def test_somebody_without_the_key_keypoints_is_ignored(self, coco: Coco) -> None:
        del coco.document["annotations"][0]["keypoints"]
        assert people(read(coco))[100] == [1003]

    def test_one_occluded_keypoint_is_enough(self, coco: Coco) -> None:
        coco.person(107, [0] * 48 + [3, 4, 1])
        assert people(read(coco))[107] == [1006, 1009]

    def test_min_keypoints_counts_labelled_triplets(self, coco: Coco) -> None:
        coco.person(107, [3, 4, 1] * 4 + [0] * 39, num_keypoints=17)
        coco.person(107, [3, 4, 2] * 5 + [0] * 36, num_keypoints=0)
        found = read(coco, min_keypoints=5)
        assert people(found)[107] == [1006, 1012]
        assert found.audit.not_drawn == {"fewer than 5 keypoints": 1}

    def test_min_area_asks_the_area_of_the_file(self, coco: Coco) -> None:
        for person in coco.document["annotations"]:
            person["area"] = 5000
        coco.person(107, area=99.9, bbox=[0, 0, 20, 20])
        coco.person(107, area=100, bbox=[0, 0, 1, 1])
        found = read(coco, min_area=100)
        assert people(found) == {100: [1000, 1003], 107: [1006, 1012]}
        assert found.audit.not_drawn == {"area below 100": 1}

    def test_min_area_asks_the_box_where_there_is_no_area(self, coco: Coco) -> None:
        for side in (9, 11):
            coco.person(107, bbox=[0, 0, side, 10])
            del coco.document["annotations"][-1]["area"]
        assert {1009, 1012} & set(people(read(coco, min_area=100))[107]) == {1012}

    def test_somebody_without_area_and_box_is_not_too_small(self, coco: Coco) -> None:
        coco.person(107, area=None, bbox=None)
        assert 1009 in people(read(coco, min_area=1e9))[107]

    def test_people_of_another_category_are_neither_drawn_nor_ignored(self, coco: Coco) -> None:
        coco.document["annotations"][1] |= NOBODY | {"category_id": 2}
        found = read(coco)
        assert found.samples[0].ignored == ()
        assert found.audit.not_drawn == {"of another category": 1}

    def test_shapes_of_drawn_people_are_kept_only_where_somebody_is_ignored(self, coco: Coco) -> None:
        coco.person(107, **NOBODY)
        first, second = read(coco).samples
        assert (len(first.ignored), len(first.drawn)) == (0, 0)
        assert (len(second.ignored), len(second.drawn)) == (1, 1)


class TestNoticing:
    def test_num_keypoints_that_disagrees_is_counted_and_not_trusted(self, coco: Coco) -> None:
        coco.document["annotations"][0]["num_keypoints"] = 0
        found = read(coco)
        assert people(found)[100] == [1000, 1003]
        assert found.audit.noticed["num_keypoints disagrees with the keypoints; they were counted"] == 1

    def test_num_keypoints_that_is_missing_does_not_disagree(self, coco: Coco) -> None:
        for person in coco.document["annotations"]:
            del person["num_keypoints"]
        found = read(coco)
        assert people(found) == {100: [1000, 1003], 107: [1006]}
        assert not any("disagrees" in kind for kind in found.audit.noticed)

    @pytest.mark.parametrize(
        "segmentation",
        [
            [[1, 2, 3, 4]],
            [[1, 2, 3, 4, 5, 6, 7]],
            [[1, 2, 3, 4, 5, "6"]],
            [[1, 2, 3, 4, 5, math.nan]],
            [[1e9, 1, 2e9, 1, 2e9, 2e9]],
            {"size": [40, 60], "counts": [2399]},
            {"size": [60, 40], "counts": [2400]},
            {"size": [40, 60], "counts": [2401, -1]},
            {"size": [40, 60], "counts": "garbage"},
            {"size": [40, 60]},
            {"counts": [2400]},
            7,
            "polygon",
        ],
    )
    def test_a_segmentation_that_cannot_be_drawn_is_counted_and_the_box_stands_in(
        self, coco: Coco, segmentation: Any
    ) -> None:
        coco.document["annotations"][0] |= NOBODY | {"segmentation": segmentation, "bbox": [1, 2, 3, 4]}
        found = read(coco)
        assert [(s.segmentation, s.bbox) for s in found.samples[0].ignored] == [(None, (1, 2, 3, 4))]
        assert found.audit.noticed["segmentation that cannot be read; the box stands in"] == 1

    def test_somebody_ignored_without_any_shape_is_counted(self, coco: Coco) -> None:
        coco.document["annotations"][0] |= NOBODY | {"segmentation": []}
        del coco.document["annotations"][0]["bbox"]
        assert read(coco).audit.noticed["ignored person without segmentation and box; not masked"] == 1

    def test_only_size_and_counts_of_run_lengths_are_kept(self, coco: Coco) -> None:
        extended = {"size": [40.0, 60], "counts": [2000, 400], "comment": math.nan}
        coco.document["annotations"][0] |= NOBODY | {"segmentation": extended}
        (shape,) = read(coco).samples[0].ignored
        assert shape.segmentation == {"size": [40, 60], "counts": [2000, 400]}

    def test_a_missing_box_is_not_a_number(self, coco: Coco) -> None:
        del coco.document["annotations"][1]["bbox"]
        first = read(coco).samples[0]
        assert np.isfinite(first.bboxes).all(axis=1).tolist() == [True, False]
        assert np.isnan(first.bboxes[1]).all()

    def test_images_left_out_are_counted_by_reason(self, coco: Coco) -> None:
        coco.image(10, 10)
        coco.person(coco.image(20, 20), **NOBODY)
        coco.person(coco.image(20, 20), iscrowd=1)
        found = read(coco)
        assert people(found) == {100: [1000, 1003], 107: [1006]}
        assert found.audit.left_out == {"no people on it": 1, "nobody is labelled on it": 2}

    def test_keep_empty_keeps_images_without_drawn_people(self, coco: Coco) -> None:
        coco.image(10, 10)
        coco.person(coco.image(20, 20), **NOBODY)
        found = read(coco, keep_empty=True)
        assert people(found) == {100: [1000, 1003], 107: [1006], 114: [], 121: []}
        assert found.samples[2].keypoints.shape == (0, 17, 3)
        assert found.samples[2].bboxes.shape == (0, 4)
        assert len(found.samples[3].ignored) == 1
        assert not found.audit.left_out

    def test_the_audit_as_a_dict_is_plain_json(self, coco: Coco) -> None:
        coco.image(10, 10)
        record = json.loads(json.dumps(read(coco).audit.to_dict()))
        assert (record["images"], record["annotations"]) == (3, 3)
        assert record["left_out"] == {"no people on it": 1}
        assert record["not_drawn"] == {}


class TestFinding:
    @staticmethod
    def lay(root: Path, *names: str) -> Path:
        for name in names:
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.suffix:
                path.write_text("{}")
            else:
                path.mkdir()
        return root

    def test_the_only_split_of_a_root_is_taken(self, tmp_path: Path) -> None:
        root = self.lay(tmp_path, "annotations/person_keypoints_val2017.json", "val2017", "train2017")
        found = find_coco(root)
        assert found.annotations == root / "annotations/person_keypoints_val2017.json"
        assert found.images == root / "val2017"

    def test_train2017_is_taken_among_several_splits(self, tmp_path: Path) -> None:
        names = ("train2017", "val2017", "extra")
        root = self.lay(tmp_path, *(f"annotations/person_keypoints_{n}.json" for n in names), *names)
        assert find_coco(root).images == root / "train2017"

    def test_the_named_split_is_taken(self, tmp_path: Path) -> None:
        names = ("train2017", "val2017")
        root = self.lay(tmp_path, *(f"annotations/person_keypoints_{n}.json" for n in names), *names)
        found = find_coco(root, split="val2017")
        assert (found.annotations.name, found.images.name) == ("person_keypoints_val2017.json", "val2017")

    def test_several_splits_without_train2017_are_listed(self, tmp_path: Path) -> None:
        self.lay(tmp_path, "annotations/person_keypoints_a.json", "annotations/person_keypoints_b.json", "a", "b")
        with pytest.raises(ConfigError, match=r"several splits: a, b; choose one with --split"):
            find_coco(tmp_path)

    def test_an_unknown_split_names_those_there_are(self, tmp_path: Path) -> None:
        self.lay(tmp_path, "annotations/person_keypoints_a.json", "a")
        with pytest.raises(ConfigError, match=r"no split 'c'; it has a"):
            find_coco(tmp_path, split="c")

    def test_other_annotation_files_are_no_splits(self, tmp_path: Path) -> None:
        self.lay(tmp_path, "annotations/instances_train2017.json", "annotations/captions_train2017.json", "train2017")
        with pytest.raises(ConfigError, match=r"expected annotations/person_keypoints_<split>\.json"):
            find_coco(tmp_path)

    def test_images_may_lie_under_images(self, tmp_path: Path) -> None:
        root = self.lay(tmp_path, "annotations/person_keypoints_a.json", "images/a")
        assert find_coco(root).images == root / "images/a"

    def test_a_file_in_a_root_has_its_images_there(self, tmp_path: Path) -> None:
        root = self.lay(tmp_path, "annotations/person_keypoints_a.json", "annotations/person_keypoints_b.json", "b")
        found = find_coco(root / "annotations/person_keypoints_b.json")
        assert found.images == root / "b"

    def test_a_file_of_another_name_has_its_images_beside_it(self, tmp_path: Path) -> None:
        root = self.lay(tmp_path, "set/poses.json", "set/images")
        assert find_coco(root / "set/poses.json").images == root / "set/images"

    def test_the_named_image_directory_is_taken(self, tmp_path: Path) -> None:
        root = self.lay(tmp_path, "annotations/person_keypoints_a.json", "a", "elsewhere")
        assert find_coco(root, images=root / "elsewhere").images == root / "elsewhere"

    def test_a_missing_image_directory_is_refused(self, tmp_path: Path) -> None:
        root = self.lay(tmp_path, "annotations/person_keypoints_a.json", "a")
        with pytest.raises(ConfigError, match=r"elsewhere: no such image directory"):
            find_coco(root, images=root / "elsewhere")

    def test_without_images_the_message_says_where_they_should_be(self, tmp_path: Path) -> None:
        root = self.lay(tmp_path, "annotations/person_keypoints_a.json")
        with pytest.raises(ConfigError) as caught:
            find_coco(root)
        assert str(root / "a") in str(caught.value)
        assert "--images DIR" in str(caught.value)

    def test_a_split_does_not_go_with_a_file(self, tmp_path: Path) -> None:
        root = self.lay(tmp_path, "annotations/person_keypoints_a.json", "a")
        with pytest.raises(ConfigError, match=r"a split \(a\) goes with a COCO root"):
            find_coco(root / "annotations/person_keypoints_a.json", split="a")

    def test_a_missing_path_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match=r"nowhere: no such file or directory"):
            find_coco(tmp_path / "nowhere")


def change(where: str, number: int, **entry: Any) -> Callable[[Document], None]:
    """Make a mutation of one image or annotation."""

    def mutate(document: Document) -> None:
        document[where][number].update(entry)

    return mutate


def nan_nose(value: float) -> list[float]:
    return [value, 5, 2, *([4, 5, 2] * 16)]


BAD_ENTRIES: dict[str, tuple[Callable[[Document], None], str]] = {
    "image id twice": (change("images", 1, id=100), "image 100: the id occurs more than once"),
    "annotation id twice": (change("annotations", 2, id=1000), "annotation 1000: the id occurs more than once"),
    "no such image": (change("annotations", 1, image_id=5), "annotation 1003: image_id 5 is no image"),
    "image_id text": (change("annotations", 1, image_id="100"), "annotation 1003: image_id '100' is no image"),
    "image_id bool": (change("annotations", 1, image_id=True), "annotation 1003: image_id True is no image"),
    "image_id list": (change("annotations", 1, image_id=[]), "annotation 1003: image_id [] is no image"),
    "image id bool": (change("images", 1, id=True), "images[1]: expected an object with a whole number 'id'"),
    "image id text": (change("images", 1, id="107"), "images[1]: expected an object with a whole number 'id'"),
    "image id huge": (change("images", 1, id=1 << 63), "images[1]: expected an object with a whole number 'id'"),
    "annotation id bool": (change("annotations", 2, id=False), "annotations[2]: expected an object with a whole"),
    "annotation id huge": (change("annotations", 2, id=-(1 << 70)), "annotations[2]: expected an object with a whole"),
    "annotation id half": (change("annotations", 2, id=1.5), "annotations[2]: expected an object with a whole"),
    "image no object": (lambda d: d["images"].append(3), "images[2]: expected an object"),
    "annotation no object": (lambda d: d["annotations"].append(None), "annotations[3]: expected an object"),
    "16 keypoints": (change("annotations", 1, keypoints=[1] * 48), "annotation 1003: keypoints must be 51 numbers"),
    "one number less": (change("annotations", 1, keypoints=[1] * 50), "(x, y, v for each of 17), not 50"),
    "keypoints text": (change("annotations", 1, keypoints="abc"), "annotation 1003: keypoints must be 51 numbers"),
    "keypoints nested": (
        change("annotations", 1, keypoints=[[1, 1, 2]] * 51),
        "1003: keypoints must be 51 numbers (x, y, v for each of 17), not 153",
    ),
    "keypoint text": (change("annotations", 1, keypoints=["1"] * 51), "1003: keypoints must be finite numbers"),
    "keypoint bool": (change("annotations", 1, keypoints=[True] * 51), "1003: keypoints must be finite numbers"),
    "keypoint null": (change("annotations", 1, keypoints=[None] * 51), "1003: keypoints must be finite numbers"),
    "NaN": (change("annotations", 1, keypoints=nan_nose(math.nan)), "1003: keypoints must be finite numbers"),
    "Infinity": (change("annotations", 1, keypoints=nan_nose(-math.inf)), "1003: keypoints must be finite numbers"),
    "beyond 1e15": (change("annotations", 1, keypoints=nan_nose(10**400)), "1003: keypoints must be finite numbers"),
    "visibility 3": (
        change("annotations", 1, keypoints=[4, 5, 3] * 17),
        "visibility must be 0, 1 or 2, or between, not 3",
    ),
    "visibility -1": (
        change("annotations", 1, keypoints=[4, 5, -1] * 17),
        "visibility must be 0, 1 or 2, or between, not -1",
    ),
    "bbox short": (change("annotations", 2, bbox=[1, 2, 3]), "annotation 1006: bbox must be x, y, width, height"),
    "bbox negative": (change("annotations", 2, bbox=[1, 2, -3, 4]), "annotation 1006: bbox must be x, y, width"),
    "bbox NaN": (change("annotations", 2, bbox=[1, 2, math.nan, 4]), "annotation 1006: bbox must be x, y, width"),
    "bbox text": (change("annotations", 2, bbox="1 2 3 4"), "annotation 1006: bbox must be x, y, width"),
    "width zero": (change("images", 1, width=0), "image 107: 'width' and 'height' must be whole numbers from 1 on"),
    "height half": (change("images", 1, height=50.5), "not 30 and 50.5"),
    "height missing": (lambda d: d["images"][1].pop("height"), "not 30 and None"),
    "no name": (lambda d: d["images"][1].pop("file_name"), "image 107: 'file_name' must be a name, not None"),
    "empty name": (change("images", 1, file_name=""), "image 107: 'file_name' must be a name, not ''"),
    "name with NUL": (change("images", 1, file_name="a\0b"), "image 107: 'file_name' must be a name"),
    "half a character": (change("images", 1, file_name="\ud800.jpg"), "image 107: 'file_name' must be a name"),
    "parent": (change("images", 1, file_name="../../etc/passwd"), "'../../etc/passwd' leaves the image directory"),
    "huge": (change("images", 1, width=100_000, height=100_000), "100000x100000 pixels are more than"),
    "absolute": (change("images", 1, file_name="/etc/passwd"), "'/etc/passwd' leaves the image directory"),
    "parent inside": (change("images", 1, file_name="a/../../b"), "'a/../../b' leaves the image directory"),
    "backslashes": (change("images", 1, file_name="..\\..\\b.jpg"), "leaves the image directory"),
    "mixed slashes": (change("images", 1, file_name="a\\../..\\b.jpg"), "leaves the image directory"),
}


class TestMistakes:
    @pytest.mark.parametrize(("mutate", "expected"), BAD_ENTRIES.values(), ids=BAD_ENTRIES.keys())
    def test_a_bad_entry_is_named(self, coco: Coco, mutate: Callable[[Document], None], expected: str) -> None:
        mutate(coco.document)
        message = explain(coco)
        assert expected in message
        assert message.startswith(f"{coco.annotations}: ")
        assert message.endswith("mend or remove them and run again")

    @pytest.mark.parametrize("name", ["a.b..c.jpg", "..jpg", "sub/dir/a.jpg", "a b.jpg", "größe.jpg", "a\\b.jpg"])
    def test_an_odd_name_inside_the_directory_is_allowed(self, coco: Coco, name: str) -> None:
        coco.document["images"][0]["file_name"] = name
        assert read(coco).samples[0].file_name == name

    def test_ids_may_be_negative_and_64_bits_wide(self, coco: Coco) -> None:
        coco.document["images"][0]["id"] = -(1 << 63)
        for person in coco.document["annotations"][:2]:
            person["image_id"] = -(1 << 63)
        coco.document["annotations"][0]["id"] = (1 << 63) - 1
        assert people(read(coco)) == {-(1 << 63): [(1 << 63) - 1, 1003], 107: [1006]}

    def test_problems_are_reported_together(self, coco: Coco) -> None:
        coco.document["images"][1]["file_name"] = "/etc/passwd"
        coco.document["annotations"][0]["keypoints"] = [1]
        coco.document["annotations"][1]["image_id"] = 12345
        message = explain(coco)
        assert "3 bad entries" in message
        assert "image 107" in message
        assert "annotation 1000" in message
        assert "annotation 1003" in message

    def test_one_problem_is_one_entry(self, coco: Coco) -> None:
        coco.document["images"][1]["width"] = -1
        assert "1 bad entry\n" in explain(coco)

    def test_twenty_problems_are_shown_and_the_rest_is_counted(self, coco: Coco) -> None:
        for _ in range(30):
            coco.person(107, [1])
        message = explain(coco)
        assert "30 bad entries" in message
        assert sum("keypoints must be" in line for line in message.splitlines()) == 20
        assert "... and 10 more" in message
        assert len(message.splitlines()) == 23

    def test_a_huge_value_does_not_flood_the_message(self, coco: Coco) -> None:
        coco.document["annotations"][0]["bbox"] = list(range(10000))
        assert len(explain(coco)) < 500

    @pytest.mark.parametrize("share", [0, 1, 10, 50, 90, 99])
    def test_truncated_json_says_so(self, coco: Coco, share: int) -> None:
        coco.write()
        data = coco.annotations.read_bytes()
        coco.annotations.write_bytes(data[: len(data) * share // 100])
        with pytest.raises(AnnotationError) as caught:
            read_coco(coco.annotations, BuildConfig())
        assert str(coco.annotations) in str(caught.value)
        assert "was the download cut short?" in str(caught.value)

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("[]", "expected an object with images, annotations, categories; found a list"),
            ("42", "expected an object with images, annotations, categories; found a int"),
            ("null", "expected an object with images, annotations, categories; found a NoneType"),
            ("{}", "expected a list 'images', found nothing"),
            ('{"images": [], "annotations": {}}', "expected a list 'annotations', found a dict"),
            ('{"images": [], "annotations": [], "categories": {}}', "expected a list 'categories', found a dict"),
        ],
    )
    def test_json_that_is_not_coco_says_what_is_missing(self, tmp_path: Path, text: str, expected: str) -> None:
        path = tmp_path / "a.json"
        path.write_text(text)
        with pytest.raises(AnnotationError) as caught:
            read_coco(path, BuildConfig())
        assert str(caught.value).startswith(f"{path}: is not COCO: ")
        assert expected in str(caught.value)

    @pytest.mark.parametrize(
        "data",
        [b"\xff\xfe\xfa", b"\x89PNG\r\n\x1a\n", b"[" * 100_000, b'{"images": ' + b"9" * 5000 + b"}", b"{'a': 1}"],
        ids=["bytes", "png", "deep", "digits", "quotes"],
    )
    def test_what_is_not_json_is_refused(self, tmp_path: Path, data: bytes) -> None:
        path = tmp_path / "a.json"
        path.write_bytes(data)
        with pytest.raises(AnnotationError) as caught:
            read_coco(path, BuildConfig())
        assert str(path) in str(caught.value)
        assert len(str(caught.value)) < 500

    def test_a_directory_cannot_be_read(self, tmp_path: Path) -> None:
        with pytest.raises(AnnotationError, match="cannot be read"):
            read_coco(tmp_path, BuildConfig())

    def test_a_file_without_keypoints_names_its_categories(self, coco: Coco) -> None:
        coco.document["categories"] = [{"id": 1, "name": "person"}, {"id": 3, "name": "car", "keypoints": []}]
        for person in coco.document["annotations"]:
            del person["keypoints"]
        message = explain(coco)
        assert str(coco.annotations) in message
        assert "no category has keypoints (categories: person, car)" in message
        assert "person_keypoints_train2017.json" in message

    def test_no_categories_at_all_say_so(self, coco: Coco) -> None:
        coco.document |= {"categories": [], "annotations": []}
        assert "no category has keypoints (categories: none)" in explain(coco)

    def test_several_categories_with_keypoints_are_listed(self, coco: Coco) -> None:
        coco.document["categories"].append({"id": 2, "name": "dog", "keypoints": ["nose", "tail"]})
        with pytest.raises(ConfigError, match=r"several categories have keypoints: person, dog; .*--category"):
            read(coco)

    def test_a_category_can_be_chosen_by_name(self, coco: Coco) -> None:
        coco.document["categories"].append({"id": 2, "name": "dog", "keypoints": ["nose", "tail"]})
        coco.document["annotations"][2] |= {"category_id": 2, "keypoints": [1, 2, 2, 3, 4, 1]}
        found = read(coco, category=("dog",), skeleton=None)
        assert found.names == ("nose", "tail")
        assert people(found) == {107: [1006]}

    def test_a_category_without_keypoints_cannot_be_chosen(self, coco: Coco) -> None:
        coco.document["categories"].append({"id": 2, "name": "dog"})
        with pytest.raises(ConfigError, match=r"no category 'dog' with keypoints; there is person"):
            read(coco, category=("dog",))

    @pytest.mark.parametrize(
        ("entry", "expected"),
        [
            ({"keypoints": "nose"}, "'keypoints' must be a list of names"),
            ({"keypoints": [1, 2]}, "'keypoints' must be a list of names"),
            ({"keypoints": ["nose", "nose"], "skeleton": []}, "names nose more than once"),
            ({"skeleton": [[0, 1]]}, "'skeleton' must be a list of pairs of keypoint numbers 1..17"),
            ({"skeleton": [[1, 18]]}, "'skeleton' must be a list of pairs of keypoint numbers 1..17"),
            ({"skeleton": "none"}, "'skeleton' must be a list of pairs of keypoint numbers 1..17"),
            ({"keypoints": ["nose", "\udc00"], "skeleton": []}, "one has half a character"),
        ],
    )
    def test_a_bad_category_is_named_with_its_file(self, coco: Coco, entry: Document, expected: str) -> None:
        coco.document["categories"][0].update(entry)
        message = explain(coco, skeleton=None)
        assert expected in message
        assert message.startswith(f"{coco.annotations}: ")

    def test_a_keypoint_that_the_skeleton_needs_is_named_with_the_file(self, coco: Coco) -> None:
        coco.document["categories"][0]["keypoints"] = [*coco.document["categories"][0]["keypoints"][:-1], "tail"]
        message = explain(coco)
        assert message.startswith(f"{coco.annotations}: ")
        assert "'right_ankle'" in message

    def test_a_skeleton_of_ones_own_is_derived_from_the_file(self, coco: Coco) -> None:
        skeleton = Skeleton(name="two", keypoints=("nose", "hip"), parents=(("nose",), ("left_hip", "right_hip")))
        assert read(coco, skeleton=skeleton).skeleton is skeleton


JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([0, 1, 2, -1, 100, 1000, 1 << 31, 1 << 63, 10**30, 10**4000]),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from(["../x", "/etc/passwd", "\ud800", "\0", "0", "person", "P" * 40]),
    st.lists(st.integers(-5, 70) | st.floats(), max_size=8),
    st.lists(st.lists(st.floats(), max_size=8), max_size=2),
    st.dictionaries(st.sampled_from(["size", "counts", "id", "keypoints"]), st.integers() | st.text(max_size=3)),
)


def mutate(node: Any, data: st.DataObject) -> None:
    """Walk to a random place in a document and replace, remove or repeat what is there."""
    keys = list(node) if isinstance(node, dict) else list(range(len(node)))
    if not keys:
        return
    key = data.draw(st.sampled_from(keys))
    if isinstance(node[key], (dict, list)) and data.draw(st.integers(0, 3)):
        mutate(node[key], data)
        return
    action = data.draw(st.sampled_from(["replace", "replace", "remove", "repeat"]))
    if action == "replace":
        node[key] = data.draw(JUNK)
    elif action == "remove":
        del node[key]
    elif isinstance(node, list):
        node.append(copy.deepcopy(node[key]))


class TestFuzz:
    @settings(max_examples=250)
    @given(data=st.data())
    def test_only_our_errors_leave_a_mutated_document(
        self, corpus: Coco, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
    ) -> None:
        document = copy.deepcopy(corpus.document)
        # The images with run lengths, boxes and polygons of ignored people are the first four.
        document["images"] = document["images"][:4]
        kept = {image["id"] for image in document["images"]}
        document["annotations"] = [a for a in document["annotations"] if a["image_id"] in kept]
        for _ in range(data.draw(st.integers(1, 4))):
            mutate(document, data)
        path = tmp_path_factory.getbasetemp() / "mutated.json"
        path.write_text(json.dumps(document))
        config = BuildConfig(skeleton=data.draw(st.sampled_from([None, BuildConfig().skeleton])), keep_empty=True)
        try:
            found = read_coco(path, config)
        except PosegenError:
            return
        self.trust(found)
        plan = make_plan(found, config)
        assert plan.samples == len(found.samples)
        for index in range(len(plan.shards)):
            plan.task(index, directory=Path("out"))

    @staticmethod
    def trust(found: Annotations) -> None:
        """Check what the rest of the program takes for granted."""
        ids = [sample.image_id for sample in found.samples]
        assert len(set(ids)) == len(ids)
        for sample in found.samples:
            assert np.isfinite(sample.keypoints).all()
            assert np.isin(sample.keypoints[..., 2], (0, 1, 2)).all()
            assert (sample.keypoints[..., 2] > 0).any(axis=1).all()
            assert Path("/d", sample.file_name).resolve().is_relative_to("/d")
            if sample.width * sample.height < 1 << 20:
                find_ignored(sample)
