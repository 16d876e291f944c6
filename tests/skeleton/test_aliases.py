"""Annotated keypoints that go by another name than the skeleton gives them."""

import numpy as np
import pytest
from each import each

from posegen.annotations import fits_skeleton, read_annotations
from posegen.config import BuildConfig
from posegen.errors import AnnotationError, ConfigError
from posegen.skeleton import Skeleton, load_skeleton, write_skeleton

TEXT = """
name = "arms"
keypoints = ["nose", "neck"]
[derived]
neck = ["left_shoulder", "right_shoulder"]
[aliases]
nose = ["nose_tip", "Nase"]
left_shoulder = ["lsho"]
right_shoulder = ["rsho"]
"""


@pytest.fixture
def arms(tmp_path):
    path = tmp_path / "arms.toml"
    path.write_text(TEXT, encoding="utf-8")
    return load_skeleton(str(path))


def test_a_file_gives_aliases_to_annotated_keypoints(arms):
    assert set(arms.aliases) == {
        ("nose_tip", "nose"), ("Nase", "nose"), ("lsho", "left_shoulder"), ("rsho", "right_shoulder"),
    }  # fmt: skip


def test_annotated_keypoints_are_called_as_the_skeleton_does(arms):
    assert arms.call(("rsho", "ear", "Nase", "left_shoulder")) == ("right_shoulder", "ear", "nose", "left_shoulder")


def test_an_alias_beside_the_name_itself_stands_for_nothing(arms):
    assert arms.call(("nose_tip", "nose")) == ("nose_tip", "nose")


def test_two_aliases_of_one_keypoint_are_refused(arms):
    with pytest.raises(AnnotationError, match=r"nose_tip, Nase.* all of these are 'nose'"):
        arms.call(("nose_tip", "ear", "Nase"))


def test_aliases_are_written_and_stored_as_they_are_read(arms, tmp_path):
    path = tmp_path / "again.toml"
    path.write_text(write_skeleton(arms), encoding="utf-8")
    assert load_skeleton(str(path)) == arms
    assert Skeleton.from_dict(arms.to_dict()) == arms


def test_a_skeleton_without_aliases_is_stored_as_before():
    assert "aliases" not in Skeleton(name="a", keypoints=("a",)).to_dict()


@each(
    "table, parts",
    [
        ("aliases = 3", ["'aliases' must be a table"]),
        ('[aliases]\nnoes = ["n"]', ["line 3", "'noes' is no keypoint", "did you mean 'nose'?"]),
        ('[aliases]\nnose = "n"', ["'nose' must be a list of the names"]),
        ('[aliases]\nnose = ["ear"]', ["alias 'ear' of 'nose' already stands for 'ear'"]),
        ('[aliases]\nnose = ["n"]\near = ["n"]', ["alias 'n' of 'ear' already stands for 'nose'"]),
    ],
)
def test_mistakes_in_aliases_are_found(tmp_path, table, parts):
    path = tmp_path / "s.toml"
    path.write_text(f'keypoints = ["nose", "ear"]\n{table}', encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        load_skeleton(str(path))
    for part in parts:
        assert part in str(error.value)


def test_a_file_is_read_by_aliases(arms, make_coco, tmp_path):
    coco = make_coco(tmp_path / "coco")
    coco.document["categories"][0] |= {"keypoints": ["Nase", "lsho", "ear", "rsho"], "skeleton": []}
    coco.person(coco.image(60, 50), keypoints=[5, 6, 2, 10, 20, 2, 7, 7, 2, 30, 40, 1])
    path = coco.write()
    found = read_annotations(path, BuildConfig(skeleton=arms))
    assert found.names == ("nose", "left_shoulder", "ear", "right_shoulder")
    (sample,) = found.samples
    np.testing.assert_array_equal(arms.derive(sample.keypoints, found.names), [[[5, 6, 2], [20, 30, 1]]])
    assert fits_skeleton(found.path, arms)
    with pytest.raises(AnnotationError, match="needs the keypoint 'nose'"):
        read_annotations(path, BuildConfig(skeleton=Skeleton(name="n", keypoints=("nose",))))
