"""Builds that cannot end well end early and say why; what turns or mirrors pictures is said."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from conftest import Coco

from posegen.build import run as run_module
from posegen.build.failures import FAILURES_NAME
from posegen.build.pipeline import build
from posegen.config import BuildConfig
from posegen.errors import BuildError, ConfigError

SMALL = {"input_size": (48, 64), "shard_size": 8}


@pytest.fixture
def many(tmp_path: Path) -> Coco:
    coco = Coco(tmp_path / "coco")
    for _ in range(20):
        coco.person(coco.image(30, 20))
    coco.write()
    return coco


def test_missing_pictures_are_found_before_the_first_shard(many: Coco, tmp_path: Path) -> None:
    for path in sorted(many.images.iterdir())[:3]:
        path.unlink()
    done: list[int] = []
    with pytest.raises(BuildError, match=r"^3 of 20 samples could not be built") as caught:
        build(
            many.root,
            tmp_path / "out",
            BuildConfig(**SMALL),
            workers=1,
            max_failures=2,
            progress=lambda *_: done.append(1),
        )
    assert str(caught.value).count("cannot be read: No such file or directory") == 3
    assert not done
    assert len((tmp_path / "out" / FAILURES_NAME).read_text().splitlines()) == 3
    manifest = build(many.root, tmp_path / "out", BuildConfig(**SMALL), workers=1, max_failures=3)
    assert (manifest.samples, manifest.failures) == (17, 3)


@pytest.mark.parametrize("shard_size", [4, 64])
def test_a_build_whose_first_samples_all_fail_stops(
    many: Coco, tmp_path: Path, shard_size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module, "HOPELESS", 8)
    config = BuildConfig(input_size=(48, 64), shard_size=shard_size, label_dtype="float32", labels=("paf",))
    for path in many.images.iterdir():
        path.write_bytes(b"no picture")
    with pytest.raises(BuildError, match=r"^the first \d+ samples all failed, so the build stopped early") as caught:
        build(many.root, tmp_path / "out", config, workers=1, max_failures="100%")
    assert "is not an image" in str(caught.value)
    assert 8 <= len((tmp_path / "out" / FAILURES_NAME).read_text().splitlines()) < 20


def test_a_bad_start_does_not_lose_the_rest_of_its_shard(
    many: Coco, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module, "HOPELESS", 2)
    config = BuildConfig(input_size=(48, 64), shard_size=10, labels=("paf",))
    whole = build(many.root, tmp_path / "whole", config, workers=1)
    (many.images / "000000000100.jpg").write_bytes(b"no picture")
    found = build(many.root, tmp_path / "out", config, workers=2, max_failures=1)
    assert (found.samples, found.failures) == (whole.samples - 1, 1)


class TestFlips:
    def build(self, coco: Coco, out: Path, names: list[str], **changes: object) -> list[str]:
        from posegen.images.augment import Augmentation

        coco.document["categories"] = [{"id": 1, "name": "thing", "keypoints": names, "skeleton": []}]
        for person in coco.document["annotations"]:
            person["keypoints"] = [v for k in range(len(names)) for v in (5 + k, 6 + k, 2)]
        coco.write()
        said: list[str] = []
        config = BuildConfig(**{**SMALL, "skeleton": None, "copies": 2, "augment": Augmentation(flip=1.0), **changes})
        build(coco.root, out, config, workers=1, notify=said.append)
        return said

    def test_the_pairs_that_names_tell_are_said(self, many: Coco, tmp_path: Path) -> None:
        said = self.build(many, tmp_path / "out", ["nose", "Neareye", "Offeye", "FL_toe", "FR_toe", "lsho", "rsho"])
        expected = (
            "a mirror swaps 3 pairs of keypoints, by their names: Neareye and Offeye, FL_toe and FR_toe, lsho and rsho"
        )
        assert f"note: {expected}; not nose" in said

    def test_names_that_tell_none_are_refused_with_what_to_do(self, many: Coco, tmp_path: Path) -> None:
        with pytest.raises(
            ConfigError, match=r"do not tell which a mirror swaps \(1, 2, 3\); write them as flip_pairs"
        ):
            self.build(many, tmp_path / "out", ["1", "2", "3"])
        assert self.build(many, tmp_path / "one", ["tip"])


def test_an_orientation_that_was_not_applied_is_said_once(many: Coco, tmp_path: Path) -> None:
    tiff = b"MM\0*" + struct.pack(">IHHHIHHI", 8, 1, 0x0112, 3, 1, 3, 0, 0)
    block = b"\xff\xe1" + struct.pack(">H", len(tiff) + 8) + b"Exif\0\0" + tiff
    for path in sorted(many.images.iterdir())[:2]:
        data = path.read_bytes()
        path.write_bytes(data[:2] + block + data[2:])
    said: list[str] = []
    build(many.root, tmp_path / "out", BuildConfig(**SMALL), workers=1, notify=said.append)
    assert [line.partition(", as COCO")[0] for line in said if "EXIF" in line] == [
        "note: EXIF orientation 3 (upside down) not applied"
    ]
    assert any("2 pictures, such as 000000000100.jpg" in line for line in said)
