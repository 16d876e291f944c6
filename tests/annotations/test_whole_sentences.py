"""What is noted or refused of an annotation file, each sentence from its first word to its last."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import Any

import pytest
from conftest import Coco
from reading import afresh, explain, people, read

from posegen.annotations import find_annotations, number_text, read_annotations
from posegen.annotations.coco.document import load_document
from posegen.annotations.coco.ids import Ids
from posegen.annotations.coco.names import Names
from posegen.annotations.read import find_recorded
from posegen.config import BuildConfig, Source, SourceRules
from posegen.errors import AnnotationError, ConfigError
from posegen.skeleton import COCO_17, SKELETONS


def refused(call: Any, *arguments: Any, **options: Any) -> str:
    with pytest.raises((AnnotationError, ConfigError)) as caught:
        call(*arguments, **options)
    return str(caught.value)


def test_categories_that_do_not_go_together_are_told(coco: Coco) -> None:
    person = coco.document["categories"][0]
    for change, what, config in afresh(
        coco,
        (
            ({"keypoints": ["nose", "tail"]}, "keypoints", {}), ({"skeleton": [[1, 2]]}, "limbs", {"skeleton": None}),
            ({"keypoints": ["nose", "tail"]}, "keypoints", {"skeleton": None}),
        ),
    ):  # fmt: skip
        coco.document["categories"].append({**person, "id": 2, "name": "dog", **change})
        assert refused(read, coco, **config) == (
            f"{coco.annotations}: several categories have keypoints: person, dog; their {what} differ, so choose one, "
            "or those that share theirs, with --category"
        )
    coco.document["categories"] = [person, {**person, "id": 2, "name": "dog"}]
    assert read(coco, skeleton=None).skeleton.name == "person and 1 more"
    coco.document["categories"][1]["skeleton"] = [[1, 2]]
    assert people(read(coco)) == {100: [1000, 1003], 107: [1006]}


def test_keypoints_that_no_category_names_are_told_by_their_number(coco: Coco) -> None:
    coco.document["categories"] = [{"id": 1}]
    found = read(coco, skeleton=None, labels=("heatmap",))
    assert found.audit.notes == ["no category names its 17 keypoints; they are called keypoint_0 to keypoint_16"]
    assert found.skeleton.name == "keypoints"
    assert read(coco, skeleton=COCO_17).audit.notes == [
        "no category names its 17 keypoints; they are taken for those of 'coco-17', in its order"
    ]
    coco.document["annotations"][1]["keypoints"] = [1, 2, 2] * 5
    assert explain(coco, skeleton=None) == (
        f"{coco.annotations}: no category names its keypoints, and the annotations have different numbers of them: "
        "5 (annotation 1003), 17 (annotation 1000); all must have as many, or --category must choose those that do"
    )


def test_parts_that_are_not_read_and_limbs_that_are_left_out_are_noted(coco: Coco) -> None:
    coco.document["annotations"][0] |= {"foot_kpts": [1, 2, 2] * 6, "foot_valid": True}
    parts = "foot_kpts, face_kpts, lefthand_kpts, righthand_kpts are not read; the skeleton coco-wholebody-133 has them"
    assert read(coco).audit.notes == [parts]
    assert read(coco, skeleton=SKELETONS["coco-wholebody-133"]).audit.notes == []
    coco.document["categories"][0]["skeleton"] = [[1, 18]]
    said = (
        "its limbs are left out, as if there were none: 'skeleton' must be a list of pairs of keypoint numbers 1..17, "
        "but has [1, 18]"
    )
    found = read(coco, skeleton=None)
    assert found.audit.notes == [f"category 'person': {said}", parts]
    assert found.limbs_left_out == said


def test_shares_of_the_size_are_refused_with_what_to_do(coco: Coco) -> None:
    for entry in coco.document["annotations"]:
        entry["keypoints"] = [value for k in range(17) for value in (k / 17, 1 - k / 17, 1)]
    assert explain(coco) == (
        f"{coco.annotations}: all keypoints lie from 0 to 1, in the first pixel of their images: they seem to be "
        "shares of the image's size. posegen reads pixels: multiply x by the image's width and y by its height"
    )


def test_what_is_no_annotation_file_is_told_by_its_kind_or_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    before = "ä" * 30
    for data, said in (
        (b"\x89PNG\r\n\x1a\n", "is not JSON: it is of the kind PNG"),
        (b"\x1f\x8b\xff", "is not JSON: it is of the kind gzip; unpack it first"),
        (
            f'{{"a":\n"b",\n"{before}'.encode() + b"\xff",
            (
                f"is not JSON in UTF-8: byte 0xff in line 3, at 72, behind '{before[:10]}', is none of it; save "
                "the file as UTF-8"
            ),
        ),
        (
            b'{"a": "' + b"xyz" * 9 + b"\xff",
            (
                "is not JSON in UTF-8: byte 0xff in line 1, at 34, behind 'yzxyzxyzxyzxyzxyzxyz', is none of it; save "
                "the file as UTF-8"
            ),
        ),
        (b'{"images": 5}', "is not COCO: expected a list 'images', found a int (the file has images)"),
        (b'{"images": [], "annotations": []}', None),
    ):
        path.write_bytes(data)
        if said is None:
            assert load_document(path) == {"images": [], "annotations": [], "categories": []}
        else:
            assert refused(load_document, path) == f"{path}: {said}"
    assert refused(load_document, tmp_path) == f"{tmp_path}: cannot be read: Is a directory"
    assert refused(load_document, tmp_path / "b") == f"{tmp_path}/b: cannot be read: No such file or directory"


def test_ids_that_are_written_otherwise_are_counted_by_kind_with_the_first_of_each() -> None:
    document = {
        "images": [{"id": 1}, {"id": "2"}, {"id": "x"}, 5, {}],
        "annotations": [{"id": 3.0, "image_id": "x", "category_id": "cat"}, {"id": 4, "image_id": 1}],
        "categories": [{"id": "cat"}, {"id": True}],
    }
    ids = Ids(document)
    x, cat = number_text("x"), number_text("cat")
    assert ids.notes == [
        (
            "2 ids of whole numbers, written as text or with a point, such as the id '2' in 'images': taken for these "
            "numbers"
        ),
        (
            f"4 ids of text, such as the id 'x' in 'images': a number made from each is stored, {x} for 'x' "
            "(posegen.annotations.number_text)"
        ),
    ]
    assert document == {
        "images": [{"id": 1}, {"id": 2}, {"id": x}, 5, {}],
        "annotations": [{"id": 3, "image_id": x, "category_id": cat}, {"id": 4, "image_id": 1}],
        "categories": [{"id": cat}, {"id": True}],
    }
    assert [ids.show(value) for value in (x, 2, "x", True, None)] == ["x", 2, "x", True, None]
    # The first 62 bits of BLAKE2b, as `b2sum --length 64` prints 64 of them.
    assert number_text("x") == 0x4ADF4367F96E584F >> 2


def test_a_picture_under_several_ids_is_noted_with_its_people_counted(coco: Coco) -> None:
    first = coco.document["images"][0]
    coco.document["images"] += [{**first, "id": 300, "file_name": f".//{first['file_name']}"}, {**first, "id": 400}]
    twins = [{**entry, "id": 5000 + i} for i, entry in enumerate(coco.document["annotations"][:2])]
    coco.document["annotations"] += [{**twins[0], "image_id": 400}, {**twins[1], "image_id": 300}]
    coco.document["annotations"] += [{**twins[1], "id": 6000, "image_id": 400, "iscrowd": 1}]
    found = read(coco)
    assert people(found) == {100: [1000, 1003], 107: [1006]}
    assert len(found.samples[0].ignored) == 1
    assert found.audit.left_out == {"the same picture as another image, which has its people": 2}
    assert found.audit.not_drawn == {"crowd": 1, "the same person as under another id of the picture": 2}
    (note,) = (note for note in found.audit.notes if "joined" in note)
    assert note == (
        f"2 images of a picture that has another id as well, such as .//{first['file_name']} under 100 and 300: "
        "their people were joined under the first"
    )


def test_how_names_are_written_is_noted_by_way_with_the_first_of_each(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    umlaut = unicodedata.normalize("NFD", "ü.jpg")
    for name in ("b/1.jpg", "b/2.jpg", umlaut):
        (tmp_path / name).touch()
    names = Names(tmp_path)
    for name in ("b\\1.jpg", "b\\2.jpg", "b/1.JPG", "ü.jpg", "/b/2.jpg", "b%2F1.jpg", f"{tmp_path}/b/1.jpg"):
        names.find(name)
    assert [*names.describe()] == [
        "2 file names written with \\ for /, such as 'b\\\\1.jpg': 'b/1.jpg' was taken",
        "1 file name written in another case, such as 'b/1.JPG': 'b/1.jpg' was taken",
        f"1 file name written in another form of Unicode, such as 'ü.jpg': {umlaut!r} was taken",
        "1 file name written with a slash in front, such as '/b/2.jpg': 'b/2.jpg' was taken",
        "1 file name written with percent signs, such as 'b%2F1.jpg': 'b/1.jpg' was taken",
        f"1 file name written from the root on, such as '{tmp_path}/b/1.jpg': 'b/1.jpg' was taken",
    ]
    names.find("c/d/1.jpg")
    names.find("x/b/1.jpg")
    assert names.missing == {
        "c/d/1.jpg": "",
        "x/b/1.jpg": f"; 'b/1.jpg' is in {tmp_path}: name it so, or say with --images what names are relative to",
    }


def test_sources_that_a_dataset_was_not_built_from_are_told(coco: Coco, tmp_path: Path) -> None:
    coco.write()
    found = find_annotations(coco.root)
    before = found.describe()
    assert [*found.compare(before), *found.compare({})] == []
    coco.document["info"] = {}
    coco.write()
    now = found.describe()["sha256"]
    said = (
        f"was built from other annotations than {coco.annotations} (sha256 {before['sha256'][:12]}..., now "
        f"{now[:12]}...): build again to see how many shards change, or name those it was built from"
    )
    assert [*found.compare(before)] == [said]
    joined = find_annotations([Source(coco=coco.root, name="one"), Source(coco=coco.root, name="two")])
    recorded = {"one.sha256": before["sha256"], "two.sha256": now}
    assert [*joined.compare(recorded)] == [f"source 'one': {said}"]
    config = BuildConfig(sources=(SourceRules(name="one"), SourceRules(name="two")), labels=("heatmap",))
    assert refused(find_recorded, coco.root, config, {}) == (
        f"{coco.annotations}: this is one source, expected several: one, two; name them all"
    )
    assert refused(find_recorded, [coco.root], BuildConfig(), {}) == (
        "the dataset was built from one source, not from 1: name that alone"
    )
    three = [Source(coco=coco.root, name=name) for name in ("one", "two", "three")]
    assert (
        refused(read_annotations, three, config) == "expected the sources one, two, not one, three, two; name them all"
    )
    two = [Source(coco=coco.root, name="one"), Source(coco=coco.root, name="two", limit=3)]
    assert refused(read_annotations, two, config) == (
        "source 'two' is read in one way by the configuration, and is given another"
    )
    renamed = [Source(coco=coco.root, name="one", rename={"nose": "snout"}), coco.root]
    assert refused(read_annotations, renamed, BuildConfig(skeleton=None, labels=("heatmap",))) == (
        "source 'one': rename needs a skeleton whose keypoints they become; name one with --skeleton"
    )
    other = Coco(tmp_path / "other")
    other.document["categories"][0] |= {"keypoints": [f"k{i}" for i in range(9)], "skeleton": []}
    other.person(other.image(9, 9), [1, 2, 2] * 9)
    pair = [Source(coco=coco.root, name="one"), Source(coco=other.write(), name="two")]
    assert refused(read_annotations, pair, BuildConfig(skeleton=None, labels=("heatmap",))) == (
        f"sources 'one' and 'two' have different keypoints ({', '.join(COCO_17.keypoints[:8])} and 9 more; and "
        "k0, k1, k2, k3, k4, k5, k6, k7 and 1 more): say with --skeleton which they are to become"
    )
    other.document["categories"] = [coco.document["categories"][0] | {"skeleton": [[1, 2]]}]
    other.document["annotations"][0]["keypoints"] = [1, 2, 2] * 17
    other.write()
    assert refused(read_annotations, pair, BuildConfig(skeleton=None, labels=("heatmap",))) == (
        "sources 'one' and 'two' have different limbs: say with --skeleton which to draw"
    )
