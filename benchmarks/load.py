"""A load by wrk for a few seconds, and what it cost the gateway."""

import json
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from benchmarks.accounting import Snapshot
from benchmarks.scenarios import OPAQUE_TOKENS, Check, Scenario, Tokens
from benchmarks.testbed import Gateway, Testbed
from benchmarks.tokens import token_file

SCRIPT = Path(__file__).parent / "wrk.lua"
MARK = "JSON "
SIGNED_PER_SECOND = 10_000
"""JWTs that are made for each second of a load in which none comes twice."""
SECONDS = 30.0
"""Beyond its time, before wrk is given up."""


class WrkSays(TypedDict):
    """What wrk.lua prints."""

    requests: int
    microseconds: int
    bytes: int
    p50: int
    p99: int
    refused: int
    broken: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One gateway under one load, once. Shares are parts of one core."""

    requests: int
    rate: float
    """Requests a second."""
    p50: float
    """Milliseconds."""
    p99: float
    cpu: float
    """Microseconds of CPU that the gateway used for a request."""
    kernel: float
    """Those of them in the kernel."""
    busy: float
    """The share of its core that the gateway used; much below 1, the load was the limit."""
    load_busy: float
    foreign: float
    """The share that the rest of the machine used meanwhile."""
    memory: float
    """MB (PSS) at the end."""
    wrong: int
    """Answers that were not the upstream's, and those that did not come."""
    repeated: int = 0
    """Requests with a token that had come before, where none should."""


def wrk_command(scenario: Scenario, port: int, connections: int, seconds: int, tokens: Sequence[str]) -> list[str]:
    """wrk with our script."""
    return [
        *("wrk", "--threads", "1", "--connections", str(scenario.connections or connections)),
        *("--duration", f"{seconds}s", "--timeout", "10s", "--script", str(SCRIPT)),
        f"http://127.0.0.1:{port}{scenario.path}",
        *("--", scenario.method, str(scenario.body), *tokens),
    ]


def token_words(scenario: Scenario, folder: Path, seconds: int, mark: str) -> list[str]:
    """How wrk.lua is told which tokens to send. `mark` makes new ones other than all before."""
    if scenario.tokens is Tokens.NONE:
        return ["none"]
    if scenario.tokens is Tokens.NEW and scenario.check is Check.OPAQUE:
        return ["new", f"ok{mark}x"]
    counts = {Tokens.ONE: 1, Tokens.TEN_THOUSAND: OPAQUE_TOKENS, Tokens.NEW: SIGNED_PER_SECOND * seconds}
    return ["file", str(token_file(folder, scenario.check)), str(counts[scenario.tokens])]


def put_under(bed: Testbed, gateway: Gateway, scenario: Scenario, connections: int, seconds: int, mark: str) -> Sample:
    """Load the gateway for so many seconds, and see what it used meanwhile. Raises RuntimeError where wrk fails."""
    words = token_words(scenario, bed.folder, seconds, mark)
    command = wrk_command(scenario, gateway.port, connections, seconds, words)
    before, began = Snapshot.take(), time.monotonic()
    said = read_wrk(_run(bed, command, seconds))
    after, took = Snapshot.take(), time.monotonic() - began
    used = after.cpu(gateway.program.pid) - before.cpu(gateway.program.pid)
    around = [bed.upstream.pid, bed.provider.program.pid]
    count = max(said["requests"], 1)
    return Sample(
        requests=said["requests"],
        rate=said["requests"] / (said["microseconds"] / 1e6),
        p50=said["p50"] / 1e3,
        p99=said["p99"] / 1e3,
        cpu=used.total / count * 1e6,
        kernel=used.kernel / count * 1e6,
        busy=used.total / took,
        load_busy=_used(before, after, around) / took,
        foreign=max(0.0, after.machine - before.machine - _used(before, after, bed.crew.pids())) / took,
        memory=gateway.program.memory(),
        wrong=wrong_answers(said, scenario),
        repeated=max(0, said["requests"] - SIGNED_PER_SECOND * seconds) if scenario.needs_signed_tokens else 0,
    )


def _used(before: Snapshot, after: Snapshot, pids: Sequence[int]) -> float:
    """Seconds of CPU between two moments of some servers, and of ourselves with wrk."""
    return after.own - before.own + sum((after.cpu(pid) - before.cpu(pid)).total for pid in pids)


def read_wrk(printed: str) -> WrkSays:
    """The line of JSON in what wrk printed. Raises RuntimeError where it is missing."""
    for line in printed.splitlines():
        if line.startswith(MARK):
            said: WrkSays = json.loads(line.removeprefix(MARK))
            return said
    raise RuntimeError(f"wrk failed: {printed.strip()[-500:]}")


def wrong_answers(said: WrkSays, scenario: Scenario) -> int:
    """How many answers were not what the upstream gives; all of them where bytes are missing."""
    # The download that is under way when the time is up has bytes, and does not count as a request.
    if said["bytes"] < said["requests"] * scenario.answer:
        return said["requests"]
    return said["refused"] + said["broken"]


def _run(bed: Testbed, command: list[str], seconds: int) -> str:
    wrk = bed.crew.run(command, cpus=bed.cores.load, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        printed, _ = wrk.communicate(timeout=seconds + SECONDS)
    except BaseException:
        wrk.kill()
        wrk.wait()
        raise
    return printed.decode()
