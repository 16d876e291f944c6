"""The 308 points of Sapiens against its configuration (pose/configs/_base_/datasets/goliath.py), teeth left out."""

from posegen.skeleton import SKELETONS

GOLIATH = SKELETONS["goliath-308"]

# By the numbers there; those behind the 36 teeth, 220 to 255, come 36 earlier.
POINTS = {
    0: "nose", 8: "right_elbow", 9: "left_hip", 14: "right_ankle", 15: "left_big_toe", 20: "right_heel",
    21: "right_thumb4", 24: "right_thumb_third_joint", 25: "right_forefinger4", 40: "right_pinky_finger_third_joint",
    41: "right_wrist", 42: "left_thumb4", 62: "left_wrist", 63: "left_olecranon", 66: "right_cubital_fossa",
    68: "right_acromion", 69: "neck", 70: "center_of_glabella", 77: "tip_of_chin", 78: "upper_startpoint_of_r_eyebrow",
    80: "end_of_r_eyebrow", 95: "lower_midpoint_3_of_l_eyebrow", 96: "l_inner_end_of_upper_lash_line",
    99: "l_midpoint_2_of_upper_lash_line", 104: "l_midpoint_3_of_upper_lash_line",
    106: "l_midpoint_6_of_upper_eyelid_line", 109: "l_centerpoint_of_upper_eyelid_line",
    119: "l_midpoint_3_of_upper_crease_line", 123: "r_midpoint_1_of_upper_lash_line",
    128: "r_midpoint_6_of_upper_lash_line", 130: "r_midpoint_3_of_upper_eyelid_line",
    136: "r_midpoint_6_of_upper_eyelid_line", 143: "r_midpoint_6_of_upper_crease_line",
    144: "l_inner_end_of_lower_lash_line", 160: "l_midpoint_3_of_lower_eyelid_line",
    161: "r_inner_end_of_lower_lash_line", 177: "r_midpoint_6_of_lower_eyelid_line", 178: "tip_of_nose",
    182: "inner_corner_of_r_nostril", 187: "upper_corner_of_l_nostril", 188: "r_outer_corner_of_mouth",
    190: "center_of_cupid_bow", 194: "midpoint_1_of_lower_outer_lip", 196: "midpoint_3_of_upper_outer_lip",
    203: "midpoint_6_of_lower_outer_lip", 206: "center_of_upper_inner_lip", 219: "midpoint_6_of_lower_inner_lip",
    256: "l_top_end_of_inferior_crus", 265: "l_point_2_of_inner_helix", 278: "l_midpoint_between_22_15",
    281: "l_point_8_of_inner_helix", 282: "r_top_end_of_inferior_crus", 291: "r_point_8_of_inner_helix",
    292: "r_point_3_of_inner_helix", 307: "r_point_2_of_inner_helix", 308: "l_center_of_iris",
    313: "l_border_of_iris_9", 316: "l_border_of_iris_midpoint_2", 317: "r_center_of_iris", 326: "l_center_of_pupil",
    343: "r_border_of_pupil_midpoint_2",
}  # fmt: skip


def test_its_points_come_in_the_order_of_its_configuration():
    assert {k: GOLIATH.keypoints[k if k < 220 else k - 36] for k in POINTS} == POINTS
    assert not any("teeth" in name for name in GOLIATH.keypoints)


def test_a_mirror_leaves_the_midline_and_the_lips_midpoints_where_they_are():
    swapped = {k for pair in GOLIATH.flip_pairs for k in pair}
    alone = {name for k, name in enumerate(GOLIATH.keypoints) if k not in swapped}
    lips = {name for name in alone if name.startswith("midpoint_") and name.endswith("_lip")}
    assert len(lips) == 24
    assert alone - lips == {
        "nose", "neck", "center_of_glabella", "center_of_nose_root", "tip_of_nose_bridge", "midpoint_1_of_nose_bridge",
        "midpoint_2_of_nose_bridge", "midpoint_3_of_nose_bridge", "center_of_labiomental_groove", "tip_of_chin",
        "tip_of_nose", "bottom_center_of_nose", "center_of_cupid_bow", "center_of_lower_outer_lip",
        "center_of_upper_inner_lip", "center_of_lower_inner_lip",
    }  # fmt: skip
    pairs = {(GOLIATH.keypoints[a], GOLIATH.keypoints[b]) for a, b in GOLIATH.flip_pairs}
    assert ("end_of_r_eyebrow", "end_of_l_eyebrow") in pairs
    assert ("inner_corner_of_r_nostril", "inner_corner_of_l_nostril") in pairs
    assert ("l_midpoint_2_of_upper_lash_line", "r_midpoint_2_of_upper_lash_line") in pairs


def test_its_limbs_are_those_of_body_feet_and_fingers():
    whole = SKELETONS["coco-wholebody-133"]
    assert list(GOLIATH.limb_names[:25]) == list(whole.limb_names[:25])
    assert [name.replace("_third_joint", "1") for name in GOLIATH.limb_names[25:]] == list(whole.limb_names[25:])


def test_its_sigmas_are_those_of_coco_wholebody_and_its_own():
    sigmas = dict(zip(GOLIATH.keypoints, GOLIATH.sigmas, strict=True))
    some = {
        "nose": 0.026, "left_wrist": 0.062, "right_heel": 0.094, "neck": 0.079, "left_olecranon": 0.072,
        "right_cubital_fossa": 0.072, "left_acromion": 0.079, "left_thumb_third_joint": 0.022,
        "right_forefinger_third_joint": 0.026, "left_pinky_finger_third_joint": 0.02, "right_thumb4": 0.047,
        "tip_of_chin": 0.01, "r_border_of_pupil_6": 0.01,
    }  # fmt: skip
    assert {name: sigmas[name] for name in some} == some
    assert sum(sigma == 0.01 for sigma in GOLIATH.sigmas) == 238
