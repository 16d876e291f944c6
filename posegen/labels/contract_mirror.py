"""The check that a label mirrors as it says; see `posegen.labels.contract`."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posegen.errors import ContractError
from posegen.geometry import Affine, fit
from posegen.labels.base import Label
from posegen.labels.difference import find_differing
from posegen.labels.mirror import ChannelMirror, mirror_array
from posegen.labels.registry import LabelContext
from posegen.labels.scene import Region, Scene
from posegen.skeleton.unknown import OF_PERSON

NEAR = 0.02
"""By how much a flipped value may differ, as a share of the range."""

LEAST_ALIKE = 0.25
"""Which share of a channel's drawn cells has to be the flipped ones. Boxes and windows are rounded to one side, so that
the columns at their ends are not; with another channel's place or sign it is a fifth and less."""


def check_mirror(label: Label, context: LabelContext) -> None:
    """Check that a label that says how it mirrors, drawn of mirrored scenes, is what it is flipped.

    What is compared are the cells on which something is drawn, all scenes together, channel by channel.
    """
    spec, mirror = label.spec, label.spec.mirror
    if not isinstance(mirror, ChannelMirror):
        return
    near = NEAR * (spec.high - spec.low)
    drawn, alike = np.zeros(len(spec.channels)), np.zeros(len(spec.channels))

    def flip(values: NDArray[Any]) -> NDArray[Any]:
        return mirror_array(values, mirror, spec.shape, cells=bool(spec.cells))

    for scene in _make_sides(context):
        seen = _mirror_scene(scene, context)
        nothing, nothing_seen = (label.render(_hide(s)) for s in (scene, seen))
        nothing = flip(nothing)
        if find_differing(nothing, nothing_seen, near).any():
            raise ContractError("differs where nothing is drawn")
        flipped, expected = flip(label.render(scene)), label.render(seen)
        shown = find_differing(flipped, nothing, near) | find_differing(expected, nothing, near)
        of_channel = tuple(axis for axis in range(shown.ndim) if axis != int(spec.by_person))
        drawn += shown.sum(axis=of_channel)
        alike += (shown & ~find_differing(flipped, expected, near)).sum(axis=of_channel)
    for channel in np.flatnonzero(alike < LEAST_ALIKE * drawn):
        raise ContractError(
            f"channel {spec.channels[channel]} of a mirrored scene is not what its mirror says: of {drawn[channel]:g} "
            f"cells {alike[channel]:g} are as they should be"
        )


def _hide(scene: Scene) -> Scene:
    """Make the scene in which nothing is drawn of anybody and nothing ignored."""
    return dataclasses.replace(scene, drawn=np.zeros_like(scene.drawn), ignored=None, unknown=None)


def _make_sides(context: LabelContext) -> Iterator[Scene]:
    """Make scenes of one person well inside the input, whose keypoints lie in rows of their own and differ by side."""
    size, pairs, count = context.grid.input_size, context.skeleton.flip_pairs, len(context.skeleton.keypoints)
    random = np.random.default_rng(0)
    columns = np.arange(10, 30)
    region = Region(columns, 20 + columns // 2, 40 + columns)
    for hidden in [*(pair[side] for pair in pairs for side in (0, 1, 0, 1)), None] * 4:
        points = np.stack([random.random(count), random.permutation(count) / (count - 1)], axis=-1) * 0.6 + 0.2
        yield Scene(
            points=points[None] * size[::-1],
            drawn=np.arange(count)[None] != (-1 if hidden is None else hidden),
            image_size=(70, 40),
            affine=fit((70, 40), size, "letterbox"),
            ignored=region,
            unknown=np.where(np.arange(count)[None] == hidden, OF_PERSON, 0).astype(np.uint8),
        )


def _mirror_scene(scene: Scene, context: LabelContext) -> Scene:
    last, order = context.grid.input_size[1] - 1.0, list(context.skeleton.mirrored)
    points = scene.points[:, order]
    points[..., 0] = last - points[..., 0]
    affine = scene.affine.then(Affine(-1.0, 0.0, last, 0.0, 1.0, 0.0))
    unknown = None if scene.unknown is None else scene.unknown[:, order]
    return dataclasses.replace(scene, points=points, drawn=scene.drawn[:, order], affine=affine, unknown=unknown)
