"""A configuration: the default, the presets, and the labels that are made by it."""

import dataclasses

import pytest

from posegen.config import PRESETS, BuildConfig
from posegen.errors import ConfigError
from posegen.skeleton import COCO_17, OPENPOSE_18, Skeleton


def test_the_default_is_tf_pose_as_its_definition_has_it():
    config = BuildConfig.preset("tf-pose")
    assert config == BuildConfig()
    assert config.skeleton == OPENPOSE_18
    assert (config.input_size, config.stride, config.cells) == ((368, 368), 8, (46, 46))
    assert (config.grid, config.sigma_px, config.half_width_px) == ("bilinear", 8, 8)
    assert (config.visibility, config.labels) == ("labelled", ("heatmap", "paf", "mask"))


def test_coco_is_tf_pose_with_the_keypoints_of_the_file():
    assert BuildConfig.preset("coco") == dataclasses.replace(BuildConfig.preset("tf-pose"), skeleton=None)


def test_openpose_is_as_its_definition_has_it():
    config = BuildConfig.preset("openpose")
    assert config == dataclasses.replace(BuildConfig(), grid="point", sigma_px=7.0, paf="cells", labels=config.labels)
    assert config.labels == ("heatmap", "paf", "mask", "heatmap_mask", "paf_mask")
    assert config.half_width_px / config.stride == 1


def test_the_top_down_presets_are_as_their_definition_has_them():
    for kind in ("msra", "msra-unbiased", "udp", "megvii"):
        config = BuildConfig.preset(kind)
        assert (config.unit, config.heatmap, config.skeleton) == ("person", kind, None)
        assert (config.input_size, config.strides, config.cells) == ((256, 192), (4,), (64, 48))
        assert (config.sigma_px, config.sigma_cells, config.box_padding) == (None, 2, 1.25)
        assert config.crop == ("udp" if kind == "udp" else "msra")
        assert config.labels == ("heatmap", "weight")
        heatmap, weight = config.create_labels(COCO_17)
        assert heatmap.spec.shape == (17, 64, 48)
        assert weight.spec.shape == (17,)


def test_each_preset_goes_by_its_name_and_says_what_it_is():
    assert list(PRESETS) == [
        "tf-pose", "coco", "openpose", "openpose-25", "msra", "msra-unbiased", "udp", "simcc", "rtmpose", "megvii",
        "higherhrnet", "centernet", "openpifpaf",
    ]  # fmt: skip
    for name, preset in PRESETS.items():
        assert BuildConfig.preset(name) == dataclasses.replace(BuildConfig(), **preset.changes)
        assert preset.about
        assert preset.networks


def test_a_preset_says_where_the_cells_of_a_prediction_lie():
    places = {"gaussian": "(i + 0.5) s - 0.5", "msra": " i s", "msra-unbiased": " i s", "udp": "i (W - 1) / (w - 1)",
              "megvii": "(i + 0.5) s", "higherhrnet": "(i + 0.5) s"}  # fmt: skip
    for name in PRESETS:
        config = BuildConfig.preset(name)
        place = "i / 2" if "simcc" in config.labels else places[config.heatmap]
        place = "x s" if name in {"centernet", "openpifpaf"} else place
        first = config.create_labels(COCO_17)[0]
        assert getattr(first, "label", first).decoder.endswith(place), name


def test_fields_of_a_preset_can_be_changed():
    assert BuildConfig.preset("udp", input_size=(384, 288)) == dataclasses.replace(
        BuildConfig.preset("udp"), input_size=(384, 288)
    )
    changed = BuildConfig.preset("udp", seed=3, label_dtype="uint8")
    assert (changed.seed, changed.label_dtype, changed.crop) == (3, "uint8", "udp")


def test_a_sigma_in_one_unit_replaces_that_of_the_preset_in_the_other():
    pixels, cells = BuildConfig.preset("udp", sigma_px=6), BuildConfig.preset("tf-pose", sigma_cells=1.5)
    assert (pixels.sigma_px, pixels.sigma_cells) == (6, None)
    assert (cells.sigma_px, cells.sigma_cells) == (None, 1.5)
    with pytest.raises(ConfigError, match="sigma must be given in pixels"):
        BuildConfig.preset("udp", sigma_px=6, sigma_cells=2)


def test_a_change_of_what_is_no_field_is_refused_with_the_nearest():
    with pytest.raises(ConfigError, match=r"no 'sigma_pixels' \(did you mean 'sigma_px'\?\)"):
        BuildConfig.preset("udp", sigma_pixels=3)


def test_an_unknown_preset_is_refused_with_the_nearest_and_all():
    for name, meant in (("tfpose", "tf-pose"), ("upd", "udp")):
        with pytest.raises(ConfigError) as error:
            BuildConfig.preset(name)
        for part in (f"'{name}'", f"did you mean '{meant}'?", *PRESETS):
            assert part in str(error.value)


def test_several_strides_give_each_label_an_array_for_each():
    config = BuildConfig(stride=(4, 8, 5.75))
    found = {label.spec.name: label.spec.shape for label in config.create_labels(OPENPOSE_18)}
    assert list(found) == [f"{name}_s{s}" for name in ("heatmap", "paf", "mask") for s in ("4", "8", "5_75")]
    assert found["heatmap_s5_75"] == (19, 64, 64)
    assert found["paf_s4"] == (38, 92, 92)


def test_a_sigma_in_cells_is_as_wide_as_the_stride_makes_it():
    fine, coarse = BuildConfig(stride=(4, 8), sigma_px=None, sigma_cells=2, labels=("heatmap",)).create_labels(COCO_17)
    assert (fine.label.sigma_px, coarse.label.sigma_px) == (8, 16)


def test_one_stride_of_several_is_a_stride():
    assert BuildConfig(stride=(8,)) == BuildConfig()


def test_cells_are_the_input_size_over_the_stride():
    for size, stride, cells in (((368, 656), 8, (46, 82)), ((50, 100), 2.5, (20, 40)), ((16, 16), 1, (16, 16))):
        assert BuildConfig(input_size=size, stride=stride).cells == cells


def test_sigmas_by_keypoint_need_a_skeleton_that_has_them():
    with pytest.raises(ConfigError, match="the skeleton 'bare' has no sigmas"):
        BuildConfig(sigma_keypoints="oks").create_labels(Skeleton(name="bare", keypoints=("a", "b")))


def test_a_configuration_cannot_be_changed_and_can_be_a_key():
    with pytest.raises(dataclasses.FrozenInstanceError):
        BuildConfig().seed = 1
    assert {BuildConfig(): 1}[BuildConfig()] == 1


def test_fields_are_given_by_name_only():
    with pytest.raises(TypeError):
        BuildConfig(OPENPOSE_18)


def test_the_labels_are_created_in_the_order_they_are_named_in():
    config = BuildConfig(labels=("mask", "heatmap", "paf"))
    assert [label.spec.name for label in config.create_labels(OPENPOSE_18)] == ["mask", "heatmap", "paf"]


def test_labels_have_the_channels_of_the_skeleton_on_the_cells_of_the_configuration():
    config = BuildConfig(input_size=(128, 256), stride=4)
    specs = {label.spec.name: label.spec for label in config.create_labels(OPENPOSE_18)}
    assert specs["heatmap"].channels == (*OPENPOSE_18.keypoints, "background")
    assert specs["paf"].channels[:3] == ("neck-right_hip:x", "neck-right_hip:y", "right_hip-right_knee:x")
    assert {name: spec.shape for name, spec in specs.items()} == {
        "heatmap": (19, 32, 64),
        "paf": (38, 32, 64),
        "mask": (1, 32, 64),
    }


def test_labels_are_drawn_with_the_widths_and_the_grid_of_the_configuration():
    heatmap, paf, _ = BuildConfig(sigma_px=5, half_width_px=3, grid="point").create_labels(OPENPOSE_18)
    assert (heatmap.sigma_px, heatmap.grid.kind, heatmap.background) == (5, "point", True)
    assert (paf.half_width_px, paf.grid.kind) == (3, "point")


def test_a_skeleton_without_limbs_has_no_part_affinity_fields():
    skeleton = Skeleton(name="points", keypoints=("a", "b"))
    assert [label.spec.name for label in BuildConfig().create_labels(skeleton)] == ["heatmap", "mask"]
