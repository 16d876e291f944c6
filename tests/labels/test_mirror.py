"""How channels change places and signs, by the names of what they are of."""

import itertools

import pytest

from posegen.errors import ConfigError
from posegen.labels import ArraySpec, ChannelMirror, keep_channels, mirror_keypoints, mirror_limbs
from posegen.skeleton import COCO_17, SKELETONS, Skeleton


def turn(text):
    """Say of a name what it is called on the other side."""
    return text.replace("left", "?").replace("right", "left").replace("?", "right")


def test_keypoints_change_places_with_all_their_channels():
    for channels, negated, rest in itertools.product((1, 2, 3), ((), (0,)), (0, 2)):
        parts = "abc"[:channels]
        names = [f"{name}:{part}" for name in COCO_17.keypoints for part in parts] + ["rest"] * rest
        mirror = mirror_keypoints(COCO_17, channels=channels, negated=negated, rest=rest)
        assert [names[k] for k in mirror.order] == [turn(name) for name in names]
        assert [names[k][-2:] for k in mirror.negated] == [":a"] * 17 * len(negated)
        assert mirror.order[17 * channels :] == tuple(range(17 * channels, 17 * channels + rest))


def test_limbs_change_places_and_point_back_where_the_skeleton_has_them_the_other_way_round():
    for skeleton in SKELETONS.values():
        if not skeleton.limbs:
            continue
        plain, vectors = mirror_limbs(skeleton), mirror_limbs(skeleton, vectors=True)
        ends = [{skeleton.keypoints[a], skeleton.keypoints[b]} for a, b in skeleton.limbs]
        if isinstance(plain, str):
            assert vectors == plain
            continue
        partner = [skeleton.keypoints[k] for k in skeleton.mirrored]
        other = dict(zip(skeleton.keypoints, partner, strict=True))
        for e, there in enumerate(plain.order):
            assert ends[there] == {other[name] for name in ends[e]}
            assert vectors.order[2 * e : 2 * e + 2] == (2 * there, 2 * there + 1)
            from_, to = (other[skeleton.keypoints[k]] for k in skeleton.limbs[e])
            same_way = (from_, to) == tuple(skeleton.keypoints[k] for k in skeleton.limbs[there])
            assert [k - 2 * e for k in vectors.negated if k // 2 == e] == [0 if same_way else 1]
        assert plain.negated == ()


def test_a_limb_that_is_there_twice_takes_the_first_of_its_mirror_images():
    skeleton = Skeleton(
        name="twice", keypoints=("n", "l", "r"), limbs=((0, 1), (0, 2), (0, 2), (1, 2)), flip_pairs=((1, 2),)
    )
    assert mirror_limbs(skeleton) == ChannelMirror(order=(1, 0, 0, 3))
    assert mirror_limbs(skeleton, vectors=True).negated == (0, 2, 4, 7)


def test_a_limb_without_a_mirror_image_is_the_reason_why_there_is_no_mirror():
    skeleton = Skeleton(name="half", keypoints=("n", "l", "r"), limbs=((0, 1),), flip_pairs=((1, 2),))
    for vectors in (False, True):
        assert mirror_limbs(skeleton, vectors=vectors) == (
            "skeleton 'half' cannot be flipped: it has the limb n-l, but not its mirror image n-r"
        )


def test_channels_can_stay():
    assert keep_channels(3) == ChannelMirror(order=(0, 1, 2), negated=())


@pytest.mark.parametrize(
    ("order", "negated"),
    [((0, 2), ()), ((0, -1), ()), ((0, True), ()), ((0, 1.0), ()), ([0, 1], ()), ((0, 1), (2,)), ((0, 1), (1, 0)),
     ((0, 1), (1, 1))],
)  # fmt: skip
def test_what_is_no_mirror_is_refused(order, negated):
    with pytest.raises(ConfigError, match="a mirror"):
        ChannelMirror(order=order, negated=negated)


@pytest.mark.parametrize(
    ("mirror", "message"),
    [
        (ChannelMirror(order=(0,)), "spec has 2 channels, its mirror 1"),
        (ChannelMirror(order=(0, 1), negated=(1,)), "has no values below 0, but its mirror changes signs"),
        ((0, 1), "its mirror must be a ChannelMirror, or say why not"),
    ],
)
def test_a_mirror_has_to_fit_the_array(mirror, message):
    with pytest.raises(ConfigError, match=message):
        ArraySpec(name="spec", channels=("a", "b"), cells=(2, 2), mirror=mirror)


def test_an_array_of_which_nothing_is_said_cannot_be_flipped():
    assert ArraySpec(name="a", channels=("a",), cells=()).mirror == "the label does not say how it mirrors"
