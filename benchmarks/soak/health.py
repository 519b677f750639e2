"""Whether a process grows: what it holds, sampled, and judged after a warm-up."""

import os
import re
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from http.client import HTTPConnection
from itertools import combinations
from pathlib import Path

WARM_UP = 1 / 3
"""The share of a run in which everything fills that is bounded: memories, pools, arenas."""
MOST_SLOPE = 1.0
"""MB an hour that a process may grow."""
UNREST = 2.0
"""MB that its memory goes up and down by, whatever it does."""
SWING = {"descriptors": 10, "tasks": 30}
"""By how much these go up and down. A leak is a matter of thousands."""


@dataclass(frozen=True, slots=True)
class Health:
    """One sample."""

    at: float
    """Seconds since the run began."""
    rss: float
    """MB."""
    descriptors: int
    tasks: int

    @classmethod
    def of(cls, pid: int, admin: int, at: float) -> "Health":
        """A gateway's, now: of its process, and of its admin port."""
        status = Path(f"/proc/{pid}/status").read_text()
        rss = re.search(r"^VmRSS:\s+(\d+)", status, re.MULTILINE)
        tasks = re.search(r"^tokenward_tasks (\S+)", _metrics(admin), re.MULTILINE)
        assert rss is not None
        assert tasks is not None
        return cls(at, int(rss[1]) / 1024, len(os.listdir(f"/proc/{pid}/fd")), int(float(tasks[1])))


def complaints(samples: Sequence[Health]) -> list[str]:
    """What grows; nothing where all is well."""
    settled = [sample for sample in samples if sample.at >= samples[-1].at * WARM_UP]
    found = []
    hours = (settled[-1].at - settled[0].at) / 3600
    grown = slope(settled) * hours
    if grown > MOST_SLOPE * hours + UNREST:
        found.append(f"memory grew by {grown:.1f} MB, {slope(settled):.1f} MB an hour")
    for name, swing in SWING.items():
        values = [getattr(sample, name) for sample in settled]
        part = max(1, len(values) // 4)
        # The least of each part: what is under way at the moment of a sample comes and goes, and what leaks stays.
        before, after = min(values[:part]), min(values[-part:])
        if after > before + swing:
            found.append(f"{name} grew from {before} to {after}")
    return found


def slope(samples: Sequence[Health]) -> float:
    """MB an hour: the median over all pairs (Theil and Sen), which a few odd samples do not move."""
    thinned = samples[:: max(1, len(samples) // 200)]
    slopes = [(later.rss - sooner.rss) / (later.at - sooner.at) for sooner, later in combinations(thinned, 2)]
    return statistics.median(slopes) * 3600 if slopes else 0.0


def _metrics(port: int) -> str:
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/metrics")
        return connection.getresponse().read().decode()
    finally:
        connection.close()
