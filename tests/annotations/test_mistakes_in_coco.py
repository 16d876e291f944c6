"""Mistakes in an annotation file: each is refused, and named with its file, its entry and what was expected."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Coco
from reading import Document, afresh, explain, people, read

from posegen.annotations import read_coco
from posegen.config import BuildConfig
from posegen.errors import AnnotationError, ConfigError
from posegen.skeleton import Skeleton


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
    "image_id text": (change("annotations", 1, image_id="a7"), "annotation 1003: image_id 'a7' is no image"),
    "image_id list of text": (change("annotations", 1, image_id=["100"]), "1003: image_id ['100'] is no image"),
    "image_id bool": (change("annotations", 1, image_id=True), "annotation 1003: image_id True is no image"),
    "image_id list": (change("annotations", 1, image_id=[]), "annotation 1003: image_id [] is no image"),
    "image id bool": (change("images", 1, id=True), "images[1]: expected an object with a whole number 'id'"),
    "image id empty": (change("images", 1, id=" "), "images[1]: expected an object with a whole number 'id', not ' '"),
    "image id twice in text": (change("images", 1, id="100"), "image 100: the id occurs more than once"),
    "iscrowd": (change("annotations", 1, iscrowd="maybe"), "annotation 1003: iscrowd must be 0 or 1, not 'maybe'"),
    "iscrowd 2": (change("annotations", 1, iscrowd=2), "annotation 1003: iscrowd must be 0 or 1, not 2"),
    "pairs": (change("annotations", 1, keypoints=[[1, 2]] * 17), "these are x, y without v"),
    "regions": (change("images", 1, ignore_regions_x=[[1, 2]]), "'ignore_regions_x' and 'ignore_regions_y' must be"),
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
    def test_a_bad_entry_is_named(self, coco: Coco) -> None:
        for what, (mutate, expected) in afresh(coco, BAD_ENTRIES.items()):
            mutate(coco.document)
            message = explain(coco)
            assert expected in message, what
            assert message.startswith(f"{coco.annotations}: ")
            assert message.endswith("mend or remove them and run again")

    def test_an_odd_name_inside_the_directory_is_allowed(self, coco: Coco) -> None:
        for name in ("a.b..c.jpg", "..jpg", "sub/dir/a.jpg", "a b.jpg", "größe.jpg", "a\\b.jpg"):
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

    def test_truncated_json_says_so(self, coco: Coco) -> None:
        coco.write()
        data = coco.annotations.read_bytes()
        for share in (0, 1, 10, 50, 90, 99):
            coco.annotations.write_bytes(data[: len(data) * share // 100])
            with pytest.raises(AnnotationError) as caught:
                read_coco(coco.annotations, BuildConfig())
            assert str(coco.annotations) in str(caught.value)
            assert "was the download cut short?" in str(caught.value)

    def test_json_that_is_not_coco_says_what_is_missing(self, tmp_path: Path) -> None:
        path = tmp_path / "a.json"
        for text, expected in (
            ("[]", "expected an object with images, annotations, categories; found a list"),
            ("42", "expected an object with images, annotations, categories; found a int"),
            ("null", "expected an object with images, annotations, categories; found a NoneType"),
            ("{}", "expected a list 'images', found nothing"),
            ('{"images": [], "annotations": {}}', "expected a list 'annotations', found a dict"),
            ('{"images": [], "annotations": [], "categories": {}}', "expected a list 'categories', found a dict"),
        ):
            path.write_text(text)
            with pytest.raises(AnnotationError) as caught:
                read_coco(path, BuildConfig())
            assert str(caught.value).startswith(f"{path}: is not COCO: ")
            assert expected in str(caught.value)

    def test_what_is_not_json_is_refused(self, tmp_path: Path) -> None:
        path, digits = tmp_path / "a.json", b'{"images": ' + b"9" * 5000 + b"}"
        for data in (b"\xff\xfe\xfa", b"\x89PNG\r\n\x1a\n", b"[" * 100_000, digits, b"{'a': 1}"):
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
        assert message.endswith("expected a keypoint file such as person_keypoints_train2017.json")

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

    def test_a_bad_category_is_named_with_its_file(self, coco: Coco) -> None:
        cases: list[tuple[Document, str]] = [
            ({"keypoints": "nose"}, "'keypoints' must be a list of names"),
            ({"keypoints": [1, 2]}, "'keypoints' must be a list of names"),
            ({"keypoints": ["nose", "nose"], "skeleton": []}, "names nose more than once"),
            ({"keypoints": ["nose", "\udc00"], "skeleton": []}, "one has half a character"),
        ]
        for entry, expected in afresh(coco, cases):
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
