"""Manifests made by somebody who means harm: each is an error of ours, in a few words."""

from __future__ import annotations

import itertools
import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hostile import each, find_error

from posegen.errors import PosegenError, ShardError
from posegen.inspect.summary import describe
from posegen.inspect.verify import ShardCheck, check_shard
from posegen.shards.manifest import Manifest


@pytest.fixture
def copy(dataset: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(dataset, tmp_path / "copy", ignore=shutil.ignore_patterns(".posegen")))


def edit(dataset: Path, change: Callable[[dict[str, Any]], object]) -> None:
    record = json.loads((dataset / "manifest.json").read_text(encoding="utf-8"))
    change(record)
    (dataset / "manifest.json").write_text(json.dumps(record), encoding="utf-8")


def assert_unreadable(dataset: Path, what: object) -> None:
    """Make sure that a manifest is refused by its name."""
    error = find_error(lambda: Manifest.read(dataset))
    assert "manifest.json: " in error, f"{what!r}: {error}"


FOREIGN_NAMES = [
    "../copy/shard-00000-of-00003.h5", "/etc/passwd", "", ".", "..", "a/b.h5", "manifest.json", ".posegen",
    ".hidden.h5", "a\0.h5", "a\n.h5", "\ud800.h5", 7, None, ["a.h5"], "shard-00001-of-00003.h5",
]  # fmt: skip


class TestManifests:
    def test_a_name_that_is_no_shards_own_is_refused(self, copy: Path) -> None:
        for name in each(copy / "manifest.json", FOREIGN_NAMES):
            edit(copy, lambda record, name=name: record["shards"][0].update(file=name))
            assert_unreadable(copy, name)

    def test_a_count_that_is_none_is_refused(self, copy: Path) -> None:
        values = (-1, 1.5, "3", True, None, 10**30, [], float("inf"), float("nan"))
        for key, value in each(copy / "manifest.json", itertools.product(("samples", "people", "bytes"), values)):
            edit(copy, lambda record, key=key, value=value: record["shards"][0].update({key: value}))
            assert_unreadable(copy, (key, value))

    def test_nonsense_is_refused_in_a_few_words(self, copy: Path) -> None:
        changes: list[Callable[[dict[str, Any]], object]] = [
            lambda r: r["shards"][0].update(sha256="0"),
            lambda r: r["shards"][0].update(sha256="G" * 64),
            lambda r: r["shards"][0].update(keypoints=[1] * 10**5),
            lambda r: r["shards"][0].update(keypoints=[10**9] * 18),
            lambda r: r["shards"][0].update(keypoints={"0": 1}),
            lambda r: r.update(failures=-1),
            lambda r: r["skeleton"].update(limbs=[[float("inf"), 1]]),
            lambda r: r["config"].update(category=["\ud800"]),
            lambda r: r["config"].update(stride=1e400),
            lambda r: r["config"].update(seed=float("nan")),
            lambda r: r.update(versions=[[1]]),
            lambda r: r.update(format_version="1" * 10**6),
        ]
        for change in each(copy / "manifest.json", changes):
            edit(copy, change)
            with pytest.raises(ShardError) as caught:
                Manifest.read(copy)
            assert len(str(caught.value)) < 1000
            assert str(caught.value).isprintable()

    def test_bombs_do_not_go_off(self, copy: Path) -> None:
        for text in ("[" * 10**6, '{"format":' * 10**5, "1" * 10**6, "\0", '"\ud800"', "nan"):
            (copy / "manifest.json").write_bytes(text.encode(errors="surrogatepass"))
            assert_unreadable(copy, text[:20])

    def test_one_of_gigabytes_is_not_read(self, copy: Path) -> None:
        os.truncate(copy / "manifest.json", 10**12)
        with pytest.raises(ShardError, match="is no file of at most 64 MiB"):
            Manifest.read(copy)

    def test_a_pipe_in_its_place_is_not_waited_for(self, copy: Path) -> None:
        (copy / "manifest.json").unlink()
        os.mkfifo(copy / "manifest.json")
        with pytest.raises(ShardError, match="is no file"):
            Manifest.read(copy)

    def test_a_link_out_of_the_directory_is_not_followed(self, copy: Path, tmp_path: Path) -> None:
        (copy / "manifest.json").rename(tmp_path / "elsewhere.json")
        (copy / "manifest.json").symlink_to(tmp_path / "elsewhere.json")
        with pytest.raises(ShardError, match="leads out of its directory"):
            Manifest.read(copy)

    @pytest.mark.parametrize("target", ["outside", "loop"])
    def test_a_shard_that_is_a_link_out_of_the_directory_is_not_opened(
        self, copy: Path, tmp_path: Path, target: str
    ) -> None:
        shard = min(copy.glob("*.h5"))
        shard.rename(tmp_path / "outside.h5")
        shard.symlink_to(tmp_path / "outside.h5" if target == "outside" else shard)
        expected = "leads out of its directory" if target == "outside" else "cannot be found"
        with pytest.raises(ShardError, match=expected):
            describe(copy)
        manifest = Manifest.read(copy)
        check = ShardCheck(directory=copy, shard=manifest.shards[0], config=manifest.config, skeleton=manifest.skeleton)
        assert any(expected in what for what in check_shard(check, lambda _: None))

    def test_a_link_to_the_directory_itself_is_fine(self, copy: Path, tmp_path: Path) -> None:
        (tmp_path / "link").symlink_to(copy)
        assert describe(tmp_path / "link")["samples"] == 8

    def test_an_audit_that_cannot_be_shown_is_an_error_of_ours(self, copy: Path) -> None:
        for audit in ({}, {"images": 1}, {"images": "x"}, 7, [["a", "b"]], {"images": float("inf")}):
            edit(copy, lambda record, audit=audit: record.update(audit=audit))
            with pytest.raises(ShardError, match=r"manifest"):
                describe(copy)

    def test_only_our_errors_come_of_mutated_manifests(self, copy: Path) -> None:
        source = random.Random(11)
        good = (copy / "manifest.json").read_bytes()
        values = [
            None, True, -1, 0, 10**19, 1e308, "", "x", "\0", "../x", [], {}, [[]], [1] * 99, {"a": 1}, [48, 64, 3],
        ]  # fmt: skip
        messages, read_again = [], 0
        for _ in range(90):
            record = json.loads(good)
            node, key = record, source.choice(list(record))
            while isinstance(node[key], (dict, list)) and node[key] and source.random() < 0.8:
                node = node[key]
                key = source.choice(list(node) if isinstance(node, dict) else range(len(node)))
            node[key] = source.choice(values)
            (copy / "manifest.json").write_text(json.dumps(record))
            try:
                manifest = Manifest.read(copy)
                read_again += 1
                shard = manifest.shards[0] if manifest.shards else None
                describe(copy)
                if shard is not None:
                    check = ShardCheck(directory=copy, shard=shard, config=manifest.config, skeleton=manifest.skeleton)
                    check_shard(check, lambda _: None)
            except PosegenError as error:
                messages.append(str(error))
        "".join(messages).encode()
        assert 10 < read_again < 80
