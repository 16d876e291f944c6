"""Datasets of format 1 are read, flipped, checked and compared as ever; what is built takes their place whole."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from conftest import Coco
from executors import InProcess
from first_format import write_first_format

import posegen
from posegen.build.checkpoint import BuildState
from posegen.errors import BuildError, ShardError
from posegen.inspect.summary import describe
from posegen.shards import FORMAT_VERSION, ShardReader
from posegen.shards.manifest import Manifest

HERE = InProcess()
CONFIGS = {
    "png": posegen.BuildConfig(input_size=(64, 96), shard_size=3, image_encoding="png"),
    "raw": posegen.BuildConfig(
        input_size=(64, 96), shard_size=3, image_encoding="raw", compression="gzip", label_dtype="float32"
    ),
    "packed": posegen.BuildConfig(
        input_size=(96, 64), shard_size=3, image_encoding="png", compression="gzip", label_dtype="uint8", layout="hwc"
    ),
    "people": posegen.BuildConfig.preset("udp", input_size=(64, 48), image_encoding="png", compression="none"),
}


@pytest.fixture(scope="module", params=CONFIGS)
def pair(request: pytest.FixtureRequest, corpus: Coco, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A dataset in format 1, and the same in today's; not to be changed."""
    home = tmp_path_factory.mktemp("formats")
    posegen.build(corpus.root, home / "new", CONFIGS[request.param], executor=HERE)
    return write_first_format(home / "new", home / "old", mirrors=request.param != "packed"), home / "new"


@pytest.fixture
def old(coco: Coco, tmp_path: Path) -> Path:
    """A dataset in format 1 of two shards, in which a build was; to be changed."""
    config = posegen.BuildConfig(input_size=(64, 96), shard_size=1, image_encoding="png")
    posegen.build(coco.write(), tmp_path / "new", config, executor=HERE)
    write_first_format(tmp_path / "new", tmp_path / "old")
    shutil.copytree(tmp_path / "new" / ".posegen", tmp_path / "old" / ".posegen")
    manifest = Manifest.read(tmp_path / "old")
    for record in manifest.shards:  # the records that a build of that time left
        path = next((tmp_path / "old" / ".posegen").rglob(record.file.replace(".h5", ".json")))
        found = json.loads(path.read_text())
        found["shard"] |= {"bytes": record.bytes, "sha256": record.sha256}
        assert found["of"].pop("format") == FORMAT_VERSION
        path.write_text(json.dumps(found))
    return tmp_path / "old"


def damage(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))


def assert_alike(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert one.keys() == other.keys()
    for name, value in one.items():
        lists = (value, other[name]) if isinstance(value, list) else ([value], [other[name]])
        for mine, theirs in zip(*lists, strict=True):
            np.testing.assert_array_equal(mine, theirs, name)


def test_they_are_read_and_flipped_as_those_of_today(pair: tuple[Path, Path]) -> None:
    for options in ({}, {"raw": True}, {"flip": True}):
        datasets = [posegen.PoseDataset(path, **options) for path in pair]
        assert len(datasets[0]) == len(datasets[1]) > 3
        for one, other in zip(*datasets, strict=True):
            assert_alike(one, other)
        assert_alike(*(data.batch([2, 0, 1]) for data in datasets))


def test_they_are_as_recorded_and_equal_to_those_of_today(pair: tuple[Path, Path], corpus: Coco) -> None:
    old, new = pair
    for path, version in ((old, 1), (new, 3)):
        assert posegen.verify(path, deep=True, coco=corpus.root, executor=HERE) == []
        assert Manifest.read(path).format_version == version
        assert posegen.repair(path, corpus.root, executor=HERE) == []
    found = posegen.compare(old, new, executor=HERE)
    assert found.equal
    assert found.samples > 3


def test_they_are_described_as_they_are(pair: tuple[Path, Path]) -> None:
    old, new = (describe(path) for path in pair)
    assert old["samples"] == new["samples"]
    added = new["arrays"].keys() - old["arrays"].keys()
    labels = set(old["config"]["labels"])
    assert added == {
        "image/box", "ignored/bytes", "ignored/offsets", "checksum/image", *(f"checksum/{name}" for name in labels),
    }  # fmt: skip


def test_damage_is_found_by_the_checksum_that_they_have(pair: tuple[Path, Path], tmp_path: Path) -> None:
    copy = Path(shutil.copytree(pair[0], tmp_path / "copy"))
    path = min(copy.glob("*.h5"))
    with h5py.File(path) as file:
        chunk = file["heatmap"].id.get_chunk_info(1)
    data = bytearray(path.read_bytes())
    data[chunk.byte_offset + 9] ^= 4
    path.write_bytes(data)
    with ShardReader(path) as reader, pytest.raises(ShardError, match=r"heatmap\[1\] cannot be read"):
        reader.label(next(label for label in reader.labels if label.spec.name == "heatmap"), 1)


def test_what_they_do_not_say_is_not_there(pair: tuple[Path, Path]) -> None:
    with ShardReader(min(pair[0].glob("*.h5"))) as reader:
        assert reader.format_version == 1
        height, width = reader.config.input_size
        for i in range(len(reader)):
            assert reader.picture(i).box == (0, 0, width, height)
            assert reader.ignored(i) is None


def test_a_damaged_one_cannot_be_repaired_which_is_said(old: Path, coco: Coco) -> None:
    first, second = sorted(old.glob("*.h5"))
    damage(first)
    kept = [first.read_bytes(), second.read_bytes()]
    said = f"{first.name} cannot be built as recorded: .* format version 1, and this posegen writes 3\n.*--overwrite"
    with pytest.raises(BuildError, match=said):
        posegen.repair(old, coco.root, executor=HERE)
    assert [first.read_bytes(), second.read_bytes()] == kept


def test_a_build_in_their_place_builds_all_of_them_again_and_says_so(old: Path, coco: Coco) -> None:
    config, told = Manifest.read(old).config, []
    manifest = posegen.build(coco.root, old, config, executor=HERE, notify=told.append)
    assert any(re.search("what is there has format version 1: it is built again, in version 3", line) for line in told)
    assert (manifest.format_version, len(manifest.shards)) == (3, 2)
    assert posegen.verify(old, executor=HERE) == []
    assert [path.read_bytes() for path in sorted(old.glob("*.h5"))] == [
        path.read_bytes() for path in sorted((old.parent / "new").glob("*.h5"))
    ]


def test_a_shard_that_stands_in_format_1_is_not_taken_over(old: Path, coco: Coco) -> None:
    (old / "manifest.json").unlink()  # as a build leaves it that was interrupted
    config = Manifest.read(old.parent / "new").config
    state = BuildState(old, config)
    for path in old.glob("*.h5"):
        assert state.has_record(path.name)
    manifest = posegen.build(coco.root, old, config, executor=HERE)
    for shard in manifest.shards:
        with ShardReader(old / shard.file) as reader:
            assert reader.format_version == 3


def test_formats_are_not_mixed(old: Path) -> None:
    new = old.parent / "new"
    record = json.loads((new / "manifest.json").read_text())
    first = json.loads((old / "manifest.json").read_text())["shards"][0]
    shutil.copy(old / first["file"], new)
    record["shards"][0] = first
    (new / "manifest.json").write_text(json.dumps(record))
    with pytest.raises(ShardError, match="has format version 1, but the manifest says 3"):
        posegen.PoseDataset(new, fields=["image_id"])[0]
    problems = [str(problem) for problem in posegen.verify(new, executor=HERE)]
    assert problems == [f"{first['file']}: has format version 1, the manifest says 3"]
