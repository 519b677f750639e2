"""Where access log lines go: a file descriptor, written by a thread of its own that nobody waits for.

A thread, because a pipe whose reader sleeps blocks the writer, and a descriptor that others share (stdout) must not be
made non-blocking. A daemon, because the process must be able to end while that reader still sleeps.
"""

import asyncio
import logging
import os
import select
import stat
import sys
import threading
from collections.abc import Iterator
from queue import SimpleQueue

log = logging.getLogger(__name__)

MODE = 0o640


class Sink:
    """Writes batches of lines to `stdout`, `stderr`, or a file at a path that is made if need be.

    Raises OSError where the file cannot be opened.
    """

    def __init__(self, to: str) -> None:
        streams = {"stdout": sys.stdout, "stderr": sys.stderr}
        self._path = None if to in streams else to
        self._fd = streams[to].fileno() if to in streams else _opened(to)
        self._batches: SimpleQueue[tuple[bytes, asyncio.Future[bool]] | None] = SimpleQueue()
        self._reopens = False
        self._fails = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to write. Not before a fork: a thread does not survive it."""
        self._thread = threading.Thread(target=self._write_batches, name="access log", daemon=True)
        self._thread.start()

    async def write(self, lines: bytes) -> bool:
        """Whether `lines`, each with its end, were written. Takes as long as the reader at the other end does."""
        written: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._batches.put((lines, written))
        return await written

    def reopen(self) -> None:
        """Before the next batch, open the path anew: the file may have been moved away."""
        self._reopens = self._path is not None

    def close(self) -> None:
        """End after what was handed over; does not wait for it."""
        self._batches.put(None)

    def _write_batches(self) -> None:
        while (batch := self._batches.get()) is not None:
            lines, written = batch
            _settle(written, self._write(lines))
        if self._path is not None:
            os.close(self._fd)

    def _write(self, lines: bytes) -> bool:
        if self._reopens:
            self._reopen()
        try:
            for part in _parts(lines, self._fd):
                _write_all(self._fd, part)
        except OSError as error:
            self._report(error)
            return False
        self._fails = False
        return True

    def _reopen(self) -> None:
        self._reopens = False
        try:
            opened = _opened(str(self._path))
        except OSError as error:  # the file that is open will do
            self._report(error)
            return
        os.close(self._fd)
        self._fd = opened

    def _report(self, error: OSError) -> None:
        if not self._fails:  # once, not for each batch
            log.error("the access log cannot be written: %s", error.strerror)
        self._fails = True


def _opened(path: str) -> int:
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, MODE)


def _parts(lines: bytes, fd: int) -> Iterator[bytes]:
    """What is written at once: everything, or, for a pipe that workers share, so many whole lines as it takes in one.

    POSIX write(): "Write requests of {PIPE_BUF} bytes or less shall not be interleaved with data from other processes
    doing writes on the same pipe."
    """
    if not stat.S_ISFIFO(os.fstat(fd).st_mode):
        yield lines
        return
    start = 0
    while start < len(lines):
        end = lines.rfind(b"\n", start, start + select.PIPE_BUF) + 1
        if not end:  # one line that is longer than that
            end = lines.find(b"\n", start) + 1 or len(lines)
        yield lines[start:end]
        start = end


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(fd, view) :]
        except BlockingIOError:  # somebody else made the shared descriptor non-blocking
            select.select((), (fd,), ())


def _settle(written: "asyncio.Future[bool]", outcome: bool) -> None:
    def settle() -> None:
        if not written.done():
            written.set_result(outcome)

    try:
        written.get_loop().call_soon_threadsafe(settle)
    except RuntimeError:  # the loop ended first
        log.debug("the last lines of the access log were written after the loop's end")
