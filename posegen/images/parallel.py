"""Keeping OpenCV from starting threads of its own, where there is a picture for every processor already."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

import cv2


class _OneThread:
    """Counts who wants OpenCV to have one thread, which it has for all of a process or for none of it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users, self._before = 0, 1

    def begin(self) -> None:
        with self._lock:
            self._users += 1
            if self._users == 1:
                self._before = cv2.getNumThreads()
                if self._before != 1:
                    cv2.setNumThreads(1)

    def end(self) -> None:
        with self._lock:
            self._users -= 1
            # Who has asked for another number meanwhile keeps it.
            if not self._users and self._before != 1 and cv2.getNumThreads() == 1:
                cv2.setNumThreads(self._before)


_ONE_THREAD = _OneThread()


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Keep OpenCV to one thread in this process, and give it back what it had when nobody wants that any more.

    Those that it starts to warp a picture take processors from whoever warps others.
    """
    _ONE_THREAD.begin()
    try:
        yield
    finally:
        _ONE_THREAD.end()
