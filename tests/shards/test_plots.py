"""What viewers are told of pictures and labels, attribute by attribute, and where along their axes the elements are."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from posegen.config import BuildConfig
from posegen.labels import ArraySpec
from posegen.shards.nexus import Axis, fix_text, fix_texts, plot_label, plot_picture, put, write_plots
from posegen.shards.preview import _MOST_OFF, compare_previews, write_preview

CONFIG = BuildConfig(input_size=(8, 16), stride=4)


def plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def attributes(item: Any) -> dict[str, Any]:
    return {name: plain(value) for name, value in item.attrs.items()}


def test_what_a_viewer_is_told_of_a_picture_and_labels(tmp_path: Path) -> None:
    pixels = np.arange(4 * 8 * 3, dtype=np.uint8).reshape(4, 8, 3)
    values = np.zeros((3, 2, 4), np.float32)
    values[1, 1, 2] = 1
    map_ = plot_label(ArraySpec(name="heatmap", channels=("a", "bc", "d"), cells=(2, 4)), values, CONFIG)
    vector = ArraySpec(name="own", channels=("a", "b"), cells=(), inner=(3,), axes=("channel", "data"), dtype="int64")
    flat = plot_label(vector, np.arange(6).reshape(2, 3), CONFIG)
    several = dataclasses.replace(map_, name="several").along(
        Axis(name="sample", places=np.array([5, 7])), np.stack([values, values])
    )
    with h5py.File(tmp_path / "a.h5", "w") as file:
        entry = write_plots(file, "shown", [plot_picture(pixels, (8, 16)), map_, flat, several])
        assert attributes(entry) == {"NX_class": b"NXentry", "default": b"picture"}
        common: dict[str, Any] = {"NX_class": b"NXdata", "signal": b"data"}
        cells = {"axes": [b"channel", b"y", b"x"], "channel_names_indices": 0}
        assert {name: attributes(entry[name]) for name in entry} == {
            "picture": {**common, "title": b"picture", "axes": [b"y", b"x", b"."]},
            "heatmap": {**common, **cells, "title": b"heatmap", "default_slice": [b"1", b".", b"."]},
            "own": {**common, "title": b"own", "axes": [b"channel", b"axis_1"], "channel_names_indices": 0},
            "several": {
                **common, "title": b"several", "axes": [b"sample", b"channel", b"y", b"x"], "channel_names_indices": 1,
                "default_slice": [b"0", b"1", b".", b"."],
            },
        }  # fmt: skip
        assert {name: attributes(entry[name]["data"]) for name in entry} == {
            "picture": {
                "long_name": b"picture", "interpretation": b"rgb-image", "CLASS": b"IMAGE", "IMAGE_VERSION": b"1.2",
                "IMAGE_SUBCLASS": b"IMAGE_TRUECOLOR", "INTERLACE_MODE": b"INTERLACE_PIXEL",
            },
            "heatmap": {"long_name": b"heatmap", "interpretation": b"image"},
            "own": {"long_name": b"own"},
            "several": {"long_name": b"several", "interpretation": b"image"},
        }  # fmt: skip
        assert {name: entry[name]["data"].chunks for name in entry} == {
            "picture": (4, 8, 3), "heatmap": (1, 2, 4), "own": (2, 3), "several": (1, 1, 2, 4),
        }  # fmt: skip
        assert all(entry[name]["data"].compression == "gzip" for name in entry)
        assert all(entry[name]["data"].fletcher32 for name in entry)
        assert [plain(entry[f"heatmap/{name}"][...]) for name in ("channel_names", "y", "x", "channel")] == [
            [b"a", b"bc", b"d"], [1.5, 5.5], [1.5, 5.5, 9.5, 13.5], [0, 1, 2],
        ]  # fmt: skip
        assert [plain(entry[f"picture/{name}"][...]) for name in "yx"] == [
            [0.5, 2.5, 4.5, 6.5], [0.5, 2.5, 4.5, 6.5, 8.5, 10.5, 12.5, 14.5],
        ]  # fmt: skip
        units = [attributes(entry[f"heatmap/{name}"]) for name in ("x", "y", "channel", "channel_names")]
        assert units == [{"units": b"px"}] * 2 + [{}] * 2
        assert plain(entry["several/sample"][...]) == [5, 7]
        small = put(file, "small", np.arange(3))
        assert (small.chunks, small.fletcher32, put(file, "none", np.arange(0)).chunks) == ((3,), True, None)
        write_preview(file, [map_])
        told = attributes(file), attributes(file["preview"])
        assert told == (
            {"NX_class": b"NXroot", "default": b"preview"},
            {"NX_class": b"NXentry", "default": b"heatmap", "title": b"the first sample of this shard"},
        )


def test_where_cells_are_depends_on_how_heatmaps_are_drawn() -> None:
    spec = ArraySpec(name="heatmap", channels=("a",), cells=(2, 4))
    values = np.zeros(spec.shape, np.float32)
    for heatmap, y, x in (
        ("msra", [0, 4], [0, 4, 8, 12]), ("msra-unbiased", [0, 4], [0, 4, 8, 12]), ("udp", [0, 7], [0, 5, 10, 15]),
        ("gaussian", [1.5, 5.5], [1.5, 5.5, 9.5, 13.5]),
    ):  # fmt: skip
        config = dataclasses.replace(CONFIG, heatmap=heatmap)
        for name in ("heatmap", "heatmap_s4", "paf"):
            of_heatmap = name != "paf"
            plot = plot_label(dataclasses.replace(spec, name=name), values, config)
            places = [axis.places.tolist() for axis in plot.axes]
            assert places == [[0], y if of_heatmap else [1.5, 5.5], x if of_heatmap else [1.5, 5.5, 9.5, 13.5]], name
    one = dataclasses.replace(spec, cells=(1, 1))
    plot = plot_label(one, np.zeros(one.shape, np.float32), dataclasses.replace(CONFIG, heatmap="udp"))
    assert [axis.places.tolist() for axis in plot.axes] == [[0], [0], [0]]


def test_text_is_as_long_as_it_has_to_be() -> None:
    for text, size in (("", 1), ("a", 1), ("é", 2), ("abc", 3)):
        fixed = fix_text(text)
        assert (fixed.dtype.itemsize, fixed.tolist()) == (size, text.encode())
        assert h5py.check_string_dtype(fixed.dtype) == ("utf-8", size)
    texts = fix_texts(["é", "abc", ""])
    assert (texts.dtype.itemsize, texts.tolist()) == (3, ["é".encode(), b"abc", b""])
    assert h5py.check_string_dtype(texts.dtype).encoding == "utf-8"
    assert (fix_texts([]).shape, fix_texts([""]).dtype.itemsize) == ((0,), 1)


def test_a_picture_may_differ_by_sixteen_and_all_else_by_nothing() -> None:
    assert _MOST_OFF == 16
    picture = plot_picture(np.full((2, 2, 3), 100, np.uint8), (2, 2))
    label = plot_label(
        ArraySpec(name="own", channels=("a",), cells=(2, 2), unknown=True),
        np.full((1, 2, 2), np.nan, np.float32),
        CONFIG,
    )
    found = {f"preview/{plot.name}/{name}": of.copy() for plot in (picture, label) for name, of in plot.arrays.items()}
    assert compare_previews(found, [picture, label]) is None
    for path, value, same in (
        ("preview/picture/data", 116, True), ("preview/picture/data", 84, True), ("preview/picture/data", 117, False),
        ("preview/picture/data", 83, False), ("preview/picture/x", 0.25, False), ("preview/own/data", 0, False),
        ("preview/own/channel_names", b"b", False), ("preview/own/y", 1, False),
    ):  # fmt: skip
        kept = found[path]
        found[path] = kept.copy()
        found[path][0] = value
        said = None if same else f"{path} does not show the first sample"
        assert compare_previews(found, [picture, label]) == said
        found[path] = kept
