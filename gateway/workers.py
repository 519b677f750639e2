"""Several worker processes behind the same listening sockets: forked, watched, replaced, and ended together.

The supervisor is a plain program without an event loop or a thread. That is on purpose: a fork copies the thread that
calls it and every lock as it is at that moment, so only a process that has no other thread may fork at any time, which
replacing a worker needs. The admin listener, which needs a loop, therefore has a process of its own, a child like the
workers; when it dies it is replaced too, and requests do not notice.

The sockets are bound before the first fork and inherited. While one process has a listening socket open, the kernel
keeps what waits in its backlog: a worker that dies takes only what it had accepted. (With SO_REUSEPORT each worker has
a socket of its own, whose backlog is reset with it.)
"""

import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NoReturn

from gateway.clock import SystemClock
from gateway.fleet import FleetLink
from gateway.ports import Clock
from gateway.worker_link import DRAIN, END, HELD_BACK, REREAD, STARTED, WorkerLink

log = logging.getLogger(__name__)

HEARD = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD}
YOUNG = 5.0
"""Seconds. A child that ends younger than that may do so again: its replacement waits, each time twice as long."""
FIRST_WAIT = 0.25
LONGEST_WAIT = 10.0
LAST_WORDS = 5.0
"""Seconds that the admin process has to end after the last worker."""


def supervise(
    count: int,
    bind: Sequence[socket.socket],
    run_worker: Callable[[WorkerLink], int],
    *,
    admin_bind: Sequence[socket.socket] = (),
    run_admin: Callable[[FleetLink], int],
    patience: float,
) -> int:
    """Run `count` workers and the admin process until they are told to end; returns the exit code of the program.

    `bind` are listening sockets; workers inherit these and the admin process inherits `admin_bind`. The two functions
    run in a child and return its exit code. SIGHUP is passed on to all of them. SIGTERM or SIGINT drains: the workers
    receive SIGTERM and have `patience` seconds to end. The second one kills them.

    Returns 0 when every worker ended by itself with 0; 1 when one failed or had to be killed; the code of the first
    child that failed before any worker served (78: the configuration is not valid). Raises RuntimeError where a thread
    runs.
    """
    if threading.active_count() > 1:
        raise RuntimeError("a process that runs threads must not fork")
    supervisor = _Supervisor(
        workers=_Kind("worker", lambda number, line: run_worker(WorkerLink(number, line)), tuple(bind), count),
        admin=_Kind("admin", lambda _, line: run_admin(FleetLink(line)), tuple(admin_bind), 1),
        patience=patience,
    )
    before = signal.pthread_sigmask(signal.SIG_BLOCK, HEARD)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # one who started us may have it ignored: children would vanish
    try:
        return supervisor.run()
    finally:
        supervisor.kill()
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@dataclass(slots=True)
class _Kind:
    """Children of one kind: what they run, which sockets they keep, and when the missing ones are due."""

    name: str
    run: Callable[[int, socket.socket], int]
    sockets: tuple[socket.socket, ...]
    wanted: int
    due: list[float] = field(default_factory=list)
    wait: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class _Child:
    pid: int
    number: int
    kind: _Kind
    line: socket.socket
    born: float


class _Supervisor:
    """Hears signals one at a time, and does what each asks before it hears the next."""

    def __init__(self, *, workers: _Kind, admin: _Kind, patience: float, clock: Clock | None = None) -> None:
        self._workers = workers
        self._admin = admin
        self._patience = patience
        self._clock = clock or SystemClock()
        self._children: dict[int, _Child] = {}
        self._born = 0
        self._served = False
        self._ends = False
        self._deadline = float("inf")
        self._code = 0

    def run(self) -> int:
        """Returns when no child is left."""
        now = self._clock.monotonic()
        for kind in (self._admin, self._workers):
            kind.due = [now] * kind.wanted
        self._start_due()
        while self._children or not self._ends:
            heard = signal.sigtimedwait(HEARD, self._next())
            if heard is not None:
                self._hear(heard.si_signo)
            self._start_due()
            if self._clock.monotonic() >= self._deadline:
                self._lose_patience()
        return self._code

    def kill(self) -> None:
        """End every child at once."""
        self._send(self._children.values(), signal.SIGKILL)

    def _next(self) -> float:
        """Seconds until there is something to do without a signal."""
        due = (*self._workers.due, *self._admin.due, self._deadline)
        return min(3600.0, max(0.0, min(due) - self._clock.monotonic()))

    def _hear(self, heard: int) -> None:
        match heard:
            case signal.SIGCHLD:
                self._bury()
            case signal.SIGHUP:
                self._reread()
            case _ if self._ends:
                log.warning("told to end a second time: the workers are killed")
                self._code = 1
                self.kill()
            case _:
                self._drain()

    def _reread(self) -> None:
        self._send(self._of(self._workers), signal.SIGHUP)
        for admin in self._of(self._admin):
            _say(admin.line, REREAD)

    # Birth

    def _start_due(self) -> None:
        now = self._clock.monotonic()
        for kind in (self._admin, self._workers):
            ready = [at for at in kind.due if at <= now]
            kind.due = [at for at in kind.due if at > now]
            for _ in ready:
                self._start(kind, now)

    def _start(self, kind: _Kind, now: float) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._born += 1
        pid = os.fork()
        if pid == 0:
            ours.close()
            self._become(kind, self._born, theirs)
        theirs.close()
        ours.setblocking(False)
        child = self._children[pid] = _Child(pid, self._born, kind, ours, now)
        self._introduce(child)

    def _become(self, kind: _Kind, number: int, line: socket.socket) -> NoReturn:
        """In the child: let go of what is not its own, run, and end without the parent's `finally` and `atexit`."""
        code = 1
        try:
            for sibling in self._children.values():
                sibling.line.close()
            _close({*self._workers.sockets, *self._admin.sockets} - set(kind.sockets))
            _set_signals(held_back=HELD_BACK if kind is self._workers else ())
            code = kind.run(number, line)
        except BaseException:
            log.exception("%s %d failed", kind.name, number)
        finally:
            _leave(code)

    def _introduce(self, child: _Child) -> None:
        """Give the new child and those of the other kind sockets to talk over."""
        for other in self._of(self._workers if child.kind is self._admin else self._admin):
            worker, admin = (other, child) if child.kind is self._admin else (child, other)
            one, another = socket.socketpair()
            with one, another:
                _say(worker.line, b"talk", one)
                _say(admin.line, str(worker.number).encode(), another)

    # Death

    def _bury(self) -> None:
        while self._children:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            # As process 1 of a container we also inherit strangers; those are only to be waited for.
            child = self._children.get(pid)
            if child is not None:
                self._mourn(child, os.waitstatus_to_exitcode(status))

    def _mourn(self, child: _Child, code: int) -> None:
        self._note_who_served()
        del self._children[child.pid]
        child.line.close()
        if self._ends:
            self._count_out(child, code)
        elif not self._served and code > 0:
            self._give_up(child, code)
        else:
            self._replace(child, code)

    def _note_who_served(self) -> None:
        for child in self._of(self._workers):
            self._served = self._served or _has_said_started(child.line)

    def _replace(self, child: _Child, code: int) -> None:
        now = self._clock.monotonic()
        kind = child.kind
        kind.wait = min(LONGEST_WAIT, max(FIRST_WAIT, kind.wait * 2)) if now - child.born < YOUNG else 0.0
        kind.due.append(now + kind.wait)
        log.error("%s %d ended (%s); another starts in %.2f s", kind.name, child.number, _told(code), kind.wait)

    def _give_up(self, child: _Child, code: int) -> None:
        log.error("%s %d cannot start (%s)", child.kind.name, child.number, _told(code))
        self._end()
        self._code = code
        self.kill()

    # The end

    def _drain(self) -> None:
        log.info("draining: the workers have %.0f s", self._patience)
        self._end()
        for admin in self._of(self._admin):
            _say(admin.line, DRAIN)
        self._send(self._of(self._workers), signal.SIGTERM)
        self._deadline = self._clock.monotonic() + self._patience
        self._end_admin_after_workers()

    def _end(self) -> None:
        """Replace nobody, and let the listeners close with the last child that has them open."""
        self._ends = True
        for kind in (self._workers, self._admin):
            kind.due.clear()
            _close(kind.sockets)

    def _count_out(self, child: _Child, code: int) -> None:
        if child.kind is self._workers and code != 0 and self._code == 0:
            log.error("worker %d ended unfinished (%s)", child.number, _told(code))
            self._code = 1
        self._end_admin_after_workers()

    def _end_admin_after_workers(self) -> None:
        if not self._of(self._workers):
            self._deadline = self._clock.monotonic() + LAST_WORDS
            for admin in self._of(self._admin):
                _say(admin.line, END)

    def _lose_patience(self) -> None:
        log.error("not everything ended in time: the rest is killed")
        self._code = self._code or 1
        self._deadline = float("inf")
        self.kill()

    def _of(self, kind: _Kind) -> list[_Child]:
        return [child for child in self._children.values() if child.kind is kind]

    def _send(self, children: Iterable[_Child], number: signal.Signals) -> None:
        # None of them is gone: a child stays, dead or alive, until `_bury` has waited for it.
        for child in children:
            os.kill(child.pid, number)


def _set_signals(held_back: Iterable[signal.Signals]) -> None:
    # A terminal sends SIGINT, and a service manager SIGTERM, to every process: the supervisor decides what they mean.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if not held_back:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, HEARD - set(held_back))


def _leave(code: int) -> NoReturn:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            log.debug("a stream is closed already")
    os._exit(code)


def _close(sockets: Iterable[socket.socket]) -> None:
    for each in sockets:
        each.close()


def _say(line: socket.socket, message: bytes, channel: socket.socket | None = None) -> None:
    """Tell a child. Where it cannot hear, it is about to end, and its end is heard of."""
    try:
        if channel is None:
            line.send(message)
        else:
            socket.send_fds(line, [message], [channel.fileno()])
    except OSError as error:
        log.debug("a child could not be told: %s", error.strerror)


def _has_said_started(line: socket.socket) -> bool:
    try:
        return line.recv(64) == STARTED
    except OSError:
        return False


def _told(code: int) -> str:
    return f"by {signal.Signals(-code).name}" if code < 0 else f"with code {code}"
