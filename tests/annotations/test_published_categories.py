"""Categories as published datasets have them, and what the audit says of them.

The layouts are those of COCO, CrowdPose, AP-10K, Halpe, OneHand10K and MMPose's MPII; the contents are made up.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Run
from published import Dataset, Document, check_person, encode, make_person, picture, points, triplets
from reading import afresh

from posegen.annotations import read_annotations
from posegen.build.plan import make_plan
from posegen.config import BuildConfig
from posegen.errors import ConfigError
from posegen.skeleton import SKELETONS, Skeleton

ANIMALS = ["antelope", "argali sheep", "bison", "zebra"]


@pytest.fixture
def coco(tmp_path: Path) -> Dataset:
    return make_person(tmp_path)


class TestCategories:
    def test_keypoints_that_nobody_names_are_numbered(self, coco: Dataset) -> None:
        halpe = {"id": 1, "name": "hand", "keypoints": [], "skeleton": []}
        cases: list[Any] = [None, [], [{"id": 1, "name": "hand"}], [halpe]]
        for categories in afresh(coco, cases):
            del coco.document["categories"]
            if categories is not None:
                coco.document["categories"] = categories
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

    def test_there_may_be_many_channels(self, coco: Dataset) -> None:
        for count, grid in itertools.product((133, 300), ("bilinear", "area", "point")):
            coco.document["categories"] = []
            coco.category([f"p{i}" for i in range(count)], [(i + 1, i + 2) for i in range(count - 1)])
            coco.document["annotations"][0]["keypoints"] = points(count)
            sample, _ = coco.build(grid=grid)
            assert sample["heatmap"].shape == (count + 1, 6, 8)
            assert sample["paf"].shape == (2 * count - 2, 6, 8)

    def test_a_list_instead_of_an_object_is_refused(self, coco: Dataset) -> None:
        coco.document = [{"image": "015601864.jpg", "joints": [[620, 394]], "center": [594, 257], "scale": 3.02}]
        assert "expected an object with images, annotations, categories; found a list" in coco.refusal()


def test_reading_twice_makes_the_same_plan(coco: Dataset) -> None:
    coco.document["images"][0] = {"id": 1, "file_name": "a.png"}
    settings = BuildConfig(skeleton=None)
    path, digests = coco.write(), set()
    for _ in range(2):
        plan = make_plan(read_annotations(path, settings), settings)
        digests.add(plan.task(0, directory=coco.images).digest)
    assert len(digests) == 1


MESSAGES: dict[str, Callable[[Document], Any]] = {
    "note: paf is left out: skeleton 'hand' has no limbs": lambda d: d["categories"].__setitem__(
        0, {"id": 1, "name": "hand"}
    ),
    "noticed: keypoints in a list for each: 1 annotation, such as 1 (a.png)": lambda d: d["annotations"][0].update(
        keypoints=triplets(points(17))
    ),
}


def test_the_audit_says_so(coco: Dataset, run: Run) -> None:
    for line, mutate in afresh(coco, MESSAGES.items()):
        mutate(coco.document)
        done = run("audit", coco.write(), "--preset", "coco")
        assert done.status == 0
        assert line in done.out.splitlines()
