"""Lists in sentences: whole up to a number of names, beyond that cut, and then they say that, or by how many."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conftest import Coco
from reading import NOBODY, explain, read

from posegen.annotations import Annotations, Sample, find_coco
from posegen.annotations.audit import Audit
from posegen.annotations.coco.checks import Problems, brief
from posegen.annotations.coco.names import Names
from posegen.annotations.sources import join_sources
from posegen.annotations.unknown import describe_unknown
from posegen.config import BuildConfig, SourceRules
from posegen.errors import AnnotationError, ConfigError
from posegen.skeleton import Skeleton


def letters(count: int) -> list[str]:
    return [chr(ord("a") + i) for i in range(count)]


def test_a_value_has_sixty_characters() -> None:
    assert brief("x" * 58) == repr("x" * 58)
    assert brief("x" * 59) == f"'{'x' * 56}..."
    assert len(brief("x" * 59)) == 60


def test_of_what_is_wrong_with_a_file_twenty_are_named() -> None:
    def say(count: int) -> str:
        problems = Problems(Path("a.json"))
        for i in range(count):
            problems.add(f"entry {i} is odd")
        with pytest.raises(AnnotationError) as caught:
            problems.raise_any()
        return str(caught.value)

    assert say(1) == "a.json: 1 bad entry\n  entry 0 is odd\nmend or remove them and run again"
    listed = "".join(f"\n  entry {i} is odd" for i in range(20))
    assert say(20) == f"a.json: 20 bad entries{listed}\nmend or remove them and run again"
    for more in (1, 2):
        said = f"a.json: {20 + more} bad entries{listed}\n  ... and {more} more\nmend or remove them and run again"
        assert say(20 + more) == said


def test_of_bad_pictures_ten_are_named_and_of_what_was_noticed_three() -> None:
    for count in (1, 10, 11, 13):
        audit = Audit(bad_pictures={f"{i}.jpg": f"{i}.jpg: no" for i in range(count)})
        expected = ["1 picture cannot be used:" if count == 1 else f"{count} pictures cannot be used:"]
        expected += [f"  {i}.jpg: no" for i in range(min(count, 10))] + [f"  ... and {count - 10} more"] * (count > 10)
        assert audit.describe() == expected
    one_by_one, at_once = Audit(), Audit()
    for count in range(5):
        one_by_one.notice("odd", count, f"{count}.jpg")
        at_once = Audit()
        at_once.notice_all("odd", np.arange(8) <= count, np.arange(8), lambda place: f"{place}.jpg")
        assert at_once == one_by_one
        assert one_by_one.noticed == {"odd": count + 1}
        assert one_by_one.examples == {"odd": [0, 1, 2][: count + 1]}
        assert one_by_one.pictures == {"odd": ["0.jpg", "1.jpg", "2.jpg"][: count + 1]}


def test_of_unknown_keypoints_the_three_that_most_people_lack_are_named() -> None:
    for count in (1, 3, 4, 5):
        names = letters(count)
        unknown = np.zeros((count + 1, count), np.uint8)
        for k in range(count):
            unknown[: k + 1, k] = 1
        sample = Sample(
            image_id=1, file_name="1.jpg", width=9, height=9,
            keypoints=np.zeros((count + 1, count, 3)), bboxes=np.full((count + 1, 4), np.nan),
            annotation_ids=np.arange(count + 1), unknown=unknown,
        )  # fmt: skip
        named = [f"{name} of {k + 1}" for k, name in reversed([*enumerate(names)])][:3]
        assert describe_unknown([sample], names, Skeleton(name="letters", keypoints=tuple(names))) == (
            f"of {count} of {count + 1} people it is unknown whether keypoints are there: {', '.join(named)}"
            f"{f' and {count - 3} more' * (count > 3)}; the labels heatmap_mask and paf_mask leave them out of the loss"
        )


def test_of_keypoints_that_no_source_labels_eight_are_named() -> None:
    config = BuildConfig(sources=(SourceRules(name="one"), SourceRules(name="two")), labels=("heatmap",))
    own = Skeleton(name="own", keypoints=("a",))
    for count in (8, 9, 10):
        names = tuple(f"k{i}" for i in range(count))
        wanted = Skeleton(name="wanted", keypoints=("a", *names))
        one = Annotations(
            path=Path("a.json"), images=Path("a"), names=("a",), skeleton=own, samples=(), audit=Audit()
        )  # fmt: skip
        config = BuildConfig(sources=config.sources, skeleton=wanted, labels=("heatmap",))
        with pytest.raises(AnnotationError) as caught:
            join_sources({"one": one, "two": one}, config)
        listed = ", ".join(names[:8]) + f" and {count - 8} more" * (count > 8)
        assert str(caught.value) == (
            f"skeleton 'wanted' needs {listed}, which no source labels: "
            "one names a; two names a. Name another with --skeleton, or say with rename what is called otherwise"
        )


def test_of_categories_twenty_are_named(coco: Coco) -> None:
    person = coco.document["categories"][0]
    for count in (20, 21, 22):
        coco.document["categories"] = [person | {"id": i, "name": f"c{i}"} for i in range(count)]
        coco.write()
        with pytest.raises(ConfigError) as caught:
            read(coco, category=("dog",))
        listed = ", ".join(f"c{i}" for i in range(20)) + f" and {count - 20} more" * (count > 20)
        assert str(caught.value) == f"{coco.annotations}: no category 'dog' with keypoints; there is {listed}"


def test_of_categories_that_a_file_does_not_have_the_ten_most_frequent_are_named(coco: Coco) -> None:
    for category in range(50, 61):
        for _ in range(61 - category):
            coco.person(100, category_id=category)
    coco.document["categories"] += [{"id": i, "name": "thing"} for i in range(2, 13)]
    (note,) = read(coco).audit.notes
    listed = ", ".join(f"{category} ({61 - category})" for category in range(50, 60))
    assert note == (
        f"66 annotations not drawn, as the file has no such category: category_id {listed}; "
        "its categories are 1, 2, 3, 4, 5, 6, 7, 8, 9, 10"
    )


def test_of_files_that_are_called_alike_three_are_named(tmp_path: Path) -> None:
    for suffix in ("bmp", "gif", "jpg", "png"):
        (tmp_path / f"a.{suffix}").touch()
    names = Names(tmp_path)
    assert names.find("a.tif") == "a.tif"
    assert names.missing == {"a.tif": "; 'a.bmp', 'a.gif', 'a.jpg' is there"}


def test_of_what_is_in_a_file_that_is_not_coco_eight_are_named(coco: Coco) -> None:
    for count in (8, 9):
        coco.document = dict.fromkeys(reversed(letters(count)), 0)
        assert explain(coco) == (
            f"{coco.annotations}: is not COCO: expected a list 'images', found nothing "
            "(the file has a, b, c, d, e, f, g, h)"
        )


def test_of_the_annotation_files_in_a_directory_five_are_named(tmp_path: Path) -> None:
    for count in (1, 5, 6):
        names = [f"{name}.json" for name in letters(count)]
        for name in names:
            (tmp_path / name).touch()
        with pytest.raises(ConfigError) as caught:
            find_coco(tmp_path)
        assert str(caught.value) == (
            f"{tmp_path}: expected annotations/person_keypoints_<split>.json in it, found none; it has "
            f"{', '.join(names[:5])}{' and more' * (count == 6)}: one annotation file may be named itself, as in "
            f"{tmp_path}/a.json"
        )


def test_nobody_is_named_where_nobody_is(coco: Coco) -> None:
    coco.document["annotations"] = [{**entry, **NOBODY} for entry in coco.document["annotations"]]
    audit = read(coco).audit
    assert audit.describe_left_out() == [
        "2 of 2 images left out: 2 nobody is labelled on it",
        "3 of 3 annotations not drawn: 3 no keypoint is labelled",
    ]
    assert Audit().describe() == ["nothing to remark"]
