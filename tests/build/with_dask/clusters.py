"""A Dask cluster of processes: a scheduler, and workers with one thread each."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

TESTS = Path(__file__).parents[2]
PATHS = [TESTS.parent, TESTS, TESTS / "build", TESTS / "build" / "with_dask"]


@dataclass
class Cluster:
    """Processes that were started, and where the scheduler is."""

    directory: Path
    address: str = ""
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, kind: str, *options: str) -> subprocess.Popen[bytes]:
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, PATHS))}
        file = str(self.directory / "scheduler.json")
        command = [sys.executable, "-m", f"distributed.cli.dask_{kind}", "--scheduler-file", file, *options]
        with (self.directory / f"{kind}-{len(self.processes)}.log").open("wb") as log:
            process = subprocess.Popen(command, env=environment, cwd=self.directory, stdout=log, stderr=log)
        self.processes.append(process)
        return process

    def stop(self) -> None:
        for process in reversed(self.processes):
            process.terminate()
        for process in self.processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=10)
            process.kill()
            process.wait()


@contextlib.contextmanager
def cluster_of(workers: int, directory: Path) -> Iterator[Cluster]:
    directory.mkdir(exist_ok=True)
    cluster = Cluster(directory)
    try:
        cluster.start("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard")
        file, until = directory / "scheduler.json", time.monotonic() + 60
        while not cluster.address:
            assert time.monotonic() < until, "the scheduler did not start"
            with contextlib.suppress(OSError, ValueError):
                cluster.address = json.loads(file.read_text())["address"]
            time.sleep(0.05)
        for _ in range(workers):
            cluster.start("worker", "--nthreads", "1", "--no-dashboard", "--no-nanny", "--memory-limit", "0")
        yield cluster
    finally:
        cluster.stop()


def kill(process: subprocess.Popen[bytes]) -> None:
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
