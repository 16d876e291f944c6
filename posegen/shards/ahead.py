"""Shards that lie elsewhere, fetched before they are read, in the order in which they will be."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Sequence

from posegen.errors import PosegenError

AHEAD = 4
"""Shards that are fetched before the one that is read."""


class Ahead:
    """Fetches shards in a thread of its own, a few before the one that is read; one that fails is left to who reads it.

    Parameters
    ----------
    bring
        Fetches a shard by its number.
    """

    def __init__(self, bring: Callable[[int], None]) -> None:
        self._bring = bring
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._order: list[int] = []
        self._place: dict[int, int] = {}
        self._next = 0
        self._stop = 0
        self._thread: threading.Thread | None = None
        self._most = 0

    def expect(self, shards: Sequence[int], most: int) -> None:
        """Say in which order shards will be read from now on, and how many of them to fetch before they are."""
        with self._lock:
            self._order = list(dict.fromkeys(shards))
            self._place = {shard: place for place, shard in enumerate(self._order)}
            self._most = most
            self._next, self._stop = 0, most
        self._wake()

    def reach(self, shard: int) -> None:
        """Say that a shard is read now."""
        if self._process != os.getpid():
            return  # threads do not live on in a process that was forked, and nothing was expected of it
        with self._lock:
            place = self._place.get(shard)
            if place is None or place + 1 + self._most <= self._stop:
                return
            self._stop = place + 1 + self._most
            self._next = max(self._next, place + 1)  # who reads a shard fetches it
        self._wake()

    def _wake(self) -> None:
        with self._lock:
            if self._next < min(self._stop, len(self._order)) and self._thread is None:
                self._thread = threading.Thread(target=self._run, name="posegen-ahead", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        """Fetch what is due, and end."""
        while True:
            with self._lock:
                if self._next >= min(self._stop, len(self._order)):
                    self._thread = None
                    return
                shard = self._order[self._next]
                self._next += 1
            with contextlib.suppress(PosegenError):
                self._bring(shard)
