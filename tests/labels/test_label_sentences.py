"""Sentences about labels that are seldom said."""

from __future__ import annotations

import dataclasses
from importlib.metadata import EntryPoint
from typing import Any

import numpy as np
import pytest
from label_oracle import make_scene

from posegen.errors import ConfigError, ContractError
from posegen.labels import ArraySpec, ChannelMirror, LabelContext, contract, create_label, registry
from posegen.labels.grid import make_grid
from posegen.skeleton import COCO_17


@dataclasses.dataclass(frozen=True)
class Forgetful:
    """A label that forgets what it was when it is sent elsewhere."""

    value: float = 1.0
    name: str = "odd"
    forgets: str = ""

    @property
    def spec(self) -> ArraySpec:
        return ArraySpec(name=self.name, channels=("a",), cells=(2, 3), high=9)

    def render(self, scene: object) -> np.ndarray:
        return np.full((1, 2, 3), self.value, np.float32)

    def __reduce__(self) -> Any:
        given = {"value": (2.0, self.name), "name": (self.value, "other"), "": (self.value, self.name)}
        return Forgetful, given[self.forgets]


def test_a_label_that_is_another_when_it_was_sent_is_told() -> None:
    scene = make_scene(np.zeros((0, 3, 2)), np.zeros((0, 3), bool), (16, 24))
    contract.check_pickle(Forgetful(), scene)
    for forgets, why in (
        ("name", "has another specification when it was pickled"),
        ("value", "differs when it was pickled"),
    ):
        with pytest.raises(ContractError) as caught:
            contract.check_pickle(Forgetful(forgets=forgets), scene)
        assert str(caught.value).startswith(why)


def test_a_label_that_several_packages_bring_is_refused_by_their_names(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = tuple(EntryPoint(name="odd", value=value, group=registry.GROUP) for value in ("a:b", "a:b", "c:d"))
    monkeypatch.setattr(registry, "_entries", lambda: entries)
    with pytest.raises(ConfigError) as caught:
        registry._find_entry("odd")
    assert str(caught.value) == (
        "label 'odd' is brought by an unnamed package and an unnamed package and an unnamed package; uninstall one of "
        "them"
    )
    monkeypatch.setattr(registry, "_entries", lambda: entries[:2])
    assert registry._find_entry("odd").value == "a:b"


def test_how_a_prediction_is_read_is_told() -> None:
    context = LabelContext(grid=make_grid("point", (64, 64), (8, 8)), skeleton=COCO_17)
    said = {name: create_label(name, context)[0].decoder for name in ("cif", "caf")}
    assert said == {
        "cif": "places to which cells point, at x s", "caf": "people joined by the ends to which cells point",
    }  # fmt: skip


def test_the_number_of_a_cell_is_at_most_that_of_the_last() -> None:
    for cells in ((8, 12), (12, 8), (1, 1)):
        size = (8 * cells[0], 8 * cells[1])
        (label,) = create_label(
            "keypoint_indices", LabelContext(grid=make_grid("point", size, cells), skeleton=COCO_17)
        )
        assert (label.spec.low, label.spec.high) == (0, max(cells[0] * cells[1] - 1, 1))
        point = np.array([[[size[1] - 4.5, size[0] - 4.5]] * 17])
        drawn = label.render(make_scene(point, np.ones((1, 17), bool), size))
        assert drawn[0, 0].tolist() == [cells[0] * cells[1] - 1, 1]


def test_what_an_array_cannot_be_is_told() -> None:
    def said(**changes: Any) -> str:
        try:
            ArraySpec(**{"name": "odd", "channels": ("a", "b"), "cells": (2, 3), **changes})
        except ConfigError as error:
            return str(error)
        return ""

    axes = ("channel", "value", "y", "x")
    inner = "odd: an inner axis has from 1 to 1048576 places, not "
    named = "odd: the axes of (2, 5, 2, 3) must have a name each, not "
    for changes, expected in (
        ({"mirror": 5}, "odd: its mirror must be a ChannelMirror, or say why not, not 5"),
        ({"mirror": None}, ""),
        ({"mirror": ChannelMirror(order=(0,))}, "odd has 2 channels, its mirror 1"),
        ({"mirror": ChannelMirror(order=(*range(10),)), "inner": (5,), "axes": axes}, ""),
        ({"mirror": ChannelMirror(order=(0, 1)), "inner": (5,), "axes": axes}, ""),
        ({"mirror": ChannelMirror(order=(0, 1, 2)), "inner": (5,), "axes": axes}, "odd has 2 channels, its mirror 3"),
        (
            {"mirror": ChannelMirror(order=(0, 1), negated=(1,))},
            "odd has no values below 0, but its mirror changes signs",
        ),
        ({"mirror": ChannelMirror(order=(0, 1), negated=(1,)), "low": -0.5}, ""),
        ({"inner": (0,), "axes": axes}, f"{inner}0"),
        ({"inner": (1 << 20,), "axes": axes}, ""),
        ({"inner": ((1 << 20) + 1,), "axes": axes}, f"{inner}1048577"),
        ({"inner": (True,), "axes": axes}, f"{inner}True"),
        ({"inner": (2.0,), "axes": axes}, f"{inner}2.0"),
        ({"inner": (5,)}, f"{named}()"),
        ({"inner": (5,), "axes": ("channel", "y", "x")}, f"{named}('channel', 'y', 'x')"),
        ({"inner": (5,), "axes": ("channel", "y", "y", "x")}, f"{named}('channel', 'y', 'y', 'x')"),
        ({"inner": (5,), "axes": ("channel", "", "y", "x")}, f"{named}('channel', '', 'y', 'x')"),
        ({"inner": (5,), "axes": ("channel", 1, "y", "x")}, f"{named}('channel', 1, 'y', 'x')"),
        (
            {"dtype": "float64"},
            "odd: its dtype must be one of float32, int64, int32, int16, int8, uint8, not 'float64'",
        ),
        ({"dtype": "int8", "unknown": True}, "odd: values of int8 are whole numbers, which cannot be unknown"),
        ({"dtype": "int8"}, ""),
        ({"unknown": True}, ""),
    ):
        assert said(**changes) == expected
    for cells, axes in (((2, 3), ("channel", "y", "x")), ((), ("channel",))):
        found = ArraySpec(name="odd", channels=("a",), cells=cells)
        assert (found.axes, found.shape, found.places) == (axes, (1, *cells), 1)
        assert not found.flips
        assert not found.is_whole
    several = ArraySpec(
        name="odd", channels=("a", "b"), cells=(), inner=(3, 5), axes=("channel", "u", "v"), dtype="int8",
        mirror=ChannelMirror(order=(0, 1)),
    )  # fmt: skip
    assert (several.shape, several.places, several.is_whole, several.flips) == ((2, 3, 5), 30, True, True)


def test_what_no_mirror_is_is_told() -> None:
    for changes, said in (
        ({"order": (0, 2)}, "a mirror of 2 channels must be numbers from 0 to 1, not (0, 2)"),
        ({"order": (0, 1), "negated": (2,)}, "a mirror of 2 channels must be numbers from 0 to 1, not (2,)"),
        (
            {"order": (0, 1), "negated": (1, 0)},
            "a mirror must name what changes its sign once and in order, not (1, 0)",
        ),
    ):
        with pytest.raises(ConfigError) as caught:
            ChannelMirror(**changes)
        assert str(caught.value) == said


def test_what_a_label_cannot_be_called_or_given_is_told() -> None:
    for name in ("Odd", "", "1a", "a" * 65, "a-b", 5, "ignored"):
        with pytest.raises(ConfigError) as caught:
            registry.check_name(name)
        assert str(caught.value) == (
            "labels must be names of small letters, digits and '_', none of checksum, ignored, image, person, preview, "
            f"sample, not {name!r}"
        )
    registry.check_name("a" * 64)
    grid = make_grid("point", (64, 64), (8, 8))

    def said(options: dict[str, Any], **defaults: Any) -> str:
        with pytest.raises(ConfigError) as caught:
            LabelContext(grid=grid, skeleton=COCO_17, options=options).read_options(**defaults)
        return str(caught.value)

    assert said({"a": 1}) == "the label has no option 'a'; it has none"
    assert said({"widht": 1}, width=1, big=True) == (
        "the label has no option 'widht' (did you mean 'width'?); it has big, width"
    )
    for value, default, kind in ((True, 1, "int"), (1.5, 1, "int"), (1, True, "bool"), ("1", 1.0, "float"),
                                 (True, 1.0, "float"), (1, "a", "str")):  # fmt: skip
        assert said({"a": value}, a=default) == f"the label's option 'a' must be a {kind}, not {value!r}"
    found = LabelContext(grid=grid, skeleton=COCO_17, options={"a": 1}).read_options(a=2.0, b=3)
    assert found == {"a": 1.0, "b": 3}
    assert [type(value) for value in found.values()] == [float, int]


def test_a_label_is_told_that_makes_something_else(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    monkeypatch.setattr(registry, "find_factory", lambda _: lambda _: [Forgetful(name=name) for name in made])
    context = LabelContext(grid=make_grid("point", (64, 64), (8, 8)), skeleton=COCO_17)
    for names, said in (
        (["odd", "odder"], "label 'odd' makes an array 'odder'; its name must be odd, or begin with odd_"),
        (["odd_A"], "labels must be names of small letters, "),
        (["odd", "odd_a"], ""),
        ([], ""),
    ):
        made[:] = names
        if not said:
            assert [label.spec.name for label in create_label("odd", context)] == names
            continue
        with pytest.raises(ConfigError) as caught:
            create_label("odd", context)
        assert str(caught.value).startswith(said)
