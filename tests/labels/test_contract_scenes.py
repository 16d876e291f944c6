"""On what the contract checks labels: always the same grids and scenes, so that what passed passes again."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
from each import each

from posegen.errors import ContractError
from posegen.labels import ArraySpec, ChannelMirror, LabelContext, Scene, contract, contract_mirror

SIZE = (64, 96)
PLAIN = ChannelMirror(order=(0,))


def test_the_grids_are_of_each_kind_and_have_whole_broken_and_single_pixels() -> None:
    found = [*contract.make_contexts({"a": 1})]
    assert [(one.grid.kind, one.grid.input_size, one.grid.cells) for one in found] == [
        (kind, size, cells)
        for size, cells in (((64, 96), (8, 12)), ((50, 60), (18, 23)), ((33, 32), (33, 32)))
        for kind in ("bilinear", "area", "point")
    ]
    for one in found:
        assert (one.sigma_px, one.half_width_px, one.options) == (4, 4, {"a": 1})
        assert one.skeleton.name == "contract"
        assert one.skeleton.keypoints == ("head", "left_hand", "right_hand")
        assert (one.skeleton.limbs, one.skeleton.flip_pairs) == (((0, 1), (0, 2), (1, 2)), ((1, 2),))


def test_the_scenes_are_those_that_they_ever_were() -> None:
    nobody, one, many = contract.make_scenes(SIZE, 3)
    for scene in (nobody, one, many):
        assert scene.image_size == (70, 40)
        affine = scene.affine
        # As large as it fits into 64 x 96, in whole pixels: 64 x 37 of 70 x 40.
        np.testing.assert_allclose((affine.xx, affine.yy, affine.xy, affine.yx), (37 / 40, 64 / 70, 0, 0))
        assert np.isnan(scene.points[~scene.drawn]).all()
        assert not (scene.visible & ~scene.drawn).any()
    assert nobody.ignored is nobody.ignored_boxes is None
    assert nobody.points.shape == (0, 3, 2)
    assert nobody.boxes.shape == (0, 4)
    for scene, points, boxes, ignored_boxes in (
        (one, (22.8852, 97.3290), (-17.7953, 40.2810, 26.9072, 16.4866), (26.5322, 20.5057, 20.6594, 37.2915)),
        (many, (733.8818, 560.8371), (60.7815, 214.6437, 170.7592, 160.8636), (28.8477, 32.1055, 12.7225, 47.0470)),
    ):
        np.testing.assert_allclose(np.nansum(scene.points, axis=(0, 1)), points, atol=1e-4)
        np.testing.assert_allclose(scene.boxes.sum(axis=0), boxes, atol=1e-4)
        np.testing.assert_allclose(scene.ignored_boxes.sum(axis=0), ignored_boxes, atol=1e-4)
        # From a slope down the picture's left to one that is steeper.
        region = scene.ignored
        assert region.column.tolist() == [*range(5, 35)]
        assert region.top.tolist() == [10 + column // 3 for column in range(5, 35)]
        assert region.bottom.tolist() == [*range(35, 65)]
    assert (one.unknown.dtype, one.unknown.tolist()) == (np.uint8, [[2, 0, 0]])
    assert many.unknown.tolist() == [[0, 1, 0], [0, 0, 0], [0, 1, 0], [0, 0, 0], [0, 0, 1], [0, 1, 0], [0, 0, 0]]
    assert ((many.unknown == 0) == many.drawn).all()
    assert (one.visible.sum(), many.visible.sum()) == (2, 11)


def make_context() -> LabelContext:
    return next(contract.make_contexts({}))


def test_what_is_mirrored_is_one_person_whose_keypoints_differ_by_row_and_side() -> None:
    scenes = [*contract_mirror._make_sides(make_context())]
    assert len(scenes) == 20
    for number, scene in enumerate(scenes):
        assert scene.points.shape == (1, 3, 2)
        # From a fifth to four fifths of the input.
        assert sorted(scene.points[0, :, 1].round(6)) == [12.8, 32, 51.2]
        assert (scene.points[0, :, 0] >= 96 / 5).all()
        assert (scene.points[0, :, 0] <= 96 * 4 / 5).all()
        hidden = (1, 2, 1, 2, None)[number % 5]
        assert scene.drawn.tolist() == [[k != hidden for k in range(3)]]
        assert scene.unknown.tolist() == [[int(k == hidden) for k in range(3)]]
        assert scene.unknown.dtype == np.uint8
        assert scene.image_size == (70, 40)
        assert (scene.affine.xx, scene.affine.yy) == (37 / 40, 64 / 70)
        region = scene.ignored
        assert region.column.tolist() == [*range(10, 30)]
        assert region.top.tolist() == [20 + column // 2 for column in range(10, 30)]
        assert region.bottom.tolist() == [*range(50, 70)]
    np.testing.assert_allclose(sum(scene.points.sum(axis=(0, 1)) for scene in scenes), (3061.524, 1920), atol=1e-3)


def test_mirrored_scenes_are_those_of_a_mirrored_picture() -> None:
    context = make_context()
    scene = next(contract_mirror._make_sides(context))
    seen = contract_mirror._mirror_scene(scene, context)
    for k, other in enumerate((0, 2, 1)):
        np.testing.assert_allclose(seen.points[0, k], (95 - scene.points[0, other, 0], scene.points[0, other, 1]))
        assert seen.drawn[0, k] == scene.drawn[0, other]
        assert seen.unknown[0, k] == scene.unknown[0, other]
    for at in ((0, 0), (7, 31)):
        x, y = scene.affine.apply(np.array(at, float))
        np.testing.assert_allclose(seen.affine.apply(np.array(at, float)), (95 - x, y))
    plain = contract_mirror._mirror_scene(dataclasses.replace(scene, unknown=None), context)
    assert plain.unknown is None
    hidden = contract_mirror._hide(scene)
    assert hidden.ignored is hidden.unknown is None
    assert (hidden.drawn.dtype, hidden.drawn.any(), scene.drawn.any()) == (bool, False, True)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Row:
    """A label of five cells, which are what a function makes of whether the picture is mirrored, or 0 of nobody."""

    rendered: Callable[[bool], Any]
    low: float = 0.0
    high: float = 1.0
    nothing: tuple[float, ...] = (0, 0, 0, 0, 0)
    mirror: Any = PLAIN
    by_person: bool = False

    @property
    def spec(self) -> ArraySpec:
        return ArraySpec(
            name="row",
            channels=("a",),
            cells=(1, 5),
            low=self.low,
            high=self.high,
            mirror=self.mirror,
            by_person=self.by_person,
        )

    def render(self, scene: Scene) -> np.ndarray:
        values = self.rendered(scene.affine.xx < 0) if scene.drawn.any() else self.nothing
        found = np.array(values, np.float32).reshape(1, 1, 5)
        return found[None] if self.by_person else found


def said_of(label: Row) -> str:
    try:
        contract_mirror.check_mirror(label, make_context())
    except ContractError as error:
        return str(error)
    return ""


@each(by_person=[False, True])
def test_a_channel_of_which_less_than_a_quarter_is_alike_is_told(by_person: bool) -> None:
    def said(seen: Any, first: Any = (1, 2, 3, 4, 0), **changes: Any) -> str:
        return said_of(
            Row(rendered=lambda mirrored: seen if mirrored else first, by_person=by_person, **{"high": 4, **changes})
        )

    otherwise = "channel a of a mirrored scene is not what its mirror says: of {} cells {} are as they should be"
    assert said((0, 4, 3, 2, 1)) == ""
    # Of twenty scenes; cells count in which there is something in either.
    assert said((0, 4, 2, 3, 2)) == ""
    assert said((2, 4, 2, 3, 2)) == otherwise.format(100, 20)
    assert said((0, 3, 4, 1, 2)) == otherwise.format(80, 0)
    assert said((0, 3, 4, 1, 2), mirror="cannot") == ""
    # Of a range of 4, a fiftieth is 0.08.
    assert said((0.07, 4.07, 3.07, 2.07, 0.93)) == ""
    assert said((0, 4.09, 3.09, 2.09, 0.91)) == otherwise.format(80, 0)
    assert said((0, 4.07, 3.07, 2.07, 0.93), high=3) == otherwise.format(80, 0)
    assert said((1, 4.07, 3.07, 2.07, 2), (1, 2, 3, 4, 1), low=1.0) == otherwise.format(100, 20)
    assert said((0.07, 4, 3, 2, 1), (1, 2, 3, 4, 0.07)) == ""


def test_where_nothing_is_drawn_it_has_to_mirror_as_well() -> None:
    for least, said in ((0.07, ""), (0.09, "differs where nothing is drawn")):
        assert said_of(Row(rendered=lambda _: (1, 2, 3, 2, 1), nothing=(least, 0, 0, 0, 0), high=4)) == said
    assert said_of(Row(rendered=lambda _: (1, 2, 3, 2, 1), nothing=(1, 0, 0, 0, 1), high=4)) == ""


def test_of_each_channel_its_own_cells_are_counted() -> None:
    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Rows(Row):
        """Two rows, the first of them right."""

        @property
        def spec(self) -> ArraySpec:
            return dataclasses.replace(super().spec, channels=("a", "b"), mirror=ChannelMirror(order=(0, 1)))

        def render(self, scene: Scene) -> np.ndarray:
            second = super().render(scene)
            first = np.broadcast_to(np.float32(scene.drawn.any()), second.shape)
            return np.concatenate([first, second], axis=int(self.by_person))

    for by_person in (False, True):
        label = Rows(rendered=lambda mirrored: (0, 0, 0, 0, 1 + mirrored), by_person=by_person, high=4)
        assert said_of(label).startswith("channel b of a mirrored scene is not what its mirror says: of 40 cells 0 are")
