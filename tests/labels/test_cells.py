"""Cells that several have in common."""

import numpy as np
from each import each

from posegen.labels.cells import find_shared


@each(seed=range(20))
def test_the_last_of_those_that_share_a_place_is_found(seed):
    random = np.random.default_rng(seed)
    place = random.integers(0, 40, random.integers(0, 60))
    last, earlier = find_shared(place, random.integers(-(2**31), 2**31, 40).astype(np.int32))
    expected = [max(np.flatnonzero(place == p)) for p in place]
    np.testing.assert_array_equal(last, expected)
    np.testing.assert_array_equal(earlier, [i for i, found in enumerate(expected) if found != i])
