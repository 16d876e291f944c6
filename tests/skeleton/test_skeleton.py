"""Keypoints, limbs and flip pairs, and how keypoints are derived from those that are annotated."""

import dataclasses
import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from each import each
from pycocotools.cocoeval import Params

from posegen.errors import AnnotationError, ConfigError
from posegen.skeleton import (
    COCO_17,
    OPENPOSE_18,
    SKELETONS,
    Skeleton,
    find_flip_pairs,
    load_skeleton,
    read_skeleton,
    write_skeleton,
)

# As the definition of the labels has it.
OPENPOSE_NAMES = """
nose, neck, right shoulder, right elbow, right wrist, left shoulder, left elbow, left wrist, right hip, right knee,
right ankle, left hip, left knee, left ankle, right eye, left eye, right ear, left ear
"""
OPENPOSE_LIMBS = """
1-8 8-9 9-10 1-11 11-12 12-13 1-2 2-3 3-4 2-16 1-5 5-6 6-7 5-17 1-0 0-14 0-15 14-16 15-17
"""
# The person category of person_keypoints_val2017.json.
COCO_NAMES = [
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
    "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle",
    "right_ankle",
]  # fmt: skip
COCO_SKELETON = [
    [16, 14], [14, 12], [17, 15], [15, 13], [12, 13], [6, 12], [7, 13], [6, 7], [6, 8], [7, 9], [8, 10], [9, 11],
    [2, 3], [1, 2], [1, 3], [2, 4], [3, 5], [4, 6], [5, 7],
]  # fmt: skip


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def test_openpose_18_has_the_names_of_the_definition_in_its_order():
    names = [name.strip().replace(" ", "_") for name in OPENPOSE_NAMES.split(",")]
    assert list(OPENPOSE_18.keypoints) == names


def test_openpose_18_has_the_limbs_of_the_definition_in_its_order():
    limbs = [tuple(map(int, limb.split("-"))) for limb in OPENPOSE_LIMBS.split()]
    assert len(limbs) == 19
    assert list(OPENPOSE_18.limbs) == limbs


def test_openpose_18_derives_the_neck_only():
    parents = dict(zip(OPENPOSE_18.keypoints, OPENPOSE_18.parents, strict=True))
    assert set(parents.pop("neck")) == {"left_shoulder", "right_shoulder"}
    assert parents == {name: (name,) for name in parents}


def test_coco_17_is_the_person_category():
    assert list(COCO_17.keypoints) == COCO_NAMES
    assert [[a + 1, b + 1] for a, b in COCO_17.limbs] == COCO_SKELETON


@each(skeleton=SKELETONS)
def test_a_mirror_swaps_each_left_keypoint_with_the_right_one(skeleton):
    pairs = {frozenset((skeleton.keypoints[a], skeleton.keypoints[b])) for a, b in skeleton.flip_pairs}
    lefts = {name for name in skeleton.keypoints if name.startswith("left_")}
    assert len(pairs) == len(skeleton.flip_pairs)
    assert {p for p in pairs if not any(name.startswith("face-") for name in p)} == {
        frozenset((name, name.replace("left_", "right_"))) for name in lefts
    }
    assert 2 * len(lefts) == sum(name.startswith(("left_", "right_")) for name in skeleton.keypoints)


def test_the_flip_pairs_of_coco_17_are_those_that_everybody_uses():
    expected = ((1, 2), (3, 4), (5, 6), (7, 8), (9, 10), (11, 12), (13, 14), (15, 16))
    assert COCO_17.flip_pairs == expected


def test_the_built_in_skeletons_go_by_their_names():
    assert set(SKELETONS) == {
        "coco-17", "openpose-18", "mpii-16", "crowdpose-14", "coco-wholebody-133", "hand-21", "ap10k-17"
    }  # fmt: skip
    for name, skeleton in SKELETONS.items():
        assert skeleton.name == name
        assert len(skeleton.keypoints) == int(name.rsplit("-", 1)[1])


@each(skeleton=SKELETONS)
def test_the_limbs_of_a_built_in_skeleton_are_its_own_mirror_image(skeleton):
    mirror = {k: k for k in range(len(skeleton.keypoints))}
    for a, b in skeleton.flip_pairs:
        mirror |= {a: b, b: a}
    limbs = {frozenset(limb) for limb in skeleton.limbs}
    assert len(limbs) == len(skeleton.limbs)
    assert {frozenset(mirror[k] for k in limb) for limb in limbs} == limbs


def test_coco_17_has_the_sigmas_of_pycocotools():
    assert COCO_17.sigmas == pytest.approx(Params("keypoints").kpt_oks_sigmas, rel=1e-12)


def test_openpose_18_has_the_sigmas_of_coco_17_and_one_for_the_neck():
    sigmas = dict(zip(OPENPOSE_18.keypoints, OPENPOSE_18.sigmas, strict=True))
    assert sigmas.pop("neck") == 0.079
    assert sigmas == dict(zip(COCO_17.keypoints, COCO_17.sigmas, strict=True))


def test_coco_wholebody_133_begins_with_coco_17():
    whole = SKELETONS["coco-wholebody-133"]
    assert whole.keypoints[:17] == COCO_17.keypoints
    assert whole.limbs[:19] == COCO_17.limbs
    assert whole.sigmas[:17] == COCO_17.sigmas
    assert set(COCO_17.flip_pairs) <= set(whole.flip_pairs)


def test_coco_wholebody_133_joins_body_feet_face_and_hands_in_this_order():
    names = SKELETONS["coco-wholebody-133"].keypoints
    starts = (
        (17, "left_big_toe"),
        (20, "right_big_toe"),
        (23, "face-0"),
        (91, "left_hand_root"),
        (112, "right_hand_root"),
    )
    assert [names[k] for k, _ in starts] == [name for _, name in starts]
    assert [n.removeprefix("left_") for n in names[92:112]] == [n.removeprefix("right_") for n in names[113:]]
    assert [n.removeprefix("left_") for n in names[92:112]] == list(SKELETONS["hand-21"].keypoints[1:])


def test_a_mirror_leaves_the_midline_of_the_face_where_it_is():
    whole = SKELETONS["coco-wholebody-133"]
    swapped = {k for pair in whole.flip_pairs for k in pair}
    alone = {whole.keypoints[k] for k in range(133) if k not in swapped}
    # The chin, the bridge and the tip of the nose, the middles of the lips: the 68 points of iBUG 300-W.
    assert alone == {"nose", *(f"face-{i}" for i in (8, 27, 28, 29, 30, 33, 51, 57, 62, 66))}


def test_both_hands_of_coco_wholebody_133_are_hand_21_from_the_wrists_on():
    whole, hand = SKELETONS["coco-wholebody-133"], SKELETONS["hand-21"]
    for wrist, root in ((9, 91), (10, 112)):
        place = [wrist, *range(root + 1, root + 21)]
        assert {(place[a], place[b]) for a, b in hand.limbs} <= set(whole.limbs)
        assert whole.sigmas[root : root + 21] == hand.sigmas


def test_mpii_has_no_sigmas():
    assert SKELETONS["mpii-16"].sigmas == ()


def test_a_limb_is_named_after_its_ends():
    skeleton = Skeleton(name="s", keypoints=("a", "b", "c"), limbs=((0, 1), (2, 0)))
    assert skeleton.limb_names == ("a-b", "c-a")


def person(**labelled):
    """One person's COCO keypoints, (1, 17, 3); what is not named is not labelled."""
    keypoints = np.zeros((1, 17, 3))
    for name, value in labelled.items():
        keypoints[0, COCO_NAMES.index(name)] = value
    return keypoints


def derive(keypoints):
    found = OPENPOSE_18.derive(keypoints, COCO_NAMES)
    return dict(zip(OPENPOSE_18.keypoints, found[0].tolist(), strict=True))


def test_keypoints_are_put_into_the_order_of_the_skeleton():
    keypoints = np.random.default_rng(0).uniform(1, 9, (4, 17, 3))
    found = OPENPOSE_18.derive(keypoints, COCO_NAMES)
    assert found.shape == (4, 18, 3)
    for k, name in enumerate(OPENPOSE_18.keypoints):
        if name != "neck":
            np.testing.assert_array_equal(found[:, k], keypoints[:, COCO_NAMES.index(name)])


def test_the_neck_is_the_mean_of_the_shoulders():
    found = derive(person(left_shoulder=(10, 40, 2), right_shoulder=(20, 44, 2)))
    assert found["neck"] == [15, 42, 2]


@each("left, right", [(1, 2), (2, 1), (1, 1)])
def test_the_neck_is_as_visible_as_the_less_visible_shoulder(left, right):
    found = derive(person(left_shoulder=(10, 40, left), right_shoulder=(20, 44, right)))
    assert found["neck"] == [15, 42, 1]


@each("left, right", [(0, 2), (2, 0), (0, 0)])
def test_there_is_no_neck_unless_both_shoulders_are_labelled(left, right):
    found = derive(person(left_shoulder=(10, 40, left), right_shoulder=(20, 44, right)))
    assert found["neck"] == [0, 0, 0]


def test_a_keypoint_at_the_origin_is_labelled_if_its_v_says_so():
    found = derive(person(left_shoulder=(0, 0, 2), right_shoulder=(4, 0, 2), nose=(0, 0, 1)))
    assert found["neck"] == [2, 0, 2]
    assert found["nose"] == [0, 0, 1]


def test_what_is_not_labelled_has_no_coordinates():
    found = derive(person(nose=(123, 45, 0)))
    assert found["nose"] == [0, 0, 0]


def test_several_parents_in_any_number_are_averaged():
    names = ["a", "b", "c", "unused"]
    skeleton = Skeleton(name="s", keypoints=("mid", "c"), parents=(("a", "b", "c"), ("c",)))
    annotated = np.array([[[0, 0, 2], [3, 6, 1], [6, 3, 2], [99, 99, 2]]], float)
    assert skeleton.derive(annotated, names).tolist() == [[[3, 3, 1], [6, 3, 2]]]


def test_one_person_does_not_change_another():
    both = np.concatenate(
        [
            person(left_shoulder=(10, 40, 2), right_shoulder=(20, 44, 2)),
            person(left_shoulder=(10, 40, 2)),
        ]
    )
    found = OPENPOSE_18.derive(both, COCO_NAMES)[:, 1]
    assert found.tolist() == [[15, 42, 2], [0, 0, 0]]


def test_nobody_has_no_keypoints():
    assert OPENPOSE_18.derive(np.zeros((0, 17, 3)), COCO_NAMES).shape == (0, 18, 3)


def test_deriving_leaves_the_annotations_alone():
    keypoints = person(nose=(5, 6, 0), left_shoulder=(1, 2, 2))
    kept = keypoints.copy()
    COCO_17.derive(keypoints, COCO_NAMES)
    np.testing.assert_array_equal(keypoints, kept)


def test_a_parent_that_is_not_annotated_is_named_with_what_there_is():
    names = ["nose", "left_sholder", "right_shoulder"]
    skeleton = Skeleton(name="mine", keypoints=("neck",), parents=(("left_shoulder", "right_shoulder"),))
    with pytest.raises(AnnotationError) as error:
        skeleton.derive(np.zeros((1, 3, 3)), names)
    for part in ("'mine'", "'left_shoulder'", "did you mean 'left_sholder'?", "nose, left_sholder, right_shoulder"):
        assert part in str(error.value)


@each(
    "fields, message",
    [
        ({"keypoints": ()}, "no keypoints"),
        ({"keypoints": ("a", "b", "a", "b", "c")}, "a, b more than once"),
        ({"parents": (("a",),)}, "at least one parent for each of its 3"),
        ({"parents": (("a",), (), ("c",))}, "at least one parent for each of its 3"),
        ({"limbs": ((0, 3),)}, r"limb 0-3 .* 0\.\.2"),
        ({"limbs": ((0, 1), (-1, 2))}, r"limb -1-2 .* 0\.\.2"),
        ({"limbs": ((1, 1),)}, "limb 1-1 must join two different"),
        ({"flip_pairs": ((0, 5),)}, r"flip pair 0-5 .* 0\.\.2"),
        ({"flip_pairs": ((2, 2),)}, "flip pair 2-2 must join two different"),
        ({"flip_pairs": ((0, 1), (1, 2))}, "more than one flip pair"),
        ({"flip_pairs": ((0, 1), (0, 1))}, "more than one flip pair"),
    ],
)
def test_a_skeleton_that_cannot_be_is_refused_and_named(fields, message):
    with pytest.raises(ConfigError, match=message) as error:
        Skeleton(**{"name": "mine", "keypoints": ("a", "b", "c"), **fields})
    assert "'mine'" in str(error.value)


def test_a_skeleton_without_parents_takes_the_keypoints_themselves():
    assert Skeleton(name="s", keypoints=("a", "b")).parents == (("a",), ("b",))


def test_a_skeleton_cannot_be_changed_and_can_be_a_key():
    with pytest.raises(dataclasses.FrozenInstanceError):
        COCO_17.name = "other"
    assert {COCO_17: 1}[Skeleton.from_dict(COCO_17.to_dict())] == 1


@each(skeleton=SKELETONS)
def test_a_skeleton_is_read_back_from_json(skeleton):
    assert Skeleton.from_dict(json.loads(json.dumps(skeleton.to_dict()))) == skeleton


@each(missing=["name", "keypoints", "limbs", "flip_pairs", "parents"])
def test_a_stored_skeleton_with_a_part_missing_is_refused(missing):
    record = COCO_17.to_dict()
    del record[missing]
    with pytest.raises(ConfigError, match=f"stored skeleton cannot be read.*{missing}"):
        Skeleton.from_dict(record)


@each(
    change=[
        {"limbs": [[1]]},
        {"limbs": [["a", "b"]]},
        {"limbs": 3},
        {"keypoints": None},
        {"parents": [1]},
        {"flip_pairs": [1]},
    ]
)
def test_a_stored_skeleton_of_the_wrong_form_is_refused(change):
    with pytest.raises(ConfigError, match="stored skeleton cannot be read"):
        Skeleton.from_dict({**COCO_17.to_dict(), **change})


def test_a_category_counts_its_keypoints_from_one():
    skeleton = Skeleton.from_category({"name": "dog", "keypoints": ["a", "b", "c"], "skeleton": [[1, 2], [3, 1]]})
    assert skeleton.limbs == ((0, 1), (2, 0))
    assert skeleton.name == "dog"


@each(limbs=[{}, {"skeleton": []}, {"skeleton": None}])
def test_a_category_need_not_have_limbs(limbs):
    assert Skeleton.from_category({"name": "dog", "keypoints": ["a", "b"], **limbs}).limbs == ()


@each(
    "change, message",
    [
        ({"keypoints": None}, "'keypoints' must be a list of names"),
        ({"keypoints": []}, "'keypoints' must be a list of names"),
        ({"keypoints": "abc"}, "'keypoints' must be a list of names"),
        ({"keypoints": ["a", 2]}, "'keypoints' must be a list of names"),
        ({"keypoints": ["a", "b", "a"]}, "names a more than once"),
        ({"skeleton": [[0, 1]]}, r"numbers 1\.\.3"),
        ({"skeleton": [[1, 4]]}, r"numbers 1\.\.3"),
        ({"skeleton": [[2, 2]]}, r"numbers 1\.\.3"),
        ({"skeleton": [[1, 2, 3]]}, r"numbers 1\.\.3"),
        ({"skeleton": [[1.0, 2.0]]}, r"numbers 1\.\.3"),
        ({"skeleton": [[True, 2]]}, r"numbers 1\.\.3"),
        ({"skeleton": [["a", "b"]]}, r"numbers 1\.\.3"),
        ({"skeleton": "1-2"}, r"numbers 1\.\.3"),
    ],
)
def test_a_category_of_the_wrong_form_is_refused_and_named(change, message):
    with pytest.raises(AnnotationError, match=message) as error:
        Skeleton.from_category({"name": "dog", "keypoints": ["a", "b", "c"], **change})
    assert "category 'dog'" in str(error.value)


def test_a_category_without_keypoints_or_name_is_refused():
    with pytest.raises(AnnotationError, match="'keypoints' must be a list of names"):
        Skeleton.from_category({})


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


@each(
    "left, right",
    [
        ("left_eye", "right_eye"),
        ("eye_left", "eye_right"),
        ("left eye", "right eye"),
        ("LeftEye", "RightEye"),
        ("l_eye", "r_eye"),
        ("L_eye", "R_eye"),
        ("eye_l", "eye_r"),
        ("eye-l", "eye-r"),
        ("eye l", "eye r"),
        ("eyeL", "eyeR"),
        ("eye_L", "eye_R"),
        ("left", "right"),
        ("LEFT_EYE", "RIGHT_EYE"),
        ("LEye", "REye"),
        ("lEye", "rEye"),
        ("eye.L", "eye.R"),
        ("L_F_Paw", "R_F_Paw"),
        ("paw_l_1", "paw_r_1"),
        ("L Eye", "R Eye"),
    ],
)
def test_left_and_right_names_are_a_flip_pair(left, right):
    for names, pair in (([left, "nose", right], (0, 2)), ([right, "nose", "tail", left], (0, 3))):
        assert find_flip_pairs(names) == (pair,)


@each(
    names=[
        ["left_eye", "right_ear"],
        ["left_eye", "left_ear"],
        ["tail", "tair"],
        ["lip", "rip"],
        ["Lip", "Rip"],
        ["LL", "RR"],
        ["TAIL", "TAIR"],
        ["left_eye"],
        ["nose", "neck"],
        [],
    ]
)
def test_names_that_only_look_alike_are_no_flip_pair(names):
    assert find_flip_pairs(names) == ()


def test_no_keypoint_is_in_two_flip_pairs():
    names = [f"{side}_eye_{corner}" for side, corner in itertools.product(("left", "right"), "lr")]
    pairs = find_flip_pairs(names)
    swapped = list(itertools.chain(*pairs))
    assert pairs
    assert len(swapped) == len(set(swapped))


def test_a_skeleton_of_a_hundred_thousand_keypoints_is_refused_at_once():
    names = tuple(f"point_{n}" for n in range(100_000))
    with pytest.raises(ConfigError, match="has 100000 keypoints, more than 10000"):
        Skeleton(name="crowd", keypoints=names)
