"""Which labels there are: those of this package and those that other packages bring.

A label is a name and a factory, `LabelFactory`. Another package registers its own by an entry point in its
`pyproject.toml`, and it is asked for by name like any other (`--labels heatmap,mylabel`):

    [project.entry-points."posegen.labels"]
    mylabel = "mypackage.labels:create"

Entry points are looked for only when a name is not one of ours, and only the one that is asked for is loaded.
A label that reads what is ignored of a scene says so by `needs_ignored`, and its array's `mirror` says how it can be
flipped; see `posegen.labels.base` and `posegen.labels.mirror`. `posegen.labels.contract` has the checks that every
label has to pass, `posegen.labels.describe` what `posegen labels` says of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from posegen.errors import ConfigError, PosegenError, nearest
from posegen.labels.base import Label
from posegen.labels.grid import Grid
from posegen.skeleton import Skeleton

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "posegen.labels"
"""The group of the entry points."""

RESERVED = ("checksum", "ignored", "image", "person", "preview", "sample")
"""What else lies in a shard beside the labels."""

BUILT_IN: Mapping[str, str] = {
    "heatmap": "posegen.labels.heatmap:create",
    "paf": "posegen.labels.paf:create",
    "mask": "posegen.labels.mask:create",
    "heatmap_mask": "posegen.labels.heatmap_mask:create",
    "paf_mask": "posegen.labels.paf_mask:create",
    "offset": "posegen.labels.offset:create",
    "center": "posegen.labels.center:create",
    "limb": "posegen.labels.limb:create",
    "weight": "posegen.labels.weight:create",
    "simcc": "posegen.labels.simcc:create",
    "regression": "posegen.labels.regression:create",
    "visibility": "posegen.labels.visibility:create",
    "keypoint_indices": "posegen.labels.keypoint_indices:create",
    "centernet": "posegen.labels.centernet:create",
    "cif": "posegen.labels.cif:create",
    "caf": "posegen.labels.caf:create",
}
"""Our own labels, as entry points write it."""

READS_UNKNOWN = frozenset({"heatmap_mask", "paf_mask", "visibility"})
"""The labels that read what of a scene is unknown, which shards with them store. Whether one does has to be known where
a shard is read, without making its labels: other packages' labels cannot read it."""

LabelOption = bool | int | float | str
"""What can be asked of a label."""

_NAME = re.compile("[a-z][a-z0-9_]{0,63}")


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelContext:
    """What a label can be made from.

    Attributes
    ----------
    grid
        Where labels are drawn; it has the sizes of the input and of the label, too.
    skeleton
        Whose keypoints and limbs are drawn.
    sigma_px
        Standard deviation of Gaussians in input pixels.
    half_width_px
        How far a limb reaches from its line, in input pixels.
    heatmap
        How heatmaps are drawn: `gaussian`, or as `posegen.labels.topdown` names it.
    paf
        Whether part affinity fields are drawn on the input's `pixels` or on the `cells`.
    options
        What was asked of this label alone; `read_options` checks it.
    beside
        By name what was asked of all labels that are drawn, this one among them.
    """

    grid: Grid
    skeleton: Skeleton
    sigma_px: float = 8.0
    half_width_px: float = 8.0
    heatmap: str = "gaussian"
    paf: str = "pixels"
    options: Mapping[str, LabelOption] = field(default_factory=dict)
    beside: Mapping[str, Mapping[str, LabelOption]] = field(default_factory=dict)

    def of(self, name: str) -> LabelContext:
        """Return what another label is made from, that is drawn beside this one or not."""
        own = {of.name: getattr(self, of.name) for of in fields(LabelContext)}
        return LabelContext(**{**own, "options": self.beside.get(name, {})})

    def read_options(self, **defaults: LabelOption) -> dict[str, Any]:
        """Return the label's options, with the defaults for those that were not given.

        Raises
        ------
        ConfigError
            If there is one that is not among the defaults, or is of another type.
        """
        for name, value in self.options.items():
            if name not in defaults:
                known = f"it has {', '.join(sorted(defaults))}" if defaults else "it has none"
                raise ConfigError(f"the label has no option '{name}'{nearest(name, defaults)}; {known}")
            kind = type(defaults[name])
            if type(value) is not kind and not (kind is float and type(value) is int):
                raise ConfigError(f"the label's option '{name}' must be a {kind.__name__}, not {value!r}")
        return {name: type(value)(self.options.get(name, value)) for name, value in defaults.items()}


LabelFactory = Callable[[LabelContext], Sequence[Label]]
"""Makes the arrays of a label, or none where there is nothing to draw, as for a skeleton without limbs.

Their names are the label's, or begin with it and `_`. A factory raises `ConfigError` if it cannot use the context.
"""


def check_name(name: object) -> None:
    """Make sure that a label can be called so, whether there is one or not. Raises `ConfigError` if not."""
    if not isinstance(name, str) or not _NAME.fullmatch(name) or name in RESERVED:
        raise ConfigError(
            f"labels must be names of small letters, digits and '_', none of {', '.join(RESERVED)}, not {name!r}"
        )


def list_labels() -> dict[str, str]:
    """List the labels that can be asked for: by name, who brings them (`posegen`, or a package and its version)."""
    found = dict.fromkeys(BUILT_IN, "posegen")
    for entry in _entries():
        found.setdefault(entry.name, _package(entry))
    return found


def find_factory(name: str) -> LabelFactory:
    """Find, and if need be import, what makes a label.

    Raises
    ------
    ConfigError
        If there is no such label, several packages bring it, or it cannot be loaded.
    """
    if name in BUILT_IN:
        module, _, attribute = BUILT_IN[name].partition(":")
        return getattr(import_module(module), attribute)
    entry = _find_entry(name)
    try:
        factory = entry.load()
    except Exception as error:  # (whatever a foreign package does when it is imported)
        raise ConfigError(
            f"label '{name}' of {_package(entry)} cannot be loaded from {entry.value}: {_describe(error)}"
        ) from error
    if not callable(factory):
        raise ConfigError(f"label '{name}' of {_package(entry)}: {entry.value} must be a function, not {factory!r}")
    return factory


def require_labels(names: Sequence[str]) -> None:
    """Make sure, before work is done, that there are such labels. Raises `ConfigError` as `find_factory`."""
    for name in names:
        find_factory(name)


def create_label(name: str, context: LabelContext) -> tuple[Label, ...]:
    """Make the arrays of a label, by its factory.

    Raises
    ------
    ConfigError
        As `find_factory`, and if the factory fails, or makes something else than labels of that name.
    """
    factory = find_factory(name)
    try:
        made = tuple(factory(context))
        names = [label.spec.name for label in made]
    except PosegenError as error:
        raise ConfigError(f"label '{name}': {error}") from error
    except Exception as error:
        if name in BUILT_IN:
            raise
        raise ConfigError(
            f"label '{name}' of {_package(_find_entry(name))} cannot be made: {_describe(error)}"
        ) from error
    for array in names:
        if array != name and not array.startswith(f"{name}_"):
            raise ConfigError(
                f"label '{name}' makes an array '{array}'; its name must be {name}, or begin with {name}_"
            )
        check_name(array)
    return made


def find_versions(names: Sequence[str]) -> dict[str, str]:
    """Return the names and versions of the packages, but for this one, that bring some labels."""
    found = {}
    for name in names:
        if name not in BUILT_IN and (package := _find_entry(name).dist) is not None:
            found[package.name] = package.version
    return found


def _find_entry(name: str) -> EntryPoint:
    entries = [entry for entry in _entries() if entry.name == name]
    if not entries:
        known = [*BUILT_IN, *(entry.name for entry in _entries())]
        raise ConfigError(f"there is no label '{name}'{nearest(name, known)}; labels are {', '.join(known)}")
    if len({entry.value for entry in entries}) > 1:
        packages = " and ".join(sorted(map(_package, entries)))
        raise ConfigError(f"label '{name}' is brought by {packages}; uninstall one of them")
    return entries[0]


@lru_cache(maxsize=1)
def _entries() -> tuple[EntryPoint, ...]:
    """List what other packages register; our own names are not for them."""
    from importlib.metadata import entry_points  # which takes a while, and is seldom asked

    return tuple(entry for entry in entry_points(group=GROUP) if entry.name not in BUILT_IN)


def _package(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist is not None else "an unnamed package"


def _describe(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
