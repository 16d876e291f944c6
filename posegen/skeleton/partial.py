"""A skeleton as one of several sources labels it: keypoints may go by other names there, or be missing."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from posegen.errors import AnnotationError, ConfigError, nearest
from posegen.skeleton.skeleton import Skeleton


@dataclass(frozen=True, kw_only=True, slots=True)
class PartialSkeleton(Skeleton):
    """A skeleton of which annotations need not have all; `restrict` says what they have of it.

    Parameters
    ----------
    rename
        Pairs of what the annotations call a keypoint, and what it is called here.
    """

    rename: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, skeleton: Skeleton, rename: Mapping[str, str]) -> PartialSkeleton:
        """Make one of a skeleton."""
        values = {field.name: getattr(skeleton, field.name) for field in dataclasses.fields(Skeleton)}
        return cls(**values, rename=tuple(rename.items()))

    def call(self, names: Sequence[str]) -> tuple[str, ...]:
        """Call annotated keypoints as `rename` says, and else as a skeleton does.

        Raises
        ------
        ConfigError
            If one that is to be renamed is not there, or becomes another one.
        AnnotationError
            If two of `names` are aliases of one.
        """
        rename = dict(self.rename)
        for name in rename:
            if name not in names:
                raise ConfigError(f"rename: the annotations have no keypoint '{name}'{nearest(name, names)}")
        renamed = [rename.get(name, name) for name in names]
        for name, other in rename.items():
            if renamed.count(other) > 1:
                raise ConfigError(f"rename: '{name}' becomes '{other}', which the annotations have as well")
        return Skeleton.call(self, renamed)

    def restrict(self, names: Sequence[str]) -> Skeleton:
        """Return the keypoints, without limbs, all of whose parents are among `names`.

        Raises
        ------
        AnnotationError
            If there are none.
        """
        kept = [k for k, parents in enumerate(self.parents) if set(parents) <= set(names)]
        if not kept:
            raise AnnotationError(
                f"it labels no keypoint of the skeleton '{self.name}': it names {', '.join(names)}, and the skeleton "
                f"needs {', '.join(dict.fromkeys(parent for parents in self.parents for parent in parents))}; say with "
                "rename what is called otherwise"
            )
        return Skeleton(
            name=self.name,
            keypoints=tuple(self.keypoints[k] for k in kept),
            parents=tuple(self.parents[k] for k in kept),
        )
