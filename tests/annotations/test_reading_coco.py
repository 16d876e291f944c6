"""What COCO's files become: which people are drawn, which are ignored, what is noticed on the way."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from conftest import Coco
from pycocotools.coco import COCO
from reading import NOBODY, afresh, people, read

from posegen.annotations import Annotations, read_coco
from posegen.config import BuildConfig


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

    def test_somebody_without_labelled_keypoints_is_ignored(self, coco: Coco) -> None:
        for keypoints in afresh(coco, [[0] * 51, [5, 5, 0] * 17, [], None]):
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

    def test_a_segmentation_that_cannot_be_drawn_is_counted_and_the_box_stands_in(self, coco: Coco) -> None:
        segmentations: list[Any] = [
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
        ]
        for segmentation in afresh(coco, segmentations):
            coco.document["annotations"][0] |= NOBODY | {"segmentation": segmentation, "bbox": [1, 2, 3, 4]}
            found = read(coco)
            assert [(s.segmentation, s.bbox) for s in found.samples[0].ignored] == [(None, (1, 2, 3, 4))], segmentation
            assert found.audit.noticed["segmentation that cannot be read; the box stands in"] == 1, segmentation

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
