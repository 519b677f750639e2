"""Servers that run as processes of their own: started for the tests, and gone with them."""

import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Running:
    """A process and the file it writes to."""

    process: subprocess.Popen[bytes]
    log: Path

    def wait_for(self, look: Callable[[], T | None], *, seconds: float = 30.0) -> T:
        """What `look` finds once the server is ready; TimeoutError, with the log, when it finds nothing."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.process.poll() is None:
            if (found := look()) is not None:
                return found
            time.sleep(0.02)
        raise TimeoutError(f"{self.process.args!r} did not get ready. It said:\n{self.log.read_text()[-2000:]}")

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Stands still during the block: it accepts connections, and never answers."""
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it at once; what it had to write down is written."""
        self.process.kill()
        self.process.wait()


@contextmanager
def run(command: Sequence[str], *, folder: Path) -> Iterator[Running]:
    """Run a server in `folder`, where its output goes to `log.txt`; end it at the end of the block."""
    log = folder / "log.txt"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*_dies_with_us(), *command], cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        yield Running(process, log)
    finally:
        _end(process)


def free_port() -> int:
    """A port of the loopback address that nobody listens on, for a server that cannot choose one itself."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _dies_with_us() -> list[str]:
    # A test run that is killed has no chance to end its servers: the kernel does it.
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "KILL", "--"] if setpriv else []


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
