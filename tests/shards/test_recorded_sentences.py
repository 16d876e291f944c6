"""What differs from what is recorded of it, told word by word; and outlines."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import h5py
import numpy as np
import pytest
from hostile import each, find_error, replace

from posegen.errors import ConfigError
from posegen.shards import Manifest, ShardReader, record
from posegen.shards.outline import Outline, _measure, _refuse_link
from posegen.shards.pool import ShardPool
from posegen.shards.record import ShardRecord, compare_bytes, locate

SHA = "0123456789ab" + "c" * 52


def test_what_a_manifest_cannot_be_is_told(dataset: Path, tmp_path: Path) -> None:
    path, good = tmp_path / "manifest.json", json.loads((dataset / "manifest.json").read_text())
    nowhere = tmp_path / "nowhere"
    assert find_error(lambda: Manifest.read(nowhere)) == f"{nowhere}: no such directory; expected that of a dataset"
    assert find_error(lambda: Manifest.read(tmp_path)) == (
        f"{tmp_path}: has no manifest.json, so it is no dataset, or its build has not ended"
    )
    twice = [good["shards"][0], good["shards"][0]]
    fewer = [{**good["shards"][0], "keypoints": good["shards"][0]["keypoints"][:-1]}]
    name = [{**good["shards"][0], "file": ".a.h5"}]
    for change, said in (
        ({"format": "other"}, "is not the manifest of a posegen dataset"),
        (
            {"format_version": 4},
            ("has format version 4, this posegen reads 1, 2 and 3; use the posegen that wrote it, or build the dataset "
            "again"),
        ),
        (
            {"format_version": "4" * 50},
            (f"has format version {'4' * 40}, this posegen reads 1, 2 and 3; use the posegen that wrote it, or build "
             "the dataset again"),
        ),
        ({"preset": 3}, "is damaged: TypeError('expected text, not 3')"),
        ({"description": ["x" * 50]}, f"is damaged: {TypeError('expected text, not ' + repr(['x' * 50])[:40])!r}"),
        ({"shards": twice}, "is damaged: it names a shard more than once"),
        ({"shards": fewer}, "is damaged: a shard counts other keypoints than the skeleton has"),
        ({"shards": name}, """is damaged: ValueError("'.a.h5' is not a file name of a shard")"""),
        (
            {"failures": -1},
            ("is damaged: ValueError('failures must be a whole number from 0 to 9223372036854775807, not -1')"),
        ),
    ):  # fmt: skip
        path.write_text(json.dumps({**good, **change}))
        assert find_error(lambda: Manifest.read(tmp_path)) == f"{path}: {said}"
    path.unlink()
    path.mkdir()
    assert find_error(lambda: Manifest.read(tmp_path)) == f"{path}: is no file of at most 64 MiB, as a manifest is"
    path.rmdir()
    with path.open("wb") as file:
        file.truncate((64 << 20) + 1)
    assert find_error(lambda: Manifest.read(tmp_path)) == f"{path}: is no file of at most 64 MiB, as a manifest is"


def test_in_what_a_file_differs_from_its_record_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shard = ShardRecord(file="a.h5", samples=1, people=1, bytes=3, sha256=SHA, keypoints=(1,))
    path = tmp_path / "in" / "a.h5"
    path.parent.mkdir()
    assert compare_bytes(path.parent, shard) == "missing"
    path.mkdir()
    assert compare_bytes(path.parent, shard) == "is no regular file"
    path.rmdir()
    path.write_bytes(b"ab")
    assert compare_bytes(path.parent, shard) == "has 2 bytes, the manifest says 3"
    path.write_bytes(b"abc")  # FIPS 180-2, appendix B.1, has its hash
    assert compare_bytes(path.parent, shard) == (
        "its bytes have changed (sha256 ba7816bf8f01..., the manifest says 0123456789ab...)"
    )
    for error, said in ((OSError(5, "Input/output error"), "Input/output error"), (OSError("why"), "why")):

        def fail(_: Path, error: OSError = error) -> str:
            raise error

        monkeypatch.setattr(record, "hash_file", fail)
        assert compare_bytes(path.parent, shard) == f"cannot be read: {said}"
    path.unlink()
    path.symlink_to(tmp_path / "b.h5")
    assert compare_bytes(path.parent, shard) == f"leads out of its directory, to {tmp_path}/b.h5"
    path.unlink()
    path.symlink_to(path)
    assert find_error(lambda: locate(path.parent, "a.h5")).startswith(f"{path}: cannot be found: ")


def test_a_shard_that_is_not_the_manifests_is_told(dataset: Path) -> None:
    manifest = Manifest.read(dataset)
    pool: Any = ShardPool(dataset, manifest, 1)
    first = manifest.shards[0]
    path = dataset / first.file
    found: dict[str, Any] = {
        "path": path, "size": first.bytes, "format_version": manifest.format_version, "config": manifest.config,
        "skeleton": manifest.skeleton, "labels": (),
    }  # fmt: skip

    class Reader(SimpleNamespace):
        def __len__(self) -> int:
            return self.samples

    again = "`posegen verify --repair` builds it again"
    others = f"was built with another configuration than the manifest's; {again}"
    for change, said in (
        (
            {"size": 7}, (f"was changed after the build: it has 7 bytes and {first.samples} samples, but the manifest "
            f"says {first.bytes} and {first.samples}; {again}"),
        ),
        (
            {"samples": 9}, (f"was changed after the build: it has {first.bytes} bytes and 9 samples, but the manifest "
            f"says {first.bytes} and {first.samples}; {again}"),
        ),
        ({"format_version": 1}, "has format version 1, but the manifest says 3; build the dataset again"),
        ({"config": None}, others), ({"skeleton": None}, others),
    ):  # fmt: skip
        reader = Reader(**{"samples": first.samples, **found, **change})
        assert find_error(lambda reader=reader: pool._compare(reader, first)) == f"{path}: {said}"  # type: ignore[misc]
    for most in (0, -1):
        with pytest.raises(ConfigError) as caught:
            ShardPool(dataset, manifest, most)
        assert str(caught.value) == f"max_open must be at least 1, not {most}"


def test_an_outline_says_nothing_of_what_is_no_array_of_its_kind(dataset: Path, tmp_path: Path) -> None:
    first = Manifest.read(dataset).shards[0]
    shard = Path(shutil.copy(dataset / first.file, tmp_path / "shard.h5"))
    with ShardReader(shard) as reader:
        outline = Outline(reader)
        counts, arrays = {"samples": first.samples, "people": first.people}, list(reader.arrays())
    with h5py.File(shard) as file:
        assert file["preview"].attrs["title"] == b"the first sample of this shard"
        width, names = file["sample/width"][...], file["sample/file_name"][...]
        affine = file["sample/affine"][...]
    changes: list[Callable[[Path], Any]] = [
        lambda path: replace(path, "sample/width", width.astype(np.float32)),
        lambda path: replace(path, "sample/width", width.astype(np.int64)),
        lambda path: replace(path, "sample/width", width.astype("S9")),
        lambda path: replace(path, "sample/affine", affine[:, :1]),
        lambda path: replace(path, "sample/file_name", width),
    ]
    for name in ("mask", "person/bbox", "person"):

        def link(path: Path, name: str = name) -> None:
            with h5py.File(path, "r+") as file:
                file.move(name, "preview/elsewhere")
                file[name] = h5py.SoftLink("/preview/elsewhere")

        changes.append(link)
    for change in each(shard, changes):
        change(shard)
        assert outline.measure(shard, **counts, size=shard.stat().st_size) is None
    with h5py.File(shard) as file:
        with pytest.raises(ValueError, match=r"^a link leads elsewhere$"):
            _refuse_link(file.id, b"person")
        (array,) = (array for array in outline._arrays if array.info.name == "mask")
        with pytest.raises(ValueError, match=r"^mask is laid out otherwise$"):
            _measure(file.id, {}, array, {"samples": first.samples + 1})
        assert _measure(file.id, {}, array, {}) == array.info
    shutil.copy(dataset / first.file, shard)
    replace(shard, "sample/file_name", names.astype("S99"))
    found = outline.measure(shard, **counts, size=shard.stat().st_size)
    assert found is not None
    others = [(one.name, two.name) for one, two in zip(found, arrays, strict=True) if one != two]
    assert others == [("sample/file_name", "sample/file_name")]
