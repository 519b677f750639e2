"""The store: clients, contracts, the audit log, usage and sessions, in a database."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from sqlalchemy import Executable, Select, select

from gateway.clients import ClientKey, Contract
from gateway.clients.client import Agreement, Client, ClientState, Entry, Person, Registered
from gateway.clients.life import State
from gateway.clients.store import (
    InForce,
    Page,
    Session,
    Usage,
    agreements,
    audit,
    chain,
    clients,
    ledger,
    registrations,
    sessions,
    usage,
)
from gateway.clients.store.database import Database
from gateway.clients.store.faults import translated, unavailable
from gateway.clients.store.ledger import Ledger
from gateway.clients.store.sealing import Seal, SealBroken
from gateway.clients.store.tables import changes
from gateway.clients.store.telling import told
from gateway.clients.store.transaction import Transaction
from gateway.ports import Clock

T = TypeVar("T")
_ROWS_AT_ONCE = 1000


class Store:
    """Every method raises `Unavailable` (`store_unavailable`) where the database fails; then nothing was written."""

    def __init__(self, database: Database, seal: Seal, clock: Clock) -> None:
        self._database = database
        self._dialect = "sqlite" if database.is_sqlite else "postgresql"
        self._seal = seal
        self._clock = clock
        self.options = database.options

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Transaction]:
        """Write something: all of it at the end of the block, or nothing after any exception."""
        async with self._database.writing() as connection:
            with translated():
                row = (await connection.execute(ledger.take())).mappings().one()
            before = ledger.from_row(row)
            transaction = Transaction(connection, self._seal, self._chain_key(before), self._clock, before)
            yield transaction
            await transaction.finish()

    async def client(self, id_: str) -> Client | None:
        """The client with that id of ours."""
        return await self._one(clients.by_id(id_), clients.from_row)

    async def client_at(self, provider: str, client_id: str) -> Client | None:
        """The client with that id of the provider's."""
        return await self._one(clients.by_key(provider, client_id), clients.from_row)

    async def clients(
        self,
        *,
        owner: Person | None = None,
        provider: str | None = None,
        state: ClientState | None = None,
        search: str = "",
        after: str = "",
        limit: int = 50,
    ) -> Page[Client]:
        """Clients by name. `search` is a part of the name, or one of the ids. Raises `Invalid` for an odd `after`."""
        statement = clients.page(owner=owner, provider=provider, state=state, search=search, after=after, limit=limit)
        return _page(await self._all(statement, clients.from_row), limit, clients.cursor)

    async def agreement(self, id_: str) -> Agreement | None:
        """The agreement with that id."""
        return await self._one(agreements.by_id(id_), agreements.from_row)

    async def agreements(
        self,
        *,
        client: str | None = None,
        owner: Person | None = None,
        api: str | None = None,
        state: State | None = None,
        waiting: bool = False,
        search: str = "",
        after: str = "",
        limit: int = 50,
    ) -> Page[Agreement]:
        """Agreements, newest first. `search` is about their clients, `waiting`: only what somebody has to decide.

        Raises `Invalid` for an odd `after`.
        """
        statement = agreements.page(
            client=client,
            owner=owner,
            api=api,
            state=state,
            waiting=waiting,
            search=search,
            after=after,
            limit=limit,
        )
        return _page(await self._all(statement, agreements.from_row), limit, agreements.cursor)

    async def registered(self, id_: str) -> Registered | None:
        """What the provider said of that client. It holds secrets."""
        row = await self._one(registrations.of(id_), dict)
        return None if row is None else registrations.read(self._opened(row["sealed"], registrations.row_name(id_)))

    async def audit(
        self,
        *,
        client: str | None = None,
        agreement: str | None = None,
        actor: str | None = None,
        after: int = 0,
        limit: int = 100,
    ) -> Page[Entry]:
        """The audit log, newest first."""
        statement = audit.page(client=client, agreement=agreement, actor=actor, after=after, limit=limit)
        return _page(await self._all(statement, audit.from_row), limit, lambda entry: entry.number)

    async def verify_audit(self) -> int | None:
        """The number of the first entry that is missing, was changed or was put in; `None`: all is as it was written.

        It takes the encryption key to make an entry that passes.
        """
        kept = await self._ledger()
        key = self._chain_key(kept)
        is_genuine = chain.is_same(chain.proof(key, kept.entries, kept.last), kept.proof)
        number, last, ends_well = 0, chain.START, kept.entries == 0
        while rows := await self._all(audit.following(number, _ROWS_AT_ONCE), dict):
            for row in rows:
                number += 1
                last = chain.link(key, audit.from_row(row), last)
                if row["number"] != number or not chain.is_same(last, row["link"]):
                    return number
                if number == kept.entries:
                    ends_well = chain.is_same(last, kept.last)
        return None if is_genuine and ends_well else number + 1

    async def in_force(self) -> InForce:
        """Every contract in force, and every client that is blocked."""
        async with self._database.reading() as connection:
            with translated():
                # Before the contracts: what is changed between is read again, and never missed.
                number = int((await connection.execute(ledger.number())).scalar_one())
                contracts: list[Contract] = []
                rows = await connection.stream(agreements.in_force())
                # In parts, so that requests are answered meanwhile.
                async for part in rows.partitions(_ROWS_AT_ONCE):
                    contracts += map(agreements.contract, part)
                blocked = [(row.provider, row.client_id) for row in await connection.execute(agreements.blocked())]
        return InForce(contracts=tuple(contracts), blocked=tuple(blocked), number=number)

    async def in_force_of(self, client: ClientKey) -> tuple[tuple[Contract, ...], bool]:
        """The contracts in force of that client, and whether it is blocked."""
        async with self._database.reading() as connection:
            with translated():
                rows = (await connection.execute(agreements.in_force_of(client))).all()
                blocked = (await connection.execute(agreements.blocked_of(client))).first() is not None
        return tuple(map(agreements.contract, rows)), blocked

    async def changes_after(self, number: int) -> tuple[set[ClientKey], int]:
        """The clients whose contracts changed after that change, and the number of the last change."""
        async with self._database.reading() as connection:
            with translated():
                last = int((await connection.execute(ledger.number())).scalar_one())
                rows = await connection.execute(
                    select(changes.c.provider, changes.c.client_id).where(changes.c.number > number)
                )
                return {(provider, client_id) for provider, client_id in rows}, last

    def told(self) -> AsyncGenerator[None, None]:
        """Yields whenever another process may have changed contracts. Never ends, and raises nothing.

        To be closed (`contextlib.aclosing`): it keeps a connection.
        """
        return told(self._database)

    async def add_usage(self, rows: Iterable[Usage]) -> None:
        """Add these calls to what is there, all of them or none."""
        await self._write(*usage.add(rows, self._dialect))

    async def usage_of(
        self, provider: str, client_id: str, *, api: str | None = None, since: float
    ) -> tuple[Usage, ...]:
        """What a client called, from the hour on that holds `since` (seconds since the epoch)."""
        return await self._all(usage.of(provider, client_id, api, int(since // 3600)), usage.from_row)

    async def keep_session(self, session: Session) -> None:
        """Keep a session, in place of what was kept under its digest."""
        sealed = self._seal.close(session.contents, _session_row(session.digest))
        await self._write(sessions.keep(session, sealed, self._dialect))

    async def session(self, digest: bytes) -> Session | None:
        """That session, unless it has ended or expired."""
        row = await self._one(sessions.living(digest, self._clock.time()), dict)
        if row is None:
            return None
        try:
            contents = self._seal.open(row["sealed"], _session_row(digest))
        except SealBroken:
            # Its key was taken out of use, or somebody changed it: nobody is signed in by it.
            return None
        return sessions.from_row(row, contents)

    async def end_session(self, digest: bytes) -> None:
        """Forget that session."""
        await self._write(sessions.end(digest))

    async def end_sessions(self, provider: str, subject: str | None = None, sid: str | None = None) -> int:
        """Forget a person's sessions, or those of one session at the provider (both given: both must fit). How many.

        Raises ValueError where neither is given.
        """
        if subject is None and sid is None:
            raise ValueError("whose sessions?")
        return await self._write(sessions.end_all(provider, subject, sid))

    async def end_sessions_once(
        self, notice: str, until: float, provider: str, subject: str | None = None, sid: str | None = None
    ) -> int | None:
        """The same because of a notice that counts once until then; `None`: it has counted before.

        That it counted is kept together with what it did: where this fails, it may come again. Raises ValueError.
        """
        if subject is None and sid is None:
            raise ValueError("whose sessions?")
        async with self._database.writing() as connection:
            with translated():
                use = sessions.use("logout", notice, until, self._clock.time(), self._dialect)
                if (await connection.execute(use)).rowcount == 0:
                    return None
                return (await connection.execute(sessions.end_all(provider, subject, sid))).rowcount

    async def used_once(self, kind: str, value: str, expires_at: float) -> bool:
        """Whether this is the first use of the value, which is remembered until `expires_at` and not longer."""
        return await self._write(sessions.use(kind, value, expires_at, self._clock.time(), self._dialect)) == 1

    async def unused(self, kind: str, value: str, expires_at: float) -> None:
        """Let the value be used once more: the use that is remembered until `expires_at` is over."""
        await self._write(sessions.forget_use(kind, value, expires_at))

    async def sweep(self, now: float) -> None:
        """Forget what has expired, and usage of more than a year ago."""
        await self._write(*sessions.sweep(now), usage.sweep(int(now // 3600)))

    async def reseal(self) -> int:
        """Seal everything with the first key, so that the others can be taken out of the configuration. How much."""
        done, client = await self._reseal_ledger(), ""
        while rows := await self._all(registrations.following(client, _ROWS_AT_ONCE), dict):
            client = rows[-1]["client"]
            for row in rows:
                if not self._seal.is_current(row["sealed"]):
                    done += await self._reseal_registration(row["client"])
        return done

    async def _reseal_ledger(self) -> int:
        async with self._database.writing() as connection:
            with translated():
                kept = ledger.from_row((await connection.execute(ledger.take())).mappings().one())
                if self._seal.is_current(kept.sealed_key):
                    return 0
                sealed = self._seal.close(self._chain_key(kept), ledger.SEALED_FOR)
                await connection.execute(ledger.seal_again(sealed))
        return 1

    async def _reseal_registration(self, client: str) -> int:
        row_name = registrations.row_name(client)
        async with self._database.writing() as connection:
            with translated():
                # Taken first, so that nobody keeps another reply between the reading and the writing.
                await connection.execute(ledger.take())
                sealed = (await connection.execute(registrations.of(client))).scalar_one()
                again = self._seal.close(self._opened(sealed, row_name), row_name)
                await connection.execute(registrations.replace(client, again))
        return 1

    async def _ledger(self) -> Ledger:
        return ledger.from_row((await self._all(ledger.read(), dict))[0])

    def _chain_key(self, row: Ledger) -> bytes:
        return self._opened(row.sealed_key, ledger.SEALED_FOR)

    def _opened(self, sealed: bytes, row: str) -> bytes:
        try:
            return self._seal.open(sealed, row)
        except SealBroken as error:
            raise unavailable("What the store sealed does not open with the configured keys.") from error

    async def _one(self, statement: Select[Any], read: Callable[[Mapping[str, Any]], T]) -> T | None:
        rows = await self._all(statement, read)
        return rows[0] if rows else None

    async def _all(self, statement: Select[Any], read: Callable[[Mapping[str, Any]], T]) -> tuple[T, ...]:
        async with self._database.reading() as connection:
            with translated():
                rows = (await connection.execute(statement)).mappings().all()
        return tuple(read(dict(row)) for row in rows)

    async def _write(self, *statements: Executable) -> int:
        """How many rows it was, in all."""
        count = 0
        async with self._database.writing() as connection:
            with translated():
                for statement in statements:
                    count += (await connection.execute(statement)).rowcount
        return count


def _page(rows: tuple[T, ...], limit: int, cursor: Callable[[T], str | int]) -> Page[T]:
    items = rows[:limit]
    return Page(items, cursor(items[-1]) if len(rows) > limit else None)


def _session_row(digest: bytes) -> str:
    return f"sessions:{digest.hex()}"
