"""Skeletons written as TOML files: what is read, what is written, and how mistakes are found."""

from pathlib import Path

import numpy as np
import pytest
from each import each

from posegen.errors import ConfigError
from posegen.skeleton import (
    COCO_17,
    SKELETONS,
    Skeleton,
    find_flip_pairs,
    load_skeleton,
    read_skeleton,
    write_skeleton,
)


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


GOOD = """
name = "upper-body"
keypoints = ["nose", "neck", "left_hand", "right_hand"]
limbs = [["neck", "nose"], ["neck", "right_hand"]]
[derived]
neck = ["left_shoulder", "right_shoulder"]
"""


def test_a_file_names_keypoints_limbs_and_parents(tmp_path):
    skeleton = read_skeleton(write(tmp_path / "body.toml", GOOD))
    assert skeleton == Skeleton(
        name="upper-body",
        keypoints=("nose", "neck", "left_hand", "right_hand"),
        limbs=((1, 0), (1, 3)),
        flip_pairs=((2, 3),),
        parents=(("nose",), ("left_shoulder", "right_shoulder"), ("left_hand",), ("right_hand",)),
    )


def test_a_file_needs_keypoints_only_and_gives_its_name(tmp_path):
    skeleton = read_skeleton(write(tmp_path / "hands.toml", 'keypoints = ["l_hand", "r_hand"]'))
    assert skeleton == Skeleton(name="hands", keypoints=("l_hand", "r_hand"), flip_pairs=((0, 1),))


def test_flip_pairs_of_a_file_replace_those_found(tmp_path):
    text = 'keypoints = ["left_a", "right_a", "b", "c"]\nflip_pairs = [["b", "c"]]'
    assert read_skeleton(write(tmp_path / "s.toml", text)).flip_pairs == ((2, 3),)
    text = 'keypoints = ["left_a", "right_a"]\nflip_pairs = []'
    assert read_skeleton(write(tmp_path / "s.toml", text)).flip_pairs == ()


def test_flip_pairs_of_a_file_have_their_lower_index_first(tmp_path):
    text = 'keypoints = ["a", "b"]\nflip_pairs = [["b", "a"]]'
    assert read_skeleton(write(tmp_path / "s.toml", text)).flip_pairs == ((0, 1),)


@each(
    "text, parts",
    [
        ('keypoint = ["a"]', ["unknown key 'keypoint'", "did you mean 'keypoints'?"]),
        ('keypoints = ["a"]\nlimb = []', ["unknown key 'limb'", "did you mean 'limbs'?"]),
        ("", ["'keypoints' must be a list of names"]),
        ("keypoints = []", ["'keypoints' must be a list of names"]),
        ("keypoints = [1, 2]", ["'keypoints' must be a list of names"]),
        ('keypoints = "nose"', ["'keypoints' must be a list of names"]),
        ('keypoints = ["nose", "nose"]', ["nose more than once"]),
        ('keypoints = ["nose"]\nderived = 3', ["'derived' must be a table"]),
        (
            'keypoints = ["nose", "neck"]\n[derived]\nnekc = ["a", "b"]',
            ["derived keypoint 'nekc'", "did you mean 'neck'?"],
        ),
        ('keypoints = ["neck"]\n[derived]\nneck = "a"', ["derived keypoint 'neck'", "list of its parents"]),
        ('keypoints = ["neck"]\n[derived]\nneck = []', ["derived keypoint 'neck'", "list of its parents"]),
        ('keypoints = ["neck"]\n[derived]\nneck = [1]', ["derived keypoint 'neck'", "list of its parents"]),
        (
            'keypoints = ["nose", "left_eye"]\nlimbs = [["nose", "left_eey"]]',
            ["limbs", "'left_eey'", "did you mean 'left_eye'?"],
        ),
        (
            'keypoints = ["l_ear", "r_ear"]\nflip_pairs = [["l_ear", "r_eer"]]',
            ["flip_pairs", "'r_eer'", "did you mean 'r_ear'?"],
        ),
        ('keypoints = ["a", "b"]\nlimbs = [[1, 2]]', ["limbs", "'1' is not in 'keypoints'"]),
        ('keypoints = ["a", "b"]\nlimbs = [[["a"], "b"]]', ["limbs", "is not"]),
        ('keypoints = ["a", "b"]\nlimbs = [[{a = 1}, "b"]]', ["limbs", "is not"]),
        ('keypoints = ["a", "b"]\nlimbs = ["ab"]', ["limbs", "'ab' is not a pair of names"]),
        ('keypoints = ["a", "b"]\nlimbs = [["a"]]', ["limbs", "is not a pair of names"]),
        ('keypoints = ["a", "b"]\nlimbs = "a-b"', ["'limbs' must be a list of pairs"]),
        ('keypoints = ["a", "b"]\nlimbs = [["a", "a"]]', ["limb 0-0 must join two different"]),
        ('keypoints = ["a", "b"]\nflip_pairs = [["a", "b"], ["b", "a"]]', ["more than one flip pair"]),
        ("keypoints = [", ["is not TOML"]),
        ('keypoints = ["a"]\nname = 3', ["line 2", "'name' must be text, not 3"]),
        ('keypoints = ["a", "b"]\nsigmas = [0.1]', ["has 2 keypoints, but 1 sigmas"]),
        ('keypoints = ["a", "b"]\nsigmas = [0.1, 0]', ["sigmas must be positive numbers"]),
        ('keypoints = ["a", "b"]\nsigmas = [0.1, inf]', ["sigmas must be positive numbers"]),
        ('keypoints = ["a", "b"]\nsigmas = [0.1, "c"]', ["sigmas must be positive numbers"]),
        ('keypoints = ["a", "b"]\nsigmas = 0.1', ["line 2", "'sigmas' must be a list of numbers, or a table"]),
        ('keypoints = ["a", "b"]\n[sigmas]\na = 1\nbb = 2', ["line 4", "sigmas: 'bb' is not", "did you mean 'b'?"]),
        ('keypoints = ["a", "b"]\n[sigmas]\na = 1', ["line 2", "sigmas: there is none for b"]),
        ('keypoints = ["a", ""]', ["line 1", "'keypoints' must be a list of names"]),
    ],
)
def test_a_bad_file_is_refused_with_its_path_and_the_nearest_name(text, parts, tmp_path):
    path = write(tmp_path / "mine.toml", text)
    with pytest.raises(ConfigError) as error:
        read_skeleton(path)
    for part in [str(path), *parts]:
        assert part in str(error.value)


@each(
    "text, line",
    [
        ('# mine\n\nlimb = [\n["a", "b"]]', 3),
        ('keypoints = [\n  "nose",\n  "neck",\n]\nlimbs = [\n  ["neck", "nose"],\n  ["neck", "nouse"],\n]', 7),
        ('keypoints = ["nose", "neck"]\n\n[derived]\n# ears\nneckk = ["a", "b"]', 5),
        ('keypoints = ["a", "b"]\nflip_pairs = [["a"]]', 2),
        ('keypoints = ["a"\n"b"]', 2),
    ],
)
def test_a_mistake_is_found_on_its_line(text, line, tmp_path):
    with pytest.raises(ConfigError, match=rf"line {line}\b"):
        read_skeleton(write(tmp_path / "mine.toml", text))


def test_sigmas_of_a_file_are_a_list_or_a_table(tmp_path):
    names = 'keypoints = ["a", "b"]\n'
    assert read_skeleton(write(tmp_path / "s.toml", names + "sigmas = [0.1, 2]")).sigmas == (0.1, 2.0)
    assert read_skeleton(write(tmp_path / "s.toml", names + "[sigmas]\nb = 2\na = 0.1")).sigmas == (0.1, 2.0)


@each(skeleton=SKELETONS)
def test_a_skeleton_is_read_back_from_the_file_that_is_written(skeleton, tmp_path):
    assert read_skeleton(write(tmp_path / "any.toml", write_skeleton(skeleton))) == skeleton


def test_odd_names_are_read_back_from_the_file_that_is_written(tmp_path):
    odd = ('say "nose"', "back\\slash", "näse", "tab\tline\nend", "a\x7fb", "= [", "\u2028")
    skeleton = Skeleton(name='"', keypoints=odd, limbs=((0, 1),), parents=(*((n,) for n in odd[:-1]), odd[:2]))
    assert read_skeleton(write(tmp_path / "any.toml", write_skeleton(skeleton))) == skeleton


def test_a_skeleton_is_loaded_by_its_name_or_from_a_file(tmp_path):
    assert load_skeleton("mpii-16") is SKELETONS["mpii-16"]
    assert load_skeleton(str(write(tmp_path / "one.toml", 'keypoints = ["a"]'))).name == "one"
    with pytest.raises(ConfigError, match=r"no skeleton 'mpi-16' \(did you mean 'mpii-16'\?\)"):
        load_skeleton("mpi-16")


def test_the_example_takes_the_upper_body_of_coco():
    skeleton = read_skeleton(Path(__file__).parents[2] / "examples" / "skeleton.toml")
    assert skeleton.flip_pairs == find_flip_pairs(skeleton.keypoints)
    coco = dict(zip(COCO_17.keypoints, COCO_17.sigmas, strict=True))
    for parents, sigma in zip(skeleton.parents, skeleton.sigmas, strict=True):
        assert sigma == coco[parents[0]]
    assert skeleton.derive(np.ones((1, 17, 3)), COCO_17.keypoints).shape == (1, 9, 3)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"nothing\.toml: cannot be read"):
        read_skeleton(tmp_path / "nothing.toml")


def test_a_file_of_another_encoding_is_refused(tmp_path):
    path = tmp_path / "latin.toml"
    path.write_bytes('keypoints = ["näse"]'.encode("latin-1"))
    with pytest.raises(ConfigError, match="is not TOML"):
        read_skeleton(path)
