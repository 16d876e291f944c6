"""Sources that a dataset was built from, known again by what it recorded of them; and who shows anything at all."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from conftest import Coco
from reading import people, read

from posegen.annotations import find_annotations
from posegen.annotations.coco.people import describe_id
from posegen.annotations.read import JoinedSource, find_recorded
from posegen.config import BuildConfig, Source, SourceRules
from posegen.errors import ConfigError
from posegen.skeleton import Skeleton


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """Annotation files a/x.json, b/y.json, c/x.json, and d/x.json which is what a/x.json is."""
    made = {}
    for folder, name in (("a", "x"), ("b", "y"), ("c", "x"), ("d", "x")):
        (tmp_path / folder / "images").mkdir(parents=True)
        made[folder] = tmp_path / folder / f"{name}.json"
        made[folder].write_text(json.dumps({"images": [], "of": "a" if folder == "d" else folder}))
    return made


def sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_what_is_recorded_of_sources_is_their_names_and_hashes(files: dict[str, Path]) -> None:
    alone = {"annotations": "x.json", "sha256": sha(files["a"]), "images": "images"}
    assert find_annotations(files["a"]).describe() == alone
    both = find_annotations([Source(coco=files["b"], name="q"), Source(coco=files["a"], name="p")])
    whole = json.dumps([["p", sha(files["a"])], ["q", sha(files["b"])]], separators=(",", ":"))
    assert both.describe() == {
        "sha256": hashlib.sha256(whole.encode()).hexdigest(), **{f"p.{key}": value for key, value in alone.items()},
        "q.annotations": "y.json", "q.sha256": sha(files["b"]), "q.images": "images",
    }  # fmt: skip


def test_sources_are_known_again_by_hash_or_name_or_file_or_as_the_only_ones_left(files: dict[str, Path]) -> None:
    def know(given: dict[str, str], recorded: dict[str, str]) -> dict[str, str]:
        """Name the folders of the files that the dataset's sources one and two are found to be."""
        config = BuildConfig(sources=(SourceRules(name="one"), SourceRules(name="two")), labels=("heatmap",))
        named = [Source(coco=files[folder], name=name) for name, folder in given.items()]
        found = find_recorded(named, config, recorded)
        assert isinstance(found, JoinedSource)
        assert [source.name for source in found.rules] == [*found.found] == ["one", "two"]
        assert [source.coco for source in found.rules] == [source.path for source in found.found.values()]
        return {name: source.path.parent.name for name, source in found.found.items()}

    a, b, other = sha(files["a"]), sha(files["b"]), "0" * 64
    swapped = {"one": "b", "two": "a"}
    for given, recorded, expected in (
        ({"p": "a", "q": "b"}, {"one.sha256": b, "two.sha256": a}, swapped),
        ({"one": "a", "two": "b"}, {"one.sha256": b, "two.sha256": a}, swapped),
        ({"two": "a", "one": "b"}, {"one.sha256": other, "two.sha256": other}, swapped),
        ({"p": "a", "q": "b"}, {"one.annotations": "y.json", "two.annotations": "x.json"}, swapped),
        ({"p": "a", "q": "b"}, {"one.sha256": b, "two.sha256": other}, swapped),
        ({"p": "a", "two": "b"}, {"two.annotations": "x.json"}, {"one": "a", "two": "b"}),
        ({"two": "a", "q": "c"}, {"one.annotations": "x.json", "two.annotations": "x.json"}, {"one": "c", "two": "a"}),
        # One file twice: whichever is which, and each that has its own name keeps it.
        ({"two": "a", "one": "d"}, {"one.sha256": a, "two.sha256": a}, {"one": "d", "two": "a"}),
        ({"p": "a", "q": "d"}, {"one.sha256": a, "two.sha256": a}, {"one": "a", "two": "d"}),
    ):
        assert know(given, recorded) == expected, (given, recorded)
    for given, recorded in (
        ({"p": "a", "q": "b"}, {}), ({"p": "a", "q": "c"}, {"one.annotations": "x.json", "two.annotations": "x.json"}),
        ({"one": "a"}, {}), ({"one": "a", "two": "b", "p": "c"}, {}),
    ):  # fmt: skip
        with pytest.raises(ConfigError) as caught:
            know(given, recorded)
        listed = ", ".join(sorted(given))
        assert str(caught.value) == f"expected the sources one, two, not {listed}; name them all"


def test_images_are_needed_unless_it_is_said_that_they_are_not(files: dict[str, Path]) -> None:
    for path in (files["a"], files["b"]):
        (path.parent / "images").rmdir()
    config = BuildConfig(sources=(SourceRules(name="a"), SourceRules(name="b")), labels=("heatmap",))
    both = [Source(coco=files[name], name=name) for name in "ab"]
    for call in (lambda **of: find_annotations(files["a"], **of), lambda **of: find_annotations(both, **of),
                 lambda **of: find_recorded(both, config, {}, **of),
                 lambda **of: find_recorded(files["a"], BuildConfig(), {}, **of)):  # fmt: skip
        with pytest.raises(ConfigError, match="no directory of images for"):
            call()
        assert call(need_images=False) is not None


def test_who_lacks_part_of_each_derived_keypoint_shows_nothing(coco: Coco) -> None:
    skeleton = Skeleton(name="middle", keypoints=("middle",), parents=(("left_hip", "right_hip"),))
    for v, drawn in ((1, [1000]), (2, [1000])):
        for nested in (False, True):  # which is read entry by entry
            values = [[0, 0, 0]] * 11 + [[5, 6, v], [7, 8, v]] + [[0, 0, 0]] * 4
            lacking = [[3, 4, 2]] * 11 + [[5, 6, v], [0, 0, 0]] + [[3, 4, 2]] * 4
            for entry, of in zip(coco.document["annotations"], (values, lacking, lacking), strict=True):
                entry["keypoints"] = of if nested else [number for triplet in of for number in triplet]
            found = read(coco, skeleton=skeleton, labels=("heatmap",))
            assert people(found) == {100: drawn}
            assert found.audit.not_drawn == {"none of the skeleton's keypoints is labelled": 2}


def test_what_stands_where_an_id_was_expected_is_shown() -> None:
    for entry, said in (
        ({"id": 1.5, "a": 2}, "not 1.5"),
        ({}, "not None"),
        (3, "not 3"),
        ("x" * 80, f"not '{'x' * 56}..."),
    ):
        assert describe_id(entry) == said
