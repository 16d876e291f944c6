"""Ways to run many tasks at once, behind one protocol."""

from posegen.executors.base import Done, Executor, Lost, Report
from posegen.executors.local import LocalExecutor, available_cpus

__all__ = ["Done", "Executor", "LocalExecutor", "Lost", "Report", "available_cpus"]
