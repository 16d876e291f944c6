"""Sentences about annotation files that are seldom said, word by word."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Coco
from reading import explain, read

from posegen.annotations.coco.keypoints import read_triplets
from posegen.annotations.coco.limbs import read_limbs
from posegen.annotations.coco.names import Names
from posegen.annotations.coco.rle import run_lengths
from posegen.annotations.read import find_annotations
from posegen.errors import ConfigError


def said_by(call: Any, *arguments: Any, **options: Any) -> str:
    with pytest.raises((ConfigError, ValueError)) as caught:
        call(*arguments, **options)
    return str(caught.value)


@pytest.fixture
def coco(tmp_path: Path) -> Coco:
    dataset = Coco(tmp_path / "coco")
    dataset.person(dataset.image(30, 20, "a.jpg"))
    return dataset


def test_keypoints_that_nobody_names_or_has_are_told(coco: Coco) -> None:
    nothing = (
        "no category has keypoints (categories: person), nor has any annotation of theirs; expected a keypoint file "
        "such as person_keypoints_train2017.json"
    )
    del coco.document["categories"][0]["keypoints"]
    for values, said in (([], nothing), ([1, 2], "no category names its keypoints, and no annotation has any")):
        coco.document["annotations"][0]["keypoints"] = values
        assert explain(coco) == f"{coco.annotations}: {said}"


def test_bad_entries_are_counted_and_what_to_do_with_them_is_told(coco: Coco) -> None:
    (entry,) = coco.document["annotations"]
    for count in (1, 12):
        coco.document["annotations"] = [
            {**entry, "id": 7 + n, "keypoints": [5, 5, 3] * 17} for n in range(count)
        ]  # fmt: skip
        lines = explain(coco).split("\n")
        assert lines[0] == f"{coco.annotations}: {count} bad {'entry' if count == 1 else 'entries'}"
        assert lines[-1] == "mend or remove them and run again"
        assert all(line.startswith("  ") for line in lines[1:-1])


def test_what_keypoints_have_to_be_is_told() -> None:
    expected = "keypoints must be 6 numbers (x, y, v for each of 2), not "
    pairs = "4: these are x, y without v; write a v behind each pair, 2 where it is seen, 0 where it is unknown"
    for values, said in (([1.0, 2, 3, 4], pairs), ([1, 2, 3], "3"), ([[1, 2, 2]], "3"), (5, "5")):
        assert said_by(read_triplets, values, 2) == f"{expected}{said}"
    assert said_by(read_triplets, [1, 2, 2, 3, 4, 2.5], 2) == (
        "a keypoint's visibility must be 0, 1 or 2, or between, not 2.5"
    )
    for values in (None, [], [0] * 6, [5, 5, 0] * 2):
        np.testing.assert_array_equal(read_triplets(values, 2), np.zeros((2, 3)))
    np.testing.assert_array_equal(read_triplets([[1, 2, 2], [3, 4, 1]], 2), [[1, 2, 2], [3, 4, 1]])


def test_what_limbs_cannot_be_is_told() -> None:
    names = ["a", "b", "c"]
    left_out = "its limbs are left out: "
    nothing = "its limbs are left out, as if there were none: "
    numbers = "'skeleton' must be a list of pairs of keypoint numbers 1..3, but has [1, 4]"
    from_0 = "its limbs count keypoints from 0, as [0, 1]; so they were read"
    itself = "1 of its limbs join a keypoint with itself, and are left out"
    for value, of, pairs, said in (
        ([[1, 2]], None, None, f"{left_out}its keypoints are no list"), ([], None, [], ""),
        ([[1, 2, 3]], names, None, f"{left_out}they must be pairs of keypoint numbers 1..3, not [[1, 2, 3]]"),
        ([[1, 4]], names, None, f"{nothing}{numbers}"),
        ([[0, 1], [1, 3]], names, None, f"{nothing}they have both 0 and 3, so they count neither from 1 nor from 0"),
        ([[0, 1], [1, 2]], names, [[1, 2], [2, 3]], from_0), ([["a", "c"], [2, 2]], names, [[1, 3]], itself),
        ([[0, 1], [1, 1]], names, [[1, 2]], f"{from_0}; {itself}"), ([[1, 3]], names, [[1, 3]], ""),
    ):  # fmt: skip
        assert read_limbs(value, of) == (pairs, said)


def test_what_is_no_run_length_code_is_told() -> None:
    for code, said in (
        (b"", "not a run-length code"),
        (b"/", "not a run-length code"),
        (b"p", "not a run-length code"),
        (b"P", "not a run-length code"),
        (b"P" * 20 + b"0", "a run length of too many digits"),
        (b"0O", "a negative run length"),
    ):
        assert said_by(run_lengths, code) == said, code
    assert run_lengths(b"05").tolist() == [0, 5]


def test_names_written_otherwise_are_found_and_how_is_told(tmp_path: Path) -> None:
    (tmp_path / "a b").mkdir()
    (tmp_path / "a b" / "c d.jpg").write_bytes(b"")
    for name, how in (
        ("a b\\c d.jpg", "with \\ for /"), ("a%20b/c%20d.jpg", "with percent signs"),
        ("/a b/c d.jpg", "with a slash in front"), (f"{tmp_path}/a b/c d.jpg", "from the root on"),
    ):  # fmt: skip
        names = Names(tmp_path)
        assert names.find(name) == "a b/c d.jpg"
        assert how in " ".join(names.describe())


def test_how_sources_can_be_named_is_told(tmp_path: Path, coco: Coco) -> None:
    coco.write()
    for options in ({"split": "train2017"}, {"images": tmp_path}):
        assert said_by(find_annotations, [coco.root], **options) == (
            "split and images go with one path: of several sources each has its own"
        )
    assert said_by(find_annotations, []) == "there is no source: expected a path, or several of them"


def test_an_image_without_a_size_and_a_picture_is_told(coco: Coco) -> None:
    coco.document["images"][0] |= {"width": None, "height": None}
    assert "image 100: it has no 'width' and 'height', and there is no image directory to read them from\n" in explain(
        coco
    )
    coco.document["images"][0] |= {"width": 30, "height": [20]}
    assert "'width' and 'height' must be whole numbers from 1 on, not 30 and [20]" in explain(coco)
    coco.document["images"][0] |= {"width": 1, "height": 1}
    assert read(coco).samples[0].width == 1
