"""Samples as a NeXus file: what the shards hold, with the attributes by which viewers know what it is."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import h5py
import numpy as np

from posegen.loader import PoseDataset

if TYPE_CHECKING:
    from conftest import Build, Coco, Run


def test_it_has_the_samples_with_their_axes(dataset: Path, tmp_path: Path, run: Run) -> None:
    out = tmp_path / "samples.h5"
    outcome = run("inspect", dataset, "--nexus", out)
    assert (outcome.status, outcome.out) == (0, f"{out}\n")
    data = PoseDataset(dataset)
    with h5py.File(out) as file:
        assert (file.attrs["NX_class"], file.attrs["default"]) == ("NXroot", "samples")
        samples = file["samples"]
        assert (samples.attrs["NX_class"], samples.attrs["default"]) == (b"NXentry", b"picture")
        assert {*samples} == {"title", "file_name", "picture", "heatmap", "paf", "mask"}
        for name in ("picture", "heatmap", "paf", "mask"):
            group = samples[name]
            assert group.attrs["NX_class"] == b"NXdata"
            signal, axes = group[group.attrs["signal"]], group.attrs["axes"].tolist()
            assert [len(group[axis]) for axis in axes if axis != b"."] == list(signal.shape)[
                : len(axes) - axes.count(b".")
            ]
            field = "image" if name == "picture" else name
            for i in range(len(data)):
                assert np.array_equal(signal[i], np.asarray(data[i][field]))
        assert samples["file_name"][0].decode() == data[0]["file_name"]
        # Cells of 8 pixels: the middle of the first lies between its fourth pixel and its fifth.
        assert samples["heatmap/x"][:2].tolist() == [3.5, 11.5]
        assert samples["picture/data"].attrs["CLASS"] == b"IMAGE"


def test_cells_lie_where_their_heatmap_has_them(corpus: Coco, tmp_path: Path, run: Run) -> None:
    for preset, expected in (("msra", [0, 4, 8]), ("udp", [0, 191 / 47, 2 * 191 / 47]), ("megvii", [1.5, 5.5, 9.5])):
        out = tmp_path / preset
        assert run("build", "--coco", corpus.root, "--out", out, "--preset", preset, "--limit", 2).status == 0
        assert run("inspect", out, "--nexus", tmp_path / "samples.h5").status == 0
        with h5py.File(tmp_path / "samples.h5") as file:
            assert np.allclose(file["samples/heatmap/x"][:3], expected)
            assert file["samples/weight"].attrs["axes"].tolist() == [b"sample", b"channel"]


def test_raw_pixels_in_a_shard_are_said_to_be_a_picture(build: Build) -> None:
    with h5py.File(min(build("raw").glob("*.h5"))) as file:
        attributes = {key: value.decode() for key, value in file["image/pixels"].attrs.items()}
    assert attributes == {
        "CLASS": "IMAGE",
        "IMAGE_VERSION": "1.2",
        "IMAGE_SUBCLASS": "IMAGE_TRUECOLOR",
        "INTERLACE_MODE": "INTERLACE_PIXEL",
    }


def test_mistakes_are_named(dataset: Path, tmp_path: Path, run: Run) -> None:
    for arguments, said in (
        (("--nexus", tmp_path / "no" / "samples.h5"), "create it first"),
        (("--nexus", tmp_path), "cannot be written"),
        (("--nexus", tmp_path / "samples.h5", "--json"), "does not go with"),
    ):
        outcome = run("inspect", dataset, *arguments)
        assert outcome.status == 2
        assert said in outcome.err


def test_no_result_takes_the_place_of_another_kind_of_file_or_of_a_shard(
    dataset: Path, tmp_path: Path, run: Run
) -> None:
    copy = Path(shutil.copytree(dataset, tmp_path / "copy"))
    shard, before = min(copy.glob("*.h5")), {path.name: path.read_bytes() for path in copy.iterdir() if path.is_file()}
    for command, target in (
        (("inspect", copy, "--sample", 0, "--save"), shard),
        (("inspect", copy, "--sheet"), copy / "manifest.json"),
        (("skeleton", "show", "coco-17", "--save"), shard),
        (("report", copy, "--out"), copy / "manifest.json"),
        (("inspect", copy, "--nexus"), copy / "manifest.json"),
        (("inspect", copy, "--nexus"), shard),
    ):
        outcome = run(*command, target)
        assert outcome.status == 2
        assert outcome.err.startswith(f"Error: {target}: is a")
        assert outcome.err.endswith("not replaced; choose another name\n")
    assert {path.name: path.read_bytes() for path in copy.iterdir() if path.is_file()} == before
    for command, name in (
        (("inspect", copy, "--sample", 0, "--save"), "picture"),
        (("report", copy, "--samples", 1, "--out"), "page"),
        (("inspect", copy, "--nexus"), "samples"),
    ):
        target = tmp_path / name
        target.touch()
        first, second = ((run(*command, target).status, target.stat().st_size) for _ in range(2))
        assert first == second == (0, target.stat().st_size)
