"""What a network gives, turned into people by a dataset, and written for COCO's evaluation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pycocotools.coco import COCO

import posegen
from posegen import BuildConfig, PoseDataset
from posegen.errors import ConfigError

if TYPE_CHECKING:
    from conftest import Coco


class Tensor:
    """What of PyTorch's tensors decoding asks for."""

    def __init__(self, values: Any) -> None:
        self.values = values

    def detach(self) -> Tensor:
        return self

    float = cpu = detach

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return np.asarray(self.values, dtype)


@pytest.fixture
def people(coco: Coco, tmp_path: Path) -> PoseDataset:
    """Three people as samples of their own, all keypoints labelled, on hwc maps that can be flipped."""
    for annotation in coco.document["annotations"]:
        x, y = np.meshgrid(np.linspace(4, 24, 5), np.linspace(5, 34, 4))
        grid = np.stack([x.ravel()[:17], y.ravel()[:17], np.full(17, 2)], axis=1)
        annotation |= {"keypoints": grid.ravel().tolist(), "num_keypoints": 17, "bbox": [2, 3, 25, 33]}
    coco.write()
    out = tmp_path / "people"
    posegen.build(coco.root, out, BuildConfig.preset("udp", layout="hwc", label_dtype="float32"), workers=1)
    return PoseDataset(out)


def annotated(coco: Coco, data: PoseDataset) -> list[Any]:
    of = {a["id"]: np.reshape(a["keypoints"], (17, 3)) for a in coco.document["annotations"]}
    return [of[int(sample["annotation_id"][0])] for sample in data]


def test_people_come_back_in_the_pixels_of_their_images_whether_flipped_or_not(coco: Coco, people: PoseDataset):
    for options in ({}, {"flip": True}, {"flip": "random", "seed": 3}):
        data = PoseDataset(people.path, fields=["heatmap"], **options)
        order = [2, 0, -2, 0]
        heatmaps = data.batch(order)["heatmap"]
        for outputs in ({"heatmap": heatmaps}, heatmaps, Tensor(heatmaps)):
            found = data.decode(outputs, order)
            truth = annotated(coco, people)
            for one, expected in zip(found, [truth[i] for i in order], strict=True):
                assert one.keypoints.shape == (1, 17, 3)
                assert np.abs(one.keypoints[0, :, :2] - expected[:, :2]).max() < 0.03
                assert one.scores == pytest.approx(one.keypoints[0, :, 2].mean())


def test_people_of_views_come_back_in_the_pixels_of_their_images(coco: Coco, people: PoseDataset):
    data = PoseDataset(people.path, views="scale=0.6-0.7,rotate=20,shift=4,flip=0.5", seed=1)
    truth = annotated(coco, people)
    for epoch in (0, 1):
        data.epoch = epoch
        for one, expected in zip(data.decode(data[:]["heatmap"], range(3)), truth, strict=True):
            assert np.abs(one.keypoints[0, :, :2] - expected[:, :2]).max() < 0.03


def test_what_is_no_output_of_this_dataset_is_refused(people: PoseDataset):
    heatmaps = people[:]["heatmap"]
    for outputs, said in (
        (
            {"heatmap": heatmaps[:2]},
            r"heatmap: expected \(B, channel, y, x\) = \(3, 17, 64, 48\), found \(2, 17, 64, 48\)",
        ),
        ({"heatmap": np.moveaxis(heatmaps, -1, 1)}, "found"),
        ({"paf": heatmaps}, "paf does not tell where a person's keypoints lie"),
        ({}, "nothing does not tell"),
    ):
        with pytest.raises(ConfigError, match=said):
            people.decode(outputs, [0, 1, 2])
    with pytest.raises(ConfigError, match="cannot be told without a seed"):
        PoseDataset(people.path, flip="random").decode(heatmaps, [0, 1, 2])
    with pytest.raises(ConfigError, match="needs the dataset's skeleton"):
        posegen.decode(heatmaps, np.zeros((3, 2, 3)), people.config)


def test_of_several_strides_the_finest_that_is_there_is_read_and_a_background_may_be_missing(
    coco: Coco, tmp_path: Path
):
    coco.write()
    config = BuildConfig.preset("coco", stride=(8, 4), limit=1, label_dtype="float32")
    posegen.build(coco.root, tmp_path / "out", config, workers=1)
    data = PoseDataset(tmp_path / "out")
    batch = data[:1]
    fine, coarse = ({name: batch[name] for name in (f"heatmap_s{s}", f"paf_s{s}")} for s in (4, 8))
    found = [data.decode(some, [0])[0].keypoints for some in (batch, fine, coarse)]
    assert (found[0] == found[1]).all()
    assert found[1].shape != found[2].shape or (found[1] != found[2]).any()
    bare = {name: values[:, :17] if "heatmap" in name else values for name, values in fine.items()}
    assert (data.decode(bare, [0])[0].keypoints == found[1]).all()


def test_results_are_what_coco_reads_in_the_annotations_order(coco: Coco, people: PoseDataset, tmp_path: Path):
    path = tmp_path / "results.json"
    found = people.decode(people[:], range(3))
    posegen.write_coco_results(path, found, people[:]["image_id"], people.skeleton)
    loaded = COCO(str(coco.annotations)).loadRes(str(path))
    assert len(loaded.anns) == 3
    for one, truth in zip(json.loads(path.read_text()), annotated(coco, people), strict=True):
        assert np.abs(np.reshape(one["keypoints"], (17, 3))[:, :2] - truth[:, :2]).max() < 0.03
    # Of another order what is derived of several is left out, and what it does not have is 0.
    skeleton = posegen.OPENPOSE_18
    person = posegen.People(keypoints=np.arange(54.0).reshape(1, 18, 3) + 1, scores=np.array([0.5]))
    posegen.write_coco_results(path, [person], [7], skeleton, names=["left_hip", "tail", "neck"], category_id=4)
    at = skeleton.keypoints.index("left_hip") * 3 + 1
    assert json.loads(path.read_text()) == [
        {"image_id": 7, "category_id": 4, "keypoints": [at, at + 1, at + 2, 0, 0, 0, 0, 0, 0], "score": 0.5}
    ]
    with pytest.raises(ConfigError, match="there are 1 samples, but 2 image ids"):
        posegen.write_coco_results(path, [person], [7, 8], skeleton)
