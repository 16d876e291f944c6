"""How many CPUs this process may use: those it is bound to, and no more than its container has time on."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterator
from pathlib import Path

_GROUPS = Path("/proc/self/cgroup")
_MOUNTED = Path("/sys/fs/cgroup")


def available_cpus() -> int:
    """Count the CPUs this process may use, which in a container or under taskset are fewer than the machine has.

    A quota of CPU time (`docker run --cpus 2.5`, a limit of Kubernetes, `CPUQuota` of systemd) counts as so many CPUs,
    rounded up.
    """
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quotas = [math.ceil(quota) for quota in _find_quotas() if quota > 0]
    return max(1, min([bound, *quotas]))


def _find_quotas() -> Iterator[float]:
    """Find the CPUs that the process's control groups, and those around them, allow: of version 2, and of version 1."""
    for directory in _list_groups(""):
        with contextlib.suppress(OSError, ValueError, ZeroDivisionError):
            quota, period = (directory / "cpu.max").read_text().split()  # "max 100000" is no number, and no quota
            yield int(quota) / int(period)
    for directory in _list_groups("cpu"):
        with contextlib.suppress(OSError, ValueError, ZeroDivisionError):
            quota, period = ((directory / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period"))
            yield int(quota) / int(period)  # -1 is no quota


def _list_groups(controller: str) -> Iterator[Path]:
    """List the directories of a controller's group, from the root on; of version 2, which has one for all, it is ''.

    A container most often sees its own group as the root; the path that is named may then lead nowhere.
    """
    roots = [_MOUNTED / name for name in ("cpu", "cpu,cpuacct")] if controller else [_MOUNTED]
    named = "/"
    with contextlib.suppress(OSError):
        for line in _GROUPS.read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if controller in controllers.split(","):
                named = path
    for root in roots:
        yield root
        directory = root
        for part in named.split("/"):
            if part not in {"", ".."}:
                directory /= part
                yield directory
