"""Of how many people a keypoint is unknown, to be told before a network is taught that it is not there."""

from __future__ import annotations

from collections.abc import Sequence

from posegen.annotations.columns import SampleColumns
from posegen.annotations.sample import Sample
from posegen.skeleton import Skeleton
from posegen.skeleton.unknown import derive_unknown

_NAMED = 3


def describe_unknown(samples: Sequence[Sample], names: Sequence[str], skeleton: Skeleton) -> str:
    """Say of how many people which of a skeleton's keypoints are unknown; '' if none is.

    Parameters
    ----------
    samples
        All that are drawn, with the annotated keypoints.
    names
        The annotated keypoints' names.
    skeleton
        That is derived from them.
    """
    asked, people = any(len(parents) > 1 for parents in skeleton.parents), SampleColumns.of(samples)
    if not len(people.keypoints) or not (asked or people.unknown is not None):
        return ""
    unknown = derive_unknown(skeleton, people.keypoints, names, people.unknown) > 0
    if not unknown.any():
        return ""
    counts = {name: int(count) for name, count in zip(skeleton.keypoints, unknown.sum(axis=0), strict=True) if count}
    most = sorted(counts, key=lambda name: -counts[name])
    named = ", ".join(f"{name} of {counts[name]}" for name in most[:_NAMED])
    more = f" and {len(most) - _NAMED} more" if len(most) > _NAMED else ""
    return (
        f"of {unknown.any(axis=1).sum()} of {len(unknown)} people it is unknown whether keypoints are there: "
        f"{named}{more}; the labels heatmap_mask and paf_mask leave them out of the loss"
    )
