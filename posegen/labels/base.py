"""What every label is: a frozen description that renders one scene into one array."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from posegen.errors import ConfigError
from posegen.geometry import Size
from posegen.labels.mirror import UNSAID, ChannelMirror
from posegen.labels.scene import Scene

DTYPES = ("float32", "int64", "int32", "int16", "int8", "uint8")
"""What the values of an array can be."""

_LONGEST_AXIS = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ArraySpec:
    """What array a label makes: (C, h, w), (C,), or with `inner` axes (C, ..., h, w) or (C, ...).

    Attributes
    ----------
    name
        Of the label and of its dataset in a shard; where it ends in `_left_out`, `posegen inspect` sums up its values.
    channels
        The names of the C places along the first axis.
    cells
        (h, w) of its grid, which are the last two axes; () for an array that has none.
    low, high
        Between which its values lie.
    mirror
        Where its channels go when a sample is flipped, or why it cannot be flipped; see `posegen.labels.mirror`. It is
        one of the C channels, or of all places along the channels and the inner axes, one after the other. None is that
        of a stored array about which nothing is known.
    inner
        The lengths of the axes between the channels and the cells, such as (5,) for (C, 5, h, w).
    axes
        The names of all axes of `shape`, each once; by default `channel`, and `y` and `x` for the cells. An array with
        inner axes has to name them.
    dtype
        Of its values: `float32`, or one of the whole numbers in `DTYPES`, which are stored as they are.
    by_person
        Whether it has a row for every person, in the scene's order: `render` makes (N, *shape). It is stored as the
        keypoints are, and padded where samples are put into one array.
    unknown
        Whether values may be NaN, which says that nobody knows them.
    coarse
        Whether it is stored as uint8, in steps of a 255th of its range, whatever other labels are stored as.

    Raises
    ------
    ConfigError
        If the mirror is not one of these channels, or changes signs where there are none; if the axes' names or lengths
        are none, there is no such dtype, or whole numbers are to be unknown.
    """

    name: str
    channels: tuple[str, ...]
    cells: Size | tuple[()]
    low: float = 0.0
    high: float = 1.0
    mirror: ChannelMirror | str | None = UNSAID
    inner: tuple[int, ...] = ()
    axes: tuple[str, ...] = ()
    dtype: str = "float32"
    by_person: bool = False
    unknown: bool = False
    coarse: bool = False

    def __post_init__(self) -> None:
        if not self.axes and not self.inner:
            object.__setattr__(self, "axes", ("channel", "y", "x") if self.cells else ("channel",))
        self._check_axes()
        mirror = self.mirror
        if not isinstance(mirror, ChannelMirror):
            if mirror is not None and not isinstance(mirror, str):
                raise ConfigError(f"{self.name}: its mirror must be a ChannelMirror, or say why not, not {mirror!r}")
        elif len(mirror.order) not in {len(self.channels), self.places}:
            raise ConfigError(f"{self.name} has {len(self.channels)} channels, its mirror {len(mirror.order)}")
        elif mirror.negated and not self.signed:
            raise ConfigError(f"{self.name} has no values below 0, but its mirror changes signs")

    def _check_axes(self) -> None:
        for length in self.inner:
            if type(length) is not int or not 1 <= length <= _LONGEST_AXIS:
                raise ConfigError(f"{self.name}: an inner axis has from 1 to {_LONGEST_AXIS} places, not {length!r}")
        if not all(isinstance(axis, str) and axis for axis in self.axes) or len({*self.axes}) != len(self.shape):
            raise ConfigError(f"{self.name}: the axes of {self.shape} must have a name each, not {self.axes!r}")
        if self.dtype not in DTYPES:
            raise ConfigError(f"{self.name}: its dtype must be one of {', '.join(DTYPES)}, not {self.dtype!r}")
        if self.unknown and self.is_whole:
            raise ConfigError(f"{self.name}: values of {self.dtype} are whole numbers, which cannot be unknown")

    @property
    def shape(self) -> tuple[int, ...]:
        """(C, h, w), (C,) or with inner axes (C, ..., h, w) or (C, ...); of one person where it is by person."""
        return len(self.channels), *self.inner, *self.cells

    @property
    def places(self) -> int:
        """How many places there are along the channels and the inner axes together."""
        return len(self.channels) * math.prod(self.inner)

    @property
    def is_whole(self) -> bool:
        """Whether its values are whole numbers."""
        return self.dtype != "float32"

    @property
    def flips(self) -> bool:
        """Whether reading can mirror it."""
        return isinstance(self.mirror, ChannelMirror)

    @property
    def signed(self) -> bool:
        """Whether values may be below 0."""
        return self.low < 0


Drawn = NDArray[Any] | list[NDArray[Any]]
"""A label of S scenes: (S, *shape), or where it is by person S arrays (N, *shape)."""


class Label(Protocol):
    """One kind of training target. Implementations are frozen and picklable, and `render` is a pure function.

    What more a label may have is in `BatchLabel`, `PlacedLabel`, `RegionLabel` and `LimitedLabel`.
    """

    @property
    def spec(self) -> ArraySpec:
        """The array that `render` makes."""
        ...

    def render(self, scene: Scene) -> NDArray[Any]:
        """Draw the label of a scene: of the specification's shape and dtype; (N, *shape) where it is by person."""
        ...


class BatchLabel(Label, Protocol):
    """A label that draws several scenes in less time than one after the other."""

    def render_many(self, scenes: Sequence[Scene]) -> Drawn:
        """Draw S scenes, at least one: (S, ...), or S arrays by person; the very values that `render` gives."""
        ...


class PlacedLabel(BatchLabel, Protocol):
    """A label that draws where it is told, in memory that is in use already."""

    def render_into(self, scenes: Sequence[Scene], out: NDArray[Any]) -> None:
        """Draw S scenes, at least one, into `out` (S, ...), contiguous, whatever is in it: what `render_many` gives."""
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


class ShownLabel(RegionLabel, Protocol):
    """A label that reads `Scene.shown` where there is one, in place of what is ignored and of the picture's outline.

    Fresh views of stored pictures know that of every pixel. For labels that do not say so the region that is ignored is
    put together again of what is stored.
    """

    @property
    def reads_shown(self) -> bool:
        """Whether it does."""
        ...


class TableLabel(Label, Protocol):
    """A label that has places for a fixed number of people along its first axis, which they take in their order."""

    @property
    def people_rows(self) -> int:
        """How many; 0 if it is no such label."""
        ...


def needs_ignored_boxes(label: Label) -> bool:
    """Tell whether what a label reads of what is ignored is `Scene.ignored_boxes`, and not the region: it says so."""
    return bool(getattr(label, "needs_ignored_boxes", False))


def reads_shown(label: Label) -> bool:
    """Tell whether a label reads `Scene.shown`."""
    return bool(getattr(label, "reads_shown", False))


def needs_ignored(label: Label) -> bool:
    """Tell whether a label reads what is ignored of a scene."""
    return bool(getattr(label, "needs_ignored", False))


def find_limits(label: Label, scene: Scene) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Find between which values a label lies, whatever is ignored in a scene: each float32 of its shape."""
    if hasattr(label, "limits"):
        return cast("LimitedLabel", label).limits(scene)
    spec = label.spec
    return np.full(spec.shape, spec.low, np.float32), np.full(spec.shape, spec.high, np.float32)


def render_scenes(label: Label, scenes: Sequence[Scene]) -> Drawn:
    """Draw the label of S scenes, at least one: (S, *shape), or where it is by person S arrays (N, *shape)."""
    if hasattr(label, "render_many"):
        return cast("BatchLabel", label).render_many(scenes)
    drawn = [label.render(scene) for scene in scenes]
    return drawn if label.spec.by_person else np.stack(drawn)


def render_into(label: Label, scenes: Sequence[Scene], out: NDArray[Any]) -> None:
    """Draw the label of S scenes, at least one, into `out` (S, *shape), contiguous; not by person."""
    if hasattr(label, "render_into"):
        cast("PlacedLabel", label).render_into(scenes, out)
    else:
        out[...] = render_scenes(label, scenes)


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

    @property
    def needs_ignored_boxes(self) -> bool:
        """Whether the label reads the boxes of what is ignored."""
        return needs_ignored_boxes(self.label)

    @property
    def reads_shown(self) -> bool:
        """Whether the label reads what is shown."""
        return reads_shown(self.label)

    def limits(self, scene: Scene) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the label's limits."""
        return find_limits(self.label, scene)

    def render(self, scene: Scene) -> NDArray[Any]:
        """Draw the label of a scene."""
        return self.label.render(scene)

    def render_many(self, scenes: Sequence[Scene]) -> Drawn:
        """Draw the label of S scenes, at least one."""
        return render_scenes(self.label, scenes)


def unwrap(label: Label) -> Label:
    """Return a label without its stride."""
    return label.label if isinstance(label, StridedLabel) else label


def without_stride(name: str) -> str:
    """Return the name that an array would have if there were but one grid."""
    return re.sub(r"_s\d+(_\d+)?$", "", name)
