"""How long the store takes with many clients, in both databases: `python -m benchmarks.store --clients 100000`."""

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass

from pydantic import SecretStr
from sqlalchemy import Table, insert

from gateway.clients import Register
from gateway.clients.client import Agreement, Client, ClientState, Metadata, Person
from gateway.clients.feed import Feed
from gateway.clients.life import State
from gateway.clients.store import agreements, clients, cursors
from gateway.clients.store.opening import open_store
from gateway.clients.store.options import StoreOptions
from gateway.clients.store.sealing import new_key
from gateway.clients.store.store import Store
from gateway.clients.store.tables import agreements as agreements_table
from gateway.clients.store.tables import clients as clients_table
from gateway.clock import SystemClock
from gateway.garbage import spare
from tests.clients import postgresql
from tests.fakes import FakeMetrics

ROWS_AT_ONCE = 2000
TIMES = 15
BEGAN = 1_700_000_000.0
OWNER = Person(provider="main", subject="person-7")
ADJECTIVES = ("amber", "brisk", "calm", "deep", "eager", "fine", "grand", "happy")
Question = tuple[str, Callable[[], Awaitable[object]]]


@dataclass(frozen=True, slots=True)
class Timing:
    """Of one question, in milliseconds."""

    question: str
    median: float
    worst: float


def many_clients(count: int) -> Iterator[Client]:
    """One in ten is a draft; a person has five."""
    for number in range(count):
        draft = number % 10 == 0
        yield Client(
            id=f"client-{number:08}",
            provider="main",
            client_id=None if draft else f"at-provider-{number:08}",
            state=ClientState.DRAFT if draft else ClientState.REGISTERED,
            metadata=Metadata(client_name=f"{ADJECTIVES[number % 8]} shop {number * 7919 % count:08}"),
            owner=Person(provider="main", subject=f"person-{number // 5}"),
            created_at=BEGAN + number,
            updated_at=BEGAN + number,
        )


def many_agreements(count: int) -> Iterator[Agreement]:
    """One for each client, of ten APIs; of a thousand, one is asked for."""
    for number in range(count):
        yield Agreement(
            id=f"agreement-{number:08}",
            client=f"client-{number:08}",
            api=f"api-{number % 10}",
            state=State.REQUESTED if number % 1000 == 500 else State.ACTIVE,
            tier="gold",
            asked_at=BEGAN + number,
        )


async def fill(store: Store, count: int) -> None:
    """As many clients and agreements; past the store's checks, which is what makes it quick."""
    async with store._database.writing() as connection:  # noqa: SLF001 - the store has no such door
        for table, rows in _tables(count):
            part: list[dict[str, object]] = []
            for row in rows:
                part.append(row)
                if len(part) == ROWS_AT_ONCE:
                    await connection.execute(insert(table), part)
                    part = []
            if part:
                await connection.execute(insert(table), part)
    async with store._database.writing() as connection:  # noqa: SLF001 - the store has no such door
        # PostgreSQL does so by itself after a while.
        await connection.exec_driver_sql("ANALYZE")


def _tables(count: int) -> Iterator[tuple[Table, Iterator[dict[str, object]]]]:
    yield clients_table, (clients.row(client) for client in many_clients(count))
    yield agreements_table, (agreements.row(agreement) for agreement in many_agreements(count))


async def questions(store: Store, count: int) -> list[Question]:
    """What pages ask."""
    middle_name = cursors.write(f"deep shop {count // 2:08}", "")
    middle_time = agreements.cursor(list(many_agreements(count // 2))[-1])
    return [
        ("clients: the first page", lambda: store.clients()),
        ("clients: from the middle", lambda: store.clients(after=middle_name)),
        ("clients: of a person", lambda: store.clients(owner=OWNER)),
        ("clients: drafts", lambda: store.clients(state=ClientState.DRAFT)),
        ("clients: deleted (none)", lambda: store.clients(state=ClientState.DELETED)),
        ("clients: search, many found", lambda: store.clients(search="Happy")),
        ("clients: search, one found", lambda: store.clients(search=f"shop {count - 1:08}")),
        ("clients: search, none found", lambda: store.clients(search="nothing like it")),
        ("clients: by its client id", lambda: store.client_at("main", "at-provider-00000777")),
        ("agreements: the first page", lambda: store.agreements()),
        ("agreements: from the middle", lambda: store.agreements(after=middle_time)),
        ("agreements: of a person", lambda: store.agreements(owner=OWNER)),
        ("agreements: of an API", lambda: store.agreements(api="api-3")),
        ("agreements: asked for", lambda: store.agreements(state=State.REQUESTED)),
        ("agreements: asked for, of an API", lambda: store.agreements(state=State.REQUESTED, api="api-0")),
        ("agreements: refused (none)", lambda: store.agreements(state=State.REFUSED)),
        ("agreements: search, many found", lambda: store.agreements(search="happy")),
        ("agreements: search, one found", lambda: store.agreements(search=f"shop {count - 1:08}")),
        ("agreements: search, none found", lambda: store.agreements(search="nothing like it")),
        ("in force of a client", lambda: store.in_force_of(("main", "at-provider-00000777"))),
        ("changes (none)", lambda: store.changes_after(0)),
    ]


async def timed(name: str, ask: Callable[[], Awaitable[object]], times: int = TIMES) -> Timing:
    """Ask it so many times."""
    took = []
    for _ in range(times):
        began = time.perf_counter()
        await ask()
        took.append((time.perf_counter() - began) * 1000)
    return Timing(name, statistics.median(took), max(took))


async def longest_pause(work: Callable[[], Awaitable[object]]) -> float:
    """For how many milliseconds of this thread's time nothing else was done: what requests would have waited."""
    pauses = [0.0]

    async def beat() -> None:
        last = time.thread_time()
        while True:
            await asyncio.sleep(0)
            now = time.thread_time()
            pauses.append((now - last) * 1000)
            last = now

    async with asyncio.TaskGroup() as group:
        beating = group.create_task(beat())
        await work()
        beating.cancel()
    return max(pauses)


async def measure(url: str, count: int) -> list[Timing]:
    """All of it, in one database."""
    options = StoreOptions(url=SecretStr(url), encryption_keys=(SecretStr(new_key()),), timeout=120.0)
    async with open_store(options, SystemClock()) as store:
        began = time.perf_counter()
        await fill(store, count)
        sys.stderr.write(f"filled in {time.perf_counter() - began:.1f} s\n")
        found = [await timed(name, ask) for name, ask in await questions(store, count)]
        feed = Feed(store, Register(), lambda _: 0, SystemClock(), options, FakeMetrics())
        found.append(await timed("all contracts, as at the start", feed.read, times=3))
        # As the gateway does once it is up.
        spare()
        pause = await longest_pause(feed.read)
        found.append(Timing("… longest pause of the event loop", pause, pause))
    return found


def show(count: int, sqlite: list[Timing], other: list[Timing]) -> str:
    """A table in Markdown."""
    lines = [
        f"{count} clients and contracts; milliseconds: median (worst)",
        "",
        "| Question | SQLite | PostgreSQL |",
        "|---|---:|---:|",
    ]
    for one, two in zip(sqlite, other, strict=True):
        lines.append(f"| {one.question} | {one.median:.1f} ({one.worst:.1f}) | {two.median:.1f} ({two.worst:.1f}) |")
    return "\n".join(lines) + "\n"


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=100_000)
    count = parser.parse_args().clients
    if (reason := postgresql.missing()) is not None:
        sys.stderr.write(f"{reason}\n")
        return 1
    with tempfile.TemporaryDirectory() as folder:
        sqlite = asyncio.run(measure(f"sqlite:///{folder}/store.db", count))
    with postgresql.start() as server:
        other = asyncio.run(measure(asyncio.run(server.database()), count))
    sys.stdout.write(show(count, sqlite, other))
    return 0


if __name__ == "__main__":
    sys.exit(main())
