"""What our labels say of their arrays, and of how they are read: shapes, ranges, mirrors, needs, decoders."""

from __future__ import annotations

from typing import Any

import numpy as np

from posegen.labels import ArraySpec, ChannelMirror, Label, LabelContext, create_label, registry
from posegen.labels.decode import Peaks
from posegen.labels.grid import make_grid
from posegen.skeleton import Skeleton

SKELETON = Skeleton(
    name="test", keypoints=("nose", "left_hip", "right_hip"), limbs=((0, 1), (0, 2)), flip_pairs=((1, 2),),
    weights=(1.0, 1.5, 1.25),
)  # fmt: skip
KEYPOINTS = SKELETON.keypoints

LOPSIDED = "drawn of a flipped sample it would be another"
NUMBERS = "y w + x becomes another number, and cells are counted from the left edge of the first pixel"
MISSING = "its windows would miss the centres' own cells; with radius_cells from 2 on it can be"
WAYS = [f"{name}:{axis}" for name in KEYPOINTS for axis in "xy"]
LIMBS = ["nose-left_hip", "nose-right_hip"]
FIELDS = [f"{name}:{axis}" for name in LIMBS for axis in "xy"]
SLOTS = [str(n) for n in range(32)]
PARTS = [str(n) for n in range(96)]
WITH_BACKGROUND = [*KEYPOINTS, "background"]


def make(name: str, heatmap: str = "gaussian", paf: str = "pixels", **options: Any) -> tuple[Label, ...]:
    grid = make_grid("bilinear", (64, 96), (8, 12))
    context = LabelContext(
        grid=grid, skeleton=SKELETON, sigma_px=6.0, heatmap=heatmap, paf=paf, options=options, half_width_px=4.0
    )
    return create_label(name, context)


def tell(label: Label) -> tuple[Any, ...]:
    """Tell name, channels, the rest of its shape, range, type, what else there is to it, and its mirror."""
    spec = label.spec
    more = [word for word in ("by_person", "unknown", "coarse") if getattr(spec, word)]
    mirror = (spec.mirror.order, spec.mirror.negated) if isinstance(spec.mirror, ChannelMirror) else spec.mirror
    return spec.name, [*spec.channels], spec.shape[1:], (spec.low, spec.high), " ".join([spec.dtype, *more]), mirror


SWAPPED = (0, 2, 1), ()


SAID: list[tuple[str, list[Any]]] = [
    ("heatmap", [("heatmap", WITH_BACKGROUND, (8, 12), (0, 1), "float32", ((0, 2, 1, 3), ()))]),
    ("paf", [("paf", FIELDS, (8, 12), (-1, 1), "float32", ((2, 3, 0, 1), (0, 2)))]),
    ("mask", [("mask", ["mask"], (8, 12), (0, 1), "float32", ((0,), ()))]),
    ("heatmap_mask", [("heatmap_mask", WITH_BACKGROUND, (8, 12), (0, 1), "float32 coarse", ((0, 2, 1, 3), ()))]),
    ("paf_mask", [("paf_mask", FIELDS, (8, 12), (0, 1), "float32 coarse", ((2, 3, 0, 1), ()))]),
    ("offset", [
        ("offset", [f"{name}{way}" for name in KEYPOINTS for way in ("", ":x", ":y")], (8, 12), (-1, 1), "float32",
         ((0, 1, 2, 6, 7, 8, 3, 4, 5), (1, 4, 7))),
    ]),
    ("center", [
        ("center", ["center"], (8, 12), (0, 1), "float32", ((0,), ())),
        ("center_offset", WAYS, (8, 12), (-12, 12), "float32", ((0, 1, 4, 5, 2, 3), (0, 2, 4))),
        ("center_weight", [*KEYPOINTS], (8, 12), (0, 1), "float32", SWAPPED),
        ("center_heatmap_weights", ["center"], (8, 12), (0, 1), "float32", ((0,), ())),
    ]),
    ("limb", [("limb", LIMBS, (8, 12), (0, 1), "float32", ((1, 0), ()))]),
    ("weight", [("weight", [*KEYPOINTS], (), (0, 1), "float32", SWAPPED)]),
    ("simcc", [
        ("simcc_x", [*KEYPOINTS], (192,), (0, 1), "float32", LOPSIDED),
        ("simcc_y", [*KEYPOINTS], (128,), (0, 1), "float32", SWAPPED),
    ]),
    ("regression", [
        ("regression", [*KEYPOINTS], (2,), (-8, 8), "float32",
         "x becomes 1 - 1 / W - x, which is more than a change of places and signs"),
    ]),
    ("visibility", [
        ("visibility", [*KEYPOINTS], (), (0, 1), "float32", SWAPPED),
        ("visibility_weight", [*KEYPOINTS], (), (0, 1), "float32", SWAPPED),
    ]),
    ("keypoint_indices", [
        ("keypoint_indices", [*KEYPOINTS], (2,), (0, 95), "int64 by_person",
         "y w + x becomes y w + w - 1 - x, which is more than a change of places and signs"),
    ]),
    ("centernet", [
        ("centernet_hm", ["person"], (8, 12), (0, 1), "float32", LOPSIDED),
        ("centernet_hm_hp", [*KEYPOINTS], (8, 12), (0, 1), "float32", LOPSIDED),
        ("centernet_wh", SLOTS, (2,), (0, 12), "float32", NUMBERS),
        ("centernet_reg", SLOTS, (2,), (0, 1), "float32", NUMBERS),
        ("centernet_ind", SLOTS, (), (0, 96), "int64", NUMBERS),
        ("centernet_reg_mask", SLOTS, (), (0, 1), "uint8", NUMBERS),
        ("centernet_hps", SLOTS, (6,), (-12, 12), "float32", NUMBERS),
        ("centernet_hps_mask", SLOTS, (6,), (0, 1), "uint8", NUMBERS),
        ("centernet_hp_offset", PARTS, (2,), (0, 1), "float32", NUMBERS),
        ("centernet_hp_ind", PARTS, (), (0, 96), "int64", NUMBERS),
        ("centernet_hp_mask", PARTS, (), (0, 1), "int64", NUMBERS),
        ("centernet_left_out", ["people"], (), (0, 1e6), "int64", NUMBERS),
    ]),
    ("cif", [("cif", [*KEYPOINTS], (5, 8, 12), (-2, 100), "float32 unknown", LOPSIDED)]),
    ("caf", [("caf", LIMBS, (9, 8, 12), (-96, 100), "float32 unknown", LOPSIDED)]),
]  # fmt: skip


def test_arrays_are_what_they_are_said_to_be() -> None:
    assert [name for name, _ in SAID] == [*registry.BUILT_IN]
    for name, expected in SAID:
        assert [tell(label) for label in make(name)] == expected


def test_axes_have_names() -> None:
    axes = {label.spec.name: label.spec.axes for name in registry.BUILT_IN for label in make(name)}
    assert {name: of for name, of in axes.items() if of not in {("channel", "y", "x"), ("channel",)}} == {
        "simcc_x": ("channel", "bin_x"), "simcc_y": ("channel", "bin_y"), "regression": ("channel", "xy"),
        "keypoint_indices": ("channel", "value"), "centernet_ind": ("slot",), "centernet_reg_mask": ("slot",),
        "centernet_hp_ind": ("slot",), "centernet_hp_mask": ("slot",),
        **{f"centernet_{part}": ("slot", "value") for part in ("wh", "reg", "hps", "hps_mask", "hp_offset")},
        **dict.fromkeys(("cif", "caf"), ("channel", "value", "y", "x")),
    }  # fmt: skip


def test_arrays_of_other_options_differ_in_what_they_are_said_to() -> None:
    heat = [*KEYPOINTS], (8, 12), (0, 1), "float32"
    for kind in ("msra", "msra-unbiased", "udp", "megvii", "higherhrnet"):
        mirror = SWAPPED if kind == "udp" else LOPSIDED
        assert [tell(label) for label in make("heatmap", kind)] == [("heatmap", *heat, mirror)]
        (mask,) = make("heatmap_mask", kind)
        assert tell(mask) == ("heatmap_mask", *heat[:3], "float32 coarse", mirror)
        (weight,) = make("weight", kind)
        assert tell(weight) == ("weight", [*KEYPOINTS], (), (0, 1), "float32", SWAPPED)
    for name in ("paf", "paf_mask"):
        (label,) = make(name, paf="cells")
        assert label.spec.mirror == LOPSIDED
    gaussian = WITH_BACKGROUND, (8, 12), (0, 1), "float32", ((0, 2, 1, 3), ())
    assert [tell(label) for label in make("heatmap", sigmas="1,2.5")] == [
        ("heatmap_sigma1", *gaussian), ("heatmap_sigma2_5", *gaussian)
    ]  # fmt: skip
    assert [tell(label) for label in make("heatmap", normalize="sum")] == [("heatmap", *gaussian)]
    assert [label.spec.name for label in make("heatmap", "megvii", kernels="3,5")] == ["heatmap_k3", "heatmap_k5"]
    for of in ("simcc", "regression", "heatmap"):
        (weight,) = make("weight", of=of, by_keypoint=True)
        assert tell(weight) == ("weight", [*KEYPOINTS], (), (0, 1.5), "float32", SWAPPED)
    for radius, mirror in ((1.5, MISSING), (2.0, None)):
        assert [label.spec.mirror == MISSING for label in make("center", radius_cells=radius)] == [
            False, mirror is not None, mirror is not None, False
        ]  # fmt: skip
    # Bins are half a pixel, unless another share is asked for.
    assert [label.spec.shape for label in make("simcc", split_ratio=1.5)] == [(3, 144), (3, 96)]


def test_what_labels_need_is_said_by_them() -> None:
    labels = [label for name in registry.BUILT_IN for label in make(name)]

    def say(what: str) -> set[str]:
        return {label.spec.name for label in labels if getattr(label, what, False)}

    boxes = {f"centernet_{part}" for part in ("hm", "wh", "reg", "ind", "left_out")} | {"cif", "caf"}
    assert say("needs_ignored_boxes") == boxes
    assert say("reads_shown") == {"mask", "heatmap_mask", "paf_mask"}
    assert say("needs_ignored") == say("needs_ignored_boxes") | say("reads_shown")
    slotted = ("wh", "reg", "ind", "reg_mask", "hps", "hps_mask", "hp_offset", "hp_ind", "hp_mask")
    assert say("people_rows") == {f"centernet_{part}" for part in slotted}
    assert {getattr(label, "people_rows", 0) for label in labels} == {0, 32}


def test_how_predictions_are_read_is_said_word_by_word() -> None:
    said = {label.spec.name: label.decoder for name in registry.BUILT_IN for label in make(name)
            if hasattr(label, "decoder")}  # fmt: skip
    assert said == {
        "heatmap": "peak and parabola of logarithms, at (i + 0.5) s - 0.5",
        "paf": "people joined along the fields",
        "offset": "peak and the way from it, at (i + 0.5) s - 0.5",
        "center": "peak and parabola of logarithms, at (i + 0.5) s - 0.5",
        "center_offset": "the ways from a centre's cell", "center_weight": "the ways from a centre's cell",
        "simcc_x": "peaks of both curves, at i / 2", "simcc_y": "peaks of both curves, at i / 2",
        "keypoint_indices": "people grouped by their tags",
        "centernet_hm": "people from centres, keypoints at their own peaks, at x s",
        "cif": "places to which cells point, at x s", "caf": "people joined by the ends to which cells point",
    }  # fmt: skip
    joined = {label.spec.name: label.joins for name in registry.BUILT_IN for label in make(name)
              if hasattr(label, "joins")}  # fmt: skip
    assert joined == {
        "paf": "heatmap", "center_offset": "center", "center_weight": "", "keypoint_indices": "heatmap", "caf": "cif",
    }  # fmt: skip
    for kind, words in (
        ("msra", "peak and a quarter step to its larger neighbours, at i s"),
        ("msra-unbiased", "peak, refined as DARK does, at i s"),
        ("udp", "peak, refined as DARK does, at i (W - 1) / (w - 1)"),
        ("megvii", "blurred again, peak and a quarter step, at (i + 0.5) s"),
        ("higherhrnet", "peak and a quarter step, at (i + 0.5) s"),
    ):
        assert make("heatmap", kind)[0].decoder == words
    assert make("offset", corners=True)[0].decoder == "peak and the way from it, at i (W - 1) / (w - 1)"
    assert {label.decoder for label in make("simcc", split_ratio=1.5)} == {"peaks of both curves, at i / 1.5"}
    (hm, *_) = make("centernet")
    assert hm.found_with == (
        "centernet_hm", "centernet_wh", "centernet_reg", "centernet_hps", "centernet_hm_hp", "centernet_hp_offset"
    )  # fmt: skip
    assert hm.drawn_with == ("centernet_ind", "centernet_hp_ind")
    assert {label.located_with for label in make("simcc")} == {("simcc_x", "simcc_y")}


def test_centernets_network_predicts_maps_of_what_is_listed() -> None:
    maps = {"centernet_wh": [":x", ":y"], "centernet_reg": [":x", ":y"], "centernet_hp_offset": [":x", ":y"],
            "centernet_hps": WAYS}  # fmt: skip
    for label in make("centernet"):
        name = label.spec.name
        if name in maps:
            assert (label.predicted.name, [*label.predicted.channels]) == (name, maps[name])
            assert label.predicted.cells == (8, 12)
        else:
            assert label.predicted == label.spec


def test_tags_are_predicted_as_maps_of_which_there_may_be_several() -> None:
    (label,) = make("keypoint_indices")
    assert label.predicted == ArraySpec(name="keypoint_indices", channels=KEYPOINTS, cells=(8, 12))
    drawn = np.array([[[5, 1], [0, 0], [95, 1]], [[7, 1], [0, 1], [0, 0]]])
    painted = label._paint(drawn)
    assert painted.shape == (3, 8, 12)
    assert painted[0, 0, 5] == painted[2, 7, 11] == 0
    assert painted[0, 0, 7] == painted[1, 0, 0] == 10
    assert np.count_nonzero(painted) == 2
    cells = np.array([[0, 5], [0, 7], [7, 11]])
    peaks = Peaks(
        channels=3,
        channel=np.array([0, 0, 2]),
        cells=cells,
        points=cells[:, ::-1] * 8.0,
        scores=np.array([0.9, 0.8, 0.7]),
    )
    people, _ = label.join(drawn, peaks)
    assert people.tolist() == [[[40, 0, 0.9], [0, 0, 0], [88, 56, 0.7]], [[56, 0, 0.8], [0, 0, 0], [0, 0, 0]]]
    # Of two tags both have to be near.
    maps = np.zeros((6, 8, 12), np.float32)
    maps[0, 0, 7] = 10
    for tag, together in ((0.9, True), (1.1, False)):
        maps[5, 7, 11] = tag
        people, _ = label.join(maps, peaks)
        assert (people[0, 2, 2] > 0) is np.bool_(together)
        assert len(people) == 3 - together


def test_narrow_gaussians_are_doubted_from_the_sigma_in_cells() -> None:
    grid = make_grid("bilinear", (64, 96), (8, 12))
    for kind in ("gaussian", "msra", "msra-unbiased", "udp", "megvii", "higherhrnet"):
        for sigma, doubted in ((5.5, True), (5.7, False)):
            context = LabelContext(grid=grid, skeleton=SKELETON, sigma_px=sigma, heatmap=kind)
            (label,) = create_label("heatmap", context)
            expected = (
                "its sigma is 0.69 cells; below 0.7 peaks cannot be refined, and predictions come back up to half a "
                "cell from where they were drawn: take a larger --sigma, or a smaller --stride"
            )
            assert label.doubt == (expected if doubted else ""), (kind, sigma)
