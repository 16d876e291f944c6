"""A network that learns from people of whom half have no labelled foot finds more feet with a mask for every channel.

Each person is a red head, a green knee and a blue foot. The feet of half of the people are said not to be valid, as
COCO-WholeBody does: their pictures show a foot like all others, of which the file says nothing. One mask for all
channels teaches the network that nothing is there, and so that a foot is one as often as not.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import KEYPOINTS, Coco
from executors import InProcess

import posegen
from posegen.skeleton import Skeleton

torch = pytest.importorskip("torch")

SIDE, CELL, BATCH = 64, 4, 16
SKELETON = Skeleton(name="feet", keypoints=("nose", "left_knee", "left_big_toe"))
COLOURS = ((30, 30, 220), (30, 200, 30), (220, 60, 30))
PARTS = (("face", 68), ("lefthand", 21), ("righthand", 21))


def draw_people(root: Path, images: int, *, valid: float, seed: int) -> tuple[Path, np.ndarray]:
    """Write pictures of one person each, of whose feet a share is said to be valid; returns where all feet are."""
    coco, random, feet = Coco(root, seed=seed), np.random.default_rng(seed), []
    for number in range(images):
        nose = random.uniform((16, 8), (48, 16))
        points = nose + np.array([[0, 0], [random.uniform(-4, 4), 24], [random.uniform(-6, 6), 30]])
        picture = random.integers(110, 140, (SIDE, SIDE, 3), np.uint8)
        for (x, y), colour in zip(points, COLOURS, strict=True):
            cv2.circle(picture, (round(x * 16), round(y * 16)), 3 * 16, colour, -1, cv2.LINE_AA, 4)
        image = coco.image(SIDE, SIDE, data=cv2.imencode(".jpg", picture)[1].tobytes())
        places = dict(zip(("nose", "left_knee"), points.tolist(), strict=False))
        keypoints = [v for name in KEYPOINTS for v in ((*places[name], 2) if name in places else (0, 0, 0))]
        shown = number < valid * images
        toes = [*points[2].tolist(), 2] if shown else [0, 0, 0]
        empty = {f"{part}_kpts": [0] * 3 * count for part, count in PARTS}
        flags = {f"{part}_valid": True for part, _ in PARTS}
        coco.person(image, keypoints, foot_kpts=[*toes, *[0] * 15], foot_valid=shown, **empty, **flags)
        feet.append(points[2])
    coco.write()
    return root, np.array(feet)


def read(root: Path) -> dict[int, dict]:
    config = posegen.BuildConfig(
        skeleton=SKELETON,
        input_size=(SIDE, SIDE),
        stride=CELL,
        sigma_px=4.0,
        labels=("heatmap", "mask", "heatmap_mask"),
        label_dtype="float32",
    )
    posegen.build(root, root / "built", config, executor=InProcess())
    return {sample["image_id"]: sample for sample in posegen.PoseDataset(root / "built")}


def to_input(samples: list[dict]) -> torch.Tensor:
    pictures = np.stack([sample["image"] for sample in samples])
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1


def train(samples: list[dict], mask: str) -> torch.nn.Module:
    torch.manual_seed(0)
    network = torch.nn.Sequential(
        torch.nn.Conv2d(3, 16, 5, stride=2, padding=2),
        torch.nn.ReLU(),
        torch.nn.Conv2d(16, 16, 5, stride=2, padding=2),
        torch.nn.ReLU(),
        torch.nn.Conv2d(16, 4, 3, padding=1),
    )
    pictures = to_input(samples)
    heat, counted = (torch.from_numpy(np.stack([sample[name] for sample in samples])) for name in ("heatmap", mask))
    optimizer = torch.optim.Adam(network.parameters(), 5e-3)
    for _ in range(600):
        some = torch.randperm(len(samples))[:BATCH]
        loss = ((network(pictures[some]) - heat[some]) ** 2 * counted[some]).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return network


def find_feet(network: torch.nn.Module, samples: list[dict], feet: np.ndarray) -> float:
    """The share of feet that the network is more sure of than not, within a cell of where they are."""
    with torch.no_grad():
        maps = network(to_input(samples))[:, 2].numpy()
    peaks = maps.reshape(len(maps), -1).argmax(axis=1)
    rows, columns = np.divmod(peaks, SIDE // CELL)
    places = (np.column_stack([columns, rows]) + 0.5) * CELL - 0.5
    near = np.hypot(*(places - feet).T) < 1.5 * CELL
    return float((near & (maps.max(axis=(1, 2)) > 0.5)).mean())


def test_more_feet_are_found_by_who_learned_with_a_mask_for_every_channel(tmp_path: Path) -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        half, _ = draw_people(tmp_path / "half", 64, valid=0.5, seed=0)
        other, feet = draw_people(tmp_path / "other", 40, valid=1.0, seed=1)
        samples = [*read(half).values()]
        assert sum(bool(sample["unknown"].any()) for sample in samples) == 32
        seen = read(other)
        found = {
            mask: find_feet(train(samples, mask), [seen[i] for i in sorted(seen)], feet)
            for mask in ("mask", "heatmap_mask")
        }
    finally:
        torch.set_num_threads(threads)
    assert found["heatmap_mask"] > 0.9, found
    assert found["mask"] < 0.6, found
