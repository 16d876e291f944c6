"""Executors by their names on the command line."""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args

from posegen.build.executors.base import Executor
from posegen.build.executors.local import choose_executor
from posegen.config.choices import Backend
from posegen.errors import ConfigError


def create_executor(
    backend: Backend | None,
    *,
    workers: int | None = None,
    scheduler: str | None = None,
    notify: Callable[[str], None] | None = None,
) -> Executor:
    """Create an executor.

    Parameters
    ----------
    backend
        Which; None is `local`.
    workers
        How many processes to start on this machine; by default as many as there are CPUs.
    scheduler
        The address of a Dask scheduler.
    notify
        Told what keeps it waiting.

    Raises
    ------
    ConfigError
        If there is no such backend, or its options do not go together.
    MissingExtraError
        If the package it needs is not installed.
    """
    if backend not in (None, *get_args(Backend)):
        raise ConfigError(f"backend must be one of {', '.join(get_args(Backend))}, not {backend!r}")
    if backend == "dask":
        from posegen.build.executors.dask import DaskExecutor

        return DaskExecutor(scheduler, workers=workers, notify=notify)
    if scheduler is not None:
        raise ConfigError(f"scheduler {scheduler} is one of Dask's: it goes with the backend dask")
    return choose_executor(None, workers)
