"""From annotations to a dataset on disk: planned, built in worker processes, resumed, repaired.

The room has the name of its one public function, and can be called as that: `posegen.build(coco, out, config)` is
`posegen.build.pipeline.build`, whether this package has been imported before or not.
"""

from __future__ import annotations

import sys
from inspect import signature
from types import ModuleType

from posegen.build.pipeline import audit, build

__all__ = ["audit", "build"]


class _CallableRoom(ModuleType):
    """A package whose call is that of its function: Python puts it under the same name into `posegen`."""

    __call__ = staticmethod(build)


__signature__ = signature(build)
sys.modules[__name__].__class__ = _CallableRoom
