"""Ways to run many tasks at once, behind one protocol.

`build`, `verify`, `compare` and `repair` take any object with `Executor`'s protocol as their `executor`: by default one
of `local` processes, or of `dask`, whose workers do each task in a process of its own, too (`remote`; `process` is it).
"""

from posegen.build.executors.backend import create_executor
from posegen.build.executors.base import Done, Executor, Lost, Report
from posegen.build.executors.cpus import available_cpus
from posegen.build.executors.local import LocalExecutor, choose_executor

__all__ = [
    "Done",
    "Executor",
    "LocalExecutor",
    "Lost",
    "Report",
    "available_cpus",
    "choose_executor",
    "create_executor",
]
