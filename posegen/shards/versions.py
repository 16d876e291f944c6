"""The versions of what determines a shard's bytes."""

from __future__ import annotations

from collections.abc import Sequence

import h5py
import numpy as np

from posegen.labels.registry import find_versions


def library_versions(labels: Sequence[str] = ()) -> dict[str, str]:
    """Return the versions of what determines a shard's bytes; packages that bring one of the labels included.

    Raises
    ------
    ConfigError
        If there is no such label.
    """
    import cv2

    from posegen import __version__

    return {
        "posegen": __version__,
        "numpy": np.__version__,
        "opencv": cv2.__version__,
        "hdf5": h5py.version.hdf5_version,
    } | find_versions(labels)
