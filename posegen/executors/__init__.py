"""Ways to run many tasks at once, behind one protocol."""

from posegen.executors.base import Executor, Report
from posegen.executors.local import LocalExecutor, available_cpus

__all__ = ["Executor", "LocalExecutor", "Report", "available_cpus"]
