"""What memory processes had, where the system tells."""

from __future__ import annotations

from pathlib import Path

_PROC = Path("/proc")


def read_peak(pid: int) -> int:
    """Read the most memory a process ever had resident; `getrusage` would tell that of its parent before the exec.

    It is in bytes; 0 where the system does not tell.
    """
    try:
        lines = (_PROC / str(pid) / "status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), 0)


def list_children(pid: int) -> list[int]:
    """List the processes that a process started."""
    found = []
    for status in _PROC.glob("[0-9]*/stat"):
        try:
            # The name of the program is in parentheses, and may hold any.
            parent = status.read_text().rpartition(")")[2].split()[1]
        except OSError:
            continue
        if int(parent) == pid:
            found.append(int(status.parent.name))
    return found
