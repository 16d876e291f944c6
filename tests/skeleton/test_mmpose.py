"""Skeletons read from the files in which MMPose defines datasets."""

import textwrap

import pytest
from each import each

from posegen.errors import ConfigError
from posegen.skeleton import Skeleton, load_skeleton

# In the manner of configs/_base_/datasets: calls of dict, numbers out of their order, lists that are computed.
GOOD = """
    import os  # never run

    other = os.environ
    dataset_info = dict(
        dataset_name='hand and head',
        paper_info=dict(author='A' ' and B', year='2024'),
        keypoint_info={
            1: dict(name='left_hand', id=1, color=[0, 255, 0], type='upper', swap='right_hand'),
            0: dict(name='head', id=0, color=[51, 153, 255], type='upper', swap=''),
            2: dict(name='right_hand', id=2, color=[-1, 0, 0], type='upper', swap='left_hand')
        },
        skeleton_info={
            0: dict(link=('head', 'left_hand'), id=0, color=[0, 255, 0]),
            1: dict(link=('right_hand', 'head'), id=1, color=[0, 255, 0]),
        },
        joint_weights=[1.] + [1.5] * 2,
        sigmas=[0.026, 0.062, 0.062])

    data_root = 'data/hands'
    data = dict(train=dict(ann_file=f'{data_root}/train.json', dataset_info=dataset_info))
"""


def write(tmp_path, text, name="hands.py"):
    path = tmp_path / name
    path.write_text(textwrap.dedent(text), encoding="utf-8")
    return str(path)


def test_a_definition_gives_names_limbs_pairs_sigmas_and_weights(tmp_path):
    assert load_skeleton(write(tmp_path, GOOD)) == Skeleton(
        name="hand and head",
        keypoints=("head", "left_hand", "right_hand"),
        limbs=((0, 1), (2, 0)),
        flip_pairs=((1, 2),),
        sigmas=(0.026, 0.062, 0.062),
        weights=(1.0, 1.5, 1.5),
    )


def test_weights_that_are_all_1_and_sigmas_that_are_none_are_left_out(tmp_path):
    text = """
        dataset_info = {'keypoint_info': {0: dict(name='kpt-0', swap='kpt-1'), 1: {'name': 'kpt-1', 'swap': 'kpt-0'}},
                        'skeleton_info': {}, 'joint_weights': [1.] * 2, 'sigmas': []}
    """
    assert load_skeleton(write(tmp_path, text, "two_points.py")) == Skeleton(
        name="two_points", keypoints=("kpt-0", "kpt-1"), flip_pairs=((0, 1),)
    )


def test_neither_ids_nor_colours_are_looked_at(tmp_path):
    expected = load_skeleton(write(tmp_path, GOOD))
    text = GOOD.replace("id=2, color=[-1, 0, 0]", "id=7, color=colours['right']")
    text = text.replace("id=1, color=[0, 255, 0]),", "id=0),")
    assert text.count("id=7") == text.count("id=0)") == 1
    assert load_skeleton(write(tmp_path, text)) == expected


def test_nothing_of_a_definition_is_run(tmp_path):
    trace = tmp_path / "trace"
    call = f"open({str(trace)!r}, 'w')"
    for text in (f"{call}\ndataset_info = 1", f"dataset_info = {call}", f"dataset_info = dict(a=[{call}])"):
        with pytest.raises(ConfigError):
            load_skeleton(write(tmp_path, text))
    load_skeleton(write(tmp_path, f"{call}\n" + textwrap.dedent(GOOD)))
    assert not trace.exists()


def changed(old, new):
    assert old in GOOD
    return GOOD.replace(old, new)


@each(
    "text, parts",
    [
        ("dataset_info = dict(", ["no Python file", "line 1"]),
        ("info = dict()", ["expected 'dataset_info = dict(...)'", "it sets info"]),
        ("dataset_info = [1]", ["'dataset_info' must be a dict, not list"]),
        ("dataset_info = dict()", ["'dataset_info' must have 'keypoint_info'"]),
        ("dataset_info = dict(keypoints_info={0: 1})", ["did you mean", "keypoint"]),
        ("dataset_info = dict(keypoint_info={0: 1})", ["keypoint_info[0] must be a dict with 'name', not 1"]),
        ("dataset_info = dict(keypoint_info={1: dict(name='a')})", ["'keypoint_info' must count its 1 entries from 0"]),
        (
            changed("joint_weights=[1.] + [1.5] * 2", "joint_weights=list(range(3))"),
            ["line 17", "would have to be run"],
        ),
        (changed("joint_weights=[1.] + [1.5] * 2", "joint_weights=other"), ["'dataset_info' is not written out"]),
        (changed("[1.5] * 2", "[1.5] * 1000000000"), ["a list of 1000000000 elements"]),
        (changed("[1.5] * 2", "[1.5] * 3"), ["'joint_weights' must be a list of 3 numbers"]),
        (changed("sigmas=[0.026,", "sigmas=['a',"), ["'sigmas' must be a list of 3 numbers"]),
        (changed("link=('head', 'left_hand')", "link=('head', 'left_hnad')"), ["'left_hnad'", "'left_hand'?"]),
        (changed("link=('head', 'left_hand')", "link='head'"), ["a link must be a pair of names, not 'head'"]),
        (changed("swap=''", "swap='left_hand'"), ["'head' swaps with 'left_hand', which swaps with 'right_hand'"]),
        (changed("name='head', id=0", "name='left_hand', id=0"), ["left_hand more than once"]),
    ],
)
def test_what_is_no_definition_is_refused_with_what_was_expected(tmp_path, text, parts):
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as error:
        load_skeleton(path)
    message = str(error.value)
    assert message.startswith(path)
    for part in parts:
        assert part in message, message


def test_a_file_that_is_not_there_is_said_to_be_missing(tmp_path):
    with pytest.raises(ConfigError, match="or a file of MMPose's with dataset_info"):
        load_skeleton(str(tmp_path / "none.py"))
