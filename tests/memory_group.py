"""A group of processes with little memory, by the kernel's cgroups: whoever takes more is killed."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOTS = ((Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes"), (Path("/sys/fs/cgroup"), "memory.max"))
"""Of cgroups version 1 and 2, and what limits a group there."""


@dataclass(frozen=True, slots=True)
class MemoryGroup:
    """Processes that may take so much together."""

    folder: Path

    def add(self, pid: int) -> None:
        """What the process takes from now on counts."""
        (self.folder / "cgroup.procs").write_text(str(pid))

    def kills(self) -> int:
        """How many of them the kernel has killed."""
        for name in ("memory.oom_control", "memory.events"):
            path = self.folder / name
            if path.exists():
                found = dict(line.split() for line in path.read_text().splitlines())
                return int(found["oom_kill"])
        raise AssertionError("this kernel does not tell")


@contextmanager
def memory_group(limit: int) -> Iterator[MemoryGroup]:
    """A group with that many bytes, until the end of the block. Skips the test where there can be none."""
    root, name = next(((root, name) for root, name in ROOTS if _can_limit(root)), (None, ""))
    if root is None:
        pytest.skip("no group of processes can be given a limit of memory here: that takes root, and cgroups")
    folder = root / f"tokenward-test-{os.getpid()}"
    folder.mkdir()
    try:
        (folder / name).write_text(str(limit))
        yield MemoryGroup(folder)
    finally:
        for pid in (folder / "cgroup.procs").read_text().split():
            (root / "cgroup.procs").write_text(pid)
        folder.rmdir()


def _can_limit(root: Path) -> bool:
    if not os.access(root, os.W_OK) or not (root / "cgroup.procs").exists():
        return False
    if root.name == "memory":
        return True
    controllers = root / "cgroup.subtree_control"
    return controllers.exists() and "memory" in controllers.read_text().split()
