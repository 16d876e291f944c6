"""Every mistake ends in a short message that names the file, the id and what to do, and in the right exit status."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from posegen.config import PRESETS

if TYPE_CHECKING:
    from conftest import Coco, Outcome, Run

Mutate = Callable[["Coco"], None]


@pytest.fixture
def fails(run: Run, tmp_path: Path) -> Callable[..., str]:
    """Build what cannot be built; returns the message, which is checked for what every message has to be."""

    def build(coco: Path, status: int, *options: object) -> str:
        out = tmp_path / "out"
        outcome: Outcome = run("build", "--coco", coco, "--out", out, "--workers", 1, *options)
        assert (outcome.status, outcome.out) == (status, ""), outcome.err
        assert "Traceback" not in outcome.err
        message = outcome.err[outcome.err.index("Error: ") :]
        assert len(message.splitlines()) <= 25
        assert not (out / "manifest.json").exists()
        return message

    return build


class TestPaths:
    def test_a_missing_directory(self, fails: Any, tmp_path: Path) -> None:
        message = fails(tmp_path / "nowhere", 2)
        assert f"{tmp_path / 'nowhere'}: no such file or directory" in message
        assert "expected a COCO root or an annotation file" in message

    def test_a_directory_that_is_no_coco_root(self, fails: Any, tmp_path: Path) -> None:
        message = fails(tmp_path, 2)
        assert f"{tmp_path}: expected annotations/person_keypoints_<split>.json in it" in message

    def test_an_unknown_split(self, fails: Any, coco: Coco) -> None:
        message = fails(coco.write(), 2, "--split", "val2017")
        assert f"{coco.root} has no split 'val2017'; it has train2017" in message

    def test_several_splits_and_none_named(self, fails: Any, coco: Coco) -> None:
        coco.write()
        for split in ("a", "b"):
            (coco.annotations.parent / f"person_keypoints_{split}.json").write_text("{}")
        coco.annotations.unlink()
        assert "several splits: a, b; choose one with --split" in fails(coco.root, 2)

    def test_a_missing_image_directory(self, fails: Any, coco: Coco, tmp_path: Path) -> None:
        message = fails(coco.write(), 2, "--images", tmp_path / "nowhere")
        assert f"{tmp_path / 'nowhere'}: no such image directory" in message

    def test_no_image_directory_where_coco_has_it(self, fails: Any, coco: Coco) -> None:
        coco.write()
        coco.images.rename(coco.root.parent / "elsewhere")
        message = fails(coco.root, 2)
        assert f"expected {coco.images}" in message
        assert "--images DIR" in message

    def test_a_path_with_a_name_too_long(self, fails: Any, tmp_path: Path) -> None:
        assert "File name too long" in fails(tmp_path / ("x" * 300), 1)

    def test_an_output_that_is_a_file(self, run: Run, coco: Coco, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("mine")
        outcome = run("build", "--coco", coco.write(), "--out", tmp_path / "file")
        assert outcome.status == 2
        assert f"{tmp_path / 'file'}: is a file; the output must be a directory" in outcome.err
        assert (tmp_path / "file").read_text() == "mine"

    def test_an_output_that_holds_something_else(self, run: Run, coco: Coco, tmp_path: Path) -> None:
        outcome = run("build", "--coco", coco.write(), "--out", coco.root)
        assert outcome.status == 2
        assert f"{coco.root}: holds " in outcome.err
        assert sorted(p.name for p in coco.root.iterdir()) == ["annotations", "train2017"]

    def test_an_output_that_cannot_be_made(self, run: Run, coco: Coco, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("mine")
        outcome = run("build", "--coco", coco.write(), "--out", tmp_path / "file" / "out")
        assert outcome.status == 1
        assert "Not a directory" in outcome.err


class TestOptions:
    @pytest.mark.parametrize(
        ("options", "expected"),
        [
            ("--input-size 368", "input size must be WIDTHxHEIGHT, as in 368x368, not '368'"),
            ("--input-size 0x368", "input_size must be a whole number from 1 to 16384, not 0"),
            ("--input-size 370x368", "a stride of 8 does not divide the input size 370x368 into whole cells"),
            ("--stride 0", "not 0"),
            ("--stride -8", "not -8"),
            ("--stride nan", "not nan"),
            ("--stride 1e-310", "not 1e-310"),
            ("--sigma 0", "sigma_px must be a number from 0.001 to 10000, not 0"),
            ("--sigma nan", "sigma_px must be a number from 0.001 to 10000, not nan"),
            ("--labels heatmap,pafs", "there is no label 'pafs' (did you mean 'paf'?)"),
            ("--labels heatmap,heatmap", "labels must be a tuple of names, none of them twice"),
            ("--min-keypoints 0", "min_keypoints must be a whole number from 1"),
            ("--jpeg-quality 101", "jpeg_quality must be a whole number from 1 to 100, not 101"),
            ("--shard-size 0", "shard_size must be a whole number from 1"),
            ("--limit 0", "limit must be a whole number from 1"),
            ("--seed -1", "seed must be a whole number from 0"),
            ("--workers 0", "workers must be at least 1, not 0"),
            ("--max-failures some", "max_failures must be a number, as in 10, or a share, as in 1%, not 'some'"),
            ("--max-failures 101%", "max_failures must be a number, as in 10, or a share, as in 1%, not '101%'"),
            ("--max-failures -1", "max_failures must be a number, as in 10, or a share, as in 1%, not '-1'"),
            (
                "--skeleton coco-18",
                "there is no skeleton 'coco-18' (did you mean 'coco-17'?): expected coco-17, openpose-18,",
            ),
            ("--config nowhere.toml", "nowhere.toml: cannot be read: No such file or directory"),
            ("--category dog", "no category 'dog' with keypoints; there is person"),
        ],
    )
    def test_a_value_that_cannot_be(self, fails: Any, coco: Coco, options: str, expected: str) -> None:
        message = fails(coco.write(), 2, *options.split())
        assert expected in message
        assert len(message.splitlines()) == 1

    def test_a_preset_that_is_none_lists_those_there_are(self, fails: Any, coco: Coco) -> None:
        message = fails(coco.write(), 2, "--preset", "tfpose")
        assert all(preset in message for preset in PRESETS)

    def test_a_skeleton_file_that_misspells_a_keypoint(self, fails: Any, coco: Coco, tmp_path: Path) -> None:
        path = tmp_path / "s.toml"
        path.write_text('keypoints = ["nose", "left_eye"]\nlimbs = [["nose", "left_eie"]]\n')
        message = fails(coco.write(), 2, "--skeleton", path)
        assert f"{path}, line 2: limbs: 'left_eie' is not in 'keypoints' (did you mean 'left_eye'?)" in message

    def test_a_skeleton_that_the_annotations_do_not_have(self, fails: Any, coco: Coco, tmp_path: Path) -> None:
        path = tmp_path / "s.toml"
        path.write_text('keypoints = ["nose", "left_ere"]\n')
        message = fails(coco.write(), 1, "--skeleton", path)
        assert f"{coco.annotations}: " in message
        assert "'left_ere'" in message
        assert "did you mean 'left_e" in message


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
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ('{"images": [', "is not whole JSON: "),
            ("", "was the download cut short?"),
            ("<html>", "is not whole JSON: "),
            ("[1, 2]", "is not COCO: expected an object with images, annotations, categories"),
            ('{"type": "FeatureCollection"}', "is not COCO: expected a list 'images'"),
        ],
    )
    def test_a_file_that_is_not_coco(self, fails: Any, coco: Coco, text: str, expected: str) -> None:
        coco.write()
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

    @pytest.mark.parametrize(
        ("mutate", "expected"),
        [
            (change("images", 1, id=100), "image 100: the id occurs more than once"),
            (change("annotations", 2, id=1003), "annotation 1003: the id occurs more than once"),
            (change("annotations", 2, image_id=9), "annotation 1006: image_id 9 is no image of this file"),
            (change("annotations", 1, keypoints=[1, 2, 2]), "annotation 1003: keypoints must be 51 numbers"),
            (nan_nose, "annotation 1003: keypoints must be finite numbers"),
            (change("annotations", 0, bbox=[1, 2, -3, 4]), "annotation 1000: bbox must be x, y, width, height"),
            (change("images", 0, file_name="../../etc/passwd"), "image 100: file_name '../../etc/passwd' leaves"),
            (change("images", 0, file_name="/etc/passwd"), "image 100: file_name '/etc/passwd' leaves"),
        ],
    )
    def test_a_bad_entry(self, fails: Any, coco: Coco, mutate: Mutate, expected: str) -> None:
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
    add("page.jpg", b"<html>404 not found</html>", "is not an image, or is truncated (26 bytes)")
    add("other.jpg", intact, "is 60x40 pixels, but its annotation says 120x80", 120, 80)
    add("turned.jpg", intact, "is 60x40 pixels, but its annotation says 40x60", 40, 60)
    add("linked.jpg", b"", "leads out of the image directory")
    add("folder/in/it.jpg", turned, "is not an image, or is truncated")
    (coco.images / "missing.jpg").unlink()
    (coco.images / "linked.jpg").unlink()
    (coco.images / "linked.jpg").symlink_to(__file__)
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


class TestInspect:
    @pytest.mark.parametrize(
        ("arguments", "status", "expected"),
        [
            (("nowhere",), 2, "nowhere: no such file or directory; expected a dataset's directory or a shard"),
            (("",), 1, "has no manifest.json, so it is no dataset, or its build has not ended"),
            (("text.h5",), 1, "text.h5: is not an HDF5 file, or is damaged"),
        ],
    )
    def test_what_is_no_dataset(
        self, run: Run, tmp_path: Path, arguments: tuple[str, ...], status: int, expected: str
    ) -> None:
        (tmp_path / "text.h5").write_text("text")
        outcome = run("inspect", tmp_path / arguments[0])
        assert (outcome.status, outcome.out) == (status, "")
        assert expected in outcome.err
        assert len(outcome.err.splitlines()) == 1

    @pytest.mark.parametrize(
        ("options", "expected"),
        [
            ("--sample 8 --save {}/a.png", "there is no sample 8; samples are 0..7"),
            ("--sample -1 --save {}/a.png", "there is no sample -1; samples are 0..7"),
            ("--sample 0", "--sample I and --save PNG go together"),
            ("--save {}/a.png", "--sample I and --save PNG go together"),
            ("--json --sample 0 --save {}/a.png", "--json describes PATH; it does not go with --sample or --sheet"),
            ("--json --sheet {}/a.png", "--json describes PATH; it does not go with --sample or --sheet"),
            ("--sample 0 --save {}/nowhere/a.png", "nowhere/a.png: cannot be written"),
            ("--sheet {}/nowhere/a.png", "nowhere/a.png: cannot be written"),
        ],
    )
    def test_a_picture_that_cannot_be_drawn(
        self, run: Run, dataset: Path, tmp_path: Path, options: str, expected: str
    ) -> None:
        outcome = run("inspect", dataset, *options.format(tmp_path).split())
        assert (outcome.status, outcome.out) == (2, "")
        assert expected in outcome.err
        assert len(outcome.err.splitlines()) == 1
        assert list(tmp_path.iterdir()) == []


class TestSample:
    @pytest.mark.parametrize("options", [("--images", 0), ("--images", -3), ("--seed", -1)])
    def test_a_number_that_cannot_be(self, run: Run, tmp_path: Path, options: tuple[object, ...]) -> None:
        outcome = run("sample", tmp_path / "sample", *options)
        assert (outcome.status, outcome.out) == (2, "")
        assert f"not {options[1]}" in outcome.err
        assert not (tmp_path / "sample").exists()

    def test_a_place_that_cannot_be_written(self, run: Run, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("mine")
        outcome = run("sample", tmp_path / "file" / "sample")
        assert (outcome.status, outcome.out) == (1, "")
        assert f"{tmp_path / 'file'}" in outcome.err
        assert "Not a directory" in outcome.err
