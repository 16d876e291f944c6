"""Labels that other options leave as they are: copied with the pictures, to the bytes of a fresh build."""

from __future__ import annotations

import dataclasses
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import pytest
from builds import change_annotations, files_of, shards, write_source
from conftest import Install
from executors import InProcess

import posegen
from posegen.build import unchanged, worker
from posegen.build.ignored import IgnoredRegions
from posegen.config import BuildConfig
from posegen.images.augment import Augmentation
from posegen.labels import Label
from posegen.shards import ShardReader
from posegen.skeleton import COCO_17

pytest_plugins = ("built",)

SMALL = BuildConfig(shard_size=4, input_size=(128, 128), labels=("heatmap", "paf", "mask"))
VIEWS = Augmentation(scale=(0.8, 1.2), rotate=20, flip=0.5)
PEOPLE = dataclasses.replace(
    SMALL, unit="person", labels=("heatmap", "weight", "simcc"), skeleton=COCO_17, input_size=(64, 48), stride=4
)
SIGMA = {"sigma_px": 5.0}
FOREIGN = """
import numpy as np
from posegen.labels import ArraySpec

FACTOR = 0.5

class Count:
    spec = ArraySpec(name="count", channels=("people",), cells=(2, 2), high=100.0)

    def __eq__(self, other):
        return True

    def render(self, scene):  # which reads what is ignored, and does not say so
        return np.full((1, 2, 2), FACTOR * len(scene.points) + (scene.ignored is not None), np.float32)

def create(context):
    return [Count()]
"""


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = write_source(tmp_path_factory.mktemp("coco") / "source")

    def add_crowds(document: dict[str, Any]) -> None:
        for image in document["images"][::2]:
            add_crowd(document, image["id"])

    change_annotations(root, add_crowds)
    return root


def add_crowd(document: dict[str, Any], image_id: int) -> None:
    crowd = {"segmentation": [[5, 5, 90, 5, 90, 90]], "bbox": [5, 5, 85, 85], "area": 3612.5, "iscrowd": 0}
    crowd |= {"id": 9000 + image_id, "image_id": image_id, "category_id": 1, "num_keypoints": 0, "keypoints": [0] * 51}
    document["annotations"].append(crowd)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The arrays that are drawn, once a batch, and `region` for each region to be ignored that is looked for."""
    names: list[str] = []
    draw, find = worker._draw, IgnoredRegions.find

    def note(label: Label, *of: Any) -> Any:
        names.append(label.spec.name)
        return draw(label, *of)

    def look(regions: IgnoredRegions, sample: Any) -> Any:
        names.extend(["region"] * regions._wanted)
        return find(regions, sample)

    monkeypatch.setattr(worker, "_draw", note)
    monkeypatch.setattr(IgnoredRegions, "find", look)
    return names


class Relabelled:
    """A dataset, what is built of it with other options, and what that is built to afresh."""

    def __init__(self, drawn: list[str], root: Path) -> None:
        self.drawn = drawn
        self.root = root
        self.old = root / "old"
        self.said: list[str] = []

    def build(self, source: Path, now: BuildConfig, **more: Any) -> set[str]:
        """Build both, compare them, and return what was drawn for the first."""
        posegen.build(source, self.root / "fresh", now, executor=InProcess(), overwrite=True, **more)
        shutil.rmtree(self.root / "out", ignore_errors=True)
        self.drawn.clear()
        self.said.clear()
        options = {"pictures_from": self.old, "notify": self.said.append, "executor": InProcess()}
        posegen.build(source, self.root / "out", now, **options, **more)
        found = set(self.drawn)
        assert shards(self.root / "out") == shards(self.root / "fresh")
        return found

    @property
    def told(self) -> str:
        """Which labels were copied, by what is said at the end."""
        (line,) = (line for line in self.said if " copied from " in line)
        return line.partition(", with the labels that stay as they were: ")[2].partition("; ")[0]


def relabel(source: Path, drawn: list[str], root: Path, before: BuildConfig) -> Relabelled:
    found = Relabelled(drawn, root)
    posegen.build(source, found.old, before, executor=InProcess())
    return found


def test_only_what_options_change_is_drawn(source: Path, tmp_path: Path, drawn: list[str]) -> None:
    seen = relabel(source, drawn, tmp_path, SMALL)
    for changes, fresh, kept in (
        (SIGMA, {"heatmap"}, "paf, mask"),
        ({"half_width_px": 5.0}, {"paf"}, "heatmap, mask"),
        ({"heatmap": "udp"}, {"heatmap"}, "paf, mask"),
        ({"paf": "cells"}, {"paf"}, "heatmap, mask"),
        ({"labels": ("mask", "offset", "heatmap")}, {"offset"}, "mask, heatmap"),
        ({"labels": ("heatmap", "heatmap_mask")}, {"heatmap_mask", "region"}, "heatmap"),
        ({"labels": ("paf",), **SIGMA}, set(), "paf"),
        ({"labels": ()}, {"region"}, ""),
        # The mask is an area, whatever the grid; everything else follows it.
        ({"grid": "point"}, {"heatmap", "paf"}, "mask"),
        ({"stride": (8, 4)}, {"heatmap_s8", "heatmap_s4", "paf_s8", "paf_s4", "mask_s8", "mask_s4", "region"}, ""),
    ):
        assert seen.build(source, dataclasses.replace(SMALL, **changes)) == fresh, changes
        assert seen.told == kept, changes


def test_options_that_say_who_is_drawn_or_how_it_is_packed_let_nothing_be_copied(
    source: Path, tmp_path: Path, drawn: list[str]
) -> None:
    seen = relabel(source, drawn, tmp_path, SMALL)
    everything = {"heatmap", "paf", "mask", "region"}
    for changes in (
        {"visibility": "visible"}, {"min_keypoints": 3}, {"min_area": 900.0}, {"origin": "unlabelled"}, {"seed": 7},
        {"label_dtype": "uint8"}, {"layout": "hwc"}, {"compression": "gzip"}, {"shard_size": 5}, {"limit": 15},
        {"sigma_scale": "area"}, {"keep_empty": True}, {"skeleton": COCO_17},
    ):  # fmt: skip
        assert seen.build(source, dataclasses.replace(SMALL, **SIGMA, **changes)) == everything, changes
        assert seen.told == ""


def test_sigmas_of_each_persons_own_are_found_anew(source: Path, tmp_path: Path, drawn: list[str]) -> None:
    by_area = dataclasses.replace(SMALL, sigma_scale="area")
    seen = relabel(source, drawn, tmp_path, by_area)
    assert seen.build(source, dataclasses.replace(by_area, **SIGMA)) == {"heatmap", "paf", "mask", "region"}
    assert seen.build(source, dataclasses.replace(by_area, half_width_px=5.0)) == {"paf"}


def test_labels_of_every_kind_of_sample_are_copied(source: Path, tmp_path: Path, drawn: list[str]) -> None:
    for kind, before, changes, fresh in (
        ("views", dataclasses.replace(SMALL, copies=2, augment=VIEWS, plain_copy=True), SIGMA, {"heatmap"}),
        ("bytes", dataclasses.replace(SMALL, label_dtype="uint8", layout="hwc"), SIGMA, {"heatmap"}),
        ("people", PEOPLE, {"sigma_px": 3.0}, {"heatmap"}),
        # What people have rows of is drawn, and takes no time.
        (
            "rows",
            dataclasses.replace(SMALL, labels=("heatmap", "keypoint_indices", "mask")),
            SIGMA,
            {"heatmap", "keypoint_indices"},
        ),
        ("unknown", dataclasses.replace(SMALL, labels=("heatmap_mask", "paf")), {"half_width_px": 5.0}, {"paf"}),
    ):
        seen = relabel(source, drawn, tmp_path / kind, before)
        assert seen.build(source, dataclasses.replace(before, **changes)) == fresh, kind


def test_another_annotation_has_the_labels_of_its_shard_drawn(copy: Path, tmp_path: Path, drawn: list[str]) -> None:
    seen = relabel(copy, drawn, tmp_path, SMALL)
    one = min(shards(seen.old))
    with ShardReader(seen.old / one) as reader:
        (person, *_), (picture,) = reader.column("annotation_id", [0])[0].tolist(), reader.column("image_id", [1])

    def move(document: dict[str, Any]) -> None:
        (moved,) = (a for a in document["annotations"] if a["id"] == person)
        moved["keypoints"][0] += 0.5

    def add(document: dict[str, Any]) -> None:
        add_crowd(document, picture + 10_000)
        document["annotations"][-1]["image_id"] = picture

    now = dataclasses.replace(SMALL, **SIGMA)
    for change in (move, add):
        change_annotations(copy, change)
        assert seen.build(copy, now) == {"heatmap", "paf", "mask", "region"}
        assert (drawn.count("heatmap"), drawn.count("mask"), seen.told) == (4, 1, "paf, mask")


def test_pictures_that_are_others_or_gone_leave_the_labels_of_the_rest(
    copy: Path, tmp_path: Path, drawn: list[str]
) -> None:
    seen = relabel(copy, drawn, tmp_path, SMALL)
    touched, spoilt, *_ = files_of(copy)
    touched.write_bytes(touched.read_bytes() + b"\0")
    spoilt.write_bytes(b"no picture")
    assert seen.build(copy, dataclasses.replace(SMALL, **SIGMA), max_failures=1) == {"heatmap"}
    with h5py.File(tmp_path / "out" / "shard-00000-of-00004.h5") as file:
        assert len(file["mask"]) == len(file["paf"]) == len(file["heatmap"])
    assert sum(len(h5py.File(path)["mask"]) for path in (tmp_path / "out").glob("*.h5")) == 15


def test_what_is_damaged_is_drawn(source: Path, tmp_path: Path, drawn: list[str]) -> None:
    seen = relabel(source, drawn, tmp_path, SMALL)
    shard, now = max(seen.old.glob("*.h5")), dataclasses.replace(SMALL, **SIGMA)
    good = shard.read_bytes()
    for name, fresh in (("paf", {"heatmap", "paf"}), ("mask", {"heatmap", "mask", "region"})):
        with h5py.File(shard) as file:
            chunk = file[name].id.get_chunk_info(2)
        data = bytearray(good)
        data[chunk.byte_offset + chunk.size // 2] ^= 8
        shard.write_bytes(data)
        assert seen.build(source, now) == fresh
    shard.write_bytes(good)
    shard, good = next((path, path.read_bytes()) for path in sorted(seen.old.glob("*.h5")) if count_ignored(path))
    with h5py.File(shard) as file:
        place = file["ignored/bytes"].id.get_offset()
        offsets = file["ignored/offsets"][:]
    data, end = bytearray(good), place + int(offsets[-1])
    data[end - 1] ^= 8  # of the last bitmap's checksum
    shard.write_bytes(data)
    assert seen.build(source, now) == {"heatmap", "region"}


def count_ignored(shard: Path) -> int:
    with h5py.File(shard) as file:
        return len(file["ignored/bytes"])


def test_a_shard_that_other_libraries_wrote_or_that_says_something_else_is_not_believed(
    source: Path, tmp_path: Path, drawn: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = relabel(source, drawn, tmp_path, SMALL)
    now = dataclasses.replace(SMALL, **SIGMA)
    everything = {"heatmap", "paf", "mask", "region"}
    monkeypatch.setattr(unchanged, "library_versions", lambda labels: {"posegen": "of before", "labels": str(labels)})
    assert seen.build(source, now) == everything
    monkeypatch.undo()


def test_labels_of_other_packages_are_drawn_whatever_they_say_of_themselves(
    source: Path, tmp_path: Path, drawn: list[str], install: Install
) -> None:
    install("pose-count", FOREIGN, count="pose_count:create")
    before = dataclasses.replace(SMALL, labels=("heatmap", "paf", "count"))
    seen = relabel(source, drawn, tmp_path, before)
    sys.modules["pose_count"].FACTOR = 0.25  # as if somebody worked on it: its version stays
    assert seen.build(source, dataclasses.replace(before, **SIGMA)) == {"heatmap", "count", "region"}
    assert seen.told == "paf"
