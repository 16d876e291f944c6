"""What is not known of a keypoint: that it is not labelled does not always say that it is not there.

A keypoint of a person is labelled, absent (the source labels this keypoint, and says that it is not there), or unknown.
A network must not be taught that nothing is where the annotation does not know.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from posegen.skeleton.skeleton import Skeleton, find_parents

OF_PERSON = 1
"""Unknown of this person: derived from keypoints of which some alone are labelled, or said not to be valid."""

OF_SOURCE = 2
"""Unknown of everybody: the source does not label this keypoint at all."""


def derive_unknown(
    skeleton: Skeleton,
    annotated: NDArray[np.float64],
    names: Sequence[str],
    unknown: NDArray[np.uint8] | None = None,
) -> NDArray[np.uint8]:
    """Tell which of a skeleton's keypoints are unknown.

    Parameters
    ----------
    skeleton
        Whose keypoints; all of their parents are among `names`.
    annotated
        (N, K0, 3) x, y, v per person and annotated keypoint, in any coordinate frame.
    names
        The K0 names of the annotated keypoints.
    unknown
        (N, K0) 0, `OF_PERSON` or `OF_SOURCE` of each annotated keypoint; None where all are known.

    Returns
    -------
    (N, K) uint8: 0 where a keypoint is known, labelled or absent. One with several parents is as unknown as the least
    known of them, and unknown of the person if some of them are labelled and some are not.
    """
    first, groups = find_parents(skeleton, tuple(names))
    labelled = annotated[..., 2] > 0
    given = None if unknown is None else np.where(labelled, 0, unknown).astype(np.uint8)
    found = np.zeros((len(labelled), len(first)), np.uint8) if given is None else given.take(first, axis=1)
    for k, parents in groups:
        count = labelled.take(parents, axis=1).sum(axis=1)
        found[:, k] = ((count > 0) & (count < len(parents))) * OF_PERSON
        if given is not None:
            found[:, k] = np.maximum(found[:, k], given.take(parents, axis=1).max(axis=1))
    return found
