"""From annotations to a dataset on disk: planned, built in worker processes, resumed, repaired.

The room has the name of its one public function, and can be called as that: `posegen.build(coco, out, config)` is
`posegen.build.pipeline.build`, whether this package has been imported before or not. What that needs is imported when
it is asked for: who reads a dataset needs a name or two from here, and no pool of workers.
"""

from __future__ import annotations

import sys
from importlib import import_module
from inspect import Signature, signature
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from posegen.build.pipeline import audit, build

__all__ = ["audit", "build"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    return getattr(import_module("posegen.build.pipeline"), name)


class _CallableRoom(ModuleType):
    """A package whose call is that of its function: Python puts it under the same name into `posegen`."""

    @property
    def __call__(self) -> Any:
        return __getattr__("build")

    @property
    def __signature__(self) -> Signature:
        return signature(__getattr__("build"))


sys.modules[__name__].__class__ = _CallableRoom
