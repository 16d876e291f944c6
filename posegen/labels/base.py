"""What every label is: a frozen description that renders one scene into one array."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from posegen.errors import ConfigError
from posegen.geometry import Size
from posegen.labels.mirror import UNSAID, ChannelMirror
from posegen.labels.scene import Scene


@dataclass(frozen=True, slots=True, kw_only=True)
class ArraySpec:
    """What array a label makes.

    Attributes
    ----------
    name
        Of the label and of its dataset in a shard.
    channels
        The names of its C channels.
    cells
        (h, w) of its grid; () for an array that has none, one value a channel.
    low, high
        Between which its values lie.
    mirror
        Where its channels go when a sample is flipped, or why it cannot be flipped; see `posegen.labels.mirror`. None
        is that of a stored array about which nothing is known.

    Raises
    ------
    ConfigError
        If the mirror is not one of these channels, or changes signs where there are none.
    """

    name: str
    channels: tuple[str, ...]
    cells: Size | tuple[()]
    low: float = 0.0
    high: float = 1.0
    mirror: ChannelMirror | str | None = UNSAID

    def __post_init__(self) -> None:
        mirror = self.mirror
        if not isinstance(mirror, ChannelMirror):
            if mirror is not None and not isinstance(mirror, str):
                raise ConfigError(f"{self.name}: its mirror must be a ChannelMirror, or say why not, not {mirror!r}")
        elif len(mirror.order) != len(self.channels):
            raise ConfigError(f"{self.name} has {len(self.channels)} channels, its mirror {len(mirror.order)}")
        elif mirror.negated and not self.signed:
            raise ConfigError(f"{self.name} has no values below 0, but its mirror changes signs")

    @property
    def shape(self) -> tuple[int, ...]:
        """(C, h, w), or (C,)."""
        return len(self.channels), *self.cells

    @property
    def flips(self) -> bool:
        """Whether reading can mirror it."""
        return isinstance(self.mirror, ChannelMirror)

    @property
    def signed(self) -> bool:
        """Whether values may be below 0."""
        return self.low < 0


class Label(Protocol):
    """One kind of training target. Implementations are frozen and picklable, and `render` is a pure function.

    What more a label may have is in `BatchLabel`, `RegionLabel` and `LimitedLabel`.
    """

    @property
    def spec(self) -> ArraySpec:
        """The array that `render` makes."""
        ...

    def render(self, scene: Scene) -> NDArray[np.float32]:
        """Draw the label of a scene: float32 of the specification's shape."""
        ...


class BatchLabel(Label, Protocol):
    """A label that draws several scenes in less time than one after the other."""

    def render_many(self, scenes: Sequence[Scene]) -> NDArray[np.float32]:
        """Draw S scenes, at least one: float32 (S, ...), the very values that `render` gives."""
        ...


class RegionLabel(Label, Protocol):
    """A label that reads what is ignored of a scene, and says so.

    `needs_ignored` is an attribute, of the class or the label, or a property. A label that does not have it is drawn of
    scenes whose `ignored` may be None whatever was annotated, and must not depend on it.
    """

    @property
    def needs_ignored(self) -> bool:
        """Whether it is."""
        ...


class LimitedLabel(RegionLabel, Protocol):
    """A label that can tell more than its range of what it is where nobody knows what is ignored."""

    def limits(self, scene: Scene) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the least and the largest values (C, h, w) it can have, whatever is ignored in a scene."""
        ...


def needs_ignored(label: Label) -> bool:
    """Tell whether a label reads what is ignored of a scene."""
    return bool(getattr(label, "needs_ignored", False))


def find_limits(label: Label, scene: Scene) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Find between which values a label lies, whatever is ignored in a scene: each float32 of its shape."""
    if hasattr(label, "limits"):
        return cast("LimitedLabel", label).limits(scene)
    spec = label.spec
    return np.full(spec.shape, spec.low, np.float32), np.full(spec.shape, spec.high, np.float32)


def render_scenes(label: Label, scenes: Sequence[Scene]) -> NDArray[np.float32]:
    """Draw the label of S scenes, at least one: float32 (S, ...)."""
    if hasattr(label, "render_many"):
        return cast("BatchLabel", label).render_many(scenes)
    return np.stack([label.render(scene) for scene in scenes])


@dataclass(frozen=True, slots=True, kw_only=True)
class StridedLabel:
    """A label on one of several grids, which its array's name tells, as in `heatmap_s4`.

    Parameters
    ----------
    label
        What is drawn.
    stride
        Input pixels a cell of the grid it is drawn on.
    """

    label: Label
    stride: float

    @property
    def spec(self) -> ArraySpec:
        """The array that `render` makes."""
        suffix = f"{self.stride:g}".replace(".", "_")
        return dataclasses.replace(self.label.spec, name=f"{self.label.spec.name}_s{suffix}")

    @property
    def needs_ignored(self) -> bool:
        """Whether the label reads what is ignored."""
        return needs_ignored(self.label)

    def limits(self, scene: Scene) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the label's limits."""
        return find_limits(self.label, scene)

    def render(self, scene: Scene) -> NDArray[np.float32]:
        """Draw the label of a scene."""
        return self.label.render(scene)

    def render_many(self, scenes: Sequence[Scene]) -> NDArray[np.float32]:
        """Draw the label of S scenes, at least one."""
        return render_scenes(self.label, scenes)


def without_stride(name: str) -> str:
    """Return the name that an array would have if there were but one grid."""
    return re.sub(r"_s\d+(_\d+)?$", "", name)
