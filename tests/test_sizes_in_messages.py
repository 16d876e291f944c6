"""Sizes that people read are width x height, in every sentence that has one, whatever order they are stored in."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import h5py
import hdf5plugin  # noqa: F401 (registers zstd)
import numpy as np
import pytest
from conftest import Coco, Run, encode
from executors import InProcess

import posegen
from posegen.annotations import read_coco
from posegen.config import BuildConfig
from posegen.config.options import read_words
from posegen.errors import PosegenError
from posegen.geometry import crop, fit
from posegen.images import codec, warp
from posegen.inspect.diff import compare
from posegen.labels.grid import count_cells
from posegen.shards import ShardReader
from posegen.skeleton import COCO_17

build = partial(posegen.build, executor=InProcess())

WIDE = np.zeros((20, 30, 3), np.uint8)


def said(call: Callable[[], Any]) -> str:
    with pytest.raises(PosegenError) as caught:
        call()
    return str(caught.value)


def test_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    png = encode(WIDE, ".png")
    assert "is 30x20 pixels, but its annotation says 50x40" in said(lambda: codec.decode(png, (40, 50), "a.png"))
    assert "is not an image of 50x40 pixels" in said(lambda: codec.decode_input(png, (40, 50), "a.png"))
    thin = np.zeros((1, 30_000, 3), np.uint8)
    filled = said(lambda: warp.warp_fitted(thin, fit((1, 30_000), (400, 500), "cover"), (400, 500)))
    assert "a picture of 30000x1 is too thin to fill an input of 500x400" in filled
    monkeypatch.setattr(cv2, "imencode", lambda *_: (False, None))
    assert "could not encode a picture of 30x20 as png" in said(lambda: codec.encode(WIDE, "png", 95))


def test_boxes_grids_and_labels() -> None:
    assert "a box of -3x2 pixels" in said(lambda: crop((0, 0, -3, 2), (64, 48)))
    assert "does not divide the input size 48x64" in said(lambda: count_cells((64, 48), 7))
    for labels, heatmap in ((("offset",), "gaussian"), (("heatmap",), "udp")):
        # One row of two cells, so that the order shows.
        options = {"offset": {"corners": True}} if labels == ("offset",) else {}
        config = BuildConfig(input_size=(64, 128), stride=64, labels=labels, heatmap=heatmap, label_options=options)
        assert "two cells along each axis, not 2x1" in said(lambda config=config: config.create_labels(COCO_17))


def test_annotations(coco: Coco) -> None:
    coco.document["images"][0] |= {"width": 70_000, "height": 60_000}
    coco.write()
    assert "70000x60000 pixels are more than" in said(lambda: read_coco(coco.annotations, BuildConfig()))


def test_commands(corpus: Coco, run: Run, tmp_path: Path) -> None:
    outs = [tmp_path / "a", tmp_path / "b"]
    for out, (width, height) in zip(outs, ((96, 64), (64, 128)), strict=True):
        config = BuildConfig(input_size=(height, width), stride=8, labels=("heatmap",))
        build(corpus.root, out, config)
        shown = run("inspect", out).out
        assert f"input_size={width}x{height}" in shown
        # Arrays are told as they are stored: samples, channels, rows, columns.
        assert re.search(rf"\d+x19x{height // 8}x{width // 8}\b", shown)
    found = compare(*outs, executor=InProcess())
    assert "heatmap has 12x8 cells in a, 8x16 in b" in found.unlike
    assert "picture is of 96x64 pixels in a, 64x128 in b" in found.unlike
    assert "  input_size: 96x64, 64x128" in run("diff", *outs).out.splitlines()
    other = run("build", "--coco", corpus.root, "--out", outs[0], "--input-size", "128x64", "--labels", "heatmap")
    assert "input_size: was 96x64, is now 128x64" in other.err
    wrong = run("build", "--coco", corpus.root, "--out", tmp_path / "new", "--input-size", "128,64")
    assert "did you mean 128x64?" in wrong.err
    assert read_words({"input_size": "128x64"}).fields["input_size"] == (64, 128)


def test_shards(corpus: Coco, tmp_path: Path) -> None:
    out = tmp_path / "out"
    build(corpus.root, out, BuildConfig(input_size=(640, 960), labels=("weight",), image_encoding="png"))
    shard = min(out.glob("*.h5"))
    with h5py.File(shard, "r+") as file:
        boxes = file["image/box"][...]
        boxes[0] = 0, 0, 960, 641
        file["image/box"][...] = boxes
    assert "do not lie in 960x640 pixels" in said(lambda: ShardReader(shard))


def test_every_sentence_with_a_size_names_the_width_first() -> None:
    spec = importlib.util.find_spec("posegen")
    assert spec is not None
    (package,) = spec.submodule_search_locations or ()
    found = 0
    for path in Path(package).rglob("*.py"):
        for line in path.read_text(encoding="utf-8").splitlines():
            for first, second in re.findall(r"\{([^{}]+)\}x\{([^{}]+)\}", line):
                found += 1
                kinds = [
                    first.endswith("[1]") and second == f"{first[:-3]}[0]",
                    first.startswith("width") and second == first.replace("width", "height"),
                    first == second,  # a square
                    (first, second) == ("image.width", "image.height"),
                    (first, second) == ("image.height", "image.width"),  # of a picture that is shown turned
                    (first, second) == ("near[1]", "near[2]"),  # of a text in that order
                ]
                assert any(kinds), f"{path.relative_to(package)}: {line.strip()}"
    assert found >= 15
