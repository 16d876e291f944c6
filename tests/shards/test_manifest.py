from __future__ import annotations

import copy
import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hostile import find_error
from hypothesis import given, settings
from hypothesis import strategies as st

from posegen.config import BuildConfig
from posegen.errors import PosegenError, ShardError
from posegen.shards import ShardRecord
from posegen.shards.manifest import Manifest
from posegen.skeleton import COCO_17, Skeleton

TWO = Skeleton(name="two", keypoints=("nose", "tail"), limbs=((0, 1),))

MANIFEST = Manifest(
    config=BuildConfig(skeleton=TWO, sigma_px=7.0, category=("Hündchen",)),
    skeleton=TWO,
    source={"annotations": "person_keypoints_größe.json", "images": "größe"},
    shards=(
        ShardRecord(file="shard-00000-of-00002.h5", samples=3, people=5, bytes=1000, sha256="a" * 64, keypoints=(4, 5)),
        ShardRecord(file="shard-00001-of-00002.h5", samples=2, people=2, bytes=500, sha256="b" * 64, keypoints=(0, 2)),
    ),
    failures=1,
    audit={"images": 9, "annotations": 11, "left_out": {"no people on it": 3}, "not_drawn": {}, "noticed": {}},
    versions={"posegen": "0.1.0"},
)


@pytest.fixture
def record(tmp_path: Path) -> dict[str, Any]:
    """The manifest as it lies on the disk."""
    return json.loads(MANIFEST.write(tmp_path).read_text(encoding="utf-8"))


def read(directory: Path, record: object) -> Manifest:
    (directory / "manifest.json").write_text(json.dumps(record))
    return Manifest.read(directory)


def refuse(directory: Path, record: object) -> str:
    """Return the words of the error that reading a manifest ends with."""
    return find_error(lambda: read(directory, record))


class TestWriting:
    def test_it_is_json_with_the_sums(self, record: dict[str, Any]) -> None:
        assert (record["format"], record["format_version"]) == ("posegen-dataset", 3)
        assert (record["samples"], record["people"], record["failures"]) == (5, 7, 1)
        assert record["keypoints"] == {"nose": 4, "tail": 7}
        assert record["config"]["sigma_px"] == 7.0
        assert record["config_digest"] == MANIFEST.config.digest
        assert record["skeleton"]["keypoints"] == ["nose", "tail"]
        assert record["source"]["images"] == "größe"
        assert [shard["sha256"] for shard in record["shards"]] == ["a" * 64, "b" * 64]

    def test_it_is_the_only_file(self, tmp_path: Path) -> None:
        assert MANIFEST.write(tmp_path) == tmp_path / "manifest.json"
        assert [p.name for p in tmp_path.iterdir()] == ["manifest.json"]

    def test_equal_manifests_are_equal_bytes(self, tmp_path: Path) -> None:
        first = MANIFEST.write(tmp_path).read_bytes()
        assert copy.copy(MANIFEST).write(tmp_path).read_bytes() == first

    def test_reading_gives_what_was_written(self, tmp_path: Path) -> None:
        MANIFEST.write(tmp_path)
        assert Manifest.read(tmp_path) == MANIFEST

    def test_its_sums_are_those_of_the_shards(self) -> None:
        assert (MANIFEST.samples, MANIFEST.people, MANIFEST.bytes) == (5, 7, 1500)
        assert MANIFEST.keypoints == {"nose": 4, "tail": 7}


class TestOfADataset:
    def test_it_describes_the_files_beside_it(self, dataset: Path) -> None:
        record = json.loads((dataset / "manifest.json").read_text(encoding="utf-8"))
        assert [shard["file"] for shard in record["shards"]] == sorted(p.name for p in dataset.glob("*.h5"))
        for shard in record["shards"]:
            data = (dataset / shard["file"]).read_bytes()
            assert (shard["bytes"], shard["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())

    def test_it_tells_what_was_left_out(self, dataset: Path) -> None:
        record = json.loads((dataset / "manifest.json").read_text(encoding="utf-8"))
        audit = record["audit"]
        assert (audit["images"], audit["annotations"]) == (10, 18)
        assert audit["left_out"] == {"no people on it": 1, "nobody is labelled on it": 1}
        assert audit["not_drawn"] == {"crowd": 2, "no keypoint is labelled": 5}
        assert audit["noticed"]["num_keypoints disagrees with the keypoints; they were counted"] == 1
        assert (record["samples"], record["people"], record["failures"]) == (8, 11, 0)
        names = {"annotations": "person_keypoints_train2017.json", "images": "train2017"}
        assert {key: record["source"][key] for key in names} == names


class TestMistakes:
    def test_a_directory_without_one_is_no_dataset(self, tmp_path: Path) -> None:
        with pytest.raises(ShardError, match=r"has no manifest\.json, so it is no dataset, or its build has not ended"):
            Manifest.read(tmp_path)

    def test_what_is_not_json_is_refused(self, tmp_path: Path) -> None:
        for data in (b"", b"{", b"\xff", b"[" * 100_000, b"nonsense"):
            (tmp_path / "manifest.json").write_bytes(data)
            assert "manifest.json: cannot be read" in find_error(lambda: Manifest.read(tmp_path)), data[:20]

    def test_json_of_somebody_else_is_refused(self, tmp_path: Path) -> None:
        for value in ([], {}, 7, None, {"format": "posegen-shard"}, {"format": ["posegen-dataset"]}):
            assert "is not the manifest of a posegen dataset" in refuse(tmp_path, value), value

    def test_an_unknown_version_is_refused_with_what_to_do(self, tmp_path: Path, record: dict[str, Any]) -> None:
        for version in (0, 4, "1", True, 2.5, None, [1]):
            error = refuse(tmp_path, record | {"format_version": version})
            assert f"has format version {version}, this posegen reads 1, 2 and 3; " in error
            assert "build the dataset again" in error

    def test_a_shard_outside_the_directory_is_refused(self, tmp_path: Path, record: dict[str, Any]) -> None:
        for name in ("../shard.h5", "/etc/passwd", "sub/shard.h5", "..", ".", "", "shards/../../shard.h5"):
            record["shards"][1]["file"] = name
            assert "is not a file name" in refuse(tmp_path, record), name

    def test_what_is_no_hash_or_no_count_is_named(self, tmp_path: Path, record: dict[str, Any]) -> None:
        for key, value, why in (
            ("sha256", "A" * 64, f"{'A' * 64!r} is not a sha256 of shard-00000-of-00002.h5"),
            ("sha256", "a" * 63, f"{'a' * 63!r} is not a sha256 of shard-00000-of-00002.h5"),
            ("sha256", "a" * 65, f"{'a' * 65!r} is not a sha256 of shard-00000-of-00002.h5"),
            ("bytes", -1, "bytes must be a whole number from 0 to 9223372036854775807, not -1"),
            ("samples", True, "samples must be a whole number from 0 to 9223372036854775807, not True"),
            ("keypoints", [6, 0], "0 must be a whole number from 0 to 5, not 6"),
        ):
            changed = copy.deepcopy(record)
            changed["shards"][0][key] = value
            assert why in refuse(tmp_path, changed), key

    def test_a_missing_entry_is_named(self, tmp_path: Path, record: dict[str, Any]) -> None:
        for key in ("config", "skeleton", "source", "shards", "failures", "audit", "versions"):
            rest = {name: value for name, value in record.items() if name != key}
            assert re.search(f"is damaged: .*{key}", refuse(tmp_path, rest)), key

    def test_a_bad_entry_is_damage(self, tmp_path: Path, record: dict[str, Any]) -> None:
        changes: list[Callable[[dict[str, Any]], object]] = [
            lambda r: r["config"].update(sigma_px="wide"),
            lambda r: r["config"].update(unknown=1),
            lambda r: r["skeleton"].update(limbs=[[0, 9]]),
            lambda r: r["shards"][0].update(samples="many"),
            lambda r: r["shards"][0].pop("sha256"),
            lambda r: r["shards"].append(None),
            lambda r: r["shards"][0].update(keypoints=[1, 2, 3]),
        ]
        for number, change in enumerate(changes):
            changed = copy.deepcopy(record)
            change(changed)
            assert "is damaged" in refuse(tmp_path, changed), number

    @settings(max_examples=100)
    @given(data=st.data())
    def test_only_our_errors_leave_a_mutated_manifest(
        self, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
    ) -> None:
        directory = tmp_path_factory.getbasetemp()
        MANIFEST.write(directory)
        record = json.loads((directory / "manifest.json").read_bytes())
        node: Any = record
        while True:
            key = data.draw(st.sampled_from(list(node) if isinstance(node, dict) else list(range(len(node)))))
            if not isinstance(node[key], (dict, list)) or not node[key] or not data.draw(st.integers(0, 3)):
                break
            node = node[key]
        node[key] = data.draw(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)
            | st.lists(st.integers(), max_size=2) | st.just({})
        )  # fmt: skip
        try:
            manifest = read(directory, record)
        except PosegenError:
            return
        assert manifest.samples == sum(shard.samples for shard in manifest.shards)
        assert set(manifest.keypoints) <= set(manifest.skeleton.keypoints)

    def test_a_skeleton_without_limbs_is_fine(self, tmp_path: Path) -> None:
        bare = Skeleton(name="bare", keypoints=COCO_17.keypoints)
        Manifest(
            config=BuildConfig(skeleton=None), skeleton=bare, source={}, shards=(), failures=0, audit={}, versions={}
        ).write(tmp_path)
        assert Manifest.read(tmp_path).skeleton == bare
