"""`posegen audit`, what a build starts from where no preset is named, options said twice, a file's own skeleton."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from command_line import catch_build, configure

from posegen.config import BuildConfig

if TYPE_CHECKING:
    from conftest import Coco, Run

HAND = [f"finger_{k}" for k in range(5)]


@pytest.fixture
def hands(coco: Coco) -> Coco:
    """A dataset whose keypoints are five fingers'."""
    coco.document["categories"] = [{"id": 1, "name": "hand", "keypoints": HAND, "skeleton": [[1, 2], [2, 3]]}]
    for person in coco.document["annotations"]:
        person |= {"keypoints": [v for k in range(5) for v in (5 + 3 * k, 6 + k, 2)], "num_keypoints": 5}
    coco.write()
    return coco


class TestAudit:
    def test_it_says_what_a_build_would_say(self, run: Run, coco: Coco) -> None:
        coco.document["annotations"][0]["num_keypoints"] = 1
        path = coco.write()
        outcome = run("audit", path)
        assert (outcome.status, outcome.err) == (0, "")
        assert any(
            line.startswith("noticed: num_keypoints disagrees with the keypoints; they were counted: ")
            for line in outcome.out.splitlines()
        )

    def test_missing_pictures_are_named_and_end_it_with_1(self, run: Run, coco: Coco) -> None:
        path = coco.write()
        name = coco.document["images"][0]["file_name"]
        (coco.images / name).unlink()
        outcome = run("audit", path)
        assert outcome.status == 1
        assert outcome.out.splitlines()[-2:] == ["1 picture cannot be used:", f"  {coco.images / name}: no such file"]
        record = json.loads(run("audit", path, "--json").out)
        assert record["bad_pictures"] == {name: f"{coco.images / name}: no such file"}
        assert record["images"] == 2

    def test_pictures_are_decoded_only_if_asked(self, run: Run, coco: Coco) -> None:
        path = coco.write()
        name = coco.document["images"][0]["file_name"]
        (coco.images / name).write_bytes(b"no picture")
        assert run("audit", path).status == 0
        outcome = run("audit", path, "--pictures")
        assert outcome.status == 1
        assert f"{name}: is not an image, or is truncated" in outcome.out

    def test_without_pictures_it_says_that_none_was_looked_for(self, run: Run, coco: Coco) -> None:
        path = coco.write()
        for picture in coco.images.iterdir():
            picture.unlink()
        coco.images.rmdir()
        outcome = run("audit", path)
        assert outcome.status == 0
        assert f"note: there is no directory {coco.images}, so no picture was looked for" in outcome.out.splitlines()

    def test_a_bad_file_is_refused_as_a_build_refuses_it(self, run: Run, coco: Coco) -> None:
        coco.document["annotations"][0]["bbox"] = "no box"
        audit, build = run("audit", coco.write()), run("build", "--coco", coco.root, "--out", coco.root / "out")
        assert (audit.status, audit.err) == (build.status, build.err)


class TestAuto:
    def test_coco_s_keypoints_have_the_default_preset_and_others_their_own(
        self, run: Run, coco: Coco, hands: Coco, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        call = catch_build(monkeypatch)
        for options in ((), ("--preset", "auto")):
            assert configure(run, call, *options) == BuildConfig()
        with pytest.raises(Exception, match=r"^$"):
            run("build", "--coco", hands.root, "--out", tmp_path / "out")
        assert call["config"] == BuildConfig.preset("coco")
        with pytest.raises(Exception, match=r"^$"):
            run("build", "--coco", hands.root, "--out", tmp_path / "out", "--preset", "tf-pose")
        assert call["config"] == BuildConfig()

    def test_other_keypoints_build_and_a_note_says_with_which_preset(
        self, run: Run, hands: Coco, tmp_path: Path
    ) -> None:
        outcome = run("build", "--coco", hands.root, "--out", tmp_path / "out", "--workers", 1)
        assert outcome.status == 0
        assert "keypoints of person_keypoints_train2017.json are not COCO's: --preset coco is used" in outcome.err
        assert json.loads(run("inspect", tmp_path / "out", "--json").out)["samples"] == 2


def test_an_option_that_takes_one_value_is_not_taken_twice(run: Run, coco: Coco, tmp_path: Path) -> None:
    path = coco.write()
    for options in (
        ("--coco", path, "--split", "a", "--split", "b"),
        ("--coco", path, "--limit=1", "--limit", 2),
    ):
        outcome = run("build", *options, "--out", tmp_path / "out")
        assert outcome.status == 2
        assert "is given 2 times, but takes one value" in outcome.err
    assert run("skeleton", "show", "coco-17", "--save", tmp_path / "a", "--save", tmp_path / "b").status == 2
    repeated = ("--label-option", "offset.radius_factor=0.1", "--category", "person", "--category", "person", "--quiet")
    assert "times" not in run("build", "--coco", path, *repeated, "--quiet").err


def test_the_skeleton_of_a_coco_file_is_shown_and_written(run: Run, hands: Coco, tmp_path: Path) -> None:
    outcome = run("skeleton", "show", hands.annotations)
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out.startswith("hand: 5 keypoints, 2 limbs, 0 flip pairs\n")
    written = tmp_path / "mine.toml"
    written.write_text(run("skeleton", "show", hands.annotations, "--toml").out)
    assert run("skeleton", "show", written).out == outcome.out
    assert "category 'cat'" in run("skeleton", "show", hands.annotations, "--category", "cat").err
    assert run("skeleton", "show", "coco-17", "--category", "cat").status == 2
