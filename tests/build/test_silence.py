"""What OpenCV says of bad pictures is not heard: which of them failed, and why, is in the build's own words."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import pytest
from conftest import Coco, encode
from executors import InProcess

import posegen
from posegen.config import BuildConfig
from posegen.errors import BuildError

log = cv2.utils.logging


@pytest.fixture(autouse=True)
def loud() -> Iterator[None]:
    before = log.getLogLevel()
    log.setLogLevel(log.LOG_LEVEL_DEBUG)
    yield
    log.setLogLevel(before)


def build_badly(coco: Coco) -> str:
    whole = encode(coco.random.integers(0, 256, (40, 60, 3)).astype("uint8"), ".png")
    spoilt = whole[:60] + bytes(200) + whole[260:]
    (coco.images / coco.document["images"][0]["file_name"]).write_bytes(spoilt)
    coco.write()
    config = BuildConfig(input_size=(64, 64), labels=("heatmap",))
    with pytest.raises(BuildError) as caught:
        posegen.build(coco.root, coco.root.parent / "out", config, executor=InProcess(), overwrite=True)
    return str(caught.value)


def test_a_build_silences_opencv_and_speaks_of_a_bad_picture_itself(coco: Coco) -> None:
    assert "000000000100.jpg" in build_badly(coco)
    assert log.getLogLevel() == log.LOG_LEVEL_SILENT


@pytest.mark.parametrize("version", [4, 5])
def test_it_is_silenced_in_the_words_of_its_version(version: int, coco: Coco, monkeypatch: pytest.MonkeyPatch) -> None:
    levels: list[int] = []
    if version == 4:
        monkeypatch.setattr(cv2, "setLogLevel", levels.append, raising=False)
        monkeypatch.setattr(log, "setLogLevel", lambda _: pytest.fail("this has another scale in OpenCV 4"))
    else:
        monkeypatch.delattr(cv2, "setLogLevel", raising=False)
        monkeypatch.setattr(log, "setLogLevel", levels.append)
    build_badly(coco)
    monkeypatch.undo()
    assert levels
    assert set(levels) == {log.LOG_LEVEL_SILENT}
