"""Every mistake in annotations and images ends in a short message that names the file, the id and what to do."""

from __future__ import annotations

import copy
import json
import math
import struct
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from command_line import fail_to_build

if TYPE_CHECKING:
    from conftest import Coco, Run

Mutate = Callable[["Coco"], None]


@pytest.fixture
def fails(run: Run, tmp_path: Path) -> Callable[..., str]:
    """Build what cannot be built, into `tmp_path / "out"`, and return the message."""
    return partial(fail_to_build, run, tmp_path / "out")


def nan_nose(coco: Coco) -> None:
    coco.document["annotations"][1]["keypoints"][0] = math.nan


def change(where: str, number: int, **entry: Any) -> Mutate:
    def mutate(coco: Coco) -> None:
        coco.document[where][number].update(entry)

    return mutate


def truncate(coco: Coco) -> None:
    data = coco.annotations.read_bytes()
    coco.annotations.write_bytes(data[: len(data) // 2])


class TestAnnotations:
    def test_a_file_that_is_not_coco(self, fails: Any, coco: Coco) -> None:
        coco.write()
        for text, expected in (
            ('{"images": [', "is not whole JSON: "),
            ("", "was the download cut short?"),
            ("<html>", "is not whole JSON: "),
            ("[1, 2]", "is not COCO: expected an object with images, annotations, categories"),
            ('{"type": "FeatureCollection"}', "is not COCO: expected a list 'images'"),
        ):
            coco.annotations.write_text(text)
            message = fails(coco.root, 1)
            assert message.startswith(f"Error: {coco.annotations}: ")
            assert expected in message

    def test_truncated_json(self, fails: Any, coco: Coco) -> None:
        coco.write()
        truncate(coco)
        message = fails(coco.root, 1)
        assert f"{coco.annotations}: is not whole JSON: " in message
        assert "was the download cut short?" in message

    def test_a_file_without_keypoints(self, fails: Any, coco: Coco) -> None:
        coco.document["categories"] = [{"id": 1, "name": "person", "supercategory": "person"}]
        for person in coco.document["annotations"]:
            del person["keypoints"]
        message = fails(coco.write(), 1)
        assert f"{coco.annotations}: no category has keypoints (categories: person)" in message
        assert "expected a keypoint file such as person_keypoints_train2017.json" in message

    def test_several_categories_with_keypoints(self, fails: Any, coco: Coco) -> None:
        coco.document["categories"].append({"id": 2, "name": "dog", "keypoints": ["nose"]})
        message = fails(coco.write(), 2)
        assert f"{coco.annotations}: several categories have keypoints: person, dog; their keypoints differ" in message
        assert "--category" in message

    def test_a_bad_entry(self, fails: Any, coco: Coco) -> None:
        whole = copy.deepcopy(coco.document)
        for mutate, expected in (
            (change("images", 1, id=100), "image 100: the id occurs more than once"),
            (change("annotations", 2, id=1003), "annotation 1003: the id occurs more than once"),
            (change("annotations", 2, image_id=9), "annotation 1006: image_id 9 is no image of this file"),
            (change("annotations", 1, keypoints=[1, 2, 2]), "annotation 1003: keypoints must be 51 numbers"),
            (nan_nose, "annotation 1003: keypoints must be finite numbers"),
            (change("annotations", 0, bbox=[1, 2, -3, 4]), "annotation 1000: bbox must be x, y, width, height"),
            (change("images", 0, file_name="../../etc/passwd"), "image 100: file_name '../../etc/passwd' leaves"),
            (change("images", 0, file_name="/etc/passwd"), "image 100: file_name '/etc/passwd' leaves"),
        ):
            coco.document = copy.deepcopy(whole)
            mutate(coco)
            message = fails(coco.write(), 1)
            assert message.startswith(f"Error: {coco.annotations}: ")
            assert expected in message
            assert message.rstrip().endswith("mend or remove them and run again")

    def test_many_bad_entries_are_reported_together(self, fails: Any, coco: Coco) -> None:
        for _ in range(50):
            coco.person(107, [1])
        coco.document["images"][0]["file_name"] = "../x"
        message = fails(coco.write(), 1)
        assert "51 bad entries" in message
        assert "image 100" in message
        assert "... and 31 more" in message

    def test_a_file_in_which_nobody_is_labelled(self, fails: Any, coco: Coco) -> None:
        for person in coco.document["annotations"]:
            person["keypoints"] = [0] * 51
        message = fails(coco.write(), 1)
        assert (
            f"{coco.annotations}: there is nothing to build: 2 images (2 left out: nobody is labelled on it)" in message
        )


@pytest.fixture(scope="module")
def broken(make_coco: type[Coco], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[int, tuple[str, str]]]:
    """A dataset with a picture of every kind that cannot be built, and what has to be said of each."""
    coco = make_coco(tmp_path_factory.mktemp("broken") / "coco")
    whole = [coco.image(60, 40) for _ in range(4)]
    intact = (coco.images / "000000000100.jpg").read_bytes()
    turned = struct.pack(">2sHHIHH", b"MM", 42, 0, 8, 0, 0)
    expected: dict[int, tuple[str, str]] = {}

    def add(name: str, data: bytes, said: str, width: int = 60, height: int = 40) -> None:
        expected[coco.image(width, height, name, data=data)] = (name, said)

    add("missing.jpg", b"", "cannot be read: No such file or directory")
    add("empty.jpg", b"", "is empty")
    add("truncated.jpg", intact[: len(intact) * 2 // 3], "is not an image, or is truncated")
    add(
        "page.jpg",
        b"<html>404 not found</html>",
        "is not an image, or is truncated (26 bytes); it is of the kind HTML page",
    )
    add("other.jpg", intact, "is 60x40 pixels, but its annotation says 120x80", 120, 80)
    add("turned.jpg", intact, "is 60x40 pixels, but its annotation says 40x60", 40, 60)
    add("linked.jpg", b"", "cannot be read: No such file or directory")
    add("folder/in/it.jpg", turned, "is not an image, or is truncated")
    (coco.images / "missing.jpg").unlink()
    (coco.images / "linked.jpg").unlink()
    (coco.images / "linked.jpg").symlink_to("nowhere.jpg")
    for image_id in [*whole, *expected]:
        coco.person(image_id)
    return coco.write(), expected


class TestPictures:
    def test_all_that_cannot_be_built_are_named_together(
        self, fails: Any, broken: tuple[Path, dict[int, tuple[str, str]]], tmp_path: Path
    ) -> None:
        root, expected = broken
        message = fails(root, 1, "--max-failures", 7)
        lines = message.splitlines()
        assert "8 of 12 samples could not be built" in lines[0]
        for image_id, (name, said) in expected.items():
            assert any(f"image {image_id}: " in line and name in line and said in line for line in lines)
        assert str(tmp_path / "out" / "failures.jsonl") in lines[-1]
        assert "--max-failures" in lines[-1]
        records = [json.loads(line) for line in (tmp_path / "out/failures.jsonl").read_text().splitlines()]
        assert {r["image_id"]: r["file"] for r in records} == {i: name for i, (name, _) in expected.items()}

    def test_one_is_told_as_one(self, run: Run, coco: Coco, tmp_path: Path) -> None:
        coco.write()
        min(coco.images.iterdir()).write_bytes(b"no picture")
        out = tmp_path / "out"
        built = run("build", "--coco", coco.root, "--out", out, "--workers", 1, "--max-failures", 1).out
        assert built.startswith("1 sample with 1 person in 1 shard, ")
        assert built.endswith(f"\n1 sample could not be built: {out / 'failures.jsonl'}\n")
        inspected = run("inspect", out).out
        assert inspected.startswith(f"{out}: dataset, 1 sample with 1 person in 1 shard, ")
        assert "\n1 sample could not be built; see failures.jsonl beside the shards\n" in inspected

    def test_as_many_as_are_allowed_may_fail(
        self, run: Run, broken: tuple[Path, dict[int, tuple[str, str]]], tmp_path: Path
    ) -> None:
        root, _ = broken
        out = tmp_path / "out"
        outcome = run("build", "--coco", root, "--out", out, "--workers", 1, "--max-failures", "67%")
        assert outcome.status == 0
        assert "4 samples with 4 people in 1 shard" in outcome.out
        assert f"8 samples could not be built: {out / 'failures.jsonl'}" in outcome.out
        record = json.loads(run("inspect", out, "--json").out)
        assert (record["samples"], record["failures"]) == (4, 8)

    def test_many_are_counted_and_listed_in_a_file(self, fails: Any, coco: Coco, tmp_path: Path) -> None:
        for _ in range(23):
            image_id = coco.image(20, 20)
            coco.person(image_id)
        coco.write()
        for path in coco.images.iterdir():
            path.unlink()
        message = fails(coco.root, 1)
        assert "25 of 25 samples could not be built; there is no dataset" in message
        assert "... and 15 more" in message
        assert len((tmp_path / "out/failures.jsonl").read_text().splitlines()) == 25
