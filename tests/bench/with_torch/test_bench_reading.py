"""Section `read` of the benchmarks, which needs PyTorch."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from posegen.bench import batches, peers, reading
from posegen.bench.source import Source, open_source
from posegen.build.pipeline import build
from posegen.cli.bench import _format as format_bench
from posegen.config import BuildConfig
from posegen.loader import PoseDataset
from posegen.synthetic import write_sample_coco


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    root = write_sample_coco(tmp_path_factory.mktemp("sample"), images=6)
    return open_source(root, root)


@pytest.fixture(scope="module")
def found(source: Source, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    scratch = tmp_path_factory.mktemp("scratch")
    return reading.measure_reading(source, scratch, 2, lambda _: None, workers=1, shards=3, shard_size=8)


def test_every_reading_is_compared_in_both_orders(found: dict[str, Any]) -> None:
    assert (found["workers"], found["samples"], found["shards"]) == (1, 24, 3)
    names = [(c["measured"]["name"], c["compared_with"]["name"]) for c in found["comparisons"]]
    assert len(set(names)) == len(names) > 12
    assert sum("random" in name for name, _ in names) == sum("shard-shuffled" in name for name, _ in names) == 6


def test_loaders_are_compared_with_those_of_others(found: dict[str, Any]) -> None:
    names = {(c["measured"]["name"], c["compared_with"]["name"]) for c in found["comparisons"]}
    own = {("PoseLoader", "TorchPoseDataset in a DataLoader"), ("PoseLoader", "PoseLoader, workers")}
    own |= {("PoseLoader, fresh views", "PoseLoader"), ("PoseLoader, fresh views, workers", "PoseLoader, workers")}
    assert names >= own | {("PoseLoader", "h5py by hand"), ("TorchPoseDataset in a DataLoader", "h5py by hand")}
    online = "on-line views, posegen's labels", "on-line views, vectorised heatmap, paf"
    assert names >= {("PoseLoader, fresh views", name) for name in online}
    machine = {"processor": "one", "cpus": 1, "system": "some", "versions": {}}
    source = {"name": "few", "samples": 1, "people": 1, "keypoints": 1}
    shown = format_bench({"machine": machine, "source": source, "sections": {"read": found}})
    assert f"{found['bytes_sample']['h5py by hand'] / 1e3:.1f}" in shown.partition("kB/sample")[2]
    # Shards as small as these have as many bytes of previews and attributes as labels save.
    assert 0 < found["bytes_sample"]["PoseLoader"] < 1.2 * found["bytes_sample"]["h5py by hand"]


def test_peers_hand_over_what_the_dataset_has(source: Source, tmp_path: Path) -> None:
    config = dataclasses.replace(BuildConfig.preset("tf-pose"), label_dtype="float32")
    build(source.paths.annotations, tmp_path / "out", config, images=source.paths.images, workers=1)
    # Whole batches: some fill up the last one.
    data = list(PoseDataset(tmp_path / "out", fields=["image", "heatmap", "paf", "mask"]))[:4]
    expected = sorted(data, key=lambda sample: sample["heatmap"].sum())
    for peer in peers.find_peers(lambda _: None):
        (tmp_path / peer.PACKAGE).mkdir()
        peer.write(data, tmp_path / peer.PACKAGE)
        batches = list(peer.open_reader(tmp_path / peer.PACKAGE, 2, 1))
        found = {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}
        order = np.argsort(found["heatmap"].sum(axis=(1, 2, 3)))
        assert len(order) == len(expected)
        for i, sample in zip(order, expected, strict=True):
            for name in ("heatmap", "paf", "mask"):
                np.testing.assert_allclose(found[name][i], sample[name], rtol=0, atol=1e-3)
            # A JPEG of a JPEG
            difference = found["image"][i].transpose(1, 2, 0).astype(float) - sample["image"]
            assert np.abs(difference).mean() < 3


def test_a_peer_that_is_not_installed_is_left_out_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(peers.importlib.util, "find_spec", lambda name: None)
    assert peers.find_peers(told.append) == []
    assert len(told) == len(peers.MODULES)
    assert any("FFCV" in line and "make bench-peers" in line for line in told)


def test_views_made_without_shards_are_those_of_a_build(source: Source, tmp_path: Path) -> None:
    task = batches.augment(source.task, "scale=0.5-1.1,rotate=40,shift=40,flip=0.5", copies=2)
    config = dataclasses.replace(task.config, label_dtype="float32", image_encoding="png", shard_size=64)
    build(source.paths.annotations, tmp_path / "out", config, images=source.paths.images, workers=1)
    stored = {(sample["image_id"], sample["copy"]): sample for sample in PoseDataset(tmp_path / "out")}
    assert len(task.samples) == len(stored) == 2 * len(source.samples)
    text, online = (kind(task)(range(len(task.samples))) for kind in (batches.Augmented, batches.Online))
    for place, sample in enumerate(task.samples):
        expected = stored[sample.image_id, sample.copy]
        assert np.abs(online["image"][place] - expected["image"].astype(float)).mean() < 4  # warped in another way
        for batch, names in ((text, ("heatmap", "paf")), (online, ("heatmap", "paf", "mask"))):
            for name in names:
                np.testing.assert_allclose(batch[name][place], expected[name], atol=1e-5)


def test_rates_are_samples_a_second(found: dict[str, Any]) -> None:
    for comparison in found["comparisons"]:
        assert comparison["unit"] == "samples/s"
        assert comparison["per_round"] == {"samples": 24}
        assert 0 < comparison["compared_with"]["median"] < 1e5
        assert 0 < comparison["measured"]["median"] < 1e5


def test_a_ratio_is_that_of_the_rates(found: dict[str, Any]) -> None:
    for comparison in found["comparisons"]:
        ends = [comparison[side][end] for side in ("measured", "compared_with") for end in ("min", "max")]
        low, high = ends[0] / ends[3], ends[1] / ends[2]
        assert low * 0.999 <= comparison["ratio"]["median"] <= high * 1.001


def test_what_is_compared_makes_the_same(source: Source, tmp_path: Path) -> None:
    """The two sides of a comparison draw what is in the shards, to the tolerance that these state."""
    config = dataclasses.replace(BuildConfig.preset("tf-pose"), label_dtype="float32", image_encoding="png")
    build(source.paths.annotations, tmp_path / "out", config, images=source.paths.images, workers=1)
    data = PoseDataset(tmp_path / "out")
    stored = {sample["image_id"]: sample for sample in data}
    ids = [sample.image_id for sample in source.samples]
    text, online, vectorised = (kind(source.task)(range(len(ids))) for kind in
                                (batches.Text, batches.Online, batches.Vectorised))  # fmt: skip
    for place, image_id in enumerate(ids):
        np.testing.assert_array_equal(text["image"][place], stored[image_id]["image"])
        np.testing.assert_array_equal(online["image"][place], stored[image_id]["image"])
        for batch, names in ((text, {"heatmap"}), (vectorised, {"heatmap", "paf"}), (online, {"heatmap", "paf"})):
            for name in names:
                np.testing.assert_allclose(batch[name][place], stored[image_id][name], atol=1e-5)
    pictures = batches.read_pictures(tmp_path / "out")
    decoded = batches.StoredPictures(pictures, (368, 368))(range(len(pictures)))
    np.testing.assert_array_equal(decoded["image"], data[:]["image"])
