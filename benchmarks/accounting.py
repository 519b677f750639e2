"""What processes and the machine have used, read from /proc: seconds of CPU, and memory."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
TICKS = os.sysconf("SC_CLK_TCK")
PARENT, USER, KERNEL = 1, 11, 12
"""Fields of proc_pid_stat(5), counted from the one after the name."""


@dataclass(frozen=True, slots=True)
class Cpu:
    """Seconds of CPU: in all, and those of them in the kernel."""

    total: float = 0.0
    kernel: float = 0.0

    def __add__(self, other: "Cpu") -> "Cpu":
        return Cpu(self.total + other.total, self.kernel + other.kernel)

    def __sub__(self, other: "Cpu") -> "Cpu":
        return Cpu(self.total - other.total, self.kernel - other.kernel)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What had been used at one moment, in seconds of CPU."""

    machine: float
    """All cores, for whatever; what the hypervisor took away counts."""
    own: float
    """This process and those it has waited for."""
    processes: dict[int, list[str]]

    @classmethod
    def take(cls) -> "Snapshot":
        """Now."""
        times = os.times()
        own = times.user + times.system + times.children_user + times.children_system
        return cls(busy_seconds((PROC / "stat").read_text().splitlines()[0]), own, _processes())

    def below(self, pid: int) -> Iterator[int]:
        """A process and all that come from it; nothing where it has ended."""
        due = [pid] if pid in self.processes else []
        while due:
            each = due.pop()
            yield each
            due.extend(child for child, fields in self.processes.items() if int(fields[PARENT]) == each)

    def cpu(self, pid: int) -> Cpu:
        """What a process and those below it have used since they began."""
        return sum((_cpu(self.processes[each]) for each in self.below(pid)), Cpu())


def busy_seconds(line: str) -> float:
    """The busy seconds in the first line of /proc/stat: all but idle and waiting for a disk."""
    user, nice, system, _idle, _waiting, hard, soft, stolen = (int(field) for field in line.split()[1:9])
    return (user + nice + system + hard + soft + stolen) / TICKS


def pids_below(pid: int) -> list[int]:
    """A process and all that come from it, now."""
    return list(Snapshot.take().below(pid))


def memory_of(pid: int) -> float:
    """MB that a process and those below it hold (PSS: a page that n processes share counts for 1/n)."""
    rollups = (_read(PROC / str(each) / "smaps_rollup") for each in pids_below(pid))
    found = (re.search(r"^Pss:\s+(\d+)", text, re.MULTILINE) for text in rollups)
    return sum(int(each[1]) for each in found if each) / 1024


def fields_of(stat: str) -> list[str]:
    """The fields of a process after its name, which may hold blanks and parentheses."""
    return stat.rpartition(")")[2].split()


def _processes() -> dict[int, list[str]]:
    stats = ((int(entry.name), _read(entry / "stat")) for entry in PROC.iterdir() if entry.name.isdecimal())
    return {pid: fields_of(stat) for pid, stat in stats if stat}


def _cpu(fields: list[str]) -> Cpu:
    kernel = int(fields[KERNEL]) / TICKS
    return Cpu(int(fields[USER]) / TICKS + kernel, kernel)


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:  # it has ended in the meantime
        return ""
