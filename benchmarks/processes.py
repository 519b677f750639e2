"""Programs that run for a benchmark, each on its cores. None of them outlives it, however it ends."""

import os
import shlex
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.accounting import memory_of, pids_below

CHECKOUT = Path(__file__).parents[1]
PATIENCE = 20.0
"""Seconds that a program has to listen."""
GRACE = 5.0
"""Seconds that it has to end."""
PREFERENCE = -10
"""How nice we are to the rest of the machine, where we may say so: what else runs disturbs less."""


class StartError(Exception):
    """A program did not get ready; says what it wrote."""


@dataclass(slots=True)
class Program:
    """A server and everything it has forked."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    def memory(self) -> float:
        """MB that it holds (PSS)."""
        return memory_of(self.pid)

    def freeze(self) -> None:
        """Make it stand still: it takes connections, and never answers."""
        _signal(pids_below(self.pid), signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        _signal(pids_below(self.pid), signal.SIGCONT)

    def end(self) -> None:
        """Tell it to end, and kill what does not."""
        if self.process.poll() is not None:
            return
        pids = pids_below(self.pid)
        self.thaw()
        self.process.terminate()
        try:
            self.process.wait(GRACE)
        except subprocess.TimeoutExpired:
            _signal(pids, signal.SIGKILL)
            self.process.wait()

    def wait_until_it_listens(self, port: int) -> None:
        """Return when somebody takes connections there. Raises StartError."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and self.process.poll() is None:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                return
            time.sleep(0.05)
        raise StartError(f"{self.name} did not get ready. It said:\n{self.log.read_text()[-2000:]}")


@dataclass(slots=True)
class Crew:
    """The programs that run now."""

    group: int
    folder: Path
    """Where they write."""
    programs: list[Program] = field(default_factory=list)

    def start(self, name: str, command: str | Sequence[str], *, cpus: str, port: int) -> Program:
        """Run a server on these cores until it listens. Raises StartError."""
        log = self.folder / f"{name}.log"
        with log.open("ab") as output:
            process = self.run(command, cpus=cpus, stdout=output.fileno(), stderr=subprocess.STDOUT)
        program = Program(name, process, log)
        self.programs.append(program)
        program.wait_until_it_listens(port)
        return program

    def run(self, command: str | Sequence[str], *, cpus: str, stdout: int, stderr: int) -> subprocess.Popen[bytes]:
        """Start any program on these cores, among the others."""
        words = shlex.split(command) if isinstance(command, str) else list(command)
        return subprocess.Popen(
            ["taskset", "--cpu-list", cpus, *words],
            cwd=CHECKOUT,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            process_group=self.group,
        )

    def end(self, program: Program) -> None:
        """End one of them."""
        program.end()
        self.programs.remove(program)

    def pids(self) -> list[int]:
        """Of those that run now."""
        return [program.pid for program in self.programs]


@contextmanager
def crew(folder: Path) -> Iterator[Crew]:
    """Programs started in the block end with it, and also when this process is killed."""
    # A process group of its own: Ctrl-C reaches us alone, and we end the rest in order. Its first member holds the
    # other end of a pipe of ours, which the kernel closes when we are gone.
    guard = subprocess.Popen(["sh", "-c", "read _; kill -KILL 0"], stdin=subprocess.PIPE, process_group=0)
    assert guard.stdin is not None
    started = Crew(guard.pid, folder)
    try:
        yield started
    finally:
        for program in reversed(started.programs):
            program.end()
        guard.stdin.close()
        guard.wait()


@contextmanager
def preferred() -> Iterator[None]:
    """Run ahead of others during the block, where the machine lets us."""
    # With autogroups, niceness counts inside a session only; the session has one of its own.
    autogroup = Path("/proc/self/autogroup")
    before = os.getpriority(os.PRIO_PROCESS, 0)
    session = autogroup.read_text().split()[-1] if autogroup.exists() else ""
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, PREFERENCE)
        autogroup.write_text(str(PREFERENCE))
    try:
        yield
    finally:
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, 0, before)
            autogroup.write_text(session)


def free_ports(count: int) -> list[int]:
    """Ports of the loopback address that nobody listens on."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def _signal(pids: Sequence[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
