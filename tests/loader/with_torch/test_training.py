"""Training on a built dataset finds the keypoints, and shows what would be wrong with its labels.

The examples' networks are trained for real and measured against the annotations themselves, mapped by each sample's
affine map; labels, keypoints and skeleton of the dataset have no part in it. What faults of the labels would do:

- a wrong neck (the nose in its place) leaves the neck without right peaks within 0.05 of the box;
- a swapped pair (the ears) takes right peaks within 0.05 from both, wherever both ears show;
- a shift by half a cell to the right makes the median offset of the peaks nearly half a cell along x.

A network that learns exchanged channels is one that learns the right ones, with its outputs exchanged, so the first two
need no training. For the third another network learns shifted labels, for a shorter time.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

import posegen

EXAMPLES = Path(__file__).parents[3] / "examples"
OPTIONS = (
    "--unit person --input-size 96x128 --stride 4 --sigma 5 --min-area 3000 --labels heatmap,mask --shard-size 128 "
    "--workers 1 --quiet"
)
COCO_ORDER = (0, None, 6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15, 2, 1, 4, 3)
"""Where the 18 keypoints are among COCO's 17; the neck, the second, is the middle of the shoulders 5 and 6."""

pytestmark = pytest.mark.timeout(1500)  # it trains networks

NOSE, NECK, EARS = 0, 1, [16, 17]
BATCH = 16


@pytest.fixture(scope="module")
def people(tmp_path_factory, run):
    """Two datasets of single people, to train on and to measure on, and the annotations of the second."""
    root = tmp_path_factory.mktemp("people")
    for name, images, seed in (("train", 800, 0), ("val", 100, 1)):
        posegen.write_sample_coco(root / name, images=images, seed=seed)
        built = run("build", "--coco", root / name, "--out", root / f"{name}-people", *OPTIONS.split())
        assert built.status == 0, built.err
    return root


@pytest.fixture
def examples(monkeypatch):
    monkeypatch.syspath_prepend(str(EXAMPLES))
    yield
    for name in ("evaluation", "train_torch", "train_tensorflow"):
        sys.modules.pop(name, None)


def read_truth(root):
    """The annotated people of the samples: (N, 18, 3) x, y, v and (N, 4) boxes, in input pixels."""
    (path,) = (root / "val" / "annotations").glob("*.json")
    annotations = {a["id"]: a for a in json.loads(path.read_text())["annotations"]}
    truth, boxes = [], []
    for sample in posegen.PoseDataset(root / "val-people", fields=["annotation_id", "affine"]):
        person = annotations[int(sample["annotation_id"][0])]
        joints = np.reshape(person["keypoints"], (17, 3)).astype(float)
        neck = [*joints[5:7, :2].mean(axis=0), joints[5:7, 2].min()]
        joints = np.array([neck if k is None else joints[k] for k in COCO_ORDER])
        joints[:, :2] = joints[:, :2] @ sample["affine"][:, :2].T + sample["affine"][:, 2]
        truth.append(joints)
        scale = np.hypot(*sample["affine"][:, 0])
        boxes.append([0, 0, person["bbox"][2] * scale, person["bbox"][3] * scale])
    return np.array(truth), np.array(boxes)


def find_peaks(heatmaps):
    """The peak of each channel (B, K, h, w): points (B, K, 2) in input pixels, and heights (B, K).

    A cell's middle is (i + 0.5) * 4 - 0.5; the point moves a quarter of a cell to the higher neighbour, as in Simple
    Baselines (arXiv:1804.06208). Were labels and decoding shifted alike, decoding would not show it; this does.
    """
    b, k, h, w = heatmaps.shape
    flat = heatmaps.reshape(b, k, h * w)
    best = flat.argmax(axis=2)
    y, x = np.divmod(best, w)
    i, j = np.ogrid[:b, :k]

    def at(rows, columns):
        return heatmaps[i, j, rows.clip(0, h - 1), columns.clip(0, w - 1)]

    moved = np.sign([at(y, x + 1) - at(y, x - 1), at(y + 1, x) - at(y - 1, x)])
    cells = np.stack([x, y], axis=-1) + 0.25 * np.moveaxis(moved, 0, -1)
    return (cells + 0.5) * 4 - 0.5, np.take_along_axis(flat, best[..., None], axis=2)[..., 0]


def test_examples_locate_in_labels_the_keypoints_of_the_annotations(people, examples):
    from evaluation import locate, measure

    data = posegen.PoseDataset(people / "val-people", fields=["heatmap"])
    heatmaps = np.stack([sample["heatmap"][:18] for sample in data])
    truth, boxes = read_truth(people)
    assert len(data) > 100
    found = measure(*locate(heatmaps, data), truth, boxes, 4)
    assert found["pck@0.05"] > 0.9
    assert np.abs(found["offset"]).max() < 0.02


def test_a_network_trained_with_pytorch_finds_keypoints_and_what_is_wrong_with_labels(people, examples):
    import torch
    from evaluation import measure
    from torch.utils.data import DataLoader
    from train_torch import Network, predict, train

    from posegen.loader.torch import ShardShuffleSampler, TorchPoseDataset, collate, render_heatmap_torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    truth, boxes = read_truth(people)
    shown = {"mean": (0.5, 0.5, 0.5), "std": (0.25, 0.25, 0.25)}
    held_out = DataLoader(TorchPoseDataset(people / "val-people", fields=["image"], **shown), BATCH)

    def evaluate(network, order=range(18)):
        """Measure the keypoints if the labels' channels had been in this order."""
        points, heights = find_peaks(predict(network, held_out)[:, order])
        found = measure(points, heights, truth, boxes, 4)
        return found["pck@0.2"], found["pck@0.05 by keypoint"], found["offset"]

    def shift(samples):
        batch = collate(samples)
        points, drawn = batch["keypoints"][..., :2] + torch.tensor([2.0, 0.0]), batch["keypoints"][..., 2] > 0
        return batch | {"heatmap": render_heatmap_torch(points, drawn, input_size=(128, 96), stride=4, sigma=5)}

    def learn(fields, collate_fn, epochs):
        data = TorchPoseDataset(people / "train-people", fields=fields, flip="random", seed=0, **shown)
        sampler = ShardShuffleSampler(data)
        network = Network(channels=19)
        train(network, DataLoader(data, BATCH, sampler=sampler, collate_fn=collate_fn, drop_last=True), epochs)
        return network

    assert evaluate(Network(channels=19))[0] < 0.05
    # With half as many it finds as much, but does not always tell left from right.
    network = learn(["image", "heatmap", "mask"], collate, epochs=24)
    wide, narrow, offset = evaluate(network)
    assert wide >= 0.8
    assert narrow[NECK] > 0.6
    assert np.abs(offset).max() < 0.15

    order = list(range(18))
    order[NECK], order[EARS[0]], order[EARS[1]] = NOSE, EARS[1], EARS[0]
    _, spoiled, _ = evaluate(network, order)
    assert spoiled[NECK] < 0.1
    assert spoiled[EARS].sum() < 0.85 * narrow[EARS].sum()

    _, _, offset = evaluate(learn(["image", "mask", "keypoints"], shift, epochs=7))
    torch.set_num_threads(threads)
    assert 0.3 < offset[0] < 0.7
    assert abs(offset[1]) < 0.15


def test_a_network_trained_with_tensorflow_finds_keypoints(people, examples):
    from evaluation import measure
    from tensorflow import keras
    from train_tensorflow import create_network, predict, prepare, train

    from posegen.loader.tensorflow import tf_dataset

    keras.utils.set_random_seed(0)
    truth, boxes = read_truth(people)

    def evaluate():
        held_out = tf_dataset(people / "val-people", batch_size=BATCH, fields=["image"], shuffle=False)
        return measure(*find_peaks(predict(network, held_out)[:, :18]), truth, boxes, 4)

    network = create_network((128, 96), 19)
    assert evaluate()["pck@0.2"] < 0.05
    fields = ["image", "heatmap", "mask"]
    data = tf_dataset(people / "train-people", batch_size=BATCH, fields=fields, flip="random", drop_remainder=True)
    train(network, data.map(prepare), epochs=12)
    found = evaluate()
    assert found["pck@0.2"] >= 0.8
    assert np.abs(found["offset"]).max() < 0.15


@pytest.mark.parametrize("example", ["train_torch.py", "train_tensorflow.py"])
def test_an_example_trains_reports_and_draws(people, tmp_path, example):
    data, root = str(people / "val-people"), str(EXAMPLES.parent)
    call = [sys.executable, str(EXAMPLES / example), data, data, "--epochs", "1", "--picture", "heat.png"]
    done = subprocess.run(
        call, cwd=tmp_path, env=os.environ | {"PYTHONPATH": root}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert all(name in done.stdout for name in ("neck", "PCK@0.2", "PCK@0.05", "median offset", "heat.png"))
    # Eight samples; the picture, true heatmap and predicted heatmap of each.
    assert cv2.imread(str(tmp_path / "heat.png")).shape == (8 * 128, 3 * 96, 3)


def test_frozen_copied_and_fresh_views_are_compared(people, tmp_path):
    data, views = str(people / "val-people"), "scale=0.7-1.2,rotate=30,shift=8,flip=0.5"
    call = [sys.executable, str(EXAMPLES / "compare_views.py"), data, data, data, "--views", views, "--seconds", "0.1"]
    env = os.environ | {"PYTHONPATH": str(EXAMPLES.parent)}
    done = subprocess.run(call, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows = [line.strip("| ").split(" | ") for line in done.stdout.splitlines() if line.startswith("|")][2:]
    assert [row[0] for row in rows] == ["frozen views", "built copies", "fresh views"]
    for row in rows:
        epochs, wide, narrow = map(float, row[1:])
        assert 0 < epochs < 10
        assert 0 <= narrow <= wide <= 1
