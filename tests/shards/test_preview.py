"""Previews of shards: what they show, by h5py alone, and that one that shows something else is found."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import h5py
import numpy as np
import pytest
from by_hand import show_picture
from damage import accept, copy_of, said, shards_of
from executors import InProcess

import posegen
from posegen.config import BuildConfig
from posegen.geometry import Size
from posegen.inspect import verify as verifying
from posegen.inspect.summary import describe
from posegen.labels import ArraySpec
from posegen.shards.manifest import Manifest
from posegen.shards.nexus import plot_label
from posegen.shards.preview import find_size

if TYPE_CHECKING:
    from conftest import Build, Coco, Run

verify = partial(verifying.verify, executor=InProcess())


def test_a_preview_is_the_first_sample_of_its_shard(build: Build) -> None:
    for variant in ("plain", "packed", "raw"):
        for path in shards_of(build(variant)):
            with h5py.File(path) as file:
                names = json.loads(file.attrs["labels"])
                assert set(file["preview"]) == {"picture", *names}
                for name in names:
                    stored, layout = file[name], file[name].attrs["layout"]
                    values = stored[0] * np.float32(stored.attrs["scale"])
                    expected = np.moveaxis(values, -1, 0) if layout == b"hwc" else values
                    shown = file[f"preview/{name}/data"]
                    assert np.array_equal(shown[...], expected)
                    channels = json.loads(stored.attrs["channels"])
                    assert [text.decode() for text in file[f"preview/{name}/channel_names"]] == channels
                    assert shown.chunks == (1, *shown.shape[1:])
                shown, picture = file["preview/picture/data"][...], show_picture(file, 0)
                if variant == "plain":
                    picture = cv2.resize(picture, (192, 192), interpolation=cv2.INTER_AREA)
                assert np.array_equal(shown, picture)


def test_a_large_picture_is_reduced_and_axes_are_pixels_of_the_input(corpus: Coco, tmp_path: Path, run: Run) -> None:
    out = tmp_path / "out"
    options = "--preset", "openpose", "--input-size", "384x192", "--limit", 2
    assert run("build", "--coco", corpus.root, "--out", out, *options).status == 0
    with h5py.File(shards_of(out)[0]) as file:
        expected = cv2.resize(show_picture(file, 0), (192, 96), interpolation=cv2.INTER_AREA)
        picture = file["preview/picture"]
        assert np.array_equal(picture["data"][...], expected)
        # Pixels of 2 x 2 of the input's: the middle of the first lies between its first two.
        assert picture["x"][:3].tolist() == [0.5, 2.5, 4.5]
        assert (picture["y"].shape, picture["y"][-1]) == ((96,), 190.5)
        assert file["preview/heatmap/x"][[0, -1]].tolist() == [3.5, 379.5]


def test_its_attributes_lead_a_viewer_to_the_picture_and_to_a_channel_with_something_in_it(dataset: Path) -> None:
    with h5py.File(shards_of(dataset)[0]) as file:
        assert (file.attrs["NX_class"], file.attrs["default"]) == (b"NXroot", b"preview")
        entry = file["preview"]
        assert (entry.attrs["NX_class"], entry.attrs["default"]) == (b"NXentry", b"picture")
        assert entry["picture/data"].attrs["CLASS"] == b"IMAGE"
        assert entry["picture"].attrs["axes"].tolist() == [b"y", b"x", b"."]
        heatmap = entry["heatmap"]
        assert heatmap.attrs["NX_class"] == b"NXdata"
        assert heatmap.attrs["axes"].tolist() == [b"channel", b"y", b"x"]
        assert heatmap["x"].attrs["units"] == b"px"
        channel, *rest = heatmap.attrs["default_slice"].tolist()
        assert rest == [b".", b"."]
        assert np.ptp(heatmap["data"][int(channel)]) > 0
        assert all(np.ptp(heatmap["data"][i]) == 0 for i in range(int(channel)))


def test_what_has_no_cells_is_left_out(corpus: Coco, tmp_path: Path, run: Run) -> None:
    out = tmp_path / "out"
    assert run("build", "--coco", corpus.root, "--out", out, "--preset", "simcc", "--limit", 3).status == 0
    with h5py.File(shards_of(out)[0]) as file:
        assert set(file["preview"]) == {"picture"}
    assert verify(out) == []
    assert describe(out)["preview"] == ["picture"]


def change_value(file: h5py.File) -> None:
    file["preview/paf/data"][1, 2, 3] += 0.25


def change_axis(file: h5py.File) -> None:
    file["preview/mask/y"][...] += 1


def change_picture(file: h5py.File) -> None:
    file["preview/picture/data"][...] = 255 - file["preview/picture/data"][...]


def rename_channel(file: h5py.File) -> None:
    file["preview/heatmap/channel_names"][0] = b"tail"


def remove_array(file: h5py.File) -> None:
    del file["preview/heatmap/x"]


def add_array(file: h5py.File) -> None:
    file["preview/heatmap/z"] = np.arange(3)


def link_elsewhere(file: h5py.File) -> None:
    del file["preview/heatmap"]
    file["preview/heatmap"] = h5py.ExternalLink("elsewhere.h5", "/heatmap")


def claim_more(file: h5py.File) -> None:
    del file["preview/mask/data"]
    file.create_dataset("preview/mask/data", (1, 10**5, 10**5), np.float32, chunks=(1, 100, 100), compression="gzip")


CHANGES: dict[Callable[[h5py.File], None], str] = {
    change_value: "preview/paf/data does not show the first sample",
    change_axis: "preview/mask/y does not show the first sample",
    change_picture: "preview/picture/data does not show the first sample",
    rename_channel: "preview/heatmap/channel_names does not show the first sample",
    remove_array: "is damaged: it has no preview/heatmap/x",
    add_array: "is damaged: 'preview/heatmap/z' is no part of a preview",
    link_elsewhere: "is damaged: preview/heatmap is a link, not an array",
    claim_more: "is damaged: preview/mask/data has the shape (1, 100000, 100000), expected (1, 46, 46)",
}


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_one_that_shows_something_else_is_found_and_the_samples_are_read(
    dataset: Path, tmp_path: Path, change: Callable[[h5py.File], None]
) -> None:
    copy = copy_of(dataset, tmp_path / "copy")
    path = shards_of(copy)[1]
    with h5py.File(path, "r+") as file:
        change(file)
    assert len(said(verify(copy))[path.name]) == 2  # the hash, too
    accept(copy)
    assert said(verify(copy)) == {path.name: [CHANGES[change]]}
    data, before = posegen.PoseDataset(copy), posegen.PoseDataset(dataset)
    for i in range(len(before)):
        assert np.array_equal(data[i]["heatmap"], before[i]["heatmap"])


def test_a_damaged_preview_is_built_again(dataset: Path, corpus: Coco, tmp_path: Path) -> None:
    copy = copy_of(dataset, tmp_path / "copy")
    path = shards_of(copy)[1]
    good = path.read_bytes()
    with h5py.File(path, "r+") as file:
        change_picture(file)
    assert posegen.repair(copy, corpus.root, executor=InProcess()) == [path.name]
    assert path.read_bytes() == good


def test_shards_of_before_there_were_previews_are_as_good(dataset: Path, tmp_path: Path) -> None:
    copy = copy_of(dataset, tmp_path / "copy")
    for path in shards_of(copy):
        with h5py.File(path, "r+") as file:
            del file["preview"], file.attrs["NX_class"], file.attrs["default"]
            file.attrs["format_version"] = 2
    accept(copy)
    dataclasses.replace(Manifest.read(copy), format_version=2).write(copy)
    assert verify(copy, deep=True) == []
    assert posegen.compare(copy, dataset, executor=InProcess()).equal
    assert describe(copy)["preview"] == []


def test_a_picture_keeps_its_proportions() -> None:
    sizes: dict[Size, Size] = {
        (192, 192): (192, 192),
        (368, 368): (192, 192),
        (256, 192): (192, 144),
        (1, 999): (1, 192),
    }
    for size, reduced in sizes.items():
        assert find_size(size) == reduced


def test_axes_of_other_packages_get_names_that_a_group_can_have() -> None:
    spec = ArraySpec(name="own", channels=("a",), cells=(2, 2), inner=(3,), axes=("data", "a/b", "y", "sample"))
    plot = plot_label(spec, np.zeros(spec.shape, np.float32), BuildConfig())
    assert [axis.name for axis in plot.axes] == ["axis_0", "axis_1", "y", "axis_3"]
    assert {len(plot.arrays[axis.name]) for axis in plot.axes[:2]} == {1, 3}
