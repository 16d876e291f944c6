"""What every label keeps to, whatever it draws: checks for labels of this package and of others.

    from posegen.labels.contract import check_label

    def test_my_label_keeps_the_contract():
        check_label("mylabel", create)

A build relies on all of it: that a label is drawn alike in every process, however often and whoever asks.
"""

from __future__ import annotations

import dataclasses
import pickle
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from posegen.errors import ContractError
from posegen.geometry import Size, fit
from posegen.labels.base import Label, find_limits, needs_ignored, render_scenes
from posegen.labels.contract_mirror import check_mirror
from posegen.labels.difference import find_difference
from posegen.labels.grid import make_grid
from posegen.labels.registry import READS_UNKNOWN, LabelContext, LabelFactory, LabelOption, check_name
from posegen.labels.scene import Region, Scene
from posegen.skeleton import Skeleton
from posegen.skeleton.unknown import OF_PERSON, OF_SOURCE

ROUNDING = 5e-7
"""By how much a float32 value may leave its range, as a share of the range; sums of weights round."""

_SKELETON = Skeleton(
    name="contract",
    keypoints=("head", "left_hand", "right_hand"),
    limbs=((0, 1), (0, 2), (1, 2)),
    flip_pairs=((1, 2),),
)
_SIZES: tuple[tuple[Size, Size], ...] = (((64, 96), (8, 12)), ((50, 60), (18, 23)), ((33, 32), (33, 32)))


def check_label(name: str, create: LabelFactory, options: Mapping[str, LabelOption] | None = None) -> None:
    """Check what a factory makes, on grids of every kind and scenes of nobody, one and many.

    Parameters
    ----------
    name
        Under which the label is registered.
    create
        Its factory.
    options
        To make it with.

    Raises
    ------
    ContractError
        If a check fails; it names the check, the array, the grid and the scene.
    """
    check_name(name)
    for context in make_contexts(options or {}):
        grid = context.grid
        for label in create(context):
            where = f"{label.spec.name} on {grid.kind} cells {grid.cells} of {grid.input_size}"
            if label.spec.name != name and not label.spec.name.startswith(f"{name}_"):
                raise ContractError(f"{where}: its name must be {name}, or begin with {name}_")
            for scene in make_scenes(grid.input_size, len(context.skeleton.keypoints)):
                for what, check in CHECKS.items():
                    try:
                        check(label, scene)
                    except ContractError as error:
                        raise ContractError(f"{where}, {len(scene.points)} people: {what}: {error}") from None
            try:
                check_mirror(label, context)
            except ContractError as error:
                raise ContractError(f"{where}: mirror: {error}") from None


def make_contexts(options: Mapping[str, LabelOption]) -> Iterator[LabelContext]:
    """Make contexts of every kind of grid, with cells of whole pixels, of fractions, and of one."""
    for size, cells in _SIZES:
        for kind in ("bilinear", "area", "point"):
            grid = make_grid(kind, size, cells)
            yield LabelContext(grid=grid, skeleton=_SKELETON, sigma_px=4.0, half_width_px=4.0, options=options)


def make_scenes(input_size: Size, keypoints: int) -> Iterator[Scene]:
    """Make scenes of 0, 1 and 7 people in and around the input, of which some keypoints are not drawn (and NaN)."""
    image_size = 70, 40
    for people in (0, 1, 7):
        random = np.random.default_rng(people)
        points = random.uniform(-0.2, 1.2, (people, keypoints, 2)) * input_size[::-1]
        drawn = random.random((people, keypoints)) < 0.8
        points[~drawn] = np.nan
        columns = np.arange(5, 35)
        region = Region(columns, 10 + columns // 3, 30 + columns)
        yield Scene(
            points=points,
            drawn=drawn,
            image_size=image_size,
            affine=fit(image_size, input_size, "letterbox"),
            ignored=region if people else None,
            boxes=np.concatenate([random.uniform(-20, 60, (people, 2)), random.uniform(0, 50, (people, 2))], axis=1),
            visible=drawn & (random.random(drawn.shape) < 0.7),
            ignored_boxes=random.uniform(0, 30, (2, 4)) if people else None,
            # Nothing that is drawn is unknown; what is drawn of nobody, the source does not label.
            unknown=np.where(drawn, 0, np.where(drawn.any(axis=0), OF_PERSON, OF_SOURCE)).astype(np.uint8),
        )


def check_array(label: Label, scene: Scene) -> None:
    """Check that a label is what its specification states: shape, type, range."""
    spec, found = label.spec, label.render(scene)
    shape = (len(scene.points), *spec.shape) if spec.by_person else spec.shape
    _require(len(set(spec.channels)) == len(spec.channels) > 0, f"names channels twice, or none: {spec.channels}")
    _require(found.shape == shape, f"is of shape {found.shape}, its specification says {shape}")
    _require(found.dtype == spec.dtype, f"is {found.dtype}, not {spec.dtype}")
    _require(bool(found.flags.c_contiguous), "is not contiguous")
    known = found[~np.isnan(found)] if spec.unknown else found
    _require(bool(np.isfinite(known).all()), "has values that are no numbers")
    slack = 0.0 if spec.is_whole else ROUNDING * (spec.high - spec.low)
    least, largest = (known.min(), known.max()) if known.size else (spec.low, spec.high)
    within = spec.low - slack <= least and largest <= spec.high + slack
    _require(bool(within), f"has values from {least:g} to {largest:g}, not {spec.low:g} to {spec.high:g}")


def check_repetition(label: Label, scene: Scene) -> None:
    """Check that a label of a scene is always the same, and an array of its own."""
    first = label.render(scene)
    kept = first.copy()
    first[:] = 9
    _require_equal(label.render(scene), kept, "differs when it is drawn again")


def check_purity(label: Label, scene: Scene) -> None:
    """Check that a label reads its scene only."""
    arrays = [scene.points, scene.drawn]
    kept = [array.copy() for array in arrays]
    frozen = dataclasses.replace(scene, points=scene.points.view(), drawn=scene.drawn.view())
    frozen.points.setflags(write=False)
    frozen.drawn.setflags(write=False)
    try:
        label.render(frozen)
    except ValueError as error:
        raise ContractError(f"writes to its scene: {error}") from error
    for array, before in zip(arrays, kept, strict=True):
        _require_equal(array, before, "changes its scene")


def check_memory(label: Label, scene: Scene) -> None:
    """Check that it does not matter how the scene's arrays lie in memory."""
    drawn = np.repeat(scene.drawn, 2, axis=1)[:, ::2]
    turned = dataclasses.replace(scene, points=np.asfortranarray(scene.points), drawn=drawn)
    _require_equal(label.render(turned), label.render(scene), "depends on how its scene lies in memory")


def check_pickle(label: Label, scene: Scene) -> None:
    """Check that a label that was sent to a worker draws the same."""
    try:
        again: Label = pickle.loads(pickle.dumps(label))  # noqa: S301 (the label that was given)
    except (AttributeError, TypeError, pickle.PickleError) as error:
        raise ContractError(f"cannot be pickled: {error}") from error
    _require(again.spec == label.spec, "has another specification when it was pickled")
    _require_equal(again.render(scene), label.render(scene), "differs when it was pickled")


def check_frozen(label: Label, scene: Scene) -> None:  # noqa: ARG001 (all checks are called alike)
    """Check that a label cannot be changed."""
    _require(dataclasses.is_dataclass(label), "is no dataclass")
    name = next((field.name for field in dataclasses.fields(label)), "spec")  # type: ignore[arg-type]
    try:
        setattr(label, name, None)
    except (AttributeError, TypeError):
        return
    raise ContractError(f"can be changed: {name}")


def check_order(label: Label, scene: Scene) -> None:
    """Check that it does not matter in which order people come; where there is a row a person, it comes along.

    Of a label that says by `people_rows` that the first axis of its array is that of so many people, the rows may come
    in another order.
    """
    turned = scene.take(slice(None, None, -1))
    if rows := getattr(label, "people_rows", 0):
        found, other = (sorted(label.render(one).reshape(rows, -1).tolist()) for one in (scene, turned))
        _require(found == other, "has other rows when people come in another order")
        return
    slack = 1e-6 * (label.spec.high - label.spec.low)
    expected = label.render(scene)[::-1] if label.spec.by_person else label.render(scene)
    difference = find_difference(label.render(turned), expected)
    _require(difference <= slack, f"differs by {difference:g} when people come in another order")


def check_nobody(label: Label, scene: Scene) -> None:
    """Check that people of whom nothing is drawn change nothing, and have all the same row if they have one each."""
    nobody = dataclasses.replace(scene, drawn=np.zeros_like(scene.drawn), unknown=None)
    if label.spec.by_person:
        alone = [label.render(nobody.take(slice(n, n + 1))) for n in range(len(scene.points))]
        expected = np.concatenate([*alone[:1] * len(alone), label.render(nobody.take(slice(0)))])
    else:
        expected = label.render(scene.take(slice(0)))
    _require_equal(label.render(nobody), expected, "draws people of whom no keypoint is drawn")


def check_together(label: Label, scene: Scene) -> None:
    """Check that scenes drawn together are drawn as each is alone."""
    scenes = [scene, scene.take(slice(1)), scene.take(slice(0)), scene.take(slice(None, None, -1)), scene]
    found = render_scenes(label, scenes)
    _require(len(found) == len(scenes), f"draws {len(found)} of {len(scenes)} scenes")
    for one, drawn in zip(scenes, found, strict=True):
        _require_equal(drawn, label.render(one), "differs when it is drawn together with others")


def check_unknown(label: Label, scene: Scene) -> None:
    """Check that a label does not read what is unknown, unless it is one of those with which that is stored."""
    if not any(label.spec.name == name or label.spec.name.startswith(f"{name}_") for name in READS_UNKNOWN):
        blind = dataclasses.replace(scene, unknown=None)
        _require_equal(
            label.render(blind), label.render(scene), "reads what is unknown, which shards with it do not store"
        )


def check_ignored(label: Label, scene: Scene) -> None:
    """Check that a label that does not need what is ignored does not read it, and that of others the limits hold."""
    (height, width), spec = scene.image_size, label.spec
    columns = np.arange(width)
    everything = Region(columns, np.zeros_like(columns), np.full_like(columns, height))
    boxes = np.array([[0.0, 0.0, 1e4, 1e4]])
    several = ((None, None), (scene.ignored, scene.ignored_boxes), (everything, boxes))
    scenes = [dataclasses.replace(scene, ignored=ignored, ignored_boxes=boxes) for ignored, boxes in several]
    if not needs_ignored(label):
        for one in scenes[1:]:
            _require_equal(label.render(one), label.render(scenes[0]), "reads what is ignored, without needs_ignored")
        return
    least, largest = find_limits(label, scene)
    slack = ROUNDING * (spec.high - spec.low)
    for one in scenes:
        found = label.render(one)
        held = (least - slack <= found) & (found <= largest + slack)
        held |= np.isnan(found) if spec.unknown else False
        _require(bool(held.all()), "leaves its limits when more or less is ignored")


CHECKS: Mapping[str, Callable[[Label, Scene], None]] = MappingProxyType(
    {
        check.__name__.removeprefix("check_"): check
        for check in (
            check_array,
            check_repetition,
            check_purity,
            check_memory,
            check_pickle,
            check_frozen,
            check_order,
            check_nobody,
            check_together,
            check_ignored,
            check_unknown,
        )
    }
)
"""All checks, to be called with a label and a scene; each raises `ContractError`."""


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise ContractError(otherwise)


def _require_equal(found: NDArray[np.generic], expected: NDArray[np.generic], otherwise: str) -> None:
    _require(np.array_equal(found, expected, equal_nan=found.dtype.kind == "f"), otherwise)
