from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pytest

from posegen.errors import ConfigError, ShardError
from posegen.inspect.summary import describe, find_samples, open_sample

if TYPE_CHECKING:
    from conftest import Build, Coco, Run


@pytest.fixture
def copy(dataset: Path, tmp_path: Path) -> Path:
    """A copy of the dataset, to be damaged."""
    return Path(shutil.copytree(dataset, tmp_path / "copy", ignore=shutil.ignore_patterns(".posegen")))


def shards_of(dataset: Path) -> list[Path]:
    return sorted(dataset.glob("*.h5"))


class TestDescribe:
    def test_samples_people_and_keypoints_are_those_in_the_shards(self, dataset: Path) -> None:
        description = describe(dataset)
        keypoints, samples = [], 0
        for shard in shards_of(dataset):
            with h5py.File(shard) as file:
                samples += len(file["sample/image_id"])
                keypoints.append(file["person/keypoints"][...])
        labelled = (np.concatenate(keypoints)[..., 2] > 0).sum(axis=0)
        assert (description["samples"], description["people"]) == (samples, sum(map(len, keypoints))) == (8, 11)
        assert description["shards"] == 3
        assert list(description["keypoints"].values()) == labelled.tolist()
        assert list(description["keypoints"])[:3] == ["nose", "neck", "right_shoulder"]
        assert description["keypoints"]["neck"] > 0

    def test_arrays_are_added_up_over_the_shards(self, dataset: Path) -> None:
        arrays = describe(dataset)["arrays"]
        expected: dict[str, Any] = {}

        def add(name: str, item: Any) -> None:
            if isinstance(item, h5py.Dataset) and not name.startswith("preview/"):
                total = expected.setdefault(name, {"first": 0, "stored": 0, "logical": 0})
                total["first"] += item.shape[0]
                total["stored"] += item.id.get_storage_size()
                total["logical"] += item.nbytes

        for shard in shards_of(dataset):
            with h5py.File(shard) as file:
                file.visititems(add)
        assert arrays.keys() == expected.keys()
        for name, array in arrays.items():
            # Offsets have one more than there are samples, in every shard.
            first = expected[name]["first"] - (2 if name.endswith("offsets") else 0)
            assert array["shape"][0] == first
            assert (array["stored"], array["logical"]) == (expected[name]["stored"], expected[name]["logical"])
            assert array["ratio"] == pytest.approx(array["logical"] / array["stored"], abs=0.006)

    def test_a_label_has_its_shape_dtype_chunk_and_compressor(self, dataset: Path) -> None:
        arrays = describe(dataset)["arrays"]
        assert arrays["heatmap"]["shape"] == [8, 19, 46, 46]
        assert arrays["paf"]["shape"] == [8, 38, 46, 46]
        assert arrays["mask"]["shape"] == [8, 1, 46, 46]
        for name in ("heatmap", "paf", "mask"):
            assert arrays[name]["dtype"] == "float16"
            assert arrays[name]["chunk"] == [1, *arrays[name]["shape"][1:]]
            assert arrays[name]["compressor"] == "zstd"
            assert arrays[name]["ratio"] > 3

    def test_size_is_that_of_the_files(self, dataset: Path) -> None:
        assert describe(dataset)["bytes"] == sum(p.stat().st_size for p in shards_of(dataset))

    def test_configuration_skeleton_and_versions_are_those_of_the_build(self, dataset: Path) -> None:
        description = describe(dataset)
        assert description["config"]["shard_size"] == 3
        assert description["config"]["input_size"] == [368, 368]
        assert description["skeleton"]["name"] == "openpose-18"
        assert len(description["skeleton"]["limbs"]) == 19
        assert description["versions"]["numpy"] == np.__version__

    def test_a_dataset_has_what_the_manifest_knows(self, dataset: Path) -> None:
        description = describe(dataset)
        assert description["kind"] == "dataset"
        assert description["failures"] == 0
        assert description["audit"]["images"] == 10
        assert description["source"]["images"] == "train2017"

    def test_people_without_a_place_are_summed_up_over_the_shards(self, coco: Coco, run: Run, tmp_path: Path) -> None:
        for people in (33, 1, 40):
            image = coco.image(40, 30)
            for n in range(people):
                coco.person(image, bbox=[n / 2, 1, 10, 20])
        options = ("--preset", "centernet", "--labels", "centernet", "--input-size", "64x64", "--shard-size", 1)
        for stride, names in (("4", ["centernet"]), ("4,8", ["centernet_s4", "centernet_s8"])):
            out = tmp_path / stride
            outcome = run("build", "--coco", coco.write(), "--out", out, *options, "--stride", stride, "--workers", 1)
            assert outcome.status == 0, outcome.err
            description = describe(out)
            assert description["shards"] > 1
            assert description["left_out"] == dict.fromkeys(names, 1 + 8)
            said = [f"9 people left out: without a place in {name}" for name in names]
            assert run("inspect", out).out.splitlines()[1 : 1 + len(said)] == said

    def test_one_shard_is_described_alone(self, dataset: Path) -> None:
        last = shards_of(dataset)[-1]
        description = describe(last)
        assert (description["kind"], description["shards"], description["samples"]) == ("shard", 1, 2)
        assert description["bytes"] == last.stat().st_size
        assert "audit" not in description

    def test_it_is_json(self, dataset: Path) -> None:
        description = describe(dataset)
        assert json.loads(json.dumps(description)) == description

    def test_shards_of_raw_pixels_are_described(self, build: Build) -> None:
        arrays = describe(build("raw"))["arrays"]
        assert arrays["image/pixels"]["shape"] == [8, 72, 128, 3]
        assert arrays["heatmap"]["compressor"] == ""
        assert "mask" not in arrays


class TestMistakes:
    def test_a_missing_path_is_a_wrong_call(self, tmp_path: Path) -> None:
        for look in (describe, lambda path: open_sample(path, 0).__enter__()):
            with pytest.raises(ConfigError, match=r"nowhere: no such file or directory; expected a dataset"):
                look(tmp_path / "nowhere")

    def test_a_directory_without_a_manifest_is_no_dataset(self, tmp_path: Path) -> None:
        with pytest.raises(ShardError, match="it is no dataset"):
            describe(tmp_path)

    def test_a_missing_shard_is_named(self, copy: Path) -> None:
        gone = shards_of(copy)[1]
        gone.unlink()
        with pytest.raises(ShardError, match=f"{gone.name}: no such shard"):
            describe(copy)

    def test_a_truncated_shard_is_named(self, copy: Path) -> None:
        short = shards_of(copy)[1]
        short.write_bytes(short.read_bytes()[:5000])
        with pytest.raises(ShardError, match=f"{short.name}: is not an HDF5 file, or is damaged"):
            describe(copy)

    def test_shards_of_different_configurations_do_not_go_together(self, copy: Path) -> None:
        with h5py.File(shards_of(copy)[1], "r+") as file:
            config = json.loads(file.attrs["config"])
            file.attrs["config"] = np.bytes_(json.dumps(config | {"seed": 99}))
        with pytest.raises(ShardError, match="must have one config, but two differ"):
            describe(copy)

    def test_a_dataset_of_which_all_samples_failed_says_so(self, copy: Path) -> None:
        record = json.loads((copy / "manifest.json").read_text(encoding="utf-8"))
        (copy / "manifest.json").write_text(json.dumps(record | {"shards": [], "failures": 8}), encoding="utf-8")
        for look in (describe, lambda path: open_sample(path, 0).__enter__()):
            with pytest.raises(ShardError, match="holds no samples: all 8 failed"):
                look(copy)


class TestOpenSample:
    def test_samples_are_counted_through_the_shards(self, dataset: Path) -> None:
        expected = []
        for shard in shards_of(dataset):
            with h5py.File(shard) as file:
                expected += file["sample/image_id"][...].tolist()
        found = []
        for index in range(8):
            with open_sample(dataset, index) as (reader, position):
                found.append(reader.sample(position)["image_id"])
        assert found == expected
        assert len(set(found)) == 8

    def test_samples_of_one_shard_are_counted_from_its_first(self, dataset: Path) -> None:
        last = shards_of(dataset)[-1]
        with open_sample(last, 1) as (reader, position):
            assert (reader.path, position) == (last, 1)

    def test_a_sample_that_is_not_there_is_a_wrong_call(self, dataset: Path) -> None:
        for index in [-1, 8, 1000]:
            with pytest.raises(ConfigError, match=rf"there is no sample {index}; samples are 0\.\.7"):
                open_sample(dataset, index).__enter__()


class TestFindSamples:
    def test_an_index_an_image_and_a_file_name_or_its_end_are_the_same_sample(self, dataset: Path) -> None:
        held = read_names(dataset)
        assert len(held) == 8
        for index, (image_id, name) in enumerate(held):
            end = next(name[k:] for k in range(len(name), -1, -1) if sum(n.endswith(name[k:]) for _, n in held) == 1)
            for wanted in (str(index), f"image:{image_id}", name, end):
                assert find_samples(dataset, wanted) == [index]

    def test_people_of_one_image_are_all_found(self, run: Run, corpus: Coco, tmp_path: Path) -> None:
        options = ("--preset", "udp", "--input-size", "48x64", "--workers", 1)
        assert run("build", "--coco", corpus.root, "--out", tmp_path / "out", *options).status == 0
        held = read_names(tmp_path / "out")
        for image_id, name in held:
            expected = [k for k, (other, _) in enumerate(held) if other == image_id]
            assert find_samples(tmp_path / "out", f"image:{image_id}") == expected
            assert find_samples(tmp_path / "out", name) == expected
        assert len({image_id for image_id, _ in held}) < len(held)

    def test_an_image_is_found_by_the_text_that_is_its_id(self, coco: Coco, run: Run, tmp_path: Path) -> None:
        for entry in coco.document["images"]:
            entry["id"] = f"cam_{entry['id']}"
        for person in coco.document["annotations"]:
            person["image_id"] = f"cam_{person['image_id']}"
        assert run("build", "--coco", coco.write(), "--out", tmp_path / "out", "--workers", 1).status == 0
        names = {entry["file_name"]: entry["id"] for entry in coco.document["images"]}
        for index, (_, name) in enumerate(read_names(tmp_path / "out")):
            assert find_samples(tmp_path / "out", f"image:{names[name]}") == [index]

    def test_what_is_not_there_is_told_with_what_is(self, dataset: Path) -> None:
        held = read_names(dataset)
        image_id, name = held[0]
        wrong = name[:-5] + "?" + name[-5:]
        with pytest.raises(
            ConfigError, match=r"no sample of a file .* \(did you mean '.*'\?\); it holds .* and 4 more; "
        ):
            find_samples(dataset, wrong)
        with pytest.raises(ConfigError, match=rf"no sample of image '{image_id}0'.*; it holds {image_id}, "):
            find_samples(dataset, f"image:{image_id}0")
        for wanted in ("8", "-1"):
            with pytest.raises(ConfigError, match=rf"there is no sample {wanted}; samples are 0\.\.7"):
                find_samples(dataset, wanted)
        for wanted in ("", "no file"):
            with pytest.raises(ConfigError, match=f"no sample of a file '{wanted}'; it holds "):
                find_samples(dataset, wanted)

    def test_an_end_of_several_names_is_refused(self, dataset: Path) -> None:
        with pytest.raises(ConfigError, match=r"'g' is the end of 8 files' names, .*, .* \.\.\.; give more of it"):
            find_samples(dataset, "g")


def read_names(dataset: Path) -> list[tuple[int, str]]:
    held: list[tuple[int, str]] = []
    for shard in shards_of(dataset):
        with h5py.File(shard) as file:
            names = file["sample/file_name"].asstr()[...]
            held += zip(file["sample/image_id"][...].tolist(), names.tolist(), strict=True)
    return held
