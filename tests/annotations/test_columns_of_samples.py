"""Samples laid side by side as columns, and made of these again; and how sources are named and ranked."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posegen.annotations import Annotations, Sample
from posegen.annotations.audit import Audit
from posegen.annotations.coco.packed import list_archives
from posegen.annotations.columns import SampleColumns
from posegen.annotations.sample import Shape
from posegen.annotations.sources import SourceImages, rank_image
from posegen.skeleton import COCO_17


def sample(number: int, people: int, **other: Any) -> Sample:
    boxes = np.arange(4.0 * people).reshape(people, 4) + number
    return Sample(
        image_id=10 * number, file_name=f"{number}.jpg", width=20 + number, height=30 + number,
        keypoints=np.arange(6.0 * people).reshape(people, 2, 3) + number, bboxes=boxes,
        annotation_ids=np.arange(people) + 100 * number, **other,
    )  # fmt: skip


def describe(one: Sample) -> list[Any]:
    arrays: list[NDArray[Any] | None] = [one.keypoints, one.bboxes, one.annotation_ids, one.unknown]
    listed = [None if of is None else of.tolist() for of in arrays]
    shapes = [[(shape.segmentation, shape.bbox) for shape in of] for of in (one.ignored, one.drawn)]
    return [one.image_id, one.file_name, one.width, one.height, one.copy, one.source, *listed, *shapes]


def test_samples_are_laid_side_by_side_and_made_again() -> None:
    shape, other = Shape(segmentation=[[1, 2, 3, 4, 5, 6]], bbox=None), Shape(segmentation=None, bbox=(1, 2, 3, 4))
    unknown = np.array([[0, 2], [1, 0]], np.uint8)
    samples = [
        sample(1, 1, source="a"), sample(2, 2, unknown=unknown, source="b"), sample(3, 0),
        sample(4, 1, ignored=(shape, other), drawn=(other,)),
    ]  # fmt: skip
    columns = SampleColumns.of(samples)
    assert SampleColumns.of(columns) is columns
    assert columns.starts.tolist() == [0, 1, 3, 3, 4]
    assert columns.images.tolist() == [0, 1, 1, 3]
    assert columns.sizes.tolist() == [[31, 21], [32, 22], [33, 23], [34, 24]]
    assert (columns.sources, columns.image_ids.dtype) == (["a", "b", "", ""], np.int64)
    expected = [describe(one) for one in samples]
    assert [describe(one) for one in columns] == [describe(one) for one in columns[:]] == expected
    assert [describe(columns[i]) for i in (-1, 1)] == [expected[3], expected[1]]
    assert [describe(one) for one in columns.take(np.array([3, 1, 0]))] == [expected[i] for i in (3, 1, 0)]
    second = describe(columns.make(1, 2, 5))
    assert second[4] == 5
    assert second[6:10] == [[samples[1].keypoints[1].tolist()], [samples[1].bboxes[1].tolist()], [201], [[1, 0]]]
    assert columns.find_shapes.describe(0) == b"[0,[]]"
    assert json.loads(columns.find_shapes.describe(3)) == [
        2, [[[[1, 2, 3, 4, 5, 6]], None], [None, [1, 2, 3, 4]], [None, [1, 2, 3, 4]]],
    ]  # fmt: skip
    plain = SampleColumns.of([sample(1, 1), sample(2, 2)])
    assert (plain.unknown, plain.sources, plain[1].source, plain.take(np.array([1])).sources) == (None, None, "", None)
    assert (plain.take(np.array([1])).unknown, plain[0].copy) == (None, 0)


def test_a_file_of_one_of_several_sources_has_its_name_without_that() -> None:
    for source, name, stated in (
        ("a", "a/1.jpg", "1.jpg"),
        ("", "a/1.jpg", "a/1.jpg"),
        ("a", "b/a/1", "b/a/1"),
    ):
        one = sample(1, 0, source=source)
        object.__setattr__(one, "file_name", name)
        assert one.stated_name == stated


def test_several_sources_are_called_by_all_their_files_and_have_all_their_folders(tmp_path: Path) -> None:
    def say(name: str, **other: Any) -> Annotations:
        return Annotations(
            path=Path(name), images=tmp_path, names=(), skeleton=COCO_17, samples=(), audit=Audit(), **other
        )  # fmt: skip

    assert say("a.json").place == "a.json"
    assert say("a.json", sources={"x": say("b.json"), "y": say("c.json")}).place == "b.json, c.json"
    (tmp_path / "one").mkdir()
    images = SourceImages({"x": tmp_path / "one", "y": tmp_path / "two"})
    assert str(images) == f"{tmp_path}/one, {tmp_path}/two"
    assert images / "y/deep/1.jpg" == tmp_path / "two" / "deep" / "1.jpg"
    assert not images.is_dir()
    (tmp_path / "two").mkdir()
    assert images.is_dir()


def test_an_image_s_rank_is_the_hash_of_seed_source_image_and_copy() -> None:
    for arguments, words in (
        ((3, "many", 7, 2), b"3 many 7 2"), ((3, "many", 7), b"3 many 7"), ((0, "", -7), b"0 -7"),
        ((0, "", 7, 1), b"0 7 1"), ((0, "", 7, 0), b"0 7"),
    ):  # fmt: skip
        assert rank_image(*arguments) == hashlib.blake2b(words, digest_size=8).digest()


def test_no_more_archives_of_a_folder_are_looked_into_than_64(tmp_path: Path) -> None:
    for i in range(66):
        with zipfile.ZipFile(tmp_path / f"{i:02}.zip", "w") as archive:
            archive.writestr("a", "")
    assert [place.file.name for place in list_archives(tmp_path)] == [f"{i:02}.zip" for i in range(64)]
