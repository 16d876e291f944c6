"""What is wrong, odd or alike is found at every place of a list, not at its first or last alone."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Coco
from reading import NOBODY, explain, people, read

from posegen.annotations import read_coco
from posegen.annotations.audit import Audit
from posegen.annotations.coco import names
from posegen.annotations.coco.keypoints import PARTS, read_parts, read_triplets
from posegen.annotations.coco.names import Names
from posegen.annotations.coco.quick import read_quickly
from posegen.annotations.coco.segmentation import is_segmentation
from posegen.annotations.columns import SampleColumns
from posegen.config import BuildConfig
from posegen.skeleton.unknown import OF_PERSON


def of_17(k: int, triplet: list[Any], others: tuple[Any, ...] = (0, 0, 0)) -> list[Any]:
    return [number for i in range(17) for number in (triplet if i == k else others)]


def test_of_keypoints_any_one_may_be_labelled_or_odd() -> None:
    for k in range(17):
        found = read_triplets(of_17(k, [3, 4, 2]), 17)
        assert found[k].tolist() == [3, 4, 2]
        assert found.sum() == 9
        blank = read_triplets(of_17(k, [3, 4, 1], (None, "", 0)), 17)
        assert blank[k].tolist() == [3, 4, 1]
        assert blank.sum() == 8
        for value in (2.5, 3):
            with pytest.raises(ValueError, match=f"must be 0, 1 or 2, or between, not {value:g}$"):
                read_triplets(of_17(k, [1, 1, value], (1, 1, 2)), 17)
        for part in range(3):
            triplet = [1, 1, 1]
            triplet[part] = "1"  # type: ignore[call-overload]
            with pytest.raises(ValueError, match=r"^keypoints must be finite numbers$"):
                read_triplets(of_17(k, triplet, (1, 1, 1)), 17)
    nested = [[i, 2 * i, 2] for i in range(17)]
    assert read_triplets(nested, 17).tolist() == nested
    assert read_triplets([[1, 1, 3], [1, 1, 2.5], [0, 0, 0]][2:], 1).tolist() == [[0, 0, 0]]


def test_who_has_one_keypoint_is_drawn_whichever_it_is(coco: Coco) -> None:
    (image, *_), template = coco.document["images"], coco.document["annotations"][0]
    coco.document["annotations"] = [
        {**template, "id": k, "image_id": image["id"], "keypoints": of_17(k, [5, 6, 1 + k % 2]), "num_keypoints": 1}
        for k in range(17)
    ]
    for config, expected in (({}, 17), ({"visibility": "visible"}, 8), ({"min_keypoints": 2}, 0)):
        for nested in (False, True):  # which is read entry by entry
            document = copy.deepcopy(coco.document)
            if nested:
                keypoints = coco.document["annotations"][0]["keypoints"]
                coco.document["annotations"][0]["keypoints"] = [keypoints[i : i + 3] for i in range(0, 51, 3)]
            found = read(coco, skeleton=None, keep_empty=True, **config)
            coco.document = document
            (drawn,) = [sample.annotation_ids.tolist() for sample in found.samples if sample.image_id == image["id"]]
            assert drawn == ([] if not expected else list(range(1, 17, 2)) if expected == 8 else list(range(17)))
            reason = {
                17: None,
                8: "none of the skeleton's keypoints is labelled as visible",
                0: "fewer than 2 keypoints",
            }
            assert dict(found.audit.not_drawn) == ({} if expected == 17 else {reason[expected]: 17 - expected})


def test_ids_are_compared_wherever_they_stand(coco: Coco, tmp_path: Path) -> None:
    for _ in range(3):
        coco.person(coco.image(20, 20))
    coco.write()
    assert read_quickly(coco.annotations, coco.annotations.read_bytes(), BuildConfig(), coco.images) is not None
    whole = copy.deepcopy(coco.document)
    for where, count in (("images", 5), ("annotations", 6)):
        for a in range(count):
            for b in range(a + 1, count):
                coco.document = copy.deepcopy(whole)
                entries = coco.document[where]
                was, entries[b]["id"] = entries[b]["id"], entries[a]["id"]
                if where == "images":  # so that no annotation is of an image that is not there
                    for entry in coco.document["annotations"]:
                        entry["image_id"] = entries[a]["id"] if entry["image_id"] == was else entry["image_id"]
                text = json.dumps(coco.document).encode()
                assert read_quickly(tmp_path / "a.json", text, BuildConfig(), None) is None, (where, a, b)
                assert f"{where[:-1]} {entries[a]['id']}: the id occurs more than once" in explain(coco)


def test_who_is_smaller_than_asked_is_not_drawn_and_who_is_just_as_large_is(coco: Coco) -> None:
    coco.document["annotations"] = [
        {**coco.document["annotations"][0], "id": i} | change
        for i, change in enumerate(
            [{"area": 99.5}, {"area": 100}, {"area": None, "bbox": [0, 0, 10, 10]},
             {"area": None, "bbox": [0, 0, 9, 11]}, {"area": None, "bbox": None}, {"area": 0, "bbox": [0, 0, 50, 50]}]
        )
    ]  # fmt: skip
    for nested in (False, True):
        if nested:
            keypoints = coco.document["annotations"][0]["keypoints"]
            coco.document["annotations"][0]["keypoints"] = [keypoints[i : i + 3] for i in range(0, 51, 3)]
        found = read(coco, min_area=100.0)
        assert people(found) == {100: [1, 2, 4]}
        assert dict(found.audit.not_drawn) == {"area below 100": 3}
        everybody = read(coco)
        assert people(everybody) == {100: [0, 1, 2, 3, 4, 5]}


def test_polygons_and_run_lengths_are_as_long_as_they_must_be() -> None:
    size = 4, 6
    for count in range(12):
        assert is_segmentation([[1] * count], size) is (count >= 6 and count % 2 == 0)
        assert is_segmentation([[1] * 6, [1] * count, [1] * 8], size) is (count >= 6 and count % 2 == 0)
    for value, expected in ((-6, True), (-6.5, False), (12, True), (12.5, False)):
        for place in range(6):
            polygon: list[Any] = [1] * 6
            polygon[place] = value
            assert is_segmentation([polygon], size) is expected
    for counts, expected in (
        ([24], True), ([0, 24], True), ([10, 4, 10], True), ([23], False), ([25], False), ([30, -6], False),
        ([10, 4.0, 10], False), ([True, 23], False), ("nothing", False), ("\u00fc", False), ({}, False), (None, False),
    ):  # fmt: skip
        assert is_segmentation({"size": [4, 6], "counts": counts}, size) is expected, counts
        assert not is_segmentation({"size": [6, 4], "counts": counts}, size)
    assert not is_segmentation("text", size)


def test_a_folder_is_listed_once_for_all_its_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a/1.jpg", "a/2.jpg", "b/3.jpg", "4.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    listed: list[str] = []
    list_names = names.list_names
    monkeypatch.setattr(names, "list_names", lambda place: (listed.append(str(place)), list_names(place))[1])
    finder = Names(tmp_path)
    for name, expected in (
        ("a/1.jpg", "a/1.jpg"), ("A/2.JPG", "a/2.jpg"), ("b/3.jpg", "b/3.jpg"), ("/4.jpg", "4.jpg"),
        ("a/1.jpg", "a/1.jpg"), ("c/5.jpg", "c/5.jpg"),
    ):  # fmt: skip
        assert finder.find(name) == expected
    assert len(listed) == len(set(listed))
    assert [*finder.missing] == ["c/5.jpg"]


def test_what_is_no_json_is_told_from_what_is_another_kind_of_file(coco: Coco) -> None:
    coco.annotations.parent.mkdir(parents=True)
    for data, why in (
        (b'{"a": [1', "is not whole JSON: Expecting ',' delimiter at line 1, column 9; was the download cut short?"),
        (b"\n\n  x", "is not whole JSON: Expecting value at line 3, column 3; was the download cut short?"),
        (b'["a"]', "is not COCO: expected an object with images, annotations, categories; found a list"),
        (b"{}", "is not COCO: expected a list 'images', found nothing"),
        (b'{"images": 5}', "is not COCO: expected a list 'images', found a int (the file has images)"),
        (
            b'{"a":\n "ab\xff"}',
            (
                "is not JSON in UTF-8: byte 0xff in line 2, at 10, behind '{\"a\":\\n \"ab', is none of it; save the "
                "file as UTF-8"
            ),
        ),
        (b"[" * 200_000, "is not JSON that can be read: maximum recursion depth exceeded"),
    ):  # fmt: skip
        coco.annotations.write_bytes(data)
        with pytest.raises(Exception, match="is not") as caught:
            read_coco(coco.annotations, BuildConfig())
        assert str(caught.value).startswith(f"{coco.annotations}: {why}"), data[:20]
        assert len(data) > 99 or str(caught.value) == f"{coco.annotations}: {why}"


def test_categories_without_keypoints_are_listed(coco: Coco) -> None:
    coco.document["annotations"] = [{**entry, **NOBODY, "keypoints": []} for entry in coco.document["annotations"]]
    for categories, listed in (
        ([{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}], "cat, dog"), ([], "none"),
    ):  # fmt: skip
        coco.document["categories"] = categories
        assert explain(coco) == (
            f"{coco.annotations}: no category has keypoints (categories: {listed}), nor has any annotation of theirs; "
            "expected a keypoint file such as person_keypoints_train2017.json"
        )


def test_tallies_add_up() -> None:
    audit = Audit()
    for i in range(3):
        audit.check({"id": i, "bbox": [2, 3, 95, 95]}, read_triplets([3, 4, 2, 50, 50, 2], 2), (60, 60))
    assert {**audit.tallies} == {
        "boxes that reach out": 3, "people": 3, "boxes": 3, "boxes that fit as corners": 3,
    }  # fmt: skip
    audit.note_corners()
    (note,) = audit.notes
    assert note == (
        "all 3 boxes look as if they were x, y of two corners, where COCO has x, y, width, height; crops and masks by "
        "them are too large: mend them if so"
    )
    one = Audit()
    one.check({"id": 1, "bbox": [2, 3, 95, 95]}, read_triplets([3, 4, 2, 50, 50, 2], 2), (60, 60))
    one.note_corners()
    assert one.notes == []
    shares = Audit()
    for i in range(2):
        assert shares.find_shares() is (i > 0)
        shares.check({"id": i}, read_triplets([0.5, 1, 2, 0.25, 0, 2], 2), (60, 60))
    shares.check({"id": 3}, read_triplets([0.5, 1, 2, 0.25, 1.5, 2], 2), (60, 60))
    assert not shares.find_shares()


def test_no_samples_are_columns_of_none() -> None:
    none = SampleColumns.of([])
    assert (len(none), none.file_names, none.starts.tolist(), none.unknown, none.sources) == (0, [], [0], None, None)
    assert [of.shape for of in (none.keypoints, none.bboxes, none.annotation_ids, none.sizes)] == [
        (0, 0, 3), (0, 4), (0,), (0, 2),
    ]  # fmt: skip
    assert [*none] == [] == [*none[:]]
    assert none.images.tolist() == []


def test_a_file_of_pairs_or_of_another_dataset_is_named_by_an_annotation(coco: Coco) -> None:
    coco.document["categories"][0] |= {"keypoints": [f"k{i}" for i in range(18)], "skeleton": []}
    pairs = "and annotation 1000 has 36 numbers, x, y without v; write a v behind each pair, 2 where it is seen, 0"
    for count, why in (
        (36, f"{pairs} where it is unknown"),
        (48, "but its annotations have 16, as annotation 1000 has; one of them belongs to another dataset"),
    ):
        for entry in coco.document["annotations"]:
            entry["keypoints"] = [1] * count
        said = explain(coco, skeleton=None)
        assert said == f"{coco.annotations}: category 'person' names 18 keypoints, {why}"


def test_many_outlines_are_judged_as_each_is(coco: Coco) -> None:
    outlines = pytest.importorskip("posegen.annotations.coco.outlines")
    random = np.random.default_rng(0)
    for _ in range(40):
        sizes = random.integers(3, 9, (12, 2))
        values: list[Any] = []
        for _ in range(12):
            lengths = random.choice([0, 1, 5, 6, 7, 8], random.integers(1, 4), p=[0.1, 0.1, 0.1, 0.3, 0.1, 0.3])
            value = [random.integers(0, 9, length).tolist() for length in lengths]
            if random.random() < 0.3 and value[0]:
                value[0][-1] = int(random.choice([-99, 99]))
            values.append(value)
        raws = [outlines.Raw(json.dumps(value).encode()) for value in values]
        found, refused = outlines.check_segmentations(raws, sizes)
        expected = [is_segmentation(value, tuple(size)) for value, size in zip(values, sizes.tolist(), strict=True)]
        assert [not bad for bad in refused] == expected
        assert [raw is not None for raw in found] == expected


def test_of_parts_that_are_missing_or_not_valid_nothing_is_known() -> None:
    whole = {part.field: [2, 3, 1] * len(part.names) for part in PARTS}
    for absent in range(len(PARTS)):
        starts = np.cumsum([0, *(len(part.names) for part in PARTS)])
        here = slice(starts[absent], starts[absent + 1])
        field, valid = PARTS[absent].field, PARTS[absent].valid
        for entry, invalid in (
            ({name: of for name, of in whole.items() if name != field}, []), ({**whole, field: []}, []),
            ({**whole, field: None}, []), ({**whole, valid: False}, [field]),
            ({**whole, field: [0] * 3 * len(PARTS[absent].names), valid: False}, []),
        ):  # fmt: skip
            triplets, said, unknown = read_parts(entry)
            expected = np.zeros(116, bool)
            expected[here] = True
            assert (said, unknown.dtype) == (invalid, np.uint8)
            np.testing.assert_array_equal(unknown, np.where(expected, OF_PERSON, 0))
            np.testing.assert_array_equal(triplets[expected], 0)
            np.testing.assert_array_equal(triplets[~expected], [[2, 3, 1]] * int((~expected).sum()))
    assert not read_parts({**whole, PARTS[0].valid: True})[2].any()
