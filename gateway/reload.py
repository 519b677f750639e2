"""Notices that the configuration file says something else than before.

The directory is watched, not the file: an editor and `kubectl` replace the file, and a watch on the old one goes deaf.
Kubernetes swaps a symbolic link beside the mounted file. Whatever happens in the directory, only the content counts.
"""

import hashlib
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

from watchfiles import awatch

log = logging.getLogger(__name__)

DEBOUNCE = 400
"""Milliseconds in which changes are gathered at most."""
LOOK_ANYWAY = 2_000
"""Milliseconds. Network file systems do not tell, and a directory may be replaced: the file is also read this often."""


async def watch(path: Path, on_change: Callable[[], Awaitable[object]], known: bytes | None = None) -> None:
    """Await `on_change` each time the content of `path` has become another one. Runs until it is cancelled.

    `known` is the `digest` of what is in force; without it, what the file says now is not a change.

    A file that is gone or cannot be read is not a change; what it says when it is back may be. An exception of
    `on_change` is logged, and the watch goes on. Raises OSError where the directory of `path` cannot be watched.
    """
    known = known or digest(path)
    while True:
        watched = _directories(path)
        # `watch_filter` is for projects: it passes over some names of files and directories.
        changes = awatch(
            *watched,
            watch_filter=None,
            recursive=False,
            debounce=DEBOUNCE,
            rust_timeout=LOOK_ANYWAY,
            yield_on_timeout=True,
        )
        async for _ in changes:
            known = await _compare(path, known, on_change)
            if _directories(path) != watched:
                break
        await changes.aclose()


def digest(path: Path) -> bytes | None:
    """Tells one content of the file from another; None where it cannot be read."""
    try:
        return hashlib.sha256(path.read_bytes()).digest()
    except OSError:
        return None


async def _compare(path: Path, known: bytes | None, on_change: Callable[[], Awaitable[object]]) -> bytes | None:
    """What the content is known as from now on."""
    now = digest(path)
    if now is None or now == known:
        return known
    log.info("the configuration file changed")
    try:
        await on_change()
    except Exception:
        log.exception("the changed configuration could not be put in force")
    return now


def _directories(path: Path) -> frozenset[Path]:
    """Where something must happen for the content to change: beside the file, and beside what a link points to."""
    beside = path.absolute().parent
    target = path.resolve().parent
    return frozenset({beside, target} if target.is_dir() else {beside})
