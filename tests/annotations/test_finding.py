"""Where a COCO dataset lies: splits, annotation file, images; and the one door that finds and reads them."""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path

import numpy as np
import pytest
from conftest import Coco

from posegen.annotations import find_annotations, find_coco, read_annotations, read_coco
from posegen.config import BuildConfig
from posegen.errors import AnnotationError, ConfigError


class TestFinding:
    @staticmethod
    def lay(root: Path, *names: str) -> Path:
        for name in names:
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.suffix:
                path.write_text("{}")
            else:
                path.mkdir()
        return root

    def test_the_only_split_of_a_root_is_taken(self, tmp_path: Path) -> None:
        root = self.lay(tmp_path, "annotations/person_keypoints_val2017.json", "val2017", "train2017")
        found = find_coco(root)
        assert found.annotations == root / "annotations/person_keypoints_val2017.json"
        assert found.images == root / "val2017"

    def test_train2017_is_taken_among_several_splits(self, tmp_path: Path) -> None:
        names = ("train2017", "val2017", "extra")
        root = self.lay(tmp_path, *(f"annotations/person_keypoints_{n}.json" for n in names), *names)
        assert find_coco(root).images == root / "train2017"

    def test_the_named_split_is_taken(self, tmp_path: Path) -> None:
        names = ("train2017", "val2017")
        root = self.lay(tmp_path, *(f"annotations/person_keypoints_{n}.json" for n in names), *names)
        found = find_coco(root, split="val2017")
        assert (found.annotations.name, found.images.name) == ("person_keypoints_val2017.json", "val2017")

    def test_several_splits_without_train2017_are_listed(self, tmp_path: Path) -> None:
        self.lay(tmp_path, "annotations/person_keypoints_a.json", "annotations/person_keypoints_b.json", "a", "b")
        with pytest.raises(ConfigError, match=r"several splits: a, b; choose one with --split"):
            find_coco(tmp_path)

    def test_twenty_of_the_file_names_are_looked_for_to_tell_where_the_images_are(self, tmp_path: Path) -> None:
        root = self.lay(tmp_path, "set/pictures/18.jpg", "other/pictures/20.jpg", "set/empty")
        for folder, found in (("set", root / "set/pictures"), ("other", None)):
            annotations = root / folder / "any.json"
            names = ", ".join(f'{{"file_name": "{n}.jpg"}}' for n in range(30))
            annotations.write_text(f'{{"images": [{names}]}}')
            if found is not None:
                assert find_coco(annotations).images == found
            else:
                with pytest.raises(ConfigError, match="image"):
                    find_coco(annotations)

    def test_an_unknown_split_names_those_there_are(self, tmp_path: Path) -> None:
        self.lay(tmp_path, "annotations/person_keypoints_a.json", "a")
        with pytest.raises(ConfigError, match=r"no split 'c'; it has a"):
            find_coco(tmp_path, split="c")

    def test_other_annotation_files_are_no_splits(self, tmp_path: Path) -> None:
        self.lay(tmp_path, "annotations/instances_train2017.json", "annotations/captions_train2017.json", "train2017")
        with pytest.raises(ConfigError, match=r"expected annotations/person_keypoints_<split>\.json"):
            find_coco(tmp_path)

    def test_images_may_lie_under_images(self, tmp_path: Path) -> None:
        root = self.lay(tmp_path, "annotations/person_keypoints_a.json", "images/a")
        assert find_coco(root).images == root / "images/a"

    def test_a_file_in_a_root_has_its_images_there(self, tmp_path: Path) -> None:
        root = self.lay(tmp_path, "annotations/person_keypoints_a.json", "annotations/person_keypoints_b.json", "b")
        found = find_coco(root / "annotations/person_keypoints_b.json")
        assert found.images == root / "b"

    def test_a_file_of_another_name_has_its_images_beside_it(self, tmp_path: Path) -> None:
        root = self.lay(tmp_path, "set/poses.json", "set/images")
        assert find_coco(root / "set/poses.json").images == root / "set/images"

    def test_the_named_image_directory_is_taken(self, tmp_path: Path) -> None:
        root = self.lay(tmp_path, "annotations/person_keypoints_a.json", "a", "elsewhere")
        assert find_coco(root, images=root / "elsewhere").images == root / "elsewhere"

    def test_a_missing_image_directory_is_refused(self, tmp_path: Path) -> None:
        root = self.lay(tmp_path, "annotations/person_keypoints_a.json", "a")
        with pytest.raises(ConfigError, match=r"elsewhere: no such image directory"):
            find_coco(root, images=root / "elsewhere")

    def test_without_images_the_message_says_where_they_should_be(self, tmp_path: Path) -> None:
        root = self.lay(tmp_path, "annotations/person_keypoints_a.json")
        with pytest.raises(ConfigError) as caught:
            find_coco(root)
        assert str(root / "a") in str(caught.value)
        assert "--images DIR" in str(caught.value)

    def test_a_split_does_not_go_with_a_file(self, tmp_path: Path) -> None:
        root = self.lay(tmp_path, "annotations/person_keypoints_a.json", "a")
        with pytest.raises(ConfigError, match=r"a split \(a\) goes with a COCO root"):
            find_coco(root / "annotations/person_keypoints_a.json", split="a")

    def test_a_missing_path_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match=r"nowhere: no such file or directory"):
            find_coco(tmp_path / "nowhere")


class TestTheDoor:
    """`read_annotations` and its first half, `find_annotations`: what everything else in posegen reads by."""

    def test_a_root_and_its_file_give_what_the_parts_behind_the_door_give(self, corpus: Coco) -> None:
        config = BuildConfig(min_keypoints=5)
        expected = read_coco(corpus.annotations, config, corpus.images)
        for path in (corpus.root, str(corpus.root), corpus.annotations, str(corpus.annotations)):
            found = read_annotations(path, config)
            assert (found.path, found.images, found.names) == (corpus.annotations, corpus.images, expected.names)
            assert found.skeleton == expected.skeleton
            assert found.audit == expected.audit
            assert len(found.samples) == len(expected.samples) > 0
            for mine, theirs in zip(found.samples, expected.samples, strict=True):
                assert (mine.image_id, mine.file_name) == (theirs.image_id, theirs.file_name)
                np.testing.assert_array_equal(mine.keypoints, theirs.keypoints)

    def test_the_split_and_the_images_are_those_that_are_named(self, tmp_path: Path) -> None:
        for split, count in (("a", 1), ("b", 2)):
            coco = Coco(tmp_path / "two", split)
            for _ in range(count):
                coco.person(coco.image(30, 20))
            coco.write()
        root, elsewhere = tmp_path / "two", tmp_path / "elsewhere"
        elsewhere.mkdir()
        with pytest.raises(ConfigError, match="several splits: a, b"):
            read_annotations(root, BuildConfig())
        for split, count in (("a", 1), ("b", 2)):
            found = read_annotations(root, BuildConfig(), split=split)
            assert (found.images, len(found.samples)) == (root / split, count)
        assert read_annotations(root, BuildConfig(), split="b", images=elsewhere).images == elsewhere
        assert read_annotations(root, BuildConfig(), split="b", images=str(elsewhere)).images == elsewhere

    def test_images_may_be_missing_where_nobody_needs_them(self, tmp_path: Path) -> None:
        coco = Coco(tmp_path)
        coco.person(coco.image(30, 20))
        coco.write()
        for path in coco.images.iterdir():
            path.unlink()
        coco.images.rmdir()
        with pytest.raises(ConfigError, match="--images DIR"):
            read_annotations(tmp_path, BuildConfig())
        found = read_annotations(tmp_path, BuildConfig(), need_images=False)
        assert (found.images, len(found.samples)) == (coco.images, 1)

    def test_what_is_wrong_is_said_by_finding_or_by_reading(self, coco: Coco, tmp_path: Path) -> None:
        coco.write()
        with pytest.raises(ConfigError, match="nowhere: no such file or directory"):
            find_annotations(tmp_path / "nowhere")
        with pytest.raises(ConfigError, match="no split 'c'"):
            find_annotations(coco.root, split="c")
        with pytest.raises(ConfigError, match="nowhere: no such image directory"):
            find_annotations(coco.root, images=tmp_path / "nowhere")
        with pytest.raises(ConfigError, match="no category 'dog'"):
            read_annotations(coco.root, BuildConfig(category=("dog",)))
        coco.annotations.write_text("{")
        source = find_annotations(coco.root)
        assert (source.path, source.images) == (coco.annotations, coco.images)
        with pytest.raises(AnnotationError, match="is not whole JSON"):
            source.read(BuildConfig())

    def test_nothing_in_the_package_goes_around_it(self) -> None:
        spec = importlib.util.find_spec("posegen")
        assert spec is not None
        (package,) = spec.submodule_search_locations or ()
        callers = set()
        for path in Path(package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call):
                    called = getattr(node.func, "id", getattr(node.func, "attr", None))
                    if called in {"find_coco", "read_coco"}:
                        callers.add((path.relative_to(package).as_posix(), called))
        assert callers == {("annotations/read.py", "find_coco"), ("annotations/read.py", "read_coco")}
