"""Pictures copied from a dataset: the bytes of a fresh build, without a picture decoded that need not be."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from builds import change_annotations, files_of
from executors import InProcess

import posegen
from posegen.build.parts import build_part, finish_parts
from posegen.config import BuildConfig
from posegen.errors import BuildError, ConfigError
from posegen.images import codec
from posegen.images.augment import Augmentation
from posegen.shards import Manifest
from posegen.skeleton import COCO_17

pytest_plugins = ("built",)

build = partial(posegen.build, executor=InProcess())

SMALL = BuildConfig(shard_size=4, input_size=(128, 128), labels=("heatmap", "paf"))
VIEWS = Augmentation(scale=(0.8, 1.2), rotate=20, flip=0.5)
KINDS = {
    "jpeg": SMALL,
    "png": dataclasses.replace(SMALL, image_encoding="png", fit="cover"),
    "raw": dataclasses.replace(SMALL, image_encoding="raw"),
    "larger": dataclasses.replace(SMALL, picture_size=(256, 256)),
    "views": dataclasses.replace(SMALL, copies=2, augment=VIEWS, plain_copy=True),
    "people": dataclasses.replace(
        SMALL, unit="person", labels=("heatmap",), skeleton=COCO_17, input_size=(64, 48), stride=4
    ),
    "views of people": dataclasses.replace(SMALL, unit="person", labels=("heatmap",), augment=VIEWS),
}
"""Datasets whose pictures differ in every way in which they can."""

OF_LABELS: list[dict[str, Any]] = [
    {"sigma_px": 5.0},
    {"labels": ("heatmap", "mask", "offset"), "visibility": "visible"},
    {"label_dtype": "uint8", "layout": "hwc", "compression": "gzip", "shard_size": 7},
    {"labels": ()},
]
"""Options that change no picture."""


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The names of the pictures that are decoded, as they are."""
    names: list[str] = []
    decode = codec.decode

    def note(data: bytes, size: Any, name: str, **more: Any) -> Any:
        names.append(name)
        return decode(data, size, name, **more)

    monkeypatch.setattr(codec, "decode", note)
    return names


def contents(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(out.iterdir()) if path.is_file()}


def told(said: list[str]) -> str:
    """The line about copied pictures, without the labels that were copied with them: see `test_unchanged`."""
    (line,) = (line for line in said if " copied from " in line)
    return re.sub(", with the labels[^;]*", "", line)


def test_other_labels_are_drawn_to_the_bytes_of_a_fresh_build_and_no_picture_is_decoded(
    source: Path, tmp_path: Path, decoded: list[str]
) -> None:
    for kind, before in KINDS.items():
        old = tmp_path / kind / "old"
        samples = build(source, old, before).samples
        for i, changes in enumerate(OF_LABELS if kind == "jpeg" else OF_LABELS[len(kind) % 3 :][:1]):
            now = dataclasses.replace(before, **changes)
            build(source, tmp_path / kind / f"fresh-{i}", now)
            decoded.clear()
            said: list[str] = []
            out = tmp_path / kind / f"out-{i}"
            build(source, out, now, pictures_from=old, notify=said.append)
            assert (told(said), decoded) == (f"{samples} pictures copied from {old}", []), (kind, changes)
            assert contents(out) == contents(tmp_path / kind / f"fresh-{i}"), (kind, changes)


def test_an_option_that_changes_pictures_is_refused_by_its_name_before_anything_is_built(
    source: Path, tmp_path: Path
) -> None:
    build(source, tmp_path / "images", SMALL)
    build(source, tmp_path / "people", KINDS["people"])
    build(source, tmp_path / "views", KINDS["views"])
    others: list[tuple[str, str, str, Any]] = [
        ("images", "input_size", "was 128x128, is now 64x128", (128, 64)),
        ("images", "picture_size", "was None, is now 256x256", (256, 256)),
        ("images", "fit", "was letterbox, is now cover", "cover"),
        ("images", "exif", "was auto, is now stored", "stored"),
        ("images", "image_encoding", "was jpeg, is now raw", "raw"),
        ("images", "jpeg_quality", "was 90, is now 91", 91),
        ("images", "unit", "was image, is now person", "person"),
        ("people", "crop", "was msra, is now udp", "udp"),
        ("people", "box_padding", "was 1.25, is now 1.5", 1.5),
        ("views", "seed", "was 0, is now 7", 7),
        ("views", "copies", "was 2, is now 3", 3),
        ("views", "plain_copy", "was True, is now False", False),
        ("views", "augment", "", Augmentation(scale=(0.8, 1.2), rotate=21, flip=0.5)),
    ]
    for old, option, change, value in others:
        now = dataclasses.replace(Manifest.read(tmp_path / old).config, **{option: value})
        with pytest.raises(ConfigError, match=f"\n  {option}: {change}") as caught:
            build(source, tmp_path / "out", now, pictures_from=tmp_path / old)
        assert "--pictures-from" in str(caught.value)
        assert not list((tmp_path / "out").glob("**/*.h5"))
    now = dataclasses.replace(SMALL, seed=7, box_padding=1.5)  # which change no picture here
    build(source, tmp_path / "out", now, pictures_from=tmp_path / "images")
    build(source, tmp_path / "fresh", now)
    assert contents(tmp_path / "out") == contents(tmp_path / "fresh")


def test_what_is_other_than_it_was_is_encoded_afresh_and_counted(
    copy: Path, tmp_path: Path, decoded: list[str]
) -> None:
    old, now = tmp_path / "old", dataclasses.replace(SMALL, sigma_px=5.0)
    build(copy, old, dataclasses.replace(SMALL, limit=13, shard_size=5))
    changed = files_of(copy)[0]
    changed.write_bytes(changed.read_bytes() + b"\0")
    shard = max(old.glob("*.h5"))
    data = bytearray(shard.read_bytes())
    at = data.find(b"\xff\xd8\xff")
    data[at + 300 : at + 310] = b"0123456789"  # in a picture, which its checksum tells
    shard.write_bytes(data)
    decoded.clear()
    said: list[str] = []
    build(copy, tmp_path / "out", now, pictures_from=old, notify=said.append)
    why = "1 cannot be read, 1 file changed, 3 not there"
    assert told(said) == f"11 pictures copied from {old}; 5 not: {why}"
    assert (len(decoded), changed.name in decoded) == (5, True)
    build(copy, tmp_path / "fresh", now)
    assert contents(tmp_path / "out") == contents(tmp_path / "fresh")


def test_who_is_cropped_elsewhere_now_is_encoded_afresh(copy: Path, tmp_path: Path) -> None:
    old, now = tmp_path / "old", dataclasses.replace(KINDS["people"], sigma_px=3.0)
    people = build(copy, old, KINDS["people"]).samples

    def move(document: dict[str, Any]) -> None:
        document["annotations"][0]["bbox"][0] += 1

    change_annotations(copy, move)
    said: list[str] = []
    build(copy, tmp_path / "out", now, pictures_from=old, notify=said.append)
    assert told(said) == f"{people - 1} pictures copied from {old}; 1 not: 1 mapped elsewhere"
    build(copy, tmp_path / "fresh", now)
    assert contents(tmp_path / "out") == contents(tmp_path / "fresh")


def test_pictures_that_could_not_be_read_then_are_tried_again(copy: Path, tmp_path: Path) -> None:
    old, now = tmp_path / "old", dataclasses.replace(SMALL, sigma_px=5.0)
    bad = files_of(copy)[3]
    good = bad.read_bytes()
    bad.write_bytes(b"no picture")
    build(copy, old, SMALL, max_failures=1)
    with pytest.raises(BuildError, match="1 of 16 samples could not be built"):
        build(copy, tmp_path / "out", now, pictures_from=old)
    bad.write_bytes(good)
    said: list[str] = []
    build(copy, tmp_path / "out", now, pictures_from=old, notify=said.append)
    build(copy, tmp_path / "fresh", now)
    assert contents(tmp_path / "out") == contents(tmp_path / "fresh")
    assert told(said) == f"3 pictures copied from {old}; 1 not: 1 not there", "in its shard alone"


def test_other_label_options_with_overwrite_copy_by_themselves_what_is_replaced(
    source: Path, tmp_path: Path, decoded: list[str]
) -> None:
    out, now = tmp_path / "out", dataclasses.replace(SMALL, sigma_px=5.0)
    build(source, out, SMALL)
    with pytest.raises(ConfigError, match=r"sigma_px: was 8.0, is now 5.0"):
        build(source, out, now)
    build(source, tmp_path / "fresh", now)

    class Interrupted(InProcess):
        def run(self, *arguments: Any) -> Iterator[Any]:
            yield next(iter(super().run(*arguments)))
            raise KeyboardInterrupt

    decoded.clear()
    with pytest.raises(KeyboardInterrupt):
        posegen.build(source, out, now, overwrite=True, executor=Interrupted())
    assert Manifest.read(out).config == SMALL
    said: list[str] = []
    build(source, out, now, overwrite=True, notify=said.append)
    assert (told(said), decoded) == (f"12 pictures copied from {out}", [])
    assert contents(out) == contents(tmp_path / "fresh")
    other = dataclasses.replace(now, input_size=(64, 64))
    said.clear()
    build(source, out, other, overwrite=True, notify=said.append)
    assert len(decoded) == 16
    assert not [line for line in said if "copied" in line]


def test_parts_copy_pictures_too(source: Path, tmp_path: Path, decoded: list[str]) -> None:
    old, out, now = tmp_path / "old", tmp_path / "out", dataclasses.replace(SMALL, sigma_px=5.0)
    build(source, old, SMALL)
    build(source, tmp_path / "fresh", now)
    decoded.clear()
    for part in ("2/2", "1/2"):
        build_part(source, out, now, part=part, pictures_from=old, executor=InProcess())
    assert not decoded
    finish_parts(source, out, now)
    assert contents(out) == contents(tmp_path / "fresh")


def refuse(source: Path, old: Path, out: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        build(source, out, dataclasses.replace(SMALL, sigma_px=5.0), pictures_from=old)
    return str(caught.value)


def test_a_dataset_that_does_not_know_what_its_pictures_were_made_of_is_refused(source: Path, tmp_path: Path) -> None:
    old = tmp_path / "old"
    build(source, old, SMALL)
    record = min(old.glob(".posegen/*/shard-*.json"))
    kept = record.read_text()
    record.write_text(json.dumps({key: value for key, value in json.loads(kept).items() if key != "files"}))
    said = refuse(source, old, tmp_path / "out")
    assert "not recorded which files the pictures of shard-00000-of-00004.h5 were encoded from" in said
    record.write_text(kept)
    manifest = Manifest.read(old)
    dataclasses.replace(manifest, versions={**manifest.versions, "opencv": "4.9.0"}).write(old)
    assert f"opencv: was 4.9.0, is now {manifest.versions['opencv']}" in refuse(source, old, tmp_path / "out")
    dataclasses.replace(manifest, format_version=1).write(old)
    assert "has format version 1" in refuse(source, old, tmp_path / "out")
