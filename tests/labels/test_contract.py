"""What every label keeps to, whatever it draws."""

import dataclasses
import itertools
from collections.abc import Callable

import numpy as np
import pytest
from each import each
from label_oracle import KINDS, LIMBS, make_region, scatter

from posegen.errors import ContractError
from posegen.geometry import fit
from posegen.labels import (
    ArraySpec,
    ChannelMirror,
    HeatmapLabel,
    Label,
    MaskLabel,
    PafLabel,
    Scene,
    TopDownLabel,
    WeightLabel,
    contract,
    registry,
)
from posegen.labels.grid import make_grid
from posegen.labels.topdown import TOP_DOWN_KINDS

SIZES = (((64, 96), (8, 12)), ((50, 60), (18, 23)), ((33, 32), (33, 32)))


def _labels():
    for size, cells in SIZES:
        for kind in KINDS:
            grid = make_grid(kind, size, cells)
            name = f"{kind}-{size[1]}x{size[0]}-{cells[1]}x{cells[0]}"
            yield f"heatmap-{name}", HeatmapLabel(grid=grid, keypoints=tuple("abc"), sigma_px=4.0), size
            yield (
                f"no_background-{name}",
                HeatmapLabel(grid=grid, keypoints=tuple("abc"), sigma_px=4.0, background=False),
                size,
            )
            yield f"paf-{name}", PafLabel(grid=grid, limbs=LIMBS, limb_names=tuple("wxyz"), half_width_px=4.0), size
        yield f"mask-{size[1]}x{size[0]}", MaskLabel(input_size=size, cells=cells), size
        for kind in TOP_DOWN_KINDS:
            heatmap = TopDownLabel(kind=kind, input_size=size, cells=cells, keypoints=tuple("abc"), sigma_cells=2.0)
            yield f"{kind}-{size[1]}x{size[0]}", heatmap, size
            yield f"weight-{kind}-{size[1]}x{size[0]}", WeightLabel(keypoints=tuple("abc"), heatmap=heatmap), size


CASES = {name: (label, size) for name, label, size in _labels()}
PEOPLE = {f"{people} people": people for people in (0, 1, 7)}


def make_scene(size, people):
    """People in a picture of another shape than the input, with a region to ignore; what is not drawn is no number."""
    image_size = 70, 40
    points, drawn = scatter(np.random.default_rng(people), people, 3, size)
    points[~drawn] = np.nan
    pixels = (np.random.default_rng(1).random((20, 30)) < 0.5).astype(np.uint8)
    return Scene(
        points=points,
        drawn=drawn,
        image_size=image_size,
        affine=fit(image_size, size, "letterbox"),
        ignored=make_region(np.pad(pixels, ((10, 0), (5, 0)))) if people else None,
    )


# One id for all labels and scenes of a check, so that the checks can be shared among processes.
@pytest.mark.parametrize("check", contract.CHECKS)
@each(case=CASES, people=PEOPLE)
def test_a_label_keeps_the_contract(check, case, people):
    label, size = case
    contract.CHECKS[check](label, make_scene(size, people))


@each(case=CASES, people=PEOPLE)
def test_a_label_does_not_write_to_what_is_ignored(case, people):
    label, size = case
    scene = make_scene(size, people)
    if scene.ignored:
        kept = scene.ignored.top.copy()
        scene.ignored.top.setflags(write=False)
        label.render(scene)
        np.testing.assert_array_equal(scene.ignored.top, kept)


@each(name=[*registry.BUILT_IN])
def test_what_is_registered_keeps_the_contract_on_every_grid(name):
    contract.check_label(name, registry.find_factory(name))


@each(
    "name, options",
    [
        ("heatmap", {"normalize": "sum"}),
        ("heatmap", {"sigmas": "2,1"}),
        ("simcc", {"smoothing": "standard", "label_smooth": 0.1, "split_ratio": 1.5}),
        ("simcc", {"normalize": False, "sigma_y": 2.0}),
        ("weight", {"of": "simcc"}),
        ("keypoint_indices", {"cell": "middle"}),
        ("keypoint_indices", {"cell": "inside"}),
        ("cif", {"selfhidden": False, "valid_area": True}),
        ("caf", {"selfhidden": False, "valid_area": True}),
        ("weight", {"of": "regression"}),
        ("center", {"min_diagonal": 5.0, "background_weight": 0.0}),
        ("offset", {"corners": True, "radius_factor": 0.3}),
        ("center", {"root": "box", "radius_cells": 2.5, "sigma_factor": 0.5}),
    ],
)
def test_a_label_keeps_the_contract_with_any_options(name, options):
    contract.check_label(name, registry.find_factory(name), options)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Faulty:
    """A label of one channel that renders what a function makes of its shape and scene."""

    rendered: Callable

    @property
    def spec(self):
        return ArraySpec(name="faulty", channels=("a",), cells=(8, 12))

    def render(self, scene):
        return self.rendered((1, 8, 12), scene)


class Thawed(Faulty):
    __slots__ = ()

    def __setattr__(self, name, value):
        object.__setattr__(self, name, value)


CALLS = itertools.count()


def count_calls(shape, scene):
    return np.full(shape, next(CALLS) / 1e9, np.float32)


SHARED = np.zeros((1, 8, 12), np.float32)


def write(shape, scene):
    scene.points[...] = 0
    return np.zeros(shape, np.float32)


def first_person(shape, scene):
    return np.full(shape, bool(len(scene.drawn)) and scene.drawn[0, 2], np.float32)


def memory(shape, scene):
    return np.full(shape, scene.points.flags.c_contiguous, np.float32)


def nobody(shape, scene):
    return np.full(shape, min(len(scene.points), 1), np.float32)


def ignored(shape, scene):
    return np.full(shape, scene.ignored is not None, np.float32)


def beyond(shape, scene):
    return np.full(shape, 0.5 if scene.ignored is None else 0.75, np.float32)


class Needing(Faulty):
    """A label whose limits are those of a picture of which nothing is ignored."""

    needs_ignored = True

    def limits(self, scene):
        largest = self.render(dataclasses.replace(scene, ignored=None))
        return np.zeros_like(largest), largest


def fill(value, dtype=np.float32):
    return lambda shape, scene: np.full(shape, value, dtype)


@each(
    "check, label, message",
    [
        ("array", Faulty(rendered=lambda shape, scene: np.zeros((1, 8, 11), np.float32)), "is of shape"),
        ("array", Faulty(rendered=fill(0, np.float64)), "is float64"),
        ("array", Faulty(rendered=lambda shape, scene: np.zeros(shape[::-1], np.float32).T), "not contiguous"),
        ("array", Faulty(rendered=fill(np.nan)), "no numbers"),
        ("array", Faulty(rendered=fill(1.001)), "values from 1.001 to 1.001, not 0 to 1"),
        ("array", Faulty(rendered=fill(-0.001)), "not 0 to 1"),
        ("repetition", Faulty(rendered=count_calls), "drawn again"),
        ("repetition", Faulty(rendered=lambda shape, scene: SHARED), "drawn again"),
        ("purity", Faulty(rendered=write), "writes to its scene"),
        ("memory", Faulty(rendered=memory), "lies in memory"),
        ("pickle", Faulty(rendered=fill(0)), "cannot be pickled"),
        ("frozen", Thawed(rendered=fill(0)), "can be changed"),
        ("order", Faulty(rendered=first_person), "another order"),
        ("nobody", Faulty(rendered=nobody), "of whom no keypoint is drawn"),
        ("ignored", Faulty(rendered=ignored), "reads what is ignored, without needs_ignored"),
        ("ignored", Needing(rendered=beyond), "leaves its limits"),
    ],
)
def test_each_check_finds_what_it_is_for(check, label, message):
    points, drawn = np.zeros((2, 3, 2)), np.array([[True, False, False], [False, True, True]])
    size = 64, 96
    scene = Scene(points=points, drawn=drawn, image_size=size, affine=fit(size, size, "stretch"))
    with pytest.raises(ContractError, match=message):
        contract.CHECKS[check](label, scene)


def test_the_contract_says_which_check_failed_on_what():
    with pytest.raises(ContractError, match=r"faulty on bilinear cells \(8, 12\) of \(64, 96\), 0 people: array: .*2"):
        contract.check_label("faulty", lambda context: (Faulty(rendered=fill(2)),))
    with pytest.raises(ContractError, match="its name must be right, or begin with right_"):
        contract.check_label("right", lambda context: (Faulty(rendered=fill(0)),))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Mirrored:
    """Another label, that is said to mirror otherwise."""

    label: Label
    mirror: ChannelMirror

    @property
    def spec(self):
        return dataclasses.replace(self.label.spec, mirror=self.mirror)

    def render(self, scene):
        return self.label.render(scene)


@each(name=["heatmap", "paf", "offset", "center", "limb", "weight"])
def test_a_mirror_that_says_one_channel_wrongly_is_found(name):
    for context in itertools.islice(contract.make_contexts({}), 0, None, 4):
        for label in registry.create_label(name, context):
            right, count = label.spec.mirror, len(label.spec.channels)
            contract.check_mirror(label, context)
            moved = [k for k in range(count) if right.order[k] != k]
            wrong = [((*right.order[:k], k, *right.order[k + 1 :]), right.negated) for k in moved]
            if label.spec.signed:
                wrong += [(right.order, tuple(sorted({*right.negated} ^ {k}))) for k in range(count)]
            assert wrong or label.spec.name in {"center", "center_heatmap_weights"}
            for order, negated in wrong:
                with pytest.raises(ContractError, match="of a mirrored scene is not what its mirror says"):
                    contract.check_mirror(
                        Mirrored(label=label, mirror=ChannelMirror(order=order, negated=negated)), context
                    )


def test_a_label_that_is_not_drawn_to_both_sides_alike_cannot_say_that_it_mirrors():
    (context, *_) = contract.make_contexts({})
    for kind in ("msra", "megvii"):
        (label,) = registry.create_label("heatmap", dataclasses.replace(context, heatmap=kind))
        assert label.spec.mirror == "drawn of a flipped sample it would be another"
    (label,) = registry.create_label("heatmap", dataclasses.replace(context, heatmap="udp"))
    contract.check_mirror(label, context)
    slope = Faulty(rendered=lambda shape, scene: np.broadcast_to(np.linspace(0, 1, 12, dtype=np.float32), shape).copy())
    with pytest.raises(ContractError, match="differs where nothing is drawn"):
        contract.check_mirror(Mirrored(label=slope, mirror=ChannelMirror(order=(0,))), context)


def test_windows_that_would_miss_their_centre_cannot_be_flipped():
    (context, *_) = contract.make_contexts({"radius_cells": 1.5})
    centre, *windows, weights = registry.create_label("center", context)
    assert centre.spec.mirror == weights.spec.mirror == ChannelMirror(order=(0,))
    assert all("would miss the centres" in label.spec.mirror for label in windows)
    contract.check_label("center", registry.find_factory("center"), {"radius_cells": 2.0})


@each(case=CASES)
def test_an_empty_scene_is_background_without_keypoints_fields_or_anything_to_ignore(case):
    label, size = case
    scene = dataclasses.replace(make_scene(size, 0), image_size=size, affine=fit(size, size, "stretch"))
    for name, channel in zip(label.spec.channels, label.render(scene), strict=True):
        expected = 1 if name in {"background", "mask"} else 0
        np.testing.assert_allclose(channel, np.full(label.spec.cells, expected), rtol=0, atol=1e-6)
