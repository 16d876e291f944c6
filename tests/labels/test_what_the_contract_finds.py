"""Labels that break the contract in one thing each, and what is said of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from posegen.errors import ContractError
from posegen.geometry import fit
from posegen.labels import ArraySpec, ChannelMirror, LabelContext, Scene, contract

SHAPE = (1, 8, 12)
SPEC = ArraySpec(name="odd", channels=("a",), cells=SHAPE[1:])
SIZE = (64, 96)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Odd:
    """A label of any specification that renders what a function makes of the scene."""

    rendered: Callable[[Scene], Any] = lambda scene: np.zeros(SHAPE, np.float32)
    spec: ArraySpec = SPEC
    people_rows: int = 0
    needs_ignored: bool = False

    def render(self, scene: Scene) -> np.ndarray:
        return np.asarray(self.rendered(scene))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Together(Odd):
    """One that draws several scenes in another way."""

    several: Callable[[list[Scene]], Any]

    def render_many(self, scenes: list[Scene]) -> Any:
        return self.several(scenes)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Limited(Odd):
    """One with limits, that reads what is ignored."""

    needs_ignored: bool = True
    largest: Any = 0.5

    def limits(self, scene: Scene) -> tuple[np.ndarray, np.ndarray]:
        return np.full(SHAPE, 0.25, np.float32), np.full(SHAPE, self.largest, np.float32)


def full(value: Any, dtype: Any = np.float32) -> Callable[[Scene], np.ndarray]:
    return lambda scene: np.full(SHAPE, value, dtype)


def count_many(scene: Scene) -> np.ndarray:
    return full(len(scene.points) if len(scene.points) > 1 and scene.drawn.any() else 0)(scene)


def rise(scene: Scene) -> np.ndarray:
    return np.broadcast_to(np.linspace(0, 1, SHAPE[-1], dtype=np.float32), SHAPE).copy()


def spec(**changes: Any) -> ArraySpec:
    return dataclasses.replace(SPEC, **changes)


def by_person(value: Callable[[Scene], Any], **changes: Any) -> Odd:
    """A label of one number a person."""
    return Odd(
        spec=ArraySpec(name="odd", channels=("a",), cells=(), by_person=True, **changes),
        rendered=lambda scene: np.asarray(value(scene), np.float32).reshape(len(scene.points), 1),
    )


def make_scene(**changes: Any) -> Scene:
    points, drawn = np.arange(12.0).reshape(2, 3, 2), np.array([[True, False, False], [False, True, True]])
    scene = Scene(points=points, drawn=drawn, image_size=SIZE, affine=fit(SIZE, SIZE, "stretch"))
    return dataclasses.replace(scene, **changes)


def said_of(check: str, label: Any, scene: Scene) -> str:
    """What a check says of a label; nothing if it passes."""
    try:
        contract.CHECKS[check](label, scene)
    except ContractError as error:
        return str(error)
    return ""


def test_what_an_array_is_not_is_told() -> None:
    scene = make_scene()
    wide = spec(low=-1.0, high=3.0)
    whole = spec(dtype="uint8", high=9)
    for label, said in (
        (Odd(), ""),
        (Odd(spec=spec(channels=("a", "a"))), "names channels twice, or none: ('a', 'a')"),
        (Odd(spec=spec(channels=())), "names channels twice, or none: ()"),
        (Odd(rendered=lambda _: np.zeros((1, 8, 11))), "is of shape (1, 8, 11), its specification says (1, 8, 12)"),
        (by_person(lambda scene: np.zeros(len(scene.points))), ""),
        (Odd(spec=spec(by_person=True)), "is of shape (1, 8, 12), its specification says (2, 1, 8, 12)"),
        (Odd(rendered=full(0, np.float64)), "is float64, not float32"),
        (Odd(rendered=full(0, np.int64), spec=whole), "is int64, not uint8"),
        (Odd(rendered=lambda _: np.zeros((12, 8, 1), np.float32).T), "is not contiguous"),
        (Odd(rendered=full(np.nan)), "has values that are no numbers"),
        (Odd(rendered=full(np.nan), spec=spec(unknown=True)), ""),
        (Odd(rendered=full([np.nan, 0.5] * 6), spec=spec(unknown=True)), ""),
        (Odd(rendered=full([np.nan, np.inf] * 6), spec=spec(unknown=True)), "has values that are no numbers"),
        (Odd(rendered=full([np.nan, 2] * 6), spec=spec(unknown=True)), "has values from 2 to 2, not 0 to 1"),
        (Odd(rendered=full(9, np.uint8), spec=whole), ""),
        (Odd(rendered=full(10, np.uint8), spec=whole), "has values from 10 to 10, not 0 to 9"),
        # The range is 4 wide, of which sums may leave it by 5e-7.
        (Odd(rendered=full([-1.0000017, 3.0000017] * 6), spec=wide), ""),
        (Odd(rendered=full(3.0000026), spec=wide), "has values from 3 to 3, not -1 to 3"),
        (Odd(rendered=full(-1.0000026), spec=wide), "has values from -1 to -1, not -1 to 3"),
        (Odd(rendered=full([-1.5, 2.5] * 6), spec=wide), "has values from -1.5 to 2.5, not -1 to 3"),
    ):
        assert said_of("array", label, scene) == said


def test_what_is_not_pure_is_told() -> None:
    def write(name: str, *, base: bool = False) -> Callable[[Scene], np.ndarray]:
        def rendered(scene: Scene) -> np.ndarray:
            array = getattr(scene, name)
            (array.base if base else array)[...] = 0
            return np.zeros(SHAPE, np.float32)

        return rendered

    for name in ("points", "drawn"):
        said = said_of("purity", Odd(rendered=write(name)), make_scene())
        assert said.startswith("writes to its scene: assignment destination is read-only")
        array = getattr(make_scene(), name).copy()
        assert said_of("purity", Odd(rendered=write(name, base=True)), make_scene(**{name: array})) == (
            "changes its scene"
        )
        for fortran in (False, True):
            # A label that reads how one of the arrays lies in memory.
            label = Odd(
                rendered=lambda scene, name=name: np.full(SHAPE, getattr(scene, name).flags.c_contiguous, np.float32)
            )
            order = np.asfortranarray if fortran else np.ascontiguousarray
            said = said_of("memory", label, make_scene(**{name: order(array)}))
            assert said == ("" if fortran else "depends on how its scene lies in memory")


def test_what_comes_in_another_order_is_told() -> None:
    scene = make_scene()
    first = lambda scene, step: np.full(SHAPE, 1 + step * scene.drawn[0, 0], np.float32)  # noqa: E731
    wide = spec(low=-1.0, high=3.0)
    # The range is 4 wide, of which what is summed in another order may differ by 1e-6.
    assert said_of("order", Odd(rendered=lambda scene: first(scene, 3.6e-6), spec=wide), scene) == ""
    said = said_of("order", Odd(rendered=lambda scene: first(scene, 4.8e-6), spec=wide), scene)
    assert said == "differs by 4.76837e-06 when people come in another order"
    assert said_of("order", by_person(lambda scene: scene.points[:, 0, 0] / 9), scene) == ""
    said = said_of("order", by_person(lambda scene: np.arange(len(scene.points))), scene)
    assert said == "differs by 1 when people come in another order"
    table = ArraySpec(name="odd", channels=("a", "b"), cells=())
    rows = Odd(spec=table, people_rows=2, rendered=lambda scene: scene.points[:, 0, 0].astype(np.float32))
    assert said_of("order", rows, scene) == ""
    assert said_of("order", dataclasses.replace(rows, people_rows=0), scene).startswith("differs by 6 ")
    rows = dataclasses.replace(rows, rendered=lambda scene: scene.points[:1, 0, 0].repeat(2))
    assert said_of("order", rows, scene) == "has other rows when people come in another order"


def test_what_is_drawn_of_nobody_is_told() -> None:
    scene, said = make_scene(), "draws people of whom no keypoint is drawn"
    assert said_of("nobody", Odd(rendered=lambda scene: full(len(scene.points))(scene)), scene) == said
    assert said_of("nobody", by_person(lambda scene: np.ones(len(scene.points))), scene) == ""
    assert said_of("nobody", by_person(lambda scene: scene.points[:, 0, 0]), scene) == said
    assert said_of("nobody", by_person(lambda scene: scene.drawn[:, 0]), scene) == ""
    unknown = np.ones((2, 3), np.uint8)
    known = Odd(rendered=lambda scene: full(scene.unknown is not None and len(scene.points))(scene))
    assert said_of("nobody", known, make_scene(unknown=unknown)) == ""


def test_what_is_drawn_together_otherwise_than_alone_is_told() -> None:
    scene = make_scene()
    people = lambda scene: np.full(SHAPE, len(scene.points), np.float32)  # noqa: E731
    assert said_of("together", Odd(rendered=people), scene) == ""
    for several, said in (
        (lambda scenes: np.stack([people(scene) for scene in scenes]), ""),
        (lambda scenes: [people(scene) for scene in scenes[1:]], "draws 4 of 5 scenes"),
        (lambda scenes: [people(scenes[0])] * len(scenes), "differs when it is drawn together with others"),
        (lambda scenes: [people(scene) for scene in scenes[::-1]], "differs when it is drawn together with others"),
    ):
        assert said_of("together", Together(rendered=people, several=several), scene) == said


def test_only_labels_with_which_it_is_stored_may_read_what_is_unknown() -> None:
    scene = make_scene(unknown=np.ones((2, 3), np.uint8))
    said = "reads what is unknown, which shards with it do not store"
    for name, expected in (
        ("odd", said), ("heatmap_mask", ""), ("heatmap_mask_s8", ""), ("heatmap_masks", said), ("paf_mask_a", ""),
    ):  # fmt: skip
        label = Odd(rendered=lambda scene: full(scene.unknown is not None)(scene), spec=spec(name=name))
        assert said_of("unknown", label, scene) == expected
    # Values that nobody knows are equal.
    assert said_of("unknown", Odd(rendered=full(np.nan), spec=spec(unknown=True)), scene) == ""


def test_a_label_that_reads_what_is_ignored_says_so() -> None:
    said = "reads what is ignored, without needs_ignored"
    scenes = [*contract.make_scenes(SIZE, 3)]

    def corners(scene: Scene) -> np.ndarray:
        """Draw the far corners of small boxes."""
        out = np.zeros(SHAPE, np.float32)
        for x, y, w, h in () if scene.ignored_boxes is None else scene.ignored_boxes:
            if x + w < SIZE[1] and y + h < SIZE[0]:
                out[0, int((y + h) / 8), int((x + w) / 8)] = 1
        return out

    def any_boxes(scene: Scene) -> np.ndarray:
        return full(scene.ignored_boxes is not None)(scene)

    def any_region(scene: Scene) -> np.ndarray:
        return full(scene.ignored is not None)(scene)

    for rendered in (corners, any_boxes, any_region):
        assert said_of("ignored", Odd(rendered=rendered), scenes[1]) == said
        assert said_of("ignored", Odd(rendered=rendered, needs_ignored=True), scenes[1]) == ""

    def all_of_it(scene: Scene) -> np.ndarray:
        """Draw something if all of a picture is ignored."""
        shown = np.ones(scene.image_size)
        if scene.ignored is not None:
            for column, top, bottom in zip(*dataclasses.astuple(scene.ignored), strict=True):
                shown[top:bottom, column] = 0
        return full(shown.sum() == 0)(scene)

    assert said_of("ignored", Odd(rendered=all_of_it), scenes[0]) == said
    assert said_of("ignored", Odd(rendered=all_of_it, needs_ignored=True), scenes[0]) == ""


def test_what_leaves_its_limits_is_told() -> None:
    scene, said = make_scene(), "leaves its limits when more or less is ignored"

    def known(value: float, none: float = 0.3) -> Callable[[Scene], np.ndarray]:
        return lambda scene: full(none if scene.ignored is None else value)(scene)

    for label, expected in (
        (Limited(rendered=known(0.5)), ""), (Limited(rendered=known(0.25)), ""),
        (Limited(rendered=known(0.5 + 3e-7)), ""), (Limited(rendered=known(0.5 + 9e-7)), said),
        (Limited(rendered=known(0.25 - 3e-7)), ""), (Limited(rendered=known(0.25 - 9e-7)), said),
        (Limited(rendered=known(0.5 + 9e-7), spec=spec(high=2)), ""),
        (Limited(rendered=known(0.5 + 9e-7), spec=spec(high=2, low=1)), said),
        (Limited(rendered=known(0.3, none=0.6)), said), (Limited(rendered=known(np.nan)), said),
        (Limited(rendered=known(np.nan), spec=spec(unknown=True)), ""),
    ):  # fmt: skip
        assert said_of("ignored", label, scene) == expected


def test_what_can_be_changed_or_is_not_its_own_is_told() -> None:
    class Plain:
        pass

    @dataclasses.dataclass
    class Soft:
        first: int = 1
        second: int = 2

    @dataclasses.dataclass(frozen=True)
    class Empty:
        pass

    @dataclasses.dataclass
    class SoftAndEmpty:
        pass

    scene = make_scene()
    assert said_of("frozen", Plain(), scene) == "is no dataclass"
    assert said_of("frozen", Soft(), scene) == "can be changed: first"
    assert said_of("frozen", Empty(), scene) == ""
    assert said_of("frozen", SoftAndEmpty(), scene) == "can be changed: spec"
    assert said_of("frozen", Odd(), scene) == ""
    shared = np.zeros(SHAPE, np.float32)
    assert said_of("repetition", Odd(rendered=lambda _: shared), scene) == "differs when it is drawn again"
    assert said_of("repetition", Odd(), scene) == ""
    assert said_of("pickle", Odd(), scene).startswith("cannot be pickled: ")


def test_where_it_was_found_is_told() -> None:
    def check(label: Odd, options: Any = None, name: str = "odd") -> str:
        def create(context: LabelContext) -> tuple[Odd, ...]:
            if "value" not in context.options:
                return (label,)
            return (dataclasses.replace(label, rendered=full(context.options["value"])),)

        with pytest.raises(ContractError) as caught:
            contract.check_label(name, create, options)
        return str(caught.value)

    where = "odd on bilinear cells (8, 12) of (64, 96)"
    crowd = Odd(rendered=count_many)
    assert check(Odd(), {"value": 2}) == f"{where}, 0 people: array: has values from 2 to 2, not 0 to 1"
    assert check(Odd(), name="right") == f"{where}: its name must be right, or begin with right_"
    lopsided = Odd(rendered=rise, spec=spec(mirror=ChannelMirror(order=(0,))))
    assert check(lopsided) == f"{where}: mirror: differs where nothing is drawn"
    assert check(crowd) == f"{where}, 7 people: array: has values from 7 to 7, not 0 to 1"
