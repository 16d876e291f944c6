"""Sentences about labels that are seldom said."""

from __future__ import annotations

import dataclasses
from importlib.metadata import EntryPoint
from typing import Any

import numpy as np
import pytest
from label_oracle import make_scene

from posegen.errors import ConfigError, ContractError
from posegen.labels import ArraySpec, LabelContext, contract, create_label, registry
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
