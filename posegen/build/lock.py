"""The lock of an output directory, and what killed processes were writing there.

A build and a repair must be alone. Parts of a build share the lock, so that none waits for another, and do without
where the file system has no locks: whatever they do, none can harm what another has done.
"""

from __future__ import annotations

import contextlib
import errno
import os
import platform
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from posegen.errors import BuildError
from posegen.files import TEMPORARY_SUFFIX
from posegen.shards.record import locate
from posegen.storage import AnyPath

STATE_NAME = ".posegen"
REPAIR_NAME = "repair"

_LONGEST_WRITE_S = 24 * 3600.0
"""After so much time nobody is writing a file any more, wherever he may be."""

_TIDYING_S = 3.0
"""So long, and longer, it takes to remove what killed processes left."""


@contextlib.contextmanager
def hold_lock(out: Path) -> Iterator[None]:
    """Keep other processes from writing to an output directory, which is made if it does not exist.

    What killed processes were writing is removed, both what is found there and what this one leaves.

    Raises
    ------
    BuildError
        If another process is building there, or the file system has no locks.
    ShardError
        If symbolic links in it lead out of it.
    OSError
        If it cannot be written.
    """
    path = _make_home(out)
    with path.open("a+") as lock:
        try:
            _lock(lock.fileno(), shared=False)
        except BlockingIOError as error:
            raise _describe_holder(path, out) from error
        except OSError as error:
            raise BuildError(
                f"{path}: cannot be locked: {error.strerror or error}; build on a file system with locks, and copy, or "
                "in parts, which need none"
            ) from error
        # Network file systems hold locks against other machines, too.
        _sign(lock.fileno(), "")
        _remove_partial(out)
        try:
            yield
        finally:
            _remove_partial(out)


@contextlib.contextmanager
def take_lock(out: AnyPath, *, shared: bool) -> Iterator[None]:
    """Take the lock of an output directory, alone or with others; a bucket has none, and needs none.

    What lies in a bucket appears whole, shards of one name and configuration have the same bytes, and a shard that was
    replaced by another build is told by its manifest. Raises what `hold_lock` and `share_lock` raise.
    """
    if not isinstance(out, Path):
        yield
        return
    with share_lock(out) if shared else hold_lock(out):
        yield


@contextlib.contextmanager
def share_lock(out: Path) -> Iterator[None]:
    """Keep those away who must be alone, but no others; without a word where the file system has no locks.

    Who leaves last removes what killed processes were writing; where nobody can tell who that is, what is a day old.

    Raises
    ------
    BuildError
        If a process that must be alone is building there.
    ShardError
        If symbolic links in it lead out of it.
    OSError
        If it cannot be written.
    """
    path = _make_home(out)
    with path.open("a+") as lock:
        has_locks = True
        try:
            _wait_to_share(lock.fileno())
        except BlockingIOError as error:
            raise _describe_holder(path, out) from error
        except OSError:
            has_locks = False
        _sign(lock.fileno(), " (or another that builds a part)")
        try:
            yield
        finally:
            if has_locks:
                with contextlib.suppress(OSError):
                    _lock(lock.fileno(), shared=False)
                    _remove_partial(out)
            else:
                _remove_partial(out, older_s=_LONGEST_WRITE_S)


def _make_home(out: Path) -> Path:
    """Make the directory of the lock, and return the path of the lock."""
    path = locate(out, f"{STATE_NAME}/lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _lock(descriptor: int, *, shared: bool) -> None:
    """Lock a file until it is closed; raises `BlockingIOError` if another process has, or else `OSError`."""
    try:
        import fcntl
    except ModuleNotFoundError as error:
        raise OSError(errno.ENOTSUP, "posegen works under Linux and macOS") from error
    fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)


def _wait_to_share(descriptor: int) -> None:
    """Lock a file with others, who may be removing what killed processes left; raises as `_lock`."""
    until = time.monotonic() + _TIDYING_S
    while True:
        try:
            return _lock(descriptor, shared=True)
        except BlockingIOError:
            if time.monotonic() > until:
                raise
        time.sleep(_TIDYING_S / 50)


def _sign(descriptor: int, more: str) -> None:
    os.ftruncate(descriptor, 0)
    os.write(descriptor, f"{os.getpid()} on {platform.node()}{more}\n".encode())


def _describe_holder(path: Path, out: Path) -> BuildError:
    holder = path.read_text().strip()
    return BuildError(f"{out}: process {holder or '?'} is building here; wait for it, or choose another directory")


def _remove_partial(out: Path, older_s: float = 0.0) -> None:
    """Remove files that nobody is writing any more, wherever a build or a repair puts them."""
    if not older_s:
        shutil.rmtree(out / STATE_NAME / REPAIR_NAME, ignore_errors=True)
    before = time.time() - older_s
    inside = (directory for directory, _, _ in os.walk(out / STATE_NAME))  # which follows no symbolic links
    for directory in (out, *map(Path, inside)):
        with contextlib.suppress(OSError):
            for path in directory.glob(f".*{TEMPORARY_SUFFIX}"):
                if not older_s or path.stat().st_mtime < before:
                    path.unlink()
