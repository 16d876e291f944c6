"""Read as columns, people at edges are judged as each is by itself, and shapes are written as JSON has one form of."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from posegen.annotations.coco.document import load_document
from posegen.annotations.coco.read import _read_entries
from posegen.annotations.coco.segmentation import is_segmentation
from posegen.config import BuildConfig
from posegen.files import canonical_json
from posegen.skeleton import COCO_17

pytest.importorskip("msgspec")

from posegen.annotations.coco import outlines, typed
from posegen.annotations.coco.quick import read_quickly

ORDINARY = {"area": 90, "bbox": [10, 20, 20, 20], "iscrowd": 0, "segmentation": [[1, 2, 30, 2, 30, 40]]}


def keypoints(*points: tuple[float, ...]) -> list[float]:
    """Label some points x, y and, unless it is 2, v."""
    listed = [value for point in points for value in (*point, 2)[:3]]
    return [*listed, *[0] * (51 - len(listed))]


def write(path: Path, people: list[dict[str, Any]], size: tuple[int, int] = (48, 64)) -> Path:
    category = {"id": 1, "name": "person", "keypoints": list(COCO_17.keypoints), "skeleton": [[1, 2]]}
    images = [{"id": 1, "file_name": "1.jpg", "height": size[0], "width": size[1]}]
    annotations = [{"id": i, "image_id": 1, "category_id": 1, **ORDINARY, **of} for i, of in enumerate(people)]
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": [category]}))
    return path


def read_both(path: Path, **config: Any) -> tuple[Any, Any]:
    asked = BuildConfig(keep_empty=True, labels=("heatmap",), **config)
    quick = read_quickly(path, path.read_bytes(), asked, None)
    assert quick is not None
    slow = _read_entries(path, load_document(path), asked, None)
    assert quick.audit == slow.audit
    assert quick.audit.tallies == slow.audit.tallies
    one, other = quick.samples[0], slow.samples[0]
    np.testing.assert_array_equal(one.keypoints, other.keypoints)
    assert one.annotation_ids.tolist() == other.annotation_ids.tolist()
    return quick, slow


def test_points_and_boxes_at_edges_are_judged_alike(tmp_path: Path) -> None:
    edges = (-1.01, -1, -0.51, -0.5, -0.1, 0, 0.5, 1, 1.01, 47.5, 47.51, 49, 63.5, 63.51, 65, 65.01)
    around = (6.9, 7, 9, 8.9, 19, 18.9, 33, 33.1, 43, 43.1)
    people = [keypoints((x, y), (max(x, 0.5), y, 1), (20, 30)) for x in edges for y in (0, 0.5, 5)]
    people += [keypoints((y, x)) for x in edges for y in (0, 0.5, 5)]
    people += [keypoints((x, y), (x, y), (20, 30, v)) for x in around for y in around for v in (0, 1)]
    people += [keypoints((20, 20), (20, 21), (20, 20, 1)), keypoints((0, 0), (9, 5), (9, 5, 1), (9, 5, 1), (9, 5, 2))]
    entries = [{"keypoints": points, "num_keypoints": i % 4} for i, points in enumerate(people)]
    for i, start in enumerate(range(0, len(entries), 40)):
        origin = ("labelled", "unlabelled")[i % 2]
        quick, _ = read_both(write(tmp_path / "a.json", entries[start : start + 40]), origin=origin)
        assert quick.audit.noticed


def test_boxes_at_edges_are_judged_alike(tmp_path: Path) -> None:
    boxes = [
        [x, y, wide, high]
        for x in (-1.01, -1, 10, 20) for y in (-1.01, -1, 10, 31) for wide in (20, 40, 55, 55.01)
        for high in (10, 30, 39, 39.01)
    ]  # fmt: skip
    for start in range(0, len(boxes), 43):
        people = [
            {"keypoints": keypoints((11, 9), (20, 30), (9, 11)), "bbox": box} for box in boxes[start : start + 43]
        ]
        read_both(write(tmp_path / "a.json", people))


def test_who_is_drawn_is_judged_alike(tmp_path: Path) -> None:
    one, five = keypoints((20, 30, 1)), keypoints(*[(20, 30 + k / 2) for k in range(5)])
    lacking = [
        {"keypoints": points, **change}
        for points in (one, five, keypoints())
        for change in (
            {}, {"area": 99}, {"area": 100}, {"area": 1e15, "bbox": [1, 2, 9, 9]},
            {"area": None}, {"area": None, "bbox": None}, {"iscrowd": 1},
            {"area": None, "bbox": [1, 2, 10, 10]}, {"area": None, "bbox": [1, 2, 11, 9]}, {"segmentation": None},
            {"bbox": None, "segmentation": []}, {"segmentation": [[1, 2, 3]]}, {"iscrowd": 1, "bbox": []},
        )
    ]  # fmt: skip
    for config in (
        {}, {"min_keypoints": 2}, {"min_keypoints": 5}, {"min_keypoints": 6}, {"min_area": 100.0}, {"min_area": 1.0},
        {"visibility": "visible"}, {"visibility": "visible", "min_keypoints": 2, "min_area": 100.0},
    ):  # fmt: skip
        _, slow = read_both(write(tmp_path / "a.json", lacking), **config)
        assert slow.audit.not_drawn["crowd"] == 6


def test_entries_are_read_some_at_a_time_and_all_of_them_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = [{"keypoints": keypoints((20, 30 + i)), "category_id": 1 + i % 2} for i in range(7)]
    path = write(tmp_path / "a.json", people)
    document = json.loads(path.read_text())
    document["categories"].append({"id": 2, "name": "dog"})
    path.write_text(json.dumps(document))
    for together in (1, 2, 3, 7):
        monkeypatch.setattr(typed, "_TOGETHER", together)
        quick, _ = read_both(path)
        assert (quick.audit.annotations, quick.audit.not_drawn) == (7, {"of another category": 3})
        document["annotations"][6]["id"] = 0
        assert read_quickly(path, json.dumps(document).encode(), BuildConfig(), None) is None
        document["annotations"][6]["id"] = 6


def test_files_that_are_to_be_named_otherwise_or_measured_are_left_to_be_read_entry_by_entry(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", [{"keypoints": keypoints((20, 30))}])
    whole = json.loads(path.read_text())
    for change, is_taken in (
        ({}, True), ({"file_name": "a/1.jpg"}, True), ({"file_name": "a//1.jpg"}, False), ({"file_name": ""}, False),
        ({"file_name": "./1.jpg"}, False), ({"file_name": "a\0.jpg"}, False), ({"file_name": "../1.jpg"}, False),
        ({"file_name": "2.jpg"}, False), ({"width": 0}, False), ({"width": 1, "height": 1}, True),
        ({"height": 1 << 28, "width": 1}, True), ({"height": 1 << 28, "width": 2}, False), ({"id": 2}, False),
        ({"height": 1 << 62, "width": 4}, False), ({"id": 1 << 63}, False), ({"ignore_regions_x": []}, False),
    ):  # fmt: skip
        document = {
            **whole,
            "images": [whole["images"][0] | change, {**whole["images"][0], "id": 9, "file_name": "2.jpg"}],
        }
        found = read_quickly(path, json.dumps(document).encode(), BuildConfig(), None)
        assert (found is not None) is is_taken, change
    for exif in ("auto", "stored", "shown"):
        assert (read_quickly(path, path.read_bytes(), BuildConfig(exif=exif), None) is None) is (exif == "shown")


def test_values_that_are_not_as_coco_has_them_are_left_to_be_read_entry_by_entry(tmp_path: Path) -> None:
    path, most = tmp_path / "a.json", np.nextafter(1e15, 0).item()
    for change, is_taken in (
        ({}, True), ({"keypoints": keypoints((most, 5))}, True), ({"keypoints": keypoints((1e15, 5))}, False),
        ({"keypoints": keypoints((-1e15, 5))}, False), ({"keypoints": keypoints((5, 5, 1.5))}, False),
        ({"keypoints": keypoints((5, 5, 3))}, False), ({"keypoints": keypoints((5, 5, -1))}, False),
        ({"keypoints": keypoints((5, 5, 1))}, True), ({"keypoints": [[0, 0, 0]] * 17}, False),
        ({"keypoints": []}, True),
        ({"keypoints": [0] * 48}, False), ({"keypoints": [0] * 54}, False), ({"keypoints": [0.0] * 51}, True),
        ({"bbox": [1, 2, 0, 0]}, True), ({"bbox": [1, 2, -1, 3]}, False), ({"bbox": [1, 2, 3, -0.5]}, False),
        ({"bbox": [1, 2, 3]}, False), ({"bbox": [1e15, 2, 3, 4]}, False), ({"bbox": [-most, 2, 3, 4]}, True),
        ({"bbox": None}, True), ({"iscrowd": 2}, False), ({"iscrowd": True}, True), ({"iscrowd": None}, True),
        ({"iscrowd": "0"}, False), ({"area": "9"}, False), ({"area": 1e15}, True), ({"num_keypoints": "1"}, False),
        ({"image_id": 2}, False), ({"image_id": 0}, False), ({"id": 1 << 63}, False), ({"category_id": 7}, False),
        ({"category_id": None}, True), ({"foot_kpts": []}, False), ({"segmentation": 7}, False),
    ):  # fmt: skip
        write(path, [{"keypoints": keypoints((20, 30))}, {"keypoints": keypoints((20, 31)), **change}])
        found = read_quickly(path, path.read_bytes(), BuildConfig(), None)
        assert (found is not None) is is_taken, change
        if is_taken:
            read_both(path)


def test_text_is_looked_at_piece_by_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = "aä€\U0001f600z".encode()
    for piece in range(1, 13):
        monkeypatch.setattr(typed, "_PIECE", piece)
        typed.check_utf8(whole)
        for spoilt in (whole[:-2], whole[:2], whole[:5], whole + b"\xc3", b"\xff" + whole, whole + b"\xffa"):
            with pytest.raises(outlines.Unusual):
                typed.check_utf8(spoilt)


def test_outlines_of_large_images_are_judged_as_each_is() -> None:
    numbers = ("0", "7", "12.5", "998.75", "999", "999.9", "1000", "1000.5", "1e3", "-1", "-500.5", "0.00001")
    for side in (499, 500, 501):
        texts = [f"[[{', '.join(['1'] * count + [number])}]]" for number in numbers for count in (3, 4, 5, 6, 7)]
        texts += ["[[1,2,3,4,5,6],[1,2,3,4,5,6]]", "[[1,2,3,4,5,6],[]]", "[[]]", "[]", "null"]
        raws = [outlines.Raw(text.encode()) for text in texts]
        for size in ((side, 20), (20, side)):
            found, refused = outlines.check_segmentations(raws, np.array([size] * len(raws)))
            for text, raw, bad in zip(texts, found, refused, strict=True):
                value = json.loads(text)
                assert bad == bool(value and not is_segmentation(value, size)), (text, size)
                assert (raw is None) == bool(bad or not value), (text, size)


def test_shapes_are_described_in_the_one_form_that_json_has_of_them() -> None:
    listed = ("1.50", "10", "1.0", "0.10", "1e2", "1E-7", "-3", "0.00001", "1234.5", "100.25", "1e22", "123456789012")
    for number in listed:
        for text in (f"[[1,2,3,4,5,{number}]]", f"[ [{number}, 2,3,\n4, 5,6 ] ]", f"[[{number},2,3,4],[5,6]]"):
            expected = canonical_json(json.loads(text)).encode()
            assert outlines._describe_segmentation(text.encode(), [4, 6]) == expected, text
    for counts in ([10, 4, 10], "05\u007f"):
        text = json.dumps({"size": [4.0, 6], "counts": counts, "more": 1})
        assert outlines._describe_segmentation(text.encode(), [4, 6]) == (
            canonical_json({"size": [4, 6], "counts": counts}).encode()
        )
    boxes = np.array([[1, 2.5, 3, 4], [np.nan] * 4, [0.1, 1e-9, 1e14, 7]])
    shapes = outlines.TypedShapes(
        sizes=np.array([[4, 6], [5, 7]]), ignored_starts=np.array([0, 2, 2]), drawn_starts=np.array([0, 1, 1]),
        ignored=[b"[[1,2, 3,4,5,6]]", None], drawn=[b'{"size":[4,6],"counts":[24]}'], ignored_boxes=boxes[:2],
        drawn_boxes=boxes[2:],
    )  # fmt: skip
    run = {"size": [4, 6], "counts": [24]}
    listed_shapes = [[[[1, 2, 3, 4, 5, 6]], [1.0, 2.5, 3.0, 4.0]], [None, None], [run, [0.1, 1e-9, 1e14, 7.0]]]
    assert shapes.describe(0) == canonical_json([2, listed_shapes]).encode()
    assert shapes.describe(1) == b"[0,[]]"
    assert shapes.take(np.array([1, 0])).describe(1) == shapes.describe(0)
    ignored, drawn = shapes(0)
    assert [[of.segmentation, of.bbox] for of in ignored] == [[[[1, 2, 3, 4, 5, 6]], (1, 2.5, 3, 4)], [None, None]]
    assert [[of.segmentation, of.bbox] for of in drawn] == [[run, (0.1, 1e-9, 1e14, 7)]]
    assert shapes(1) == ((), ())
