"""How an array's channels change places and signs in a mirror, as a label says it of its skeleton.

A pixel at x goes to W - 1 - x, and the columns of cells with it. A left wrist becomes a right one, so keypoints and
their channels change places by the skeleton's flip pairs, limbs with the limbs that join the other side's keypoints,
and what points along x changes its sign.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from posegen.errors import ConfigError
from posegen.skeleton import Skeleton

UNSAID = "the label does not say how it mirrors"
"""Why an array cannot be flipped of which nothing is said."""

LOPSIDED = "drawn of a flipped sample it would be another"
"""Why an array cannot be flipped that counts cells from the left edge of the first pixel, not from its middle."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelMirror:
    """Where the C channels of an array go in a mirror; their columns are turned round besides.

    Attributes
    ----------
    order
        (C,) which channel comes to each place.
    negated
        The places, in order, at which values change their sign.

    Raises
    ------
    ConfigError
        If they are no numbers of channels.
    """

    order: tuple[int, ...]
    negated: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        count = len(self.order)
        for places in (self.order, self.negated):
            if not isinstance(places, tuple) or not all(type(k) is int and 0 <= k < count for k in places):
                raise ConfigError(f"a mirror of {count} channels must be numbers from 0 to {count - 1}, not {places!r}")
        if list(self.negated) != sorted(set(self.negated)):
            raise ConfigError(f"a mirror must name what changes its sign once and in order, not {self.negated!r}")


def mirror_array(values: NDArray[Any], mirror: ChannelMirror, shape: tuple[int, ...], *, cells: bool) -> NDArray[Any]:
    """Mirror an array as its label draws it.

    Parameters
    ----------
    values
        (*shape), or (N, *shape) by person.
    mirror
        Of its channels, or of all places along its channels and inner axes.
    shape
        (C, ..., h, w) or (C, ...).
    cells
        Whether the last two axes are cells.
    """
    people, rest = values.shape[: values.ndim - len(shape)], shape[1:]
    if len(mirror.order) != shape[0]:
        rest = shape[-2:] if cells else ()
    axis = len(people)
    mirrored = values.reshape(*people, len(mirror.order), *rest).take(list(mirror.order), axis=axis)
    if mirror.negated:
        mirrored[(slice(None),) * axis + (list(mirror.negated),)] *= -1
    return (mirrored[..., ::-1] if cells else mirrored).reshape(values.shape)


def keep_channels(count: int) -> ChannelMirror:
    """Return the mirror of channels that stay where they are."""
    return ChannelMirror(order=tuple(range(count)))


def mirror_keypoints(
    skeleton: Skeleton, *, channels: int = 1, negated: Sequence[int] = (), rest: int = 0
) -> ChannelMirror:
    """Return the mirror of an array that has some channels for each keypoint.

    Parameters
    ----------
    skeleton
        Whose K keypoints.
    channels
        How many each has: keypoint k those from k * channels on.
    negated
        Which of these point along x.
    rest
        How many channels come after them all, and stay, as a background does.
    """
    count = len(skeleton.keypoints) * channels
    order = [k * channels + part for k in skeleton.mirrored for part in range(channels)]
    signs = tuple(start + part for start in range(0, count, channels) for part in sorted(negated))
    return ChannelMirror(order=(*order, *range(count, count + rest)), negated=signs)


def mirror_limbs(skeleton: Skeleton, *, vectors: bool = False) -> ChannelMirror | str:
    """Return the mirror of an array that has a channel for each limb, or with `vectors` two, x and y along it.

    Mirrored, a limb from a to b is one from a' to b'; where the skeleton has it from b' to a' its vector points back.

    Returns
    -------
    The mirror, or why there is none: that a limb's mirror image is not among the limbs.
    """
    keypoints, limbs, names = skeleton.mirrored, skeleton.limbs, skeleton.keypoints
    places = {limb: e for e, limb in reversed([*enumerate(limbs)])}
    order, negated = [], []
    for e, (a, b) in enumerate(limbs):
        there = keypoints[a], keypoints[b]
        found = places.get(there, places.get(there[::-1]))
        if found is None:
            return (
                f"skeleton '{skeleton.name}' cannot be flipped: it has the limb {names[a]}-{names[b]}, but not its "
                f"mirror image {names[there[0]]}-{names[there[1]]}"
            )
        order.append(found)
        negated.append(2 * e if there in places else 2 * e + 1)
    if not vectors:
        return ChannelMirror(order=tuple(order))
    return ChannelMirror(order=tuple(2 * e + axis for e in order for axis in range(2)), negated=tuple(negated))
