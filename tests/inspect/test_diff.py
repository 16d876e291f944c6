"""Two datasets, compared: what differs is found, and where, and nothing else is."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin  # noqa: F401 (registers the compressor)
import numpy as np
import pytest
from by_hand import show_picture, sum_again
from conftest import Build, Coco, Run
from executors import InProcess

from posegen.build.pipeline import build as build_dataset
from posegen.config import BuildConfig
from posegen.errors import ConfigError, ShardError
from posegen.inspect import diff
from posegen.inspect.diff import DatasetDifference
from posegen.shards import SampleKey

Make = Callable[..., Path]

compare = partial(diff.compare, executor=InProcess())


@pytest.fixture(scope="module")
def make(corpus: Coco, tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Build the corpus with some options, small, once for equal options."""
    built: dict[str, Path] = {}

    def make_dataset(**options: Any) -> Path:
        if repr(options) not in built:
            out = tmp_path_factory.mktemp("differing") / "out"
            config = BuildConfig(**{"input_size": (64, 96), "shard_size": 3, **options})
            build_dataset(corpus.root, out, config, workers=1)
            built[repr(options)] = out
        return built[repr(options)]

    return make_dataset


def by_array(found: DatasetDifference) -> dict[str, Any]:
    return {array.array: array for array in found.arrays}


def read(directory: Path) -> dict[int, dict[str, Any]]:
    """Read all samples by plain h5py, by image id."""
    samples = {}
    for path in sorted(directory.glob("*.h5")):
        with h5py.File(path) as file:
            for i, image in enumerate(file["sample/image_id"][:].tolist()):
                sample = {
                    name: file[name][i] * np.float32(file[name].attrs["scale"])
                    for name in ("heatmap", "paf", "mask")
                    if name in file
                }
                sample["picture"] = show_picture(file, i)[..., ::-1].astype(int)
                samples[image] = sample
    return samples


def test_a_dataset_is_equal_to_itself(make: Make) -> None:
    found = compare(make(), make())
    assert found.equal
    assert found.samples == 8
    assert {array.array for array in found.arrays} >= {"heatmap", "paf", "mask", "keypoints", "picture", "people"}
    assert all(array.largest == array.samples == 0 for array in found.arrays)


def test_other_shards_and_another_order_are_no_difference_but_for_the_options(make: Make) -> None:
    for workers in [1, 2]:
        found = diff.compare(make(), make(seed=5, shard_size=2), workers=workers)
        assert found.config == {"seed": (0, 5), "shard_size": (3, 2)}
        assert found.samples == 8
        assert all(array.largest == 0 for array in found.arrays)
        assert not found.equal


def test_the_largest_difference_of_each_label_is_found_where_it_is(make: Make) -> None:
    pair = make(label_dtype="float32"), make(label_dtype="float32", sigma_px=7.0)
    found = compare(*pair)
    assert found.config == {"sigma_px": (8.0, 7.0)}
    arrays, (a, b) = by_array(found), map(read, pair)
    assert arrays["paf"].largest == arrays["mask"].largest == arrays["picture"].largest == 0
    differences = {image: abs(a[image]["heatmap"] - b[image]["heatmap"]) for image in a}
    heatmap = arrays["heatmap"]
    assert heatmap.largest == max(difference.max() for difference in differences.values()) > 0
    assert heatmap.samples == sum(difference.any() for difference in differences.values())
    channel, row, column = heatmap.where.split(", ")
    with h5py.File(next(pair[0].glob("*.h5"))) as file:
        channels = json.loads(file["heatmap"].attrs["channels"])
    index = channels.index(channel), int(row.removeprefix("row ")), int(column.removeprefix("column "))
    assert differences[heatmap.sample.image_id][index] == heatmap.largest


def test_what_rounding_to_8_bits_takes_is_within_its_bound(make: Make) -> None:
    pair = make(label_dtype="float32"), make(label_dtype="uint8")
    found = compare(*pair)
    assert 0 < by_array(found)["heatmap"].largest <= 0.5 / 255 + 1e-6
    assert 0 < by_array(found)["paf"].largest <= 0.5 / 127 + 1e-6


def test_differences_within_the_tolerance_do_not_count(make: Make, tmp_path: Path) -> None:
    changed = tmp_path / "changed"
    shutil.copytree(make(compression="none"), changed)
    with h5py.File(sorted(changed.glob("*.h5"))[1], "r+") as file:
        file["paf"][1, 3, 4, 5] += np.float16(0.25)
        image = int(file["sample/image_id"][1])
        channel = json.loads(file["paf"].attrs["channels"])[3]
    sum_again(sorted(changed.glob("*.h5"))[1])
    found = compare(make(compression="none"), changed)
    paf = by_array(found)["paf"]
    assert (paf.largest, paf.samples, paf.sample) == (0.25, 1, SampleKey(image))
    assert paf.where == f"{channel}, row 4, column 5"
    assert not found.equal
    assert not compare(make(compression="none"), changed, tolerance=0.24).equal
    assert compare(make(compression="none"), changed, tolerance=0.25).equal


def test_what_is_known_of_a_sample_is_compared(make: Make, tmp_path: Path) -> None:
    for name, array, index, change, where in (
        ("keypoints", "person/keypoints", (1, 0, 1), 0.5, "nose"),
        ("visibility", "person/keypoints", (1, 0, 2), 1.0, "nose"),
        ("bbox", "person/bbox", (1, 2), 2.0, "width"),
        ("affine", "sample/affine", (1, 0, 2), 0.125, "row 0, column 2"),
        ("image", "sample/width", (1,), 7, "width"),
    ):
        changed = Path(shutil.copytree(make(), tmp_path / name))
        with h5py.File(min(changed.glob("*.h5")), "r+") as file:
            value = file[array][...]
            value[index] += change
            file[array][...] = value
        found = compare(make(), changed)
        assert {of.array for of in found.arrays if of.largest} == {name}
        assert by_array(found)[name].largest == pytest.approx(change, rel=1e-5)
        assert by_array(found)[name].samples == 1
        assert by_array(found)[name].where.endswith(where)
        assert not compare(make(), changed, tolerance=100).equal


def test_pictures_are_compared_decoded(make: Make) -> None:
    pair = make(), make(jpeg_quality=50)
    picture = by_array(compare(*pair))["picture"]
    a, b = map(read, pair)
    assert picture.largest == max(abs(a[image]["picture"] - b[image]["picture"]).max() for image in a)
    png, raw = make(image_encoding="png"), make(image_encoding="raw")
    assert by_array(compare(png, raw))["picture"].largest == 0


def test_samples_that_one_has_alone_are_named(make: Make) -> None:
    found = compare(make(), make(limit=5))
    everything, some = (set(read(path)) for path in (make(), make(limit=5)))
    assert (found.samples, found.only_b) == (5, ())
    assert found.only_a == tuple(map(SampleKey, sorted(everything - some)))
    assert not found.equal


def test_people_are_matched_by_annotation_where_they_are_samples(make: Make) -> None:
    options = {"unit": "person", "labels": ("heatmap",)}
    pair = make(**options), make(**options, limit=9)
    found = compare(*pair)
    assert found.samples == 9
    assert len(found.only_a) > 0
    assert all(key.annotation_id is not None and key.copy is None for key in found.only_a)
    assert all(array.largest == 0 for array in found.arrays)


def test_what_cannot_be_compared_is_said(make: Make) -> None:
    found = compare(make(), make(stride=4, labels=("heatmap", "limb")))
    assert found.unlike == (
        "heatmap has 12x8 cells in a, 24x16 in b",
        "limb is only in b",
        "mask is only in a",
        "paf is only in a",
    )
    found = compare(make(), make(input_size=(96, 96), labels=("mask",)))
    assert "picture is of 96x64 pixels in a, 96x96 in b" in found.unlike


def test_other_skeletons_are_compared_by_the_names_they_share(make: Make) -> None:
    found = compare(make(), make(skeleton=None))
    assert found.skeleton
    assert "heatmap has channels in a alone: neck" in found.unlike
    arrays = by_array(found)
    assert arrays["keypoints"].largest == arrays["mask"].largest == 0
    # All but the background, which the neck is a part of.
    assert arrays["heatmap"].where.startswith("background")


def test_it_says_what_it_found_and_ends_as_diff_does(make: Make, run: Run) -> None:
    same = run("diff", make(), make(), "--workers", 1)
    assert (same.status, same.out) == (0, "8 samples: no differences\n")
    other = run("diff", make(), make(sigma_px=7.0, limit=6), "--workers", 1)
    assert other.status == 1
    assert "6 samples in both, 2 only in a, 0 only in b" in other.out
    assert "  sigma_px: 8.0, 7.0" in other.out
    assert "heatmap" in other.out


def test_json_has_it_all(make: Make, run: Run) -> None:
    outcome = run("diff", make(), make(sigma_px=7.0), "--workers", 1, "--json")
    record = json.loads(outcome.out)
    assert (outcome.status, record["equal"], record["samples"]) == (1, False, 8)
    assert record["config"] == {"sigma_px": [8.0, 7.0]}
    assert {array["array"] for array in record["arrays"] if array["largest"]} == {"heatmap"}


def test_trouble_is_no_difference(make: Make, run: Run, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such directory"):
        compare(make(), tmp_path / "none")
    assert run("diff", make(), tmp_path / "none").status == 2
    damaged = tmp_path / "damaged"
    shutil.copytree(make(), damaged)
    shard = min(damaged.glob("*.h5"))
    shard.write_bytes(shard.read_bytes()[:1000])
    with pytest.raises(ShardError, match=shard.name):
        compare(make(), damaged)
    outcome = run("diff", make(), damaged, "--workers", 1)
    assert outcome.status == 2
    assert "Traceback" not in outcome.err


def test_the_default_build_is_compared_in_several_processes(build: Build) -> None:
    assert diff.compare(build(), build(workers=2), workers=2).equal


def test_a_tolerance_ends_with_a_verdict_and_is_for_how_labels_are_stored(make: Make, run: Run) -> None:
    rounded = make(), make(label_dtype="uint8")
    assert not compare(*rounded).equal
    within = run("diff", *rounded, "--tolerance", 0.01, "--workers", 1)
    assert within.out == "8 samples: no differences (labels to within 0.01), label_dtype float16 and uint8\n"
    assert within.status == 0
    outside = run("diff", *rounded, "--tolerance", 0.0001, "--workers", 1)
    verdict = outside.out.splitlines()[-1]
    assert outside.status == 1
    assert verdict.startswith("not equal, with labels to within 0.0001: heatmap by 0.00")
    assert "label_dtype" not in verdict
    other = run("diff", make(), make(sigma_px=7.0, limit=6), "--tolerance", 1, "--workers", 1)
    assert other.out.splitlines()[-1].endswith(": 2 samples only in a; built with other options: sigma_px, limit")
