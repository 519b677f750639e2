"""C260, C261: nothing that a caller sends costs us a hundred times its worth, and a flood of it is survived."""

import asyncio
import statistics
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import jwt
import pytest

from benchmarks.callers import Outcome, quantile
from gateway.demo.identity_provider import DemoProvider, run_identity_provider
from gateway.tasks import Tasks
from tests.acceptance.nasty import bogus, chunks, requests
from tests.gateways import Caller, Program, configuration, enforcement, program
from tests.servers import RawCaller, recording_upstream, request

MOST = 100
"""As often as a nasty request may cost what a good one does; and as many bytes of memory as one of its bytes."""
TIMES = 20


def spent(pid: int) -> float:
    """Seconds of processor that all threads of a process had, to the nanosecond."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9


def resident(pid: int, field: str) -> int:
    """Bytes in memory: `VmRSS` now, `VmHWM` at most."""
    (line,) = (line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith(field))
    return int(line.split()[1]) * 1024


@dataclass
class Scales:
    """A gateway as a process, and what it takes to answer."""

    gateway: Program
    provider: DemoProvider
    good: bytes
    """A request that passes."""

    async def answered(self, sent: bytes) -> None:
        """Send it on a connection of its own; whatever the answer is, there is one, or the connection ends."""
        caller = await self.gateway.caller.raw()
        try:
            caller.send(sent)
            await caller.reply(timeout=5)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            caller.close()

    async def seconds(self, sent: bytes, times: int = TIMES) -> float:
        """Of processor, for one of them."""
        before = spent(self.gateway.process.pid)
        for _ in range(times):
            await self.answered(sent)
        return (spent(self.gateway.process.pid) - before) / times

    async def bytes(self, sent: bytes, times: int = 5 * TIMES) -> float:
        """Of memory at the most, for one of so many that are there at once."""
        pid = self.gateway.process.pid
        callers = [await self.gateway.caller.raw() for _ in range(times)]
        Path(f"/proc/{pid}/clear_refs").write_text("5")
        before = resident(pid, "VmRSS")
        try:
            for caller in callers:
                caller.send(sent)
            await asyncio.gather(*(self._first(caller) for caller in callers))
            return (resident(pid, "VmHWM") - before) / times
        finally:
            for caller in callers:
                caller.close()

    async def _first(self, caller: RawCaller) -> None:
        async with asyncio.timeout(10):
            try:
                await caller.reader.read(1)
            except ConnectionError:
                return


@asynccontextmanager
async def scales(folder: Path, **options: object) -> AsyncIterator[Scales]:
    async with run_identity_provider() as provider, recording_upstream() as upstream:
        config = configuration(provider.issuer, upstream.url, access_log={"to": str(folder / "access.log")}, **options)
        enforcement(config)["order"] = "keys_only"
        form = {"provider": "idp", "order": "keys_only", "sources": {"form": "access_token"}}
        config["routes"]["form"] = {
            "path": "/form",
            "upstream": upstream.url,
            "policies": [{"token-enforcement": form}],
        }
        async with program(config, folder) as gateway:
            token = provider.issue("shop", "orders.read", jwt=True)
            good = request("GET", "/orders", f"Authorization: Bearer {token}")
            it = Scales(gateway, provider, good)
            for _ in range(100):
                await it.answered(good)
            yield it


def key_ids(provider: DemoProvider) -> tuple[str, str]:
    """Of the keys that it signs with, RSA and EC."""
    rsa, ec = (provider.issue("shop", "orders.read", jwt=True, algorithm=each) for each in ("RS256", "ES256"))
    return jwt.get_unverified_header(rsa)["kid"], jwt.get_unverified_header(ec)["kid"]


@pytest.mark.case("C260")
@pytest.mark.usefixtures("lane")
async def test_no_request_costs_a_hundred_times_the_processor_of_a_good_one(tmp_path: Path) -> None:
    async with scales(tmp_path) as it:
        good = statistics.median([await it.seconds(it.good) for _ in range(5)])
        cost = {what: await it.seconds(sent) / good for what, sent in requests(*key_ids(it.provider)).items()}
        assert len(cost) > 50
        assert not {what: share for what, share in cost.items() if share > MOST}


@pytest.mark.case("C260")
@pytest.mark.usefixtures("lane")
async def test_a_body_in_crumbs_costs_less_than_a_hundred_bodies_of_its_size(tmp_path: Path) -> None:
    async with scales(tmp_path) as it:
        crumbs = chunks(20_000)
        whole = request("POST", "/public", body=b"a" * len(crumbs))
        assert await it.seconds(crumbs) < MOST * await it.seconds(whole)


@pytest.mark.case("C260")
@pytest.mark.usefixtures("lane")
async def test_no_request_takes_a_hundred_times_the_memory_of_its_bytes(tmp_path: Path) -> None:
    async with scales(tmp_path) as it:
        # What any request takes, however short it is, is told apart from what its bytes come to.
        good = max([await it.bytes(it.good) for _ in range(3)])
        took = {
            what: (await it.bytes(sent) - good) / len(sent) for what, sent in requests(*key_ids(it.provider)).items()
        }
        assert not {what: share for what, share in took.items() if share > MOST}


# Floods

FLOOD = """
import os, select, socket, sys, time
os.nice(19)
port, rate, seconds = int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])
due = [line.encode("ascii") for line in sys.stdin.read().split()]
free = [socket.create_connection(("127.0.0.1", port)) for _ in range(int(sys.argv[4]))]
busy, sent, began = {}, 0, time.monotonic()
while (now := time.monotonic()) < began + seconds:
    while free and sent < (now - began) * rate:
        caller, token = free.pop(), due[sent % len(due)]
        caller.sendall(b"GET /orders HTTP/1.1\\r\\nHost: a\\r\\nAuthorization: Bearer " + token + b"\\r\\n\\r\\n")
        busy[caller.fileno()] = caller
        sent += 1
    for caller in select.select(list(busy.values()), [], [], 0.001)[0]:
        answer = caller.recv(65536)
        assert answer.startswith(b"HTTP/1.1 401 "), answer
        free.append(busy.pop(caller.fileno()))
print(sent - len(busy))
"""
"""Sends so many tokens a second, as far as they are answered, and no more than one at a time on each connection."""
RATE = 2000
SECONDS = 2.0
ATTEMPTS = 8
GOOD_CALLERS = 4
FLOOD_CALLERS = 32


def flood_of_tokens(rsa: str, ec: str, attempt: int) -> str:
    """As many as are sent, no two alike: the memory of refused tokens is of no use."""
    count = int(RATE * SECONDS / 2)
    half = range(attempt * count, (attempt + 1) * count)
    both = zip(
        (bogus(rsa, number=number) for number in half),
        (bogus(ec, alg="ES256", number=number, size=64) for number in half),
        strict=True,
    )
    return "\n".join(token for pair in both for token in pair)


@dataclass
class Asked:
    """What callers got who ask as fast as they may, with a pause between."""

    outcomes: list[Outcome] = field(default_factory=list)
    ends: bool = False

    async def ask(self, caller: RawCaller, sent: bytes, pause: float) -> None:
        while not self.ends:
            began = time.monotonic()
            caller.send(sent)
            reply = await caller.reply(timeout=10)
            self.outcomes.append(Outcome(began, time.monotonic(), reply.status))
            await asyncio.sleep(pause)


@asynccontextmanager
async def asking(ask: Caller, sent: bytes, callers: int, pause: float) -> AsyncIterator[Asked]:
    """Ask the same again and again, on so many connections, during the block."""
    it, tasks = Asked(), Tasks()
    connections = [await ask.raw() for _ in range(callers)]
    try:
        running = [tasks.start(it.ask(caller, sent, pause)) for caller in connections]
        yield it
        it.ends = True
        await asyncio.gather(*running)
    finally:
        await tasks.close()
        for caller in connections:
            caller.close()


@asynccontextmanager
async def flood(port: int) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-c", FLOOD, str(port), str(RATE), str(SECONDS), str(FLOOD_CALLERS)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def flooded(it: Scales, tokens: str, good: Asked) -> tuple[int, int]:
    """Good answers during a flood of these tokens, and refusals."""
    async with flood(it.gateway.caller.port) as process:
        before = len(good.outcomes)
        answered, _ = await process.communicate(tokens.encode())
        return len(good.outcomes) - before, int(answered)


def due(usual: int, left: int, refused: int) -> float:
    """The good answers that there should be: as many as beside refusals that take no signature to be made.

    Where the machine does not give that many a second to anybody, each connection's part of what it gives.
    """
    if refused > 0.95 * RATE * SECONDS:
        return usual
    return (left + refused) * GOOD_CALLERS / (GOOD_CALLERS + FLOOD_CALLERS)


@pytest.mark.case("C261")
@pytest.mark.usefixtures("lane")
async def test_a_flood_of_bogus_signatures_leaves_good_callers_their_share(tmp_path: Path) -> None:
    async with scales(tmp_path) as it:
        healthy = request("GET", "/livez", host="127.0.0.1")
        async with (
            asking(it.gateway.caller, it.good, GOOD_CALLERS, 0.005) as good,
            asking(it.gateway.operator.ask, healthy, 1, 0.01) as health,
        ):
            shares: list[float] = []
            # Whatever else the machine does differs from one flood to the next: one fair comparison is enough.
            while len(shares) < ATTEMPTS and max(shares, default=0.0) < 0.8:
                usual, _ = await flooded(it, "a.b.c", good)
                health.outcomes.clear()
                left, answered = await flooded(it, flood_of_tokens(*key_ids(it.provider), len(shares)), good)
                shares.append(left / due(usual, left, answered))
        refused = "tokenward_token_checks_total provider=idp reason=token_signature_invalid result=deny"
        assert {outcome.status for outcome in (*good.outcomes, *health.outcomes)} == {200}
        assert await it.gateway.operator.metric(refused) >= answered > RATE
        assert max(shares) >= 0.8
        assert quantile(health.outcomes, 0.99) < 100
