"""What is not known of a keypoint: that it is not labelled does not always say that it is not there.

A keypoint of a person is labelled, absent (the source labels this keypoint, and says that it is not there), or unknown.
A network must not be taught that nothing is where the annotation does not know.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from posegen.skeleton.skeleton import Skeleton

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
    index = {name: i for i, name in enumerate(names)}
    labelled = annotated[..., 2] > 0
    given = np.zeros(labelled.shape, np.uint8) if unknown is None else np.where(labelled, 0, unknown).astype(np.uint8)
    found = given.take([index[parents[0]] for parents in skeleton.parents], axis=1)
    for k, parents in enumerate(skeleton.parents):
        if len(parents) > 1:
            group = [index[parent] for parent in parents]
            some, every = labelled[:, group].any(axis=1), labelled[:, group].all(axis=1)
            found[:, k] = np.maximum(given[:, group].max(axis=1), np.where(some & ~every, OF_PERSON, 0))
    return found
