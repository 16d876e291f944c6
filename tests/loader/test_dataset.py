from __future__ import annotations

import dataclasses
import gc
import hashlib
import json
import multiprocessing
import os
import pickle
import shutil
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import h5py
import hdf5plugin  # noqa: F401 (registers the zstd filter)
import numpy as np
import pytest
from conftest import Build
from each import each

import posegen
from posegen.errors import ConfigError, ShardError
from posegen.shards.codecs import CODECS
from posegen.synthetic import write_sample_coco

SIZES = {"plain": (3, 3, 2), "packed": (3, 3, 3, 1), "raw": (3, 3, 2)}
LABELS = {"plain": ("heatmap", "paf", "mask"), "packed": ("heatmap", "paf", "mask"), "raw": ("heatmap", "paf")}


def shards(dataset: Path) -> list[Path]:
    return sorted(dataset.glob("shard-*.h5"))


def read_by_h5py(dataset: Path) -> list[dict[str, Any]]:
    """Read all samples as the README tells those who have h5py alone."""
    samples = []
    for path in shards(dataset):
        with h5py.File(path) as file:
            people = file["person/offsets"][:]
            for i in range(len(people) - 1):
                sample: dict[str, Any] = {}
                if "pixels" in file["image"]:
                    sample["image"] = file["image/pixels"][i]
                else:
                    start, end = file["image/offsets"][i : i + 2]
                    sample["image"] = cv2.imdecode(file["image/bytes"][start:end], cv2.IMREAD_COLOR)[..., ::-1]
                for name in {"heatmap", "paf", "mask"} & set(file):
                    sample[name] = file[name][i] * np.float32(file[name].attrs["scale"])
                for name in ("keypoints", "bbox", "annotation_id"):
                    sample[name] = file[f"person/{name}"][people[i] : people[i + 1]]
                for name in ("image_id", "width", "height", "affine"):
                    sample[name] = file[f"sample/{name}"][i]
                sample["file_name"] = file["sample/file_name"][i].decode()
                samples.append(sample)
    return samples


def assert_same(found: dict[str, Any], expected: dict[str, Any]) -> None:
    assert set(found) == set(expected)
    for name, value in expected.items():
        assert np.asarray(found[name]).dtype.kind == np.asarray(value).dtype.kind, name
        if name in {"heatmap", "paf", "mask"}:
            assert found[name].dtype == np.float32
            np.testing.assert_allclose(found[name], value, rtol=1e-6, atol=1e-9, err_msg=name)
        else:
            np.testing.assert_array_equal(found[name], value, name)


def digest(data: posegen.PoseDataset) -> str:
    """Hash everything that is read of a dataset."""
    hashed = hashlib.sha256()
    for sample in data:
        for name in sorted(sample):
            hashed.update(np.ascontiguousarray(sample[name]).tobytes())
    return hashed.hexdigest()


def send_digest(connection: Any, data: posegen.PoseDataset) -> None:
    connection.send(digest(data))
    connection.close()


def count_open(dataset: Path) -> int:
    """Count the files of a dataset that this process has open."""
    gc.collect()  # tracebacks of earlier tests hold datasets in cycles
    found = 0
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            found += str(dataset.resolve()) in str(descriptor.readlink())
        except OSError:
            continue
    return found


needs_proc = pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="only Linux lists open files there")


class TestSamples:
    @each(variant=[*SIZES])
    def test_a_sample_is_what_h5py_reads(self, build: Build, variant: str) -> None:
        data, expected = posegen.PoseDataset(build(variant)), read_by_h5py(build(variant))
        assert len(data) == len(expected) == sum(SIZES[variant])
        assert data.shard_sizes == SIZES[variant]
        for i, sample in enumerate(expected):
            assert_same(data[i], sample)
            assert data[i]["image"].shape == (*data.config.input_size, 3)

    @each(variant=[*SIZES])
    def test_raw_labels_are_as_they_are_stored(self, build: Build, variant: str) -> None:
        data = posegen.PoseDataset(build(variant), raw=True, fields=LABELS[variant])
        i = 0
        for path in shards(build(variant)):
            with h5py.File(path) as file:
                for k in range(len(file["sample/image_id"])):
                    for name in LABELS[variant]:
                        np.testing.assert_array_equal(data[i][name], file[name][k])
                        assert data[i][name].dtype == file[name].dtype
                        assert data.scales[name] == file[name].attrs["scale"]
                    i += 1

    def test_halves_are_dequantised_exactly(self, dataset: Path) -> None:
        data, raw = posegen.PoseDataset(dataset), posegen.PoseDataset(dataset, raw=True)
        for i in range(len(data)):
            np.testing.assert_array_equal(data[i]["paf"], raw[i]["paf"].astype(np.float32))

    def test_config_and_skeleton_are_the_builds(self, build: Build) -> None:
        data = posegen.PoseDataset(build("packed"))
        assert (data.config.layout, data.config.label_dtype, data.config.input_size) == ("hwc", "uint8", (64, 96))
        assert data.skeleton.keypoints[:2] == ("nose", "left_eye")

    def test_negative_numbers_count_from_the_end(self, dataset: Path) -> None:
        data = posegen.PoseDataset(dataset, fields=["image_id"])
        numbers = [sample["image_id"] for sample in data]
        assert [data[i]["image_id"] for i in range(-8, 0)] == numbers
        assert data[np.int64(-1)]["image_id"] == numbers[-1]

    @each(index=[8, -9, 1 << 70])
    def test_there_is_no_sample_beyond_the_ends(self, dataset: Path, index: int) -> None:
        data = posegen.PoseDataset(dataset)
        with pytest.raises(IndexError, match=f"there is no sample {index}: .* has 8"):
            data[index]
        with pytest.raises(IndexError, match=f"there is no sample {index}"):
            data.batch([0, index])

    def test_what_is_no_number_is_a_type_error(self, dataset: Path) -> None:
        with pytest.raises(TypeError):
            posegen.PoseDataset(dataset)["image"]  # type: ignore[call-overload]

    def test_iterating_gives_every_sample_once_and_again(self, dataset: Path) -> None:
        data = posegen.PoseDataset(dataset, fields=["file_name"])
        assert [s["file_name"] for s in data] == [s["file_name"] for s in read_by_h5py(dataset)]
        assert len(list(data)) == 8

    def test_what_is_read_may_be_changed(self, dataset: Path) -> None:
        data = posegen.PoseDataset(dataset)
        before = digest(data)
        for sample in data:
            for value in sample.values():
                if isinstance(value, np.ndarray):
                    value[...] = 7
        assert digest(data) == before

    def test_the_description_fits_what_is_read(self, build: Build) -> None:
        for raw in (False, True):
            data = posegen.PoseDataset(build("packed"), raw=raw)
            assert list(data[0]) == list(data.fields)
            for name, field in data.fields.items():
                value = np.asarray(data[5][name])
                assert "str" if value.dtype.kind == "U" else str(value.dtype) == field.dtype
                assert len(value.shape) == len(field.shape)
                assert all(b in {None, a} for a, b in zip(value.shape, field.shape, strict=True))


class TestFields:
    def test_nothing_else_is_returned(self, dataset: Path) -> None:
        data = posegen.PoseDataset(dataset, fields=("mask", "image_id"))
        assert set(data[0]) == set(data.batch([0, 1])) == set(data.fields) == {"mask", "image_id"}

    def test_nothing_else_is_read(self, dataset: Path, tmp_path: Path) -> None:
        copy = shutil.copytree(dataset, tmp_path / "copy")
        for path in shards(copy):
            with h5py.File(path) as file:
                chunk = file["paf"].id.get_chunk_info(0)
            with path.open("r+b") as raw:
                raw.seek(chunk.byte_offset)
                raw.write(b"\xff" * chunk.size)
        assert len(list(posegen.PoseDataset(copy, fields=["image", "heatmap", "mask", "keypoints"]))) == 8
        with pytest.raises(ShardError, match=r"copy/shard-00000-of-00003\.h5.*paf\[0\]"):
            posegen.PoseDataset(copy, fields=["paf"])[0]

    @each(
        "fields, said",
        [
            (
                ["heatmaps"],
                r"a sample has no 'heatmaps' \(did you mean 'heatmap'\?\); it has image, heatmap, paf, mask",
            ),
            (["image", "flow"], "a sample has no 'flow'; it has"),
            ("image", r"fields must be a list of names, as in \['image'\]"),
        ],
    )
    def test_one_that_is_not_there_is_refused(self, dataset: Path, fields: Any, said: str) -> None:
        with pytest.raises(ConfigError, match=said):
            posegen.PoseDataset(dataset, fields=fields)

    def test_a_dataset_without_a_label_has_no_such_field(self, build: Build) -> None:
        assert "mask" not in posegen.PoseDataset(build("raw")).fields

    @each("option, value", [("flip", "sometimes"), ("flip", 2), ("max_open", 0)])
    def test_a_wrong_option_is_refused(self, dataset: Path, option: str, value: Any) -> None:
        with pytest.raises(ConfigError, match=f"{option} must be"):
            posegen.PoseDataset(dataset, **{option: value})


class TestBatches:
    @each(variant=[*SIZES], indices=[[4], [7, 0, 3], [5, 5, -1, 0, 5], list(range(8))])
    def test_a_batch_has_its_samples_in_the_order_asked_for(
        self, build: Build, variant: str, indices: list[int]
    ) -> None:
        data = posegen.PoseDataset(build(variant))
        batch = data.batch(np.array(indices))
        assert list(batch) == list(data.fields)
        for place, index in enumerate(indices):
            for name, value in data[index].items():
                np.testing.assert_array_equal(batch[name][place], value, name)
        for name in ("image", *LABELS[variant], "affine", "image_id", "width"):
            assert isinstance(batch[name], np.ndarray)
            assert len(batch[name]) == len(indices)

    @each(variant=[*SIZES], samples=[0, 1, 3])
    def test_a_batch_is_the_same_however_many_samples_are_read_and_unpacked_at_once(
        self, build: Build, variant: str, samples: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        indices = [7, 0, 3, 3, 6, 1, 2]
        expected = posegen.PoseDataset(build(variant), flip="random", seed=1).batch(indices)
        data = posegen.PoseDataset(build(variant), flip="random", seed=1)
        largest = max(data[:1][name].nbytes for name in LABELS[variant])
        with monkeypatch.context() as patch:
            patch.setattr("posegen.loader.dataset._HELD_BYTES", samples * largest)
            patch.setattr("posegen.loader.batch._CACHED_BYTES", samples * largest // 4)
            found = data.batch(indices)
        for name, values in expected.items():
            for a, b in zip(found[name], values, strict=True):
                np.testing.assert_array_equal(a, b, name)

    def test_a_slice_is_a_batch(self, dataset: Path) -> None:
        data = posegen.PoseDataset(dataset)
        numbers = [sample["image_id"] for sample in data]
        for part in (slice(2, 7), slice(None, None, -1), slice(-3, None), slice(1, 100, 3)):
            np.testing.assert_array_equal(data[part]["image_id"], numbers[part])
            assert len(data[part]["image"]) == len(numbers[part])

    def test_an_empty_one_has_empty_arrays(self, dataset: Path) -> None:
        batch = posegen.PoseDataset(dataset).batch([])
        assert batch["image"].shape == (0, 368, 368, 3)
        assert batch["heatmap"].shape == (0, 19, 46, 46)
        assert batch["affine"].shape == (0, 2, 3)
        assert batch["keypoints"] == []

    def test_its_arrays_can_lie_where_the_caller_wants(self, dataset: Path) -> None:
        data = posegen.PoseDataset(dataset, fields=["image", "mask", "image_id"])
        memory: list[np.ndarray] = []

        def allocate(shape: tuple[int, ...], dtype: np.dtype[Any]) -> np.ndarray:
            memory.append(np.full(shape, 3, dtype))
            return memory[-1]

        batch = data.batch([1, 6], allocate)
        assert {id(array) for array in memory} == {id(batch["image"]), id(batch["mask"])}
        np.testing.assert_array_equal(batch["image"][1], data[6]["image"])

    def test_every_shard_is_opened_once(self, dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        data = posegen.PoseDataset(dataset, max_open=1)
        opened = []
        monkeypatch.setattr(data._pool, "_open_shard", opened_by(data._pool._open_shard, opened))
        data.batch([7, 0, 3, 6, 1, 4])
        data.close()
        assert opened == [0, 1, 2]


def opened_by(open_shard: Callable[[int], Any], opened: list[int]) -> Callable[[int], Any]:
    def open_and_note(shard: int) -> Any:
        opened.append(shard)
        return open_shard(shard)

    return open_and_note


class TestProcesses:
    @needs_proc
    def test_nothing_is_open_before_the_first_sample_is_read(self, dataset: Path) -> None:
        data = posegen.PoseDataset(dataset)
        assert count_open(dataset) == 0
        data[0]
        assert count_open(dataset) == 1
        data.close()
        assert count_open(dataset) == 0
        data[0]
        data.close()

    @needs_proc
    @each(most=[1, 2, 64])
    def test_no_more_shards_are_open_than_allowed(self, dataset: Path, most: int) -> None:
        data = posegen.PoseDataset(dataset, max_open=most)
        for i in (0, 7, 3, 1, 6, 4, 0):
            data[i]
            assert count_open(dataset) <= most
        assert count_open(dataset) == min(most, 3)
        data.close()

    def test_the_shard_used_longest_ago_is_closed_first(self, dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        data = posegen.PoseDataset(dataset, max_open=2)
        opened: list[int] = []
        monkeypatch.setattr(data._pool, "_open_shard", opened_by(data._pool._open_shard, opened))
        for i in (0, 3, 1, 7, 2, 4):
            data[i]
        data.close()
        assert opened == [0, 1, 2, 1]

    @pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
    @pytest.mark.parametrize("method", ["fork", "spawn"])
    def test_another_process_reads_what_this_one_has_open(self, dataset: Path, method: str) -> None:
        data = posegen.PoseDataset(dataset)
        expected = digest(data)
        context = multiprocessing.get_context(method)
        pipes = [context.Pipe(duplex=False) for _ in range(2)]
        processes = [context.Process(target=send_digest, args=(pipe[1], data)) for pipe in pipes]
        for process in processes:
            process.start()
        assert digest(data) == expected, "while others read"
        for process, (ours, theirs) in zip(processes, pipes, strict=True):
            theirs.close()
            assert ours.recv() == expected
            process.join()
            assert process.exitcode == 0
        assert digest(data) == expected, "after others closed their files"

    @needs_proc
    def test_a_pickle_has_no_open_files_in_it(self, dataset: Path) -> None:
        data = posegen.PoseDataset(dataset, fields=["image", "paf"], flip="random", seed=3, raw=True, max_open=2)
        expected = digest(data)
        data.close()
        copy = pickle.loads(pickle.dumps(data))
        assert count_open(dataset) == 0
        assert (repr(copy), digest(copy)) == (repr(data), expected)
        assert count_open(dataset) == 2
        copy.close()

    def test_threads_can_share_it(self, dataset: Path) -> None:
        data = posegen.PoseDataset(dataset, max_open=1)
        expected = [sample["paf"].sum() + sample["image"].sum() for sample in data]

        def read(i: int) -> bool:
            sample = data[i % 8]
            return bool(sample["paf"].sum() + sample["image"].sum() == expected[i % 8])

        with ThreadPoolExecutor(4) as threads:
            assert all(threads.map(read, range(64)))

    @pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="only Linux tells memory there")
    def test_memory_does_not_grow_from_epoch_to_epoch(self, build: Build) -> None:
        data = posegen.PoseDataset(build("raw"), max_open=2)

        def resident() -> int:
            return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

        def read(epochs: int) -> int:
            for _ in range(epochs):
                for i in (0, 7, 3, 1, 6, 4, 2, 5):
                    data[i]
            return resident()

        before = read(10)
        assert read(40) - before < 4 << 20

    def test_what_is_held_of_a_batch_does_not_grow_with_it(self, build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("posegen.loader.dataset._HELD_BYTES", 1 << 20)
        data = posegen.PoseDataset(build("raw"), raw=True)
        data.batch([0, 3, 6])
        tracemalloc.start()
        try:
            found = data.batch([*range(8)] * 40)
            now, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert sum(values.nbytes for values in found.values() if isinstance(values, np.ndarray)) > 40 << 20
        assert peak - now < 4 << 20

    def test_its_name_says_how_it_reads(self, dataset: Path) -> None:
        assert repr(posegen.PoseDataset(dataset, fields=["mask", "image"], flip=True)) == (
            f"PoseDataset({str(dataset)!r}, fields=['image', 'mask'], flip=True)"
        )


class TestChance:
    @each(flip=[1, np.True_])
    def test_what_is_equal_to_true_is_true(self, dataset: Path, flip: Any) -> None:
        data = posegen.PoseDataset(dataset, fields=["affine"], flip=flip)
        assert (data.batch(range(8))["affine"][:, 0, 0] < 0).all()

    def test_some_samples_are_flipped_and_some_are_not(self, dataset: Path) -> None:
        plain, flipped = (posegen.PoseDataset(dataset, fields=["image"], flip=flip) for flip in (False, True))
        mixed = posegen.PoseDataset(dataset, fields=["image"], flip="random", seed=0)
        seen = set()
        for epoch in range(4):
            mixed.epoch = epoch
            for i in range(8):
                mirrored = np.array_equal(mixed[i]["image"], flipped[i]["image"])
                assert mirrored or np.array_equal(mixed[i]["image"], plain[i]["image"])
                seen.add((i, mirrored))
        assert len(seen) >= 14, "over epochs nearly all are seen both ways"

    def test_with_a_seed_it_depends_on_seed_epoch_and_number_alone(self, dataset: Path) -> None:
        def affine(order: list[int], epoch: int, seed: int) -> list[float]:
            data = posegen.PoseDataset(dataset, fields=["affine"], flip="random", seed=seed)
            data.epoch = epoch
            found = {i: float(data[i]["affine"][0, 0]) for i in order}
            return [found[i] for i in range(8)]

        forwards = affine([*range(8)], 0, 5)
        assert affine([*range(7, -1, -1)], 0, 5) == forwards
        assert affine([*range(8)], 1, 5) != forwards
        assert affine([*range(8)], 0, 6) != forwards

    def test_half_of_many_are_flipped(self) -> None:
        from posegen.loader.flip import Chance

        coins = np.array([[Chance(seed).toss(epoch, i) for i in range(500)] for seed in (0, 1) for epoch in (0, 1)])
        assert (np.abs(coins.mean(axis=1) - 0.5) < 0.1).all()
        assert (np.abs(np.corrcoef(coins) - np.eye(4)) < 0.2).all()

    def test_without_a_seed_every_reading_is_another(self, dataset: Path) -> None:
        data = posegen.PoseDataset(dataset, fields=["affine"], flip="random")
        assert {float(data[0]["affine"][0, 0]) < 0 for _ in range(64)} == {False, True}


class TestDamage:
    @pytest.fixture
    def copy(self, dataset: Path, tmp_path: Path) -> Path:
        return Path(shutil.copytree(dataset, tmp_path / "copy"))

    def test_a_directory_without_a_manifest_is_no_dataset(self, tmp_path: Path) -> None:
        with pytest.raises(ShardError, match="has no manifest"):
            posegen.PoseDataset(tmp_path)

    def test_a_missing_shard_is_named(self, copy: Path) -> None:
        shards(copy)[1].unlink()
        data = posegen.PoseDataset(copy)
        data[0], data[-1]
        with pytest.raises(ShardError, match=r"shard-00001-of-00003\.h5: no such shard"):
            data[3]

    def test_a_shard_that_is_cut_while_it_is_open_is_named(self, copy: Path) -> None:
        data = posegen.PoseDataset(copy, fields=["paf"])
        data[0]
        os.truncate(shards(copy)[0], 3000)
        with pytest.raises(ShardError, match=r"shard-00000-of-00003\.h5: is damaged: paf\[0\] .* bytes are there of"):
            data[0]

    def test_a_shard_that_was_cut_is_named(self, copy: Path) -> None:
        path = shards(copy)[2]
        os.truncate(path, path.stat().st_size - 1)
        with pytest.raises(ShardError, match=r"shard-00002-of-00003\.h5: "):
            posegen.PoseDataset(copy)[7]

    def test_a_shard_of_another_size_is_named(self, copy: Path) -> None:
        with shards(copy)[1].open("ab") as file:
            file.write(b"x")
        with pytest.raises(ShardError, match=r"shard-00001-of-00003\.h5: was changed after the build: it has"):
            posegen.PoseDataset(copy)[3]

    def test_shards_that_changed_places_are_named(self, copy: Path) -> None:
        first, second, _ = shards(copy)
        first.rename(copy / "x.h5")
        second.rename(first)
        (copy / "x.h5").rename(second)
        with pytest.raises(ShardError, match=r"shard-00000-of-00003\.h5: was changed after the build"):
            posegen.PoseDataset(copy)

    def test_a_shard_of_another_build_is_named(self, copy: Path, build: Build) -> None:
        path = copy / "manifest.json"
        record = json.loads(path.read_text())
        foreign = shards(build("raw"))[1]
        shutil.copy(foreign, shards(copy)[1])
        record["shards"][1]["bytes"] = foreign.stat().st_size
        path.write_text(json.dumps(record))
        with pytest.raises(ShardError, match=r"shard-00001-of-00003\.h5: was built with another configuration"):
            posegen.PoseDataset(copy)[3]

    def test_a_flipped_bit_in_a_label_is_named(self, copy: Path) -> None:
        path = shards(copy)[1]
        with h5py.File(path) as file:
            chunk = file["heatmap"].id.get_chunk_info(2)
        with path.open("r+b") as file:
            file.seek(chunk.byte_offset + chunk.size // 2)
            byte = file.read(1)[0]
            file.seek(-1, os.SEEK_CUR)
            file.write(bytes([byte ^ 16]))
        data = posegen.PoseDataset(copy)
        data[3], data[4]
        with pytest.raises(ShardError, match=r"shard-00001-of-00003\.h5.*heatmap\[2\].*its checksum is wrong"):
            data.batch([0, 5])

    def test_a_picture_that_is_none_is_named(self, copy: Path) -> None:
        path = shards(copy)[2]
        with h5py.File(path, "r+") as file:
            file["image/bytes"][: file["image/offsets"][1]] = 0
        with pytest.raises(ShardError, match=r"shard-00002-of-00003\.h5: the picture of sample 0: is not an image"):
            posegen.PoseDataset(copy)[6]
        assert posegen.PoseDataset(copy)[7]["image"].any()


@pytest.mark.parametrize("compression", ["zstd", "lzf"])
def test_what_cannot_be_unpacked_here_is_left_to_hdf5(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compression: Any
) -> None:
    write_sample_coco(tmp_path / "coco", images=3)
    posegen.build(tmp_path / "coco", tmp_path / "out", posegen.BuildConfig(compression=compression), workers=1)
    wanted = posegen.PoseDataset(tmp_path / "out", raw=True)[0]
    kept = dataclasses.replace(CODECS[compression], inflate=None)
    monkeypatch.setattr("posegen.shards.rules.CODECS", {compression: kept})
    found = posegen.PoseDataset(tmp_path / "out", raw=True)[0]
    for name in ("heatmap", "paf", "mask"):
        np.testing.assert_array_equal(found[name], wanted[name])
