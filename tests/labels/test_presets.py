"""Each preset's dataset against its definition: from the annotations to the values that are read from a shard."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from each import each
from label_oracle import People, expect_cell_paf, expect_heatmap, expect_paf, expect_top_down

from posegen.build.pipeline import build
from posegen.config import BuildConfig
from posegen.shards import ShardReader

OPENPOSE = [
    "nose", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist",
    "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle", "right_eye", "left_eye",
    "right_ear", "left_ear",
]  # fmt: skip
OPENPOSE_LIMBS = (
    (1, 8), (8, 9), (9, 10), (1, 11), (11, 12), (12, 13), (1, 2), (2, 3), (3, 4), (2, 16), (1, 5), (5, 6), (6, 7),
    (5, 17), (1, 0), (0, 14), (0, 15), (14, 16), (15, 17),
)  # fmt: skip
TOP_DOWN = ("msra", "msra-unbiased", "udp", "megvii")


@pytest.fixture(scope="module")
def read(corpus, tmp_path_factory):
    """Build a preset of the corpus and read its samples: `read("udp", stride=8)`."""
    built = {}

    def build_and_read(preset, **changes):
        key = preset, *changes.items()
        if key not in built:
            config = dataclasses.replace(BuildConfig.preset(preset), label_dtype="float32", **changes)
            out = tmp_path_factory.mktemp("preset") / "out"
            build(corpus.root, out, config, workers=1)
            built[key] = [sample for path in sorted(out.glob("*.h5")) for sample in read_samples(path)]
        return built[key]

    return build_and_read


def read_samples(path):
    with ShardReader(path) as reader:
        for i in range(len(reader)):
            yield reader.sample(i) | {label.spec.name: reader.label(label, i) for label in reader.labels}


def people_of(sample, size, cells):
    keypoints = sample["keypoints"].astype(np.float64)
    return People(size=size, cells=cells, points=keypoints[..., :2], drawn=keypoints[..., 2] > 0)


def annotated(corpus, annotation_id):
    """The annotated keypoints (17, 3), and the box clipped to its image, of an annotation."""
    annotation = next(a for a in corpus.document["annotations"] if a["id"] == annotation_id)
    image = next(i for i in corpus.document["images"] if i["id"] == annotation["image_id"])
    x, y, w, h = annotation["bbox"]
    x0, y0, x1, y1 = max(x, 0), max(y, 0), min(x + w, image["width"]), min(y + h, image["height"])
    return np.reshape(annotation["keypoints"], (17, 3)).astype(float), (x0, y0, x1 - x0, y1 - y0)


@each(preset=TOP_DOWN)
def test_a_top_down_preset_is_its_definition_from_the_annotation_on(corpus, read, preset):
    samples = read(preset)
    assert len(samples) >= 10
    for sample in samples:
        keypoints, (x, y, w, h) = annotated(corpus, int(sample["annotation_id"][0]))
        cx, cy, sw, sh = x + w / 2, y + h / 2, w * 1.25, h * 1.25
        if sw > sh * 192 / 256:
            sh = sw * 256 / 192
        else:
            sw = sh * 192 / 256
        across, down = (191, 255) if preset == "udp" else (192, 256)
        points = np.column_stack(
            [(keypoints[:, 0] - cx + sw / 2) * across / sw, (keypoints[:, 1] - cy + sh / 2) * down / sh]
        )
        drawn = keypoints[:, 2] > 0
        np.testing.assert_allclose(sample["keypoints"][0, drawn, :2], points[drawn], rtol=1e-5, atol=1e-3)
        # What is stored is float32: a point that lies on the border of two cells may come to the other.
        people = people_of(sample, (256, 192), (64, 48))
        heat, weight = expect_top_down(preset, people, 2.0)
        np.testing.assert_allclose(sample["heatmap"], heat, rtol=0, atol=1e-6)
        np.testing.assert_array_equal(sample["weight"], weight)


def test_openpose_is_its_definition(read):
    for sample in read("openpose"):
        people = people_of(sample, (368, 368), (46, 46))
        np.testing.assert_allclose(sample["heatmap"], expect_heatmap("point", people, 7.0), rtol=0, atol=1e-6)
        np.testing.assert_allclose(sample["paf"], expect_cell_paf(people, OPENPOSE_LIMBS, 1.0), rtol=0, atol=1e-6)


def test_coco_is_the_files_own_keypoints_and_limbs_drawn_as_tf_pose_draws_its(corpus, read):
    (category,) = corpus.document["categories"]
    limbs = tuple((a - 1, b - 1) for a, b in category["skeleton"])
    for sample in read("coco"):
        people = people_of(sample, (368, 368), (46, 46))
        assert people.points.shape[1] == 17
        np.testing.assert_allclose(sample["heatmap"], expect_heatmap("bilinear", people, 8.0), rtol=0, atol=1e-6)
        np.testing.assert_allclose(sample["paf"], expect_paf("bilinear", people, limbs, 8.0), rtol=0, atol=1e-6)


def test_several_strides_are_the_datasets_of_each(read):
    together = read("tf-pose", stride=(4, 8, 5.75), input_size=(184, 368))
    for stride, suffix in ((4, "s4"), (8, "s8"), (5.75, "s5_75")):
        for one, several in zip(read("tf-pose", stride=stride, input_size=(184, 368)), together, strict=True):
            for name in ("heatmap", "paf", "mask"):
                np.testing.assert_array_equal(several[f"{name}_{suffix}"], one[name])


@each(changes=[{"sigma_scale": "area"}, {"sigma_keypoints": "oks"}], preset=["tf-pose", "openpose", "msra-unbiased"])
def test_sigma_grows_with_the_person_or_follows_the_keypoint(read, preset, changes):
    top_down = preset not in {"tf-pose", "openpose"}
    size, cells = ((256, 192), (64, 48)) if top_down else ((368, 368), (46, 46))
    sigmas = {"tf-pose": 8.0, "openpose": 7.0, "msra-unbiased": 2.0}[preset]
    for sample in read(preset, **changes):
        people, boxes = people_of(sample, size, cells), sample["bbox"].astype(np.float64)
        factors = np.ones(people.drawn.shape)
        if "sigma_scale" in changes:
            factors *= np.sqrt(boxes[:, 2] * boxes[:, 3])[:, None] / 256
        else:
            of_coco = dict(zip(COCO, OKS, strict=True))
            # The neck is the mean of the shoulders, and as well known as these.
            named = COCO if top_down else OPENPOSE
            values = np.array([of_coco.get(name, 0.079) for name in named])
            factors *= values / values.mean()
        # Never less than 0.7 cells.
        widths = np.maximum(factors * sigmas, 0.7 if top_down else 5.6)
        expected = (
            expect_top_down(preset, people, widths)[0] if top_down else expect_heatmap(KIND[preset], people, widths)
        )
        np.testing.assert_allclose(sample["heatmap"], expected, rtol=0, atol=1e-6)


KIND = {"tf-pose": "bilinear", "openpose": "point"}
COCO = [
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
    "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle",
    "right_ankle",
]  # fmt: skip
# pycocotools' cocoeval.py.
OKS = [
    0.026,
    0.025,
    0.025,
    0.035,
    0.035,
    0.079,
    0.079,
    0.072,
    0.072,
    0.062,
    0.062,
    0.107,
    0.107,
    0.087,
    0.087,
    0.089,
    0.089,
]
